//! Whether the window stays smooth: what its frames cost and how late they come, while the engine works and otherwise.

use super::{Card, ground, nothing_yet, row};
use crate::ui::frames::{Frames, Quantiles};
use crate::ui::theme;
use crate::ui::widgets::controls;
use eframe::egui;
use egui::{Color32, RichText, Sense, Ui, vec2};
use egui_plot::{Bar, BarChart, GridMark, PlotBounds};

/// Milliseconds up to which the histogram's bins reach: each about twice the one before, with one and two frames of a display
/// of 60 Hz among them. One more bin holds all that is longer.
const EDGES_MS: [f32; 9] = [1.0, 2.0, 4.0, 8.0, 17.0, 33.0, 67.0, 133.0, 267.0];
const BINS: usize = EDGES_MS.len() + 1;
/// What moves is drawn thirty times a second: what is shown sooner than the next one is due looks smooth.
const SMOOTH_MS: f32 = 33.0;
/// A delay that people notice.
const NOTICED_MS: f32 = 100.0;

/// Shows both.
pub fn show(ui: &mut Ui, frames: &Frames) {
    let colours = theme::palette(ui);
    let kinds = [("While it reads or answers", colours.accent), ("Otherwise", colours.speaking)];
    let cards: [(&str, &str, [_; 2]); 2] = [
        ("What a frame of the window takes", "frames", [&frames.busy.cost_ms, &frames.quiet.cost_ms]),
        ("How late it comes", "late frames", [&frames.busy.late_ms, &frames.quiet.late_ms]),
    ];
    controls::card(ui, |ui| {
        ui.label(RichText::new("Is the window smooth?").font(theme::strong()));
        let (told, colour) = match verdict(frames) {
            None => ("No frame was measured yet.".into(), colours.weak),
            Some((verdict, sentence)) => {
                let colour = if verdict == Verdict::Smooth { colours.accent } else { colours.warn };
                (format!("{} {sentence}", verdict.word()), colour)
            }
        };
        dotted(ui, colour, &told);
    });
    ui.add_space(super::SPACE - 8.0);
    let cards = cards.map(|(title, name, rings)| -> Card<'_> {
        Box::new(move |ui: &mut Ui| {
            ui.label(RichText::new(title).font(theme::strong()));
            let quantiles = rings.map(|ring| Quantiles::of(ring.iter().copied()));
            if quantiles == [None; 2] {
                return nothing_yet(ui, "No frame was measured yet");
            }
            let charts = rings.iter().zip(quantiles).zip(kinds).enumerate().map(|(side, (of_kind, (kind, colour)))| {
                let (ring, quantiles) = of_kind;
                let words = quantiles.map_or("nothing yet".into(), in_words);
                dotted(ui, colour, &format!("{kind}: {words}"));
                chart(kind, colour, side, histogram(ring.iter().copied()))
            });
            let charts: Vec<BarChart> = charts.collect();
            plot(ui, name, charts);
        })
    });
    row(ui, 330.0, cards.into());
}

/// A sentence with a dot of a colour in front, in small print.
fn dotted(ui: &mut Ui, colour: Color32, text: &str) {
    let weak = theme::palette(ui).weak;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let (rect, _) = ui.allocate_exact_size(vec2(8.0, 18.0), Sense::hover());
        ui.painter().circle_filled(rect.center(), 4.0, colour);
        ui.add(egui::Label::new(RichText::new(text).font(theme::small()).color(weak)).wrap());
    });
}

fn in_words(it: Quantiles) -> String {
    let frames = if it.count == 1 { "1 frame".into() } else { format!("{} frames", it.count) };
    let [half, most, nearly, longest] = [it.half, it.most, it.nearly, it.longest].map(ms);
    format!("half within {half} ms, 95 of 100 within {most}, 99 within {nearly}, longest {longest} ({frames})")
}

fn ms(value: f32) -> String {
    if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Smooth,
    Behind,
    Stutters,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Smooth => "Yes.",
            Verdict::Behind => "Almost.",
            Verdict::Stutters => "No, it stutters.",
        }
    }
}

/// At one glance: of frames while the engine works if there were any, else of the others.
fn verdict(frames: &Frames) -> Option<(Verdict, String)> {
    let of = |times: &crate::ui::frames::Times| {
        let [cost, late] = [&times.cost_ms, &times.late_ms].map(|ring| Quantiles::of(ring.iter().copied()));
        Some((cost?.most, late.map_or(0.0, |late| late.most)))
    };
    let busy = of(&frames.busy);
    let (cost, late) = busy.or_else(|| of(&frames.quiet))?;
    let verdict = match cost + late {
        sum if sum <= SMOOTH_MS => Verdict::Smooth,
        sum if sum <= NOTICED_MS => Verdict::Behind,
        _ => Verdict::Stutters,
    };
    let when = if busy.is_some() { "While the engine works" } else { "While the engine does nothing" };
    let (late, cost) = (ms(late), ms(cost));
    Some((
        verdict,
        format!("{when}, 95 of 100 frames come no more than {late} ms late and take no more than {cost} ms."),
    ))
}

/// How many frames took how long.
fn histogram(frames_ms: impl Iterator<Item = f32>) -> [usize; BINS] {
    let mut bins = [0; BINS];
    frames_ms.filter(|ms| ms.is_finite()).for_each(|ms| bins[EDGES_MS.partition_point(|edge| *edge < ms)] += 1);
    bins
}

/// Bars of one kind, on its side of the bin.
fn chart(kind: &str, colour: Color32, side: usize, bins: [usize; BINS]) -> BarChart {
    const WIDTH: f64 = 0.42;
    let total = bins.iter().sum::<usize>().max(1) as f64;
    let bar = |(bin, count): (usize, usize)| {
        let middle = bin as f64 + (side as f64 - 0.5) * WIDTH;
        Bar::new(middle, 100.0 * count as f64 / total).width(WIDTH).fill(colour).stroke(egui::Stroke::NONE)
    };
    BarChart::new(kind, bins.into_iter().enumerate().map(bar).collect()).color(colour)
}

fn plot(ui: &mut Ui, name: &str, charts: Vec<BarChart>) {
    let label = |bin: f64| match EDGES_MS.get(bin.round() as usize) {
        Some(edge) => format!("{edge}"),
        None => "more".into(),
    };
    let plot = ground(ui, name, "up to so many ms", "% of frames", Some(Box::new(label)))
        .include_y(0.0)
        .include_y(100.0)
        .x_grid_spacer(|_| (0..BINS).map(|bin| GridMark { value: bin as f64, step_size: 1.0 }).collect());
    plot.show(ui, move |plot| {
        plot.set_plot_bounds(PlotBounds::from_min_max([-0.6, 0.0], [BINS as f64 - 0.4, 105.0]));
        charts.into_iter().for_each(|chart| plot.bar_chart(chart));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_is_in_the_bin_that_reaches_to_it() {
        let bins = histogram([0.0, 1.0, 1.1, 16.9, 267.0, 268.0, 5000.0, f32::NAN].into_iter());
        assert_eq!((bins[0], bins[1], bins[4], bins[8], bins[9]), (2, 1, 1, 1, 2));
        assert_eq!(bins.iter().sum::<usize>(), 7);
    }

    #[test]
    fn the_verdict_is_of_frames_while_the_engine_works() {
        let mut frames = Frames::default();
        assert_eq!(verdict(&frames), None);
        frames.quiet.cost_ms = [4.0; 20].into();
        let (quiet, told) = verdict(&frames).unwrap();
        assert_eq!(quiet, Verdict::Smooth);
        assert!(told.contains("does nothing") && told.contains("take no more than 4.0 ms"), "{told}");
        frames.busy.cost_ms = [20.0; 20].into();
        assert_eq!(verdict(&frames).unwrap().0, Verdict::Smooth);
        frames.busy.late_ms = [0.0, 30.0].into();
        assert_eq!(verdict(&frames).unwrap().0, Verdict::Behind);
        frames.busy.late_ms = [90.0; 2].into();
        let (busy, told) = verdict(&frames).unwrap();
        assert_eq!(busy, Verdict::Stutters);
        assert!(told.starts_with("While the engine works, 95 of 100 frames come no more than 90 ms late"), "{told}");
    }

    #[test]
    fn shares_are_told_in_words() {
        let told = in_words(Quantiles { half: 3.12, most: 9.96, nearly: 12.4, longest: 31.0, count: 312 });
        assert_eq!(told, "half within 3.1 ms, 95 of 100 within 10, 99 within 12, longest 31 (312 frames)");
        assert!(in_words(Quantiles::of([1.0]).unwrap()).ends_with("longest 1.0 (1 frame)"));
    }
}
