//! Weights from the mapped file to the GPU in blocks, without a second copy in memory.

use super::{Block, Checkpoint, Dtype, Format, Matrix, Tensor, stride};
use crate::error::{Error, Result};
use crate::gpu::{Array, Gpu};
use std::cell::Cell;

/// Bytes written in one go.
const PIECE: usize = 4 << 20;
/// Bytes after which the staging memory of the driver is waited for and given back.
const FLUSH_EVERY: u64 = 32 << 20;
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
}

impl<'a> Upload<'a> {
    /// `progress(done, total)` is told of the bytes uploaded.
    pub fn new(gpu: &'a Gpu, checkpoint: &'a Checkpoint, progress: &'a dyn Fn(u64, u64)) -> Upload<'a> {
        let total = checkpoint.total_bytes();
        Upload { gpu, checkpoint, progress, total, done: Cell::new(0), unflushed: Cell::new(0) }
    }

    /// A vector as f32.
    ///
    /// # Errors
    /// [`Error::Tensors`] if it is not there, [`Error::NotFinite`], [`Error::OutOfMemory`].
    pub fn vector(&self, name: &str) -> Result<Array<f32>> {
        self.gpu.array_of(name, &self.values(name)?)
    }

    /// Vectors as f32, one after another.
    ///
    /// # Errors
    /// As [`Upload::vector`].
    pub fn vectors(&self, names: &[&str]) -> Result<Array<f32>> {
        let mut all = Vec::new();
        for name in names {
            all.extend(self.values(name)?);
        }
        self.gpu.array_of(names.first().unwrap_or(&""), &all)
    }

    /// The values of a small tensor on the CPU.
    ///
    /// # Errors
    /// [`Error::Tensors`] if it is not there, [`Error::NotFinite`].
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.tensor(name)?;
        tensor.check_finite()?;
        self.count(tensor.data.len() as u64)?;
        tensor.to_f32()
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
        let same = tensors.iter().all(|t| t.dtype == tensors[0].dtype);
        let format = match tensors[0].dtype {
            Dtype::F16 if same => Format::F16,
            Dtype::Bf16 if same => Format::Bf16,
            _ => Format::F32,
        };
        let rows = tensors.iter().map(|t| t.shape[0]).sum();
        let mut matrix = Matrix { rows, width, format, blocks: self.blocks(names[0], rows, width, format)? };
        let mut first = 0;
        for tensor in &tensors {
            self.fill(&mut matrix, first, tensor)?;
            first += tensor.shape[0];
        }
        Ok(matrix)
    }

    /// Empty blocks for all rows, as large as a binding may be; smaller ones if memory is short.
    fn blocks(&self, name: &str, rows: usize, width: usize, format: Format) -> Result<Vec<Block>> {
        let row_bytes = stride(width) * format.block_bytes();
        let has = self.gpu.capabilities();
        let most = has.storage_binding_bytes.min(has.buffer_bytes) as usize;
        let mut block_rows = (most / row_bytes).clamp(1, rows.max(1));
        let mut blocks = Vec::new();
        let mut first_row = 0;
        while first_row < rows {
            let count = block_rows.min(rows - first_row);
            match self.gpu.array(name, count * row_bytes / 4) {
                Ok(data) => {
                    blocks.push(Block { first_row, rows: count, data });
                    first_row += count;
                }
                Err(Error::OutOfMemory { .. }) if block_rows * row_bytes > LEAST_BLOCK => block_rows /= 2,
                Err(error) => return Err(error),
            }
        }
        Ok(blocks)
    }

    fn fill(&self, matrix: &mut Matrix, first: usize, tensor: &Tensor<'_>) -> Result<()> {
        let width = matrix.width;
        let row_bytes = tensor.data.len() / tensor.shape[0].max(1);
        let stored_bytes = stride(width) * matrix.format.block_bytes();
        let as_it_is = stored_bytes == row_bytes;
        let mut scratch = Vec::new();
        for block in &matrix.blocks {
            let begin = block.first_row.max(first);
            let end = (block.first_row + block.rows).min(first + tensor.shape[0]);
            let mut row = begin;
            while row < end {
                let count = (PIECE / stored_bytes).clamp(1, end - row);
                let from = (row - first) * row_bytes;
                let bytes = from..from + count * row_bytes;
                tensor.check_finite_bytes(bytes.clone())?;
                let place = (row - block.first_row) * stored_bytes;
                let data = &tensor.data[bytes.clone()];
                if as_it_is {
                    self.gpu.write_bytes(&block.data, place, data);
                } else {
                    scratch.clear();
                    for row in data.chunks_exact(row_bytes) {
                        let start = scratch.len();
                        match (tensor.dtype, matrix.format) {
                            (Dtype::F16, Format::F32) => {
                                widen(row, &mut scratch, |two| half::f16::from_bits(two).to_f32());
                            }
                            (Dtype::Bf16, Format::F32) => {
                                widen(row, &mut scratch, |two| half::bf16::from_bits(two).to_f32());
                            }
                            _ => scratch.extend_from_slice(row),
                        }
                        scratch.resize(start + stored_bytes, 0);
                    }
                    self.gpu.write_bytes(&block.data, place, &scratch);
                }
                self.count((count * row_bytes) as u64)?;
                tensor.release(bytes);
                row += count;
            }
        }
        Ok(())
    }

    /// Tells of `bytes` more and now and then waits for the driver.
    fn count(&self, bytes: u64) -> Result<()> {
        self.done.set(self.done.get() + bytes);
        self.unflushed.set(self.unflushed.get() + bytes);
        if self.unflushed.get() >= FLUSH_EVERY {
            self.unflushed.set(0);
            self.gpu.flush_writes("uploading weights")?;
        }
        (self.progress)(self.done.get().min(self.total), self.total);
        Ok(())
    }

    fn tensor(&self, name: &str) -> Result<Tensor<'a>> {
        self.checkpoint.tensor(name).ok_or_else(|| Error::Tensors {
            path: self.checkpoint.folder().into(),
            problem: format!("tensor {name} is missing"),
        })
    }

    fn not_a_matrix(&self, tensor: &Tensor<'_>) -> Error {
        Error::Tensors {
            path: self.checkpoint.folder().into(),
            problem: format!("tensor {} has shape {:?}, expected a matrix", tensor.name, tensor.shape),
        }
    }
}

fn widen(row: &[u8], to: &mut Vec<u8>, value: impl Fn(u16) -> f32) {
    for two in row.as_chunks().0 {
        to.extend_from_slice(&value(u16::from_le_bytes(*two)).to_le_bytes());
    }
}
