//! Models: those on this disk, those that can be fetched, and whether they fit.

use crate::ui::state::{Action, Engine, Fetching, ModelLine, Pull, State};
use crate::ui::theme::{self, COLUMN, SPACE};
use crate::ui::view::View;
use crate::ui::widgets::controls::{self, Kind, bytes};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::message;
use eframe::egui;
use egui::{Align, CentralPanel, Label, Layout, RichText, ScrollArea, Ui};

/// Where a model comes from that cannot be taken from the disk.
const BUILT_IN: &str = "built in";

/// Shows the page.
pub fn show(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    CentralPanel::no_frame().show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            controls::column(ui, COLUMN, |ui| {
                controls::page_title(ui, "Models", "What answers you. Models stay on this machine once they are here.");
                memory(ui, state);
                here(ui, state, view, actions);
                controls::section(ui, "To download");
                let offers: Vec<_> = state.models.lines.iter().filter(|line| line.offer.is_some()).collect();
                if offers.is_empty() {
                    let told =
                        if state.models.looking { "Looking" } else { "Everything of the catalogue is here already." };
                    ui.label(RichText::new(told).color(colours.weak));
                }
                for line in offers {
                    ui.push_id(&line.name, |ui| offer(ui, state, line, actions));
                }
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
        let (there, whose) = match models.adapter_bytes {
            Some(there) => (there, "the adapter"),
            None => (models.machine_bytes, "the machine"),
        };
        ui.horizontal(|ui| {
            ui.label(RichText::new(format!("Memory of {whose}")).font(theme::strong()));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(RichText::new(format!("{} of {}", bytes(held), bytes(there))).color(colours.weak));
            });
        });
        controls::bar(ui, "Memory in use", held as f32 / there.max(1) as f32, colours.accent);
        let told = match &state.engine {
            Engine::Ready(loaded) => format!("{} in {} on {}", loaded.model, loaded.precision, loaded.adapter),
            Engine::Loading { model, .. } => format!("{model} is being loaded"),
            Engine::Failed(_) => "No model is loaded".into(),
        };
        let machine = models
            .adapter_bytes
            .map_or(String::new(), |_| format!(". The machine has {}", bytes(models.machine_bytes)));
        ui.add(Label::new(RichText::new(told + &machine + ".").font(theme::small()).color(colours.weak)).wrap());
    });
}

/// What a model needs against what there is: in words, and whether that fits.
fn need(state: &State, line: &ModelLine) -> (String, bool) {
    let there = state.models.adapter_bytes.unwrap_or(state.models.machine_bytes);
    let fits = line.bytes <= there || there == 0;
    let told = match fits {
        true => format!("takes {} of {} memory", bytes(line.bytes), bytes(there)),
        false => format!("takes {}, more than the {} of memory", bytes(line.bytes), bytes(there)),
    };
    (told, fits)
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
        if let Some(problem) = &line.problem {
            message::trouble(ui, colours, problem);
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
    let pull = state.models.pulls.iter().find(|pull| pull.name == line.name);
    controls::card(ui, |ui| {
        let (told, fits) = need(state, line);
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if pull.is_some_and(Pull::is_going) {
                    let stopping = pull.is_some_and(|pull| pull.stage == Fetching::Stopping);
                    let stop = |ui: &mut Ui| {
                        let response = controls::button(ui, Kind::Plain, Some(Icon::Stop), "Stop");
                        response.accessible_name(format!("Stop the download of {}", line.name)).clicked()
                    };
                    if ui.add_enabled_ui(!stopping, stop).inner {
                        actions.push(Action::CancelPull(line.name.clone()));
                    }
                } else {
                    let word = match pull.map(|pull| &pull.stage) {
                        Some(Fetching::Failed(_)) => "Try again",
                        Some(_) => "Go on",
                        None => "Download",
                    };
                    let response = controls::button(ui, Kind::Plain, Some(Icon::Pull), word);
                    if response.accessible_name(format!("{word}: {}", line.name)).clicked() {
                        actions.push(Action::Pull(line.name.clone()));
                    }
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
        if let Some(pull) = pull {
            progress(ui, pull);
        }
    });
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
        let line = |bytes| ModelLine { name: "x".into(), store: "disk".into(), bytes, problem: None, offer: None };
        (state.models.adapter_bytes, state.models.machine_bytes) = (Some(8_000_000_000), 64_000_000_000);
        assert_eq!(need(&state, &line(500_000_000)), ("takes 500 MB of 8.00 GB memory".into(), true));
        assert_eq!(
            need(&state, &line(9_000_000_000)),
            ("takes 9.00 GB, more than the 8.00 GB of memory".into(), false)
        );
        state.models.adapter_bytes = None;
        assert!(need(&state, &line(9_000_000_000)).1);
    }
}
