//! How likely a text is to a model: the nats of each token after those before it.

use super::Session;
use super::prefill::Watch;
use crate::error::{Error, Result};
use crate::models::{Model, Piece};

/// Ids to score in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The id that begins a text, if the tokenizer has one, and those of a piece of the text.
    pub ids: Vec<u32>,
    /// The first that is scored: the second of the piece, since nothing is known before the first.
    pub first: usize,
}

/// Cuts the ids of a text into windows of `len` of them, the last one with what is left. One that holds nothing to score
/// is left out.
pub fn windows<'a>(model: &Model, ids: &'a [u32], len: usize) -> impl Iterator<Item = Window> + use<'a> {
    cut(model.tokenizer().bos(), ids, len)
}

fn cut(bos: Option<u32>, ids: &[u32], len: usize) -> impl Iterator<Item = Window> + use<'_> {
    let ids = match ids.first() {
        Some(first) if Some(*first) == bos => &ids[1..],
        _ => ids,
    };
    let first = 1 + usize::from(bos.is_some());
    let window = move |piece: &[u32]| Window { ids: bos.into_iter().chain(piece.iter().copied()).collect(), first };
    ids.chunks(len.max(1)).map(window).filter(|window| window.first < window.ids.len())
}

impl Session {
    /// Nats of each id of the window from its first scored one on, each given all before it. The conversation must be
    /// empty and is empty afterwards.
    ///
    /// # Errors
    /// [`Error::Argument`] in a conversation that has begun, for an id beyond the vocabulary or if the first id is to be
    /// scored; [`Error::Context`] if the window does not fit; [`Error::NoLogits`] where the model gives no number.
    pub fn score(&mut self, window: &Window) -> Result<Vec<f64>> {
        let Window { ids, first } = window;
        if !self.is_empty() || self.pending.is_some() {
            let problem = "has begun: texts are scored in one of their own".into();
            return Err(Error::Argument { name: "the conversation", problem });
        }
        let Some(first_row) = first.checked_sub(1) else {
            let problem = "is 0, but nothing stands before the first id".into();
            return Err(Error::Argument { name: "the first scored id", problem });
        };
        self.check_ids(ids)?;
        // The last id is only foretold.
        let Some((_, read)) = ids.split_last().filter(|(_, read)| read.len() > first_row) else {
            return Ok(Vec::new());
        };
        let empty = self.mark();
        let mut nats = Vec::with_capacity(read.len() - first_row);
        let mut wanted = ids.get(*first..).unwrap_or_default().iter();
        let mut seen = |_: &str, _: usize, logits: Vec<f32>| {
            if let Some(id) = wanted.next() {
                nats.push(surprise(&logits, *id));
            }
        };
        let mut watch = Some(Watch { logits_from: first_row, taps: &|_| false, seen: &mut seen });
        let outcome = self.prefill_watched(&[Piece::Tokens(read.to_vec())], &mut watch);
        self.rollback(&empty)?;
        outcome?;
        match nats.iter().position(|nats| !nats.is_finite()) {
            Some(at) => Err(Error::NoLogits {
                model: self.model.folder().into(),
                adapter: self.model.gpu().adapter().title(),
                position: first + at,
            }),
            None => Ok(nats),
        }
    }
}

/// -ln of the probability of `id`.
fn surprise(logits: &[f32], id: u32) -> f64 {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - best).exp()).sum();
    let logit = logits.get(id as usize).copied().unwrap_or(f32::NAN);
    f64::from(best) + sum.ln() - f64::from(logit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_begin_with_the_beginning_of_a_text_and_hold_something_to_score() {
        let of = |bos, ids: &[u32], len| cut(bos, ids, len).map(|w| (w.ids, w.first)).collect::<Vec<_>>();
        // 10 stands in front once; a last window of one id has nothing to score.
        let cut = vec![(vec![10, 1, 2, 3], 2), (vec![10, 4, 5, 6], 2)];
        assert_eq!(of(Some(10), &[1, 2, 3, 4, 5, 6, 7], 3), cut);
        assert_eq!(of(Some(10), &[10, 1, 2, 3, 4, 5, 6], 3), cut);
        assert_eq!(of(None, &[1, 2, 3, 4, 5], 3), [(vec![1, 2, 3], 1), (vec![4, 5], 1)]);
        assert_eq!(of(None, &[1, 2, 3, 4], 3), [(vec![1, 2, 3], 1)]);
        assert_eq!((of(Some(10), &[], 3), of(None, &[7], 3)), (vec![], vec![]));
    }

    #[test]
    fn surprises_of_known_chances() {
        // ln 8, ln 4, ln 2 and twice ln 1: of 16.
        let logits = [8f32, 4.0, 2.0, 1.0, 1.0].map(f32::ln);
        for (id, chance) in [(0, 0.5f64), (1, 0.25), (2, 0.125), (3, 0.0625)] {
            assert!((surprise(&logits, id) + chance.ln()).abs() < 1e-6, "{id}");
            // However large they are.
            assert!((surprise(&logits.map(|logit| logit + 9000.0), id) + chance.ln()).abs() < 1e-3, "{id}");
        }
        assert!(surprise(&[f32::NAN, 1.0], 1).is_nan() && surprise(&[1.0], 1).is_nan());
    }
}
