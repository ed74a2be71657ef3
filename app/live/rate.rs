//! Another sample rate for sound that arrives bit by bit.

use super::RATE;
use anyhow::anyhow;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// Rates that a device may have.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=768_000;

/// Turns a stream of one rate into one of another, in steps of about 10 ms.
pub struct Converter {
    resampler: Option<Fft<f32>>,
    waiting: Vec<f32>,
    made: Vec<f32>,
}

impl Converter {
    /// From a device's rate to that of the app.
    pub fn from_device(rate: u32) -> anyhow::Result<Converter> {
        Converter::new(rate, RATE)
    }

    /// From the app's rate to that of a device.
    pub fn to_device(rate: u32) -> anyhow::Result<Converter> {
        Converter::new(RATE, rate)
    }

    fn new(from: u32, to: u32) -> anyhow::Result<Converter> {
        let refused = |problem: String| anyhow!("a sample rate of {problem}; choose another device or rate");
        if !RATES.contains(&from) || !RATES.contains(&to) {
            let (least, most) = (RATES.start(), RATES.end());
            return Err(refused(format!(
                "{} Hz is not between {least} and {most}",
                if to == RATE { from } else { to }
            )));
        }
        let resampler = (from != to).then(|| {
            let chunk = from as usize / 100;
            // One sub-chunk keeps the filter long; the delay is half of a chunk.
            Fft::<f32>::new_custom(
                from as usize,
                to as usize,
                chunk.max(1),
                1,
                1,
                rubato::WindowFunction::BlackmanHarris2,
                FixedSync::Both,
            )
        });
        let resampler =
            resampler.transpose().map_err(|error| refused(format!("{from} Hz cannot become {to} ({error})")))?;
        let room = resampler.as_ref().map_or(0, Resampler::output_frames_max);
        Ok(Converter { resampler, waiting: Vec::new(), made: vec![0.0; room] })
    }

    /// Takes samples of the old rate and adds what they become to `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let Some(resampler) = &mut self.resampler else {
            out.extend_from_slice(samples);
            return;
        };
        self.waiting.extend_from_slice(samples);
        let mut done = 0;
        loop {
            let needed = resampler.input_frames_next();
            let Some(chunk) = self.waiting.get(done..done + needed) else { break };
            let room = self.made.len();
            let input = InterleavedSlice::new(chunk, 1, needed);
            let output = InterleavedSlice::new_mut(&mut self.made, 1, room);
            let (Ok(input), Ok(mut output)) = (input, output) else { break };
            match resampler.process_into_buffer(&input, &mut output, None) {
                Ok((_, made)) => out.extend_from_slice(&self.made[..made]),
                Err(problem) => tracing::error!("{problem} while a sample rate was changed"),
            }
            done += needed;
        }
        self.waiting.drain(..done);
    }

    /// Forgets the sound on its way.
    pub fn reset(&mut self) {
        self.waiting.clear();
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, seconds: f32) -> Vec<f32> {
        let n = (rate as f32 * seconds) as usize;
        (0..n).map(|i| 0.5 * (i as f32 * 440.0 * std::f32::consts::TAU / rate as f32).sin()).collect()
    }

    /// In pieces of odd lengths, like callbacks give them.
    fn convert(mut converter: Converter, samples: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        for piece in samples.chunks(333) {
            converter.push(piece, &mut out);
        }
        out
    }

    #[test]
    fn a_tone_stays_the_tone_at_any_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000] {
            let there = convert(Converter::to_device(rate).unwrap(), &tone(RATE, 1.0));
            let back = convert(Converter::from_device(rate).unwrap(), &there);
            assert!(back.len() > 14_000 && back.len() <= 16_000, "{rate}: {}", back.len());
            // Zero crossings and power in the middle tell frequency and level.
            let middle = &back[4_000..12_000];
            let crossings = middle.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
            let power = middle.iter().map(|s| s * s).sum::<f32>() / middle.len() as f32;
            assert!((219..=221).contains(&crossings), "{rate}: {crossings}");
            assert!((power - 0.125).abs() < 0.003, "{rate}: {power}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_removed() {
        let high: Vec<f32> =
            (0..48_000).map(|i| (i as f32 * 12_000.0 * std::f32::consts::TAU / 48_000.0).sin()).collect();
        let low = convert(Converter::from_device(48_000).unwrap(), &high);
        let loudest = low[800..].iter().fold(0.0f32, |most, s| most.max(s.abs()));
        assert!(loudest < 3e-3, "{loudest}");
    }

    #[test]
    fn impossible_rates_are_refused() {
        for rate in [0, 1, 3_999, u32::MAX] {
            assert!(Converter::from_device(rate).is_err());
            assert!(Converter::to_device(rate).is_err());
        }
    }
}
