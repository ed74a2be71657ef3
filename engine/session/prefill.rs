//! Reading pieces into the cache, chunk by chunk.

use super::Session;
use crate::error::{Error, Result};
use crate::gpu::{Plan, Tap};
use crate::models::{MediaRun, Piece, RunKind, RunPart, Step};
use std::sync::Arc;

/// Told of the states on the way, by name; see [`crate::trace`].
pub(crate) struct Watch<'a> {
    /// Logits are computed for the rows from this position on.
    pub(crate) logits_from: usize,
    /// Whether another state is told, too, by its name.
    pub(crate) taps: &'a dyn Fn(&str) -> bool,
    /// Takes a name, the width of a row, and the values of the rows of a chunk.
    pub(crate) seen: &'a mut dyn FnMut(&str, usize, Vec<f32>),
}

/// Rows that are read together.
#[derive(Default)]
struct Chunk {
    ids: Vec<u32>,
    /// First position that each row sees, and the last one, if later than its own.
    ends: Vec<[u32; 2]>,
    runs: Vec<Slice>,
}

/// Rows of a run that lie in a chunk.
struct Slice {
    run: Arc<MediaRun>,
    first: usize,
    rows: usize,
    /// Its first row in the chunk.
    place: usize,
}

impl Slice {
    fn part(&self) -> RunPart<'_> {
        RunPart { run: &self.run, first: self.first, rows: self.rows }
    }
}

impl Session {
    /// Reads `pieces`, and before them the last token of an answer that was cut off.
    pub(super) fn prefill(&mut self, pieces: &[Piece]) -> Result<()> {
        self.prefill_watched(pieces, &mut None)
    }

    /// As [`Session::prefill`], telling `watch` of every state.
    pub(crate) fn prefill_watched(&mut self, pieces: &[Piece], watch: &mut Option<Watch<'_>>) -> Result<()> {
        let pending: Vec<Piece> = self.pending.iter().map(|id| Piece::Tokens(vec![*id])).collect();
        let needed = self.log.len() + pending.iter().chain(pieces).map(Piece::len).sum::<usize>();
        if needed > self.runtime.context {
            let limit = self.model.config().max_position_embeddings;
            return Err(Error::Context { needed, capacity: self.runtime.context, limit });
        }
        for piece in pieces {
            if let Piece::Tokens(ids) = piece {
                self.check_ids(ids)?;
            }
        }
        self.pending = None;
        let mut chunk = Chunk::default();
        for piece in pending.iter().chain(pieces) {
            match piece {
                Piece::Tokens(ids) => self.add_tokens(&mut chunk, ids, watch)?,
                Piece::Run(run) => self.add_run(&mut chunk, run, watch)?,
            }
            self.log.push(piece);
        }
        self.read(&mut chunk, watch)
    }

    fn add_tokens(&mut self, chunk: &mut Chunk, mut ids: &[u32], watch: &mut Option<Watch<'_>>) -> Result<()> {
        while !ids.is_empty() {
            let room = self.room(chunk, 1, watch)?;
            let (now, later) = ids.split_at(room.min(ids.len()));
            chunk.ids.extend_from_slice(now);
            chunk.ends.resize(chunk.ids.len(), [0; 2]);
            ids = later;
        }
        Ok(())
    }

    fn add_run(&mut self, chunk: &mut Chunk, run: &Arc<MediaRun>, watch: &mut Option<Watch<'_>>) -> Result<()> {
        let mut first = 0;
        while first < run.rows {
            let room = self.room(chunk, if run.is_block() { run.rows } else { 1 }, watch)?;
            let rows = room.min(run.rows - first);
            chunk.runs.push(Slice { run: run.clone(), first, rows, place: chunk.ids.len() });
            // The rows of a picture see each other up to its last one.
            let end = if run.is_block() { self.cached + chunk.ids.len() + run.rows - 1 } else { 0 };
            chunk.ids.resize(chunk.ids.len() + rows, run.token);
            chunk.ends.resize(chunk.ids.len(), [0, end as u32]);
            first += rows;
        }
        Ok(())
    }

    /// Room in the chunk, which is read first if less than `wanted` rows are left.
    fn room(&mut self, chunk: &mut Chunk, wanted: usize, watch: &mut Option<Watch<'_>>) -> Result<usize> {
        let most = self.runtime.chunk_rows;
        if wanted > most {
            let problem = format!("takes {wanted} tokens at once, at most {most} fit");
            return Err(Error::Argument { name: "a picture", problem });
        }
        if most - chunk.ids.len() < wanted {
            self.read(chunk, watch)?;
        }
        Ok(most - chunk.ids.len())
    }

    /// Replays the plans over the rows of the chunk and empties it.
    fn read(&mut self, chunk: &mut Chunk, watch: &mut Option<Watch<'_>>) -> Result<()> {
        let chunk = std::mem::take(chunk);
        let (start, rows) = (self.cached, chunk.ids.len());
        if rows == 0 {
            return Ok(());
        }
        self.ready = false;
        let gpu = self.model.gpu().clone();
        self.runtime.fill_angles(&gpu, start + rows);
        gpu.write(&self.runtime.inputs.ids, 0, &chunk.ids);
        gpu.write(&self.runtime.inputs.ends, 0, &chunk.ends);
        let step = Step { position: start as u32, rows: rows as u32, head_row: rows as u32 - 1 };
        self.runtime.write_step(&gpu, step);
        self.replay(&self.runtime.plans.embed, rows, watch)?;
        let mut runs = &chunk.runs[..];
        while !runs.is_empty() {
            runs = self.embed_first(runs, watch)?;
        }
        self.replay(&self.runtime.plans.layers, rows, watch)?;
        self.cached = start + rows;
        self.high_water = self.high_water.max(self.cached);
        self.head_row = step.head_row;
        if let Some(watch) = watch {
            for row in watch.logits_from.saturating_sub(start)..rows {
                self.runtime.write_step(&gpu, Step { head_row: row as u32, ..step });
                self.runtime.plans.head.run(&gpu, 1)?;
                let logits = self.runtime.read_logits(&gpu)?;
                (watch.seen)("logits", logits.len(), logits);
            }
        }
        self.ready = true;
        Ok(())
    }

    /// Turns the first of `slices`, and what is embedded together with it, into embeddings in their places; the others are
    /// left.
    fn embed_first<'s>(&mut self, slices: &'s [Slice], watch: &mut Option<Watch<'_>>) -> Result<&'s [Slice]> {
        let (gpu, runtime, kind) = (self.model.gpu(), &self.runtime, slices[0].run.kind);
        let Some(sense) = runtime.sense(kind) else { return Ok(&slices[1..]) };
        let parts: Vec<RunPart<'_>> = slices.iter().map(Slice::part).collect();
        let count = sense.count_together(&parts);
        let (now, later) = slices.split_at(count);
        sense.write(gpu, &parts[..count]);
        let targets: Vec<u32> = now.iter().flat_map(|s| s.place as u32..(s.place + s.rows) as u32).collect();
        gpu.write(&runtime.inputs.targets, 0, &targets);
        if kind == RunKind::Audio {
            self.sound_rows += targets.len() as u64;
        }
        for stage in &sense.stages {
            self.replay(&stage.plan, targets.len() * stage.rows_per_token, watch)?;
        }
        Ok(later)
    }

    fn replay(&self, plan: &Plan, rows: usize, watch: &mut Option<Watch<'_>>) -> Result<()> {
        match watch {
            Some(Watch { taps, seen, .. }) => {
                let wanted = |tap: &Tap| taps(&tap.name);
                plan.trace(self.model.gpu(), rows as u32, wanted, |tap, values| seen(&tap.name, tap.width, values))
            }
            None => plan.run(self.model.gpu(), rows as u32),
        }
    }

    /// Forgets everything in the cache from `len` on.
    pub(super) fn shorten(&mut self, len: usize) -> Result<()> {
        let len = self.log.truncate(len);
        if self.cached >= len && self.holds_before(len) {
            self.ready &= self.cached == len;
            self.cached = len;
            return Ok(());
        }
        self.read_again()
    }

    /// Whether the rings still hold what lies within the window before `len`: too much may have been written since.
    pub(super) fn holds_before(&self, len: usize) -> bool {
        self.high_water.saturating_sub(self.runtime.ring) <= len.saturating_sub(self.runtime.window - 1)
    }

    /// Reads everything in the log anew.
    pub(super) fn read_again(&mut self) -> Result<()> {
        let log = std::mem::take(&mut self.log);
        let pieces = log.pieces(0..log.len());
        let pending = self.pending.take();
        (self.cached, self.high_water, self.ready) = (0, 0, false);
        let again = self.prefill(&pieces);
        self.pending = pending;
        again
    }
}
