//! The key-value part of a GGUF file. Only the places of strings and arrays are kept: a vocabulary of a million words costs
//! nothing until it is read.

use super::super::fields::in_words;
use super::super::safetensors::{damaged, shorten};
use super::bytes::Bytes;
use crate::error::{Error, Result};
use memmap2::Mmap;
use std::collections::HashMap;
use std::ops::{Range, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arrays within arrays that are walked; published files have none.
const DEEPEST: usize = 4;

/// A value as it lies in the file.
#[derive(Clone, Debug)]
enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    String(Range<usize>),
    Array { kind: Kind, len: usize, range: Range<usize> },
}

impl Value {
    fn name(&self) -> String {
        match self {
            Value::Unsigned(_) | Value::Signed(_) => "a whole number".into(),
            Value::Float(_) => "a number".into(),
            Value::Bool(_) => "true or false".into(),
            Value::String(_) => "a string".into(),
            Value::Array { kind, len, .. } => format!("an array of {len} {}", kind.name()),
        }
    }
}

/// Types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    const ALL: [Kind; 13] = [
        Kind::U8,
        Kind::I8,
        Kind::U16,
        Kind::I16,
        Kind::U32,
        Kind::I32,
        Kind::F32,
        Kind::Bool,
        Kind::String,
        Kind::Array,
        Kind::U64,
        Kind::I64,
        Kind::F64,
    ];

    fn read(bytes: &mut Bytes<'_>) -> Result<Kind, String> {
        let number = bytes.u32()?;
        Kind::ALL.get(number as usize).copied().ok_or_else(|| format!("is of the unknown type {number}"))
    }

    fn name(self) -> &'static str {
        match self {
            Kind::String => "strings",
            Kind::Array => "arrays",
            Kind::Bool => "truth values",
            Kind::F32 | Kind::F64 => "numbers",
            _ => "whole numbers",
        }
    }

    /// Bytes of a value, if all have as many.
    fn size(self) -> Option<usize> {
        match self {
            Kind::U8 | Kind::I8 | Kind::Bool => Some(1),
            Kind::U16 | Kind::I16 => Some(2),
            Kind::U32 | Kind::I32 | Kind::F32 => Some(4),
            Kind::U64 | Kind::I64 | Kind::F64 => Some(8),
            Kind::String | Kind::Array => None,
        }
    }
}

/// The key-value part of a GGUF file.
#[derive(Clone, Debug)]
pub struct Metadata {
    path: PathBuf,
    map: Arc<Mmap>,
    keys: Vec<String>,
    values: HashMap<String, Value>,
}

impl Metadata {
    /// Reads `count` pairs.
    pub(super) fn read(path: &Path, map: &Arc<Mmap>, bytes: &mut Bytes<'_>, count: u64) -> Result<Metadata> {
        let mut keys = Vec::new();
        let mut values = HashMap::new();
        for index in 0..count {
            let name = |problem: String| damaged(path, format!("metadata entry {index} of {count} {problem}"));
            let key = bytes.string().map_err(|problem| name(format!("has a key that {problem}")))?;
            let about = |problem: String| damaged(path, format!("metadata key {} {problem}", shorten(key)));
            let kind = Kind::read(bytes).map_err(about)?;
            let value = read_value(bytes, kind).map_err(about)?;
            if values.insert(key.to_string(), value).is_some() {
                return Err(about("is there twice".into()));
            }
            keys.push(key.to_string());
        }
        Ok(Metadata { path: path.into(), map: map.clone(), keys, values })
    }

    /// The keys in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// An error about a key.
    pub fn error(&self, key: &str, problem: impl Into<String>) -> Error {
        Error::Config { path: self.path.clone(), field: key.into(), problem: problem.into() }
    }

    /// # Errors
    /// [`Error::Config`] if it is missing or no string.
    pub fn string(&self, key: &str) -> Result<&str> {
        self.optional_string(key)?.ok_or_else(|| self.missing(key))
    }

    /// # Errors
    /// [`Error::Config`] if it is no string.
    pub fn optional_string(&self, key: &str) -> Result<Option<&str>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::String(range)) => {
                let bytes = self.map.get(range.clone()).unwrap_or_default();
                let text = std::str::from_utf8(bytes).map_err(|_| self.error(key, "is no UTF-8 text"))?;
                Ok(Some(text))
            }
            Some(other) => Err(self.mistyped(key, other, "a string")),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing, no whole number or out of `range`.
    pub fn usize(&self, key: &str, range: impl RangeBounds<usize>) -> Result<usize> {
        self.optional_usize(key, range)?.ok_or_else(|| self.missing(key))
    }

    /// # Errors
    /// [`Error::Config`] if it is no whole number or out of `range`.
    pub fn optional_usize(&self, key: &str, range: impl RangeBounds<usize>) -> Result<Option<usize>> {
        let number = match self.values.get(key) {
            None => return Ok(None),
            Some(Value::Unsigned(number)) => usize::try_from(*number).ok(),
            Some(Value::Signed(number)) => usize::try_from(*number).ok(),
            Some(other) => return Err(self.mistyped(key, other, "a whole number")),
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.error(key, format!("is {}, expected {}", self.shown(key), in_words(&range)))),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing, no number or not finite.
    pub fn f32(&self, key: &str) -> Result<f32> {
        self.optional_f32(key)?.ok_or_else(|| self.missing(key))
    }

    /// # Errors
    /// [`Error::Config`] if it is no number or not finite.
    pub fn optional_f32(&self, key: &str) -> Result<Option<f32>> {
        let number = match self.values.get(key) {
            None => return Ok(None),
            Some(Value::Float(number)) => *number as f32,
            Some(Value::Unsigned(number)) => *number as f32,
            Some(Value::Signed(number)) => *number as f32,
            Some(other) => return Err(self.mistyped(key, other, "a number")),
        };
        if number.is_finite() { Ok(Some(number)) } else { Err(self.error(key, "is not finite")) }
    }

    /// # Errors
    /// [`Error::Config`] if it is missing or neither true nor false.
    pub fn bool(&self, key: &str) -> Result<bool> {
        self.optional_bool(key)?.ok_or_else(|| self.missing(key))
    }

    /// # Errors
    /// [`Error::Config`] if it is neither true nor false.
    pub fn optional_bool(&self, key: &str) -> Result<Option<bool>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(self.mistyped(key, other, "true or false")),
        }
    }

    /// Values in an array.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or no array.
    pub fn array_len(&self, key: &str) -> Result<usize> {
        match self.values.get(key) {
            None => Err(self.missing(key)),
            Some(Value::Array { len, .. }) => Ok(*len),
            Some(other) => Err(self.mistyped(key, other, "an array")),
        }
    }

    /// Whether an array of strings is there.
    pub fn has_strings(&self, key: &str) -> bool {
        matches!(self.values.get(key), Some(Value::Array { kind: Kind::String, .. }))
    }

    /// An array of strings, read as it is asked for.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or no array of strings; an item is one if it is no UTF-8 text.
    pub fn strings(&self, key: &str) -> Result<impl Iterator<Item = Result<&str>>> {
        let (kind, len, data) = self.array(key, "strings")?;
        if kind != Kind::String {
            return Err(self.mistyped_array(key, kind, "strings"));
        }
        let mut bytes = Bytes::new(data);
        let owned = key.to_string();
        Ok((0..len).map(move |index| {
            bytes.raw_string().ok().and_then(|raw| std::str::from_utf8(raw).ok()).ok_or_else(|| {
                self.error(&owned, format!("has an entry, the one with index {index}, that is no UTF-8 text"))
            })
        }))
    }

    /// An array of numbers.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or no array of floating-point numbers.
    pub fn f32s(&self, key: &str) -> Result<Vec<f32>> {
        let (kind, _, data) = self.array(key, "numbers")?;
        match kind {
            Kind::F32 => Ok(data.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()),
            Kind::F64 => Ok(data.as_chunks().0.iter().map(|eight| f64::from_le_bytes(*eight) as f32).collect()),
            other => Err(self.mistyped_array(key, other, "numbers")),
        }
    }

    /// An array of whole numbers.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing, no array of whole numbers, or one does not fit.
    pub fn i32s(&self, key: &str) -> Result<Vec<i32>> {
        let (kind, len, data) = self.array(key, "whole numbers")?;
        if matches!(kind, Kind::String | Kind::Array | Kind::Bool | Kind::F32 | Kind::F64) {
            return Err(self.mistyped_array(key, kind, "whole numbers"));
        }
        let (mut bytes, mut all) = (Bytes::new(data), Vec::with_capacity(len));
        for index in 0..len {
            let value = match read_value(&mut bytes, kind) {
                Ok(Value::Unsigned(number)) => i32::try_from(number).ok(),
                Ok(Value::Signed(number)) => i32::try_from(number).ok(),
                _ => return Err(self.mistyped_array(key, kind, "whole numbers")),
            };
            let too_large = || self.error(key, format!("has at index {index} a number that is too large"));
            all.push(value.ok_or_else(too_large)?);
        }
        Ok(all)
    }

    /// An array of whole numbers in `range`.
    ///
    /// # Errors
    /// As [`Metadata::i32s`], or one is out of range.
    pub fn usizes(&self, key: &str, range: impl RangeBounds<usize>) -> Result<Vec<usize>> {
        let inside = |number: i32| usize::try_from(number).ok().filter(|number| range.contains(number));
        let all = self.i32s(key)?.into_iter().map(|number| {
            inside(number).ok_or_else(|| self.error(key, format!("holds {number}, expected {}", in_words(&range))))
        });
        all.collect()
    }

    /// An array of truth values.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing, no array of truth values, or one is neither.
    pub fn bools(&self, key: &str) -> Result<Vec<bool>> {
        let (kind, _, data) = self.array(key, "truth values")?;
        if kind != Kind::Bool {
            return Err(self.mistyped_array(key, kind, "truth values"));
        }
        let value = |byte: &u8| match byte {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.error(key, format!("holds a truth value of {other}, expected 0 or 1"))),
        };
        data.iter().map(value).collect()
    }

    /// A value as text, for reports; strings and arrays by what they are.
    pub fn shown(&self, key: &str) -> String {
        match self.values.get(key) {
            None => "missing".into(),
            Some(Value::Unsigned(number)) => number.to_string(),
            Some(Value::Signed(number)) => number.to_string(),
            Some(Value::Float(number)) => number.to_string(),
            Some(Value::Bool(value)) => value.to_string(),
            Some(other) => other.name(),
        }
    }

    fn array(&self, key: &str, wanted: &str) -> Result<(Kind, usize, &[u8])> {
        match self.values.get(key) {
            None => Err(self.missing(key)),
            Some(Value::Array { kind, len, range }) => {
                Ok((*kind, *len, self.map.get(range.clone()).unwrap_or_default()))
            }
            Some(other) => Err(self.mistyped(key, other, &format!("an array of {wanted}"))),
        }
    }

    fn missing(&self, key: &str) -> Error {
        self.error(key, "is missing")
    }

    fn mistyped(&self, key: &str, found: &Value, wanted: &str) -> Error {
        self.error(key, format!("is {}, expected {wanted}", found.name()))
    }

    fn mistyped_array(&self, key: &str, found: Kind, wanted: &str) -> Error {
        self.error(key, format!("is an array of {}, expected one of {wanted}", found.name()))
    }
}

fn read_value(bytes: &mut Bytes<'_>, kind: Kind) -> Result<Value, String> {
    Ok(match kind {
        Kind::U8 => Value::Unsigned(u64::from(bytes.take::<1>()?[0])),
        Kind::I8 => Value::Signed(i64::from(bytes.take::<1>()?[0] as i8)),
        Kind::U16 => Value::Unsigned(u64::from(u16::from_le_bytes(bytes.take()?))),
        Kind::I16 => Value::Signed(i64::from(i16::from_le_bytes(bytes.take()?))),
        Kind::U32 => Value::Unsigned(u64::from(bytes.u32()?)),
        Kind::I32 => Value::Signed(i64::from(i32::from_le_bytes(bytes.take()?))),
        Kind::F32 => Value::Float(f64::from(f32::from_le_bytes(bytes.take()?))),
        Kind::U64 => Value::Unsigned(bytes.u64()?),
        Kind::I64 => Value::Signed(i64::from_le_bytes(bytes.take()?)),
        Kind::F64 => Value::Float(f64::from_le_bytes(bytes.take()?)),
        Kind::Bool => match bytes.take::<1>()?[0] {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            other => return Err(format!("is a truth value of {other}, expected 0 or 1")),
        },
        Kind::String => Value::String(bytes.string_range()?),
        Kind::Array => {
            let (kind, len) = array_head(bytes)?;
            let start = bytes.place();
            skip_array(bytes, kind, len)?;
            // As many values as there are bytes at the most, so it fits.
            Value::Array { kind, len: len as usize, range: start..bytes.place() }
        }
    })
}

fn array_head(bytes: &mut Bytes<'_>) -> Result<(Kind, u64), String> {
    let kind = Kind::read(bytes)?;
    Ok((kind, bytes.u64()?))
}

/// Goes past the values of an array, into arrays of arrays only as deep as [`DEEPEST`].
fn skip_array(bytes: &mut Bytes<'_>, kind: Kind, len: u64) -> Result<(), String> {
    let mut open = vec![(kind, len)];
    while let Some((kind, left)) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        match kind.size() {
            Some(size) => {
                let total = left.checked_mul(size as u64).ok_or("has more values than a file can hold")?;
                bytes.skip(total)?;
                *left = 0;
            }
            None if *kind == Kind::String => {
                *left -= 1;
                bytes.string_range()?;
            }
            None => {
                *left -= 1;
                let inner = array_head(bytes)?;
                if open.len() >= DEEPEST {
                    return Err(format!("holds arrays within arrays deeper than {DEEPEST}"));
                }
                open.push(inner);
            }
        }
    }
    Ok(())
}
