//! Typed reading of the JSON objects of a checkpoint: each failure names the file, the dotted field and what is wrong, and
//! each field that was never asked for can be listed, so that a family reads or refuses every one of them.

use super::json::{json_object, parse_json, read_limited};
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of the longest JSON file read as fields; published ones have some kilobytes.
const LONGEST_JSON: u64 = 64 << 20;

/// A JSON object with the path of its file and the dotted name under which it lies there.
#[derive(Clone, Debug)]
pub struct Fields {
    file: Arc<Path>,
    prefix: String,
    object: Arc<Map<String, Value>>,
    read: Arc<Mutex<BTreeSet<String>>>,
}

impl Fields {
    /// Reads the file, whose top level must be an object.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Json`] if it is no JSON, has a key twice, or holds NaN or infinity.
    pub fn open(file: &Path) -> Result<Fields> {
        let bytes = read_limited(file, LONGEST_JSON)?;
        Ok(Fields::new(file, json_object(file, parse_json(file, &bytes)?)?))
    }

    /// An object that is already in memory; `file` is named in errors.
    pub fn new(file: &Path, object: Map<String, Value>) -> Fields {
        Fields { file: file.into(), prefix: String::new(), object: Arc::new(object), read: Arc::default() }
    }

    /// The file that errors name.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The names of the fields in the order of the file. Reading them by this counts as nothing read.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.object.keys().map(String::as_str)
    }

    /// Whether the field is there and not null. Asking counts as reading.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The field as it is, `None` if absent or null.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.mark(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Counts the fields as read: they are known and of no consequence.
    pub fn ignore(&self, names: &[&str]) {
        for name in names {
            self.mark(name);
        }
    }

    /// Dotted names of all fields, here and in the objects opened from here, that were never asked for.
    pub fn unread(&self) -> Vec<String> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        collect_unread(&read, &self.prefix, &self.object, &mut found);
        found
    }

    /// An error about a field of this object, for checks that a family makes by itself. `problem` follows the name:
    /// "is 7, which does not divide hidden_size 64".
    pub fn error(&self, name: &str, problem: impl Into<String>) -> Error {
        Error::Config { path: self.file.to_path_buf(), field: self.dotted(name), problem: problem.into() }
    }

    /// A whole number within `range`.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing, no whole number, or outside.
    pub fn usize(&self, name: &str, range: impl RangeBounds<usize>) -> Result<usize> {
        self.required(name, self.optional_usize(name, range)?)
    }

    /// As [`Fields::usize`], `None` if the field is absent or null.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there and no whole number, or outside.
    pub fn optional_usize(&self, name: &str, range: impl RangeBounds<usize>) -> Result<Option<usize>> {
        self.optional(name, |value| whole(value, &range))
    }

    /// A finite number.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing, no number, or beyond f32.
    pub fn f32(&self, name: &str) -> Result<f32> {
        self.required(name, self.optional_f32(name)?)
    }

    /// As [`Fields::f32`], `None` if the field is absent or null.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there and no number, or beyond f32.
    pub fn optional_f32(&self, name: &str) -> Result<Option<f32>> {
        self.optional(name, real)
    }

    /// True or false.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or something else.
    pub fn bool(&self, name: &str) -> Result<bool> {
        self.required(name, self.optional_bool(name)?)
    }

    /// As [`Fields::bool`], `None` if the field is absent or null.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there and something else.
    pub fn optional_bool(&self, name: &str) -> Result<Option<bool>> {
        self.optional(name, |value| value.as_bool().ok_or_else(|| expected(value, "true or false")))
    }

    /// A string.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or something else.
    pub fn string(&self, name: &str) -> Result<&str> {
        self.required(name, self.optional_string(name)?)
    }

    /// As [`Fields::string`], `None` if the field is absent or null.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there and something else.
    pub fn optional_string(&self, name: &str) -> Result<Option<&str>> {
        self.optional(name, |value| value.as_str().ok_or_else(|| expected(value, "a string")))
    }

    /// A string that is one of `allowed`; the index of it.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or another one.
    pub fn one_of(&self, name: &str, allowed: &[&str]) -> Result<usize> {
        let found = self.string(name)?;
        let unknown = || self.error(name, format!("is {found:?}, supported: {}", allowed.join(", ")));
        allowed.iter().position(|one| *one == found).ok_or_else(unknown)
    }

    /// An array of strings.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or something else.
    pub fn strings(&self, name: &str) -> Result<Vec<String>> {
        self.required(name, self.optional_strings(name)?)
    }

    /// As [`Fields::strings`], `None` if the field is absent or null.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there and something else.
    pub fn optional_strings(&self, name: &str) -> Result<Option<Vec<String>>> {
        let string = |value: &Value| value.as_str().map(String::from).ok_or_else(|| expected(value, "a string"));
        self.optional(name, |value| list(value, "strings", string))
    }

    /// An array of whole numbers within `range`.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or something else.
    pub fn usizes(&self, name: &str, range: impl RangeBounds<usize>) -> Result<Vec<usize>> {
        self.required(name, self.optional_usizes(name, range)?)
    }

    /// As [`Fields::usizes`], `None` if the field is absent or null.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there and something else.
    pub fn optional_usizes(&self, name: &str, range: impl RangeBounds<usize>) -> Result<Option<Vec<usize>>> {
        self.optional(name, |value| list(value, "whole numbers", |one| whole(one, &range)))
    }

    /// An array of finite numbers.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or something else.
    pub fn f32s(&self, name: &str) -> Result<Vec<f32>> {
        self.required(name, self.optional_f32s(name)?)
    }

    /// As [`Fields::f32s`], `None` if the field is absent or null.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there and something else.
    pub fn optional_f32s(&self, name: &str) -> Result<Option<Vec<f32>>> {
        self.optional(name, |value| list(value, "numbers", real))
    }

    /// A token id.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or no whole number of 32 bits.
    pub fn id(&self, name: &str) -> Result<u32> {
        self.required(name, self.optional_id(name)?)
    }

    /// As [`Fields::id`], `None` if the field is absent or null.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there and no whole number of 32 bits.
    pub fn optional_id(&self, name: &str) -> Result<Option<u32>> {
        self.optional(name, token_id)
    }

    /// One token id or a list of them, as `eos_token_id` is written.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or something else.
    pub fn ids(&self, name: &str) -> Result<Vec<u32>> {
        self.required(name, self.optional_ids(name)?)
    }

    /// As [`Fields::ids`], `None` if the field is absent or null.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there and something else.
    pub fn optional_ids(&self, name: &str) -> Result<Option<Vec<u32>>> {
        self.optional(name, |value| match value {
            Value::Array(_) => list(value, "token ids", token_id),
            _ => Ok(vec![token_id(value)?]),
        })
    }

    /// An object, whose fields carry this one's name and a dot in front.
    ///
    /// # Errors
    /// [`Error::Config`] if it is missing or something else.
    pub fn object(&self, name: &str) -> Result<Fields> {
        self.required(name, self.optional_object(name)?)
    }

    /// As [`Fields::object`], `None` if the field is absent or null.
    ///
    /// # Errors
    /// [`Error::Config`] if it is there and something else.
    pub fn optional_object(&self, name: &str) -> Result<Option<Fields>> {
        let object = self.optional(name, |value| value.as_object().ok_or_else(|| expected(value, "an object")))?;
        // Opened, its own fields count one by one; the mark for that is the name with a dot.
        self.mark(&format!("{name}."));
        Ok(object.map(|object| Fields {
            file: self.file.clone(),
            prefix: format!("{}.", self.dotted(name)),
            object: Arc::new(object.clone()),
            read: self.read.clone(),
        }))
    }

    fn optional<'a, T>(&'a self, name: &str, read: impl FnOnce(&'a Value) -> Result<T, String>) -> Result<Option<T>> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).map_err(|problem| self.error(name, problem)),
        }
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        let problem = if self.object.contains_key(name) { "is null, a value is needed" } else { "is missing" };
        value.ok_or_else(|| self.error(name, problem))
    }

    fn dotted(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn mark(&self, name: &str) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(self.dotted(name));
    }
}

fn collect_unread(read: &BTreeSet<String>, prefix: &str, object: &Map<String, Value>, found: &mut Vec<String>) {
    for (name, value) in object {
        let dotted = format!("{prefix}{name}");
        if !read.contains(&dotted) {
            found.push(dotted);
            continue;
        }
        let opened = format!("{dotted}.");
        if let Value::Object(inner) = value
            && read.contains(&opened)
        {
            collect_unread(read, &opened, inner, found);
        }
    }
}

fn whole(value: &Value, range: &impl RangeBounds<usize>) -> Result<usize, String> {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    let number = number.ok_or_else(|| expected(value, "a whole number"))?;
    if range.contains(&number) { Ok(number) } else { Err(format!("is {number}, expected {}", in_words(range))) }
}

/// "1 to 9".
pub(super) fn in_words(range: &impl RangeBounds<usize>) -> String {
    let low = match range.start_bound() {
        Bound::Included(low) => *low,
        Bound::Excluded(low) => low.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let high = match range.end_bound() {
        Bound::Included(high) => Some(*high),
        Bound::Excluded(high) => Some(high.saturating_sub(1)),
        Bound::Unbounded => None,
    };
    match high {
        Some(high) if high == low => low.to_string(),
        Some(high) => format!("{low} to {high}"),
        None => format!("at least {low}"),
    }
}

fn real(value: &Value) -> Result<f32, String> {
    let number = value.as_f64().ok_or_else(|| expected(value, "a number"))? as f32;
    if number.is_finite() { Ok(number) } else { Err(expected(value, "a number within f32")) }
}

fn token_id(value: &Value) -> Result<u32, String> {
    value.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| expected(value, "a token id"))
}

fn list<T>(value: &Value, what: &str, read: impl Fn(&Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    let items = value.as_array().ok_or_else(|| expected(value, &format!("an array of {what}")))?;
    let numbered = |(index, item)| read(item).map_err(|problem| format!("at index {index} {problem}"));
    items.iter().enumerate().map(numbered).collect()
}

/// "is 3, expected a string": the value shortened, in one line.
pub(super) fn expected(value: &Value, what: &str) -> String {
    let found = match value {
        Value::Object(_) => "an object".into(),
        Value::Array(items) => format!("an array of {}", items.len()),
        other => {
            let text = other.to_string();
            let short: String = text.chars().take(60).collect();
            if short.len() < text.len() { format!("{short}…") } else { short }
        }
    };
    format!("is {found}, expected {what}")
}
