//! What was said in the conversation, and how much of it the session has read. The session is brought up to it lazily: opening
//! an old conversation costs nothing until something is said in it.

use percept::models::Media;
use percept::session::{Mark, Part, Session};
use percept::{Audio, Image, Result, Video};
use std::ops::Range;
use std::sync::Arc;

/// Samples a second of what is heard.
const RATE: u32 = 16_000;

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Model,
}

/// A part of a message. Pictures and sounds are large, and whoever shows them holds the same ones.
#[derive(Clone, Debug)]
pub enum Piece {
    /// What was typed, or answered.
    Text(String),
    /// A picture.
    Picture(Arc<Image>),
    /// 16 kHz mono.
    Sound(Arc<Vec<f32>>),
    /// A video.
    Video(Arc<Video>),
}

impl Piece {
    /// As the session takes it.
    fn given(&self) -> Part {
        Part::Media(match self {
            Piece::Text(text) => return Part::Text(text.clone()),
            Piece::Picture(image) => Media::Image(Image::clone(image)),
            Piece::Sound(samples) => Media::Audio(Audio { samples: samples.to_vec(), sample_rate: RATE }),
            Piece::Video(video) => Media::Video(Video::clone(video)),
        })
    }

    /// Likewise, or the word for it if this model has no sense for it: what another model was shown stays in the conversation.
    fn fitting(&self, session: &Session) -> Part {
        match self.given() {
            Part::Media(media) if session.model().config().accepts(&media).is_err() => {
                Part::Text(format!("({})", media.kind()))
            }
            part => part,
        }
    }
}

/// A message that was said.
#[derive(Clone, Debug)]
pub struct Past {
    /// What it is called.
    pub id: i64,
    /// Who said it.
    pub role: Role,
    /// What a person said, in its order; of an answer one text.
    pub parts: Vec<Piece>,
}

impl Past {
    /// The same message of the same length has been read as it is.
    fn key(&self) -> (i64, usize) {
        (self.id, self.text().len())
    }

    fn text(&self) -> &str {
        match self.parts.first() {
            Some(Piece::Text(text)) if self.role == Role::Model => text,
            _ => "",
        }
    }
}

/// A part of the message that is being made.
#[derive(Clone, Debug)]
pub enum Open {
    /// As it came.
    Whole(Piece),
    /// Sound as it is heard; more may come while it is the last part.
    Heard(Vec<f32>),
}

/// The message that is being made.
pub struct OpenMessage {
    mark: Mark,
    /// Its parts so far.
    pub parts: Vec<Open>,
    /// Parts of which all was read so far; sound that still comes is the one behind them.
    read: usize,
    /// Samples of that sound that were read.
    samples_read: usize,
}

impl OpenMessage {
    /// More sound.
    pub fn hear(&mut self, samples: &[f32]) {
        match self.parts.last_mut() {
            Some(Open::Heard(heard)) => heard.extend_from_slice(samples),
            _ => self.parts.push(Open::Heard(samples.to_vec())),
        }
    }
}

/// An answer that the session has given.
pub struct Answered {
    /// What it is called.
    pub id: i64,
    /// Before it.
    pub mark: Mark,
    /// Without thoughts.
    pub text: String,
    /// Position of its first token.
    pub first: usize,
    /// Where in the text each token begins.
    pub begins: Vec<usize>,
}

/// A message that the session has read.
struct Read {
    key: (i64, usize),
    /// Before it.
    mark: Mark,
    /// Position of the first token and spans of text of an answer that was generated here.
    tokens: Option<(usize, Vec<Range<usize>>)>,
}

/// See the module.
#[derive(Default)]
pub struct History {
    wanted: Vec<Past>,
    read: Vec<Read>,
    open: Option<OpenMessage>,
    /// The empty conversation.
    start: Option<Mark>,
    /// Messages that were left out because the cache was full.
    left_out: Vec<i64>,
}

impl History {
    /// What was said, all of it.
    pub fn want(&mut self, past: Vec<Past>) {
        let known = self.left_out.iter().zip(&past).take_while(|(id, past)| **id == past.id).count();
        if known < self.left_out.len() {
            self.left_out.clear();
        }
        self.wanted = past.into_iter().skip(self.left_out.len()).collect();
        if let Some(open) = self.open.take() {
            self.read.push(Read { key: (i64::MIN, 0), mark: open.mark, tokens: None });
        }
    }

    /// The session is a new one.
    pub fn nothing_is_read(&mut self) {
        self.read.clear();
        self.start = None;
        if let Some(open) = &mut self.open {
            (open.read, open.samples_read) = (0, 0);
        }
    }

    /// Brings the session to where the open message begins, if it is not there.
    ///
    /// # Errors
    /// As [`Session::push`].
    pub fn catch_up(&mut self, session: &mut Session) -> Result<()> {
        let start = self.start.get_or_insert_with(|| session.mark()).clone();
        let same = self.wanted.iter().zip(&self.read).take_while(|(past, read)| past.key() == read.key).count();
        if same == self.wanted.len() && same == self.read.len() {
            return Ok(());
        }
        let back = self.read.get(same).map(|read| read.mark.clone());
        if let Some(mark) = back.or_else(|| self.read.is_empty().then_some(start)) {
            session.rollback(&mark)?;
            self.read.truncate(same);
        }
        for past in &self.wanted[same..] {
            let mark = session.mark();
            match past.role {
                Role::Model => session.say(past.text())?,
                Role::User => past.parts.iter().try_for_each(|piece| session.push(piece.fitting(session)))?,
            }
            self.read.push(Read { key: past.key(), mark, tokens: None });
        }
        if let Some(open) = &mut self.open {
            (open.mark, open.read, open.samples_read) = (session.mark(), 0, 0);
        }
        Ok(())
    }

    /// The message that is being made, begun if there is none.
    pub fn open(&mut self, session: &Session) -> &mut OpenMessage {
        self.open.get_or_insert_with(|| OpenMessage {
            mark: session.mark(),
            parts: Vec::new(),
            read: 0,
            samples_read: 0,
        })
    }

    /// Reads what of the open message was not read yet. A part that the model cannot take is left out of it.
    ///
    /// # Errors
    /// As [`Session::push`].
    pub fn read_open(&mut self, session: &mut Session) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        while let Some(part) = open.parts.get(open.read) {
            let last = open.read + 1 == open.parts.len();
            let outcome = match part {
                Open::Whole(piece) => session.push(piece.given()),
                Open::Heard(samples) => {
                    let outcome = session.hear(&samples[open.samples_read..]);
                    open.samples_read = samples.len();
                    outcome
                }
            };
            match outcome {
                Ok(()) if last && matches!(part, Open::Heard(_)) => return Ok(()),
                Ok(()) => (open.read, open.samples_read) = (open.read + 1, 0),
                Err(error @ percept::Error::Context { .. }) => return Err(error),
                Err(error) => {
                    open.parts.remove(open.read);
                    open.samples_read = 0;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Forgets the open message.
    ///
    /// # Errors
    /// As [`Session::rollback`].
    pub fn forget_open(&mut self, session: &mut Session) -> Result<()> {
        match self.open.take() {
            Some(open) => session.rollback(&open.mark),
            None => Ok(()),
        }
    }

    /// The open message is whole, and answered.
    pub fn answered(&mut self, user: i64, answered: Answered) {
        let Some(open) = self.open.take() else { return };
        let parts = open.parts.into_iter().map(|part| match part {
            Open::Whole(piece) => piece,
            Open::Heard(samples) => Piece::Sound(Arc::new(samples)),
        });
        let Answered { id, mark, text, first, begins } = answered;
        let ends = begins.iter().skip(1).copied().chain([text.len()]);
        let spans = begins.iter().zip(ends).map(|(begin, end)| *begin..end).collect();
        let said = [
            Past { id: user, role: Role::User, parts: parts.collect() },
            Past { id, role: Role::Model, parts: vec![Piece::Text(text)] },
        ];
        self.read.push(Read { key: said[0].key(), mark: open.mark, tokens: None });
        self.read.push(Read { key: said[1].key(), mark, tokens: Some((first, spans)) });
        self.wanted.extend(said);
    }

    /// Position of the first token and the span of text of each one, if the answer was generated here and is in the cache.
    pub fn tokens_of(&self, answer: i64) -> Option<(usize, Vec<Range<usize>>)> {
        self.read.iter().find(|read| read.key.0 == answer)?.tokens.clone()
    }

    /// Leaves out the older half of the messages, whole turns at a time; how many that are, 0 if there is nothing left to leave
    /// out.
    pub fn leave_out_oldest(&mut self) -> usize {
        let half = self.wanted.len().div_ceil(2);
        let is_user = |(_, past): &(usize, &Past)| past.role == Role::User;
        let turn = self.wanted.iter().enumerate().skip(half).find(is_user).map_or(self.wanted.len(), |(at, _)| at);
        self.left_out.extend(self.wanted.drain(..turn).map(|past| past.id));
        turn
    }
}
