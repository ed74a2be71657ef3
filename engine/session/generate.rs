//! The decode loop: tokens sampled on the GPU, a few steps ahead of what the CPU has read, turned into events.

use super::Session;
use crate::error::{Error, Result};
use crate::kernels::sample::Sampling;
use crate::models::{Defaults, Step};
use crate::text::TextStream;
use std::time::{Duration, Instant};

/// How an answer is generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// 0 picks the likeliest token.
    pub temperature: f32,
    /// Only the `top_k` likeliest; 0 for all.
    pub top_k: u32,
    /// Only the likeliest whose probabilities add up to `top_p`; 1 for all.
    pub top_p: f32,
    /// Only those at least `min_p` times as likely as the likeliest; 0 for all.
    pub min_p: f32,
    /// Tokens that occurred become this many times less likely; 1 for off.
    pub repetition_penalty: f32,
    /// The same seed gives the same answer.
    pub seed: u64,
    /// Most tokens of the answer; as many as the context holds if `None`.
    pub max_tokens: Option<usize>,
    /// Ids that end the answer.
    pub stop_ids: Vec<u32>,
}

impl Generation {
    /// As the model's publisher would have it.
    pub fn new(defaults: &Defaults, seed: u64) -> Generation {
        Generation {
            temperature: defaults.temperature,
            top_k: defaults.top_k,
            top_p: defaults.top_p,
            min_p: defaults.min_p,
            repetition_penalty: defaults.repetition_penalty,
            seed,
            max_tokens: None,
            stop_ids: defaults.stop_ids.clone(),
        }
    }

    /// The likeliest token at each step.
    pub fn greedy(defaults: &Defaults) -> Generation {
        Generation { temperature: 0.0, repetition_penalty: 1.0, ..Generation::new(defaults, 0) }
    }

    /// # Errors
    /// [`Error::Argument`] for the first number out of range.
    pub fn check(&self) -> Result<()> {
        let ranges = [
            ("temperature", self.temperature, 0.0, 100.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("repetition_penalty", self.repetition_penalty, 0.01, 100.0),
        ];
        for (name, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(Error::Argument { name, problem: format!("is {value}, expected {low} to {high}") });
            }
        }
        Ok(())
    }

    pub(super) fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            seed_lo: self.seed as u32,
            seed_hi: (self.seed >> 32) as u32,
            pad: 0,
        }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The model ended it.
    End,
    /// It has `max_tokens` tokens.
    MaxTokens,
    /// The context is full.
    Context,
    /// It was cancelled.
    Cancelled,
}

/// How long things took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// Tokens in the cache when the answer began.
    pub prompt_tokens: usize,
    /// Tokens of the answer.
    pub tokens: usize,
    /// From the call to the first token.
    pub first_token: Duration,
    /// From the first token to the last.
    pub decode: Duration,
}

impl Timings {
    /// Tokens per second after the first one; `None` if there was none.
    pub fn tokens_per_s(&self) -> Option<f64> {
        let seconds = self.decode.as_secs_f64();
        (self.tokens > 1 && seconds > 0.0).then(|| (self.tokens - 1) as f64 / seconds)
    }
}

/// What happens while an answer is generated.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A token was sampled; its text may come later.
    Token {
        /// Its id.
        id: u32,
    },
    /// More text, always whole characters.
    Text {
        /// What is new.
        delta: String,
        /// It belongs to what the model thinks before it answers.
        thinking: bool,
    },
    /// The answer is complete.
    Stop {
        /// Why.
        reason: StopReason,
        /// How long things took.
        timings: Timings,
    },
}

/// An answer as it comes: an iterator of events, the last of which is [`Event::Stop`] or an error. Dropped earlier, it
/// ends the answer where it is.
#[derive(Debug)]
pub struct Answer<'a> {
    session: &'a mut Session,
    max_tokens: usize,
    stop_ids: Vec<u32>,
    stream: TextStream,
    channels: [Option<u32>; 2],
    thinking: bool,
    said: Vec<u32>,
    queue: std::collections::VecDeque<Event>,
    started: Instant,
    first: Option<Instant>,
    timings: Timings,
    done: bool,
}

impl Session {
    /// Closes the user's message and generates the answer.
    ///
    /// # Errors
    /// [`Error::Argument`] if nothing was said, [`Error::Context`] if no token of an answer fits, and what reading the
    /// closing tokens can meet.
    pub fn generate(&mut self, generation: &Generation) -> Result<Answer<'_>> {
        let started = Instant::now();
        generation.check()?;
        let before = self.mark();
        let closed = self.close_turn();
        self.restore_on_error(before, closed)?;
        self.answer(generation, started)
    }

    /// The answer that follows what was read last.
    pub(super) fn answer(&mut self, generation: &Generation, started: Instant) -> Result<Answer<'_>> {
        self.begin(generation)?;
        let token = |name| self.model.tokenizer().token_id(name);
        let channels = [token("<|channel>"), token("<channel|>")];
        Ok(Answer {
            max_tokens: generation.max_tokens.unwrap_or(usize::MAX).max(1),
            stop_ids: generation.stop_ids.clone(),
            stream: self.model.tokenizer().stream(true),
            channels,
            thinking: false,
            said: Vec::new(),
            queue: Default::default(),
            started,
            first: None,
            timings: Timings { prompt_tokens: self.log.len(), ..Timings::default() },
            done: false,
            session: self,
        })
    }

    pub(super) fn close_turn(&mut self) -> Result<()> {
        self.hear_end()?;
        if !self.transcript.is_open() {
            let problem = "is empty: push a part before asking for an answer".into();
            return Err(Error::Argument { name: "the message", problem });
        }
        let rendered = self.transcript.close(self.model.template()?)?;
        let pieces = self.model.pieces(&rendered, &[])?;
        self.prefill(&pieces)?;
        self.check_room()
    }

    /// Whether another token fits.
    pub(super) fn check_room(&self) -> Result<()> {
        if self.log.len() >= self.runtime.context {
            let limit = self.model.config().max_position_embeddings;
            return Err(Error::Context { needed: self.log.len() + 1, capacity: self.runtime.context, limit });
        }
        Ok(())
    }

    /// Samples the first token from the last row that was read; [`Session::take_token`] gives it.
    pub(crate) fn begin(&mut self, generation: &Generation) -> Result<()> {
        self.cancel.0.store(false, std::sync::atomic::Ordering::Relaxed);
        let gpu = self.model.gpu();
        let inputs = &self.runtime.inputs;
        let mut seen = vec![0u32; inputs.seen.len()];
        // Placeholders of pictures and sound are words like others here, as in the reference.
        for id in self.log.ids() {
            // A placeholder may lie beyond the vocabulary.
            if let Some(word) = seen.get_mut(*id as usize / 32) {
                *word |= 1 << (id % 32);
            }
        }
        gpu.write(&inputs.seen, 0, &seen);
        gpu.write(&inputs.sampling, 0, &generation.sampling().words());
        let position = self.cached as u32;
        self.runtime.write_step(gpu, Step { position, rows: 1, head_row: self.head_row });
        self.runtime.plans.head.run(gpu, 1)?;
        // The sampler moves the position on by one, to that of the row that it has made.
        gpu.write(&inputs.ends, 0, &[[0u32; 2]]);
        self.runtime.write_step(gpu, Step { position: position.wrapping_sub(1), rows: 1, head_row: 0 });
        self.reader.submit(gpu, &self.runtime.plans.sample, &inputs.token)?;
        self.head_row = 0;
        self.ready = false;
        self.steps = 0;
        Ok(())
    }

    /// Submits one more decode step, if the context has room for its row.
    pub(crate) fn submit_step(&mut self) -> Result<bool> {
        let position = self.cached + self.steps;
        if position >= self.runtime.context {
            return Ok(false);
        }
        let gpu = self.model.gpu().clone();
        self.runtime.fill_angles(&gpu, position + 1);
        self.reader.submit(&gpu, &self.runtime.plans.decode, &self.runtime.inputs.token)?;
        self.steps += 1;
        self.high_water = self.high_water.max(position + 1);
        Ok(true)
    }

    /// The oldest sampled token not yet taken.
    pub(crate) fn take_token(&mut self) -> Result<Option<u32>> {
        match self.reader.take(self.model.gpu())? {
            Some([token, 0]) => Ok(Some(token)),
            None => Ok(None),
            Some(_) => Err(Error::NoLogits {
                model: self.model.folder().into(),
                adapter: self.model.gpu().adapter().title(),
                position: self.cached + self.steps,
            }),
        }
    }

    /// Puts what was said into the log: all of it was read but maybe the last token.
    fn end(&mut self, said: &[u32], last_is_read: bool) -> Result<()> {
        while self.reader.take(self.model.gpu())?.is_some() {}
        let read = if last_is_read { said.len() } else { said.len().saturating_sub(1) };
        self.log.push(&crate::models::Piece::Tokens(said[..read].to_vec()));
        self.cached = self.log.len();
        self.pending = said.get(read).copied();
        Ok(())
    }
}

impl Answer<'_> {
    /// Logits of the first token, one a word of the vocabulary; `None` once the second one is on its way.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::DeviceLost`], [`Error::Driver`].
    pub fn first_logits(&self) -> Result<Option<Vec<f32>>> {
        match self.session.steps {
            0 if !self.done => self.session.runtime.read_logits(self.session.model.gpu()).map(Some),
            _ => Ok(None),
        }
    }

    /// Samples until there is an event to give.
    fn advance(&mut self) -> Result<()> {
        while self.queue.is_empty() {
            let more = self.said.len() + self.session.reader.in_flight() < self.max_tokens;
            while more && self.session.reader.has_room() && self.session.submit_step()? {
                if self.said.len() + self.session.reader.in_flight() >= self.max_tokens {
                    break;
                }
            }
            let Some(id) = self.session.take_token()? else { return self.stop(StopReason::Context, false) };
            self.first.get_or_insert_with(Instant::now);
            if self.stop_ids.contains(&id) {
                return self.stop(StopReason::End, true);
            }
            self.said.push(id);
            self.queue.push_back(Event::Token { id });
            self.text(id)?;
            if self.said.len() >= self.max_tokens {
                return self.stop(StopReason::MaxTokens, false);
            }
            if self.session.cancel.is_cancelled() {
                return self.stop(StopReason::Cancelled, false);
            }
        }
        Ok(())
    }

    fn text(&mut self, id: u32) -> Result<()> {
        if Some(id) == self.channels[0] || Some(id) == self.channels[1] {
            let rest = self.stream.finish();
            self.emit(rest);
            self.stream = self.session.model.tokenizer().stream(true);
            self.thinking = Some(id) == self.channels[0];
            return Ok(());
        }
        let delta = self.stream.push(id)?;
        self.emit(delta);
        Ok(())
    }

    fn emit(&mut self, delta: String) {
        if !delta.is_empty() {
            self.queue.push_back(Event::Text { delta, thinking: self.thinking });
        }
    }

    fn stop(&mut self, reason: StopReason, last_is_read: bool) -> Result<()> {
        self.done = true;
        let now = Instant::now();
        let first = self.first.unwrap_or(now);
        self.timings.tokens = self.said.len();
        self.timings.first_token = first - self.started;
        self.timings.decode = now - first;
        let rest = self.stream.finish();
        self.emit(rest);
        self.session.end(&self.said, last_is_read)?;
        self.queue.push_back(Event::Stop { reason, timings: self.timings });
        Ok(())
    }
}

impl Iterator for Answer<'_> {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        if !self.done
            && self.queue.is_empty()
            && let Err(error) = self.advance()
        {
            self.done = true;
            return Some(Err(error));
        }
        self.queue.pop_front().map(Ok)
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        if !self.done {
            // A failure here is met again by the next call.
            let _ = self.session.end(&self.said, false);
        }
    }
}
