//! Where an answer looked: its words, and a heat map over the picture for the one that is chosen, or for all of them.

use super::controls;
use crate::ui::state::{Look, Message};
use crate::ui::theme;
use crate::ui::view::View;
use eframe::egui;
use egui::accesskit::Role;
use egui::epaint::RectShape;
use egui::{Color32, ColorImage, Rect, RichText, Sense, Ui, WidgetInfo, pos2, vec2};
use percept::Image;
use std::ops::Range;
use std::sync::Arc;

/// The words of a text: what stands between white space.
fn words(text: &str) -> Vec<Range<usize>> {
    let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(|word| start(word)..start(word) + word.len()).collect()
}

/// A word without the marks of Markdown around it.
fn bare(word: &str) -> String {
    let bare = word.replace(['*', '`'], "");
    let bare = bare.trim_matches(['_', '#']);
    if bare.is_empty() { word.into() } else { bare.into() }
}

/// How the tokens of a part of the answer looked, all together: the picture that got most, its grid, and the weights of its
/// cells, of which the largest is 1. `None` if none of them looked.
fn gaze(looks: &[Look], part: Option<&Range<usize>>) -> Option<(usize, usize, usize, Vec<f32>)> {
    let meant = |look: &&Look| {
        let inside = part.is_none_or(|part| look.bytes.start < part.end && part.start < look.bytes.end);
        inside && look.columns * look.rows == look.weights.len() && !look.weights.is_empty()
    };
    let mass = |look: &Look| look.weights.iter().filter(|w| w.is_finite()).sum::<f32>();
    let meant: Vec<&Look> = looks.iter().filter(meant).collect();
    let most = meant.iter().max_by(|a, b| {
        let of = |picture| meant.iter().filter(|look| look.picture == picture).map(|look| mass(look)).sum::<f32>();
        of(a.picture).total_cmp(&of(b.picture))
    })?;
    let mut sum = vec![0.0; most.weights.len()];
    for look in
        meant.iter().filter(|look| (look.picture, look.columns, look.rows) == (most.picture, most.columns, most.rows))
    {
        sum.iter_mut().zip(&look.weights).filter(|(_, w)| w.is_finite()).for_each(|(sum, w)| *sum += w);
    }
    let top = sum.iter().copied().fold(0.0, f32::max);
    if top > 0.0 {
        sum.iter_mut().for_each(|weight| *weight /= top);
    }
    Some((most.picture, most.columns, most.rows, sum))
}

/// Cold cells stay clear, hot ones are covered.
fn overlay(columns: usize, rows: usize, weights: &[f32]) -> ColorImage {
    let pixels = weights.iter().map(|weight| {
        let [r, g, b, _] = theme::heat(0.25 + 0.75 * weight).to_array();
        Color32::from_rgba_unmultiplied(r, g, b, (215.0 * weight.clamp(0.0, 1.0).powf(1.2)) as u8)
    });
    ColorImage::new([columns, rows], pixels.collect())
}

/// Shows it under the answer. `pictures` are those of the conversation, from its beginning.
pub fn show(ui: &mut Ui, view: &mut View, message: &Message, pictures: &[Arc<Image>]) {
    let colours = theme::palette(ui);
    let Some((_, chosen)) = view.looking else { return };
    controls::card(ui, |ui| {
        if message.looks.is_empty() {
            ui.horizontal(|ui| {
                controls::dots(ui, colours.thinking);
                ui.label(RichText::new("Reading the answer again to see where it looked").color(colours.weak));
            });
            return;
        }
        let text = message.text();
        let words = words(text);
        let part = chosen.and_then(|word| words.get(word));
        let (gaze, silent) = match gaze(&message.looks, part) {
            Some(gaze) => (Some(gaze), false),
            None => (gaze(&message.looks, None), true),
        };
        let wide = ui.available_width() > 520.0;
        let room = if wide { ui.available_width() * 0.5 } else { ui.available_width() };
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                let Some((picture, columns, rows, weights)) = gaze else { return };
                let Some(image) = pictures.get(picture) else { return };
                let (texture, size) = view.textures.picture(ui.ctx(), image, 1024);
                let scale = (room / size.x).min(260.0 / size.y);
                let (rect, response) = ui.allocate_exact_size(size * scale, Sense::hover());
                let name = match part {
                    Some(part) => format!("Where the answer looked for {:?}", bare(&text[part.clone()])),
                    None => "Where the answer looked".into(),
                };
                response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
                let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
                let painted = |texture| RectShape::filled(rect, 8.0, Color32::WHITE).with_texture(texture, whole);
                ui.painter().add(painted(texture));
                if !silent {
                    let key = (message.id as u64) << 20
                        ^ (chosen.map_or(0, |word| word as u64 + 1)) << 8
                        ^ message.looks.len() as u64;
                    let heat = view.textures.live(ui.ctx(), "heat", key, || overlay(columns, rows, &weights));
                    ui.painter().add(painted(heat));
                }
            });
            if wide {
                ui.add_space(theme::SPACE);
                told(ui, view, message, text, &words, silent);
            }
        });
        if !wide {
            told(ui, view, message, text, &words, silent);
        }
    });
}

fn told(ui: &mut Ui, view: &mut View, message: &Message, text: &str, words: &[Range<usize>], silent: bool) {
    let colours = theme::palette(ui);
    let chosen = view.looking.and_then(|(_, word)| word);
    let mut next = None;
    ui.vertical(|ui| {
        ui.label(RichText::new("Where it looked").font(theme::strong()));
        let sentence = match (chosen, silent) {
            (Some(_), true) => "This word looked at no picture.",
            (Some(_), false) => "For the chosen word.",
            (None, _) => "For the whole answer. Point at a word to see it alone.",
        };
        ui.label(RichText::new(sentence).font(theme::small()).color(colours.weak));
        ui.add_space(theme::SMALL);
        ui.spacing_mut().interact_size.y = 0.0;
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(0.0, 2.0);
            for (number, word) in words.iter().enumerate() {
                let word = bare(&text[word.clone()]);
                let galley = ui.painter().layout_no_wrap(word.clone(), theme::body(), colours.text);
                let (rect, response) = ui.allocate_exact_size(galley.size() + vec2(5.0, 4.0), Sense::click());
                response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen == Some(number), &word));
                if chosen == Some(number) {
                    ui.painter().rect_filled(rect, 4.0, colours.accent_soft);
                }
                ui.painter().galley(rect.center() - galley.size() / 2.0, galley, colours.text);
                controls::focus_ring(ui, &response, 4);
                if response.hovered() || response.gained_focus() || response.clicked() {
                    next = Some(number);
                }
            }
        });
    });
    if next != chosen {
        // A word stays chosen until another one is, or the pointer rests beside them.
        let keyboard = next.is_none() && ui.memory(|memory| memory.focused().is_some());
        if !keyboard {
            view.looking = Some((message.id, next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(bytes: Range<usize>, picture: usize, weights: &[f32]) -> Look {
        Look { bytes, picture, columns: 2, rows: weights.len() / 2, weights: weights.into() }
    }

    #[test]
    fn a_word_is_all_of_its_tokens() {
        assert_eq!(["**bold**.", "`x`", "#", "a_b"].map(bare), ["bold.", "x", "#", "a_b"]);
        assert_eq!(words(" A red  cube.\n"), [1..2, 3..6, 8..13]);
        let looks = [look(0..2, 0, &[0.1, 0.3]), look(2..6, 0, &[0.1, 0.1]), look(6..9, 1, &[0.0, 0.4])];
        assert_eq!(gaze(&looks, Some(&(0..6))), Some((0, 2, 1, vec![0.5, 1.0])));
        // Of two pictures the one that got more.
        assert_eq!(gaze(&looks[1..], None), Some((1, 2, 1, vec![0.0, 1.0])));
        assert_eq!(gaze(&looks, Some(&(9..12))), None);
    }

    #[test]
    fn a_look_without_its_grid_is_none() {
        let odd = Look { bytes: 0..4, picture: 0, columns: 3, rows: 3, weights: vec![1.0; 8] };
        assert_eq!(gaze(&[odd], None), None);
        assert_eq!(gaze(&[look(0..4, 0, &[f32::NAN, 0.0])], None), Some((0, 2, 1, vec![0.0, 0.0])));
    }

    #[test]
    fn the_hottest_cell_covers_most() {
        let image = overlay(2, 1, &[0.0, 1.0]);
        assert_eq!((image.pixels[0].a(), image.pixels[1].a()), (0, 215));
    }
}
