//! From the GPU back to the CPU: whole arrays for tests and traces, one small slot a token while generating.

use super::array::Buffer;
use super::{Array, Gpu, Plan};
use crate::error::{Error, Result};
use bytemuck::Pod;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

impl Gpu {
    /// All values of `array`, after everything submitted before.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] for the staging buffer, or as [`Gpu::check`].
    pub fn read<T: Pod>(&self, array: &Array<T>) -> Result<Vec<T>> {
        self.read_part(array, 0..array.len())
    }

    /// As [`Gpu::read`], only the values at `places`, which begin at a multiple of four bytes.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub fn read_part<T: Pod>(&self, array: &Array<T>, places: Range<usize>) -> Result<Vec<T>> {
        assert!(places.end <= array.len(), "read {places:?} of {}", array.len());
        let encoder = self.device.create_command_encoder(&Default::default());
        self.read_after(encoder, &array.buffer, places.start * size_of::<T>(), places.len())
    }

    /// After what `encoder` holds: `len` values of `buffer` from byte `start` on.
    pub(super) fn read_after<T: Pod>(
        &self,
        mut encoder: wgpu::CommandEncoder,
        buffer: &Buffer,
        start: usize,
        len: usize,
    ) -> Result<Vec<T>> {
        let wanted = len * size_of::<T>();
        let bytes = wanted.next_multiple_of(4).max(4) as u64;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.buffer("readback", bytes, usage)?;
        encoder.copy_buffer_to_buffer(&buffer.raw, start as u64, &staging.raw, 0, bytes);
        self.queue.submit([encoder.finish()]);
        let slice = staging.raw.slice(..);
        slice.map_async(wgpu::MapMode::Read, |_| {});
        self.wait("reading back")?;
        let view = slice.get_mapped_range().map_err(|e| self.unreadable(&e.to_string()))?;
        let mut values = vec![T::zeroed(); len];
        bytemuck::cast_slice_mut::<T, u8>(&mut values).copy_from_slice(&view[..wanted]);
        drop(view);
        staging.raw.unmap();
        Ok(values)
    }

    fn unreadable(&self, problem: &str) -> Error {
        Error::Driver { adapter: self.summary.title(), what: "reading back".into(), problem: problem.into() }
    }
}

const FREE: u8 = 0;
const WAITING: u8 = 1;
const READY: u8 = 2;
const FAILED: u8 = 3;

struct Slot {
    staging: Arc<Buffer>,
    state: Arc<AtomicU8>,
    /// What is waited for: a later step may already be on its way.
    submission: Option<wgpu::SubmissionIndex>,
}

/// A ring of small staging buffers: each step copies two values there and reads them when they have come.
pub struct TokenReader {
    slots: Vec<Slot>,
    submitted: usize,
    taken: usize,
}

impl TokenReader {
    /// `depth` steps can be on their way at a time.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn new(gpu: &Gpu, depth: usize) -> Result<TokenReader> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let slots = (0..depth.max(1))
            .map(|_| Ok(Slot { staging: gpu.buffer("token", 16, usage)?, state: Arc::default(), submission: None }))
            .collect::<Result<_>>()?;
        Ok(TokenReader { slots, submitted: 0, taken: 0 })
    }

    /// Steps submitted and not yet taken.
    pub fn in_flight(&self) -> usize {
        self.submitted - self.taken
    }

    /// Whether another step fits.
    pub fn has_room(&self) -> bool {
        self.in_flight() < self.slots.len()
    }

    /// Submits `plan` for one row and the copy of the first two values of `token`.
    ///
    /// # Errors
    /// [`Error::Argument`] without room, or as [`Gpu::check`].
    pub fn submit(&mut self, gpu: &Gpu, plan: &Plan, token: &Array<u32>) -> Result<()> {
        if !self.has_room() {
            let problem = format!("are {} already, the most there is room for", self.in_flight());
            return Err(Error::Argument { name: "steps in flight", problem });
        }
        let place = self.submitted % self.slots.len();
        let slot = &mut self.slots[place];
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        plan.encode(gpu, &mut encoder, 1)?;
        encoder.copy_buffer_to_buffer(&token.buffer.raw, 0, &slot.staging.raw, 0, 8);
        slot.submission = Some(gpu.queue.submit([encoder.finish()]));
        gpu.count(|c| &c.submits, 1);
        slot.state.store(WAITING, Ordering::Release);
        let state = slot.state.clone();
        slot.staging.raw.slice(..8).map_async(wgpu::MapMode::Read, move |outcome| {
            state.store(if outcome.is_ok() { READY } else { FAILED }, Ordering::Release);
        });
        self.submitted += 1;
        gpu.check("decoding")
    }

    /// The values of the oldest step on its way, waiting for it if need be; `None` if none is.
    ///
    /// # Errors
    /// As [`Gpu::check`].
    pub fn take(&mut self, gpu: &Gpu) -> Result<Option<[u32; 2]>> {
        if self.in_flight() == 0 {
            return Ok(None);
        }
        let slot = &self.slots[self.taken % self.slots.len()];
        while slot.state.load(Ordering::Acquire) == WAITING {
            let timeout = Some(std::time::Duration::from_millis(50));
            let _ = gpu.device.poll(wgpu::PollType::Wait { submission_index: slot.submission.clone(), timeout });
            gpu.check("decoding")?;
        }
        self.taken += 1;
        if slot.state.swap(FREE, Ordering::AcqRel) == FAILED {
            gpu.check("decoding")?;
            return Err(gpu.unreadable("the token did not come back"));
        }
        let view = slot.staging.raw.slice(..8).get_mapped_range().map_err(|e| gpu.unreadable(&e.to_string()))?;
        let value = |at: usize| u32::from_le_bytes([view[at], view[at + 1], view[at + 2], view[at + 3]]);
        let values = [value(0), value(4)];
        drop(view);
        slot.staging.raw.unmap();
        Ok(Some(values))
    }
}
