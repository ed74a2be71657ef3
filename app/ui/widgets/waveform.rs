//! Sound as a band between its lowest and highest samples.

use eframe::egui;
use egui::{Color32, Painter, Rect, Stroke, pos2};

/// Draws pairs of lowest and highest samples over the whole rectangle, oldest on the left: bars with gaps, as many as fit.
/// What lies before `played`, a share of the width, has the first colour, the rest the second.
pub fn paint(painter: &Painter, rect: Rect, pairs: &[(f32, f32)], played: f32, colours: (Color32, Color32)) {
    const STEP: f32 = 4.0;
    let bars = (rect.width() / STEP) as usize;
    let half = rect.height() / 2.0;
    for bar in 0..bars {
        let range = bar * pairs.len() / bars..((bar + 1) * pairs.len() / bars).max(bar * pairs.len() / bars + 1);
        let found = pairs.get(range).unwrap_or_default();
        let peak = found.iter().map(|(low, high)| high.max(-low)).filter(|p| p.is_finite()).fold(0.0, f32::max);
        // The root brings out soft speech.
        let height = (peak.clamp(0.0, 1.0).sqrt() * half).max(1.0);
        let x = rect.left() + STEP * (bar as f32 + 0.5);
        let colour = if (bar as f32 + 0.5) < played * bars as f32 { colours.0 } else { colours.1 };
        let ends = [pos2(x, rect.center().y - height), pos2(x, rect.center().y + height)];
        painter.line_segment(ends, Stroke::new(2.0, colour));
    }
}
