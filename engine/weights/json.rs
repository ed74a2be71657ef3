//! JSON files read with the checks that serde_json leaves out, and errors that say where Python's JSON is none.

use super::fields::expected;
use crate::error::{Error, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The whole file, refused beyond `limit` bytes.
pub(crate) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > limit {
        let problem = format!("it is longer than {} MiB, which no such file is; use the published one", limit >> 20);
        return Err(Error::Json { path: path.into(), problem });
    }
    Ok(bytes)
}

/// The top level as an object.
pub(crate) fn json_object(path: &Path, value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(object) => Ok(object),
        other => {
            Err(Error::Json { path: path.into(), problem: format!("the top level {}", expected(&other, "an object")) })
        }
    }
}

/// JSON with every key once. Nesting beyond 128 levels is refused by the parser.
pub(crate) fn parse_json(path: &Path, bytes: &[u8]) -> Result<Value> {
    let refuse = |problem: String| Error::Json { path: path.into(), problem };
    let text =
        std::str::from_utf8(bytes).map_err(|e| refuse(format!("no JSON: byte {} is not UTF-8", e.valid_up_to())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(refuse("no JSON: the file is empty".into()));
    }
    match serde_json::from_str::<Unique>(text) {
        Ok(Unique(value)) => Ok(value),
        Err(e) => Err(refuse(match not_a_number(text, &e) {
            Some(word) => format!(
                "line {} holds {word}, which Python writes but JSON does not know; put a number or null there",
                e.line()
            ),
            None => format!("no valid JSON: {e}"),
        })),
    }
}

/// The word at the place of a syntax error, if it is one of those that Python's writer makes of floats.
fn not_a_number(text: &str, error: &serde_json::Error) -> Option<&'static str> {
    if !error.is_syntax() {
        return None;
    }
    let line = text.split('\n').nth(error.line().checked_sub(1)?)?;
    // The column points at the last byte read, within or just before the word.
    let near = line.get(error.column().saturating_sub(3).min(line.len())..)?;
    let near: String = near.chars().take(12).collect();
    ["-Infinity", "Infinity", "NaN"].into_iter().find(|word| near.contains(word))
}

/// A JSON value read with a check that serde_json leaves out: no key of an object may occur twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unique, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Unique(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(serde::de::Error::custom(format_args!("the key {key:?} occurs twice")));
            }
            let Unique(value) = map.next_value()?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
