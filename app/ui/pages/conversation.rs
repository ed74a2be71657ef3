//! Talking: messages in the middle, the live bar and the field for typing below, what it sees and hears beside them where
//! there is room.

use crate::ui::keys;
use crate::ui::state::{Action, Engine, Page, Part, Shape, State};
use crate::ui::theme::{self, COLUMN, SPACE};
use crate::ui::view::{Meters, View};
use crate::ui::widgets::controls::{self, Kind};
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::{composer, live_bar, message};
use eframe::egui;
use egui::accesskit::Role;
use egui::{
    Align, CentralPanel, Frame, Layout, Margin, Panel, Rect, RichText, ScrollArea, Sense, Stroke, StrokeKind, Ui,
    WidgetInfo, vec2,
};
use percept::Image;
use std::sync::Arc;

/// Width from which the senses have a panel of their own, and its width.
const WITH_SENSES: f32 = 1120.0;
const SENSES: f32 = 296.0;

/// Messages off the screen that a frame lays out to learn their height.
const MEASURED: usize = 6;

/// Questions that every model can answer, the built-in one too.
const EXAMPLES: [&str; 2] = ["What is seven times eight?", "What can you do?"];

/// Shows the page.
pub fn show(ui: &mut Ui, state: &State, view: &mut View, meters: &Meters<'_>, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let beside = ui.available_width() >= WITH_SENSES;
    if !std::mem::replace(&mut view.laid_out, true) {
        // Nothing knows yet how high the part below is, and it would hang out of the window.
        ui.ctx().request_discard("the first frame");
    }
    head(ui, state, actions);
    if beside {
        let frame = Frame::new().inner_margin(Margin { left: 0, right: 20, top: 0, bottom: 12 });
        Panel::right("senses").exact_size(SENSES).resizable(false).show_separator_line(false).frame(frame).show(
            ui,
            |ui| {
                live_bar::senses(ui, state, view, meters);
            },
        );
    }
    let bottom = Frame::new().inner_margin(Margin { left: 0, right: 0, top: 4, bottom: 12 }).fill(colours.window);
    Panel::bottom("talk").resizable(false).show_separator_line(false).frame(bottom).show(ui, |ui| {
        controls::column(ui, COLUMN, |ui| {
            live_bar::show(ui, state, view, meters, !beside, actions);
            composer::show(ui, state, view, actions);
        });
    });
    CentralPanel::no_frame().show(ui, |ui| messages(ui, state, view, actions));
}

/// Title and model.
fn head(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let frame = Frame::new().inner_margin(Margin::symmetric(20, 0));
    Panel::top("head").exact_size(48.0).frame(frame).show(ui, |ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            match &state.engine {
                Engine::Ready(loaded) => {
                    let text = controls::one_line(ui, &loaded.model, theme::small(), colours.weak, 220.0);
                    ui.label(text).on_hover_text(format!("{}, {}", loaded.precision, loaded.adapter));
                }
                Engine::Loading { .. } => controls::chip(ui, "Loading", colours.warn),
                Engine::Failed(_) => controls::chip(ui, "No model", colours.error),
            }
            if let Some(id) = state.conversation.id
                && controls::tinted_button(ui, Kind::Quiet, Icon::Export, "Export as Markdown", 28.0, None).clicked()
            {
                actions.push(Action::Export(id));
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let title =
                    if state.conversation.title.is_empty() { "New conversation" } else { &state.conversation.title };
                let title = controls::one_line(ui, title, theme::strong(), colours.text, ui.available_width());
                ui.label(title);
            });
        });
    });
}

fn messages(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let conversation = &state.conversation;
    // Where another version is chosen, what was shown stays until that is here.
    if conversation.loading && conversation.messages.is_empty() {
        controls::column(ui, COLUMN, |ui| {
            ui.add_space(SPACE);
            engine(ui, state, actions);
        });
        ui.add_space(ui.available_height() * 0.35);
        ui.vertical_centered(|ui| {
            controls::dots(ui, colours.accent);
            ui.label(RichText::new("Opening the conversation").color(colours.weak));
        });
        return;
    }
    let empty = conversation.messages.is_empty();
    let area = ScrollArea::vertical().id_salt(conversation.id).auto_shrink([false, false]).stick_to_bottom(!empty);
    let shown = area.show(ui, |ui| {
        let height = ui.available_height();
        controls::column(ui, COLUMN, |ui| {
            ui.add_space(SPACE);
            engine(ui, state, actions);
            if empty && matches!(state.engine, Engine::Failed(_)) {
                return;
            }
            if empty {
                return invite(ui, state, view, height, actions);
            }
            said(ui, state, view, actions);
        });
    });
    view.heights.scrolled = shown.content_size.y - shown.inner_rect.height() - shown.state.clamped_offset().y > 1.0;
}

/// The messages. Only those on the screen and near it are laid out, so that a frame of a long conversation costs no more than one
/// of a short one; of the others the height is known.
fn said(ui: &mut Ui, state: &State, view: &mut View, actions: &mut Vec<Action>) {
    let pictures = pictures(state);
    let messages = &state.conversation.messages;
    let screen = ui.clip_rect();
    let near = screen.expand2(vec2(0.0, screen.height()));
    let font = ui.text_style_height(&egui::TextStyle::Body);
    view.heights.fit([ui.available_width(), font, ui.pixels_per_point()]);
    let (mut measured, mut grown) = (0, 0.0);
    for (number, message) in messages.iter().enumerate() {
        let top = ui.cursor().top();
        let (height, known) = view.heights.of(message);
        let seen = top <= near.bottom() && top + height >= near.top();
        let last = number + 1 == messages.len();
        let found = view.found == Some(message.id);
        if !seen && !last && !found && (known || measured == MEASURED) {
            ui.add_space(height + ui.spacing().item_spacing.y + SPACE);
            continue;
        }
        measured += usize::from(!seen && !known);
        let shown = message::show(ui, state, view, message, &pictures, last, actions);
        let is = shown.rect.height();
        view.heights.set(message.id, is);
        if found {
            shown.scroll_to_me(Some(Align::Center));
            view.found = None;
        }
        if top + height < screen.top() {
            grown += is - height;
        }
        ui.add_space(SPACE);
    }
    if measured > 0 {
        ui.ctx().request_repaint();
    }
    // What is read stays where it is when something above it turns out to be taller than was thought.
    if grown != 0.0 && view.heights.scrolled {
        ui.scroll_with_delta_animation(vec2(0.0, -grown), egui::style::ScrollAnimation::none());
    }
}

/// The pictures that the model knows, from the first; of a video its first frame.
fn pictures(state: &State) -> Vec<Arc<Image>> {
    let conversation = &state.conversation;
    // Stands for those that lie on the disk.
    let missing = Arc::new(Image { width: 1, height: 1, rgb: vec![128; 3] });
    let known = conversation.messages.iter().filter(|message| message.id >= conversation.known_from);
    let picture = |part: &Part| match part {
        Part::Picture { image, .. } | Part::Video { image, .. } => Some(image.clone()),
        Part::Away { shape: Shape::Picture { .. } | Shape::Video { .. }, .. } => Some(missing.clone()),
        Part::Text(_) | Part::Sound { .. } | Part::Away { .. } => None,
    };
    known.flat_map(|message| &message.parts).filter_map(picture).collect()
}

/// While the model is not there: why.
fn engine(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    match &state.engine {
        Engine::Ready(_) => return,
        Engine::Loading { model, what, share } => controls::card(ui, |ui| {
            ui.horizontal(|ui| {
                ui.label(RichText::new(format!("Loading {model}")).font(theme::strong()));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.label(RichText::new(format!("{:.0} %", 100.0 * share)).color(colours.weak));
                });
            });
            controls::bar(ui, "Loading", *share, colours.accent);
            ui.label(RichText::new(what).font(theme::small()).color(colours.weak));
        }),
        Engine::Failed(problem) => controls::card(ui, |ui| {
            ui.label(RichText::new("There is no model to talk with").font(theme::strong()));
            message::trouble(ui, colours, problem);
            if controls::button(ui, Kind::Primary, Some(Icon::Model), "Choose a model").clicked() {
                actions.push(Action::Show(Page::Models));
            }
        }),
    }
    ui.add_space(SPACE);
}

/// What an empty page says.
fn invite(ui: &mut Ui, state: &State, view: &mut View, height: f32, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let ready = state.loaded().is_some();
    ui.add_space(((height - 320.0) * 0.4).max(0.0));
    ui.vertical_centered(|ui| {
        let side = if height < 300.0 { 36.0 } else { 60.0 };
        let (rect, _) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
        icon::logo(ui.painter(), rect, colours.accent, colours.window);
        ui.add_space(SPACE);
        ui.label(RichText::new("Talk with Percept").font(theme::title()));
        ui.label(RichText::new("Speak, type, or show it something. Nothing leaves this machine.").color(colours.weak));
    });
    ui.add_space(SPACE);
    let width = ui.available_width().min(620.0);
    let side_by_side = width >= 480.0;
    let card = if side_by_side { (width - 2.0 * SPACE) / 3.0 } else { width };
    let tall = if side_by_side { 92.0 } else { 44.0 };
    let offset = (ui.available_width() - width) / 2.0;
    let layout = if side_by_side { Layout::left_to_right(Align::Min) } else { Layout::top_down(Align::Min) };
    ui.horizontal(|ui| {
        ui.add_space(offset);
        ui.with_layout(layout, |ui| {
            ui.spacing_mut().item_spacing = vec2(SPACE, 8.0);
            for text in EXAMPLES {
                if example(ui, Icon::Chat, text, vec2(card, tall), ready) {
                    actions.push(Action::Send(text.into()));
                }
            }
            let (text, can) = match state.loaded() {
                Some(loaded) if !loaded.sees => ("Attach a text and ask about it", true),
                loaded => ("Drop a picture and ask what it shows", loaded.is_some()),
            };
            if example(ui, Icon::Picture, text, vec2(card, tall), can) {
                keys::attach(state, view, actions);
            }
        });
    });
}

/// A card that can be pressed.
fn example(ui: &mut Ui, icon: Icon, text: &str, size: egui::Vec2, enabled: bool) -> bool {
    let colours = theme::palette(ui);
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(size, sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, text));
    let hot = enabled && (response.hovered() || response.has_focus());
    let (fill, edge) = if hot { (colours.raised, colours.edge) } else { (colours.surface, colours.border) };
    ui.painter().rect(rect, theme::RADIUS, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    let front = if enabled { colours.text } else { colours.weak };
    let tall = size.y > 60.0;
    let icon_at = if tall { rect.min + vec2(22.0, 24.0) } else { rect.left_center() + vec2(22.0, 0.0) };
    icon.paint(ui.painter(), Rect::from_center_size(icon_at, vec2(theme::ICON, theme::ICON)), colours.accent);
    let left = if tall { 14.0 } else { 44.0 };
    let galley = ui.painter().layout(text.into(), theme::body(), front, size.x - left - 12.0);
    let top = if tall { 42.0 } else { (size.y - galley.size().y) / 2.0 };
    ui.painter().galley(rect.min + vec2(left, top), galley, front);
    controls::focus_ring(ui, &response, theme::RADIUS);
    response.clicked()
}
