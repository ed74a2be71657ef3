//! Checkpoints on disk: what is read from good ones, and the sentence that each broken one gives.

use half::{bf16, f16};
use percept::weights::{Checkpoint, Dtype, Expected, Fields, SafetensorsFile, parse_header};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4_unified-tiny-s0")
}

/// A file of that header and so many zero bytes of data.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// A file of tensors, one behind the other.
fn tensors(list: &[(&str, &str, &[usize], &[u8])]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in list {
        let offsets = [data.len(), data.len() + bytes.len()];
        header.insert(name.to_string(), serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": offsets}));
        data.extend_from_slice(bytes);
    }
    let mut all = file(&serde_json::Value::from(header).to_string(), 0);
    all.extend(data);
    all
}

/// The message without the name of the temporary folder.
fn sentence(folder: &Path, error: percept::Error) -> String {
    error.to_string().replace(&format!("{}/", folder.display()), "").replace(&folder.display().to_string(), "DIR")
}

#[test]
fn fixture_opens_and_every_tensor_is_finite() {
    let checkpoint = Checkpoint::open(&fixture()).unwrap();
    assert_eq!(checkpoint.config().string("model_type").unwrap(), "gemma4_unified");
    assert_eq!(checkpoint.config().file(), fixture().join("config.json"));
    let embed = checkpoint.tensor("model.language_model.embed_tokens.weight").unwrap();
    assert_eq!((embed.dtype, embed.shape), (Dtype::F32, &[608, 64][..]));
    assert_eq!(embed.to_f32().unwrap().len(), 608 * 64);
    let mut bytes = 0;
    for tensor in checkpoint.tensors() {
        tensor.check_finite().unwrap();
        bytes += tensor.data.len() as u64;
    }
    assert_eq!(checkpoint.total_bytes(), bytes);
    assert!(checkpoint.tensor("nothing").is_none());
    assert_eq!(
        checkpoint.optional_json("generation_config.json").unwrap().unwrap().ids("eos_token_id").unwrap(),
        [1, 6]
    );
    assert!(checkpoint.optional_json("nothing.json").unwrap().is_none());
    for name in ["config.json", "model.safetensors"] {
        assert_eq!(Checkpoint::open(&fixture().join(name)).unwrap().folder(), fixture());
    }
}

#[test]
fn values_of_every_float_format() {
    let values = [0.0f32, -1.5, 65504.0, 6.0e-8, -0.0];
    let f32s: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let f16s: Vec<u8> = values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
    let bf16s: Vec<u8> = values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.safetensors");
    // One odd byte in front, so that nothing is aligned.
    let list: [(&str, &str, &[usize], &[u8]); 4] = [
        ("x", "U8", &[1], &[7]),
        ("a", "F32", &[5], &f32s),
        ("b", "F16", &[1, 5], &f16s),
        ("c", "BF16", &[5, 1], &bf16s),
    ];
    std::fs::write(&path, tensors(&list)).unwrap();
    let file = SafetensorsFile::open(&path).unwrap();
    let read: Vec<_> = file.tensors().collect();
    assert_eq!(read.iter().map(|tensor| tensor.name).collect::<Vec<_>>(), ["x", "a", "b", "c"]);
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(read[1].to_f32().unwrap()), bits(values.to_vec()));
    assert_eq!(bits(read[2].to_f32().unwrap()), bits(values.map(|v| f16::from_f32(v).to_f32()).to_vec()));
    assert_eq!(bits(read[3].to_f32().unwrap()), bits(values.map(|v| bf16::from_f32(v).to_f32()).to_vec()));
    let refused = sentence(folder.path(), read[0].to_f32().unwrap_err());
    assert_eq!(refused, "a.safetensors: tensor x is U8, expected F32, F16, BF16 or a block format");
}

/// Every f16 of a long tensor, against the crate's conversion.
#[test]
fn all_halves_convert() {
    let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.safetensors");
    std::fs::write(&path, tensors(&[("a", "F16", &[65536], &all)])).unwrap();
    let file = SafetensorsFile::open(&path).unwrap();
    let read = file.tensors().next().unwrap().to_f32().unwrap();
    for (bits, value) in read.iter().enumerate() {
        let expected = f16::from_bits(bits as u16).to_f32();
        assert!(value.to_bits() == expected.to_bits() || (value.is_nan() && expected.is_nan()), "{bits:#x}");
    }
}

#[test]
fn not_finite_is_found_wherever_it_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.safetensors");
    let len = 70_001;
    for (dtype, width, bad, what) in [
        ("F32", 4, f32::NAN.to_le_bytes().to_vec(), "NaN"),
        ("F32", 4, f32::NEG_INFINITY.to_le_bytes().to_vec(), "infinity"),
        ("F16", 2, f16::NAN.to_le_bytes().to_vec(), "NaN"),
        ("F16", 2, f16::INFINITY.to_le_bytes().to_vec(), "infinity"),
        ("BF16", 2, bf16::NAN.to_le_bytes().to_vec(), "NaN"),
        ("BF16", 2, bf16::NEG_INFINITY.to_le_bytes().to_vec(), "infinity"),
    ] {
        for index in [0, 1, 16_384, 40_000, len - 1] {
            let mut data = vec![0x3e; len * width];
            data[index * width..(index + 1) * width].copy_from_slice(&bad);
            std::fs::write(&path, tensors(&[("w.x", dtype, &[len], &data)])).unwrap();
            let file = SafetensorsFile::open(&path).unwrap();
            let tensor = file.tensors().next().unwrap();
            assert_eq!(
                sentence(folder.path(), tensor.check_finite().unwrap_err()),
                format!(
                    "a.safetensors: tensor w.x holds {what} at index {index}; the file is damaged or the training diverged: use another copy"
                )
            );
            tensor.check_finite_bytes(0..index * width).unwrap();
            let at = tensor.check_finite_bytes(index * width..len * width).unwrap_err();
            assert!(matches!(at, percept::Error::NotFinite { index: found, .. } if found == index));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn released_pages_leave_memory_and_can_be_read_again() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("RssFile")).unwrap().to_string();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.safetensors");
    let len = 32 << 20;
    std::fs::write(&path, tensors(&[("a", "U8", &[len], &vec![3; len])])).unwrap();
    let file = SafetensorsFile::open(&path).unwrap();
    let tensor = file.tensors().next().unwrap();
    let before = resident();
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let mut most = 0;
    for start in (0..len).step_by(1 << 20) {
        assert_eq!(sum(&tensor.data[start..start + (1 << 20)]), 3 << 20);
        tensor.release(start..start + (1 << 20));
        most = most.max(resident());
    }
    assert!(most < before + 8 * 1024, "{} kB more than before", most - before);
    assert_eq!(sum(tensor.data), 3 * len as u64);
    assert!(resident() > before + 16 * 1024, "the data was not read through the mapping");
}

#[test]
fn broken_headers() {
    let one = |rest: &str| format!(r#"{{"a":{{"dtype":"F32","shape":[2],{rest}}}}}"#);
    let with = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let two = |first: &str, second: &str| {
        format!(
            r#"{{"a":{{"dtype":"U8","shape":[4],"data_offsets":{first}}},"b":{{"dtype":"U8","shape":[4],"data_offsets":{second}}}}}"#
        )
    };
    let huge = |length: u64| length.to_le_bytes().to_vec();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let table: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "it has 0 bytes, a header needs at least 8"),
        (vec![1, 2, 3], "it has 3 bytes, a header needs at least 8"),
        (huge(u64::MAX), "it asks for a header of 18446744073709551615 bytes, the most allowed is 100000000"),
        (huge(1 << 32), "it asks for a header of 4294967296 bytes, the most allowed is 100000000"),
        (huge(99_999_999), "it asks for a header of 99999999 bytes, 0 follow: the file is cut off"),
        (file(r#"{"a":"#, 0)[..10].to_vec(), "it asks for a header of 5 bytes, 2 follow: the file is cut off"),
        (huge(0), "its header: no JSON: the file is empty"),
        (file("   ", 0), "its header: no JSON: the file is empty"),
        (file("{", 0), "its header: no valid JSON: EOF while parsing an object at line 1 column 1"),
        (file("{}{}", 0), "its header: no valid JSON: trailing characters at line 1 column 3"),
        (file("[]", 0), "its header: the top level is an array of 0, expected an object"),
        (file("\u{0}\u{0}", 0), "its header: no valid JSON: expected value at line 1 column 1"),
        (file(&deep, 0), "its header: no valid JSON: recursion limit exceeded at line 1 column 128"),
        ([huge(2), vec![0xff, 0xfe]].concat(), "its header: no JSON: byte 0 is not UTF-8"),
        (
            file(r#"{"a":NaN}"#, 0),
            "its header: line 1 holds NaN, which Python writes but JSON does not know; put a number or null there",
        ),
        (file(r#"{"a":3}"#, 0), "tensor a is no object"),
        (file(r#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, 8), "tensor a has no dtype"),
        (file(r#"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#, 8), "tensor a has no shape"),
        (file(r#"{"a":{"dtype":"F32","shape":[2]}}"#, 8), "tensor a has no data_offsets"),
        (file(&one(r#""data_offsets":[0,8],"extra":1"#), 8), "tensor a has an unknown field extra"),
        (file(&with("7", "[2]", "[0,8]"), 8), "tensor a has a dtype that is no string"),
        (file(&with("\"Q4\"", "[2]", "[0,8]"), 8), "tensor a has the unknown dtype Q4"),
        (file(&with("\"F32\"", "2", "[0,8]"), 8), "tensor a has a shape that is no array"),
        (file(&with("\"F32\"", "[-2]", "[0,8]"), 8), "tensor a has a shape [-2] that is not all whole numbers"),
        (file(&with("\"F32\"", "[1.5]", "[0,8]"), 8), "tensor a has a shape [1.5] that is not all whole numbers"),
        (
            file(&with("\"F32\"", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"), 8),
            "tensor a has 17 axes, the most allowed is 16",
        ),
        (
            file(&with("\"F32\"", "[4294967296,4294967296]", "[0,8]"), 8),
            "tensor a has a shape [4294967296, 4294967296] of more values than can be counted",
        ),
        (
            file(&with("\"F32\"", "[9223372036854775807]", "[0,8]"), 8),
            "tensor a has a shape [9223372036854775807] of more values than can be counted",
        ),
        (file(&with("\"F32\"", "[2]", "[0]"), 8), "tensor a has data_offsets [0] that are not two whole numbers"),
        (
            file(&with("\"F32\"", "[2]", "[0,-8]"), 8),
            "tensor a has data_offsets [0, -8] that are not two whole numbers",
        ),
        (file(&with("\"F32\"", "[2]", "8"), 8), "tensor a has data_offsets that are no array"),
        (file(&with("\"F32\"", "[2]", "[8,0]"), 8), "tensor a has data_offsets [8, 0] that run backwards"),
        (
            file(&with("\"F32\"", "[2]", "[0,8]"), 5),
            "tensor a ends at byte 8 of the data, of which there are 5: the file is cut off",
        ),
        (
            file(&with("\"F32\"", "[2]", "[18446744073709551608,18446744073709551615]"), 8),
            "tensor a ends at byte 18446744073709551615 of the data, of which there are 8: the file is cut off",
        ),
        (
            file(&with("\"F32\"", "[3]", "[0,8]"), 8),
            "tensor a is F32 of shape [3], which is 12 bytes, but its data has 8",
        ),
        (file(&with("\"F16\"", "[]", "[0,8]"), 8), "tensor a is F16 of shape [], which is 2 bytes, but its data has 8"),
        (file(&with("\"F4\"", "[3]", "[0,1]"), 1), "tensor a is F4 of shape [3], which is 2 bytes, but its data has 1"),
        (file(&two("[0,4]", "[0,4]"), 4), "tensor b overlaps a"),
        (file(&two("[0,4]", "[3,7]"), 7), "tensor b overlaps a"),
        (file(&two("[4,8]", "[1,5]"), 8), "1 bytes between the header and tensor b belong to nothing"),
        (file(&two("[0,4]", "[6,10]"), 10), "2 bytes between a and tensor b belong to nothing"),
        (file(&two("[0,4]", "[4,8]"), 11), "the last 3 bytes belong to no tensor"),
        (file("{}", 1), "the last 1 bytes belong to no tensor"),
        (
            file(
                r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
                1,
            ),
            "its header: no valid JSON: the key \"a\" occurs twice at line 1 column 56",
        ),
        (file(r#"{"__metadata__":{"a":1}}"#, 0), "its __metadata__ is no object of strings"),
        (
            file(&format!(r#"{{"{}":1}}"#, "x".repeat(300)), 0),
            &"tensor \"XXX…\" is no object".replace("XXX", &"x".repeat(100)).leak()[..],
        ),
    ];
    assert!(table.len() > 40);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.safetensors");
    for (bytes, problem) in table {
        std::fs::write(&path, &bytes).unwrap();
        let found = sentence(folder.path(), SafetensorsFile::open(&path).unwrap_err());
        assert_eq!(found, format!("m.safetensors is damaged: {problem}; download or copy it again"));
    }
    // What is allowed: a scalar, an empty tensor, metadata, spaces behind the header.
    let good = r#"{"__metadata__":{"format":"pt"},"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]}}   "#;
    std::fs::write(&path, file(good, 4)).unwrap();
    let file = SafetensorsFile::open(&path).unwrap();
    let lens: Vec<_> = file.tensors().map(|tensor| (tensor.name.to_string(), tensor.len())).collect();
    assert_eq!(lens, [("s".to_string(), 1), ("e".to_string(), 0)]);
    let refused = SafetensorsFile::open(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("it is no regular file"), "{refused}");
}

/// Files by name.
type Files<'a> = Vec<(&'a str, &'a [u8])>;

/// A folder of files by name.
fn folder_of(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn broken_folders() {
    let a = tensors(&[("a", "F32", &[1], &[0; 4])]);
    let ab = tensors(&[("a", "F32", &[1], &[0; 4]), ("b", "F32", &[1], &[0; 4])]);
    let index = |map: &str| format!(r#"{{"metadata":{{"total_size":8}},"weight_map":{map}}}"#).into_bytes();
    let index_file = "model.safetensors.index.json";
    let damaged = |problem: &str| format!("{index_file} is damaged: {problem}; download or copy it again");
    let missing = |file: &str| {
        format!(
            "DIR has no {file}; a checkpoint folder holds config.json, tokenizer.json and model.safetensors (or its index)"
        )
    };
    let table: Vec<(Files, Vec<u8>, String)> = vec![
        (vec![("config.json", b"")], vec![], "config.json: no JSON: the file is empty".into()),
        (vec![("config.json", b"{\"a\":1,\"a\":2}")], vec![], "config.json: no valid JSON: the key \"a\" occurs twice at line 1 column 10".into()),
        (vec![("config.json", b"[1]")], vec![], "config.json: the top level is an array of 1, expected an object".into()),
        (
            vec![("config.json", b"{\n \"x\": Infinity}")],
            vec![],
            "config.json: line 2 holds Infinity, which Python writes but JSON does not know; put a number or null there".into(),
        ),
        (
            vec![("config.json", b"{\n\n \"x\": -Infinity}")],
            vec![],
            "config.json: line 3 holds -Infinity, which Python writes but JSON does not know; put a number or null there".into(),
        ),
        (vec![("config.json", b"{}")], vec![], missing("model.safetensors")),
        (vec![("config.json", b"{}")], b"{}".to_vec(), damaged("it has no weight_map of tensor names to shards")),
        (vec![("config.json", b"{}")], index("[]"), damaged("it has no weight_map of tensor names to shards")),
        (vec![("config.json", b"{}")], index("{}"), damaged("its weight_map is empty")),
        (vec![("config.json", b"{}")], index(r#"{"a":3}"#), damaged("the shard of tensor a is no string")),
        (vec![("config.json", b"{}")], index(r#"{"a":"../x.safetensors"}"#), damaged("the shard ../x.safetensors of tensor a is no plain file name")),
        (vec![("config.json", b"{}")], index(r#"{"a":"/etc/passwd"}"#), damaged("the shard /etc/passwd of tensor a is no plain file name")),
        (vec![("config.json", b"{}")], index(r#"{"a":".."}"#), damaged("the shard .. of tensor a is no plain file name")),
        (vec![("config.json", b"{}")], index(r#"{"a":""}"#), damaged("the shard \"\" of tensor a is no plain file name")),
        (vec![("config.json", b"{}")], index(r#"{"a":"C:\\x"}"#), damaged("the shard C:\\x of tensor a is no plain file name")),
        (vec![("config.json", b"{}")], index(r#"{"a":"1.safetensors","b":"1.safetensors"}"#), damaged("it names the shard 1.safetensors for 2 tensors, which is not there")),
        (
            vec![("config.json", b"{}"), ("1.safetensors", &ab)],
            index(r#"{"a":"1.safetensors"}"#),
            damaged("it does not name tensor b, which 1.safetensors holds"),
        ),
        (
            vec![("config.json", b"{}"), ("1.safetensors", &a)],
            index(r#"{"a":"1.safetensors","b":"1.safetensors"}"#),
            damaged("it places tensor b in 1.safetensors, which does not hold it"),
        ),
        (
            vec![("config.json", b"{}"), ("1.safetensors", &a), ("2.safetensors", &ab)],
            index(r#"{"a":"1.safetensors","b":"2.safetensors"}"#),
            damaged("it places tensor a in 1.safetensors, but 2.safetensors holds it too"),
        ),
        (
            vec![("config.json", b"{}"), ("1.safetensors", &a[..a.len() - 2])],
            index(r#"{"a":"1.safetensors"}"#),
            "1.safetensors is damaged: tensor a ends at byte 4 of the data, of which there are 2: the file is cut off; download or copy it again".into(),
        ),
    ];
    for (files, index, expected) in table {
        let folder = folder_of(&files);
        if !index.is_empty() {
            std::fs::write(folder.path().join(index_file), index).unwrap();
        }
        assert_eq!(sentence(folder.path(), Checkpoint::open(folder.path()).unwrap_err()), expected);
    }
    let empty = TempDir::new().unwrap();
    assert_eq!(sentence(empty.path(), Checkpoint::open(empty.path()).unwrap_err()), missing("config.json"));
    let nowhere = sentence(empty.path(), Checkpoint::open(&empty.path().join("x")).unwrap_err());
    assert_eq!(nowhere, "cannot open x: No such file or directory (os error 2)");
    let other = folder_of(&[("model.onnx", b"ONNX")]);
    assert_eq!(
        sentence(other.path(), Checkpoint::open(&other.path().join("model.onnx")).unwrap_err()),
        "model model.onnx is neither a GGUF file nor a checkpoint folder nor its config.json, model.safetensors or model.safetensors.index.json; name one of these"
    );
    // Sharded and sound.
    let b = tensors(&[("b", "BF16", &[2], &[0; 4])]);
    let sound = folder_of(&[
        ("config.json", b"{}"),
        (index_file, &index(r#"{"a":"1.safetensors","b":"2.safetensors"}"#)),
        ("1.safetensors", &a),
        ("2.safetensors", &b),
    ]);
    let checkpoint = Checkpoint::open(&sound.path().join(index_file)).unwrap();
    assert_eq!(checkpoint.total_bytes(), 8);
    assert_eq!(checkpoint.tensor("b").unwrap().file, sound.path().join("2.safetensors"));
}

#[test]
fn tensors_against_the_config() {
    let many: Vec<String> = (0..25).map(|i| format!("layers.{i}")).collect();
    let folder = folder_of(&[
        ("config.json", b"{}"),
        (
            "model.safetensors",
            &tensors(&[
                ("a", "F32", &[2, 3], &[0; 24]),
                ("b", "I64", &[1], &[0; 8]),
                ("c", "BF16", &[3, 2], &[0; 12]),
                ("extra", "F32", &[1], &[0; 4]),
                ("rotary.inv_freq", "F32", &[1], &[0; 4]),
            ]),
        ),
    ]);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let ignored = |name: &str| name.ends_with("inv_freq");
    let mut expected = vec![Expected::new("a", [2, 3]), Expected::new("b", [1]), Expected::new("c", [2, 3])];
    expected.push(Expected::new("d", [4]));
    assert_eq!(
        sentence(folder.path(), checkpoint.check(&expected, &ignored).unwrap_err()),
        "DIR: the weights are not those that config.json describes (missing tensors: d; unexpected tensors: extra; \
         wrong shapes: c has [3, 2], expected [2, 3]; wrong dtypes: b is I64, expected F32, F16 or BF16); \
         use both from the same download"
    );
    expected.extend(many.iter().map(|name| Expected::new(name.as_str(), [1])));
    let long = sentence(folder.path(), checkpoint.check(&expected, &ignored).unwrap_err());
    assert!(long.contains("missing tensors: d, layers.0, ") && long.contains("layers.18 and 6 more;"), "{long}");
    let good = [Expected::new("a", [2, 3]), Expected::new("c", [3, 2])];
    checkpoint.check(&good, &|name| ["b", "extra", "rotary.inv_freq"].contains(&name)).unwrap();
}

fn fields(json: &str) -> Fields {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    Fields::new(Path::new("config.json"), value.as_object().unwrap().clone())
}

#[test]
fn broken_fields() {
    let json = r#"{"n": 7, "neg": -1, "half": 1.5, "s": "text", "null": null, "big": 1e300, "list": [1, "x"], "o": {"in": {"k": 1}},
        "long": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "id": 4294967296}"#;
    let f = fields(json);
    let inner = f.object("o").unwrap().object("in").unwrap();
    let table: Vec<(percept::Result<()>, &str)> = vec![
        (f.usize("missing", ..).map(drop), "missing is missing"),
        (f.usize("null", ..).map(drop), "null is null, a value is needed"),
        (f.usize("n", 8..).map(drop), "n is 7, expected at least 8"),
        (f.usize("n", 1..=6).map(drop), "n is 7, expected 1 to 6"),
        (f.usize("n", 1..3).map(drop), "n is 7, expected 1 to 2"),
        (f.usize("n", 2..=2).map(drop), "n is 7, expected 2"),
        (f.usize("neg", ..).map(drop), "neg is -1, expected a whole number"),
        (f.usize("half", ..).map(drop), "half is 1.5, expected a whole number"),
        (f.usize("s", ..).map(drop), "s is \"text\", expected a whole number"),
        (f.optional_usize("s", ..).map(drop), "s is \"text\", expected a whole number"),
        (f.f32("s").map(drop), "s is \"text\", expected a number"),
        (f.f32("big").map(drop), "big is 1e+300, expected a number within f32"),
        (f.bool("n").map(drop), "n is 7, expected true or false"),
        (f.string("n").map(drop), "n is 7, expected a string"),
        (f.string("list").map(drop), "list is an array of 2, expected a string"),
        (f.string("o").map(drop), "o is an object, expected a string"),
        (
            f.bool("long").map(drop),
            "long is \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…, expected true or false",
        ),
        (f.strings("s").map(drop), "s is \"text\", expected an array of strings"),
        (f.strings("list").map(drop), "list at index 0 is 1, expected a string"),
        (f.usizes("list", ..).map(drop), "list at index 1 is \"x\", expected a whole number"),
        (f.f32s("list").map(drop), "list at index 1 is \"x\", expected a number"),
        (f.ids("list").map(drop), "list at index 1 is \"x\", expected a token id"),
        (f.id("id").map(drop), "id is 4294967296, expected a token id"),
        (f.ids("s").map(drop), "s is \"text\", expected a token id"),
        (f.object("n").map(drop), "n is 7, expected an object"),
        (f.object("nothing").map(drop), "nothing is missing"),
        (f.one_of("s", &["a", "b"]).map(drop), "s is \"text\", supported: a, b"),
        (inner.usize("k", 2..).map(drop), "o.in.k is 1, expected at least 2"),
        (inner.string("l").map(drop), "o.in.l is missing"),
        (Err(inner.error("k", "divides nothing")), "o.in.k divides nothing"),
    ];
    for (result, expected) in table {
        assert_eq!(result.unwrap_err().to_string(), format!("config.json: {expected}"));
    }
}

#[test]
fn good_fields_and_those_never_read() {
    let f = fields(
        r#"{"n": 7, "x": 2, "yes": true, "s": "b", "names": ["a"], "one": 3, "more": [4, 5], "null": null,
            "o": {"p": 1, "q": {"r": 2}}, "unopened": {"t": 1}, "ignored": 0}"#,
    );
    assert_eq!(f.usize("n", 1..=7).unwrap(), 7);
    assert_eq!(f.f32("x").unwrap(), 2.0);
    assert!(f.bool("yes").unwrap());
    assert_eq!(f.one_of("s", &["a", "b"]).unwrap(), 1);
    assert_eq!(f.strings("names").unwrap(), ["a"]);
    assert_eq!((f.ids("one").unwrap(), f.ids("more").unwrap()), (vec![3], vec![4, 5]));
    assert_eq!((f.optional_f32("null").unwrap(), f.optional_bool("absent").unwrap()), (None, None));
    assert!(f.has("o") && !f.has("null"));
    assert_eq!(f.unread(), ["unopened", "ignored"]);
    f.ignore(&["ignored"]);
    let o = f.object("o").unwrap();
    assert_eq!(f.unread(), ["o.p", "o.q", "unopened"]);
    o.object("q").unwrap().usize("r", ..).unwrap();
    assert_eq!(f.unread(), ["o.p", "unopened"]);
    assert_eq!(o.names().collect::<Vec<_>>(), ["p", "q"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random bytes behind a length that fits: an error or a sound list, never a panic.
    #[test]
    fn random_headers(bytes in proptest::collection::vec(any::<u8>(), 0..200), fits in any::<bool>()) {
        let mut all = if fits { (bytes.len() as u64 / 2).to_le_bytes().to_vec() } else { Vec::new() };
        all.extend(&bytes);
        let _ = parse_header(Path::new("x"), &all);
    }

    /// Headers that are nearly right, with any numbers.
    #[test]
    fn nearly_right_headers(
        list in proptest::collection::vec((any::<u8>(), prop_oneof![0..9u64, any::<u64>()], prop_oneof![0..9u64, any::<u64>()], prop_oneof![0..9u64, any::<u64>()], 0..3usize), 0..5),
        data in 0..20usize,
    ) {
        let dtypes = ["U8", "F32", "F4"];
        let entries: Vec<String> = list.iter().map(|(name, axis, start, end, dtype)| {
            format!(r#""{name}":{{"dtype":"{}","shape":[{axis},2],"data_offsets":[{start},{end}]}}"#, dtypes[*dtype])
        }).collect();
        let bytes = file(&format!("{{{}}}", entries.join(",")), data);
        if let Ok(entries) = parse_header(Path::new("x"), &bytes) {
            let mut end = bytes.len() - data;
            for entry in entries {
                prop_assert_eq!(entry.range.start, end);
                prop_assert_eq!(entry.range.len() as u64 * 8, entry.shape.iter().product::<usize>() as u64 * entry.dtype.bits());
                end = entry.range.end;
            }
            prop_assert_eq!(end, bytes.len());
        }
    }
}
