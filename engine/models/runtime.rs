//! What one conversation needs on the GPU: inputs that the host writes, and plans that are replayed.

use crate::error::Result;
use crate::gpu::{Array, Gpu, Plan};
use crate::kernels::norm_rope::angles;
use crate::models::RunKind;

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
    /// `[feature rows, stride(width)]`, as many as a chunk of tokens has, or a ring of rows of one sound.
    pub features: Array<f32>,
    /// Rows of that ring; `None` if each replay begins at row 0.
    pub ring: Option<usize>,
    /// `[feature rows, 2]` places (x, y) of patches.
    pub places: Option<Array<u32>>,
    /// `[feature rows]` the last row, for encoders in which rows see each other both ways.
    pub ends: Option<Array<u32>>,
    /// Numbers of the replay: first feature row of the run, feature rows, samples known of the sound, tokens.
    pub span: Array<u32>,
    /// What is replayed, in this order.
    pub stages: Vec<Stage>,
}

/// A plan of a sense.
pub struct Stage {
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
