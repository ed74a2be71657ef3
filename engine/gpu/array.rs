//! Typed arrays on the GPU: every allocation is counted, limited and made inside an error scope.

use super::Gpu;
use super::words::Texture;
use crate::error::{Error, Result};
use bytemuck::Pod;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a window: what every adapter can bind as a uniform.
pub(super) const WINDOW_BYTES: u64 = 64 << 10;

const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST).union(wgpu::BufferUsages::COPY_SRC);

/// A buffer whose bytes are given back to the account when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) raw: wgpu::Buffer,
    bytes: u64,
    held: Arc<AtomicU64>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
        self.raw.destroy();
    }
}

/// `len` values of type `T` on the GPU, zero until written.
#[derive(Debug)]
pub struct Array<T> {
    pub(super) buffer: Arc<Buffer>,
    len: usize,
    values: PhantomData<T>,
}

impl<T> Clone for Array<T> {
    fn clone(&self) -> Self {
        Array { buffer: self.buffer.clone(), len: self.len, values: PhantomData }
    }
}

/// What a dispatch is given for a binding of its shader.
#[derive(Clone, Debug)]
pub struct Bind {
    pub(super) resource: Resource,
}

/// What lies behind a [`Bind`]; held as long as a plan uses it.
#[derive(Clone, Debug)]
pub(super) enum Resource {
    /// So many bytes of a buffer, from its begin.
    Buffer(Arc<Buffer>, u64),
    /// A texture of weights.
    Texture(Arc<Texture>),
}

impl<T: Pod> Array<T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds no value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        (self.len * size_of::<T>()) as u64
    }

    /// The array as a binding, after checking that it holds at least `expected` values.
    ///
    /// # Errors
    /// [`Error::Length`] if it is shorter.
    pub fn bind(&self, name: &str, expected: usize) -> Result<Bind> {
        if self.len < expected {
            return Err(Error::Length { name: name.into(), expected, found: self.len });
        }
        Ok(Bind { resource: Resource::Buffer(self.buffer.clone(), self.bytes()) })
    }

    /// The array as windows of a dispatch of windows, after checking that it holds at least `expected` values and has
    /// room behind for the last window.
    ///
    /// # Errors
    /// [`Error::Length`] if it is shorter.
    pub fn bind_window(&self, name: &str, expected: usize) -> Result<Bind> {
        let bytes = (expected * size_of::<T>()) as u64 + WINDOW_BYTES;
        if self.len < expected || self.buffer.bytes < bytes {
            let found = self.buffer.bytes.saturating_sub(WINDOW_BYTES) as usize / size_of::<T>();
            return Err(Error::Length { name: name.into(), expected, found: found.min(self.len) });
        }
        Ok(Bind { resource: Resource::Buffer(self.buffer.clone(), WINDOW_BYTES) })
    }
}

impl Gpu {
    /// A new array of zeros.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the adapter, its limits or the limit set by the caller do not allow it.
    pub fn array<T: Pod>(&self, what: &str, len: usize) -> Result<Array<T>> {
        let bytes = (len.max(1) * size_of::<T>()).next_multiple_of(16) as u64;
        if bytes > self.capabilities().storage_binding_bytes {
            return Err(self.out_of_memory(what, bytes));
        }
        let buffer = self.buffer(what, bytes, USAGE)?;
        Ok(Array { buffer, len, values: PhantomData })
    }

    /// A new array of zeros that can be read through windows too: the inputs of matrix kernels.
    ///
    /// # Errors
    /// As [`Gpu::array`].
    pub fn rows<T: Pod>(&self, what: &str, len: usize) -> Result<Array<T>> {
        if !self.capabilities().software {
            return self.array(what, len);
        }
        let bytes = (len.max(1) * size_of::<T>()).next_multiple_of(16) as u64;
        if bytes > self.capabilities().storage_binding_bytes {
            return Err(self.out_of_memory(what, bytes));
        }
        let buffer = self.buffer(what, bytes + WINDOW_BYTES, USAGE | wgpu::BufferUsages::UNIFORM)?;
        Ok(Array { buffer, len, values: PhantomData })
    }

    /// A new array with these values.
    ///
    /// # Errors
    /// As [`Gpu::array`].
    pub fn array_of<T: Pod>(&self, what: &str, values: &[T]) -> Result<Array<T>> {
        let array = self.array(what, values.len())?;
        self.write(&array, 0, values);
        Ok(array)
    }

    /// Writes `values` from place `start` on; the copy happens before anything submitted later.
    pub fn write<T: Pod>(&self, array: &Array<T>, start: usize, values: &[T]) {
        assert!(start + values.len() <= array.len, "write {start}+{} into {}", values.len(), array.len);
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let offset = (start * size_of::<T>()) as u64;
        if bytes.len().is_multiple_of(4) {
            self.queue.write_buffer(&array.buffer.raw, offset, bytes);
        } else {
            let mut padded = bytes.to_vec();
            padded.resize(bytes.len().next_multiple_of(4), 0);
            self.queue.write_buffer(&array.buffer.raw, offset, &padded);
        }
    }

    /// Writes raw bytes from `start` on, both multiples of 4 in length and place.
    pub fn write_bytes(&self, array: &Array<u32>, start: usize, bytes: &[u8]) {
        assert!(start + bytes.len() <= array.len * 4, "write {start}+{} bytes into {}", bytes.len(), array.len * 4);
        self.queue.write_buffer(&array.buffer.raw, start as u64, bytes);
    }

    /// Submits pending writes and waits for them, so that their staging memory is given back.
    ///
    /// # Errors
    /// As [`Gpu::check`].
    pub fn flush_writes(&self, during: &str) -> Result<()> {
        self.queue.submit([]);
        self.wait(during)
    }

    pub(super) fn buffer(&self, what: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<Arc<Buffer>> {
        if bytes > self.capabilities().buffer_bytes {
            return Err(self.out_of_memory(what, bytes));
        }
        let descriptor = wgpu::BufferDescriptor { label: Some(what), size: bytes, usage, mapped_at_creation: false };
        let raw = self.allocate(what, bytes, || self.device.create_buffer(&descriptor))?;
        self.count(|c| &c.buffers, 1);
        Ok(Arc::new(Buffer { raw, bytes, held: self.held.clone() }))
    }

    /// What `create` makes, after taking `bytes` into the account, inside error scopes.
    pub(super) fn allocate<R>(&self, what: &str, bytes: u64, create: impl FnOnce() -> R) -> Result<R> {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let give_back = || self.held.fetch_sub(bytes, Ordering::Relaxed);
        if self.memory_limit_bytes.is_some_and(|limit| held > limit) {
            give_back();
            return Err(self.out_of_memory(what, bytes));
        }
        let invalid = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let full = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = create();
        let full = pollster::block_on(full.pop());
        let invalid = pollster::block_on(invalid.pop());
        if full.is_none() && invalid.is_none() {
            return Ok(made);
        }
        give_back();
        self.check(&format!("allocating {what}"))?;
        Err(match invalid {
            Some(error) if full.is_none() => Error::Driver {
                adapter: self.summary.title(),
                what: format!("{bytes} bytes for {what}"),
                problem: super::one_line(&error.to_string()),
            },
            _ => self.out_of_memory(what, bytes),
        })
    }

    pub(super) fn out_of_memory(&self, what: &str, bytes: u64) -> Error {
        Error::OutOfMemory { what: what.into(), bytes, held: self.held_bytes() }
    }
}
