//! The mel spectrogram of sound as it is heard, for whoever shows it: the kernel of the spectrogram encoders, run over the newest
//! samples, with any model or none.

use crate::error::Result;
use crate::gpu::{Array, Gpu, Plan, PlanBuilder};
use crate::kernels::spectrogram::{Arrays, Settings, Tables, record, rows_of};
use crate::kernels::stride;
use std::sync::Arc;

/// Bands of the spectrogram.
pub const NUM_MELS: usize = 64;
/// Samples from frame to frame.
pub const HOP_LENGTH: usize = 160;
/// Samples a second that it wants.
pub const SAMPLE_RATE: u32 = 16_000;
/// Rows of four frames that are computed at a time: about a third of a second.
const MOST_ROWS: usize = 8;

/// Log-mel frames of a stream of sound.
pub struct LogMel {
    gpu: Arc<Gpu>,
    settings: Settings,
    plan: Plan,
    samples: Array<f32>,
    span: Array<u32>,
    y: Array<f32>,
    /// Samples of which not all frames were given yet, and those before them that their frames reach back to.
    waiting: Vec<f32>,
    /// Frames at the beginning of `waiting` that were given already, or reach back before it.
    given: usize,
}

impl LogMel {
    /// Of 16 kHz sound: frames of 20 ms every 10 ms, [`NUM_MELS`] bands up to 8 kHz, natural logarithms.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory), [`Error::Driver`](crate::Error::Driver).
    pub fn new(gpu: &Arc<Gpu>) -> Result<LogMel> {
        let settings = Settings::of_lengths(320, HOP_LENGTH, 512, NUM_MELS);
        let tables = Tables::new(gpu, &settings)?;
        let rings = [MOST_ROWS + settings.rows_back(), MOST_ROWS * settings.row_frames];
        let samples = gpu.array("sound that is shown", rings[0] * stride(settings.row_width()))?;
        let span = gpu.array("its span", 3)?;
        let y = gpu.array("its spectrogram", rings[1] * stride(NUM_MELS))?;
        let mut plan = PlanBuilder::new(gpu);
        let arrays = Arrays { samples: &samples, span: &span, y: &y };
        record(&mut plan, &settings, &tables, rings, MOST_ROWS, &arrays)?;
        let plan = plan.finish(&|_, _| {})?;
        Ok(LogMel { gpu: gpu.clone(), settings, plan, samples, span, y, waiting: Vec::new(), given: 0 })
    }

    /// Hears on; gives the frames that are whole now and were not before, `[frames, NUM_MELS]`.
    ///
    /// # Errors
    /// [`Error::DeviceLost`](crate::Error::DeviceLost), [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub fn hear(&mut self, samples: &[f32]) -> Result<Vec<f32>> {
        let mut frames = Vec::new();
        let room = MOST_ROWS * self.settings.row_samples();
        for part in samples.chunks(room / 2) {
            self.waiting.extend_from_slice(part);
            self.frames(&mut frames)?;
            // A row is kept for what the next frames reach back to.
            let rows = (self.given / self.settings.row_frames).saturating_sub(1);
            self.waiting.drain(..rows * self.settings.row_samples());
            self.given -= rows * self.settings.row_frames;
        }
        Ok(frames)
    }

    fn frames(&mut self, out: &mut Vec<f32>) -> Result<()> {
        let (settings, gpu) = (&self.settings, &self.gpu);
        let whole = settings.whole_frames(self.waiting.len());
        if whole <= self.given {
            return Ok(());
        }
        let rows = whole.div_ceil(settings.row_frames);
        let width = settings.row_width();
        for (row, laid) in rows_of(settings, &self.waiting, rows).chunks_exact(width).enumerate() {
            gpu.write(&self.samples, row * stride(width), laid);
        }
        gpu.write(&self.span, 0, &[0, rows as u32, self.waiting.len() as u32]);
        self.plan.run(gpu, rows as u32)?;
        let all = gpu.read_part(&self.y, 0..whole * stride(NUM_MELS))?;
        for frame in all.chunks_exact(stride(NUM_MELS)).skip(self.given) {
            out.extend_from_slice(&frame[..NUM_MELS]);
        }
        self.given = whole;
        Ok(())
    }
}
