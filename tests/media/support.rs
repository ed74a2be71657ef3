//! What all media tests share: the samples, and files made on the spot.

use percept::media::Audio;
use std::path::PathBuf;

pub fn sample(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/media")).join(name)
}

pub fn sample_bytes(name: &str) -> Vec<u8> {
    std::fs::read(sample(name)).unwrap()
}

/// A WAV file; `tag` is 1 for integers, 3 for floating point.
pub fn wav(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let align = channels * (bits / 8);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data.len() as u32 + (data.len() as u32 & 1)).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0");
    bytes.extend([tag, channels].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend([rate, rate * u32::from(align)].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend([align, bits].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend(b"data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len() + (data.len() & 1), 0);
    bytes
}

pub fn wav16(channels: u16, rate: u32, samples: &[i16]) -> Vec<u8> {
    wav(1, channels, rate, 16, &samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<_>>())
}

pub fn decode(bytes: &[u8]) -> Audio {
    Audio::decode(bytes, "made.wav".as_ref()).unwrap()
}
