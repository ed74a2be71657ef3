//! Blocks of 32 values.

use super::{FP4, UNEVEN, f16};

/// Code `i` of 32 in 16 bytes: the first 16 in the low halves, the last in the high ones.
fn nibble(bytes: &[u8], i: usize) -> u8 {
    bytes[i % 16] >> (4 * (i / 16)) & 15
}

/// The fifth bit of code `i`.
fn fifth(bytes: &[u8], i: usize) -> u8 {
    (bytes[i / 8] >> (i % 8) & 1) << 4
}

/// d f16 | 16 bytes: `d · (q − 8)`.
pub(super) fn q4_0(block: &[u8], out: &mut [f32]) {
    let d = f16(block, 0);
    for (i, out) in out.iter_mut().enumerate() {
        *out = d * (f32::from(nibble(&block[2..], i)) - 8.0);
    }
}

/// d f16 | m f16 | 16 bytes: `d · q + m`.
pub(super) fn q4_1(block: &[u8], out: &mut [f32]) {
    let (d, m) = (f16(block, 0), f16(block, 2));
    for (i, out) in out.iter_mut().enumerate() {
        *out = d * f32::from(nibble(&block[4..], i)) + m;
    }
}

/// d f16 | 4 bytes of fifth bits | 16 bytes: `d · (q − 16)`.
pub(super) fn q5_0(block: &[u8], out: &mut [f32]) {
    let d = f16(block, 0);
    for (i, out) in out.iter_mut().enumerate() {
        *out = d * (f32::from(nibble(&block[6..], i) | fifth(&block[2..], i)) - 16.0);
    }
}

/// d f16 | m f16 | 4 bytes of fifth bits | 16 bytes: `d · q + m`.
pub(super) fn q5_1(block: &[u8], out: &mut [f32]) {
    let (d, m) = (f16(block, 0), f16(block, 2));
    for (i, out) in out.iter_mut().enumerate() {
        *out = d * f32::from(nibble(&block[8..], i) | fifth(&block[4..], i)) + m;
    }
}

/// d f16 | 32 signed bytes: `d · q`.
pub(super) fn q8_0(block: &[u8], out: &mut [f32]) {
    let d = f16(block, 0);
    for (out, q) in out.iter_mut().zip(&block[2..]) {
        *out = d * f32::from(*q as i8);
    }
}

/// d f16 | 16 bytes: `d · UNEVEN[q]`.
pub(super) fn iq4_nl(block: &[u8], out: &mut [f32]) {
    let d = f16(block, 0);
    for (i, out) in out.iter_mut().enumerate() {
        *out = d * f32::from(UNEVEN[usize::from(nibble(&block[2..], i))]);
    }
}

/// e u8 | 16 bytes: `2^(e − 128) · FP4[q]`.
pub(super) fn mxfp4(block: &[u8], out: &mut [f32]) {
    let e = u32::from(block[0]);
    let d = f32::from_bits(if e < 2 { 0x0020_0000 << e } else { (e - 1) << 23 });
    for (i, out) in out.iter_mut().enumerate() {
        *out = d * f32::from(FP4[usize::from(nibble(&block[1..], i))]);
    }
}
