//! How loud it is: a bar on a scale in decibels, for the ear hears so.

use crate::ui::theme;
use eframe::egui;
use egui::accesskit::Role;
use egui::{Color32, Rect, Sense, Ui, Vec2, WidgetInfo, pos2};

/// The share of a bar for a root mean square: 0 at −60 dB and below, 1 at full scale.
pub fn share(level: f32) -> f32 {
    if level > 0.0 && level.is_finite() { ((20.0 * level.log10() + 60.0) / 60.0).clamp(0.0, 1.0) } else { 0.0 }
}

/// An upright bar of lamps; those that are lit have the given colour.
pub fn show(ui: &mut Ui, level: f32, size: Vec2, colour: Color32) {
    const LAMPS: usize = 8;
    let colours = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Meter, true, "Level of the microphone"));
    let lit = (share(level) * LAMPS as f32).round() as usize;
    let step = rect.height() / LAMPS as f32;
    for lamp in 0..LAMPS {
        let bottom = rect.bottom() - step * lamp as f32;
        let lamp_rect = Rect::from_min_max(pos2(rect.left(), bottom - step + 2.0), pos2(rect.right(), bottom));
        ui.painter().rect_filled(lamp_rect, 1.5, if lamp < lit { colour } else { colours.hovered });
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn the_scale_is_in_decibels() {
        assert_eq!([0.0, 0.001, 1.0, 2.0, f32::NAN, -1.0].map(share), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        assert!((share(0.1) - 2.0 / 3.0).abs() < 1e-6);
    }
}
