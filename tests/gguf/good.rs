//! Files that are as they should be.

use crate::generator::{Gguf, Value, array, text, tiny};
use crate::{open, read_all, render};
use percept::weights::quants::{dequantize, random_blocks};
use percept::weights::{Checkpoint, Dtype, Format, GgufFile};
use std::path::Path;
use tempfile::TempDir;

#[test]
fn both_versions_whatever_their_name() {
    let folder = TempDir::new().unwrap();
    for (version, name) in [(2u32, "a.gguf"), (3, "sha256-0123")] {
        let path = folder.path().join(name);
        let mut file = tiny();
        file.version = version.to_le_bytes();
        std::fs::write(&path, file.bytes()).unwrap();
        assert_eq!(open(&path).unwrap().version(), version);
        assert_eq!(render(&read_all(&path).unwrap().unwrap()).unwrap(), "<bos>ab");
    }
}

/// Writes metadata alone.
fn metadata(folder: &Path, pairs: &[(&str, Value)]) -> GgufFile {
    let mut file = Gguf::new();
    pairs.iter().for_each(|(key, value)| file.set(key, value.clone()));
    let path = folder.join("a.gguf");
    std::fs::write(&path, file.bytes()).unwrap();
    open(&path).unwrap()
}

#[test]
fn metadata_of_every_type() {
    let folder = TempDir::new().unwrap();
    let nested = array(9, 2, [array(4, 1, 7u32.to_le_bytes()), array(8, 1, text("deep"))].concat());
    let file = metadata(
        folder.path(),
        &[
            ("u8", Value::U8(255)),
            ("i8", Value::I8(-128)),
            ("u16", Value::U16(65535)),
            ("i16", Value::I16(-32768)),
            ("u32", Value::U32(u32::MAX)),
            ("i32", Value::I32(i32::MIN)),
            ("f32", Value::F32(0.1)),
            ("yes", Value::Bool(true)),
            ("no", Value::Bool(false)),
            ("text", "Grüße\n".into()),
            ("nothing", "".into()),
            ("nested", Value::Raw(9, nested)),
            ("u64", Value::U64(1 << 40)),
            ("i64", Value::I64(77)),
            ("f64", Value::F64(0.25)),
            ("strings", Value::Strings(vec!["a".into(), "".into(), "ö".into()])),
            ("f32s", Value::F32s(vec![1.5, -0.0])),
            ("i32s", Value::I32s(vec![-1, 2])),
            ("u8s", Value::Raw(9, array(0, 3, [0, 128, 255]))),
            ("i16s", Value::Raw(9, array(3, 1, (-2i16).to_le_bytes()))),
            ("u64s", Value::Raw(9, array(10, 1, 9u64.to_le_bytes()))),
            ("f64s", Value::Raw(9, array(12, 1, 2.5f64.to_le_bytes()))),
            ("empty", Value::Raw(9, array(9, 0, []))),
        ],
    );
    let found = file.metadata();
    assert_eq!(found.keys().count(), 23);
    assert_eq!(found.keys().take(3).collect::<Vec<_>>(), ["u8", "i8", "u16"]);
    for (key, shown) in [("i8", "-128"), ("i16", "-32768"), ("i32", "-2147483648"), ("f64", "0.25"), ("yes", "true")] {
        assert_eq!(found.shown(key), shown);
    }
    for (key, number) in [("u8", 255), ("u16", 65535), ("u32", 4_294_967_295), ("u64", 1 << 40), ("i64", 77)] {
        assert_eq!(found.usize(key, ..).unwrap(), number);
    }
    assert_eq!((found.f32("f32").unwrap(), found.f32("f64").unwrap(), found.f32("u8").unwrap()), (0.1, 0.25, 255.0));
    assert_eq!((found.bool("yes").unwrap(), found.bool("no").unwrap()), (true, false));
    assert_eq!((found.string("text").unwrap(), found.string("nothing").unwrap()), ("Grüße\n", ""));
    let strings: Vec<&str> = found.strings("strings").unwrap().map(Result::unwrap).collect();
    assert_eq!(strings, ["a", "", "ö"]);
    assert_eq!(found.f32s("f32s").unwrap(), [1.5, -0.0]);
    assert_eq!(found.f32s("f64s").unwrap(), [2.5]);
    assert_eq!(found.i32s("i32s").unwrap(), [-1, 2]);
    assert_eq!(found.i32s("i16s").unwrap(), [-2]);
    assert_eq!(found.usizes("u8s", ..).unwrap(), [0, 128, 255]);
    assert_eq!(found.usizes("u64s", 9..10).unwrap(), [9]);
    assert_eq!((found.array_len("nested").unwrap(), found.array_len("empty").unwrap()), (2, 0));
    assert!(found.has("nested") && !found.has("nest") && found.has_strings("strings") && !found.has_strings("f32s"));
    assert_eq!(found.optional_string("nest").unwrap(), None);
    assert_eq!(found.optional_usize("nest", ..).unwrap(), None);
    assert_eq!(found.optional_f32("nest").unwrap(), None);
    assert_eq!(found.optional_bool("nest").unwrap(), None);
    let refused = |error: percept::Error| error.to_string().split_once("a.gguf: ").unwrap().1.to_string();
    assert_eq!(refused(found.usize("i8", ..).unwrap_err()), "i8 is -128, expected at least 0");
    assert_eq!(refused(found.usizes("u8s", 0..=127).unwrap_err()), "u8s holds 128, expected 0 to 127");
    assert_eq!(refused(found.i32s("f32s").unwrap_err()), "f32s is an array of numbers, expected one of whole numbers");
    assert_eq!(refused(found.f32s("text").unwrap_err()), "text is a string, expected an array of numbers");
    assert_eq!(refused(found.array_len("u8").unwrap_err()), "u8 is a whole number, expected an array");
    assert_eq!(refused(found.bool("nest").unwrap_err()), "nest is missing");
    let wanted = "nested is an array of arrays, expected one of whole numbers";
    assert_eq!(refused(found.i32s("nested").unwrap_err()), wanted);
}

#[test]
fn tensors_of_every_format_and_alignment() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.gguf");
    for alignment in [8, 32, 64, 4096] {
        let mut file = Gguf::new();
        file.alignment = alignment;
        file.set("general.alignment", Value::U32(alignment as u32));
        let mut all = Vec::new();
        for format in Format::all() {
            // An odd number of blocks, so that the next tensor needs its padding.
            let blocks = random_blocks(format, 3 * 512 / format.block_len(), format.ggml_type().into());
            file.add(format.name(), format.ggml_type(), &[3, 512], blocks.clone());
            all.push((format, blocks));
        }
        file.add("whole", 27, &[2, 1, 1, 1], vec![7; 16]);
        std::fs::write(&path, file.bytes()).unwrap();
        let opened = open(&path).unwrap();
        assert_eq!(opened.entries().len(), 17);
        for (format, blocks) in &all {
            let tensor = opened.tensor(format.name()).unwrap();
            assert_eq!((tensor.format(), tensor.shape, tensor.data), (Some(*format), &[3, 512][..], &blocks[..]));
            let mut values = vec![0.0; 3 * 512];
            dequantize(*format, blocks, &mut values).unwrap();
            assert_eq!(tensor.to_f32().unwrap(), values);
            tensor.check_finite().unwrap();
        }
        let whole = opened.tensor("whole").unwrap();
        assert_eq!((whole.dtype, whole.shape, whole.format()), (Dtype::I64, &[2, 1, 1, 1][..], None));
    }
}

/// The tiny model in three parts.
fn parts() -> [Gguf; 3] {
    let whole = tiny();
    let mut parts = [whole.clone(), Gguf::new(), Gguf::new()];
    parts[0].tensors.clear();
    for (index, tensor) in whole.tensors.iter().enumerate() {
        parts[index % 3].tensors.push(tensor.clone());
    }
    for (number, part) in parts.iter_mut().enumerate() {
        part.set("split.no", Value::U16(number as u16));
        part.set("split.count", Value::U16(3));
        part.set("split.tensors.count", Value::I32(15));
    }
    parts
}

fn names() -> [String; 3] {
    [1, 2, 3].map(|number| format!("tiny-{number:05}-of-00003.gguf"))
}

fn write(folder: &Path, parts: &[Gguf; 3]) {
    for (name, part) in names().iter().zip(parts) {
        std::fs::write(folder.join(name), part.bytes()).unwrap();
    }
}

#[test]
fn three_parts_opened_from_any() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &parts());
    let single = folder.path().join("whole");
    std::fs::write(&single, tiny().bytes()).unwrap();
    let single = Checkpoint::open(&single).unwrap();
    for name in names() {
        let path = folder.path().join(name);
        let file = open(&path).unwrap();
        assert_eq!(file.files().count(), 3);
        assert_eq!(file.architecture().unwrap(), "gemma3");
        read_all(&path).unwrap();
        let split = Checkpoint::open(&path).unwrap();
        assert_eq!(split.tensors().count(), 15);
        for tensor in single.tensors() {
            let other = split.tensor(tensor.name).unwrap();
            assert_eq!((tensor.shape, tensor.data), (other.shape, other.data), "{}", tensor.name);
        }
    }
}

type Change = fn(&mut [Gguf; 3], &Path);

/// What is wrong with the parts, and what opening the second one says.
const SPLITS: &[(&str, Change, &str)] = &[
    ("a count too many", |p, _| p[0].set("split.tensors.count", Value::I32(16)), "hold 15 tensors, expected 16"),
    (
        "a part of more",
        |p, _| p[2].set("split.count", Value::U16(4)),
        "00003-of-00003.gguf is damaged: it says that it is",
    ),
    (
        "a part of one",
        |p, _| p[1].set("split.count", Value::U16(70)),
        "but its name does not end in -00002-of-00070.gguf",
    ),
    ("two of a number", |p, _| p[2].set("split.no", Value::U16(0)), "it says that it is part 1 of 3, not 3 of 3"),
    ("a number too great", |p, _| p[1].set("split.no", Value::U16(3)), "split.no is 3, expected 0 to 2"),
    (
        "the greatest number",
        |p, _| p[0].set("split.no", Value::U64(u64::MAX)),
        "split.no is 18446744073709551615, expected",
    ),
    ("the greatest count", |p, _| p[1].set("split.count", Value::U64(u64::MAX)), "split.count is 18446744073709551615"),
    ("a negative number", |p, _| p[1].set("split.no", Value::I32(-1)), "split.no is -1, expected 0 to 2"),
    ("a count in words", |p, _| p[1].set("split.count", "3"), "split.count is a string, expected a whole number"),
    ("no number", |p, _| p[1].remove("split.no"), "00002-of-00003.gguf: split.no is missing"),
    ("no number elsewhere", |p, _| p[2].remove("split.no"), "00003-of-00003.gguf: split.no is missing"),
    (
        "a tensor in two",
        |p, _| p[2].tensors[0] = p[0].tensors[0].clone(),
        "tensor token_embd.weight is in another part",
    ),
    (
        "a part of something else",
        |p, _| p[0].magic = *b"else",
        "00001-of-00003.gguf is damaged: it does not begin with GGUF",
    ),
    ("a part cut off", |p, _| p[2].cut = Some(300), "00003-of-00003.gguf is damaged"),
    ("no first part", |_, f| std::fs::remove_file(f.join(&names()[0])).unwrap(), "part 1 of 3 of a split model is not"),
    (
        "the same part again",
        |_, f| again(f),
        "00003-of-00003.gguf is damaged: it says that it is part 2 of 3, not 3 of 3",
    ),
    ("a folder for a part", |_, f| folder_for_a_part(f), "00001-of-00003.gguf is damaged: it is no regular file"),
];

/// The last part leads back to the second.
fn again(folder: &Path) {
    std::fs::remove_file(folder.join(&names()[2])).unwrap();
    std::fs::hard_link(folder.join(&names()[1]), folder.join(&names()[2])).unwrap();
}

fn folder_for_a_part(folder: &Path) {
    std::fs::remove_file(folder.join(&names()[0])).unwrap();
    std::fs::create_dir(folder.join(&names()[0])).unwrap();
}

#[test]
fn parts_that_do_not_fit() {
    let mut wrong = Vec::new();
    for (name, change, words) in SPLITS {
        let folder = TempDir::new().unwrap();
        write(folder.path(), &parts());
        let mut changed = parts();
        change(&mut changed, folder.path());
        let untouched = parts();
        for ((file, part), before) in names().iter().zip(&changed).zip(&untouched) {
            if part.bytes() != before.bytes() {
                std::fs::write(folder.path().join(file), part.bytes()).unwrap();
            }
        }
        match open(&folder.path().join(&names()[1])) {
            Ok(_) => wrong.push(format!("{name}: is opened")),
            Err(error) if error.to_string().contains(words) => {}
            Err(error) => wrong.push(format!("{name}: {error} does not contain {words:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_part_by_another_name() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("second.gguf");
    std::fs::write(&path, parts()[1].bytes()).unwrap();
    let said = open(&path).unwrap_err().to_string();
    assert!(said.contains("it is part 2 of 3, but its name does not end in -00002-of-00003.gguf"), "{said}");
}
