//! Models: those on this disk, those that can be fetched, and whether they fit.

use crate::hub::catalogue::memory as needed_memory;
use crate::ui::state::{Action, Engine, Fetching, ModelLine, Pull, State};
use crate::ui::theme::{self, COLUMN, SPACE};
use crate::ui::view::View;
use crate::ui::widgets::controls::{self, Kind, bytes};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::{composer, message};
use eframe::egui;
use egui::{Align, CentralPanel, Label, Layout, Margin, RichText, ScrollArea, TextEdit, Ui};

/// Where a model comes from that cannot be taken from the disk.
const BUILT_IN: &str = "built in";

/// Shows the page.
pub fn show(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    CentralPanel::no_frame().show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            controls::column(ui, COLUMN, |ui| {
                controls::page_title(ui, "Models", "What answers you. Models stay on this machine once they are here.");
                memory(ui, state);
                here(ui, state, view, actions);
                controls::section(ui, "To download");
                for line in state.models.lines.iter().filter(|line| line.offer.is_some()) {
                    ui.push_id(&line.name, |ui| offer(ui, state, line, actions));
                }
                // Those that nobody offered.
                let listed = |pull: &Pull| state.models.lines.iter().any(|line| line.pull.as_ref() == Some(&pull.name));
                for pull in state.models.pulls.iter().filter(|pull| !listed(pull)) {
                    ui.push_id(&pull.name, |ui| wanted(ui, state, pull, actions));
                }
                another(ui, view, actions);
                ui.add_space(theme::LARGE);
            });
        });
    });
}

fn here(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    ui.add_space(SPACE);
    ui.horizontal(|ui| {
        ui.label(RichText::new("On this machine").font(theme::strong()));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if state.models.looking {
                ui.label(RichText::new("Looking").font(theme::small()).color(colours.weak));
                controls::dots(ui, colours.accent);
            } else if controls::tinted_button(ui, Kind::Quiet, Icon::Retry, "Look through the disk again", 28.0, None)
                .clicked()
            {
                actions.push(Action::Refresh);
            }
        });
    });
    let mut none = true;
    for line in state.models.lines.iter().filter(|line| line.offer.is_none()) {
        none = false;
        ui.push_id(&line.name, |ui| model(ui, state, view, line, actions));
    }
    if none {
        let told = if state.models.looking {
            "The disk is being looked through."
        } else {
            "There is no model on this disk yet. Fetch one below."
        };
        ui.label(RichText::new(told).color(colours.weak));
    }
}

/// The memory that there is, and what of it is taken.
fn memory(ui: &mut Ui, state: &State) {
    let colours = theme::palette(ui);
    let models = &state.models;
    controls::card(ui, |ui| {
        let held = state.loaded().map_or(0, |loaded| loaded.held_bytes);
        ui.horizontal(|ui| {
            ui.label(RichText::new("Memory for models").font(theme::strong()));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let of = models.room_bytes.map_or(String::new(), |room| format!(" of {}", bytes(room)));
                ui.label(RichText::new(format!("{}{of}", bytes(held))).color(colours.weak));
            });
        });
        if let Some(room) = models.room_bytes {
            controls::bar(ui, "Memory in use", held as f32 / room.max(1) as f32, colours.accent);
        }
        let told = match &state.engine {
            Engine::Ready(loaded) => format!("{} in {} on {}", loaded.model, loaded.precision, loaded.adapter),
            Engine::Loading { model, .. } => format!("{model} is being loaded"),
            Engine::Failed(_) => "No model is loaded".into(),
        };
        let machine = models.machine_bytes.map_or(String::new(), |there| format!(". The machine has {}", bytes(there)));
        ui.add(Label::new(RichText::new(told + &machine + ".").font(theme::small()).color(colours.weak)).wrap());
    });
}

/// What a model needs against what there is: in words, and whether that fits.
fn need(state: &State, line: &ModelLine) -> (String, bool) {
    let needed = needed_memory(line.bytes);
    let disk = bytes(line.bytes);
    match state.models.room_bytes {
        _ if line.bytes == 0 => ("of unknown size".into(), true),
        None => (format!("{disk}; needs about {} of memory", bytes(needed)), true),
        Some(there) if needed <= there => {
            (format!("{disk}; needs about {} of {} memory", bytes(needed), bytes(there)), true)
        }
        Some(there) => {
            (format!("{disk}; needs about {}, more than the {} there is", bytes(needed), bytes(there)), false)
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn name(ui: &mut Ui, line: &ModelLine, width: f32) {
    let colours = theme::palette(ui);
    let galley = controls::one_line(ui, &line.name, theme::strong(), colours.text, width);
    ui.label(galley).on_hover_text(&line.name);
}

fn model(ui: &mut Ui, state: &State, view: &mut View, line: &ModelLine, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let loaded = state.loaded().is_some_and(|loaded| loaded.model == line.name);
    let loading = matches!(&state.engine, Engine::Loading { model, .. } if *model == line.name);
    controls::card(ui, |ui| {
        let (told, fits) = need(state, line);
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let removable = line.store != BUILT_IN && !loaded && !loading;
                let remove = format!("Remove {}", line.name);
                if removable && controls::icon_button(ui, Kind::Quiet, Icon::Bin, &remove).clicked() {
                    view.removing = Some(line.name.clone());
                }
                if loaded {
                    controls::chip(ui, "Loaded", colours.accent);
                } else if loading {
                    controls::chip(ui, "Loading", colours.warn);
                } else if let Some(name) = &line.pull {
                    pull_button(ui, state, name, "Go on", actions);
                } else if line.problem.is_none() {
                    let response = controls::button(ui, Kind::Plain, None, "Load");
                    if response.accessible_name(format!("Load {}", line.name)).clicked() {
                        actions.push(Action::Load(line.name.clone()));
                    }
                }
                ui.with_layout(Layout::top_down(Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    let width = ui.available_width();
                    name(ui, line, width);
                    let store = if line.store == BUILT_IN { "Part of this program".into() } else { line.store.clone() };
                    let precision =
                        state.loaded().filter(|_| loaded).map_or(String::new(), |l| format!(", {}", l.precision));
                    let colour = if fits { colours.weak } else { colours.warn };
                    let text =
                        controls::one_line(ui, &format!("{store}{precision}, {told}"), theme::small(), colour, width);
                    ui.label(text);
                });
            });
        });
        match (line.pull.as_ref().and_then(|name| pull_of(state, name)), &line.problem) {
            (Some(pull), _) => progress(ui, pull),
            (None, Some(problem)) => message::trouble(ui, colours, &capital(problem)),
            (None, None) => {}
        }
        if view.removing.as_ref() == Some(&line.name) {
            confirm(ui, view, line, actions);
        }
    });
}

fn confirm(ui: &mut Ui, view: &mut View, line: &ModelLine, actions: &mut Vec<Action>) {
    ui.add_space(4.0);
    let told = format!("Remove {} from the disk? This frees {}; you can fetch it again.", line.name, bytes(line.bytes));
    ui.add(Label::new(told).wrap());
    ui.horizontal(|ui| {
        if controls::button(ui, Kind::Danger, Some(Icon::Bin), "Remove").clicked() {
            actions.push(Action::Remove(line.name.clone()));
            view.removing = None;
        }
        let keep = controls::button(ui, Kind::Plain, None, "Keep");
        if keep.clicked() || ui.input(|input| input.key_pressed(egui::Key::Escape)) {
            view.removing = None;
        }
    });
}

fn offer(ui: &mut Ui, state: &State, line: &ModelLine, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    controls::card(ui, |ui| {
        let (told, fits) = need(state, line);
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if let Some(name) = &line.pull {
                    pull_button(ui, state, name, "Download", actions);
                }
                ui.with_layout(Layout::top_down(Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    let width = ui.available_width();
                    name(ui, line, width);
                    let colour = if fits { colours.weak } else { colours.warn };
                    let size = controls::one_line(ui, &capital(&told), theme::small(), colour, width);
                    ui.label(size);
                });
            });
        });
        if let Some(offer) = &line.offer {
            ui.add(Label::new(RichText::new(offer).color(colours.weak)).wrap());
        }
        if let Some(pull) = line.pull.as_ref().and_then(|name| pull_of(state, name)) {
            progress(ui, pull);
        }
    });
}

fn pull_of<'a>(state: &'a State, name: &str) -> Option<&'a Pull> {
    state.models.pulls.iter().find(|pull| pull.name == name)
}

/// Begins a download, ends it, or goes on with it; `first` is the word for one that was not begun here.
fn pull_button(ui: &mut Ui, state: &State, name: &str, first: &str, actions: &mut Vec<Action>) {
    let pull = pull_of(state, name);
    if pull.is_some_and(Pull::is_going) {
        let stopping = pull.is_some_and(|pull| pull.stage == Fetching::Stopping);
        let stop = |ui: &mut Ui| {
            let response = controls::button(ui, Kind::Plain, Some(Icon::Stop), "Stop");
            response.accessible_name(format!("Stop the download of {name}")).clicked()
        };
        if ui.add_enabled_ui(!stopping, stop).inner {
            actions.push(Action::CancelPull(name.into()));
        }
        return;
    }
    let word = match pull.map(|pull| &pull.stage) {
        Some(Fetching::Failed(_)) => "Try again",
        Some(_) => "Go on",
        None => first,
    };
    let response = controls::button(ui, Kind::Plain, Some(Icon::Pull), word);
    if response.accessible_name(format!("{word}: {name}")).clicked() {
        actions.push(Action::Pull(name.into()));
    }
}

/// A download that a person asked for by its name.
fn wanted(ui: &mut Ui, state: &State, pull: &Pull, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    controls::card(ui, |ui| {
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let forget = format!("Forget the download of {}", pull.name);
                if !pull.is_going() && controls::icon_button(ui, Kind::Quiet, Icon::Close, &forget).clicked() {
                    actions.push(Action::CancelPull(pull.name.clone()));
                }
                pull_button(ui, state, &pull.name, "Download", actions);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let width = ui.available_width();
                    let name = controls::one_line(ui, &pull.name, theme::strong(), colours.text, width);
                    ui.label(name).on_hover_text(&pull.name);
                });
            });
        });
        progress(ui, pull);
    });
}

/// Any other model, by its name on the hub or its place on this disk.
fn another(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    controls::card(ui, |ui| {
        ui.label(RichText::new("Another model").font(theme::strong()));
        let told = "Of the Hugging Face hub, as ORG/NAME or ORG/NAME:Q4_K_M for one of its GGUF files; or a folder or GGUF file of this \
            machine, by its path.";
        ui.add(Label::new(RichText::new(told).font(theme::small()).color(colours.weak)).wrap());
        ui.horizontal(|ui| {
            let local = is_path(&view.model);
            let (word, icon) = if local { ("Load", None) } else { ("Download", Some(Icon::Pull)) };
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let typed = !view.model.trim().is_empty();
                let button = |ui: &mut Ui| {
                    let response = controls::button(ui, Kind::Plain, icon, word);
                    response.accessible_name(format!("{word} the model of this name")).clicked()
                };
                let mut go = ui.add_enabled_ui(typed, button).inner;
                let edit = TextEdit::singleline(&mut view.model).hint_text("google/gemma-4-E2B-it");
                let edit = edit.desired_width(ui.available_width()).margin(Margin::symmetric(10, 7));
                let response = ui.add(edit).accessible_name("Name or path of a model");
                go |= response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
                if go && typed {
                    let name = std::mem::take(&mut view.model).trim().to_string();
                    actions.push(match local {
                        true => Action::Load(composer::home(&name).to_string_lossy().into()),
                        false => Action::Pull(name),
                    });
                }
            });
        });
    });
}

/// Nothing on the hub is called so.
fn is_path(text: &str) -> bool {
    let text = text.trim();
    let address = ["http://", "https://", "hf://"].iter().any(|scheme| text.starts_with(scheme));
    let begins = text.starts_with(['/', '.', '~', '\\', '"', '\'']);
    !address && (begins || text.contains('\\') || text.contains(":/") || text.ends_with(".gguf"))
}

fn progress(ui: &mut Ui, pull: &Pull) {
    let colours = theme::palette(ui);
    let bar = if pull.stage == Fetching::Stopped { colours.weak } else { colours.accent };
    let so_far = (pull.total > 0).then(|| format!("{} of {}", bytes(pull.done), bytes(pull.total)));
    let told = match (&pull.stage, so_far) {
        (Fetching::Failed(problem), _) => return message::trouble(ui, colours, problem),
        (Fetching::Going, Some(so_far)) => so_far,
        (Fetching::Going, None) => "Asking for its size".into(),
        (Fetching::Stopping, _) => "Stopping".into(),
        (Fetching::Stopped, Some(so_far)) => {
            format!("Stopped after {so_far}. Fetching it again goes on where it was.")
        }
        (Fetching::Stopped, None) => "Stopped. Fetching it again goes on where it was.".into(),
    };
    let share = pull.done as f32 / pull.total.max(1) as f32;
    ui.add_space(2.0);
    controls::bar(ui, &format!("Download of {}", pull.name), share, bar);
    ui.add(Label::new(RichText::new(told).font(theme::small()).color(colours.weak)).wrap());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::tests::samples;

    #[test]
    fn what_does_not_fit_is_told() {
        let mut state = samples::empty();
        let (name, store) = ("x".to_string(), "disk".to_string());
        let line = |bytes| ModelLine {
            name: name.clone(),
            store: store.clone(),
            bytes,
            problem: None,
            offer: None,
            pull: None,
        };
        state.models.room_bytes = Some(8_000_000_000);
        let fits = "500 MB; needs about 1.23 GB of 8.00 GB memory";
        assert_eq!(need(&state, &line(500_000_000)), (fits.into(), true));
        let too_large = "8.00 GB; needs about 9.20 GB, more than the 8.00 GB there is";
        assert_eq!(need(&state, &line(8_000_000_000)), (too_large.into(), false));
        state.models.room_bytes = None;
        assert!(need(&state, &line(9_000_000_000)).1);
    }

    #[test]
    fn names_and_paths_are_told_apart() {
        for path in ["/models/a", "~/a", "./a", "m-Q4_0.gguf", "C:\\models", "file:///a"] {
            assert!(is_path(path), "{path}");
        }
        let address = "https://huggingface.co/google/gemma-4-E2B-it";
        for name in ["google/gemma-4-E2B-it", "ggml-org/gemma-3-1b-it-GGUF:Q4_K_M", address, ""] {
            assert!(!is_path(name), "{name}");
        }
    }
}
