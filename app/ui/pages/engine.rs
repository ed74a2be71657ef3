//! The engine: how fast it is, what it holds, how smooth the window stays meanwhile.

mod frames;

use crate::ui::state::{Engine, Figures, Kernels, State};
use crate::ui::theme::{self, SPACE};
use crate::ui::view::View;
use crate::ui::widgets::controls::{self, bytes};
use crate::ui::widgets::message;
use eframe::egui;
use egui::{Align, CentralPanel, Color32, Layout, Rangef, RichText, ScrollArea, Sense, Ui, vec2};
use egui_plot::{AxisHints, GridInput, GridMark, Line, Plot, PlotPoints, Points};
use std::time::Duration;

/// Width of this page's column: plots stand side by side where they can.
const COLUMN: f32 = 980.0;
/// Kernels that are named; the others stand together.
const KERNELS: usize = 12;

/// Shows the page.
pub fn show(ui: &mut Ui, state: &State, _view: &mut View) {
    let colours = theme::palette(ui);
    CentralPanel::no_frame().show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            controls::column(ui, COLUMN, |ui| {
                controls::page_title(ui, "Engine", "How fast it answers, and what it holds for that.");
                match &state.engine {
                    Engine::Failed(problem) => message::trouble(ui, colours, problem),
                    Engine::Loading { model, what, share } => controls::card(ui, |ui| {
                        ui.label(RichText::new(format!("Loading {model}")).font(theme::strong()));
                        controls::bar(ui, "Loading", *share, colours.accent);
                        ui.label(RichText::new(what).font(theme::small()).color(colours.weak));
                    }),
                    Engine::Ready(_) => tiles(ui, state),
                }
                ui.add_space(SPACE - 8.0);
                plots(ui, &state.figures);
                ui.add_space(SPACE - 8.0);
                memory(ui, state);
                if state.loaded().is_some() {
                    ui.add_space(SPACE - 8.0);
                    kernels(ui, &state.figures.kernels);
                }
                ui.add_space(theme::LARGE);
            });
        });
    });
}

type Card<'a> = Box<dyn FnOnce(&mut Ui) + 'a>;

/// Cards side by side, as many as fit; all of a row are equally wide.
fn row(ui: &mut Ui, least: f32, cards: Vec<Card<'_>>) {
    let fit = ((ui.available_width() + SPACE) / (least + SPACE)).floor().max(1.0) as usize;
    let per_row = cards.len().div_ceil(cards.len().div_ceil(fit));
    let mut cards = cards.into_iter().peekable();
    while cards.peek().is_some() {
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.x = SPACE;
            ui.columns(per_row, |columns| {
                columns.iter_mut().zip(cards.by_ref()).for_each(|(ui, card)| controls::card(ui, card))
            });
        });
        ui.add_space(SPACE - 8.0);
    }
}

fn tile(ui: &mut Ui, title: &str, figure: String, unit: &str, below: String) {
    let colours = theme::palette(ui);
    ui.spacing_mut().item_spacing.y = 2.0;
    ui.label(RichText::new(title).font(theme::small()).color(colours.weak));
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        ui.label(RichText::new(figure).font(theme::figure()));
        ui.with_layout(Layout::left_to_right(Align::Max), |ui| {
            ui.add_space(0.0);
            ui.label(RichText::new(unit).color(colours.weak));
        });
    });
    let below = controls::one_line(ui, &below, theme::small(), colours.weak, ui.available_width());
    ui.label(below);
}

fn tiles(ui: &mut Ui, state: &State) {
    let figures = &state.figures;
    let last = figures.answers.back();
    let number = |value: Option<f64>| {
        value.map_or("–".into(), |value| if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") })
    };
    let context = state.loaded().map_or(0, |loaded| loaded.context);
    let count = figures.answers.len();
    let answers = if count == 1 { "1 answer so far".to_string() } else { format!("{count} answers so far") };
    row(
        ui,
        170.0,
        vec![
            Box::new(|ui| tile(ui, "Generation", number(last.map(|a| a.1)), "tokens/s", answers)),
            Box::new(|ui| tile(ui, "First token after", number(last.map(|a| a.2)), "ms", "of the last answer".into())),
            Box::new(|ui| {
                let per_s = Some(figures.prefill_per_s).filter(|per_s| *per_s > 0.0);
                tile(ui, "Reading", number(per_s), "tokens/s", "of the last question".into());
            }),
            Box::new(move |ui| {
                let share = 100.0 * figures.cache_len as f64 / context.max(1) as f64;
                tile(
                    ui,
                    "Conversation held",
                    number(Some(share)),
                    "%",
                    format!("{} of {context} tokens", figures.cache_len),
                );
            }),
        ],
    );
}

fn plots(ui: &mut Ui, figures: &Figures) {
    let colours = theme::palette(ui);
    let speeds: Vec<_> = figures.answers.iter().enumerate().map(|(i, a)| [i as f64 + 1.0, a.1]).collect();
    let firsts: Vec<_> = figures.answers.iter().enumerate().map(|(i, a)| [i as f64 + 1.0, a.2]).collect();
    row(
        ui,
        330.0,
        vec![
            Box::new(move |ui| over_answers(ui, "Tokens a second", "tokens/s", speeds, colours.accent)),
            Box::new(move |ui| over_answers(ui, "Time to the first token", "ms", firsts, colours.speaking)),
        ],
    );
    frames::show(ui, &figures.frames);
}

/// What stands at a place of an axis, where it is not its number.
type Label = Box<dyn Fn(f64) -> String>;

/// The plot's ground: nothing but thin lines, and figures in small print.
fn ground<'a>(ui: &Ui, name: &str, x: &str, y: &str, label: Option<Label>) -> Plot<'a> {
    let colours = theme::palette(ui);
    let hint = |axis: AxisHints<'a>, text: &str| {
        axis.label(RichText::new(text).font(theme::small()).color(colours.weak))
            .tick_label_color(colours.weak)
            .tick_label_font(theme::small())
            .label_spacing(Rangef::new(18.0, 32.0))
    };
    let x = match label {
        Some(label) => hint(AxisHints::new_x(), x).formatter(move |mark, _| label(mark.value)),
        None => hint(AxisHints::new_x(), x),
    };
    Plot::new(name)
        .height(170.0)
        // Nothing happens there: the keyboard has no business with it.
        .sense(Sense::hover())
        .show_background(false)
        .grid_color(colours.border)
        .grid_spacing(Rangef::new(16.0, 300.0))
        .y_grid_spacer(few)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .set_margin_fraction(vec2(0.04, 0.1))
        .custom_x_axes(vec![x])
        .custom_y_axes(vec![hint(AxisHints::new_y().min_thickness(34.0), y)])
}

/// At most five marks, at round steps.
fn few(input: GridInput) -> Vec<GridMark> {
    let span = input.bounds.1 - input.bounds.0;
    let rough = (span / 5.0).max(1e-9);
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|part| part * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let marks = (input.bounds.0 / step).ceil() as i64..=(input.bounds.1 / step).floor() as i64;
    marks.map(|i| GridMark { value: i as f64 * step, step_size: step }).collect()
}

fn nothing_yet(ui: &mut Ui, told: &str) {
    let colours = theme::palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 170.0), Sense::hover());
    ui.scope_builder(egui::UiBuilder::new().max_rect(rect), |ui| {
        ui.centered_and_justified(|ui| ui.label(RichText::new(told).color(colours.weak)));
    });
}

fn over_answers(ui: &mut Ui, title: &str, unit: &str, points: Vec<[f64; 2]>, colour: Color32) {
    ui.label(RichText::new(title).font(theme::strong()));
    if points.is_empty() {
        return nothing_yet(ui, "Ask something, and its speed shows here");
    }
    let top = points.iter().map(|p| p[1]).fold(1.0, f64::max);
    let count = points.len() as f64;
    let plot = ground(ui, title, "Answer", unit, None)
        .include_y(0.0)
        .include_y(top * 1.05)
        .include_x(0.5)
        .include_x(count.max(4.0) + 0.5)
        .x_grid_spacer(|input| {
            let step = ((input.bounds.1 - input.bounds.0) / 8.0).ceil().max(1.0);
            let first = (input.bounds.0 / step).ceil() as i64;
            let last = (input.bounds.1 / step).floor() as i64;
            (first..=last).filter(|i| *i > 0).map(|i| GridMark { value: i as f64 * step, step_size: step }).collect()
        });
    let owned = title.to_string();
    plot.show(ui, move |plot| {
        plot.line(Line::new(owned.clone(), PlotPoints::from(points.clone())).color(colour).width(2.0));
        plot.points(Points::new(owned, PlotPoints::from(points)).color(colour).radius(3.0));
    });
}

fn memory(ui: &mut Ui, state: &State) {
    let colours = theme::palette(ui);
    let Some(loaded) = state.loaded() else { return };
    let line = |ui: &mut Ui, name: &str, value: String| {
        ui.horizontal(|ui| {
            ui.label(RichText::new(name).color(colours.weak));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.add(egui::Label::new(value).truncate()));
        });
    };
    controls::card(ui, |ui| {
        ui.label(RichText::new("What is loaded").font(theme::strong()));
        line(ui, "Model", loaded.model.clone());
        line(ui, "Precision", loaded.precision.clone());
        line(ui, "Adapter", loaded.adapter.clone());
        line(ui, "Weights", bytes(loaded.weight_bytes));
        line(ui, "Cache, work space and all else", bytes(loaded.held_bytes.saturating_sub(loaded.weight_bytes)));
        let senses = match (loaded.sees, loaded.hears) {
            (true, true) => "Text, pictures and sound",
            (true, false) => "Text and pictures",
            (false, true) => "Text and sound",
            (false, false) => "Text",
        };
        line(ui, "Takes", senses.into());
        if state.live.dropped > 0 {
            line(ui, "Samples of sound that were lost", state.live.dropped.to_string());
        }
    });
}

/// One token, by kernel.
fn kernels(ui: &mut Ui, kernels: &Kernels) {
    let colours = theme::palette(ui);
    let title = |ui: &mut Ui, told: &str| {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("One token, by kernel").font(theme::strong()));
            ui.label(RichText::new(told).font(theme::small()).color(colours.weak));
        });
    };
    let sentence = |ui: &mut Ui, told: &str| {
        title(ui, "");
        ui.label(RichText::new(told).color(colours.weak));
    };
    controls::card(ui, |ui| {
        let kernels = match kernels {
            Kernels::Unknown => {
                return sentence(ui, "After the next answer a few more tokens are made, measured and forgotten.");
            }
            Kernels::Untold => {
                return sentence(ui, "This adapter does not tell how long its kernels take: it has no time stamps.");
            }
            Kernels::Told(kernels) => kernels,
        };
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let total: Duration = kernels.iter().map(|kernel| kernel.time).sum();
        title(ui, &format!("{:.1} ms on the adapter, by its own clock; the fastest of a few", ms(total)));
        for kernel in kernels.iter().take(KERNELS) {
            line(ui, kernel.shader, &format!("{} ×", kernel.dispatches), ms(kernel.time), ms(total));
        }
        let others = &kernels[kernels.len().min(KERNELS)..];
        if !others.is_empty() {
            let time: Duration = others.iter().map(|kernel| kernel.time).sum();
            line(ui, &format!("{} others", others.len()), "", ms(time), ms(total));
        }
    });
}

fn line(ui: &mut Ui, name: &str, calls: &str, ms: f64, total_ms: f64) {
    let colours = theme::palette(ui);
    ui.horizontal(|ui| {
        let width = (ui.available_width() * 0.34).min(240.0);
        let galley = controls::one_line(ui, name, theme::mono(), colours.text, width - 8.0);
        ui.allocate_ui_with_layout(vec2(width, 22.0), Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(width);
            ui.label(galley);
        });
        for (text, width) in [(calls, 44.0), (format!("{ms:.2} ms").as_str(), 78.0)] {
            ui.allocate_ui_with_layout(vec2(width, 22.0), Layout::right_to_left(Align::Center), |ui| {
                ui.set_min_width(width);
                ui.label(RichText::new(text).color(colours.weak));
            });
        }
        controls::bar(ui, name, (ms / total_ms.max(1e-9)) as f32, colours.accent);
    });
}
