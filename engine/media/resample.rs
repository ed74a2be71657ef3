//! Another sample rate, through a long windowed sinc.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

/// Least taps of the filter, counted at the lower rate: it passes all but the top 1.4 % of the band.
const TAPS: usize = 1024;

/// `samples` at `to` instead of `from` Hz, `round(n · to / from)` of them, each at the time it had.
pub(super) fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, String> {
    let divisor = gcd(from, to);
    let (old, new) = ((from / divisor) as usize, (to / divisor) as usize);
    // Even, so that the filter's middle falls on a sample at both rates and its delay can be taken off exactly.
    let blocks = 2 * (TAPS / 2).div_ceil(old.min(new));
    let failed = |error: String| format!("of {to} Hz cannot be reached from {from} Hz ({error})");
    let resampler = Fft::<f32>::new_custom(
        from as usize,
        to as usize,
        blocks * old,
        1,
        1,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    );
    let mut resampler = resampler.map_err(|error| failed(error.to_string()))?;
    let input = InterleavedSlice::new(samples, 1, samples.len()).map_err(|error| failed(error.to_string()))?;
    let output = resampler.process_all(&input, samples.len(), None).map_err(|error| failed(error.to_string()))?;
    let mut output = output.take_data();
    let (n, from, to) = (samples.len() as u128, u128::from(from), u128::from(to));
    output.resize(((2 * n * to + from) / (2 * from)) as usize, 0.0);
    Ok(output)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
