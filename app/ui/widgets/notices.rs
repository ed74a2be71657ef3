//! What is told once, above the page, until it is read.

use super::controls::{self, Kind};
use super::icon::Icon;
use crate::ui::state::{Action, State, Tone};
use crate::ui::theme;
use eframe::egui;
use egui::{Align, Color32, Frame, Label, Layout, Margin, Panel, Rect, RichText, Sense, Stroke, Ui, vec2};

/// As many as are shown at once.
const MOST: usize = 3;

/// The newest on top. They take room of their own: nothing is covered.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if state.notices.is_empty() {
        return;
    }
    let frame = Frame::new().inner_margin(Margin { left: 0, right: 0, top: 8, bottom: 4 });
    Panel::top("notices").resizable(false).show_separator_line(false).frame(frame).show(ui, |ui| {
        controls::column(ui, theme::COLUMN, |ui| {
            ui.spacing_mut().item_spacing.y = 6.0;
            for number in (0..state.notices.len()).rev().take(MOST) {
                ui.push_id(number, |ui| line(ui, state, number, actions));
            }
        });
    });
}

fn line(ui: &mut Ui, state: &State, number: usize, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let notice = &state.notices[number];
    let (icon, front, fill, edge) = match notice.tone {
        Tone::Done => (Icon::Done, colours.accent, colours.surface, colours.border),
        Tone::Warning => (Icon::Warning, colours.warn, colours.surface, colours.border),
        Tone::Error => (Icon::Warning, colours.error, colours.error_soft, Color32::TRANSPARENT),
    };
    let frame = Frame::new().fill(fill).stroke(Stroke::new(1.0, edge)).corner_radius(theme::RADIUS);
    frame.inner_margin(Margin { left: 12, right: 6, top: 5, bottom: 5 }).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let room = ui.available_width() - 70.0 - if notice.undo.is_some() { 76.0 } else { 0.0 };
        let text = ui.painter().layout(notice.text.clone(), theme::body(), colours.text, room);
        let height = text.size().y.max(theme::TOUCH);
        ui.allocate_ui_with_layout(vec2(ui.available_width(), height), Layout::right_to_left(Align::Center), |ui| {
            if controls::tinted_button(ui, Kind::Quiet, Icon::Close, "Dismiss", 28.0, None).clicked() {
                actions.push(Action::Dismiss(number));
            }
            if let Some(undo) = &notice.undo
                && controls::button(ui, Kind::Plain, None, "Undo").clicked()
            {
                actions.extend([undo.clone(), Action::Dismiss(number)]);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(18.0, 18.0), Sense::hover());
                icon.paint(ui.painter(), Rect::from_center_size(rect.center(), vec2(16.0, 16.0)), front);
                ui.add(Label::new(RichText::new(&notice.text).color(colours.text)).wrap());
            });
        });
    });
}
