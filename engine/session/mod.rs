//! One conversation: parts are read into the cache as they arrive, answers are generated from it, nothing is read twice.

mod embed;
mod generate;
mod log;
mod looks;
pub(crate) mod prefill;
mod profile;
mod raw;
mod score;
mod transcript;

pub use generate::{Answer, Event, Generation, StopReason, Timings};
pub use looks::Look;
pub use raw::raw_ids;
pub use score::{Window, windows};

use crate::error::{Error, Result};
use crate::gpu::TokenReader;
use crate::media::Audio;
use crate::models::gemma::Sound;
use crate::models::{Heard, Media, Model, Piece, Progress, RunKind, Runtime};
use log::Log;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use transcript::Transcript;

/// Context of a conversation where nothing else is asked for; the model's own limit may be lower.
pub const DEFAULT_CONTEXT: usize = 8192;
/// Fewer positions than this are not worth a conversation.
const LEAST_CONTEXT: usize = 512;
/// Decode steps on their way at a time.
const IN_FLIGHT: usize = 2;

/// How a conversation begins.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Positions that the cache holds. If `None`, [`DEFAULT_CONTEXT`] or the model's limit, or less where memory is short.
    pub context: Option<usize>,
    /// A system message.
    pub system: Option<String>,
    /// Let models that can think do so before they answer.
    pub thinking: bool,
}

/// A part of what the user says.
#[derive(Clone, Debug)]
pub enum Part {
    /// Text; special tokens spelled in it are only letters.
    Text(String),
    /// A picture, sound or video.
    Media(Media),
}

impl From<&str> for Part {
    fn from(text: &str) -> Part {
        Part::Text(text.into())
    }
}

/// A place in a conversation to come back to.
#[derive(Clone, Debug)]
pub struct Mark {
    len: usize,
    transcript: Transcript,
    pending: Option<u32>,
    hearing: Option<Hearing>,
    sound_rows: u64,
}

/// A sound that is being heard.
#[derive(Clone, Debug, Default)]
struct Hearing {
    /// Samples that are in no token yet.
    waiting: Vec<f32>,
    /// Samples heard.
    samples: usize,
    /// Tokens read.
    tokens: usize,
}

/// Stops an answer from another thread.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// The answer that is being generated ends after the token on its way.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One conversation with a model.
pub struct Session {
    model: Arc<Model>,
    runtime: Runtime,
    reader: TokenReader,
    log: Log,
    transcript: Transcript,
    /// The last token of an answer that was cut off: said, but not yet read into the cache.
    pending: Option<u32>,
    /// Positions written into the rings since they were last whole, including steps that were thrown away.
    high_water: usize,
    /// Positions in the cache; the same as the log's length but while a chunk waits or an answer is generated.
    cached: usize,
    /// Decode steps submitted for the answer that is being generated.
    steps: usize,
    /// The row of the last replay of the layers that the head looks at.
    head_row: u32,
    /// That row is the state of the last token in the cache.
    ready: bool,
    /// Sound that is being heard.
    hearing: Option<Hearing>,
    /// Rows of sound embedded so far: an encoder that remembers the last ones has lost those of an earlier mark.
    sound_rows: u64,
    cancel: Cancel,
}

/// The runtime for `context`; unless that many positions were asked for, for fewer where memory is short.
fn runtime(
    model: &Model,
    asked: Option<usize>,
    mut context: usize,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Runtime> {
    loop {
        match model.runtime(context, progress) {
            Err(Error::OutOfMemory { what, .. }) if asked.is_none() && context / 2 >= LEAST_CONTEXT => {
                tracing::warn!(
                    "{what} for {context} tokens did not fit into GPU memory: this conversation holds {}",
                    context / 2
                );
                context /= 2;
            }
            outcome => return outcome,
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("model", &self.model).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Session {
    /// An empty conversation; memory and plans are made here, nothing later.
    ///
    /// # Errors
    /// [`Error::Argument`] for a context beyond the model's limit, [`Error::OutOfMemory`], [`Error::Driver`].
    pub fn new(model: &Arc<Model>, options: &SessionOptions, progress: &(dyn Fn(Progress) + Sync)) -> Result<Session> {
        let limit = model.config().max_position_embeddings;
        let context = options.context.unwrap_or(DEFAULT_CONTEXT.min(limit));
        if context == 0 || context > limit {
            let problem = format!("is {context}, this model takes 1 to {limit}");
            return Err(Error::Argument { name: "context", problem });
        }
        let system = options.system.as_ref().map(|text| model.escape(text));
        Ok(Session {
            model: model.clone(),
            runtime: runtime(model, options.context, context, progress)?,
            reader: TokenReader::new(model.gpu(), IN_FLIGHT)?,
            log: Log::default(),
            transcript: Transcript::new(system.as_deref(), options.thinking),
            pending: None,
            high_water: 0,
            cached: 0,
            steps: 0,
            head_row: 0,
            ready: false,
            hearing: None,
            sound_rows: 0,
            cancel: Cancel::default(),
        })
    }

    /// The model that answers.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Its memory and plans.
    #[doc(hidden)]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Tokens in the cache.
    pub fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Token ids in the cache, placeholders where pictures and sound lie.
    pub fn ids(&self) -> &[u32] {
        self.log.ids()
    }

    /// Positions that the cache holds.
    pub fn context(&self) -> usize {
        self.runtime.context
    }

    /// What stops an answer of this session from another thread.
    pub fn cancel_handle(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Reads a part of the user's message into the cache, opening the message if none is open.
    ///
    /// # Errors
    /// [`Error::Context`] if it does not fit; whatever is wrong with the part. The conversation is then as before.
    pub fn push(&mut self, part: Part) -> Result<()> {
        if let Part::Media(media) = &part {
            // A template may not know what the model has no sense for.
            self.model.config().accepts(media)?;
        }
        self.hear_end()?;
        let before = self.mark();
        let read = self.push_parts(part);
        self.restore_on_error(before, read)
    }

    fn push_parts(&mut self, part: Part) -> Result<()> {
        let media = match part {
            Part::Text(text) => {
                let text = self.model.escape(&text);
                self.transcript.push("text", &text);
                None
            }
            Part::Media(media) => {
                self.transcript.push(media.kind(), "");
                Some(media)
            }
        };
        let rendered = self.transcript.advance(self.model.template()?)?;
        let pieces = self.model.pieces(&rendered, media.as_slice())?;
        self.prefill(&pieces)
    }

    /// Closes the user's message and reads `text` as its answer, as if the model had given it: a conversation that is restored,
    /// or an answer of which only the beginning counts.
    ///
    /// # Errors
    /// As [`Session::generate`]. The conversation is then as before.
    pub fn say(&mut self, text: &str) -> Result<()> {
        let before = self.mark();
        let read = self.close_turn().and_then(|()| {
            let pieces = self.model.pieces(&self.model.escape(text), &[])?;
            self.prefill(&pieces)
        });
        self.restore_on_error(before, read)
    }

    /// Reads sound at the model's rate as it is heard: whole tokens at once, the rest when more comes or the sound ends,
    /// which any other call means. The first call opens the sound.
    ///
    /// # Errors
    /// As [`Session::push`].
    pub fn hear(&mut self, samples: &[f32]) -> Result<()> {
        let ids = self.model.config().media_ids;
        let Some(sound) = self.model.config().sound.clone() else {
            // The family names what it takes.
            return self.push(Part::Media(Media::Audio(Audio { samples: samples.to_vec(), sample_rate: 16_000 })));
        };
        if self.hearing.is_none() {
            let before = self.mark();
            self.transcript.push("audio", "");
            let opened = self.open_sound(ids.audio, ids.audio_ends[0]);
            self.restore_on_error(before, opened)?;
            self.hearing = Some(Hearing::default());
        }
        if let Some(hearing) = &mut self.hearing {
            hearing.waiting.extend_from_slice(samples);
            hearing.samples += samples.len();
        }
        match self.heard_run(&sound, false) {
            Some(run) => self.prefill(&[run]),
            None => Ok(()),
        }
    }

    /// The tokens of the sound that is being heard that can be read now.
    fn heard_run(&mut self, sound: &Sound, ended: bool) -> Option<Piece> {
        let Hearing { waiting, samples, tokens } = self.hearing.as_mut()?;
        let due = sound.tokens(*samples, ended).saturating_sub(*tokens);
        if due == 0 {
            return None;
        }
        let heard = Heard { tokens: *tokens, samples: *samples };
        let run = self.model.config().sound_run(waiting, due, heard);
        waiting.drain(..waiting.len().min(due * sound.frame_samples));
        *tokens += due;
        Some(run)
    }

    /// Reads what stands before the placeholder of a sound, and the sound's begin.
    fn open_sound(&mut self, audio: u32, begin: u32) -> Result<()> {
        let rendered = self.transcript.advance(self.model.template()?)?;
        let placeholder = self.model.tokenizer().token(audio).unwrap_or_default();
        let before = rendered.strip_suffix(placeholder.as_str()).unwrap_or(&rendered).to_string();
        let mut pieces = self.model.pieces(&before, &[])?;
        pieces.push(Piece::Tokens(vec![begin]));
        self.prefill(&pieces)
    }

    /// Ends the sound that is being heard.
    fn hear_end(&mut self) -> Result<()> {
        let (Some(_), Some(sound)) = (&self.hearing, self.model.config().sound.clone()) else { return Ok(()) };
        let mut pieces: Vec<Piece> = self.heard_run(&sound, true).into_iter().collect();
        self.hearing = None;
        pieces.push(Piece::Tokens(vec![self.model.config().media_ids.audio_ends[1]]));
        self.prefill(&pieces)
    }

    /// A place to come back to.
    pub fn mark(&self) -> Mark {
        Mark {
            len: self.log.len(),
            transcript: self.transcript.clone(),
            pending: self.pending,
            hearing: self.hearing.clone(),
            sound_rows: self.sound_rows,
        }
    }

    /// Back to a mark: what was read and said since is forgotten. Cheap unless the sliding layers have lost what they
    /// would need; then everything up to the mark is read again.
    ///
    /// # Errors
    /// As [`Session::push`], if it has to be read again.
    pub fn rollback(&mut self, mark: &Mark) -> Result<()> {
        self.hearing = mark.hearing.clone();
        self.transcript = mark.transcript.clone();
        self.pending = mark.pending;
        let remembers = self.runtime.sense(RunKind::Audio).is_some_and(|sense| sense.remembers);
        if remembers && mark.hearing.is_some() && self.sound_rows != mark.sound_rows {
            self.log.truncate(mark.len);
            return self.read_again();
        }
        self.shorten(mark.len)
    }

    fn restore_on_error<T>(&mut self, before: Mark, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            // The first error is the one to report; a lost device fails here too.
            let _ = self.rollback(&before);
        }
        outcome
    }
}
