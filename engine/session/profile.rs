//! Where the time of one token goes on the adapter, shader by shader. The step is one of an answer, on the real cache, and
//! thrown away like those that a decode loop has ahead of a stop.

use super::{Generation, Session};
use crate::error::Result;
use crate::gpu::{Gpu, Profile};
use crate::models::Step;

impl Session {
    /// Makes one token behind what is in the cache, sampled as `generation` says, with each dispatch between two time stamps
    /// of the adapter. `None` where the adapter has no time stamps, or none that can be. The token is nobody's: the
    /// conversation is as before, and an answer is the same with and without this call.
    ///
    /// It runs the step twice, the first time to warm up. Nothing of it is kept: buffers for the stamps are made here.
    ///
    /// # Errors
    /// [`Error::Context`](crate::Error) if the cache is full; [`OutOfMemory`](crate::Error::OutOfMemory),
    /// [`DeviceLost`](crate::Error::DeviceLost), [`Driver`](crate::Error::Driver).
    pub fn profile(&mut self, generation: &Generation) -> Result<Option<Profile>> {
        generation.check()?;
        let gpu = self.model.gpu().clone();
        if !gpu.capabilities().timestamps {
            return Ok(None);
        }
        self.check_room()?;
        let position = self.cached;
        // What the head looked at is lost, and the ring of a sliding layer gets a row that is none of the conversation.
        self.ready = false;
        self.high_water = self.high_water.max(position + 1);
        self.runtime.fill_angles(&gpu, position + 1);
        gpu.write(&self.runtime.inputs.sampling, 0, &generation.sampling().words());
        self.write_row(&gpu, position);
        self.runtime.plans.decode.run(&gpu, 1)?;
        gpu.wait("measuring a token")?;
        // The sampler has moved on.
        self.write_row(&gpu, position);
        self.runtime.plans.decode.profile(&gpu, 1)
    }

    /// The next row: the last token that is known, which costs as much as any.
    fn write_row(&self, gpu: &Gpu, position: usize) {
        let words = self.model.config().vocab_size;
        let last = self.pending.or(self.log.ids().last().copied());
        // A placeholder may lie beyond the vocabulary.
        let id = last.filter(|id| (*id as usize) < words).unwrap_or(0);
        let inputs = &self.runtime.inputs;
        gpu.write(&inputs.ids, 0, &[id]);
        gpu.write(&inputs.ends, 0, &[[0u32; 2]]);
        self.runtime.write_step(gpu, Step { position: position as u32, rows: 1, head_row: 0 });
    }
}
