//! GGUF files, versions 2 and 3, whole or split: a header, metadata, the list of tensors, then their data.
//!
//! Nothing is believed before it is checked: counts and lengths against the bytes that are left, shapes against offsets,
//! and no two tensors may share a byte. <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

mod bytes;
mod metadata;
mod split;
mod tensors;

pub use metadata::Metadata;

use super::safetensors::{damaged, shorten};
use super::tensor::{Dtype, Tensor};
use crate::error::{Error, Result};
use bytes::Bytes;
use memmap2::Mmap;
use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: [u8; 4] = *b"GGUF";

/// A tensor of a header that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GgufEntry {
    /// The name in the file.
    pub name: String,
    /// How the values are stored.
    pub dtype: Dtype,
    /// Row-major, last axis contiguous: the file's dimensions in reverse.
    pub shape: Vec<usize>,
    /// The part of a split file.
    part: usize,
    /// Where the data lies in that part.
    range: Range<usize>,
}

/// One file mapped into memory.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    map: Arc<Mmap>,
    version: u32,
    metadata: Metadata,
    entries: Vec<GgufEntry>,
}

/// A GGUF file, or all parts of one that was split, mapped into memory.
///
/// The mapping follows the file: whoever shortens the file while it is mapped makes the system end the process.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    parts: Vec<Part>,
    entries: Vec<GgufEntry>,
    places: HashMap<String, usize>,
}

impl GgufFile {
    /// Whether the file begins as GGUF files do.
    pub fn is_gguf(path: &Path) -> bool {
        let mut magic = [0; 4];
        let read = File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic));
        read.is_ok() && magic == MAGIC
    }

    /// Maps the file, and with any part of a split file all the others beside it; checks everything but the data.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be mapped, [`Error::Damaged`] if one contradicts itself or the others.
    pub fn open(path: &Path) -> Result<GgufFile> {
        GgufFile::joined(path, split::open(path)?)
    }

    /// A whole file that is in memory already, for fuzzing; `path` is named in errors.
    ///
    /// # Errors
    /// As [`GgufFile::open`].
    #[doc(hidden)]
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<GgufFile> {
        // A mapping of no bytes cannot be made everywhere.
        let mut map = memmap2::MmapMut::map_anon(bytes.len().max(1)).map_err(Error::io("map", path))?;
        map[..bytes.len()].copy_from_slice(bytes);
        let map = Arc::new(map.make_read_only().map_err(Error::io("map", path))?);
        GgufFile::joined(path, vec![Part::new(path, map)?])
    }

    fn joined(path: &Path, parts: Vec<Part>) -> Result<GgufFile> {
        let mut entries = Vec::new();
        let mut places = HashMap::new();
        for (number, part) in parts.iter().enumerate() {
            for entry in &part.entries {
                if places.insert(entry.name.clone(), entries.len()).is_some() {
                    return Err(damaged(&part.path, format!("tensor {} is in another part too", shorten(&entry.name))));
                }
                entries.push(GgufEntry { part: number, ..entry.clone() });
            }
        }
        Ok(GgufFile { path: path.into(), parts, entries, places })
    }

    /// The file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All files: more than one if it is split.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| part.path.as_path())
    }

    /// 2 or 3.
    pub fn version(&self) -> u32 {
        self.parts[0].version
    }

    /// `general.architecture`: `gemma3`.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing.
    pub fn architecture(&self) -> Result<&str> {
        self.metadata().string("general.architecture")
    }

    /// Everything that is no tensor; of a split file that of the first part.
    pub fn metadata(&self) -> &Metadata {
        &self.parts[0].metadata
    }

    /// The tensors' heads, part by part in the order of their data.
    pub fn entries(&self) -> &[GgufEntry] {
        &self.entries
    }

    /// The tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        self.of(self.entries.get(*self.places.get(name)?)?)
    }

    /// All tensors, part by part in the order of their data.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.entries.iter().filter_map(|entry| self.of(entry))
    }

    fn of<'a>(&'a self, entry: &'a GgufEntry) -> Option<Tensor<'a>> {
        let part = self.parts.get(entry.part)?;
        Some(Tensor {
            name: &entry.name,
            dtype: entry.dtype,
            shape: &entry.shape,
            data: part.map.get(entry.range.clone()).unwrap_or_default(),
            file: &part.path,
            map: &part.map,
            start: entry.range.start,
            beside: None,
        })
    }
}

impl Part {
    fn open(path: &Path) -> Result<Part> {
        // Before it is opened: that of a pipe would wait.
        if !path.metadata().map_err(Error::io("open", path))?.is_file() {
            return Err(damaged(path, "it is no regular file"));
        }
        let file = File::open(path).map_err(Error::io("open", path))?;
        // SAFETY: the mapping is read only; that nobody else shortens the file meanwhile is asked of the user above.
        let map = Arc::new(unsafe { Mmap::map(&file) }.map_err(Error::io("map", path))?);
        #[cfg(unix)]
        {
            // Only advice: loading goes through the file once from begin to end.
            let _ = map.advise(memmap2::Advice::Sequential);
        }
        Part::new(path, map)
    }

    fn new(path: &Path, map: Arc<Mmap>) -> Result<Part> {
        let (version, metadata, entries) = parse(path, &map)?;
        Ok(Part { path: path.into(), map, version, metadata, entries })
    }
}

/// Checks the header of a mapped file.
fn parse(path: &Path, map: &Arc<Mmap>) -> Result<(u32, Metadata, Vec<GgufEntry>)> {
    let mut bytes = Bytes::new(map);
    let head = |problem: String| damaged(path, format!("its header {problem}"));
    if bytes.take().map_err(head)? != MAGIC {
        return Err(damaged(path, "it does not begin with GGUF"));
    }
    let version = bytes.u32().map_err(head)?;
    let other = |problem| Error::Config { path: path.into(), field: "the version of the format".into(), problem };
    match version {
        2 | 3 => {}
        1 => return Err(other("is 1, which is long out of use: convert the model again".into())),
        _ if matches!(version.swap_bytes(), 1..=3) => {
            return Err(other("is that of a big-endian machine: use a copy for little-endian ones".into()));
        }
        _ => return Err(other(format!("is {version}, expected 2 or 3: use another copy, or a later Percept"))),
    }
    let tensors = bytes.u64().map_err(head)?;
    let pairs = bytes.u64().map_err(head)?;
    let metadata = Metadata::read(path, map, &mut bytes, pairs)?;
    let entries = tensors::read(path, &metadata, &mut bytes, tensors, map.len())?;
    Ok((version, metadata, entries))
}
