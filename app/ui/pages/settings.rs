//! Settings: each with a sentence that says what it does.

use crate::store::settings::{Device as Chosen, Settings, Talk, Theme};
use crate::ui::keys::{self, BINDINGS, Does};
use crate::ui::state::{Action, Device, State};
use crate::ui::theme::{self, COLUMN, TOUCH};
use crate::ui::view::View;
use crate::ui::widgets::controls::{self, Kind};
use crate::ui::widgets::icon::Icon;
use eframe::egui;
use egui::{
    Align, CentralPanel, ComboBox, Label, Layout, Rect, RichText, ScrollArea, Sense, Slider, Ui, UiBuilder, pos2, vec2,
};
use std::ops::RangeInclusive;

/// Shows the page.
pub fn show(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let mut settings = state.settings.clone();
    CentralPanel::no_frame().show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            controls::column(ui, COLUMN, |ui| {
                controls::page_title(ui, "Settings", "They hold from now on, and are kept on this machine.");
                looks(ui, &mut settings);
                devices(ui, state, &mut settings);
                voice(ui, state, &mut settings);
                turns(ui, state, &mut settings);
                answers(ui, &mut settings);
                bindings(ui, &settings, view);
                reset(ui, &mut settings, view);
                ui.add_space(theme::LARGE);
            });
        });
    });
    if settings != state.settings {
        actions.push(Action::Set(Box::new(settings)));
    }
}

/// A setting: its name and what it does on the left, its control on the right, or below where there is little room.
fn row(ui: &mut Ui, name: &str, told: &str, control: impl FnOnce(&mut Ui)) {
    let colours = theme::palette(ui);
    // Between settings, not before the first one.
    if ui.min_rect().height() > 1.0 {
        ui.add_space(8.0);
    }
    let width = ui.available_width();
    let beside = width >= 480.0;
    let room = if beside { width - 300.0 } else { width };
    let title = ui.painter().layout(name.into(), theme::body(), colours.text, room);
    let told = (!told.is_empty()).then(|| ui.painter().layout(told.into(), theme::small(), colours.weak, room));
    let height = title.size().y + told.as_ref().map_or(0.0, |told| told.size().y + 1.0);
    let words = |ui: &mut Ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        ui.label(title);
        told.map(|told| ui.label(told));
    };
    if beside {
        let (rect, _) = ui.allocate_exact_size(vec2(width, height.max(TOUCH)), Sense::hover());
        let left = Rect::from_min_size(pos2(rect.left(), rect.center().y - height / 2.0), vec2(room, height));
        ui.scope_builder(UiBuilder::new().max_rect(left).layout(Layout::top_down(Align::Min)), words);
        let right = Rect::from_min_max(pos2(rect.right() - 290.0, rect.top()), rect.max);
        ui.scope_builder(UiBuilder::new().max_rect(right).layout(Layout::right_to_left(Align::Center)), control);
    } else {
        ui.vertical(words);
        control(ui);
    }
}

fn group(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui)) {
    controls::section(ui, title);
    controls::card(ui, add);
}

fn slider<N: egui::emath::Numeric>(
    ui: &mut Ui,
    name: &str,
    value: &mut N,
    range: RangeInclusive<N>,
    step: f64,
    unit: &str,
) {
    let slider = Slider::new(value, range).step_by(step).suffix(if unit.is_empty() {
        String::new()
    } else {
        format!(" {unit}")
    });
    bright(ui, |ui| ui.name_inputs(name, |ui| ui.add(slider).accessible_name(name)));
}

/// What lies left of a slider's handle in the colour of the program.
fn bright<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    ui.scope(|ui| {
        ui.visuals_mut().selection.bg_fill = theme::palette(ui).accent;
        add(ui)
    })
    .inner
}

fn looks(ui: &mut Ui, settings: &mut Settings) {
    group(ui, "Looks", |ui| {
        row(ui, "Theme", "", |ui| {
            let options = [(Theme::System, "System"), (Theme::Light, "Light"), (Theme::Dark, "Dark")];
            controls::choice(ui, "Theme", &options, &mut settings.theme);
        });
        row(ui, "Size", "Of letters and of everything else.", |ui| {
            let mut percent = (settings.zoom * 100.0).round();
            // Set when the slider is let go, for the slider itself grows with it.
            let slider = Slider::new(&mut percent, 50.0..=300.0).step_by(10.0).suffix(" %");
            let response = bright(ui, |ui| ui.name_inputs("Size", |ui| ui.add(slider).accessible_name("Size")));
            let id = ui.scope_id().with("size");
            if response.dragged() {
                ui.data_mut(|data| data.insert_temp(id, percent));
            } else if response.drag_stopped() {
                settings.zoom = ui.data_mut(|data| data.remove_temp::<f32>(id)).unwrap_or(percent) / 100.0;
            } else if response.changed() {
                settings.zoom = percent / 100.0;
            }
        });
    });
}

fn device(ui: &mut Ui, name: &str, known: bool, devices: &[Device], chosen: &mut Chosen) {
    let told = |device: &Chosen| match device {
        Chosen::Default => "As the system has it".to_string(),
        Chosen::Off => "None".to_string(),
        Chosen::Id(id) => devices
            .iter()
            .find(|device| device.id == *id)
            .map_or_else(|| if known { "Not connected".into() } else { id.clone() }, |device| device.name.clone()),
    };
    let listed = devices.iter().map(|device| Chosen::Id(device.id.clone()));
    let combo = ComboBox::from_id_salt(name).width(240.0).truncate().selected_text(told(chosen));
    let shown = combo.show_ui(ui, |ui| {
        for option in [Chosen::Default, Chosen::Off].into_iter().chain(listed) {
            let text = told(&option);
            ui.selectable_value(chosen, option, text);
        }
    });
    shown.response.accessible_name(name);
}

fn devices(ui: &mut Ui, state: &State, settings: &mut Settings) {
    let live = &state.live;
    // What is wrong with a device comes instead of what it is for.
    let told = |what: &str, devices: &[Device], chosen: &Chosen, purpose: &str| match chosen {
        _ if !live.known => "Being looked for.".into(),
        Chosen::Id(id) if !devices.iter().any(|device| device.id == *id) => {
            format!("{id} is not there. It is taken as soon as it is; or choose another one.")
        }
        _ if devices.is_empty() => format!("This machine has none. Connect a {what}, and it is listed here."),
        Chosen::Off => purpose.to_string(),
        _ if live.lost.iter().any(|lost| lost == what) => "It is gone. It is taken as soon as it is there.".into(),
        _ => purpose.to_string(),
    };
    group(ui, "Devices", |ui| {
        row(
            ui,
            "Microphone",
            &told("microphone", &live.microphones, &settings.microphone, "What it hears you with."),
            |ui| device(ui, "Microphone", live.known, &live.microphones, &mut settings.microphone),
        );
        row(ui, "Speaker", &told("speaker", &live.speakers, &settings.speaker, "What it speaks with."), |ui| {
            device(ui, "Speaker", live.known, &live.speakers, &mut settings.speaker)
        });
        row(
            ui,
            "Camera",
            &told("camera", &live.cameras, &settings.camera, "What it sees with, while the camera is on."),
            |ui| device(ui, "Camera", live.known, &live.cameras, &mut settings.camera),
        );
    });
}

/// Where a system gets a voice from.
const VOICES: &str = if cfg!(any(windows, target_os = "macos")) {
    "This system has no voice: add one in its settings for speech."
} else {
    "This system has no voice: install espeak-ng."
};

fn voice(ui: &mut Ui, state: &State, settings: &mut Settings) {
    group(ui, "Voice", |ui| {
        row(ui, "Speak answers", "Sentence by sentence, while the rest is still being written.", |ui| {
            controls::switch(ui, &mut settings.speak, "Speak answers");
        });
        let voices = &state.live.voices;
        let none = state.live.known && voices.is_empty();
        row(ui, "Voice", if none { VOICES } else { "The one of the system, if none is chosen." }, |ui| {
            let told = |id: &Option<String>| match id {
                None => "As the system has it".to_string(),
                Some(id) => {
                    voices.iter().find(|voice| voice.id == *id).map_or_else(|| id.clone(), |voice| voice.name.clone())
                }
            };
            let combo = ComboBox::from_id_salt("voice").width(240.0).truncate().selected_text(told(&settings.voice));
            let shown = combo.show_ui(ui, |ui| {
                for option in [None].into_iter().chain(voices.iter().map(|voice| Some(voice.id.clone()))) {
                    let text = told(&option);
                    ui.selectable_value(&mut settings.voice, option, text);
                }
            });
            shown.response.accessible_name("Voice");
        });
        row(ui, "Speed", "Of speech: 1 is as the voice speaks by itself.", |ui| {
            slider(ui, "Speed of speech", &mut settings.voice_speed, 0.5..=2.0, 0.1, "×");
        });
    });
}

fn turns(ui: &mut Ui, state: &State, settings: &mut Settings) {
    group(ui, "Taking turns", |ui| {
        let told = match settings.talk {
            Talk::HandsFree => "It listens all the time and answers when you pause.".to_string(),
            Talk::PushToTalk => format!("It listens while you hold {}.", keys::told(&state.settings, Does::Talk)),
        };
        row(ui, "When it listens", &told, |ui| {
            let options = [(Talk::HandsFree, "Hands free"), (Talk::PushToTalk, "Push to talk")];
            controls::choice(ui, "When it listens", &options, &mut settings.talk);
        });
        row(
            ui,
            "Pause",
            "Silence after which it takes its turn. Longer lets you think between words; shorter answers sooner.",
            |ui| {
                slider(ui, "Pause", &mut settings.hangover_ms, 100..=5000, 50.0, "ms");
            },
        );
        row(ui, "Beginning", "Voice after which you have begun to speak. Longer ignores coughs and clicks.", |ui| {
            slider(ui, "Beginning", &mut settings.onset_ms, 10..=1000, 10.0, "ms");
        });
        row(
            ui,
            "Interrupting",
            "Voice after which it stops speaking. Longer is harder to interrupt by accident.",
            |ui| {
                slider(ui, "Interrupting", &mut settings.barge_in_ms, 10..=2000, 10.0, "ms");
            },
        );
    });
}

/// A number that the model's publisher gives, unless a person gives another one.
fn own<N: egui::emath::Numeric>(
    ui: &mut Ui,
    name: &str,
    value: &mut Option<N>,
    first: N,
    range: RangeInclusive<N>,
    step: f64,
) {
    let mut set = value.is_some();
    if controls::switch(ui, &mut set, &format!("Set {} yourself", name.to_lowercase())) {
        *value = set.then_some(first);
    }
    match value {
        Some(value) => slider(ui, name, value, range, step, ""),
        None => {
            ui.label(RichText::new("As the model has it").color(theme::palette(ui).weak));
        }
    }
}

fn answers(ui: &mut Ui, settings: &mut Settings) {
    group(ui, "Answers", |ui| {
        row(ui, "Think first", "Models that can do so think before they answer. Better, and later.", |ui| {
            controls::switch(ui, &mut settings.thinking, "Think first");
        });
        row(ui, "Temperature", "How freely it chooses words: 0 is always the likeliest one.", |ui| {
            own(ui, "Temperature", &mut settings.temperature, 0.7, 0.0..=2.0, 0.05);
        });
        row(ui, "Top p", "Chooses only among the likeliest words that have this share together.", |ui| {
            own(ui, "Top p", &mut settings.top_p, 0.95, 0.0..=1.0, 0.01);
        });
        row(ui, "Top k", "Chooses only among so many of the likeliest words; 0 for all.", |ui| {
            own(ui, "Top k", &mut settings.top_k, 64, 0..=200, 1.0);
        });
        row(ui, "Longest answer", "In tokens; a word is about one and a half of them.", |ui| {
            own(ui, "Longest answer", &mut settings.max_tokens, 1024, 16..=8192, 16.0);
        });
        row(
            ui,
            "Memory of a conversation",
            "In tokens. Longer takes more memory of the adapter; from the next load of a model.",
            |ui| {
                own(ui, "Memory of a conversation", &mut settings.context, 8192, 512..=131_072, 512.0);
            },
        );
    });
}

fn bindings(ui: &mut Ui, settings: &Settings, view: &mut View) {
    let colours = theme::palette(ui);
    group(ui, "Keys", |ui| {
        let told = "Press a button, then the new keys. Escape leaves it as it is. Keys that something else had are taken from it.";
        ui.add(Label::new(RichText::new(told).font(theme::small()).color(colours.weak)).wrap());
        ui.add_space(6.0);
        for binding in BINDINGS {
            let waiting = view.capturing == Some(binding.name);
            let keys = if waiting { "Press keys".into() } else { keys::told(settings, binding.does) };
            let pressed = ui.horizontal(|ui| {
                ui.label(binding.title);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let kind = if waiting { Kind::Primary } else { Kind::Plain };
                    let response = controls::wide_button(ui, kind, None, &keys, 150.0);
                    response.accessible_name(format!("Keys for: {}, {keys}", binding.title.to_lowercase())).clicked()
                })
                .inner
            });
            if pressed.inner {
                view.capturing = if waiting { None } else { Some(binding.name) };
            }
        }
    });
}

fn reset(ui: &mut Ui, settings: &mut Settings, view: &mut View) {
    ui.add_space(theme::LARGE);
    if !view.resetting {
        if controls::button(ui, Kind::Plain, Some(Icon::Retry), "Set everything back").clicked() {
            view.resetting = true;
        }
        return;
    }
    ui.label("Set everything on this page back to how it came? Models and conversations stay.");
    ui.horizontal(|ui| {
        if controls::button(ui, Kind::Danger, None, "Set back").clicked() {
            // The model was not chosen on this page, and what is not known was not set here.
            let (model, other) = (settings.model.take(), std::mem::take(&mut settings.other));
            *settings = Settings { model, other, ..Settings::default() };
            view.resetting = false;
        }
        if controls::button(ui, Kind::Plain, None, "Leave it").clicked() {
            view.resetting = false;
        }
    });
}
