//! The seeds of `fuzz/corpus`: small good files, from which a fuzzer sets out.
//!
//! Written by `PERCEPT_WRITE_SEEDS=1 cargo test --test gguf seeds`.

use crate::generator::{Gguf, Value, array, text, tiny};
use percept::text::Tokenizer;
use percept::weights::quants::random_blocks;
use percept::weights::{Format, GgufFile, parse_header};
use std::path::{Path, PathBuf};

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The files in the folder are these.
fn hold(target: &str, seeds: &[(&str, Vec<u8>)]) {
    for (name, bytes) in seeds {
        let path = folder(target).join(name);
        if std::env::var_os("PERCEPT_WRITE_SEEDS").is_some() {
            std::fs::create_dir_all(folder(target)).unwrap();
            std::fs::write(&path, bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == *bytes, "{} is another one", path.display());
    }
    // What a fuzzer adds stays where it ran.
    assert!(seeds.len() >= 3);
}

/// The tokenizer and the template of the tiny model without its weights.
fn words() -> Gguf {
    let mut file = tiny();
    file.tensors.clear();
    file.add("x", 0, &[2], vec![0; 8]);
    file
}

#[test]
fn gguf() {
    let mut every_type = Gguf::new();
    every_type.version = 2u32.to_le_bytes();
    for (key, value) in [
        ("a", Value::U8(1)),
        ("b", Value::I8(-1)),
        ("c", Value::U16(2)),
        ("d", Value::I16(-2)),
        ("e", Value::U32(3)),
        ("f", Value::I32(-3)),
        ("g", Value::F32(0.5)),
        ("h", Value::Bool(true)),
        ("i", "ö".into()),
        ("j", Value::Raw(9, array(9, 1, array(8, 1, text("deep"))))),
        ("k", Value::U64(4)),
        ("l", Value::I64(-4)),
        ("m", Value::F64(0.25)),
    ] {
        every_type.set(key, value);
    }
    let mut formats = Gguf::new();
    for format in Format::all() {
        let blocks = random_blocks(format, 1, 1);
        formats.add(format.name(), format.ggml_type(), &[1, format.block_len()], blocks);
    }
    let mut llama = words();
    llama.set("general.architecture", "llama");
    let mut bytes = words();
    bytes.set("tokenizer.ggml.model", "gpt2");
    bytes.set("tokenizer.ggml.pre", "qwen2");
    bytes.set("tokenizer.ggml.merges", Value::Strings(vec!["a b".into(), "ab c".into()]));
    let seeds = [
        ("every_type", every_type.bytes()),
        ("formats", formats.bytes()),
        ("gemma", words().bytes()),
        ("llama", llama.bytes()),
        ("bytes", bytes.bytes()),
    ];
    hold("gguf", &seeds);
    for (name, seed) in seeds {
        let file = GgufFile::parse(Path::new(name), &seed).unwrap();
        file.tensors().for_each(|tensor| tensor.check_finite().unwrap());
        if file.metadata().has("tokenizer.ggml.model") {
            Tokenizer::from_gguf(&file).unwrap().encode("ab").unwrap();
        }
    }
}

#[test]
fn safetensors() {
    let file = |header: &str, data: usize| {
        let padded = format!("{header:<len$}", len = header.len().next_multiple_of(8));
        [&(padded.len() as u64).to_le_bytes(), padded.as_bytes(), &vec![0; data]].concat()
    };
    let two = r#"{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}}"#;
    let named = r#"{"__metadata__":{"format":"pt"},"ö.weight":{"dtype":"I64","shape":[1,1,1],"data_offsets":[0,8]}}"#;
    let small =
        r#"{"x":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}"#;
    let seeds = [("two", file(two, 10)), ("named", file(named, 8)), ("small", file(small, 1))];
    hold("safetensors", &seeds);
    for (name, seed) in seeds {
        assert!(!parse_header(Path::new(name), &seed).unwrap().is_empty());
    }
}
