//! Weights from the mapped file to the GPU in blocks, without a second copy in memory.

use super::layout::{GROUP, WORD, WOVEN, lay_int_rows, lay_rows};
use super::{Block, Checkpoint, Dtype, Format, Matrix, Rounding, Tensor, row_bytes, stride};
use crate::error::{Error, Result};
use crate::gpu::{Array, Gpu, Words};
use std::cell::Cell;
use std::ops::Range;

/// The staging memory of the driver is waited for and given back after this part of all bytes, within bounds: small
/// models must not need more memory for loading than for running, large ones not wait too often.
const FLUSHES: u64 = 64;
const FLUSH_BYTES: std::ops::RangeInclusive<u64> = 2 << 20..=32 << 20;
/// Weights of the longest row that is kept in a texture: those that kernels multiply with a window of `x`.
const LONGEST_TEXTURE_ROW: usize = 16_384;
/// A block is not made smaller than this when memory is short.
const LEAST_BLOCK: usize = 8 << 20;

/// The upload of one checkpoint.
pub struct Upload<'a> {
    gpu: &'a Gpu,
    checkpoint: &'a Checkpoint,
    progress: &'a dyn Fn(u64, u64),
    total: u64,
    done: Cell<u64>,
    unflushed: Cell<u64>,
    flush_bytes: u64,
}

impl<'a> Upload<'a> {
    /// `progress(done, total)` is told of the bytes uploaded, of `total`.
    pub fn new(gpu: &'a Gpu, checkpoint: &'a Checkpoint, total: u64, progress: &'a dyn Fn(u64, u64)) -> Upload<'a> {
        let flush_bytes = (total / FLUSHES).clamp(*FLUSH_BYTES.start(), *FLUSH_BYTES.end());
        Upload { gpu, checkpoint, progress, total, done: Cell::new(0), unflushed: Cell::new(0), flush_bytes }
    }

    /// A vector as f32.
    ///
    /// # Errors
    /// [`Error::Tensors`] if it is not there, [`Error::NotFinite`], [`Error::OutOfMemory`].
    pub fn vector(&self, name: &str) -> Result<Array<f32>> {
        self.gpu.array_of(name, &self.values(name)?)
    }

    /// Values that were made on the CPU out of those of a tensor.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn array(&self, name: &str, values: &[f32]) -> Result<Array<f32>> {
        self.gpu.array_of(name, values)
    }

    /// The values of a small tensor on the CPU.
    ///
    /// # Errors
    /// [`Error::Tensors`] if it is not there, [`Error::NotFinite`].
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.tensor(name)?;
        tensor.check_finite()?;
        self.count(tensor.bytes())?;
        tensor.to_f32()
    }

    /// How the inputs and outputs of the projection with this weight are rounded.
    ///
    /// # Errors
    /// [`Error::Tensors`] if it is not there.
    pub fn rounding(&self, name: &str) -> Result<Rounding> {
        self.tensor(name).map(|tensor| tensor.rounding())
    }

    /// The one value of a tensor that bounds something; `None` if it is infinite and so bounds nothing.
    ///
    /// # Errors
    /// [`Error::Tensors`] if it is not there, [`Error::NotFinite`] if it is no number.
    pub fn bound(&self, name: &str) -> Result<Option<f32>> {
        let tensor = self.tensor(name)?;
        self.count(tensor.bytes())?;
        match tensor.to_f32()?.first().copied() {
            Some(value) if value.is_nan() => tensor.check_finite().map(|()| None),
            value => Ok(value.filter(|value| value.is_finite())),
        }
    }

    /// The rows of the named matrices, one below another, in the format of the file (f32 if they differ in it).
    ///
    /// # Errors
    /// [`Error::Tensors`] if one is not there, is no matrix or is not as wide as the first, [`Error::NotFinite`],
    /// [`Error::OutOfMemory`].
    pub fn matrix(&self, names: &[&str]) -> Result<Matrix> {
        let tensors = names.iter().map(|name| self.tensor(name)).collect::<Result<Vec<_>>>()?;
        let [_, width] = *tensors[0].shape else { return Err(self.not_a_matrix(&tensors[0])) };
        if let Some(bad) = tensors.iter().find(|t| t.shape.len() != 2 || t.shape[1] != width) {
            return Err(self.not_a_matrix(bad));
        }
        let rows = tensors.iter().map(|t| t.shape[0]).sum();
        let formats: Vec<Format> = tensors.iter().filter_map(Tensor::format).collect();
        let mut matrix = Matrix { rows, width, blocks: Vec::new() };
        // Rows of a texture are woven in bundles, which no two tensors share.
        let bundled = tensors.iter().all(|tensor| tensor.shape[0].is_multiple_of(WOVEN));
        let plain = formats.iter().all(|format| format.is_plain()) && !self.as_texture(width);
        let equal = formats.iter().all(|format| *format == formats[0]);
        let rounding = tensors[0].rounding();
        let alike = tensors.iter().all(|tensor| tensor.rounding() == rounding);
        if plain || equal && bundled && alike {
            let format = if equal { formats[0] } else { Format::F32 };
            matrix.blocks = self.blocks(names[0], 0..rows, None, width, format, rounding)?;
        } else {
            // Each as it is: a block format is never widened.
            let mut first = 0;
            for (tensor, format) in tensors.iter().zip(&formats) {
                let end = first + tensor.shape[0];
                let own = self.blocks(tensor.name, first..end, None, width, *format, tensor.rounding())?;
                matrix.blocks.extend(own);
                first = end;
            }
        }
        let mut first = 0;
        for tensor in &tensors {
            self.fill(&mut matrix, first, tensor)?;
            first += tensor.shape[0];
        }
        Ok(matrix)
    }

    /// The matrices of a tensor of three axes, one below another; every block holds whole ones.
    ///
    /// # Errors
    /// [`Error::Tensors`] if it is not there, has another number of axes or a type that is no weights, [`Error::NotFinite`],
    /// [`Error::OutOfMemory`].
    pub fn matrices(&self, name: &str) -> Result<Matrix> {
        let tensor = self.tensor(name)?;
        let (&[count, each, width], Some(format)) = (tensor.shape, tensor.format()) else {
            return Err(self.no_such_shape(&tensor, "matrices behind one another"));
        };
        let rows = count * each;
        let blocks = self.blocks(name, 0..rows, Some(each.max(1)), width, format, tensor.rounding())?;
        let mut matrix = Matrix { rows, width, blocks };
        self.fill(&mut matrix, 0, &Tensor { shape: &[rows, width], ..tensor })?;
        Ok(matrix)
    }

    /// A matrix of f32 out of values that were made on the CPU out of those of a tensor: rows of `width` values.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn matrix_of(&self, name: &str, width: usize, values: &[f32]) -> Result<Matrix> {
        let rows = values.len() / width.max(1);
        let matrix =
            Matrix { rows, width, blocks: self.blocks(name, 0..rows, None, width, Format::F32, Rounding::NONE)? };
        let mut scratch = Vec::new();
        for block in &matrix.blocks {
            for piece in self.pieces(block, width, block.first_row..block.first_row + block.rows) {
                let data = bytemuck::cast_slice(&values[piece.start * width..piece.end * width]);
                self.write_rows(block, width, piece, Dtype::F32, data, &mut scratch)?;
                self.written(data.len() as u64)?;
            }
        }
        Ok(matrix)
    }

    /// Empty blocks for these rows, as large as a binding may be, smaller ones if memory is short; each holds whole bundles of
    /// `bundle` rows, if they come in such.
    fn blocks(
        &self,
        name: &str,
        rows: Range<usize>,
        bundle: Option<usize>,
        width: usize,
        format: Format,
        rounding: Rounding,
    ) -> Result<Vec<Block>> {
        // Kernels of bundles look at whole groups alone.
        let as_texture = self.as_texture(width) && (bundle.is_none() || width.is_multiple_of(GROUP));
        let row_bytes = row_bytes(format, width, as_texture || !format.is_plain());
        let has = self.gpu.capabilities();
        let most = has.storage_binding_bytes.min(has.buffer_bytes) as usize;
        let woven = if as_texture { WOVEN } else { 1 };
        let unit = bundle.unwrap_or(woven);
        let mut block_rows = (most / row_bytes / unit * unit).clamp(unit, rows.len().max(unit));
        let mut blocks = Vec::new();
        let (mut first_row, end) = (rows.start, rows.end);
        while first_row < end {
            let count = block_rows.min(end - first_row);
            match self.gpu.words(name, (count.next_multiple_of(woven) * row_bytes).div_ceil(WORD), as_texture) {
                Ok(data) => {
                    blocks.push(Block { first_row, rows: count, format, data, rounding });
                    first_row += count;
                }
                Err(Error::OutOfMemory { .. }) if block_rows > unit && block_rows * row_bytes > LEAST_BLOCK => {
                    block_rows = (block_rows / 2 / unit * unit).max(unit);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(blocks)
    }

    /// Whether rows of `width` weights go to textures, which software adapters read several times faster.
    fn as_texture(&self, width: usize) -> bool {
        let has = self.gpu.capabilities();
        // Rows of activations are windows of a uniform then.
        let aligned = (4 * stride(width)).is_multiple_of(has.uniform_alignment as usize);
        // Two rows of whole groups always are, but of the longest a window holds one.
        let paired = width.is_multiple_of(GROUP) && width <= LONGEST_TEXTURE_ROW / 2;
        has.software && width <= LONGEST_TEXTURE_ROW && (aligned || paired)
    }

    fn fill(&self, matrix: &mut Matrix, first: usize, tensor: &Tensor<'_>) -> Result<()> {
        let width = matrix.width;
        let row_bytes = tensor.data.len() / tensor.shape[0].max(1);
        let mut scratch = Vec::new();
        for block in &matrix.blocks {
            let begin = block.first_row.max(first);
            let end = (block.first_row + block.rows).min(first + tensor.shape[0]);
            for piece in self.pieces(block, width, begin..end) {
                let bytes = (piece.start - first) * row_bytes..(piece.end - first) * row_bytes;
                tensor.check_finite_bytes(bytes.clone())?;
                if let Format::Ints(ints) = block.format {
                    let place = (piece.start - block.first_row) * block.row_bytes(width);
                    tensor.int_rows(ints, piece.start - first, piece.len(), |rows| {
                        lay_int_rows(ints, width, piece.len(), rows, block.in_texture(), &mut scratch)
                    })?;
                    self.gpu.write_words(&block.data, place / WORD, &scratch);
                } else {
                    self.write_rows(block, width, piece, tensor.dtype, &tensor.data[bytes.clone()], &mut scratch)?;
                }
                self.count(bytes.len() as u64)?;
                tensor.release(bytes);
            }
        }
        self.count(tensor.bytes() - tensor.data.len() as u64)
    }

    /// `rows`, which lie in `block`, in pieces that are written at once, in a texture of whole bundles.
    fn pieces(&self, block: &Block, width: usize, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let count = (self.flush_bytes as usize / 2 / block.row_bytes(width) / WOVEN * WOVEN).max(WOVEN);
        rows.clone().step_by(count).map(move |row| row..(row + count).min(rows.end))
    }

    /// Writes `rows` of `block`, of another format than [`Format::Ints`], whose values are stored as `dtype` in `data`.
    fn write_rows(
        &self,
        block: &Block,
        width: usize,
        rows: Range<usize>,
        dtype: Dtype,
        data: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let (from_bytes, to_bytes) = (data.len() / rows.len(), block.row_bytes(width));
        let place = (rows.start - block.first_row) * to_bytes;
        match &block.data {
            Words::Buffer(array) if block.format.is_plain() => {
                if from_bytes == to_bytes {
                    self.gpu.write_bytes(array, place, data);
                } else {
                    pad(dtype, block.format, data, from_bytes, to_bytes, scratch);
                    self.gpu.write_bytes(array, place, scratch);
                }
            }
            words => {
                lay_rows(block.format, width, data, block.in_texture(), scratch)?;
                self.gpu.write_words(words, place / WORD, scratch);
            }
        }
        Ok(())
    }

    /// Tells of `bytes` more, which were written.
    fn count(&self, bytes: u64) -> Result<()> {
        self.done.set(self.done.get() + bytes);
        self.written(bytes)?;
        (self.progress)(self.done.get().min(self.total), self.total);
        Ok(())
    }

    /// Waits for the driver after every so many bytes.
    fn written(&self, bytes: u64) -> Result<()> {
        self.unflushed.set(self.unflushed.get() + bytes);
        if self.unflushed.get() >= self.flush_bytes {
            self.unflushed.set(0);
            self.gpu.flush_writes("uploading weights")?;
        }
        Ok(())
    }

    fn tensor(&self, name: &str) -> Result<Tensor<'a>> {
        self.checkpoint.tensor(name).ok_or_else(|| Error::Tensors {
            path: self.checkpoint.folder().into(),
            problem: format!("tensor {name} is missing"),
        })
    }

    fn not_a_matrix(&self, tensor: &Tensor<'_>) -> Error {
        self.no_such_shape(tensor, "a matrix")
    }

    fn no_such_shape(&self, tensor: &Tensor<'_>, wanted: &str) -> Error {
        Error::Tensors {
            path: self.checkpoint.folder().into(),
            problem: format!("tensor {} has shape {:?}, expected {wanted}", tensor.name, tensor.shape),
        }
    }
}

/// Rows of plain values `to_bytes` apart, widened to f32 where that is the format they go to.
fn pad(dtype: Dtype, format: Format, rows: &[u8], from_bytes: usize, to_bytes: usize, out: &mut Vec<u8>) {
    out.clear();
    for row in rows.chunks_exact(from_bytes) {
        let start = out.len();
        match (dtype, format) {
            (Dtype::F16, Format::F32) => widen(row, out, |two| half::f16::from_bits(two).to_f32()),
            (Dtype::Bf16, Format::F32) => widen(row, out, |two| half::bf16::from_bits(two).to_f32()),
            _ => out.extend_from_slice(row),
        }
        out.resize(start + to_bytes, 0);
    }
}

fn widen(row: &[u8], to: &mut Vec<u8>, value: impl Fn(u16) -> f32) {
    for two in row.as_chunks().0 {
        to.extend_from_slice(&value(u16::from_le_bytes(*two)).to_le_bytes());
    }
}
