//! Pictures and sounds of an hour of conversation: the newest stay in memory, older ones lie on the disk alone and are fetched
//! when they come onto the screen again.

use super::{Purpose, Update};
use crate::store::history::{self, Kind};
use crate::store::id::Id;
use crate::store::thread::Question;
use crate::ui::media::Encoded;
use crate::ui::state::{Message, Part, Shape};
use std::time::Duration;

/// Bytes of pictures and sounds that are kept for the screen.
pub const KEPT: u64 = 16 << 20;
/// Bytes that are read of a conversation that is opened, for the model, too.
pub const OPENED: u64 = 128 << 20;
/// Messages far above whose files were fetched and stay as long as no other one's are wanted.
const FETCHED: usize = 24;
/// Frames that a film may have.
const FRAMES: u64 = 32;

impl Update<'_> {
    /// Puts away what lies far above, and on the disk.
    pub(super) fn put_away(&mut self) {
        if self.memory.unsaved {
            return;
        }
        let mut room = KEPT;
        for message in self.state.conversation.messages.iter_mut().rev() {
            for part in &mut message.parts {
                let bytes = held(part);
                let fits = bytes <= room;
                room = room.saturating_sub(bytes);
                if !fits && !self.memory.fetched.contains(&message.id) {
                    put_away(part);
                }
            }
        }
    }

    /// Fetches what was put away of a message.
    pub(super) fn fetch(&mut self, id: i64) {
        if self.memory.fetched.contains(&id) {
            return;
        }
        self.memory.fetched.push_back(id);
        if self.memory.fetched.len() > FETCHED {
            self.memory.fetched.pop_front();
            self.put_away();
        }
        let message = self.state.conversation.messages.iter().find(|message| message.id == id);
        let wanted: Vec<Id> = message.into_iter().flat_map(Message::away).map(Id::from).collect();
        wanted.into_iter().for_each(|media| self.ask(Question::Media(media)));
    }

    /// What a file is that was put away.
    pub(super) fn away(&self, id: Id) -> Option<(Purpose, Kind, String)> {
        let mut parts = self.state.conversation.messages.iter().flat_map(|message| &message.parts);
        parts.find_map(|part| match part {
            Part::Away { media, name, shape } if *media == id.get() => {
                Some((Purpose::Fetch(id), kind(shape), name.clone()))
            }
            _ => None,
        })
    }

    /// It is here again.
    pub(super) fn fetched(&mut self, id: Id, outcome: Result<Encoded, String>) {
        let is_it = |part: &&mut Part| matches!(part, Part::Away { media, .. } if *media == id.get());
        let messages = self.state.conversation.messages.iter_mut();
        let Some(place) = messages.flat_map(|message| &mut message.parts).find(is_it) else { return };
        *place = match outcome {
            Ok(file) => file.shown(id),
            Err(problem) => Part::Text(format!("({problem})")),
        };
    }
}

fn kind(shape: &Shape) -> Kind {
    match shape {
        Shape::Picture { .. } => Kind::Image,
        Shape::Sound { .. } => Kind::Audio,
        Shape::Video { .. } => Kind::Video,
    }
}

/// Bytes that a part holds in memory.
fn held(part: &Part) -> u64 {
    match part {
        Part::Picture { image, .. } | Part::Video { image, .. } => image.rgb.len() as u64,
        Part::Sound { samples, .. } => 4 * samples.len() as u64,
        Part::Text(_) | Part::Away { .. } => 0,
    }
}

/// Bytes that a file of the database takes when it is read.
pub fn read_bytes(file: &history::Media) -> u64 {
    let pixels = 3 * u64::from(file.width.unwrap_or(0)) * u64::from(file.height.unwrap_or(0));
    match file.kind {
        Kind::Image => pixels,
        Kind::Audio => (file.seconds.unwrap_or(0.0).max(0.0) * 64e3) as u64,
        Kind::Video => FRAMES * pixels,
    }
}

/// A file of the database that is not read.
pub fn away(file: &history::Media) -> Part {
    let (width, height) = (file.width.unwrap_or(1), file.height.unwrap_or(1));
    let seconds = file.seconds.unwrap_or(0.0).max(0.0);
    let shape = match file.kind {
        Kind::Image => Shape::Picture { width, height },
        Kind::Audio => Shape::Sound { samples: (seconds * 16e3) as usize },
        Kind::Video => {
            Shape::Video { width, height, duration: Duration::try_from_secs_f64(seconds).unwrap_or_default() }
        }
    };
    Part::Away { media: file.id.get(), name: file.name.clone().unwrap_or_default(), shape }
}

/// Leaves of a part only how it looks from afar, if it lies on the disk.
fn put_away(part: &mut Part) {
    let Some(shape) = part.shape() else { return };
    let (Part::Picture { media: Some(media), name, .. }
    | Part::Video { media: Some(media), name, .. }
    | Part::Sound { media: Some(media), name, .. }) = part
    else {
        return;
    };
    *part = Part::Away { media: *media, name: std::mem::take(name), shape };
}
