//! What one conversation needs on the GPU: inputs that the host writes, and plans that are replayed.

use crate::error::Result;
use crate::gpu::{Array, Gpu, Plan};
use crate::kernels::norm_rope::angles;

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
    /// `[chunk_rows, patch_len]` patches.
    pub patches: Option<Array<f32>>,
    /// `[chunk_rows, 2]` places of patches.
    pub places: Option<Array<u32>>,
    /// `[chunk_rows, frame_samples]` frames.
    pub frames: Option<Array<f32>>,
    /// `[vocab_size]` logits of the last head.
    pub logits: Array<f32>,
    /// Sampling numbers.
    pub sampling: Array<u32>,
    /// One bit a word of the vocabulary that occurred.
    pub seen: Array<u32>,
    /// The sampled token and a flag.
    pub token: Array<u32>,
}

/// Plans of a conversation. Rows of a replay are those of a chunk.
pub struct Plans {
    /// Ids to embeddings.
    pub embed: Plan,
    /// Patches to embeddings, scattered.
    pub vision: Option<Plan>,
    /// Frames to embeddings, scattered.
    pub sound: Option<Plan>,
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
    angles_filled: usize,
}

impl Runtime {
    pub(super) fn new(
        inputs: Inputs,
        plans: Plans,
        angles: Vec<Angles>,
        context: usize,
        chunk_rows: usize,
        ring: usize,
        window: usize,
    ) -> Runtime {
        Runtime { inputs, plans, angles, context, chunk_rows, ring, window, angles_filled: 0 }
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
