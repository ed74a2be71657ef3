//! Voice activity: how likely somebody speaks, for each 10 ms.

use super::Block;
use earshot::Detector;

/// Samples that the detector takes at once (16 ms).
const FRAME: usize = 256;
/// Loudness of a noise beneath what is heard (−65 dB): in digital silence the detector takes the faintest rest for speech.
const FLOOR: f32 = 1e-3;

/// The detector of `earshot`, which takes other frames than we do.
pub struct VoiceDetector {
    detector: Box<Detector>,
    frame: [f32; FRAME],
    filled: usize,
    probability: f32,
    seed: u32,
}

impl VoiceDetector {
    /// A detector that has heard nothing.
    pub fn new() -> VoiceDetector {
        VoiceDetector { detector: Box::default(), frame: [0.0; FRAME], filled: 0, probability: 0.0, seed: 1 }
    }

    /// Probability from 0 to 1 that somebody speaks, by what was heard to the end of this block or up to 10 ms less.
    pub fn probability(&mut self, block: &Block) -> f32 {
        for sample in block {
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let floor = FLOOR * ((self.seed >> 8) as f32 / 8_388_608.0 - 1.0);
            let sample = if sample.is_finite() { *sample } else { 0.0 };
            self.frame[self.filled] = (sample + floor).clamp(-1.0, 1.0);
            self.filled += 1;
            if self.filled == FRAME {
                self.filled = 0;
                self.probability = self.detector.predict_f32(&self.frame).clamp(0.0, 1.0);
            }
        }
        self.probability
    }

    /// Forgets what it heard, for another microphone.
    pub fn reset(&mut self) {
        self.detector.reset();
        self.filled = 0;
        self.probability = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::sounds;
    use super::*;

    fn share_of_voice(samples: &[f32]) -> f32 {
        let mut detector = VoiceDetector::new();
        let blocks = sounds::blocks(samples);
        let voiced = blocks.iter().filter(|block| detector.probability(block) >= 0.5).count();
        voiced as f32 / blocks.len() as f32
    }

    #[test]
    fn speech_is_voice_and_noise_is_not() {
        let speech = share_of_voice(&sounds::question());
        let noise = share_of_voice(&sounds::noise(48_000, 0.02));
        let hum: Vec<f32> = (0..48_000).map(|i| 0.2 * (i as f32 * 0.02).sin()).collect();
        assert!(speech > 0.5, "{speech}");
        assert!(noise < 0.05, "{noise}");
        assert!(share_of_voice(&hum) < 0.1);
        assert_eq!(share_of_voice(&[0.0; 16_000]), 0.0);
    }

    #[test]
    fn damaged_samples_do_no_harm() {
        let mut detector = VoiceDetector::new();
        for bad in [f32::NAN, f32::INFINITY, 1e30] {
            let probability = detector.probability(&[bad; 160]);
            assert!((0.0..=1.0).contains(&probability));
        }
    }
}
