//! Tokenizers and chat templates from GGUF files against what Transformers makes of the same files.

use percept::text::{Tokenizer, Vocabulary};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

/// One value of the metadata.
#[derive(Clone, Debug)]
enum Field {
    Number(f64),
    Text(String),
    List(Vec<Field>),
}

/// Only as much of the format as these files use.
struct Reader {
    bytes: Vec<u8>,
    at: usize,
}

impl Reader {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        self.at += N;
        self.bytes[self.at - N..self.at].try_into().unwrap()
    }
    fn len(&mut self) -> usize {
        u64::from_le_bytes(self.take()) as usize
    }
    fn text(&mut self) -> String {
        let len = self.len();
        self.at += len;
        String::from_utf8(self.bytes[self.at - len..self.at].to_vec()).unwrap()
    }
    fn field(&mut self, kind: u32) -> Field {
        match kind {
            4 => Field::Number(u32::from_le_bytes(self.take()).into()),
            5 => Field::Number(i32::from_le_bytes(self.take()).into()),
            6 => Field::Number(f32::from_le_bytes(self.take()).into()),
            7 => Field::Number(self.take::<1>()[0].into()),
            8 => Field::Text(self.text()),
            9 => {
                let kind = u32::from_le_bytes(self.take());
                let len = self.len();
                Field::List((0..len).map(|_| self.field(kind)).collect())
            }
            other => panic!("kind {other}"),
        }
    }
}

fn metadata(path: &Path) -> BTreeMap<String, Field> {
    let mut reader = Reader { bytes: std::fs::read(path).unwrap(), at: 16 };
    let count = reader.len();
    let pair = |_| {
        let key = reader.text();
        let kind = u32::from_le_bytes(reader.take());
        (key, reader.field(kind))
    };
    (0..count).map(pair).collect()
}

fn text(field: &Field) -> &str {
    let Field::Text(text) = field else { panic!("{field:?} is no text") };
    text
}

fn number(field: &Field) -> f64 {
    let Field::Number(number) = field else { panic!("{field:?} is no number") };
    *number
}

fn list(field: &Field) -> &[Field] {
    let Field::List(list) = field else { panic!("{field:?} is no list") };
    list
}

fn vocabulary(metadata: &BTreeMap<String, Field>) -> Vocabulary<'_> {
    let get = |key: &str| metadata.get(&format!("tokenizer.ggml.{key}"));
    let flag = |key: &str| get(key).map(|field| number(field) != 0.0);
    let ids = [
        ("bos_token", "bos_token_id"),
        ("eos_token", "eos_token_id"),
        ("unk_token", "unknown_token_id"),
        ("pad_token", "padding_token_id"),
    ];
    Vocabulary {
        architecture: text(&metadata["general.architecture"]),
        model: text(get("model").unwrap()),
        pre: get("pre").map(text),
        tokens: list(get("tokens").unwrap()).iter().map(text).collect(),
        scores: get("scores").map(|field| list(field).iter().map(|one| number(one) as f32).collect()),
        token_types: get("token_type").map(|field| list(field).iter().map(|one| number(one) as i32).collect()),
        merges: get("merges").map(|field| list(field).iter().map(text).collect()),
        roles: ids.into_iter().filter_map(|(role, key)| Some((role, number(get(key)?) as u32))).collect(),
        add_bos: flag("add_bos_token"),
        add_eos: flag("add_eos_token"),
        add_space_prefix: flag("add_space_prefix"),
    }
}

fn open(path: &Path) -> Tokenizer {
    Tokenizer::from_vocabulary(path, vocabulary(&metadata(path))).unwrap()
}

fn fnv(bytes: impl Iterator<Item = u8>) -> String {
    format!("{:08x}", bytes.fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)))
}

fn strings() -> Vec<String> {
    let strings: Vec<String> = serde_json::from_value(json("strings.json")).unwrap();
    assert!(strings.len() >= 2000);
    strings
}

/// Compares each string's ids, and the text that they decode to, with those of the reference.
fn same_ids(tokenizer: &Tokenizer, expected: &Value, name: &str) {
    let strings = strings();
    let hashes = expected["ids"].as_str().unwrap();
    let texts = expected["texts"].as_str().unwrap();
    assert!(hashes.len() == 6 * strings.len() && texts.len() == 4 * strings.len());
    let mut wrong = Vec::new();
    for (index, string) in strings.iter().enumerate() {
        let ids = tokenizer.encode_raw(string).unwrap();
        if fnv(ids.iter().flat_map(|id| id.to_le_bytes()))[..6] != hashes[6 * index..6 * index + 6] {
            let tokens: Vec<_> = ids.iter().map(|id| tokenizer.token(*id).unwrap()).collect();
            wrong.push(format!("{string:?}: {ids:?} {tokens:?}, expected {}", expected["shown"][index]));
        }
        let text = tokenizer.decode(&ids, false).unwrap();
        if fnv(text.bytes())[..4] != texts[4 * index..4 * index + 4] {
            wrong.push(format!("{string:?}: decoded {text:?}"));
        }
    }
    let shown = wrong[..wrong.len().min(20)].join("\n");
    assert!(wrong.is_empty(), "{name}: {} differ\n{shown}", wrong.len());
}

fn hostile_strings(name: &str) {
    let tokenizer = open(&fixture(&format!("{name}.gguf")));
    same_ids(&tokenizer, &json(&format!("{name}.json")), name);
}

macro_rules! hostile_strings {
    ($($test:ident $name:literal)*) => {$(
        #[test]
        fn $test() {
            hostile_strings($name);
        }
    )*};
}

hostile_strings! {
    hostile_strings_gemma3 "gemma3"
    hostile_strings_gemma4 "gemma4"
    hostile_strings_llama2 "llama2"
    hostile_strings_qwen2 "qwen2"
    hostile_strings_qwen35 "qwen35"
    hostile_strings_llama_bpe "llama-bpe"
    hostile_strings_gpt_2 "gpt-2"
    hostile_strings_gpt_4o "gpt-4o"
    hostile_strings_tekken "tekken"
}

/// By hand, for files too large to be kept here: `make.py FILE.gguf`, then with the two paths in the environment
/// `PERCEPT_GGUF=FILE.gguf PERCEPT_EXPECTED=FILE.json cargo test --test text_gguf -- --ignored --nocapture`.
#[test]
#[ignore = "wants a file from the environment"]
fn hostile_strings_of_another_file() {
    let path = PathBuf::from(std::env::var_os("PERCEPT_GGUF").unwrap());
    let expected = std::fs::read(std::env::var_os("PERCEPT_EXPECTED").unwrap()).unwrap();
    let fields = metadata(&path);
    let start = std::time::Instant::now();
    let tokenizer = Tokenizer::from_vocabulary(&path, vocabulary(&fields)).unwrap();
    println!("opened in {:?}", start.elapsed());
    same_ids(&tokenizer, &serde_json::from_slice(&expected).unwrap(), "the file");
}
