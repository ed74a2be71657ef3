//! Weight matrices as they lie on the GPU.

use super::Format;
use crate::gpu::Array;

/// Distance between rows of an array of activations or weights: rows begin at multiples of four values, so that they are
/// read as vectors of four. What lies between a row's end and the next row's begin is zero and stays zero.
pub fn stride(width: usize) -> usize {
    width.next_multiple_of(4)
}

/// A weight matrix on the GPU: `rows × width` values of one format, cut into blocks of whole rows that fit a binding.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Rows: outputs of a projection, words of an embedding.
    pub rows: usize,
    /// Values of a row.
    pub width: usize,
    /// Their format.
    pub format: Format,
    /// The rows in order.
    pub blocks: Vec<Block>,
}

/// Consecutive rows of a [`Matrix`], [`stride`]`(width)` values apart: four values are one `vec4<f32>` or, of 16 bits
/// each, one `vec2<u32>` with the first value in the low half.
#[derive(Clone, Debug)]
pub struct Block {
    /// The first row.
    pub first_row: usize,
    /// How many.
    pub rows: usize,
    /// The packed values.
    pub data: Array<u32>,
}

impl Matrix {
    /// Bytes on the GPU.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().map(|b| b.data.bytes()).sum()
    }

    /// Words of four bytes in a block of `rows` rows.
    pub fn block_words(&self, rows: usize) -> usize {
        rows * stride(self.width) * self.format.block_bytes() / 4
    }
}
