//! Buttons, switches, cards: what all pages are made of. Each takes its accessible name, and shows where the keyboard is.

use super::icon::Icon;
use crate::ui::theme::{self, ICON, Palette, RADIUS, ROUND, SPACE, TOUCH};
use eframe::egui;
use egui::accesskit::Role;
use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align, Color32, CornerRadius, FontId, Frame, Galley, Layout, Margin, Rect, Response, RichText, Sense, Stroke,
    StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};
use std::sync::Arc;
use std::time::Duration;

/// How loud a button is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The one thing to do here.
    Primary,
    /// One of several.
    Plain,
    /// Seen when it is looked for.
    Quiet,
    /// Takes something away.
    Danger,
}

struct Look {
    fill: Color32,
    edge: Stroke,
    front: Color32,
}

fn look(colours: &Palette, kind: Kind, response: &Response) -> Look {
    let hot = response.hovered() || response.has_focus() || response.is_pointer_button_down_on();
    let (fill, edge, front) = match kind {
        Kind::Primary => (colours.accent, Stroke::NONE, colours.on_accent),
        Kind::Plain if hot => (colours.hovered, Stroke::new(1.0, colours.edge), colours.text),
        Kind::Plain => (colours.raised, Stroke::new(1.0, colours.border), colours.text),
        Kind::Quiet if hot => (colours.hovered, Stroke::NONE, colours.text),
        Kind::Quiet => (Color32::TRANSPARENT, Stroke::NONE, colours.weak),
        Kind::Danger => (
            if hot { colours.error_soft } else { Color32::TRANSPARENT },
            Stroke::new(1.0, colours.error),
            colours.error,
        ),
    };
    Look { fill, edge, front }
}

/// The frame around what has the keyboard.
pub fn focus_ring(ui: &Ui, response: &Response, radius: u8) {
    if response.has_focus() {
        let colours = theme::palette(ui);
        let ring = response.rect.expand(2.0);
        ui.painter().rect_stroke(
            ring,
            CornerRadius::same(radius + 2),
            Stroke::new(2.0, colours.accent),
            StrokeKind::Inside,
        );
    }
}

/// A button with words, and an icon before them.
pub fn button(ui: &mut Ui, kind: Kind, icon: Option<Icon>, text: &str) -> Response {
    wide_button(ui, kind, icon, text, 0.0)
}

/// As [`button`], at least as wide as given.
pub fn wide_button(ui: &mut Ui, kind: Kind, icon: Option<Icon>, text: &str, width: f32) -> Response {
    let colours = theme::palette(ui);
    let galley = ui.painter().layout_no_wrap(text.into(), theme::body(), Color32::PLACEHOLDER);
    let before = if icon.is_some() { ICON + 8.0 } else { 0.0 };
    let inner = before + galley.size().x;
    let (rect, response) = ui.allocate_exact_size(vec2((inner + 26.0).max(width), TOUCH), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), text));
    if ui.is_rect_visible(rect) {
        let look = look(colours, kind, &response);
        ui.painter().rect(rect, CornerRadius::same(ROUND), look.fill, look.edge, StrokeKind::Inside);
        let left = rect.center().x - inner / 2.0;
        if let Some(icon) = icon {
            let place = Rect::from_center_size(pos2(left + ICON / 2.0, rect.center().y), vec2(ICON, ICON));
            icon.paint(ui.painter(), place, look.front);
        }
        ui.painter().galley(pos2(left + before, rect.center().y - galley.size().y / 2.0), galley, look.front);
        focus_ring(ui, &response, ROUND);
    }
    response
}

/// A button that is an icon alone; its name shows when the pointer rests on it.
pub fn icon_button(ui: &mut Ui, kind: Kind, icon: Icon, name: &str) -> Response {
    tinted_button(ui, kind, icon, name, TOUCH, None)
}

/// As [`icon_button`], of another size, and of another colour.
pub fn tinted_button(ui: &mut Ui, kind: Kind, icon: Icon, name: &str, side: f32, tint: Option<Color32>) -> Response {
    let colours = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    if ui.is_rect_visible(rect) {
        let look = look(colours, kind, &response);
        ui.painter().rect(rect, CornerRadius::same(ROUND), look.fill, look.edge, StrokeKind::Inside);
        icon.paint(ui.painter(), Rect::from_center_size(rect.center(), vec2(ICON, ICON)), tint.unwrap_or(look.front));
        focus_ring(ui, &response, ROUND);
    }
    response.on_hover_text(name)
}

/// What opens and closes the part below it; its arrow stands where text begins.
pub fn fold(ui: &mut Ui, open: bool, text: &str) -> Response {
    let colours = theme::palette(ui);
    let galley = ui.painter().layout_no_wrap(text.into(), theme::body(), Color32::PLACEHOLDER);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 26.0, 28.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), open, text));
    let front = if response.hovered() || response.has_focus() { colours.text } else { colours.weak };
    let arrow = Rect::from_center_size(rect.left_center() + vec2(7.0, 0.0), vec2(14.0, 14.0));
    Icon::Fold { open }.paint(ui.painter(), arrow, front);
    ui.painter().galley(pos2(rect.left() + 20.0, rect.center().y - galley.size().y / 2.0), galley, front);
    focus_ring(ui, &response, ROUND);
    response
}

/// A switch; says whether it was turned.
pub fn switch(ui: &mut Ui, on: &mut bool, name: &str) -> bool {
    let colours = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(44.0, 26.0), Sense::click());
    let turned = response.clicked();
    if turned {
        *on = !*on;
    }
    response.widget_info(|| WidgetInfo::selected(Role::Switch, ui.is_enabled(), *on, name));
    if ui.is_rect_visible(rect) {
        let share = ui.ctx().animate_bool_responsive(response.id, *on);
        let (fill, edge) = if *on { (colours.accent, colours.accent) } else { (colours.raised, colours.edge) };
        let radius = rect.height() / 2.0;
        ui.painter().rect(rect, radius, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
        let knob = pos2(egui::lerp(rect.left() + radius..=rect.right() - radius, share), rect.center().y);
        ui.painter().circle_filled(knob, radius - 5.0, if *on { colours.on_accent } else { colours.weak });
        focus_ring(ui, &response, 13);
    }
    turned
}

/// One of a few, side by side; says whether another one was chosen.
pub fn choice<T: Copy + PartialEq>(ui: &mut Ui, group: &str, options: &[(T, &str)], current: &mut T) -> bool {
    let colours = theme::palette(ui);
    let mut changed = false;
    let galleys = options
        .iter()
        .map(|(_, text)| ui.painter().layout_no_wrap((*text).into(), theme::body(), Color32::PLACEHOLDER));
    let galleys: Vec<_> = galleys.collect();
    let width = galleys.iter().map(|galley| galley.size().x + 26.0).sum::<f32>() + 4.0;
    let (whole, _) = ui.allocate_exact_size(vec2(width, TOUCH), Sense::hover());
    ui.painter().rect_filled(whole, ROUND, colours.raised);
    let mut left = whole.left() + 3.0;
    for ((value, text), galley) in options.iter().zip(galleys) {
        let rect = Rect::from_min_size(pos2(left, whole.top() + 3.0), vec2(galley.size().x + 24.0, TOUCH - 6.0));
        left = rect.right() + 2.0;
        let name = format!("{group}: {text}");
        let response = ui.interact(rect, ui.make_persistent_id(&name), Sense::click());
        let chosen = value == current;
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), chosen, &name));
        let (fill, front) = match chosen {
            true => (colours.accent, colours.on_accent),
            false if response.hovered() => (colours.hovered, colours.text),
            false => (Color32::TRANSPARENT, colours.text),
        };
        ui.painter().rect_filled(rect, ROUND - 2, fill);
        ui.painter().galley(rect.center() - galley.size() / 2.0, galley, front);
        focus_ring(ui, &response, ROUND - 2);
        if response.clicked() && !chosen {
            (*current, changed) = (*value, true);
        }
    }
    changed
}

/// A group on a surface of its own, as wide as there is room.
pub fn card<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let colours = theme::palette(ui);
    let frame = Frame::new()
        .fill(colours.surface)
        .stroke(Stroke::new(1.0, colours.border))
        .corner_radius(RADIUS)
        .inner_margin(Margin::same(16));
    frame
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            add(ui)
        })
        .inner
}

/// What lies over everything until it is answered.
pub fn dialog(ctx: &egui::Context) -> Frame {
    let style = ctx.global_style();
    Frame::popup(&style).inner_margin(20).corner_radius(RADIUS)
}

/// What stands on a page, in a column in the middle, not wider than `most`.
pub fn column<R>(ui: &mut Ui, most: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    let full = ui.available_rect_before_wrap();
    let width = (full.width() - 2.0 * SPACE).min(most).round();
    let left = (full.center().x - width / 2.0).round();
    let rect = Rect::from_min_size(pos2(left, full.top()), vec2(width, full.height()));
    let builder = UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min));
    ui.scope_builder(builder, |ui| {
        ui.set_width(width);
        add(ui)
    })
    .inner
}

/// The title of a page and a sentence under it.
pub fn page_title(ui: &mut Ui, title: &str, sentence: &str) {
    let colours = theme::palette(ui);
    ui.add_space(theme::LARGE);
    ui.label(RichText::new(title).font(theme::title()));
    ui.add_space(-2.0);
    ui.label(RichText::new(sentence).color(colours.weak));
    ui.add_space(SPACE);
}

/// The title of a group.
pub fn section(ui: &mut Ui, title: &str) {
    ui.add_space(SPACE);
    ui.label(RichText::new(title).font(theme::strong()));
    ui.add_space(2.0);
}

/// A word or two on a coloured ground.
pub fn chip(ui: &mut Ui, text: &str, front: Color32) {
    let colours = theme::palette(ui);
    let galley = ui.painter().layout_no_wrap(text.into(), theme::small(), front);
    let (rect, response) = ui.allocate_exact_size(galley.size() + vec2(16.0, 6.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    ui.painter().rect(rect, rect.height() / 2.0, colours.raised, Stroke::new(1.0, colours.border), StrokeKind::Inside);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, front);
}

/// A bar that is filled to a share from 0 to 1.
pub fn bar(ui: &mut Ui, name: &str, share: f32, colour: Color32) -> Response {
    let colours = theme::palette(ui);
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 8.0), Sense::hover());
    response
        .widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, format!("{name}: {:.0} %", 100.0 * share)));
    ui.painter().rect_filled(rect, 4.0, colours.hovered);
    let filled = Rect::from_min_size(rect.min, vec2((rect.width() * share).max(8.0), rect.height()));
    if share > 0.0 {
        ui.painter().rect_filled(filled, 4.0, colour);
    }
    response
}

/// Something goes on: three dots that come and go.
pub fn dots(ui: &mut Ui, colour: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(30.0, 20.0), Sense::hover());
    let moves = ui.style().animation_time > 0.0;
    let time = if moves { ui.input(|i| i.time) as f32 } else { 0.0 };
    for i in 0..3 {
        let wave = (time * 5.0 - i as f32 * 0.9).sin() * 0.5 + 0.5;
        let centre = pos2(rect.left() + 5.0 + 10.0 * i as f32, rect.center().y);
        ui.painter().circle_filled(centre, 3.0, colour.gamma_multiply(0.35 + 0.65 * wave));
    }
    if moves {
        ui.ctx().request_repaint_after(Duration::from_millis(50));
    }
}

/// One line of text that ends in an ellipsis where it is too long.
pub fn one_line(ui: &Ui, text: &str, font: FontId, colour: Color32, width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(text.into(), font, colour);
    job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
    ui.painter().layout_job(job)
}

/// Bytes for people: "850 MB", "1.2 GB".
pub fn bytes(count: u64) -> String {
    let count = count as f64;
    match count {
        c if c >= 9.995e9 => format!("{:.1} GB", c / 1e9),
        c if c >= 0.9995e9 => format!("{:.2} GB", c / 1e9),
        c if c >= 0.9995e6 => format!("{:.0} MB", c / 1e6),
        0.0 => "0".into(),
        c => format!("{:.0} kB", c / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_told_as_people_tell_them() {
        let told: Vec<_> = [0, 12_345, 850_400_000, 999_600_000, 1_234_000_000, 12_340_000_000].map(bytes).to_vec();
        assert_eq!(told, ["0", "12 kB", "850 MB", "1.00 GB", "1.23 GB", "12.3 GB"]);
    }
}
