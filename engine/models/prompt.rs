//! From a rendered template to pieces: placeholders become runs, text becomes ids, and what a person wrote can never
//! become a special token.

use super::{Media, Model, Piece, Segment};
use crate::error::{Error, Result};
use std::sync::Arc;

/// Stands inside special tokens that a person spelled, so that they are not taken for real ones. A private-use character,
/// removed again before the text is encoded.
const BREAK: char = '\u{F8F0}';

impl Model {
    /// `text` made harmless for a template: special tokens that it spells are broken up.
    pub fn escape(&self, text: &str) -> String {
        let mut escaped: String = text.replace(BREAK, "");
        for token in self.special_tokens() {
            if escaped.contains(token.as_str()) {
                let mut broken = token.clone();
                broken.insert(token.chars().next().map_or(0, char::len_utf8), BREAK);
                escaped = escaped.replace(token.as_str(), &broken);
            }
        }
        escaped
    }

    /// The pieces of rendered text; its placeholders stand for `media` in order.
    ///
    /// # Errors
    /// [`Error::Template`] if placeholders and media do not match, or what is wrong with a part.
    pub fn pieces(&self, rendered: &str, media: &[Media]) -> Result<Vec<Piece>> {
        let ids = self.config().media_ids;
        let token = |id: u32| self.tokenizer().token(id).unwrap_or_default();
        let placeholders = [token(ids.image), token(ids.audio), token(ids.video)];
        for part in media {
            self.config().accepts(part)?;
        }
        let mut media = media.iter();
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = rendered;
        while let Some((start, placeholder)) = first_of(rest, &placeholders) {
            text += &rest[..start];
            rest = &rest[start + placeholder.len()..];
            let Some(next) = media.next() else {
                return Err(self.mismatch("more placeholders for pictures, sound or video than there are parts"));
            };
            for segment in self.config().expand(next, &token)? {
                match segment {
                    Segment::Text(more) => text += &more,
                    Segment::Run(run) => {
                        push_tokens(&mut pieces, self.encode(&std::mem::take(&mut text))?);
                        pieces.push(Piece::Run(Arc::new(run)));
                    }
                }
            }
        }
        if media.next().is_some() {
            return Err(self.mismatch("no placeholder for a picture, sound or video"));
        }
        text += rest;
        push_tokens(&mut pieces, self.encode(&text)?);
        Ok(pieces)
    }

    /// Ids of text in which special tokens count unless [`Model::escape`] broke them up.
    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        if !text.contains(BREAK) {
            return self.tokenizer().encode(text);
        }
        // Split at the real special tokens; what lies between is plain.
        let mut ids = Vec::new();
        let mut rest = text;
        loop {
            let found = first_of(rest, self.special_tokens());
            let plain = &rest[..found.map_or(rest.len(), |(start, _)| start)];
            ids.extend(self.tokenizer().encode_plain(&plain.replace(BREAK, ""))?);
            let Some((start, special)) = found else { return Ok(ids) };
            ids.extend(self.tokenizer().token_id(special));
            rest = &rest[start + special.len()..];
        }
    }

    fn mismatch(&self, problem: &str) -> Error {
        Error::Template {
            path: self.template().map_or(self.folder(), |template| template.path()).into(),
            problem: format!("the template wrote {problem}; use the template that was published with the model"),
        }
    }
}

fn push_tokens(pieces: &mut Vec<Piece>, ids: Vec<u32>) {
    if !ids.is_empty() {
        pieces.push(Piece::Tokens(ids));
    }
}

/// The first place where one of `tokens` stands, the longest one if several begin there.
fn first_of<'t>(text: &str, tokens: &'t [String]) -> Option<(usize, &'t str)> {
    tokens
        .iter()
        .filter(|token| !token.is_empty())
        .filter_map(|token| Some((text.find(token.as_str())?, token.as_str())))
        .min_by_key(|(start, token)| (*start, usize::MAX - token.len()))
}
