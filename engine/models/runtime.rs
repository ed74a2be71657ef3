//! What one conversation needs on the GPU: inputs that the host writes, and plans that are replayed.

use crate::error::Result;
use crate::gpu::{Array, Gpu, Plan};
use crate::kernels::norm_rope::angles;
use crate::kernels::stride;
use crate::models::{MediaRun, RunKind};

/// Numbers of a replay, in a buffer that the kernels read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Position of the first row.
    pub position: u32,
    /// Rows.
    pub rows: u32,
    /// The row that the head looks at.
    pub head_row: u32,
}

/// Rotary angles of a kind of layers, computed on the CPU as far as positions have come.
#[derive(Debug)]
pub struct Angles {
    /// One frequency a turning pair.
    pub frequencies: Vec<f32>,
    /// `[context, pairs]` of (cos, sin).
    pub array: Array<[f32; 2]>,
}

/// Arrays that the host writes and reads.
#[derive(Debug)]
pub struct Inputs {
    /// `[chunk_rows]` token ids; the sampler writes the first.
    pub ids: Array<u32>,
    /// [`Step`].
    pub step: Array<u32>,
    /// `[chunk_rows]` last position seen by each row, if later than its own.
    pub ends: Array<u32>,
    /// `[chunk_rows]` rows that a run's embeddings go to.
    pub targets: Array<u32>,
    /// `[vocab_size]` logits of the last head.
    pub logits: Array<f32>,
    /// Sampling numbers.
    pub sampling: Array<u32>,
    /// One bit a word of the vocabulary that occurred.
    pub seen: Array<u32>,
    /// The sampled token and a flag.
    pub token: Array<u32>,
}

/// From the features of a run to embeddings in their places.
pub struct Sense {
    /// `[feature rows, stride(width)]`, as many as a chunk of tokens has.
    pub features: Array<f32>,
    /// It keeps what later rows of a sound look back at, so that rows are to come in order.
    pub remembers: bool,
    /// `[feature rows, 2]` places (x, y) of patches.
    pub places: Option<Array<u32>>,
    /// `[feature rows]` the last row, for encoders in which rows see each other both ways.
    pub ends: Option<Array<u32>>,
    /// Numbers of the replay: first feature row, since the beginning of the sound if it remembers; feature rows; samples
    /// known of the sound; tokens.
    pub span: Array<u32>,
    /// What is replayed, in this order.
    pub stages: Vec<Stage>,
}

impl Sense {
    /// Writes what a replay of `rows` tokens of `run`, from its `first` on, reads.
    pub fn write(&self, gpu: &Gpu, run: &MediaRun, first: usize, rows: usize) {
        let units = first * run.per_token..(first + rows) * run.per_token;
        let values = &run.features[units.start * run.width..units.end * run.width];
        if stride(run.width) == run.width {
            gpu.write(&self.features, 0, values);
        } else {
            for (row, values) in values.chunks_exact(run.width).enumerate() {
                gpu.write(&self.features, row * stride(run.width), values);
            }
        }
        // An encoder that remembers counts the rows of a sound from its beginning.
        let begin = if self.remembers { run.heard.tokens * run.per_token + units.start } else { 0 };
        if let Some(places) = &self.places {
            gpu.write(places, 0, run.positions[units.clone()].as_flattened());
        }
        if let Some(ends) = &self.ends {
            gpu.write(ends, 0, &vec![units.len() as u32 - 1; units.len()]);
        }
        gpu.write(&self.span, 0, &[begin, units.len(), run.heard.samples, rows].map(|number| number as u32));
    }
}

/// A plan of a sense.
pub struct Stage {
    /// What it is, for people.
    pub name: &'static str,
    /// What is replayed.
    pub plan: Plan,
    /// Its rows for each token.
    pub rows_per_token: usize,
}

/// Plans of a conversation. Rows of a replay are those of a chunk.
pub struct Plans {
    /// Ids to embeddings.
    pub embed: Plan,
    /// All layers over a chunk.
    pub layers: Plan,
    /// Logits of one row of the chunk.
    pub head: Plan,
    /// One token from the logits.
    pub sample: Plan,
    /// Everything for one row, from its id to the next one.
    pub decode: Plan,
}

/// One conversation's memory and plans on the GPU.
pub struct Runtime {
    /// What the host writes.
    pub inputs: Inputs,
    /// What is replayed.
    pub plans: Plans,
    /// Patches to embeddings.
    pub sight: Option<Sense>,
    /// Samples to embeddings.
    pub hearing: Option<Sense>,
    /// Rotary angles, by kind of layer.
    pub angles: Vec<Angles>,
    /// Positions that the cache of full layers holds.
    pub context: usize,
    /// Most rows of a chunk.
    pub chunk_rows: usize,
    /// Places of the rings of sliding layers.
    pub ring: usize,
    /// Positions that sliding layers look back.
    pub window: usize,
    /// Positions whose angles are there.
    pub(super) angles_filled: usize,
}

impl Runtime {
    /// What embeds runs of a kind.
    pub fn sense(&self, kind: RunKind) -> Option<&Sense> {
        match kind {
            RunKind::Image | RunKind::Video => self.sight.as_ref(),
            RunKind::Audio => self.hearing.as_ref(),
        }
    }

    /// Computes and uploads the rotary angles of all positions before `end`.
    pub fn fill_angles(&mut self, gpu: &Gpu, end: usize) {
        // In large steps, so that decoding rarely has to.
        let end = end.next_multiple_of(512).min(self.context);
        if end <= self.angles_filled {
            return;
        }
        for kind in &self.angles {
            let pairs = kind.frequencies.len();
            let new: Vec<[f32; 2]> =
                (self.angles_filled..end).flat_map(|position| angles(position, &kind.frequencies)).collect();
            gpu.write(&kind.array, self.angles_filled * pairs, &new);
        }
        self.angles_filled = end;
    }

    /// Writes the numbers of the next replay.
    pub fn write_step(&self, gpu: &Gpu, step: Step) {
        gpu.write(&self.inputs.step, 0, &[step.position, step.rows, step.head_row]);
    }

    /// All logits of the last head.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub fn read_logits(&self, gpu: &Gpu) -> Result<Vec<f32>> {
        gpu.read(&self.inputs.logits)
    }
}
