//! Answers as Markdown: `egui_commonmark` for text, our own blocks for code, and a rail beside it for what was spoken.

use super::code;
use crate::ui::theme;
use crate::ui::view::View;
use eframe::egui;
use egui::{Label, Rect, RichText, Ui, pos2};
use egui_commonmark::CommonMarkViewer;
use std::ops::Range;

/// A part of a text: a heading, what stands between fences, and all else.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Block {
    Text(Range<usize>),
    Heading { level: usize, text: Range<usize> },
    Code { language: Range<usize>, inner: Range<usize>, indent: usize },
}

/// Cuts a text at its fences; a fence that is still open lasts to the end, for an answer comes bit by bit.
fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut start, mut at) = (Vec::new(), 0, 0);
    // Of the open fence: its letter, its length, its indent, its language and where its code begins.
    let mut open: Option<(char, usize, usize, Range<usize>, usize)> = None;
    for line in text.split_inclusive('\n') {
        let (begin, end) = (at, at + line.len());
        at = end;
        let bare = line.trim_start_matches(' ');
        let indent = line.len() - bare.len();
        let letter = bare.chars().next().filter(|c| *c == '`' || *c == '~');
        let fence = letter.map_or(0, |letter| bare.chars().take_while(|c| *c == letter).count());
        match &open {
            Some((letter_open, len, indent_open, language, inner)) => {
                if letter == Some(*letter_open) && fence >= *len && bare[fence..].trim().is_empty() {
                    found.push(Block::Code { language: language.clone(), inner: *inner..begin, indent: *indent_open });
                    (open, start) = (None, end);
                }
            }
            None if fence >= 3 && !(letter == Some('`') && bare[fence..].contains('`')) => {
                if !text[start..begin].trim().is_empty() {
                    found.push(Block::Text(start..begin));
                }
                let name = bare[fence..].trim();
                let from = begin + indent + fence + (bare[fence..].len() - bare[fence..].trim_start().len());
                open = letter.map(|letter| (letter, fence, indent, from..from + name.len(), end));
            }
            None => {
                let Some((level, from)) = heading(line) else { continue };
                if !text[start..begin].trim().is_empty() {
                    found.push(Block::Text(start..begin));
                }
                found.push(Block::Heading { level, text: begin + from..end });
                start = end;
            }
        }
    }
    match open {
        Some((_, _, indent, language, inner)) => found.push(Block::Code { language, inner: inner..text.len(), indent }),
        None if !text[start..].trim().is_empty() => found.push(Block::Text(start..text.len())),
        None => {}
    }
    found
}

/// The level of a heading's line, and where its text begins.
fn heading(line: &str) -> Option<(usize, usize)> {
    let level = line.bytes().take_while(|c| *c == b'#').count();
    let rest = &line[level..];
    let text = rest.trim_start();
    ((1..=6).contains(&level) && rest.starts_with(' ') && !text.is_empty()).then(|| (level, line.len() - text.len()))
}

/// Shows a text. `spoken` bytes of it get a rail on the left; `None` where nothing is spoken any more.
pub fn show(ui: &mut Ui, view: &mut View, text: &str, spoken: Option<usize>) {
    let top = ui.cursor().top();
    let mut reached = top;
    for (number, block) in blocks(text).into_iter().enumerate() {
        let begin = ui.cursor().top();
        let range = match &block {
            Block::Text(range) | Block::Heading { text: range, .. } => range.clone(),
            Block::Code { inner, .. } => inner.clone(),
        };
        ui.push_id(number, |ui| match block {
            Block::Heading { level, text: range } => {
                let words = text[range].trim().trim_end_matches('#').replace(['*', '`'], "");
                let colours = theme::palette(ui);
                ui.add_space(if number == 0 { 0.0 } else { theme::SMALL });
                ui.add(Label::new(RichText::new(words.trim()).font(theme::heading(level)).color(colours.text)).wrap());
            }
            Block::Text(range) => {
                let mut cache = std::mem::take(&mut view.markdown);
                ui.spacing_mut().item_spacing.y = 4.0;
                // Lines are as high as their letters, not as a button.
                let colours = theme::palette(ui);
                ui.visuals_mut().widgets.noninteractive.fg_stroke.color = colours.prose;
                ui.visuals_mut().widgets.active.fg_stroke.color = colours.strong;
                ui.spacing_mut().interact_size.y = ui.text_style_height(&egui::TextStyle::Body);
                CommonMarkViewer::new().explicit_image_uri_scheme(true).show(ui, &mut cache, text[range].trim_end());
                view.markdown = cache;
            }
            Block::Code { language, inner, indent } => {
                let lines = text[inner].trim_end().lines();
                let code: Vec<_> = lines.map(|line| &line[line.len().min(indent_of(line).min(indent))..]).collect();
                code::show(ui, view, &code.join("\n"), &text[language]);
            }
        });
        if let Some(spoken) = spoken {
            let share = (spoken.saturating_sub(range.start)) as f32 / range.len().max(1) as f32;
            if share > 0.0 {
                reached = egui::lerp(begin..=ui.min_rect().bottom(), share.min(1.0));
            }
        }
    }
    if spoken.is_some() && reached > top {
        let colours = theme::palette(ui);
        let left = ui.min_rect().left() - theme::SPACE;
        let rail = |bottom: f32| Rect::from_min_max(pos2(left, top), pos2(left + 3.0, bottom));
        ui.painter().rect_filled(rail(ui.min_rect().bottom()), 1.5, colours.border);
        ui.painter().rect_filled(rail(reached), 1.5, colours.speaking);
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(String, String)> {
        let told = |block| match block {
            Block::Text(range) => ("text".to_string(), text[range].trim().to_string()),
            Block::Heading { level, text: range } => (format!("h{level}"), text[range].trim().to_string()),
            Block::Code { language, inner, .. } => (text[language].to_string(), text[inner].to_string()),
        };
        blocks(text).into_iter().map(told).collect()
    }

    #[test]
    fn code_is_cut_out_of_text() {
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        let text = "One:\n\n```rust\nfn f() {}\n```\nTwo `three`.";
        assert_eq!(cut(text), [pair("text", "One:"), pair("rust", "fn f() {}\n"), pair("text", "Two `three`.")]);
        assert_eq!(cut("~~~\n```\n~~~~"), [pair("", "```\n")]);
        assert_eq!(cut("a ```b``` c"), [pair("text", "a ```b``` c")]);
        assert_eq!(cut("```one``` line"), [pair("text", "```one``` line")]);
        assert_eq!(cut("1. x\n   ```py\n   y\n   ```"), [pair("text", "1. x"), pair("py", "   y\n")]);
    }

    #[test]
    fn headings_stand_alone() {
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(cut("a\n## B *c*\nd"), [pair("text", "a"), pair("h2", "B *c*"), pair("text", "d")]);
        assert_eq!(cut("#1 is no heading\n#"), [pair("text", "#1 is no heading\n#")]);
        assert_eq!(cut("```\n# x\n```"), [pair("", "# x\n")]);
    }

    #[test]
    fn an_answer_that_still_comes_has_an_open_fence() {
        let text = "See:\n```python\nprint('ü')\n``";
        assert_eq!(cut(text)[1], ("python".to_string(), "print('ü')\n``".to_string()));
        for end in 0..text.len() {
            if text.is_char_boundary(end) {
                cut(&text[..end]);
            }
        }
    }
}
