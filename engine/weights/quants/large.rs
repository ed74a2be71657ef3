//! Blocks of 256 values with scales of their own for each 16 or 32 of them.

use super::{UNEVEN, f16};

/// Code `i` of two bits: of each 128 the quarters in the pairs of 32 bytes.
fn pair(bytes: &[u8], i: usize) -> u8 {
    bytes[i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32)) & 3
}

/// Code `i` of four bits: of each 64 the halves in the halves of 32 bytes.
fn nibble(bytes: &[u8], i: usize) -> u8 {
    bytes[i / 64 * 32 + i % 32] >> (4 * (i % 64 / 32)) & 15
}

/// Scale and offset, six bits each, of the `group`-th 32 values in 12 bytes.
fn six_bits(bytes: &[u8], group: usize) -> (f32, f32) {
    let (scale, least) = if group < 4 {
        (bytes[group] & 63, bytes[group + 4] & 63)
    } else {
        let both = bytes[group + 4];
        (both & 15 | bytes[group - 4] >> 6 << 4, both >> 4 | bytes[group] >> 6 << 4)
    };
    (f32::from(scale), f32::from(least))
}

/// 16 bytes, scale in the low and offset in the high half | 64 bytes | d f16 | dmin f16: `d · scale · q − dmin · offset`.
pub(super) fn q2_k(block: &[u8], out: &mut [f32]) {
    let (d, least) = (f16(block, 80), f16(block, 82));
    for (i, out) in out.iter_mut().enumerate() {
        let both = block[i / 16];
        let scale = d * f32::from(both & 15);
        *out = scale * f32::from(pair(&block[16..], i)) - least * f32::from(both >> 4);
    }
}

/// 32 bytes of third bits | 64 bytes | 12 bytes of scales | d f16: `d · (scale − 32) · (q − 4)`.
pub(super) fn q3_k(block: &[u8], out: &mut [f32]) {
    let d = f16(block, 108);
    let scales = &block[96..108];
    for (i, out) in out.iter_mut().enumerate() {
        let s = i / 16;
        let low = scales[s % 8] >> (4 * (s / 8)) & 15;
        let high = scales[8 + s % 4] >> (2 * (s / 4)) & 3;
        let third = block[i % 32] >> (i / 32) & 1;
        let scale = d * (f32::from(low | high << 4) - 32.0);
        *out = scale * (f32::from(pair(&block[32..], i) | third << 2) - 4.0);
    }
}

/// d f16 | dmin f16 | 12 bytes of scales and offsets | 128 bytes: `d · scale · q − dmin · offset`.
pub(super) fn q4_k(block: &[u8], out: &mut [f32]) {
    let (d, least) = (f16(block, 0), f16(block, 2));
    for (i, out) in out.iter_mut().enumerate() {
        let (scale, offset) = six_bits(&block[4..], i / 32);
        *out = d * scale * f32::from(nibble(&block[16..], i)) - least * offset;
    }
}

/// As [`q4_k`] with 32 bytes of fifth bits before the 128.
pub(super) fn q5_k(block: &[u8], out: &mut [f32]) {
    let (d, least) = (f16(block, 0), f16(block, 2));
    for (i, out) in out.iter_mut().enumerate() {
        let (scale, offset) = six_bits(&block[4..], i / 32);
        let fifth = block[16 + i % 32] >> (i / 32) & 1;
        *out = d * scale * f32::from(nibble(&block[48..], i) | fifth << 4) - least * offset;
    }
}

/// 128 bytes of four bits | 64 of two more | 16 signed scales | d f16: `d · scale · (q − 32)`.
pub(super) fn q6_k(block: &[u8], out: &mut [f32]) {
    let d = f16(block, 208);
    for (i, out) in out.iter_mut().enumerate() {
        let (half, quarter, place) = (i / 128, i % 128 / 32, i % 32);
        let low = block[64 * half + 32 * (quarter % 2) + place] >> (4 * (quarter / 2)) & 15;
        let high = block[128 + 32 * half + place] >> (2 * quarter) & 3;
        let scale = d * f32::from(block[192 + i / 16] as i8);
        *out = scale * (f32::from(low | high << 4) - 32.0);
    }
}

/// d f16 | high bits of scales u16 | 4 bytes of low bits | 128 bytes: `d · (scale − 32) · UNEVEN[q]`.
pub(super) fn iq4_xs(block: &[u8], out: &mut [f32]) {
    let d = f16(block, 0);
    let high = u16::from_le_bytes([block[2], block[3]]);
    for (i, out) in out.iter_mut().enumerate() {
        let group = i / 32;
        let low = block[4 + group / 2] >> (4 * (group % 2)) & 15;
        let scale = d * (f32::from(low | ((high >> (2 * group) & 3) as u8) << 4) - 32.0);
        let q = block[8 + 16 * group + i % 16] >> (4 * (i % 32 / 16)) & 15;
        *out = scale * f32::from(UNEVEN[usize::from(q)]);
    }
}
