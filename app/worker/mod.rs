//! The thread that owns the model and its conversation: commands go in, events come out, nothing here knows a window.

mod history;
mod load;

pub use history::{Past, Piece, Role};
pub use load::{LoadRequest, Loaded};

use anyhow::Result;
use history::{Answered, History, Open, OpenMessage};
use percept::Error;
use percept::gpu::{Profile, ShaderTime};
use percept::hearing::LogMel;
use percept::models::Model;
use percept::session::{Event as Said, Generation, Session, StopReason, Timings};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Tokens that an answer should find free in the cache, or an eighth of a smaller one.
const LEAST_ANSWER: usize = 256;

/// The fastest of so many tokens is shown by its kernels, or of as many as begin in that time.
const PROFILES: usize = 5;
const PROFILING: Duration = Duration::from_millis(150);

/// What the engine is asked to do, in this order.
#[derive(Debug)]
pub enum Command {
    /// A model; what was said stays.
    Load(LoadRequest),
    /// What was said so far. It is read before the next part or answer, as far as it was not read yet.
    Begin(Vec<Past>),
    /// A part of the person's message, read at once.
    Push(Piece),
    /// Sound of that message, 16 kHz mono, while it is spoken.
    Hear(Vec<f32>),
    /// That message is no message.
    Forget,
    /// It is whole: `user` is what it is called from now on, `answer` what is generated.
    Answer { user: i64, answer: i64, sampling: Sampling },
    /// Where an answer looked.
    Look { answer: i64 },
    /// Sound whose mel spectrogram is shown, 16 kHz mono.
    Show(Vec<f32>),
    /// Where the time of a token goes; the conversation does not notice.
    Profile(Sampling),
}

/// What of [`Generation`] a person chooses; the rest is as the model's publisher has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// See [`Generation`].
    pub temperature: Option<f32>,
    /// See [`Generation`].
    pub top_p: Option<f32>,
    /// See [`Generation`].
    pub top_k: Option<u32>,
    /// See [`Generation`].
    pub max_tokens: Option<usize>,
    /// See [`Generation`].
    pub seed: u64,
}

/// What the engine tells.
#[derive(Debug)]
pub enum Event {
    /// A model is on its way: what goes on, and how much of it is done, from 0 to 1.
    Loading { model: String, what: &'static str, share: f32 },
    /// It answers.
    Ready(Box<Loaded>),
    /// It cannot be loaded, in a sentence. One that was there before answers no more.
    NotLoaded(String),
    /// So many tokens were read into the cache in that time.
    Read { tokens: usize, time: Duration },
    /// More of an answer.
    Text { answer: i64, delta: String, thinking: bool },
    /// The answer is complete.
    Done { answer: i64, reason: StopReason, timings: Timings },
    /// The message was not read or the answer failed, in a sentence.
    Failed { answer: Option<i64>, problem: String },
    /// The cache was full: so many messages at the beginning are known to the person alone from now on.
    Forgot { messages: usize },
    /// What is in the cache, and bytes held on the adapter.
    Held { cache_len: usize, context: usize, bytes: u64 },
    /// Frames of the mel spectrogram, `[frames, NUM_MELS]` in logarithms.
    Mel(Vec<f32>),
    /// Where each token of an answer looked.
    Looks { answer: i64, looks: Vec<Look> },
    /// The kernels of one token, the slowest first; `None` where the adapter does not tell.
    Kernels(Option<Vec<ShaderTime>>),
}

/// Where a token looked in one of the pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Bytes of the answer's text that the token made.
    pub bytes: std::ops::Range<usize>,
    /// Which picture, counted from the beginning of what the model remembers.
    pub picture: usize,
    /// Cells in a row.
    pub columns: usize,
    /// Rows of cells.
    pub rows: usize,
    /// The share of attention to each cell, row by row.
    pub weights: Vec<f32>,
}

/// The thread. Dropped, it ends after what it is doing.
pub struct Worker {
    commands: Option<Sender<Command>>,
    events: Receiver<Event>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts it; `wake` is called after each event.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(wake: impl Fn() + Send + Sync + 'static) -> Result<Worker> {
        let (commands, receive) = channel();
        let (send, events) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let mut engine = Engine {
            tell: Arc::new(move |event| {
                // A window that is gone needs no news.
                let _ = send.send(event);
                wake();
            }),
            stop: stop.clone(),
            request: None,
            session: None,
            history: History::default(),
            ear: None,
        };
        let thread = std::thread::Builder::new().name("engine".into()).spawn(move || {
            for command in receive {
                engine.carry_out(command);
            }
        })?;
        Ok(Worker { commands: Some(commands), events, stop, thread: Some(thread) })
    }

    /// Asks for something.
    pub fn send(&self, command: Command) {
        if let Command::Answer { .. } = command {
            self.stop.store(false, Ordering::Relaxed);
        }
        if let Some(commands) = &self.commands {
            // The thread ends only with this value.
            let _ = commands.send(command);
        }
    }

    /// Ends the answer that is being generated.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// The next event, if there is one.
    pub fn event(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread has.
struct Engine {
    tell: Arc<dyn Fn(Event) + Send + Sync>,
    stop: Arc<AtomicBool>,
    /// What was loaded last, to load it again when a device is lost.
    request: Option<LoadRequest>,
    session: Option<Session>,
    history: History,
    /// What makes the mel spectrogram, once it was asked for.
    ear: Option<LogMel>,
}

impl Engine {
    fn carry_out(&mut self, command: Command) {
        let answer = match &command {
            Command::Answer { answer, .. } => Some(*answer),
            _ => None,
        };
        let outcome = match command {
            Command::Load(request) => {
                self.load(request);
                return;
            }
            Command::Begin(past) => {
                self.history.want(past);
                return;
            }
            Command::Show(samples) => {
                // It is only a picture: what fails is met again where it matters.
                self.ear = self.show(&samples).ok().flatten();
                return;
            }
            Command::Forget => self.forget(),
            Command::Push(piece) => self.read(|message| message.parts.push(Open::Whole(piece))),
            Command::Hear(samples) => self.read(|message| message.hear(&samples)),
            Command::Answer { user, answer, sampling } => self.answer(user, answer, &sampling),
            Command::Look { answer } => self.look(answer),
            Command::Profile(sampling) => self.profile(&sampling),
        };
        if let Err(error) = outcome {
            let lost = matches!(error, Error::DeviceLost { .. });
            (self.tell)(Event::Failed { answer, problem: error.to_string() });
            if lost {
                self.recover();
            }
        }
        self.tell_held();
    }

    fn load(&mut self, request: LoadRequest) {
        // The old model's memory is needed for the new one.
        (self.session, self.ear) = (None, None);
        self.history.nothing_is_read();
        match load::load(&request, &|event| (self.tell)(event)) {
            Ok((session, loaded)) => {
                self.session = Some(session);
                (self.tell)(Event::Ready(Box::new(loaded)));
                self.tell_held();
            }
            Err(problem) => (self.tell)(Event::NotLoaded(format!("{problem:#}"))),
        }
        self.request = Some(request);
    }

    /// After a device was lost: the same once more, on whatever adapter is there now.
    fn recover(&mut self) {
        if let Some(request) = self.request.take() {
            self.load(request);
        }
    }

    fn tell_held(&self) {
        if let Some(session) = &self.session {
            let bytes = session.model().gpu().held_bytes();
            (self.tell)(Event::Held { cache_len: session.len(), context: session.context(), bytes });
        }
    }

    /// Does something to the session after everything that was said is read. Where the cache is full the oldest messages are
    /// left out and it is done once more.
    fn with_room<T>(
        &mut self,
        mut doing: impl FnMut(&mut Session, &mut History) -> percept::Result<T>,
    ) -> percept::Result<T> {
        let Some(session) = &mut self.session else {
            let problem = "is not loaded; choose one on the models page".into();
            return Err(Error::Argument { name: "a model", problem });
        };
        loop {
            let outcome = self.history.catch_up(session).and_then(|()| doing(session, &mut self.history));
            let Err(Error::Context { .. }) = outcome else { return outcome };
            let messages = self.history.leave_out_oldest();
            if messages == 0 {
                return outcome;
            }
            (self.tell)(Event::Forgot { messages });
        }
    }

    /// Adds to the message that is being made, and reads it.
    fn read(&mut self, add: impl FnOnce(&mut OpenMessage)) -> percept::Result<()> {
        let started = Instant::now();
        let mut add = Some(add);
        let tokens = self.with_room(|session, history| {
            let before = session.len();
            // Whatever happens, the message holds it: when older messages are left out it is read again.
            if let Some(add) = add.take() {
                add(history.open(session));
            }
            history.read_open(session)?;
            Ok(session.len() - before)
        })?;
        if tokens > 0 {
            (self.tell)(Event::Read { tokens, time: started.elapsed() });
        }
        Ok(())
    }

    fn forget(&mut self) -> percept::Result<()> {
        match &mut self.session {
            Some(session) => self.history.forget_open(session),
            None => Ok(()),
        }
    }

    fn answer(&mut self, user: i64, answer: i64, sampling: &Sampling) -> percept::Result<()> {
        let (tell, stop) = (self.tell.clone(), self.stop.clone());
        self.with_room(|session, history| {
            history.read_open(session)?;
            leave_room(session)?;
            let (mark, cancel) = (session.mark(), session.cancel_handle());
            let generation = generation(session.model(), sampling);
            let (mut text, mut begins) = (String::new(), Vec::new());
            let mut tokens = session.generate(&generation)?;
            let mut first = 0;
            for event in &mut tokens {
                match event? {
                    Said::Token { .. } => begins.push(text.len()),
                    Said::Text { delta, thinking } => {
                        if !thinking {
                            text += &delta;
                        }
                        tell(Event::Text { answer, delta, thinking });
                    }
                    Said::Stop { reason, timings } => {
                        first = timings.prompt_tokens;
                        tell(Event::Done { answer, reason, timings });
                    }
                }
                if stop.load(Ordering::Relaxed) {
                    cancel.cancel();
                }
            }
            drop(tokens);
            history.answered(user, Answered { id: answer, mark, text, first, begins });
            Ok(())
        })
    }

    fn show(&mut self, samples: &[f32]) -> percept::Result<Option<LogMel>> {
        let Some(session) = &self.session else { return Ok(None) };
        let mut ear = match self.ear.take() {
            Some(ear) => ear,
            None => LogMel::new(session.model().gpu())?,
        };
        (self.tell)(Event::Mel(ear.hear(samples)?));
        Ok(Some(ear))
    }

    fn look(&mut self, answer: i64) -> percept::Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let looks = match self.history.tokens_of(answer) {
            Some((first, spans)) => looks(session, first, &spans)?,
            None => Vec::new(),
        };
        (self.tell)(Event::Looks { answer, looks });
        Ok(())
    }

    fn profile(&mut self, sampling: &Sampling) -> percept::Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let generation = generation(session.model(), sampling);
        let started = Instant::now();
        let mut fastest: Option<Profile> = None;
        // Whatever else the machine does makes single steps longer.
        for _ in 0..PROFILES {
            let profile = match session.profile(&generation) {
                // Another answer makes room; until then the last times stand.
                Err(Error::Context { .. }) => return Ok(()),
                outcome => outcome?,
            };
            fastest = fastest.into_iter().chain(profile).min_by_key(Profile::time);
            if fastest.is_none() || started.elapsed() > PROFILING {
                break;
            }
        }
        (self.tell)(Event::Kernels(fastest.map(|profile| profile.shaders)));
        Ok(())
    }
}

/// Where each token that made some text looked.
fn looks(session: &mut Session, first: usize, spans: &[std::ops::Range<usize>]) -> percept::Result<Vec<Look>> {
    let mut all = Vec::new();
    for look in session.looks(first..first + spans.len())? {
        let tokens = spans.iter().zip(look.weights).filter(|(bytes, _)| !bytes.is_empty());
        all.extend(tokens.map(|(bytes, weights)| Look {
            bytes: bytes.clone(),
            picture: look.picture,
            columns: look.columns,
            rows: look.rows,
            weights,
        }));
    }
    Ok(all)
}

/// Room for an answer of a few sentences, or none at all: then the oldest messages have to go.
fn leave_room(session: &Session) -> percept::Result<()> {
    let (len, context) = (session.len(), session.context());
    let needed = len + LEAST_ANSWER.min(context / 8);
    if needed <= context {
        return Ok(());
    }
    Err(Error::Context { needed, capacity: context, limit: session.model().config().max_position_embeddings })
}

fn generation(model: &Model, sampling: &Sampling) -> Generation {
    let mut generation = Generation::new(model.defaults(), sampling.seed);
    generation.temperature = sampling.temperature.unwrap_or(generation.temperature);
    generation.top_p = sampling.top_p.unwrap_or(generation.top_p);
    generation.top_k = sampling.top_k.unwrap_or(generation.top_k);
    generation.max_tokens = sampling.max_tokens;
    generation
}
