//! Weight matrices as they lie on the GPU.

use super::{Format, layout};
use crate::error::Result;
use crate::gpu::{Bind, Words};

/// Distance between rows of an array of activations or weights: rows begin at multiples of four values, so that they are
/// read as vectors of four. What lies between a row's end and the next row's begin is zero and stays zero.
pub fn stride(width: usize) -> usize {
    width.next_multiple_of(4)
}

/// A weight matrix on the GPU: `rows × width` values, cut into blocks of whole rows that fit a binding. Matrices of
/// several tensors may hold blocks of different formats.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Rows: outputs of a projection, words of an embedding.
    pub rows: usize,
    /// Values of a row.
    pub width: usize,
    /// The rows in order.
    pub blocks: Vec<Block>,
}

/// Consecutive rows of a [`Matrix`].
///
/// Rows of a plain format in a buffer are [`stride`]`(width)` values apart: four values are one `vec4<f32>` or, of 16 bits
/// each, one `vec2<u32>` with the first value in the low half. Rows of other formats, and all in textures, lie as
/// [`layout`](super::layout) says.
#[derive(Clone, Debug)]
pub struct Block {
    /// The first row.
    pub first_row: usize,
    /// How many.
    pub rows: usize,
    /// Their format.
    pub format: Format,
    /// The packed values.
    pub data: Words,
    /// How what they are multiplied with, and the products, are rounded.
    pub rounding: Rounding,
}

/// Static ranges of activations: steps that inputs and outputs of a projection are rounded to, within 8 bits of them;
/// 0 where they stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rounding {
    /// `input_activation_scale`.
    pub input: f32,
    /// `output_activation_scale`.
    pub output: f32,
}

impl Rounding {
    /// Nothing is rounded.
    pub const NONE: Rounding = Rounding { input: 0.0, output: 0.0 };

    /// A value rounded to `step`, within 8 bits of steps, halves to even; a step of 0 leaves it.
    pub fn round(value: f32, step: f32) -> f32 {
        if step == 0.0 { value } else { (value / step).round_ties_even().clamp(-128.0, 127.0) * step }
    }
}

impl Matrix {
    /// Takes the step of the products of a single tensor away: they get a bias first.
    pub fn take_output_step(&mut self) -> f32 {
        self.blocks.iter_mut().fold(0.0, |_, block| std::mem::take(&mut block.rounding.output))
    }

    /// Bytes on the GPU.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().map(|b| b.data.bytes()).sum()
    }
}

impl Block {
    /// Whether rows lie in planes, for the kernels of blocks, and not one value after another.
    pub fn is_laid(&self) -> bool {
        !self.format.is_plain() || self.in_texture()
    }

    /// Whether rows lie in a texture, woven in bundles.
    pub fn in_texture(&self) -> bool {
        matches!(self.data, Words::Texture(_))
    }

    /// The rows, each of `width` values, for a shader; in a texture the last bundle is whole.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) if they are shorter.
    pub fn bind(&self, width: usize) -> Result<Bind> {
        let rows = if self.in_texture() { self.rows.next_multiple_of(layout::WOVEN) } else { self.rows };
        self.data.bind("weight", rows * self.row_bytes(width))
    }

    /// Bytes of a row of `width` values.
    pub fn row_bytes(&self, width: usize) -> usize {
        row_bytes(self.format, width, self.is_laid())
    }
}

/// Bytes of a row of `width` values on the GPU, `laid` in planes or not.
pub fn row_bytes(format: Format, width: usize, laid: bool) -> usize {
    if laid { layout::row_bytes(format, width) } else { stride(width) * format.block_bytes() }
}
