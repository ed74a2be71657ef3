//! Model families, and what they give to a session: weights, prepared parts, and the plans of one conversation.

pub mod gemma;
mod gemma3;
mod gemma4;
mod gemma4_unified;
mod model;
mod prompt;
mod runtime;

pub use model::{
    Defaults, LoadOptions, Model, Progress, config, family, family_named, has_projector, template, tokenizer,
};
pub use runtime::{Cache, RunPart, Runtime, Sense, Stage, Step};

use crate::media::{Audio, Image, Video};

/// A part of a message that is not text.
#[derive(Clone, Debug)]
pub enum Media {
    /// A picture.
    Image(Image),
    /// A recording.
    Audio(Audio),
    /// Frames with times, maybe with sound.
    Video(Video),
}

impl Media {
    /// What chat templates call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Media::Image(_) => "image",
            Media::Audio(_) => "audio",
            Media::Video(_) => "video",
        }
    }
}

/// What the rows of a run are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// Patches of a picture; they see each other both ways.
    Image,
    /// Patches of one video frame; they see each other both ways.
    Video,
    /// Frames of sound.
    Audio,
}

/// Consecutive tokens whose embeddings come from features.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaRun {
    /// What they are.
    pub kind: RunKind,
    /// The id that stands for each of them.
    pub token: u32,
    /// How many.
    pub rows: usize,
    /// Patches, or stretches of sound, that become one token.
    pub per_token: usize,
    /// Features of each of these.
    pub width: usize,
    /// `[rows * per_token, width]`.
    pub features: Vec<f32>,
    /// (x, y) of each patch; empty for sound.
    pub positions: Vec<[u32; 2]>,
    /// Where it continues a sound.
    pub heard: Heard,
}

/// A part of a sound that is read as it is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Tokens before it.
    pub tokens: usize,
    /// Samples known, from the beginning of the sound on: those of its tokens and maybe some behind them.
    pub samples: usize,
}

impl MediaRun {
    /// Whether its rows must be prefilled in one chunk.
    pub fn is_block(&self) -> bool {
        self.kind != RunKind::Audio
    }

    /// Columns and rows of the tokens of a picture, which come row by row; `None` for sound.
    pub fn grid(&self) -> Option<[usize; 2]> {
        let patches = *self.positions.iter().map(|[x, _]| x).max()? as usize + 1;
        let columns = (patches / self.per_token.isqrt()).max(1);
        Some([columns, self.rows / columns])
    }
}

/// A piece of a prompt before its text is turned into ids.
#[derive(Clone, Debug, PartialEq)]
pub enum Segment {
    /// Text, special tokens spelled out.
    Text(String),
    /// Tokens with features.
    Run(MediaRun),
}

/// A piece of a prompt as the cache takes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Token ids.
    Tokens(Vec<u32>),
    /// Tokens with features.
    Run(std::sync::Arc<MediaRun>),
}

impl Piece {
    /// Tokens in it.
    pub fn len(&self) -> usize {
        match self {
            Piece::Tokens(ids) => ids.len(),
            Piece::Run(run) => run.rows,
        }
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
