//! Cuts an answer, while it is being written, into sentences that can be spoken. Pure.

use std::ops::Range;

/// Something to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// What a voice reads: no Markdown, no code, no addresses.
    pub spoken: String,
    /// The bytes of the answer that it covers; silent parts before it are among them.
    pub bytes: Range<usize>,
}

/// From this many bytes on, the first sentence may be cut at a comma, so that the voice begins early.
const EARLY: usize = 48;
/// No sentence is longer; voices take their time before the first sound of a long one.
const LONGEST: usize = 280;
/// Words with a full stop that ends no sentence.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "dr", "prof", "vs", "etc", "e.g", "i.e", "cf", "approx", "fig", "z.b", "d.h", "bzw", "ca", "nr",
    "usw", "u.a", "inkl", "sog",
];
const FENCE: &str = "```";
/// Stands for the line between two columns of a table until it is known whether something follows; then it is a comma.
const COLUMN: char = '\u{1}';

/// The answer so far, but for what was cut off already.
#[derive(Clone, Debug, Default)]
pub struct Sentences {
    text: String,
    /// Place of `text` in the answer.
    at: usize,
    /// Where the next sentence's bytes begin: silent parts belong to the sentence behind them.
    from: usize,
    in_code: bool,
    given: usize,
}

impl Sentences {
    /// Takes more of the answer and returns what can be said now.
    pub fn push(&mut self, delta: &str) -> Vec<Sentence> {
        self.text.push_str(delta);
        let mut sentences = Vec::new();
        while let Some(end) = self.next_cut() {
            sentences.extend(self.cut(end));
        }
        sentences
    }

    /// The answer is over: what is left of it.
    pub fn finish(&mut self) -> Vec<Sentence> {
        let end = self.at + self.text.len();
        let mut sentences = self.push("\n");
        if !self.text.is_empty() && !self.in_code {
            sentences.extend(self.cut(self.text.len()));
        }
        // The line break behind it is ours.
        if let Some(last) = sentences.last_mut() {
            last.bytes.end = last.bytes.end.min(end);
        }
        *self = Sentences::default();
        sentences
    }

    /// Where the text can be cut, if enough of it is there to know.
    fn next_cut(&mut self) -> Option<usize> {
        if self.in_code {
            let end = fence(&self.text).filter(|end| self.text[*end..].starts_with(FENCE))?;
            let line = self.text[end..].find('\n')?;
            self.in_code = false;
            self.skip(end + line + 1);
            return self.next_cut();
        }
        // A line that may become a fence is not said before it is known.
        match fence(&self.text) {
            Some(0) if self.text.starts_with(FENCE) => {
                let line = self.text.find('\n')?;
                self.in_code = true;
                self.skip(line + 1);
                self.next_cut()
            }
            Some(0) => None,
            Some(end) => Some(boundary(&self.text[..end], self.given == 0).unwrap_or(end)),
            None => boundary(&self.text, self.given == 0),
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.text.drain(..bytes);
        self.at += bytes;
    }

    fn cut(&mut self, end: usize) -> Option<Sentence> {
        let spoken = plain(&self.text[..end]);
        self.skip(end);
        if !spoken.chars().any(char::is_alphanumeric) {
            return None;
        }
        self.given += 1;
        let bytes = self.from..self.at;
        self.from = self.at;
        Some(Sentence { spoken, bytes })
    }
}

/// Where a line begins that is a code fence, or the beginning of one at the end of the text.
fn fence(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let begin = line.trim_start_matches([' ', '\t']);
        let indent = line.len() - begin.len();
        if begin.starts_with(FENCE) {
            return Some(if indent == 0 { at } else { at + indent });
        }
        if !begin.is_empty() && FENCE.starts_with(begin) {
            return Some(at + indent);
        }
        at += line.len();
    }
    None
}

/// Bytes of the first sentence, with the white space behind it.
fn boundary(text: &str, first: bool) -> Option<usize> {
    let mut comma = None;
    for (i, c) in text.char_indices() {
        let end = i + c.len_utf8();
        match c {
            '\n' => return Some(end),
            '。' | '！' | '？' => return Some(end),
            '.' | '!' | '?' | '…' => {
                let rest =
                    text[end..].trim_start_matches(['"', '\'', ')', ']', '*', '_', '”', '’', '»', '.', '!', '?']);
                let space = rest.chars().next().is_some_and(char::is_whitespace);
                let word = text[..i].rsplit(|c: char| c.is_whitespace() || "(*_\"".contains(c)).next().unwrap_or("");
                if space && !(c == '.' && goes_on(word, &text[..i])) {
                    let end = text.len() - rest.len();
                    let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
                    return Some(end + spaces);
                }
            }
            ',' | ';' | ':' if text[end..].starts_with(' ') => {
                if first && end >= EARLY {
                    return Some(end + 1);
                }
                comma = Some(end + 1);
            }
            ' ' if end >= LONGEST => return Some(comma.unwrap_or(end)),
            _ => {}
        }
    }
    None
}

/// Whether a full stop behind this word ends no sentence: abbreviations, initials, numbers of a list.
fn goes_on(word: &str, before: &str) -> bool {
    let lower = word.to_lowercase();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase) && word != "I";
    let line = before.rsplit('\n').next().unwrap_or("").trim_start();
    let number = line == word && word.len() <= 3 && word.bytes().all(|b| b.is_ascii_digit());
    initial || number || ABBREVIATIONS.contains(&lower.as_str())
}

/// The words without the marks.
fn plain(text: &str) -> String {
    let mut spoken = String::new();
    for line in text.lines() {
        let mut line = line.trim();
        if !line.is_empty() && line.chars().all(|c| "-=*_|: ".contains(c)) {
            continue;
        }
        line = line.trim_start_matches(['#', '>']).trim_start();
        for bullet in ["- ", "* ", "+ ", "• ", "[ ] ", "[x] "] {
            line = line.strip_prefix(bullet).unwrap_or(line);
        }
        let words = inline(line);
        if !spoken.is_empty() && !words.is_empty() {
            spoken.push(' ');
        }
        spoken.push_str(&words);
    }
    spoken
}

/// One line without emphasis, code marks, addresses and pictures.
fn inline(line: &str) -> String {
    let line = links(line);
    let words = line.split_whitespace().filter(|word| {
        let bare = word.trim_matches(['(', ')', '<', '>', '[', ']', ',', '.', ';', '"']);
        !(bare.contains("://") || bare.starts_with("www."))
    });
    let mut out = String::new();
    for word in words {
        let word: String = word
            .trim_matches('_')
            .chars()
            .filter_map(|c| match c {
                '*' | '`' | '~' | '$' | '\\' | '<' | '>' | '{' | '}' | '\u{fe0f}' | '\u{200d}' => None,
                '\u{2600}'..='\u{27bf}' | '\u{1f000}'..='\u{1faff}' => None,
                '|' => Some(COLUMN),
                '_' => Some(' '),
                c if c.is_control() => None,
                c => Some(c),
            })
            .collect();
        let word = if out.is_empty() { word.trim_start_matches(COLUMN) } else { word.as_str() };
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() && word != "\u{1}" {
            out.push(' ');
        }
        out.push_str(word);
    }
    out.trim_end_matches(COLUMN).trim().replace(COLUMN, ",")
}

/// `[words](address)` and `![words](address)` become their words.
fn links(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(open) = rest.find('[') {
        let link = rest[open + 1..].split_once(']').and_then(|(words, behind)| {
            let (_, behind) = behind.strip_prefix('(')?.split_once(')')?;
            Some((words, behind))
        });
        let Some((words, behind)) = link else {
            out.push_str(&rest[..=open]);
            rest = &rest[open + 1..];
            continue;
        };
        out.push_str(rest[..open].trim_end_matches('!'));
        out.push_str(words);
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentences of a text that arrives in pieces of so many characters.
    fn streamed(text: &str, piece: usize) -> Vec<Sentence> {
        let mut sentences = Sentences::default();
        let chars: Vec<char> = text.chars().collect();
        let mut all = Vec::new();
        for piece in chars.chunks(piece) {
            all.extend(sentences.push(&piece.iter().collect::<String>()));
        }
        all.extend(sentences.finish());
        all
    }

    fn spoken(text: &str) -> Vec<String> {
        let whole: Vec<String> = streamed(text, usize::MAX).into_iter().map(|s| s.spoken).collect();
        for piece in [1, 3, 10] {
            let pieces: Vec<String> = streamed(text, piece).into_iter().map(|s| s.spoken).collect();
            assert_eq!(pieces, whole, "in pieces of {piece}");
        }
        whole
    }

    #[test]
    fn sentences_end_where_they_end() {
        let text = "The cup is red. Is it? Yes! It costs 3.50 euros, e.g. here.\nDr. Who and J. S. Bach know.";
        assert_eq!(
            spoken(text),
            ["The cup is red.", "Is it?", "Yes!", "It costs 3.50 euros, e.g. here.", "Dr. Who and J. S. Bach know."]
        );
        assert_eq!(spoken("これは赤です。はい！"), ["これは赤です。", "はい！"]);
        assert_eq!(spoken("He said \"no.\" Then he left..."), ["He said \"no.\"", "Then he left..."]);
    }

    #[test]
    fn marks_code_and_addresses_are_not_spoken() {
        let text = "# Title\n\n**Bold** and *thin* `code`.\n\n- one\n- two\n1. first\n\n```rust\nfn main() { a. b }\n```\nSee [the \
                    page](https://a.b/c) or https://x.y/z. ![cat](c.png)\n\n| a | b |\n|---|---|\n| c_d | 2 |\n🎉\n";
        assert_eq!(
            spoken(text),
            ["Title", "Bold and thin code.", "one", "two", "1. first", "See the page or", "cat", "a, b", "c d, 2"]
        );
        assert_eq!(spoken("```\nnever closed. Really."), Vec::<String>::new());
        assert_eq!(spoken("Before.\n~~~"), ["Before."]);
    }

    #[test]
    fn bytes_cover_the_answer_without_gaps() {
        let text = "Füße sind schön.  Code:\n```\nx = 1. y\n```\nDone, really. 🎉";
        for piece in [1, 2, 7, 1000] {
            let all = streamed(text, piece);
            assert_eq!(all[0].bytes.start, 0);
            assert!(all.windows(2).all(|pair| pair[0].bytes.end == pair[1].bytes.start), "{all:?}");
            assert!(all.iter().all(|s| text.get(s.bytes.clone()).is_some()), "{all:?}");
            assert_eq!(&text[all[2].bytes.clone()], "```\nx = 1. y\n```\nDone, really. ");
        }
    }

    #[test]
    fn it_answers_late_no_more_a_long_first_sentence_begins_at_a_comma() {
        let text = "Well, the picture in front of me shows a street with houses, and behind them, a hill. The end.";
        let mut sentences = Sentences::default();
        let first = sentences.push(&text[..70]);
        assert_eq!(first[0].spoken, "Well, the picture in front of me shows a street with houses,");
        let rest = sentences.push(&text[70..]);
        assert_eq!(rest[0].spoken, "and behind them, a hill.");
    }

    #[test]
    fn a_sentence_without_end_is_cut() {
        let text = "word ".repeat(300);
        let all = streamed(&text, 5);
        assert!(all.len() >= 5 && all.iter().all(|s| s.spoken.len() <= LONGEST + 10));
    }

    #[test]
    fn fences_are_not_spoken_in_pieces() {
        assert_eq!(spoken("Look:\n  ```py\nprint(1). x\n  ```\nThat is all."), ["Look:", "That is all."]);
    }
}
