//! Text out of ids as they arrive: whole characters only, and in all exactly what decoding all ids at once gives.
//!
//! The decoders of a tokenizer work on the list of all tokens. Here each of them is a stage that keeps only what it
//! cannot decide yet: the bytes of an unfinished character, a run of byte tokens, spaces that may be cut off at the end.

use super::tokenizer::Tokenizer;
use crate::error::Result;
use serde_json::Value;
use std::collections::HashMap;
use tokenizers::decoders::DecoderWrapper;

/// The decoder of a tokenizer as a list of stages, not started yet.
#[derive(Clone)]
pub(super) struct Decoder {
    stages: Vec<Stage>,
}

#[derive(Clone)]
enum Stage {
    /// Tokens parted by spaces: a tokenizer without a decoder.
    Spaced { first: bool },
    /// A pattern replaced within each token, by the crate's own code.
    Replace(DecoderWrapper),
    /// Tokens `<0xE2>` are bytes. A run of them is a text if the whole run is UTF-8, else a mark for each byte.
    ByteFallback { run: Vec<u8> },
    /// A sign for spaces; the first token loses it if `drop_first`.
    Metaspace { sign: char, drop_first: bool, first: bool },
    /// Up to `start` and `stop` of `sign` cut from the ends of each token.
    StripTokens { sign: char, start: usize, stop: usize },
    /// Each character stands for a byte. All tokens become one text.
    ByteLevel { bytes: Vec<u8> },
    /// The ends of the whole text cut, behind a stage that makes one text of all tokens.
    StripText { sign: char, start: usize, stop: usize, held: usize },
}

impl Decoder {
    /// The stages of a tokenizer's decoder; an error says which kind is not supported.
    pub(super) fn new(decoder: Option<&DecoderWrapper>) -> Result<Decoder, String> {
        let Some(decoder) = decoder else {
            return Ok(Decoder { stages: vec![Stage::Spaced { first: true }] });
        };
        let json = serde_json::to_value(decoder).map_err(|e| format!("its decoder cannot be read: {e}"))?;
        let mut stages = Vec::new();
        let mut one_text = false;
        add_stages(&json, &mut stages, &mut one_text)?;
        Ok(Decoder { stages })
    }
}

fn add_stages(json: &Value, stages: &mut Vec<Stage>, one_text: &mut bool) -> Result<(), String> {
    let kind = json["type"].as_str().unwrap_or("without a type");
    let after_text = |what: &str| format!("its decoder has {what} behind Fuse or ByteLevel, which is not supported");
    let sign = |value: &Value| {
        let mut chars = value.as_str().unwrap_or_default().chars();
        chars.next().filter(|_| chars.next().is_none()).ok_or_else(|| format!("its decoder {kind} has no single sign"))
    };
    let number = |name: &str| json[name].as_u64().unwrap_or(0) as usize;
    match kind {
        "Sequence" => {
            for inner in json["decoders"].as_array().into_iter().flatten() {
                add_stages(inner, stages, one_text)?;
            }
        }
        "Fuse" => *one_text = true,
        "ByteLevel" if *one_text => return Err(after_text("ByteLevel")),
        "ByteLevel" => {
            stages.push(Stage::ByteLevel { bytes: Vec::new() });
            *one_text = true;
        }
        "Replace" => {
            // A pattern of one character cannot lie across two tokens.
            let one_char = json["pattern"]["String"].as_str().is_some_and(|pattern| pattern.chars().count() == 1);
            if *one_text && !one_char {
                return Err(after_text("a long Replace"));
            }
            let replace = serde_json::from_value(json.clone()).map_err(|e| format!("its decoder {kind}: {e}"))?;
            stages.push(Stage::Replace(replace));
        }
        "ByteFallback" if *one_text => return Err(after_text("ByteFallback")),
        "ByteFallback" => stages.push(Stage::ByteFallback { run: Vec::new() }),
        "Metaspace" if *one_text => return Err(after_text("Metaspace")),
        "Metaspace" => {
            let drop_first = json["prepend_scheme"].as_str() != Some("never");
            stages.push(Stage::Metaspace { sign: sign(&json["replacement"])?, drop_first, first: true });
        }
        "Strip" => {
            let (sign, start, stop) = (sign(&json["content"])?, number("start"), number("stop"));
            stages.push(match *one_text {
                true => Stage::StripText { sign, start, stop, held: 0 },
                false => Stage::StripTokens { sign, start, stop },
            });
        }
        other => {
            return Err(format!(
                "its decoder {other} is not supported; supported: ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip"
            ));
        }
    }
    Ok(())
}

/// Ids in one by one, text out.
pub struct TextStream {
    tokenizer: Tokenizer,
    skip_special: bool,
    stages: Vec<Stage>,
}

impl std::fmt::Debug for TextStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextStream").field("tokenizer", &self.tokenizer).finish_non_exhaustive()
    }
}

impl TextStream {
    pub(super) fn new(tokenizer: Tokenizer, skip_special: bool) -> TextStream {
        let stages = tokenizer.decoder().stages.clone();
        TextStream { tokenizer, skip_special, stages }
    }

    /// Takes the next id; returns what has become certain, which may be nothing.
    ///
    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) if the decoder fails.
    pub fn push(&mut self, id: u32) -> Result<String> {
        let Some(token) = self.tokenizer.token_for_decoding(id, self.skip_special) else {
            return Ok(String::new());
        };
        let mut tokens = vec![token];
        for stage in &mut self.stages {
            let mut out = Vec::new();
            for token in tokens {
                stage.push(token, &mut out).map_err(|problem| self.tokenizer.refuse(problem))?;
            }
            tokens = out;
        }
        Ok(tokens.concat())
    }

    /// Ends the text: what was held back, with U+FFFD for bytes that never became a character. The stream then begins
    /// anew.
    pub fn finish(&mut self) -> String {
        let mut tokens = Vec::new();
        for stage in &mut self.stages {
            let mut out = Vec::new();
            for token in tokens {
                // Only Replace can fail, and it already took every text that it can meet.
                if stage.push(token, &mut out).is_err() {
                    break;
                }
            }
            stage.finish(&mut out);
            tokens = out;
        }
        self.stages = self.tokenizer.decoder().stages.clone();
        tokens.concat()
    }
}

impl Stage {
    fn push(&mut self, token: String, out: &mut Vec<String>) -> Result<(), String> {
        match self {
            Stage::Spaced { first } => {
                if !std::mem::replace(first, false) {
                    out.push(" ".into());
                }
                out.push(token);
            }
            Stage::Replace(replace) => {
                use tokenizers::Decoder as _;
                out.extend(replace.decode_chain(vec![token]).map_err(|e| e.to_string())?);
            }
            Stage::ByteFallback { run } => match byte_of(&token) {
                Some(byte) => run.push(byte),
                None => {
                    end_run(run, out);
                    out.push(token);
                }
            },
            Stage::Metaspace { sign, drop_first, first } => {
                let to = if std::mem::replace(first, false) && *drop_first { "" } else { " " };
                out.push(token.replace(*sign, to));
            }
            Stage::StripTokens { sign, start, stop } => {
                let mut text = token.as_str();
                for _ in 0..*start {
                    text = text.strip_prefix(*sign).unwrap_or(text);
                }
                for _ in 0..*stop {
                    text = text.strip_suffix(*sign).unwrap_or(text);
                }
                out.push(text.into());
            }
            Stage::ByteLevel { bytes } => {
                let table = byte_table();
                let known: Option<Vec<u8>> = token.chars().map(|c| table.get(&c).copied()).collect();
                bytes.extend(known.unwrap_or_else(|| token.into_bytes()));
                out.push(take_certain(bytes));
            }
            Stage::StripText { sign, start, stop, held } => {
                let mut text = token.as_str();
                while *start > 0 && !text.is_empty() {
                    match text.strip_prefix(*sign) {
                        Some(rest) => (text, *start) = (rest, *start - 1),
                        None => *start = 0,
                    }
                }
                // At most `stop` signs at the end are held back.
                let body = text.trim_end_matches(*sign);
                let mut signs = (text.len() - body.len()) / sign.len_utf8();
                let mut before = *held;
                if body.is_empty() {
                    signs += std::mem::take(&mut before);
                }
                *held = signs.min(*stop);
                let mut given = sign.to_string().repeat(before);
                given.push_str(body);
                given.push_str(&sign.to_string().repeat(signs - *held));
                out.push(given);
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<String>) {
        match self {
            Stage::ByteFallback { run } => end_run(run, out),
            Stage::ByteLevel { bytes } => {
                out.push(String::from_utf8_lossy(bytes).into_owned());
                bytes.clear();
            }
            _ => {}
        }
    }
}

/// The byte of a token like `<0xE2>`.
fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

fn end_run(run: &mut Vec<u8>, out: &mut Vec<String>) {
    if run.is_empty() {
        return;
    }
    out.push(match std::str::from_utf8(run) {
        Ok(text) => text.into(),
        Err(_) => "\u{fffd}".repeat(run.len()),
    });
    run.clear();
}

/// Takes the bytes whose text no later byte can change: all but an unfinished character at the end.
fn take_certain(bytes: &mut Vec<u8>) -> String {
    let mut certain = 0;
    for chunk in bytes.utf8_chunks() {
        certain += chunk.valid().len() + chunk.invalid().len();
    }
    // An unfinished character is the last invalid chunk if it reaches the end and more bytes could complete it.
    if let Some(last) = bytes.utf8_chunks().last()
        && !last.invalid().is_empty()
        && std::str::from_utf8(last.invalid()).is_err_and(|e| e.error_len().is_none())
    {
        certain -= last.invalid().len();
    }
    let text = String::from_utf8_lossy(&bytes[..certain]).into_owned();
    bytes.drain(..certain);
    text
}

/// Characters to the bytes they stand for in byte-level vocabularies: printable ones are themselves, the others follow
/// from U+0100 on (Radford et al. 2019).
fn byte_table() -> &'static HashMap<char, u8> {
    static TABLE: std::sync::OnceLock<HashMap<char, u8>> = std::sync::OnceLock::new();
    TABLE.get_or_init(|| {
        let mut next = 0x100;
        let char_of = |byte: u8| match byte {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
            _ => {
                next += 1;
                char::from_u32(next - 1).unwrap_or_default()
            }
        };
        (0..=255u8).map(char_of).zip(0..=255u8).collect()
    })
}
