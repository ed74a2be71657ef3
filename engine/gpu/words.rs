//! Memory of weights that kernels read in words of 16 bytes: a storage buffer, or a texture for software adapters, which
//! read those several times faster.

use super::array::Resource;
use super::{Array, Bind, Gpu};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a word.
const WORD: usize = 16;
/// A word is a texel.
pub(super) const TEXTURE: wgpu::TextureFormat = wgpu::TextureFormat::Rgba32Uint;
/// Words of a line of a texture, as in the shaders.
const LINE: usize = 8192;

/// `len` words of 16 bytes on the GPU, zero until written.
#[derive(Clone, Debug)]
pub enum Words {
    /// In a storage buffer.
    Buffer(Array<u32>),
    /// In a texture of lines of 8192, or of one line as long as they are.
    Texture(Arc<Texture>),
}

/// A texture whose bytes are given back to the account when it is dropped.
#[derive(Debug)]
pub struct Texture {
    raw: wgpu::Texture,
    pub(super) view: wgpu::TextureView,
    len: usize,
    bytes: u64,
    held: Arc<AtomicU64>,
}

impl Drop for Texture {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
        self.raw.destroy();
    }
}

impl Words {
    /// Bytes on the GPU.
    pub fn bytes(&self) -> u64 {
        match self {
            Words::Buffer(array) => array.bytes(),
            Words::Texture(texture) => (texture.len * WORD) as u64,
        }
    }

    /// As a binding, after checking that it holds at least `expected` bytes.
    ///
    /// # Errors
    /// [`Error::Length`] if it is shorter.
    pub fn bind(&self, name: &str, expected: usize) -> Result<Bind> {
        match self {
            Words::Buffer(array) => array.bind(name, expected.div_ceil(4)),
            Words::Texture(texture) if texture.len * WORD < expected => {
                Err(Error::Length { name: name.into(), expected, found: texture.len * WORD })
            }
            Words::Texture(texture) => Ok(Bind { resource: Resource::Texture(texture.clone()) }),
        }
    }
}

impl Gpu {
    /// `len` words of zeros.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the adapter, its limits or the limit set by the caller do not allow it.
    pub fn words(&self, what: &str, len: usize, as_texture: bool) -> Result<Words> {
        if !as_texture {
            return Ok(Words::Buffer(self.array(what, 4 * len)?));
        }
        let lines = len.div_ceil(LINE).max(1);
        // A single line need not be a whole one.
        let width = if lines == 1 { len.max(1) } else { LINE };
        let bytes = (lines * width * WORD) as u64;
        if lines > self.capabilities().texture_lines as usize {
            return Err(self.out_of_memory(what, bytes));
        }
        let raw = self.allocate(what, bytes, || {
            self.device.create_texture(&wgpu::TextureDescriptor {
                label: Some(what),
                size: wgpu::Extent3d { width: width as u32, height: lines as u32, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: TEXTURE,
                usage: wgpu::TextureUsages::TEXTURE_BINDING
                    | wgpu::TextureUsages::STORAGE_BINDING
                    | wgpu::TextureUsages::COPY_DST,
                view_formats: &[],
            })
        })?;
        let view = raw.create_view(&wgpu::TextureViewDescriptor::default());
        Ok(Words::Texture(Arc::new(Texture { raw, view, len, bytes, held: self.held.clone() })))
    }

    /// Writes whole words from word `start` on.
    pub fn write_words(&self, words: &Words, start: usize, bytes: &[u8]) {
        let texture = match words {
            Words::Buffer(array) => return self.write_bytes(array, start * WORD, bytes),
            Words::Texture(texture) => texture,
        };
        let end = start + bytes.len() / WORD;
        assert!(bytes.len().is_multiple_of(WORD) && end <= texture.len, "write {start} to {end} of {}", texture.len);
        let mut at = start;
        while at < end {
            // A part of a line, or as many whole lines as there are.
            let (x, y) = (at % LINE, at / LINE);
            let (width, height) =
                if x > 0 || end - at < LINE { ((LINE - x).min(end - at), 1) } else { (LINE, (end - at) / LINE) };
            let place = wgpu::TexelCopyTextureInfo {
                texture: &texture.raw,
                mip_level: 0,
                origin: wgpu::Origin3d { x: x as u32, y: y as u32, z: 0 },
                aspect: wgpu::TextureAspect::All,
            };
            let layout = wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some((width * WORD) as u32),
                rows_per_image: None,
            };
            let size = wgpu::Extent3d { width: width as u32, height: height as u32, depth_or_array_layers: 1 };
            let data = &bytes[(at - start) * WORD..][..width * height * WORD];
            self.queue.write_texture(place, data, layout, size);
            at += width * height;
        }
    }
}
