//! One turn of a conversation: what the person said in a bubble on the right, the answer over the whole width.

use super::controls::{self, Kind};
use super::icon::Icon;
use super::{clip, heat_map, markdown};
use crate::ui::keys;
use crate::ui::state::{Action, Message, Part, Phase, Progress, Role, Shape, State};
use crate::ui::theme::{self, Palette};
use crate::ui::view::View;
use eframe::egui;
use egui::epaint::RectShape;
use egui::{
    Align, Color32, CornerRadius, Frame, Label, Layout, Margin, Rect, Response, RichText, Sense, Stroke, StrokeKind,
    Ui, WidgetInfo, pos2, vec2,
};
use percept::Image;
use std::sync::Arc;
use std::time::Duration;

/// Side of the buttons under a message.
const BUTTON: f32 = 28.0;
/// Between the buttons to other versions and the number of this one.
const VERSION_GAP: f32 = 2.0;

/// Shows a message. `pictures` are those of the whole conversation; the last message can be answered again.
pub fn show(
    ui: &mut Ui,
    state: &State,
    view: &mut View,
    message: &Message,
    pictures: &[Arc<Image>],
    last: bool,
    actions: &mut Vec<Action>,
) -> Response {
    let shown = ui.push_id(message.id, |ui| match message.role {
        Role::User => question(ui, state, view, message, actions),
        Role::Model => answer(ui, state, view, message, pictures, last, actions),
    });
    shown.response
}

/// What is `width` wide, at the right edge.
fn right<R>(ui: &mut Ui, width: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    ui.horizontal(|ui| {
        ui.add_space((ui.available_width() - width).max(0.0));
        add(ui)
    })
    .inner
}

fn question(ui: &mut Ui, state: &State, view: &mut View, message: &Message, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let most = (ui.available_width() * 0.8).round();
    for part in &message.parts {
        match part {
            Part::Text(text) => {
                let inner = most - 28.0;
                let galley = ui.painter().layout(text.clone(), theme::body(), colours.text, inner);
                let width = galley.size().x.ceil() + 1.0;
                let buttons = if state.answering() { 1.0 } else { 2.0 } * (BUTTON + 2.0);
                right(ui, width + 28.0 + buttons + 4.0, |ui| {
                    ui.spacing_mut().item_spacing.x = 2.0;
                    if !state.answering()
                        && controls::tinted_button(ui, Kind::Quiet, Icon::Pencil, "Edit message", BUTTON, None)
                            .clicked()
                    {
                        actions.push(Action::Edit(message.id));
                    }
                    copy_button(ui, view, text, "Copy message");
                    ui.add_space(4.0);
                    let frame = Frame::new()
                        .fill(colours.accent_soft)
                        .corner_radius(CornerRadius { nw: 14, ne: 14, sw: 14, se: 4 })
                        .inner_margin(Margin::symmetric(14, 9));
                    frame.show(ui, |ui| {
                        ui.set_width(width);
                        ui.add(Label::new(RichText::new(text).color(colours.text)).wrap());
                    });
                });
            }
            Part::Picture { name, image, .. } => {
                let size = fitted(image, vec2(most.min(320.0), 200.0));
                right(ui, size.x, |ui| {
                    if picture(ui, view, name, image, size).clicked() {
                        view.enlarged = Some((name.clone(), image.clone()));
                    }
                });
            }
            Part::Video { name, image, duration, .. } => {
                let size = fitted(image, vec2(most.min(320.0), 200.0));
                right(ui, size.x, |ui| {
                    let response = picture(ui, view, name, image, size);
                    let length = format!("Video, {}", clip::clock(duration.as_secs_f64()));
                    tag(ui, response.rect, &length);
                    if response.clicked() {
                        view.enlarged = Some((name.clone(), image.clone()));
                    }
                });
            }
            Part::Sound { name, samples, .. } => {
                right(ui, clip::width(ui, samples.len()), |ui| clip::show(ui, view, name, samples, actions));
            }
            Part::Away { name, shape, .. } => {
                away(ui, name, shape, vec2(most.min(320.0), 200.0));
                actions.push(Action::Fetch(message.id));
            }
        }
    }
    match &message.progress {
        Progress::Open => right(ui, 130.0, |ui| {
            controls::dots(ui, colours.accent);
            ui.label(RichText::new("Still speaking").font(theme::small()).color(colours.weak));
        }),
        Progress::Failed(problem) => trouble(ui, colours, problem),
        Progress::Whole | Progress::Interrupted => {}
    }
    if let Some((_, told)) = version(message) {
        let text = ui.painter().layout_no_wrap(told, theme::small(), colours.weak).size().x;
        right(ui, text + 2.0 * BUTTON + 2.0 * VERSION_GAP, |ui| versions(ui, state, message, actions));
    }
}

fn answer(
    ui: &mut Ui,
    state: &State,
    view: &mut View,
    message: &Message,
    pictures: &[Arc<Image>],
    last: bool,
    actions: &mut Vec<Action>,
) {
    let colours = theme::palette(ui);
    let text = message.text();
    let open = message.progress == Progress::Open;
    if !message.thinking.is_empty() {
        thinking(ui, view, message);
    }
    if open && text.is_empty() {
        ui.horizontal(|ui| {
            controls::dots(ui, colours.thinking);
            // While it thinks, the line above says so.
            if message.thinking.is_empty() {
                ui.label(RichText::new(taking_in(state, message)).color(colours.weak));
            }
        });
    } else {
        let speaking = last && state.live.phase == Phase::Speaking;
        let spoken = (message.spoken_bytes > 0 && (speaking || message.progress == Progress::Interrupted))
            .then_some(message.spoken_bytes.min(text.len()));
        ui.vertical(|ui| markdown::show(ui, view, text, spoken));
        if open {
            controls::dots(ui, colours.accent);
        }
    }
    match &message.progress {
        Progress::Interrupted => {
            let heard = message.spoken_bytes > 0 && message.spoken_bytes < text.len();
            let told = if heard { "Interrupted. Only what you heard is remembered." } else { "Stopped." };
            ui.label(RichText::new(told).font(theme::small()).color(colours.warn));
        }
        Progress::Failed(problem) => trouble(ui, colours, problem),
        Progress::Open | Progress::Whole => {}
    }
    if !open {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(2.0, 2.0);
            versions(ui, state, message, actions);
            if !text.is_empty() {
                copy_button(ui, view, text, "Copy answer");
            }
            if last
                && !state.answering()
                && controls::tinted_button(ui, Kind::Quiet, Icon::Retry, "Answer again", BUTTON, None).clicked()
            {
                actions.push(Action::Retry);
            }
            if !pictures.is_empty() && !text.is_empty() {
                let shown = view.looking.is_some_and(|(id, _)| id == message.id);
                let tint = shown.then_some(colours.accent);
                if controls::tinted_button(ui, Kind::Quiet, Icon::Eye, "Where it looked", BUTTON, tint).clicked() {
                    keys::look(message.id, state, view, actions);
                }
            }
            if let Some((tokens, first, per_s)) = message.speed {
                ui.add_space(6.0);
                let told = speed(tokens, first, per_s);
                ui.label(RichText::new(told).font(theme::small()).color(colours.weak));
            }
        });
    }
    if view.looking.is_some_and(|(id, _)| id == message.id) {
        heat_map::show(ui, view, message, pictures);
    }
}

/// What the model does with the question of an answer that has no word yet.
fn taking_in(state: &State, answer: &Message) -> &'static str {
    let before = state.conversation.messages.iter().take_while(|message| message.id != answer.id).last();
    let shapes = before.into_iter().flat_map(|question| &question.parts).filter_map(Part::shape);
    let (sounds, pictures): (Vec<_>, Vec<_>) = shapes.partition(|shape| matches!(shape, Shape::Sound { .. }));
    match (!pictures.is_empty(), !sounds.is_empty()) {
        (true, true) => "Looking and listening",
        (true, false) => "Looking",
        (false, true) => "Listening",
        (false, false) => "Reading",
    }
}

/// Which version it is, and "2 of 3", if there are others.
fn version(message: &Message) -> Option<(usize, String)> {
    let at = message.versions.iter().position(|version| *version == message.id)?;
    (message.versions.len() > 1).then(|| (at, format!("{} of {}", at + 1, message.versions.len())))
}

/// The way to the versions before and after this one.
fn versions(ui: &mut Ui, state: &State, message: &Message, actions: &mut Vec<Action>) {
    let Some((here, told)) = version(message) else { return };
    let can = !state.answering() && !state.conversation.loading;
    let mut step = |ui: &mut Ui, icon, name, to: Option<usize>| {
        let to = to.and_then(|to| message.versions.get(to)).filter(|_| can);
        let button = |ui: &mut Ui| controls::tinted_button(ui, Kind::Quiet, icon, name, BUTTON, None).clicked();
        if ui.add_enabled_ui(to.is_some(), button).inner {
            actions.extend(to.map(|version| Action::Choose(*version)));
        }
    };
    let weak = theme::palette(ui).weak;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = VERSION_GAP;
        step(ui, Icon::Earlier, "Earlier version", here.checked_sub(1));
        ui.label(RichText::new(told).font(theme::small()).color(weak));
        step(ui, Icon::Later, "Later version", Some(here + 1));
    });
}

/// "27 tokens · first after 0.21 s · 41 tokens/s".
fn speed(tokens: usize, first: Option<Duration>, per_s: f64) -> String {
    let word = if tokens == 1 { "token" } else { "tokens" };
    let first = first.map_or(String::new(), |first| format!(" · first after {:.2} s", first.as_secs_f64()));
    // One token has no speed.
    let per_s = if per_s > 0.0 { format!(" · {per_s:.0} tokens/s") } else { String::new() };
    format!("{tokens} {word}{first}{per_s}")
}

fn thinking(ui: &mut Ui, view: &mut View, message: &Message) {
    let colours = theme::palette(ui);
    let open = view.unfolded.contains(&message.id);
    let title =
        if message.progress == Progress::Open && message.text().is_empty() { "Thinking" } else { "What it thought" };
    if controls::fold(ui, open, title).clicked() {
        if open {
            view.unfolded.remove(&message.id)
        } else {
            view.unfolded.insert(message.id)
        };
    }
    if open {
        let frame = Frame::new()
            .outer_margin(Margin { left: 10, ..Margin::ZERO })
            .inner_margin(Margin { left: 14, ..Margin::ZERO });
        let inside = frame.show(ui, |ui| {
            ui.add(Label::new(RichText::new(message.thinking.trim()).color(colours.weak)).wrap());
        });
        let rect = inside.response.rect;
        ui.painter().vline(rect.left() + 11.0, rect.y_range(), Stroke::new(2.0, colours.border));
    }
}

fn copy_button(ui: &mut Ui, view: &mut View, text: &str, name: &str) {
    let id = ui.scope_id().with(name);
    let copied = view.just_copied(ui.ctx(), id);
    let (icon, tint) = if copied { (Icon::Done, Some(theme::palette(ui).accent)) } else { (Icon::Copy, None) };
    if controls::tinted_button(ui, Kind::Quiet, icon, name, BUTTON, tint).clicked() {
        view.copy(ui.ctx(), id, text);
    }
}

/// What went wrong, in its sentence.
pub fn trouble(ui: &mut Ui, colours: &Palette, problem: &str) {
    let frame =
        Frame::new().fill(colours.error_soft).corner_radius(theme::ROUND).inner_margin(Margin::symmetric(12, 8));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(18.0, 20.0), Sense::hover());
            Icon::Warning.paint(ui.painter(), rect, colours.error);
            ui.add(Label::new(RichText::new(problem).color(colours.error)).wrap());
        });
    });
}

/// The place of a file that is on its way from the disk.
fn away(ui: &mut Ui, name: &str, shape: &Shape, room: egui::Vec2) {
    let colours = theme::palette(ui);
    let size = match shape {
        Shape::Picture { width, height } | Shape::Video { width, height, .. } => fitted_size(*width, *height, room),
        Shape::Sound { samples } => vec2(clip::width(ui, *samples), clip::HEIGHT),
    };
    right(ui, size.x, |ui| {
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Image, false, name));
        ui.painter().rect_filled(rect, 10.0, colours.raised);
    });
}

/// The size of a picture within a room, not larger than it is.
pub fn fitted(image: &Image, room: egui::Vec2) -> egui::Vec2 {
    fitted_size(image.width, image.height, room)
}

fn fitted_size(width: u32, height: u32, room: egui::Vec2) -> egui::Vec2 {
    let size = vec2(width as f32, height as f32);
    let scale = (room.x / size.x).min(room.y / size.y);
    // Small ones are shown a little larger than they are, so that something can be seen.
    (size * scale.min(3.0)).max(vec2(24.0, 24.0)).min(room)
}

/// A picture that can be pressed.
pub fn picture(ui: &mut Ui, view: &mut View, name: &str, image: &Arc<Image>, size: egui::Vec2) -> Response {
    let colours = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Button, true, format!("Show {name} large")));
    let (texture, _) = view.textures.picture(ui.ctx(), image, (size.x.max(size.y) * ui.pixels_per_point()) as usize);
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    ui.painter().add(RectShape::filled(rect, 10.0, Color32::WHITE).with_texture(texture, whole));
    let edge = if response.hovered() { colours.edge } else { colours.border };
    ui.painter().rect_stroke(rect, 10.0, Stroke::new(1.0, edge), StrokeKind::Inside);
    controls::focus_ring(ui, &response, 10);
    response.on_hover_text(name)
}

/// A word in the corner of a picture.
fn tag(ui: &Ui, rect: Rect, text: &str) {
    let galley = ui.painter().layout_no_wrap(text.into(), theme::small(), Color32::WHITE);
    let place =
        Rect::from_min_size(rect.left_bottom() + vec2(8.0, -galley.size().y - 14.0), galley.size() + vec2(14.0, 6.0));
    ui.painter().rect_filled(place, place.height() / 2.0, Color32::from_black_alpha(190));
    ui.painter().galley(place.center() - galley.size() / 2.0, galley, Color32::WHITE);
}

/// The picture that is shown large, over everything; any key or press puts it away.
pub fn enlarged(ctx: &egui::Context, view: &mut View) {
    let Some((name, image)) = view.enlarged.clone() else { return };
    let screen = ctx.content_rect().size();
    let frame = controls::dialog(ctx).inner_margin(10);
    let modal =
        egui::Modal::new(egui::Id::unique("enlarged")).frame(frame).backdrop_color(Color32::from_black_alpha(200));
    let shown = modal.show(ctx, |ui| {
        let size = vec2(image.width as f32, image.height as f32);
        let room = screen - vec2(80.0, 140.0);
        let size = size * (room.x / size.x).min(room.y / size.y).min(6.0);
        // The room of a larger picture before is not kept.
        ui.set_width(size.x.max(240.0));
        let (texture, _) = view.textures.picture(ui.ctx(), &image, 2048);
        let (rect, response) = ui.allocate_exact_size(vec2(size.x.max(240.0), size.y.max(24.0)), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Image, true, &name));
        let place = Rect::from_center_size(rect.center(), size);
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter().add(RectShape::filled(place, 8.0, Color32::WHITE).with_texture(texture, whole));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let close = controls::icon_button(ui, Kind::Quiet, Icon::Close, "Close the picture");
            if ui.memory(|memory| memory.focused().is_none()) {
                close.request_focus();
            }
            let told = format!("{name}, {} × {}", image.width, image.height);
            let galley = controls::one_line(ui, &told, theme::small(), theme::palette(ui).weak, ui.available_width());
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| ui.label(galley));
            close.clicked()
        })
        .inner
    });
    if shown.inner || shown.should_close() {
        view.enlarged = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_told_in_one_line() {
        let first = Some(Duration::from_millis(214));
        assert_eq!(speed(27, first, 41.4), "27 tokens · first after 0.21 s · 41 tokens/s");
        assert_eq!(speed(27, None, 41.4), "27 tokens · 41 tokens/s");
        assert_eq!(speed(1, first, 0.0), "1 token · first after 0.21 s");
    }

    #[test]
    fn pictures_keep_their_shape() {
        let image = |width, height| Image { width, height, rgb: Vec::new() };
        assert_eq!(fitted(&image(1600, 800), vec2(320.0, 200.0)), vec2(320.0, 160.0));
        assert_eq!(fitted(&image(32, 32), vec2(320.0, 200.0)), vec2(96.0, 96.0));
        assert_eq!(fitted(&image(4000, 10), vec2(320.0, 200.0)).y, 24.0);
    }
}
