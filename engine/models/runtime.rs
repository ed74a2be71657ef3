//! What one conversation needs on the GPU: inputs that the host writes, and plans that are replayed.

use crate::error::Result;
use crate::gpu::{Array, Gpu, Plan};
use crate::kernels::norm_rope::angles;
use crate::kernels::stride;
use crate::models::{MediaRun, RunKind};
use std::ops::Range;

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

/// Keys and values of a layer, or of the earlier one that it attends to.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Places; position p lies in place p % slots.
    pub slots: usize,
    /// `[slots, num_kv_heads, stride(head_dim)]`, as attention reads them.
    pub k: Array<f32>,
    /// As `k`.
    pub v: Array<f32>,
}

impl Cache {
    /// Keys, then values, of `positions`, at most `slots`, without looking whether the cache still holds them.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub fn read(&self, gpu: &Gpu, positions: Range<usize>) -> Result<[Vec<f32>; 2]> {
        Ok([self.keys(gpu, positions.clone())?, self.rows(gpu, &self.v, positions)?])
    }

    /// The keys of `positions` alone.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub fn keys(&self, gpu: &Gpu, positions: Range<usize>) -> Result<Vec<f32>> {
        self.rows(gpu, &self.k, positions)
    }

    /// Writes back what [`Cache::read`] gave for these positions.
    pub fn write(&self, gpu: &Gpu, positions: Range<usize>, rows: &[Vec<f32>; 2]) {
        for (array, mut rest) in [&self.k, &self.v].into_iter().zip(rows.each_ref().map(Vec::as_slice)) {
            for part in self.parts(positions.clone()) {
                let (now, later) = rest.split_at(part.len());
                gpu.write(array, part.start, now);
                rest = later;
            }
        }
    }

    fn rows(&self, gpu: &Gpu, array: &Array<f32>, positions: Range<usize>) -> Result<Vec<f32>> {
        let parts = self.parts(positions).into_iter().map(|part| gpu.read_part(array, part));
        Ok(parts.collect::<Result<Vec<_>>>()?.concat())
    }

    /// Where these positions lie: in one piece, and in a second one where the ring begins anew.
    fn parts(&self, positions: Range<usize>) -> [Range<usize>; 2] {
        let width = self.k.len() / self.slots;
        let start = positions.start % self.slots;
        let end = start + positions.len().min(self.slots);
        [start..end.min(self.slots), 0..end.saturating_sub(self.slots)].map(|r| r.start * width..r.end * width)
    }
}

/// Arrays that the host writes and reads.
#[derive(Debug)]
pub struct Inputs {
    /// `[chunk_rows]` token ids; the sampler writes the first.
    pub ids: Array<u32>,
    /// [`Step`].
    pub step: Array<u32>,
    /// `[chunk_rows]` first position seen by each row, and the last one, if later than its own.
    pub ends: Array<[u32; 2]>,
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

/// Tokens of a run.
#[derive(Clone, Copy)]
pub struct RunPart<'a> {
    /// That run.
    pub run: &'a MediaRun,
    /// The first of them.
    pub first: usize,
    /// How many.
    pub rows: usize,
}

/// From the features of runs to embeddings in their places.
pub struct Sense {
    /// `[feature rows, stride(width)]`, as many as a chunk of tokens has.
    pub features: Array<f32>,
    /// It keeps what later rows of a sound look back at, so that rows are to come in order.
    pub remembers: bool,
    /// `[feature rows, 2]` places (x, y) of patches.
    pub places: Option<Array<u32>>,
    /// `[feature rows]` first and last row of the same picture, for encoders in which these see each other both ways.
    pub ends: Option<Array<[u32; 2]>>,
    /// Most tokens of pictures that are embedded together; a picture of more comes alone.
    pub together: usize,
    /// Numbers of the replay: first feature row, since the beginning of the sound if it remembers; feature rows; samples
    /// known of the sound; tokens.
    pub span: Array<u32>,
    /// What is replayed, in this order.
    pub stages: Vec<Stage>,
}

impl Sense {
    /// How many of `parts`, from the first on, are embedded in one replay: whole pictures one after another, or one sound.
    pub fn count_together(&self, parts: &[RunPart<'_>]) -> usize {
        let mut tokens = 0;
        let fits = |part: &&RunPart<'_>| {
            tokens += part.rows;
            part.run.is_block() && tokens <= self.together
        };
        parts.iter().take_while(fits).count().max(1)
    }

    /// Writes what a replay of the tokens of `parts` reads: a part of a sound, or pictures.
    pub fn write(&self, gpu: &Gpu, parts: &[RunPart<'_>]) {
        let (mut begin, mut samples, mut tokens, mut at) = (0, 0, 0, 0);
        for RunPart { run, first, rows } in parts {
            let units = first * run.per_token..(first + rows) * run.per_token;
            let values = &run.features[units.start * run.width..units.end * run.width];
            let padded = stride(run.width);
            if padded == run.width {
                gpu.write(&self.features, at * padded, values);
            } else {
                for (row, values) in values.chunks_exact(run.width).enumerate() {
                    gpu.write(&self.features, (at + row) * padded, values);
                }
            }
            // An encoder that remembers counts the rows of a sound from its beginning.
            if self.remembers {
                begin = run.heard.tokens * run.per_token + units.start;
            }
            if let Some(places) = &self.places {
                gpu.write(places, 2 * at, run.positions[units.clone()].as_flattened());
            }
            if let Some(ends) = &self.ends {
                let both = [at, at + units.len() - 1].map(|row| row as u32);
                gpu.write(ends, at, &vec![both; units.len()]);
            }
            (samples, tokens, at) = (run.heard.samples, tokens + rows, at + units.len());
        }
        gpu.write(&self.span, 0, &[begin, at, samples, tokens].map(|number| number as u32));
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
    /// Keys and values, by layer.
    pub caches: Vec<Cache>,
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
