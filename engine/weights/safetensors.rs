//! One memory-mapped safetensors file: eight bytes of header length, a JSON header, then the data of the tensors.
//!
//! Nothing of a header is believed before it is checked: lengths against the file, shapes against offsets, and the tensors
//! must lie one behind the other without holes. <https://github.com/huggingface/safetensors#format>

use super::json::{json_object, parse_json};
use super::tensor::{Dtype, Tensor};
use crate::error::{Error, Result};
use memmap2::Mmap;
use serde_json::{Map, Value};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Bytes of the longest header read, the same as in the reference implementation.
const LONGEST_HEADER: u64 = 100_000_000;

/// Axes of a tensor at most; published ones have five.
const MOST_AXES: usize = 16;

/// A tensor of a header that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of the checkpoint.
    pub name: String,
    /// How the values are stored.
    pub dtype: Dtype,
    /// Row-major, last axis contiguous; empty for a scalar.
    pub shape: Vec<usize>,
    /// Where the data lies in the file, in bytes from its begin.
    pub range: Range<usize>,
}

/// A safetensors file mapped into memory.
///
/// The mapping follows the file: whoever shortens the file while it is mapped makes the system end the process.
#[derive(Debug)]
pub struct SafetensorsFile {
    path: PathBuf,
    map: Mmap,
    entries: Vec<Entry>,
}

impl SafetensorsFile {
    /// Maps the file and checks its header; the data is not read.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be mapped, [`Error::Damaged`] if it contradicts itself.
    pub fn open(path: &Path) -> Result<SafetensorsFile> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let metadata = file.metadata().map_err(Error::io("open", path))?;
        if !metadata.is_file() {
            return Err(damaged(path, "it is no regular file"));
        }
        if metadata.len() < 8 {
            return Err(damaged(path, format!("it has {} bytes, a header needs at least 8", metadata.len())));
        }
        // SAFETY: the mapping is read only; that nobody else shortens the file meanwhile is asked of the user above.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("map", path))?;
        let entries = parse_header(path, &map)?;
        #[cfg(unix)]
        {
            // Only advice: loading goes through the file once from begin to end.
            let _ = map.advise(memmap2::Advice::Sequential);
        }
        Ok(SafetensorsFile { path: path.into(), map, entries })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors in the order of their data.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.entries.iter().map(|entry| self.tensor(entry))
    }

    /// The tensors' heads in the order of their data.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The tensor of an entry of this file.
    pub(super) fn tensor<'a>(&'a self, entry: &'a Entry) -> Tensor<'a> {
        Tensor {
            name: &entry.name,
            dtype: entry.dtype,
            shape: &entry.shape,
            data: self.map.get(entry.range.clone()).unwrap_or_default(),
            file: &self.path,
            map: &self.map,
            start: entry.range.start,
            beside: None,
        }
    }
}

/// Checks the header at the begin of `file`, the bytes of the whole file, and returns its tensors in the order of their data.
///
/// # Errors
/// [`Error::Damaged`] naming `path` and what is wrong.
pub fn parse_header(path: &Path, file: &[u8]) -> Result<Vec<Entry>> {
    let Some((length, rest)) = file.split_first_chunk::<8>() else {
        return Err(damaged(path, format!("it has {} bytes, a header needs at least 8", file.len())));
    };
    let length = u64::from_le_bytes(*length);
    if length > LONGEST_HEADER {
        let problem = format!("it asks for a header of {length} bytes, the most allowed is {LONGEST_HEADER}");
        return Err(damaged(path, problem));
    }
    let length = length as usize;
    let Some((header, data)) = rest.split_at_checked(length) else {
        let problem = format!("it asks for a header of {length} bytes, {} follow: the file is cut off", rest.len());
        return Err(damaged(path, problem));
    };
    let in_header = |e: Error| match e {
        Error::Json { problem, .. } => damaged(path, format!("its header: {problem}")),
        other => other,
    };
    let header = parse_json(path, header).and_then(|value| json_object(path, value)).map_err(in_header)?;

    let mut entries = Vec::with_capacity(header.len());
    for (name, value) in header {
        if name == "__metadata__" {
            let strings = value.as_object().is_some_and(|object| object.values().all(Value::is_string));
            if !strings {
                return Err(damaged(path, "its __metadata__ is no object of strings"));
            }
            continue;
        }
        let entry = parse_entry(&name, &value, data.len(), 8 + length);
        entries.push(entry.map_err(|problem| damaged(path, format!("tensor {} {problem}", shorten(&name))))?);
    }
    entries.sort_by_key(|entry| (entry.range.start, entry.range.end));

    let mut end = 8 + length;
    let mut before = "the header";
    for entry in &entries {
        let name = shorten(&entry.name);
        if entry.range.start < end {
            return Err(damaged(path, format!("tensor {name} overlaps {before}")));
        }
        if entry.range.start > end {
            let gap = entry.range.start - end;
            return Err(damaged(path, format!("{gap} bytes between {before} and tensor {name} belong to nothing")));
        }
        end = entry.range.end;
        before = &entry.name;
    }
    if end < file.len() {
        return Err(damaged(path, format!("the last {} bytes belong to no tensor", file.len() - end)));
    }
    Ok(entries)
}

/// One tensor of the header; `data_len` bytes of data follow the header, beginning at `data_start` of the file.
fn parse_entry(name: &str, value: &Value, data_len: usize, data_start: usize) -> Result<Entry, String> {
    let object = value.as_object().ok_or("is no object")?;
    if let Some(unknown) = object.keys().find(|key| !["dtype", "shape", "data_offsets"].contains(&key.as_str())) {
        return Err(format!("has an unknown field {}", shorten(unknown)));
    }
    let dtype = field(object, "dtype")?.as_str().ok_or("has a dtype that is no string")?;
    let dtype = Dtype::from_name(dtype).ok_or_else(|| format!("has the unknown dtype {}", shorten(dtype)))?;

    let axes = field(object, "shape")?.as_array().ok_or("has a shape that is no array")?;
    if axes.len() > MOST_AXES {
        return Err(format!("has {} axes, the most allowed is {MOST_AXES}", axes.len()));
    }
    let axis = |value: &Value| value.as_u64().and_then(|axis| usize::try_from(axis).ok());
    let shape: Option<Vec<usize>> = axes.iter().map(axis).collect();
    let shape = shape.ok_or_else(|| format!("has a shape {} that is not all whole numbers", shorten_json(axes)))?;

    let offsets = field(object, "data_offsets")?.as_array().ok_or("has data_offsets that are no array")?;
    let pair = match offsets.as_slice() {
        [start, end] => start.as_u64().zip(end.as_u64()),
        _ => None,
    };
    let (start, end) =
        pair.ok_or_else(|| format!("has data_offsets {} that are not two whole numbers", shorten_json(offsets)))?;
    if start > end {
        return Err(format!("has data_offsets [{start}, {end}] that run backwards"));
    }
    if end > data_len as u64 {
        return Err(format!("ends at byte {end} of the data, of which there are {data_len}: the file is cut off"));
    }

    let values = shape.iter().try_fold(1u64, |product, axis| product.checked_mul(*axis as u64));
    let bits = values.and_then(|values| values.checked_mul(dtype.bits()));
    let bits = bits.ok_or_else(|| format!("has a shape {shape:?} of more values than can be counted"))?;
    if bits != (end - start) * 8 {
        let bytes = bits.div_ceil(8);
        return Err(format!("is {dtype} of shape {shape:?}, which is {bytes} bytes, but its data has {}", end - start));
    }
    let range = data_start + start as usize..data_start + end as usize;
    Ok(Entry { name: name.into(), dtype, shape, range })
}

fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a Value, String> {
    object.get(name).ok_or_else(|| format!("has no {name}"))
}

pub(super) fn damaged(path: &Path, problem: impl Into<String>) -> Error {
    Error::Damaged { path: path.into(), problem: problem.into() }
}

/// A name from a file in one line of bearable length.
pub(super) fn shorten(name: &str) -> String {
    let plain = !name.is_empty() && name.len() <= 120 && !name.contains(|c: char| c.is_control() || c.is_whitespace());
    if plain {
        return name.into();
    }
    let mut short: String = name.chars().take(100).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    format!("{short:?}")
}

fn shorten_json(items: &[Value]) -> String {
    shorten(&Value::from(items).to_string().replace(',', ", ").replace(' ', "")).replace(',', ", ")
}
