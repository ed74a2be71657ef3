//! Files that were split: each part says its number and how many there are, in its metadata and in its name.

use super::super::safetensors::damaged;
use super::Part;
use crate::error::{Error, Result};
use std::ops::RangeInclusive;
use std::path::Path;

const NUMBER: &str = "split.no";
const COUNT: &str = "split.count";
const TENSORS: &str = "split.tensors.count";

/// Numbers of parts that are believed; published files have up to some hundred.
const MOST: RangeInclusive<usize> = 0..=u16::MAX as usize;

/// All parts of the file, in order; one if it is whole.
pub(super) fn open(path: &Path) -> Result<Vec<Part>> {
    let opened = Part::open(path)?;
    let count = opened.metadata.optional_usize(COUNT, 1..=*MOST.end())?.unwrap_or(1);
    if count == 1 {
        opened.metadata.optional_usize(NUMBER, ..1)?;
        return counted(vec![opened]);
    }
    let number = opened.metadata.usize(NUMBER, 0..count)?;
    let ending = |number: usize| format!("-{:05}-of-{count:05}.gguf", number + 1);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(stem) = name.strip_suffix(&ending(number)) else {
        let problem = format!("it is part {} of {count}, but its name does not end in {}", number + 1, ending(number));
        return Err(damaged(path, problem));
    };
    let mut parts = Vec::new();
    for other in 0..count {
        let beside = path.with_file_name(format!("{stem}{}", ending(other)));
        if other != number && !beside.exists() {
            return Err(Error::Io {
                path: beside,
                doing: "open",
                source: std::io::Error::new(
                    std::io::ErrorKind::NotFound,
                    format!("part {} of {count} of a split model is not there; download it too", other + 1),
                ),
            });
        }
        let part = Part::open(&beside)?;
        let says = (part.metadata.usize(NUMBER, MOST)?, part.metadata.usize(COUNT, MOST)?);
        if says != (other, count) {
            let problem = format!("it says that it is part {} of {}, not {} of {count}", says.0 + 1, says.1, other + 1);
            return Err(damaged(&part.path, problem));
        }
        parts.push(part);
    }
    counted(parts)
}

/// The parts, if each that says how many tensors all of them hold is right.
fn counted(parts: Vec<Part>) -> Result<Vec<Part>> {
    let found: usize = parts.iter().map(|part| part.entries.len()).sum();
    for part in &parts {
        if let Some(expected) = part.metadata.optional_usize(TENSORS, ..)?.filter(|expected| *expected != found) {
            return Err(damaged(&part.path, format!("its parts hold {found} tensors, expected {expected}")));
        }
    }
    Ok(parts)
}
