//! The block formats of GGUF files on the CPU: what a block holds, as `ggml` and its Python package define it
//! (`gguf.quants`), in the same order of operations, so that results are equal bit for bit.

mod ints;
mod large;
mod random;
mod small;

pub use ints::{IntRows, dequantize_ints};
pub use random::{RandomInts, random_blocks, random_ints};

use super::Format;
use crate::error::{Error, Result};

/// Steps of iq4_nl and iq4_xs.
const UNEVEN: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
/// The greatest exponent of mxfp4 whose values, up to 6 times as great, are within f32; 255 stands for NaN.
pub(super) const GREATEST_EXPONENT: u8 = 252;
/// Twice the values of fp4 (E2M1).
const FP4: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// The values of whole blocks (of plain formats: of single values), little-endian.
///
/// # Errors
/// [`Error::Length`] if `blocks` is not as long as `out` needs.
pub fn dequantize(format: Format, blocks: &[u8], out: &mut [f32]) -> Result<()> {
    let (len, bytes) = (format.block_len(), format.block_bytes());
    let expected = out.len().div_ceil(len) * bytes;
    if matches!(format, Format::Ints(_)) || blocks.len() != expected || !out.len().is_multiple_of(len) {
        return Err(Error::Length { name: format!("blocks of {format}"), expected, found: blocks.len() });
    }
    for (block, out) in blocks.chunks_exact(bytes).zip(out.chunks_exact_mut(len)) {
        match format {
            Format::F32 => out[0] = f32::from_le_bytes([block[0], block[1], block[2], block[3]]),
            Format::F16 => out[0] = f16(block, 0),
            Format::Bf16 => out[0] = half::bf16::from_le_bytes([block[0], block[1]]).to_f32(),
            Format::Q4_0 => small::q4_0(block, out),
            Format::Q4_1 => small::q4_1(block, out),
            Format::Q5_0 => small::q5_0(block, out),
            Format::Q5_1 => small::q5_1(block, out),
            Format::Q8_0 => small::q8_0(block, out),
            Format::Iq4Nl => small::iq4_nl(block, out),
            Format::Mxfp4 => small::mxfp4(block, out),
            Format::Q2K => large::q2_k(block, out),
            Format::Q3K => large::q3_k(block, out),
            Format::Q4K => large::q4_k(block, out),
            Format::Q5K => large::q5_k(block, out),
            Format::Q6K => large::q6_k(block, out),
            Format::Iq4Xs => large::iq4_xs(block, out),
            // Those have their scales elsewhere: `dequantize_ints`.
            Format::Ints(_) => out.fill(f32::NAN),
        }
    }
    Ok(())
}

/// The half float at a byte of a block.
fn f16(block: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Where the half floats of a block lie.
pub fn half_floats(format: Format) -> &'static [usize] {
    match format {
        Format::F32 | Format::F16 | Format::Bf16 | Format::Mxfp4 | Format::Ints(_) => &[],
        Format::Q4_0 | Format::Q5_0 | Format::Q8_0 | Format::Iq4Nl | Format::Iq4Xs => &[0],
        Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K => &[0, 2],
        Format::Q2K => &[80, 82],
        Format::Q3K => &[108],
        Format::Q6K => &[208],
    }
}
