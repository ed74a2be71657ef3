//! What the window shows while it happens: written by the audio thread, read at any time, without a lock on the way of sound.

use super::turn::Phase;
use super::{BLOCK, Block, RATE};
use percept::media::Image;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Samples that are kept for the window: about 4 s.
pub const KEPT_SAMPLES: usize = 1 << 16;
/// Pairs of peaks that are kept, one for each 10 ms.
pub const KEPT_PEAKS: usize = 4 * RATE as usize / BLOCK;
/// Below it nobody sees the level move.
const AUDIBLE: f32 = 0.02;

/// Levels, counters and the last few seconds.
pub struct Meters {
    level: AtomicU32,
    voice: AtomicU32,
    phase: AtomicU8,
    muted: AtomicBool,
    overruns: AtomicU64,
    underruns: AtomicU64,
    echo_delay_ms: AtomicU32,
    heard: AtomicU64,
    played: AtomicU64,
    samples: Box<[AtomicU32]>,
    peaks: Box<[AtomicU32]>,
    preview: Mutex<Option<Arc<Image>>>,
}

impl Default for Meters {
    fn default() -> Meters {
        let zeros = |n: usize| (0..n).map(|_| AtomicU32::new(0)).collect();
        Meters {
            level: AtomicU32::new(0),
            voice: AtomicU32::new(0),
            phase: AtomicU8::new(0),
            muted: AtomicBool::new(false),
            overruns: AtomicU64::new(0),
            underruns: AtomicU64::new(0),
            echo_delay_ms: AtomicU32::new(0),
            heard: AtomicU64::new(0),
            played: AtomicU64::new(0),
            samples: zeros(KEPT_SAMPLES),
            peaks: zeros(KEPT_PEAKS),
            preview: Mutex::new(None),
        }
    }
}

impl Meters {
    /// Loudness of the last 10 ms: the root mean square, 0 to 1.
    pub fn level(&self) -> f32 {
        f32::from_bits(self.level.load(Relaxed))
    }

    /// Whether that can be seen on a level; `before` it could.
    pub fn is_audible(&self, before: bool) -> bool {
        // Noise just there shall not begin again and again.
        self.level() > if before { AUDIBLE / 2.0 } else { AUDIBLE }
    }

    /// Probability that somebody speaks just now.
    pub fn voice(&self) -> f32 {
        f32::from_bits(self.voice.load(Relaxed))
    }

    /// What the conversation does just now.
    #[cfg(test)]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            1 => Phase::Listening,
            2 => Phase::Thinking,
            3 => Phase::Speaking,
            _ => Phase::Idle,
        }
    }

    /// Samples of the microphone that came too fast and were dropped.
    pub fn overruns(&self) -> u64 {
        self.overruns.load(Relaxed)
    }

    /// Times that the speaker wanted more than there was.
    pub fn underruns(&self) -> u64 {
        self.underruns.load(Relaxed)
    }

    /// Delay from playing to hearing ourselves, as estimated by the echo canceller; 0 where it hears nothing.
    #[cfg(test)]
    pub fn echo_delay_ms(&self) -> u32 {
        self.echo_delay_ms.load(Relaxed)
    }

    /// Samples at 16 kHz heard since the start.
    pub fn heard(&self) -> u64 {
        self.heard.load(Relaxed)
    }

    /// Samples at 16 kHz of speech and clips played since the start.
    #[cfg(test)]
    pub fn played(&self) -> u64 {
        self.played.load(Relaxed)
    }

    /// Lowest and highest sample of each 10 ms, oldest first, the last 4 s.
    pub fn waveform(&self, out: &mut Vec<(f32, f32)>) {
        out.clear();
        let end = (self.heard() as usize / BLOCK) % KEPT_PEAKS;
        let pair = |packed: u32| {
            let part = |bits: u32| f32::from(bits as u16 as i16) / 32767.0;
            (part(packed >> 16), part(packed & 0xffff))
        };
        out.extend((0..KEPT_PEAKS).map(|i| pair(self.peaks[(end + i) % KEPT_PEAKS].load(Relaxed))));
    }

    /// The last samples at 16 kHz, oldest first, as many as `out` is long and at most [`KEPT_SAMPLES`]; zeros stand before the
    /// start.
    pub fn latest(&self, out: &mut [f32]) {
        let end = self.heard();
        let n = out.len();
        for (i, sample) in out.iter_mut().enumerate() {
            let back = (n - i) as u64;
            *sample = match end.checked_sub(back) {
                Some(at) if back <= KEPT_SAMPLES as u64 => {
                    f32::from_bits(self.samples[at as usize % KEPT_SAMPLES].load(Relaxed))
                }
                _ => 0.0,
            };
        }
    }

    /// The camera's last picture.
    pub fn preview(&self) -> Option<Arc<Image>> {
        self.preview.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_preview(&self, image: Option<Arc<Image>>) {
        *self.preview.lock().unwrap_or_else(PoisonError::into_inner) = image;
    }

    pub(super) fn set_heard(&self, block: &Block, voice: f32) {
        let at = self.heard();
        let power = block.iter().map(|s| s * s).sum::<f32>() / BLOCK as f32;
        self.level.store(power.sqrt().to_bits(), Relaxed);
        self.voice.store(voice.to_bits(), Relaxed);
        for (i, sample) in block.iter().enumerate() {
            self.samples[(at as usize + i) % KEPT_SAMPLES].store(sample.to_bits(), Relaxed);
        }
        let packed = |value: f32| u32::from((value.clamp(-1.0, 1.0) * 32767.0) as i16 as u16);
        let low = block.iter().fold(f32::INFINITY, |a, b| a.min(*b));
        let high = block.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
        self.peaks[(at as usize / BLOCK) % KEPT_PEAKS].store(packed(low) << 16 | packed(high), Relaxed);
        self.heard.store(at + BLOCK as u64, Relaxed);
    }

    pub(super) fn set_phase(&self, phase: Phase, muted: bool) {
        self.phase.store(phase as u8, Relaxed);
        self.muted.store(muted, Relaxed);
    }

    pub(super) fn set_echo_delay(&self, ms: u32) {
        self.echo_delay_ms.store(ms, Relaxed);
    }

    pub(super) fn add_played(&self, samples: u64) {
        self.played.fetch_add(samples, Relaxed);
    }

    pub(super) fn add_overruns(&self, samples: u64) {
        self.overruns.fetch_add(samples, Relaxed);
    }

    pub(super) fn add_underruns(&self, times: u64) {
        self.underruns.fetch_add(times, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seconds_are_there_in_order() {
        let meters = Meters::default();
        let blocks = 1000;
        for i in 0..blocks {
            let mut block = [i as f32 / blocks as f32; BLOCK];
            block[7] = -0.5;
            meters.set_heard(&block, 0.25);
        }
        assert_eq!(meters.heard(), 160_000);
        assert_eq!(meters.voice(), 0.25);
        let mut peaks = Vec::new();
        meters.waveform(&mut peaks);
        assert_eq!(peaks.len(), KEPT_PEAKS);
        let (low, high) = peaks[KEPT_PEAKS - 1];
        assert!((low + 0.5).abs() < 1e-3 && (high - 0.999).abs() < 1e-3, "{low} {high}");
        assert!((peaks[0].1 - 0.6).abs() < 1e-3, "{}", peaks[0].1);
        let mut latest = [0.0; 2 * BLOCK];
        meters.latest(&mut latest);
        assert_eq!((latest[0], latest[7], latest[BLOCK]), (0.998, -0.5, 0.999));
    }

    #[test]
    fn before_the_start_there_is_silence() {
        let meters = Meters::default();
        meters.set_heard(&[0.5; BLOCK], 0.0);
        let mut latest = [1.0; 3 * BLOCK];
        meters.latest(&mut latest);
        assert_eq!((latest[0], latest[2 * BLOCK]), (0.0, 0.5));
        let mut long = vec![1.0; KEPT_SAMPLES + 5];
        meters.latest(&mut long);
        assert_eq!(long[0], 0.0);
    }
}
