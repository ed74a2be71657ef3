//! Sounds for tests: two clips of speech, and noise.

use super::{BLOCK, Block, read_sound};
use std::path::Path;

fn fixture(name: &str) -> Vec<f32> {
    read_sound(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live").join(name)).unwrap()
}

/// Two seconds of one voice.
pub fn question() -> Vec<f32> {
    fixture("question.wav")
}

/// Seven seconds of another.
pub fn answer() -> Vec<f32> {
    fixture("answer.wav")
}

/// White noise up to this amplitude.
pub fn noise(samples: usize, amplitude: f32) -> Vec<f32> {
    let mut seed = 1u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        amplitude * ((seed >> 8) as f32 / 8_388_608.0 - 1.0)
    };
    (0..samples).map(|_| next()).collect()
}

/// Whole blocks of a sound.
pub fn blocks(samples: &[f32]) -> Vec<Block> {
    samples.chunks_exact(BLOCK).map(|block| block.try_into().unwrap()).collect()
}
