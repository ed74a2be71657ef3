//! The mel spectrogram of what is heard, as the model's ear has it: time to the right, pitch upwards.

use crate::ui::theme;
use crate::ui::view::Textures;
use eframe::egui;
use egui::accesskit::Role;
use egui::{Color32, ColorImage, Rect, Sense, Ui, Vec2, WidgetInfo, pos2};

/// The logarithm of a quiet voice's loudest band.
const LEAST_TOP: f32 = -1.0;

/// Log-mel values of the last seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MelImage {
    /// Bins of a frame, from low to high.
    pub num_mels: usize,
    /// `[frames, num_mels]`, oldest first, from 0 (silent) to 1 (loud).
    pub values: Vec<f32>,
    /// Another one for each change.
    pub version: u64,
}

impl MelImage {
    /// From the logarithms that a spectrogram gives: the loudest is 1, what is `range` below it is 0. Silence stays dark, since
    /// nothing below [`LEAST_TOP`] counts as loud.
    pub fn from_log(num_mels: usize, mut values: Vec<f32>, range: f32, version: u64) -> MelImage {
        let top = values.iter().copied().filter(|v| v.is_finite()).fold(LEAST_TOP, f32::max);
        for value in &mut values {
            let share = 1.0 - (top - *value) / range;
            *value = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        }
        MelImage { num_mels, values, version }
    }

    fn image(&self) -> ColorImage {
        let frames = self.values.len() / self.num_mels.max(1);
        if frames == 0 {
            return ColorImage::filled([1, 1], Color32::TRANSPARENT);
        }
        let rows = (0..self.num_mels).rev();
        let pixels = rows.flat_map(|mel| (0..frames).map(move |frame| self.values[frame * self.num_mels + mel]));
        ColorImage::new([frames, self.num_mels], pixels.map(theme::heat).collect())
    }
}

/// Draws it; where there is none, its empty ground.
pub fn show(ui: &mut Ui, textures: &mut Textures, mel: Option<&MelImage>, size: Vec2) {
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Mel spectrogram of the microphone"));
    ui.painter().rect_filled(rect, 6.0, theme::heat(0.0));
    if let Some(mel) = mel {
        let texture = textures.live(ui.ctx(), "mel", mel.version, || mel.image());
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        let mesh = egui::epaint::RectShape::filled(rect, 6.0, Color32::WHITE).with_texture(texture, whole);
        ui.painter().add(mesh);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_is_bright_and_high_pitch_is_on_top() {
        // Two frames of three bins; the loudest is the highest bin of the second.
        let mel = MelImage::from_log(3, vec![-9.0, -5.0, f32::NEG_INFINITY, -9.0, -9.0, -1.0], 4.0, 1);
        assert_eq!(mel.values, [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let image = mel.image();
        assert_eq!((image.size, image.pixels[1]), ([2, 3], theme::heat(1.0)));
        assert_eq!(MelImage::default().image().size, [1, 1]);
    }
}
