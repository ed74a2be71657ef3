//! What a text, a picture or a sound means to the model, as one vector: the mean of the decoder's states after the final
//! norm over the part's own tokens, at the beginning of a user's message, brought to length one.

use super::prefill::Watch;
use super::transcript::Transcript;
use super::{Part, Session};
use crate::error::{Error, Result};
use crate::models::{Model, Piece};
use std::ops::Range;

impl Session {
    /// The embedding of a part: `hidden_size` values of length one, so that the product of two is their cosine. Nothing is
    /// answered. What counts are the tokens of a text, and of a picture, sound or video those with features. The
    /// conversation must be empty and is empty afterwards; a system message is not read.
    ///
    /// # Errors
    /// [`Error::Argument`] in a conversation that has begun or for an empty text, [`Error::Context`] if the part does not fit,
    /// [`Error::NoLogits`] where the model gives no number; whatever is wrong with the part.
    pub fn embed(&mut self, part: &Part) -> Result<Vec<f32>> {
        if !self.is_empty() || self.pending.is_some() || self.transcript.is_open() {
            let problem = "has begun: parts are embedded in one of their own".into();
            return Err(Error::Argument { name: "the conversation", problem });
        }
        let pieces = pieces(&self.model, part)?;
        let ranges = counted(part, &pieces);
        let count: usize = ranges.iter().map(Range::len).sum();
        let empty = self.mark();
        let mut sum = vec![0.0; self.model.config().hidden_size];
        let mut row = 0;
        let mut seen = |_: &str, width: usize, states: Vec<f32>| {
            for state in states.chunks_exact(width) {
                if ranges.iter().any(|range| range.contains(&row)) {
                    sum.iter_mut().zip(state).for_each(|(sum, value)| *sum += f64::from(*value));
                }
                row += 1;
            }
        };
        let mut watch = Some(Watch { logits_from: usize::MAX, taps: &|name| name == "final_norm", seen: &mut seen });
        let outcome = self.prefill_watched(&pieces, &mut watch);
        self.rollback(&empty)?;
        outcome?;
        let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
        if !length.is_finite() || length == 0.0 {
            return Err(Error::NoLogits {
                model: self.model.folder().into(),
                adapter: self.model.gpu().adapter().title(),
                position: count,
            });
        }
        Ok(sum.into_iter().map(|value| (value / length) as f32).collect())
    }
}

/// A user's message up to the end of the part, which is all that it says.
fn pieces(model: &Model, part: &Part) -> Result<Vec<Piece>> {
    let mut message = Transcript::new(None, false);
    let template = model.template()?;
    match part {
        Part::Media(media) => {
            model.config().accepts(media)?;
            message.push(media.kind(), "");
            model.pieces(&message.advance(template)?, std::slice::from_ref(media))
        }
        Part::Text(text) => {
            let text = model.escape(text.trim());
            if text.is_empty() {
                return Err(Error::Argument { name: "the text", problem: "is empty, so it has no embedding".into() });
            }
            message.push("text", &text);
            let rendered = message.advance(template)?;
            let before = rendered.strip_suffix(&text).ok_or_else(|| Error::Template {
                path: template.path().into(),
                problem: "it changes a text, so its own tokens are not known; use the published one".into(),
            })?;
            // Apart, so that no token holds some of both.
            Ok([model.pieces(before, &[])?, model.pieces(&text, &[])?].concat())
        }
    }
}

/// The rows of the part itself.
fn counted(part: &Part, pieces: &[Piece]) -> Vec<Range<usize>> {
    let mut end = 0;
    let mut ranges = Vec::new();
    for (place, piece) in pieces.iter().enumerate() {
        let start = end;
        end += piece.len();
        let own = match part {
            Part::Text(_) => place + 1 == pieces.len(),
            Part::Media(_) => matches!(piece, Piece::Run(_)),
        };
        if own {
            ranges.push(start..end);
        }
    }
    ranges
}
