//! A block of code: what language it is, a button that copies it, colours for words, strings, numbers and remarks.
//! The colouring knows no grammar: it goes by what most languages have in common, and is right where that is.

use super::controls::{self, Kind};
use super::icon::Icon;
use crate::ui::theme::{self, Palette};
use crate::ui::view::View;
use eframe::egui;
use egui::text::LayoutJob;
use egui::{Align, Frame, Layout, Margin, RichText, ScrollArea, TextFormat, Ui};

const WORDS: &[&str] = &[
    "and",
    "as",
    "assert",
    "async",
    "await",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "continue",
    "def",
    "default",
    "del",
    "do",
    "done",
    "double",
    "elif",
    "else",
    "end",
    "enum",
    "except",
    "export",
    "extern",
    "false",
    "False",
    "fi",
    "final",
    "finally",
    "float",
    "fn",
    "for",
    "from",
    "func",
    "function",
    "global",
    "if",
    "impl",
    "import",
    "in",
    "int",
    "interface",
    "is",
    "lambda",
    "let",
    "local",
    "long",
    "loop",
    "match",
    "mod",
    "move",
    "mut",
    "new",
    "nil",
    "None",
    "nonlocal",
    "not",
    "null",
    "or",
    "package",
    "pass",
    "private",
    "protected",
    "pub",
    "public",
    "raise",
    "return",
    "self",
    "Self",
    "static",
    "str",
    "struct",
    "super",
    "switch",
    "then",
    "this",
    "throw",
    "trait",
    "true",
    "True",
    "try",
    "type",
    "typedef",
    "union",
    "unsafe",
    "use",
    "val",
    "var",
    "void",
    "where",
    "while",
    "with",
    "yield",
];
/// Beginnings of remarks, and the languages that have them; without a language both are looked for, but `#` only before a space.
const HASH: &[&str] =
    &["py", "python", "sh", "bash", "shell", "zsh", "toml", "yaml", "yml", "ruby", "rb", "r", "make", "perl"];

/// What a piece of code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Word,
    Text,
    Number,
    Remark,
    Other,
}

/// Cuts code into pieces; together they are the code.
fn pieces<'a>(code: &'a str, language: &str) -> Vec<(Piece, &'a str)> {
    let language = language.to_lowercase();
    let hash = HASH.contains(&language.as_str());
    let (mut found, mut rest) = (Vec::new(), code);
    while let Some(first) = rest.chars().next() {
        let until = |stop: fn(char) -> bool| rest.find(stop).unwrap_or(rest.len());
        let remark = match first {
            '/' if !hash => rest.starts_with("//"),
            '#' => hash || (language.is_empty() && rest.starts_with("# ")),
            '-' => ["sql", "lua", "haskell"].contains(&language.as_str()) && rest.starts_with("--"),
            _ => false,
        };
        let (piece, len) = match first {
            _ if remark => (Piece::Remark, until(|c| c == '\n')),
            '/' if rest.starts_with("/*") => (Piece::Remark, rest.find("*/").map_or(rest.len(), |at| at + 2)),
            '"' | '`' => (Piece::Text, quoted(rest, first)),
            // A single quote also marks lifetimes and the second derivative: a text only if it ends on its line.
            '\'' => match quoted(rest, first) {
                len if len > 1 && rest[..len].ends_with('\'') => (Piece::Text, len),
                _ => (Piece::Other, 1),
            },
            c if c.is_ascii_digit() => (Piece::Number, until(|c| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'))),
            c if c.is_alphabetic() || c == '_' => {
                let len = until(|c| !(c.is_alphanumeric() || c == '_'));
                (if WORDS.contains(&&rest[..len]) { Piece::Word } else { Piece::Other }, len)
            }
            c => (Piece::Other, c.len_utf8()),
        };
        let len = len.max(first.len_utf8());
        found.push((piece, &rest[..len]));
        rest = &rest[len..];
    }
    found
}

/// The length of a text that begins with a quote: to the next one that no backslash stands before, or to the end of the line.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

fn coloured(code: &str, language: &str, colours: &Palette) -> LayoutJob {
    let mut job = LayoutJob::default();
    for (piece, text) in pieces(code, language) {
        let colour = match piece {
            Piece::Word => colours.code[0],
            Piece::Text => colours.code[1],
            Piece::Number => colours.code[2],
            Piece::Remark => colours.code[3],
            Piece::Other => colours.text,
        };
        job.append(text, 0.0, TextFormat { line_height: Some(19.0), ..TextFormat::simple(theme::mono(), colour) });
    }
    job.wrap.max_width = f32::INFINITY;
    job
}

/// Shows a block.
pub fn show(ui: &mut Ui, view: &mut View, code: &str, language: &str) {
    let colours = theme::palette(ui);
    let frame = Frame::new().fill(colours.raised).corner_radius(theme::ROUND).inner_margin(Margin {
        left: 12,
        right: 6,
        top: 4,
        bottom: 10,
    });
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.spacing_mut().interact_size.y = 28.0;
        ui.horizontal(|ui| {
            let title = if language.is_empty() { "Code" } else { language };
            ui.label(RichText::new(title).font(theme::small()).color(colours.weak));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let id = ui.scope_id().with("copy");
                let copied = view.just_copied(ui.ctx(), id);
                let (icon, tint) = if copied { (Icon::Done, Some(colours.accent)) } else { (Icon::Copy, None) };
                if controls::tinted_button(ui, Kind::Quiet, icon, "Copy code", 28.0, tint).clicked() {
                    view.copy(ui.ctx(), id, code);
                }
            });
        });
        ScrollArea::horizontal().auto_shrink([false, true]).show(ui, |ui| {
            ui.label(coloured(code, language, colours));
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str, language: &str) -> Vec<(Piece, String)> {
        let all = pieces(code, language);
        assert_eq!(all.iter().map(|(_, text)| *text).collect::<String>(), code, "nothing is lost");
        all.into_iter().filter(|(piece, _)| *piece != Piece::Other).map(|(piece, text)| (piece, text.into())).collect()
    }

    #[test]
    fn words_texts_numbers_and_remarks_are_told_apart() {
        let rust = found("let x: &'a str = \"a \\\" b\"; // 3\nreturn 0x1F;", "rust");
        let told: Vec<_> = rust.iter().map(|(piece, text)| (*piece, text.as_str())).collect();
        assert_eq!(
            told,
            [
                (Piece::Word, "let"),
                (Piece::Word, "str"),
                (Piece::Text, "\"a \\\" b\""),
                (Piece::Remark, "// 3"),
                (Piece::Word, "return"),
                (Piece::Number, "0x1F"),
            ]
        );
        let python = found("x = 7 // 2  # half\ns = 'it'", "python");
        let told: Vec<_> = python.iter().map(|(piece, text)| (*piece, text.as_str())).collect();
        assert_eq!(
            told,
            [(Piece::Number, "7"), (Piece::Number, "2"), (Piece::Remark, "# half"), (Piece::Text, "'it'")]
        );
    }

    #[test]
    fn odd_code_is_kept_whole() {
        for code in ["", "\"open", "'", "/* open", "\\", "é\u{1F600}'ü'", "`a\nb`", "#", "1.é"] {
            found(code, "");
            found(code, "sh");
        }
    }
}
