//! For tests: two clips of speech, noise, and what is drawn by chance.

use super::{BLOCK, Block, Fault, read_sound};
use std::path::Path;
use std::time::Duration;

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
    let mut draw = draws(1);
    (0..samples).map(|_| amplitude * (draw() as f32 / 8_388_608.0 - 1.0)).collect()
}

/// Random numbers of 24 bits, the same ones for the same seed.
pub fn draws(mut seed: u32) -> impl FnMut() -> u32 {
    move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    }
}

/// Times at which a device is gone, up to about `end`: each 200 ms to 4.2 s, `least` and up to `more` ms behind the one before.
pub fn faults(draw: &mut impl FnMut() -> u32, (least, more): (u32, u32), end: Duration) -> Vec<Fault> {
    let mut all = Vec::new();
    let mut at = Duration::ZERO;
    while at < end {
        at += Duration::from_millis((least + draw() % more).into());
        let lasts = Duration::from_millis((200 + draw() % 4_000).into());
        all.push(Fault { from: at, lasts });
        at += lasts;
    }
    all
}

/// Whole blocks of a sound.
pub fn blocks(samples: &[f32]) -> Vec<Block> {
    samples.chunks_exact(BLOCK).map(|block| block.try_into().unwrap()).collect()
}
