//! A sound that can be heard again.

use super::controls::{self, Kind};
use super::icon::Icon;
use super::waveform;
use crate::ui::state::Action;
use crate::ui::theme;
use crate::ui::view::View;
use eframe::egui;
use egui::accesskit::Role;
use egui::{Frame, Margin, RichText, Sense, Ui, WidgetInfo, vec2};
use std::sync::Arc;

/// Samples in a second.
const RATE: f64 = 16_000.0;
/// Width of the waveform.
const WAVE: f32 = 154.0;
/// Height of a clip on the screen.
pub const HEIGHT: f32 = theme::TOUCH + 12.0;

/// Width of a clip on the screen.
pub fn width(ui: &Ui, samples: usize) -> f32 {
    let length = ui.painter().layout_no_wrap(told(samples), theme::small(), egui::Color32::PLACEHOLDER);
    16.0 + theme::TOUCH + 8.0 + WAVE + 8.0 + length.size().x
}

fn told(samples: usize) -> String {
    clock(samples as f64 / RATE)
}

/// "0:07", "1:02:05".
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Shows a clip.
pub fn show(ui: &mut Ui, view: &mut View, name: &str, samples: &Arc<Vec<f32>>, actions: &mut Vec<Action>) {
    let colours = theme::palette(ui);
    let frame = Frame::new().fill(colours.raised).corner_radius(theme::RADIUS).inner_margin(Margin::symmetric(8, 6));
    frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            if controls::icon_button(ui, Kind::Primary, Icon::Play, &format!("Play {name}")).clicked() {
                actions.push(Action::Play(samples.clone()));
            }
            let (rect, response) = ui.allocate_exact_size(vec2(WAVE, 28.0), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Waveform of {name}")));
            let pairs = view.peaks.of(samples);
            waveform::paint(ui.painter(), rect, &pairs, 0.0, (colours.accent, colours.weak));
            ui.label(RichText::new(told(samples.len())).font(theme::small()).color(colours.weak));
        });
    });
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn lengths_are_told_as_on_a_clock() {
        assert_eq!([0.2, 7.4, 59.6, 3725.0].map(clock), ["0:00", "0:07", "1:00", "1:02:05"]);
    }
}
