//! Token ids without a template: read as they are, continued as they are.

use super::{Answer, Generation, Session};
use crate::error::{Error, Result};
use crate::models::{Model, Piece};
use std::time::Instant;

/// Ids of a text as it stands: special tokens spelled in it count as such, and the token that begins a text stands in
/// front, if the tokenizer has one.
///
/// # Errors
/// [`Error::Tokenizer`] if the tokenizer fails.
pub fn raw_ids(model: &Model, text: &str) -> Result<Vec<u32>> {
    let mut ids = model.tokenizer().encode(text)?;
    if let Some(bos) = model.tokenizer().bos()
        && ids.first() != Some(&bos)
    {
        ids.insert(0, bos);
    }
    Ok(ids)
}

impl Session {
    /// Reads a text as it stands behind what is there, as [`raw_ids`]; what begins a text stands in front of the first one.
    ///
    /// # Errors
    /// As [`raw_ids`] and [`Session::push_ids`].
    pub fn push_raw(&mut self, text: &str) -> Result<()> {
        let ids = raw_ids(&self.model, text)?;
        let begun = !self.is_empty() && ids.first().is_some_and(|first| Some(*first) == self.model.tokenizer().bos());
        self.push_ids(&ids[usize::from(begun)..])
    }

    /// Reads ids into the cache behind what is there, without a template around them.
    ///
    /// # Errors
    /// [`Error::Argument`] while a message is open or for an id beyond the vocabulary, [`Error::Context`] if they do not
    /// fit. The conversation is then as before.
    pub fn push_ids(&mut self, ids: &[u32]) -> Result<()> {
        self.refuse_open("read")?;
        let before = self.mark();
        let read = self.prefill(&[Piece::Tokens(ids.to_vec())]);
        self.restore_on_error(before, read)
    }

    /// Continues what is in the cache, without a template: what comes next is no message of anybody.
    ///
    /// # Errors
    /// [`Error::Argument`] if nothing was read or a message is open, [`Error::Context`] if no token fits.
    pub fn continue_raw(&mut self, generation: &Generation) -> Result<Answer<'_>> {
        let started = Instant::now();
        generation.check()?;
        self.refuse_open("continued")?;
        let before = self.mark();
        let ready = self.make_ready();
        self.restore_on_error(before, ready)?;
        self.answer(generation, started)
    }

    /// Whether all ids have a row in the embedding.
    pub(super) fn check_ids(&self, ids: &[u32]) -> Result<()> {
        let words = self.model.config().vocab_size;
        match ids.iter().find(|id| **id as usize >= words) {
            Some(id) => {
                let problem = format!("is {id}, this model's ids end at {}", words.saturating_sub(1));
                Err(Error::Argument { name: "a token id", problem })
            }
            None => Ok(()),
        }
    }

    fn refuse_open(&self, done: &str) -> Result<()> {
        if self.transcript.is_open() {
            let problem = format!("is open, so ids cannot be {done}: ask for an answer or roll back first");
            return Err(Error::Argument { name: "the message", problem });
        }
        Ok(())
    }

    /// Sees to it that the state of the last token is that which the head looks at.
    fn make_ready(&mut self) -> Result<()> {
        // An answer that was cut off has said one more than was read.
        self.prefill(&[])?;
        if !self.ready {
            let mut pieces = self.log.pieces(0..self.log.len());
            let last = match pieces.pop() {
                None => {
                    let problem = "is empty: there is nothing to continue".into();
                    return Err(Error::Argument { name: "the conversation", problem });
                }
                Some(Piece::Tokens(mut ids)) => Piece::Tokens(ids.split_off(ids.len().saturating_sub(1))),
                Some(run) => run,
            };
            self.shorten(self.log.len().saturating_sub(last.len()))?;
            self.prefill(&[last])?;
        }
        self.check_room()
    }
}
