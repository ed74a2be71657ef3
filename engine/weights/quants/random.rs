//! Blocks of pseudo-random codes and moderate scales, for tests and benches.

use super::{Format, half_floats};

/// The largest half floats, in the order of their places, with which values are about within -1 and 1.
fn most(format: Format) -> [f32; 2] {
    match format {
        Format::F32 | Format::F16 | Format::Bf16 | Format::Mxfp4 => [0.0; 2],
        Format::Q4_0 => [0.12, 0.0],
        Format::Q4_1 => [0.12, 0.9],
        Format::Q5_0 => [0.06, 0.0],
        Format::Q5_1 => [0.06, 0.9],
        Format::Q8_0 | Format::Iq4Nl | Format::Q3K => [0.008, 0.0],
        Format::Q2K => [0.02, 0.06],
        Format::Q4K => [0.001, 0.015],
        Format::Q5K => [0.0005, 0.015],
        Format::Q6K | Format::Iq4Xs => [0.0003, 0.0],
    }
}

/// `count` blocks, the same for the same seed (xorshift of Marsaglia 2003); values about within -1 and 1.
pub fn random_blocks(format: Format, count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32
    };
    let mut unit = || next() as f32 / u32::MAX as f32;
    let mut bytes = Vec::with_capacity(count * format.block_bytes());
    for _ in 0..count {
        let start = bytes.len();
        match format {
            Format::F32 => bytes.extend_from_slice(&(2.0 * unit() - 1.0).to_le_bytes()),
            Format::F16 => bytes.extend_from_slice(&half::f16::from_f32(2.0 * unit() - 1.0).to_le_bytes()),
            Format::Bf16 => bytes.extend_from_slice(&half::bf16::from_f32(2.0 * unit() - 1.0).to_le_bytes()),
            _ => bytes.extend((0..format.block_bytes()).map(|_| (unit() * 255.99) as u8)),
        }
        for (place, most) in half_floats(format).iter().zip(most(format)) {
            let scale = half::f16::from_f32(most * (0.5 + 0.5 * unit()));
            bytes[start + place..start + place + 2].copy_from_slice(&scale.to_le_bytes());
        }
        if format == Format::Mxfp4 {
            bytes[start] = 122 + (unit() * 3.0) as u8;
        }
    }
    bytes
}
