//! Blocks of pseudo-random codes and moderate scales, for tests and benches.

use super::{Format, IntRows, half_floats};
use crate::weights::{Ints, ScaleType};

/// The largest half floats, in the order of their places, with which values are about within -1 and 1.
fn most(format: Format) -> [f32; 2] {
    match format {
        Format::F32 | Format::F16 | Format::Bf16 | Format::Mxfp4 | Format::Ints(_) => [0.0; 2],
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
    let mut unit = random_units(seed);
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

/// Pseudo-random numbers from 0 to 1.
fn random_units(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32 as f32 / u32::MAX as f32
    }
}

/// Rows of integers that own their bytes.
pub struct RandomInts {
    codes: Vec<u8>,
    row_bytes: usize,
    signed: bool,
    scales: Vec<u8>,
    zero_points: Vec<i8>,
}

impl RandomInts {
    /// `count` of the rows from `first` on.
    pub fn rows(&self, ints: Ints, width: usize, first: usize, count: usize) -> IntRows<'_> {
        let scales = ints.scales_of(width);
        let zero_points = if ints.zero_points { scales } else { 0 };
        IntRows {
            codes: &self.codes[first * self.row_bytes..][..count * self.row_bytes],
            row_bytes: self.row_bytes,
            signed: self.signed,
            scales: &self.scales[first * scales * ints.scales.bytes()..][..count * scales * ints.scales.bytes()],
            zero_points: &self.zero_points[first * zero_points..][..count * zero_points],
        }
    }
}

/// `count` rows of `width` random codes, also behind the last weight, with moderate scales; values about within -1 and 1.
pub fn random_ints(ints: Ints, width: usize, count: usize, seed: u64) -> RandomInts {
    let mut unit = random_units(seed);
    let row_bytes = (width * ints.bits as usize).div_ceil(8);
    let scales = count * ints.scales_of(width);
    let most = 1.0 / (1u32 << (ints.bits - 1)) as f32;
    let codes = (0..count * row_bytes).map(|_| (unit() * 255.99) as u8).collect();
    let scale = |value: f32| match ints.scales {
        ScaleType::F32 => value.to_le_bytes().to_vec(),
        ScaleType::Bf16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
        ScaleType::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
    };
    let all = (0..scales).flat_map(|_| scale(most * (0.5 + 0.5 * unit()))).collect();
    let range = (1u32 << ints.bits) as f32 - 0.01;
    let zero_point = |value: f32| ((value * range) as i32 - (1 << (ints.bits - 1))) as i8;
    let zero_points = (0..if ints.zero_points { scales } else { 0 }).map(|_| zero_point(unit())).collect();
    RandomInts { codes, row_bytes, signed: ints.bits == 8 && seed.is_multiple_of(2), scales: all, zero_points }
}
