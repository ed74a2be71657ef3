//! What the camera sees, and which of it the model was given.

use super::icon::Icon;
use crate::ui::state::State;
use crate::ui::theme;
use crate::ui::view::{Meters, View};
use eframe::egui;
use egui::accesskit::Role;
use egui::epaint::RectShape;
use egui::{Align2, Color32, Rect, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};
use std::time::Duration;

/// How long a picture that the model was given keeps its mark.
const MARKED: Duration = Duration::from_millis(1500);

/// Whether the model was given a picture just now.
pub fn marked(state: &State, view: &View) -> bool {
    state.given.as_ref().is_some_and(|(_, at)| view.elapsed.saturating_sub(*at) < MARKED)
}

/// The preview, cut to fill the room; a frame and a word mark the moment in which the model gets a picture.
pub fn show(ui: &mut Ui, state: &State, view: &mut View, meters: &Meters<'_>, size: Vec2) {
    let colours = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let marked = marked(state, view);
    let name = if marked { "Camera: the model was given this picture" } else { "Camera" };
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 8.0, colours.raised);
    match meters.preview {
        Some(image) if image.width > 0 && image.height > 0 => {
            let texture = view.textures.camera(ui.ctx(), image);
            let shape = RectShape::filled(rect, 8.0, Color32::WHITE);
            painter.add(shape.with_texture(texture, cut(vec2(image.width as f32, image.height as f32), size)));
        }
        _ => {
            let icon = Rect::from_center_size(rect.center(), vec2(theme::ICON, theme::ICON));
            Icon::Camera.paint(&painter, icon, colours.weak);
        }
    }
    if marked {
        painter.rect_stroke(rect, 8.0, Stroke::new(2.0, colours.accent), StrokeKind::Inside);
        // The word needs room; the frame does without.
        if size.x >= 120.0 {
            let galley = painter.layout_no_wrap("Given to the model".into(), theme::small(), colours.on_accent);
            let tag = Rect::from_min_size(
                rect.left_bottom() + vec2(8.0, -galley.size().y - 14.0),
                galley.size() + vec2(14.0, 6.0),
            );
            painter.rect_filled(tag, tag.height() / 2.0, colours.accent);
            painter.galley(tag.center() - galley.size() / 2.0, galley, colours.on_accent);
        }
        ui.ctx().request_repaint_after(Duration::from_millis(100));
    } else if meters.preview.is_none() && size.x >= 120.0 {
        let below = rect.center() + vec2(0.0, 18.0);
        painter.text(below, Align2::CENTER_TOP, "Waiting for the camera", theme::small(), colours.weak);
    }
}

/// The part of a picture, in texture coordinates, that fills a rectangle without being stretched.
fn cut(picture: Vec2, room: Vec2) -> Rect {
    let (wide, want) = (picture.x / picture.y, room.x / room.y);
    let (x, y) = if wide > want { (want / wide, 1.0) } else { (1.0, wide / want) };
    Rect::from_center_size(pos2(0.5, 0.5), vec2(x, y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_picture_loses_its_sides() {
        let part = cut(vec2(1600.0, 900.0), vec2(400.0, 300.0));
        assert!((part.width() - 0.75).abs() < 1e-6 && part.height() == 1.0 && part.center() == pos2(0.5, 0.5));
        let part = cut(vec2(300.0, 600.0), vec2(300.0, 300.0));
        assert!((part.height() - 0.5).abs() < 1e-6 && part.width() == 1.0);
    }
}
