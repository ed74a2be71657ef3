//! The list of tensors of a GGUF file, held against its size and against itself.

use super::super::safetensors::{damaged, shorten};
use super::super::{Dtype, Format};
use super::bytes::Bytes;
use super::{GgufEntry, Metadata};
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::path::Path;

/// Axes of a tensor at most, as in `ggml`.
const MOST_AXES: u32 = 4;

/// Names of types that occur in files and are not multiplied here.
const UNSUPPORTED: [(u32, &str); 12] = [
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (40, "NVFP4"),
];

/// What is wrong with a head.
enum Problem {
    Damaged(String),
    Unsupported(String),
}

impl From<String> for Problem {
    fn from(problem: String) -> Problem {
        Problem::Damaged(problem)
    }
}

/// Reads `count` heads; offsets are those from the end of the list, rounded up to the alignment.
pub(super) fn read(
    path: &Path,
    metadata: &Metadata,
    bytes: &mut Bytes<'_>,
    count: u64,
    file_len: usize,
) -> Result<Vec<GgufEntry>> {
    let alignment = metadata.optional_usize("general.alignment", 1..=1 << 20)?.unwrap_or(32);
    if !alignment.is_power_of_two() || alignment < 8 {
        return Err(metadata.error("general.alignment", format!("is {alignment}, expected a power of two from 8 on")));
    }
    let mut entries = Vec::new();
    let mut offsets = Vec::new();
    let mut names = HashSet::new();
    for index in 0..count {
        let about = |problem: String| damaged(path, format!("tensor {index} of {count} {problem}"));
        let name = bytes.string().map_err(|problem| about(format!("has a name that {problem}")))?;
        let about = |problem: String| damaged(path, format!("tensor {} {problem}", shorten(name)));
        let (entry, offset) = read_one(bytes, name).map_err(|problem| match problem {
            Problem::Damaged(problem) => about(problem),
            Problem::Unsupported(problem) => {
                Error::Tensors { path: path.into(), problem: format!("tensor {} {problem}", shorten(name)) }
            }
        })?;
        if !offset.is_multiple_of(alignment as u64) {
            return Err(about(format!("begins at {offset}, which is no multiple of {alignment}")));
        }
        if !names.insert(name) {
            return Err(about("is there twice".into()));
        }
        entries.push(entry);
        offsets.push(offset);
    }
    let data = bytes.place().next_multiple_of(alignment) as u64;
    for (entry, offset) in entries.iter_mut().zip(offsets) {
        let length = entry.range.len() as u64;
        let end = data.checked_add(offset).and_then(|start| start.checked_add(length));
        let Some(end) = end.and_then(|end| usize::try_from(end).ok()).filter(|end| *end <= file_len) else {
            let problem = format!(
                "tensor {} needs {length} bytes from {offset} of the data on, but the file ends before: it is cut off",
                shorten(&entry.name)
            );
            return Err(damaged(path, problem));
        };
        entry.range = end - entry.range.len()..end;
    }
    entries.sort_by_key(|entry| entry.range.start);
    for two in entries.windows(2) {
        if two[0].range.end > two[1].range.start {
            let (a, b) = (shorten(&two[0].name), shorten(&two[1].name));
            return Err(damaged(path, format!("tensors {a} and {b} share bytes")));
        }
    }
    Ok(entries)
}

/// One head; its range begins at 0 and has the length of the data.
fn read_one(bytes: &mut Bytes<'_>, name: &str) -> Result<(GgufEntry, u64), Problem> {
    let axes = bytes.u32()?;
    if axes == 0 || axes > MOST_AXES {
        return Err(format!("has {axes} axes, expected 1 to {MOST_AXES}").into());
    }
    let mut shape = Vec::with_capacity(axes as usize);
    for _ in 0..axes {
        let length = bytes.u64()?;
        let length = usize::try_from(length).map_err(|_| format!("has an axis of {length}"))?;
        if length == 0 {
            return Err("has an axis of length 0".to_string().into());
        }
        shape.push(length);
    }
    let number = bytes.u32()?;
    let offset = bytes.u64()?;
    let dtype = dtype(number)?;
    let (block_len, block_bytes) = match dtype {
        Dtype::Block(format) => (format.block_len(), format.block_bytes()),
        plain => (1, plain.bits() as usize / 8),
    };
    if !shape[0].is_multiple_of(block_len) {
        let problem = format!("has rows of {} values, which are no whole blocks of {block_len}", shape[0]);
        return Err(problem.into());
    }
    let values = shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length));
    let length = values.and_then(|values| (values / block_len).checked_mul(block_bytes));
    let length = length.filter(|length| isize::try_from(*length).is_ok());
    let length = length.ok_or_else(|| format!("has more values than a file can hold: {shape:?}"))?;
    shape.reverse();
    Ok((GgufEntry { name: name.into(), dtype, shape, part: 0, range: 0..length }, offset))
}

fn dtype(number: u32) -> Result<Dtype, Problem> {
    if let Some(format) = Format::from_ggml_type(number) {
        return Ok(match format {
            Format::F32 => Dtype::F32,
            Format::F16 => Dtype::F16,
            Format::Bf16 => Dtype::Bf16,
            block => Dtype::Block(block),
        });
    }
    match number {
        24 => Ok(Dtype::I8),
        25 => Ok(Dtype::I16),
        26 => Ok(Dtype::I32),
        27 => Ok(Dtype::I64),
        28 => Ok(Dtype::F64),
        _ => {
            let found = UNSUPPORTED.iter().find(|row| row.0 == number).map_or("unknown", |row| row.1);
            let known: Vec<&str> = Format::all().map(Format::name).collect();
            Err(Problem::Unsupported(format!(
                "is of type {number} ({found}), which is not supported; supported: {}",
                known.join(", ")
            )))
        }
    }
}
