//! The live conversation: who has the turn, what the microphone hears, what the camera sees, and the switches for all three.

use super::controls::{self, Kind};
use super::icon::Icon;
use super::{camera, level, spectrogram, waveform};
use crate::store::settings::Device;
use crate::ui::keys::{self, Does};
use crate::ui::state::{Action, Engine, Phase, State};
use crate::ui::theme::{self, Palette};
use crate::ui::view::{Meters, View};
use eframe::egui;
use egui::accesskit::Role;
use egui::{
    Align, Color32, Frame, Label, Layout, Margin, Rect, RichText, Sense, Stroke, StrokeKind, Ui, WidgetInfo, vec2,
};

/// What goes on, in a word and a sentence, with its colour and icon.
pub struct Status {
    /// Of the ring.
    pub colour: Color32,
    /// Within the ring.
    pub icon: Icon,
    /// In a word.
    pub word: &'static str,
    /// What a person can do.
    pub sentence: String,
}

/// The status of the conversation, told in colour, icon and words, so that none of them is needed alone.
pub fn status(state: &State, colours: &Palette) -> Status {
    let keys = |does| keys::told(&state.settings, does);
    let live = &state.live;
    let no_microphone = (live.known && live.microphones.is_empty()) || state.settings.microphone == Device::Off;
    let (colour, icon, word, sentence) = match live.phase {
        Phase::Speaking => {
            (colours.speaking, Icon::Speaker, "Speaking", format!("Talk over it, or {}", keys(Does::Stop)))
        }
        Phase::Thinking => (colours.thinking, Icon::More, "Thinking", format!("{} stops it", keys(Does::Stop))),
        _ if matches!(state.engine, Engine::Failed(_)) => {
            (colours.weak, Icon::MicrophoneOff, "No model", "It cannot answer yet".into())
        }
        _ if no_microphone => (colours.weak, Icon::MicrophoneOff, "No microphone", "Type below instead".into()),
        _ if live.muted => (colours.weak, Icon::MicrophoneOff, "Muted", format!("{} turns it on", keys(Does::Mute))),
        Phase::Listening => (colours.accent, Icon::Microphone, "Listening", "It answers when you pause".into()),
        Phase::Idle if matches!(state.engine, Engine::Loading { .. }) => {
            (colours.weak, Icon::Microphone, "Getting ready", "It answers when its model is there".into())
        }
        Phase::Idle if live.push_to_talk => {
            (colours.weak, Icon::Microphone, "Ready", format!("Hold {} to talk", keys(Does::Talk)))
        }
        Phase::Idle => (colours.weak, Icon::Microphone, "Ready", "Just speak, or type below".into()),
    };
    Status { colour, icon, word, sentence }
}

/// Shows the bar, as wide as there is room. `senses` are shown elsewhere where there is more room.
pub fn show(ui: &mut Ui, state: &State, view: &mut View, meters: &Meters<'_>, senses: bool, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let frame = Frame::new()
        .fill(colours.surface)
        .stroke(Stroke::new(1.0, colours.border))
        .corner_radius(14)
        .inner_margin(Margin::symmetric(10, 8));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        let status = status(state, colours);
        let width = ui.available_width();
        let narrow = width < 560.0;
        ui.horizontal(|ui| {
            ui.set_height(48.0);
            turn(ui, state, view, meters, &status, actions);
            let words = if narrow { 168.0 } else { 210.0 };
            ui.vertical(|ui| {
                ui.set_width(words);
                ui.spacing_mut().item_spacing.y = 1.0;
                ui.add_space(5.0);
                ui.label(RichText::new(status.word).font(theme::strong()).color(if status.colour == colours.weak {
                    colours.text
                } else {
                    status.colour
                }));
                let sentence = RichText::new(status.sentence).font(theme::small()).color(colours.weak);
                ui.add(Label::new(sentence).truncate());
            });
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                switches(ui, state, actions);
                if state.live.camera && senses {
                    camera::show(ui, state, view, meters, vec2(64.0, 48.0));
                }
                if senses && width > 640.0 {
                    spectrogram::show(ui, &mut view.textures, meters.mel, vec2(110.0, 42.0));
                }
                let room = ui.available_width();
                if room > 60.0 {
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        sound(ui, state, meters, room, status.colour)
                    });
                }
            });
        });
        lost(ui, state);
    });
}

/// The large button: the microphone, in a ring that has the colour of the phase and grows with the voice.
fn turn(ui: &mut Ui, state: &State, view: &View, meters: &Meters<'_>, status: &Status, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(48.0, 48.0), Sense::click_and_drag());
    let live = &state.live;
    let hold = live.push_to_talk && !live.muted;
    let name = match (hold, live.muted) {
        (true, _) => format!("Hold to talk ({})", keys::told(&state.settings, Does::Talk)),
        (false, true) => format!("Turn the microphone on ({})", keys::told(&state.settings, Does::Mute)),
        (false, false) => format!("Turn the microphone off ({})", keys::told(&state.settings, Does::Mute)),
    };
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, !live.muted, format!("{}. {name}", status.word)));
    if hold {
        let held = response.is_pointer_button_down_on();
        if held != live.talking && !view.talking {
            actions.push(Action::Talk(held));
        }
    } else if response.clicked() {
        actions.push(Action::Mute(!live.muted));
    }
    let busy = live.phase != Phase::Idle || live.talking;
    let centre = rect.center();
    let swell = if live.muted { 0.0 } else { level::share(meters.level) };
    ui.painter().circle_filled(
        centre,
        19.0 + 4.0 * swell,
        status.colour.gamma_multiply(if busy { 0.30 } else { 0.16 }),
    );
    let fill = if busy { status.colour } else { colours.raised };
    ui.painter().circle(centre, 18.0, fill, Stroke::new(1.5, if busy { status.colour } else { colours.edge }));
    let front = if busy { colours.on_accent } else { colours.text };
    let icon = Rect::from_center_size(centre, vec2(20.0, 20.0));
    status.icon.paint(ui.painter(), icon, front);
    controls::focus_ring(ui, &response, 24);
    response.on_hover_text(name);
}

/// Level and waveform.
fn sound(ui: &mut Ui, state: &State, meters: &Meters<'_>, width: f32, colour: Color32) {
    let colours = theme::palette(ui);
    let heard = if state.live.muted { 0.0 } else { meters.level };
    level::show(ui, heard, vec2(6.0, 40.0), if meters.voice > 0.5 { colours.accent } else { colours.weak });
    let (rect, response) = ui.allocate_exact_size(vec2(width - 14.0, 40.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Waveform of the microphone"));
    let colour = if colour == colours.weak { colours.edge } else { colour };
    let pairs = if state.live.muted { &[] } else { meters.waveform };
    waveform::paint(ui.painter(), rect, pairs, 1.0, (colour, colour));
}

fn switches(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let live = &state.live;
    let keys = |does| keys::told(&state.settings, does);
    let rows = [
        (
            live.camera,
            Icon::Camera,
            Icon::CameraOff,
            "Turn the camera on",
            "Turn the camera off",
            Does::Camera,
            Action::Camera(!live.camera),
        ),
        (
            live.speak,
            Icon::Speaker,
            Icon::SpeakerOff,
            "Speak answers",
            "Do not speak answers",
            Does::Speak,
            Action::Speak(!live.speak),
        ),
    ];
    for (on, icon, off_icon, turn_on, turn_off, does, action) in rows {
        let (icon, name) = if on { (icon, turn_off) } else { (off_icon, turn_on) };
        let tint = if on { colours.accent } else { colours.weak };
        if controls::tinted_button(ui, Kind::Plain, icon, &format!("{name} ({})", keys(does)), theme::TOUCH, Some(tint))
            .clicked()
        {
            actions.push(action);
        }
    }
}

fn lost(ui: &mut Ui, state: &State) {
    if state.live.lost.is_empty() {
        return;
    }
    let colours = theme::palette(ui);
    ui.horizontal_top(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(16.0, 18.0), Sense::hover());
        Icon::Warning.paint(ui.painter(), rect, colours.warn);
        let them = if state.live.lost.len() == 1 { "it" } else { "them" };
        let told = format!("Gone: {}. The conversation goes on without {them}.", state.live.lost.join(", "));
        ui.add(Label::new(RichText::new(told).font(theme::small()).color(colours.warn)).wrap());
    });
}

/// Where there is room beside the conversation: what it sees and hears, large.
pub fn senses(ui: &mut Ui, state: &State, view: &mut View, meters: &Meters<'_>) {
    let colours = theme::palette(ui);
    let width = ui.available_width();
    let title = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).font(theme::small()).color(colours.weak));
    ui.add_space(theme::SPACE);
    if state.live.camera {
        title(ui, "What it sees");
        camera::show(ui, state, view, meters, vec2(width, (width * 0.75).round()));
        if let Some((image, at)) = &state.given {
            ui.horizontal(|ui| {
                let size = super::message::fitted(image, vec2(64.0, 48.0));
                if super::message::picture(ui, view, "the picture given last", image, size).clicked() {
                    view.enlarged = Some(("Picture given to the model".into(), image.clone()));
                }
                let ago = view.elapsed.saturating_sub(*at).as_secs();
                let told = if ago < 2 {
                    "Given to the model just now".into()
                } else {
                    format!("Given to the model {ago} s ago")
                };
                ui.add(Label::new(RichText::new(told).font(theme::small()).color(colours.weak)).wrap());
            });
        }
        ui.add_space(theme::SPACE);
    }
    title(ui, "What it hears");
    spectrogram::show(ui, &mut view.textures, meters.mel, vec2(width, 96.0));
    let (rect, response) = ui.allocate_exact_size(vec2(width, 20.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, "Low to high, the last seconds"));
    let ends = [
        (rect.left_center(), egui::Align2::LEFT_CENTER, "4 s ago"),
        (rect.right_center(), egui::Align2::RIGHT_CENTER, "Now"),
    ];
    for (at, align, text) in ends {
        ui.painter().text(at, align, text, theme::small(), colours.weak);
    }
    let edge = Rect::from_min_size(rect.min - vec2(0.0, 96.0 + ui.spacing().item_spacing.y), vec2(width, 96.0));
    ui.painter().rect_stroke(edge, 6.0, Stroke::new(1.0, colours.border), StrokeKind::Inside);
}
