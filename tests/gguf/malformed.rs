//! What a broken file says, and that it costs nothing to find out.

use crate::generator::Value::{F32, F32s, F64, I32, I32s, Raw, Strings, Text, U32, U64};
use crate::generator::{Gguf, Name, Tensor, array, text, tiny};
use crate::{memory, open, read_all, render, sentence};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tempfile::TempDir;

type Case = (&'static str, fn(&mut Gguf), &'static str);

/// Headers that contradict themselves or the file.
const HEADERS: &[Case] = &[
    ("one byte", |f| f.cut = Some(1), "neither a GGUF file nor"),
    ("magic alone", |f| f.cut = Some(4), "its header asks for 4 bytes where 0 are left"),
    ("magic of another kind", |f| f.magic = *b"GGML", "neither a GGUF file nor"),
    ("version 0", |f| f.version = [0; 4], "the version of the format is 0, expected 2 or 3"),
    ("version 1", |f| f.version = [1, 0, 0, 0], "the version of the format is 1, which is long out of use"),
    ("version 99", |f| f.version = [99, 0, 0, 0], "the version of the format is 99, expected 2 or 3"),
    ("big-endian", |f| f.version = [0, 0, 0, 3], "is that of a big-endian machine"),
    ("no counts", |f| f.cut = Some(8), "its header asks for 8 bytes where 0 are left"),
    ("half a count", |f| f.cut = Some(20), "its header asks for 8 bytes where 4 are left"),
    (
        "nothing behind the counts",
        |f| f.cut = Some(24),
        "metadata entry 0 of 23 has a key that asks for 8 bytes where 0",
    ),
    ("more keys than bytes", |f| f.pair_count = Some(u64::MAX), "of 18446744073709551615 has a key that"),
    ("more keys than there are", |f| f.pair_count = Some(24), "tensor 0 of 15 has a name that asks for"),
    ("fewer keys than there are", |f| f.pair_count = Some(22), "tensor tokenizer.chat_template has 8 axes"),
    ("more tensors than bytes", |f| f.tensor_count = Some(u64::MAX), "of 18446744073709551615 has a name that"),
    ("more tensors than there are", |f| f.tensor_count = Some(16), "tensor 15 of 16 has a name that"),
    ("key beyond the file", |f| f.pairs[1].0.len = 1 << 40, "has a key that asks for 1099511627776 bytes where"),
    (
        "key of the greatest length",
        |f| f.pairs[1].0.len = u64::MAX,
        "entry 1 of 23 has a key that asks for 18446744073",
    ),
    ("key of length 0", |f| f.pairs[1].0 = "".into(), "metadata entry 1 of 23 has a key that is empty"),
    (
        "key that is no text",
        |f| f.pairs[1].0 = [0xff, 0xfe][..].into(),
        "entry 1 of 23 has a key that is no UTF-8 text",
    ),
    ("key twice", |f| f.pairs[1].0 = f.pairs[0].0.clone(), "metadata key general.architecture is there twice"),
    ("key with line breaks", |f| f.pairs[1] = ("a\nb".into(), Raw(99, vec![])), "metadata key \"a\\nb\" is of"),
    ("type 13", |f| f.pairs[1].1 = Raw(13, vec![]), "metadata key general.name is of the unknown type 13"),
    ("type -1", |f| f.pairs[1].1 = Raw(u32::MAX, vec![]), "is of the unknown type 4294967295"),
    ("truth value 2", |f| f.pairs[1].1 = Raw(7, vec![2]), "general.name is a truth value of 2, expected 0 or 1"),
    ("string beyond the file", |f| f.pairs[1].1 = Raw(8, vec![255; 8]), "general.name asks for 18446744073709551615"),
    ("string up to the end", |f| f.pairs[22].1 = Raw(8, long(1 << 20)), "tokenizer.chat_template asks for 1048576"),
    ("array beyond the file", |f| f.pairs[1].1 = Raw(9, array(0, 1 << 60, [])), "asks for 1152921504606846976"),
    ("array that overflows", |f| f.pairs[1].1 = Raw(9, array(10, 1 << 61, [])), "has more values than a file can"),
    ("strings without end", |f| f.pairs[1].1 = Raw(9, array(8, u64::MAX, [])), "general.name asks for"),
    ("arrays without end", |f| f.pairs[1].1 = Raw(9, array(9, u64::MAX, [])), "general.name"),
    ("array of type 13", |f| f.pairs[1].1 = Raw(9, array(13, 0, [])), "general.name is of the unknown type 13"),
    ("deep arrays", |f| f.pairs[1].1 = Raw(9, deep(5)), "general.name holds arrays within arrays deeper than 4"),
    ("very deep arrays", |f| f.pairs[1].1 = Raw(9, deep(5000)), "holds arrays within arrays deeper than 4"),
    ("cut in the metadata", |f| f.cut = Some(500), "asks for"),
    (
        "cut in the list of tensors",
        |f| f.cut = Some(f.header().len() - 1),
        "tensor blk.0.post_ffw_norm.weight asks for 8",
    ),
];

/// Tensors that contradict themselves, each other or the file.
const TENSORS: &[Case] = &[
    ("name of length 0", |f| f.tensors[1].name = "".into(), "tensor 1 of 15 has a name that is empty"),
    ("name beyond the file", |f| f.tensors[1].name.len = 1 << 50, "tensor 1 of 15 has a name that asks for"),
    ("name that is no text", |f| f.tensors[1].name = [0x80][..].into(), "tensor 1 of 15 has a name that is no UTF-8"),
    ("name twice", |f| f.tensors[1].name = f.tensors[0].name.clone(), "tensor token_embd.weight is there twice"),
    ("name of 10,000 letters", |f| f.tensors[1] = long_name(), "has 0 axes"),
    ("no axes", |f| f.tensors[1].axes = Some(0), "tensor output_norm.weight has 0 axes, expected 1 to 4"),
    ("5 axes", |f| f.tensors[1].dimensions = vec![2; 5], "tensor output_norm.weight has 5 axes, expected 1 to 4"),
    ("4,294,967,295 axes", |f| f.tensors[1].axes = Some(u32::MAX), "has 4294967295 axes"),
    ("an axis of 0", |f| f.tensors[0].dimensions[1] = 0, "tensor token_embd.weight has an axis of length 0"),
    ("a first axis of 0", |f| f.tensors[1].dimensions[0] = 0, "tensor output_norm.weight has an axis of length 0"),
    ("axes that overflow", |f| f.tensors[0].dimensions = vec![1 << 32; 2], "has more values than a file can hold"),
    ("bytes that overflow", |f| f.tensors[0].dimensions = vec![1 << 61, 1], "has more values than a file can hold"),
    (
        "bytes beyond isize",
        |f| f.tensors[0].dimensions = vec![1 << 30, 1 << 31],
        "has more values than a file can hold",
    ),
    (
        "axes beyond the file",
        |f| f.tensors[0].dimensions = vec![1 << 30, 1 << 20],
        "token_embd.weight needs 45035996273",
    ),
    (
        "type 4, long removed",
        |f| f.tensors[0].kind = 4,
        "is of type 4 (unknown), which is not supported; supported: f32",
    ),
    ("type 16, known", |f| f.tensors[0].kind = 16, "is of type 16 (IQ2_XXS), which is not supported; supported: f32"),
    ("type 99", |f| f.tensors[0].kind = 99, "tensor token_embd.weight is of type 99 (unknown)"),
    ("rows of half blocks", |f| f.tensors[0].kind = 12, "has rows of 32 values, which are no whole blocks of 256"),
    (
        "offset beyond the file",
        |f| f.tensors[1].offset = Some(1 << 40),
        "output_norm.weight needs 128 bytes from 10995",
    ),
    ("greatest offset", |f| f.tensors[1].offset = Some(u64::MAX - 31), "output_norm.weight needs 128 bytes from 18446"),
    (
        "odd offset",
        |f| f.tensors[1].offset = Some(1800),
        "output_norm.weight begins at 1800, which is no multiple of 32",
    ),
    ("same bytes", |f| f.tensors[1].offset = Some(0), "tensors token_embd.weight and output_norm.weight share bytes"),
    (
        "overlap by a row",
        |f| f.tensors[1].offset = Some(1792 - 32),
        "token_embd.weight and output_norm.weight share bytes",
    ),
    ("alignment of 0", |f| f.set("general.alignment", U32(0)), "general.alignment is 0, expected 1 to 1048576"),
    ("alignment of 1", |f| f.set("general.alignment", U32(1)), "is 1, expected a power of two from 8 on"),
    ("alignment of 33", |f| f.set("general.alignment", U32(33)), "is 33, expected a power of two from 8 on"),
    ("a large alignment", |f| f.set("general.alignment", U32(1 << 31)), "is 2147483648, expected 1 to 10"),
    ("alignment of 256", |f| f.set("general.alignment", U32(256)), "which is no multiple of 256"),
    ("alignment in words", |f| f.set("general.alignment", "32"), "is a string, expected a whole number"),
    ("data cut by a byte", |f| f.cut = Some(f.bytes().len() - 1), "post_ffw_norm.weight needs 128 bytes from"),
    ("no data", |f| f.cut = Some(f.header().len()), "but the file ends before: it is cut off"),
];

/// Metadata of a model that cannot be.
const CONFIGS: &[Case] = &[
    ("no architecture", |f| f.remove("general.architecture"), "general.architecture is missing"),
    ("architecture 7", |f| f.set("general.architecture", U32(7)), "is a whole number, expected a string"),
    ("no text", |f| f.set("general.architecture", Raw(8, text([0xc3, 0x28]))), "architecture is no UTF-8 text"),
    (
        "another architecture",
        |f| f.set("general.architecture", "mamba"),
        "\"mamba\" is not supported; supported: gemma4, gemma3",
    ),
    ("no width", |f| f.remove("gemma3.embedding_length"), "gemma3.embedding_length is missing"),
    ("width in words", |f| f.set("gemma3.embedding_length", "32"), "is a string, expected a whole number"),
    ("width of 0", |f| f.set("gemma3.embedding_length", U32(0)), "is 0, expected 1 to"),
    ("width of -32", |f| f.set("gemma3.embedding_length", I32(-32)), "is -32, expected 1 to 131071"),
    ("width of 2^63", |f| f.set("gemma3.embedding_length", U64(1 << 63)), "is 9223372036854775808, expected"),
    ("width as an array", |f| f.set("gemma3.embedding_length", I32s(vec![32])), "is an array of 1 whole numbers"),
    ("no layers", |f| f.set("gemma3.block_count", U32(0)), "block_count is 0, expected 1 to 999"),
    ("too many layers", |f| f.set("gemma3.block_count", U32(999)), "missing tensors: blk.1.attn_norm.weight"),
    ("2^32 layers", |f| f.set("gemma3.block_count", U32(u32::MAX)), "is 4294967295, expected 1 to 999"),
    ("no heads", |f| f.set("gemma3.attention.head_count", U32(0)), "head_count is 0, expected 1 to 1023"),
    ("3 heads for 2", |f| f.set("gemma3.attention.head_count_kv", U32(3)), "is 3, which does not divide"),
    ("no heads of keys", |f| f.set("gemma3.attention.head_count_kv", U32(0)), "is 0, expected 1 to"),
    ("odd heads", |f| f.set("gemma3.attention.key_length", U32(15)), "is 15, expected an even number"),
    ("vast heads", |f| f.set("gemma3.attention.key_length", U32(1 << 20)), "is 1048576, expected 2 to"),
    ("values unlike keys", |f| f.set("gemma3.attention.value_length", U32(8)), "is 8, but attention.key_length"),
    ("no inner width", |f| f.remove("gemma3.feed_forward_length"), "gemma3.feed_forward_length is missing"),
    ("window of 0", |f| f.set("gemma3.attention.sliding_window", U32(0)), "is 0, expected 1 to"),
    ("context of 0", |f| f.set("gemma3.context_length", U32(0)), "context_length is 0, expected 1 to"),
    ("base of 0", |f| f.set("gemma3.rope.freq_base", F32(0.0)), "freq_base is 0, expected above 1"),
    ("base that is no number", |f| f.set("gemma3.rope.freq_base", F32(f32::NAN)), "freq_base is not finite"),
    ("base beyond f32", |f| f.set("gemma3.rope.freq_base", F64(1e300)), "freq_base is not finite"),
    ("scaling of a kind", |f| f.set("gemma3.rope.scaling.type", "yarn"), "is \"yarn\", supported are linear and none"),
    ("scaling by nothing", |f| f.set("gemma3.rope.scaling.type", "linear"), "rope.scaling.factor is missing"),
    (
        "scaling by 0",
        |f| {
            f.set("gemma3.rope.scaling.type", "linear");
            f.set(FACTOR, F32(0.0))
        },
        "is 0, expected 1 or",
    ),
    ("eps of -1", |f| f.set(EPS, F32(-1.0)), "is -1, expected"),
    ("eps in words", |f| f.set(EPS, "1e-6"), "is a string, expected a number"),
    (
        "62 narrow layers",
        |f| {
            f.set("gemma3.block_count", U32(62));
            f.set(HEADS, U32(64))
        },
        "head_count is 64",
    ),
    ("a tensor less", |f| drop(f.tensors.remove(5)), "missing tensors: blk.0.attn_v.weight"),
    ("a tensor more", |f| f.add("blk.0.attn_q.bias", 0, &[32], vec![0; 128]), "unexpected tensors: blk.0.attn_q.bias"),
    (
        "a tensor of another shape",
        |f| f.tensor("blk.0.attn_q.weight").dimensions = vec![16, 64],
        "has [64, 16], expected [32, 32]",
    ),
    (
        "a tensor turned",
        |f| f.tensor("blk.0.ffn_down.weight").dimensions = vec![32, 64],
        "has [64, 32], expected [32, 64]",
    ),
    ("whole numbers", |f| f.tensor("blk.0.attn_q.weight").kind = 26, "blk.0.attn_q.weight is I32, expected"),
    (
        "an embedding of one axis",
        |f| f.tensors[0].dimensions = vec![448],
        "token_embd.weight has [448], expected [14, 32]",
    ),
    ("NaN", |f| f.tensor("blk.0.attn_q.weight").data[8..12].fill(255), "blk.0.attn_q.weight holds NaN at index 2"),
    (
        "infinity",
        |f| f.tensors[1].data[..4].copy_from_slice(&[0, 0, 0x80, 0x7f]),
        "output_norm.weight holds infinity at index 0",
    ),
    ("NaN for a scale", |f| blocks(f, 8, 34, &[(34, 0xff), (35, 0x7f)]), "blk.0.ffn_gate.weight holds NaN at index 32"),
    (
        "infinity for a scale",
        |f| blocks(f, 2, 18, &[(0, 0), (1, 0x7c)]),
        "blk.0.ffn_gate.weight holds infinity at index 0",
    ),
    ("NaN for a minimum", |f| blocks(f, 3, 20, &[(22, 1), (23, 0xfc)]), "blk.0.ffn_gate.weight holds NaN at index 32"),
    ("NaN for an exponent", |f| blocks(f, 39, 17, &[(17, 255)]), "blk.0.ffn_gate.weight holds NaN at index 32"),
    ("a great exponent", |f| blocks(f, 39, 17, &[(17, 253)]), "blk.0.ffn_gate.weight holds infinity at index 32"),
];

const EPS: &str = "gemma3.attention.layer_norm_rms_epsilon";
const FACTOR: &str = "gemma3.rope.scaling.factor";
const HEADS: &str = "gemma3.attention.head_count";

/// Tokenizers and templates that cannot be used.
const TEXTS: &[Case] = &[
    ("no kind of tokenizer", |f| f.remove("tokenizer.ggml.model"), "tokenizer.ggml.model is missing"),
    ("an unknown tokenizer", |f| f.set("tokenizer.ggml.model", "bert"), "is \"bert\", which is not supported"),
    ("no tokens", |f| f.remove(TOKENS), "tokenizer.ggml.tokens is missing"),
    ("tokens of length 0", |f| f.set(TOKENS, Strings(vec![])), "tokenizer.ggml.tokens is empty"),
    ("tokens that are numbers", |f| f.set(TOKENS, I32s(vec![1])), "is an array of whole numbers"),
    ("one token", |f| f.set(TOKENS, "a"), "tokens is a string, expected an array of strings"),
    ("a token that is no text", |f| broken_token(f), "with index 1, that is no UTF-8 text"),
    ("fewer scores", |f| f.set(SCORES, F32s(vec![0.0])), "scores has 1 values, but"),
    ("scores in words", |f| f.set(SCORES, Strings(vec![])), "is an array of strings, expected"),
    ("a score that is no number", |f| f.set(SCORES, F32s(vec![f32::NAN; 14])), "is not a number at"),
    ("more kinds", |f| f.set(KINDS, I32s(vec![1; 15])), "token_type has 15 values, but"),
    ("kinds as numbers", |f| f.set(KINDS, F32s(vec![1.0; 14])), "is an array of numbers"),
    ("kinds beyond i32", |f| f.set(KINDS, Raw(9, array(10, 1, [255; 8]))), "is too large"),
    ("bos beyond the tokens", |f| f.set("tokenizer.ggml.bos_token_id", U32(14)), "is 14, but tokenizer.ggml.tokens"),
    ("eos of 2^32 - 1", |f| f.set("tokenizer.ggml.eos_token_id", U32(u32::MAX)), "eos_token_id is 4294967295, but"),
    ("eos of -1", |f| f.set("tokenizer.ggml.eos_token_id", I32(-1)), "is -1, expected 0 to 4294967295"),
    (
        "bos that is not there",
        |f| f.remove("tokenizer.ggml.bos_token_id"),
        "add_bos_token is true, but tokenizer.ggml.bos",
    ),
    ("maybe", |f| f.set("tokenizer.ggml.add_bos_token", U32(1)), "is a whole number, expected true or false"),
    ("a merge of one", |f| merges(f, &["ab"]), "holds \"ab\" at index 0, expected two tokens with a space between"),
    ("a merge of unknown", |f| merges(f, &["a b", "x y"]), "holds \"x y\" at index 1, but \"x\" is none of the tokens"),
    ("a merge into unknown", |f| merges(f, &["b a"]), "holds \"b a\" at index 0, but \"ba\" is none of the tokens"),
    ("bytes without merges", |f| f.set("tokenizer.ggml.model", "gpt2"), "tokenizer.ggml.merges is missing"),
    (
        "an unknown cut",
        |f| {
            f.set("tokenizer.ggml.model", "gpt2");
            f.set("tokenizer.ggml.pre", "x")
        },
        "is \"x\", which is not",
    ),
    ("a template of another type", |f| f.set(TEMPLATE, U32(1)), "is a whole number, expected a string"),
    ("a template that is no text", |f| f.set(TEMPLATE, Raw(8, text([0xff]))), "chat_template is no UTF-8 text"),
    ("a template without end", |f| f.set(TEMPLATE, "{% for m in messages %}"), "the template"),
    ("a template that fails", |f| f.set(TEMPLATE, "{{ messages.x.y.z }}"), "the template fails in line 1"),
    ("a template that loops", |f| f.set(TEMPLATE, LOOPS), "the template did not come to an end"),
    (
        "a template that calls itself",
        |f| f.set(TEMPLATE, "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"),
        "the template",
    ),
    ("a template that grows", |f| f.set(TEMPLATE, "{{ 'x' * 100000000000 }}"), "the template"),
    ("a template that doubles", |f| f.set(TEMPLATE, DOUBLES), "the template did not come to an end"),
    ("a template in brackets", |f| f.set(TEMPLATE, Text("{{ ".to_string() + &"(".repeat(100_000))), "the template"),
    ("a template in ifs", |f| f.set(TEMPLATE, Text("{% if 1 %}".repeat(20_000))), "the template"),
];

const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const KINDS: &str = "tokenizer.ggml.token_type";
const TEMPLATE: &str = "tokenizer.chat_template";
const LOOPS: &str = "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}";
const DOUBLES: &str =
    "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}";

fn long(len: u64) -> Vec<u8> {
    len.to_le_bytes().into()
}

/// Arrays within arrays, each of one.
fn deep(levels: usize) -> Vec<u8> {
    (0..levels).flat_map(|_| array(9, 1, [])).chain(array(0, 1, [7])).collect()
}

fn long_name() -> Tensor {
    let name = Name::from(&"n".repeat(10_000)[..]);
    Tensor { name, axes: None, dimensions: vec![], kind: 0, offset: None, data: vec![] }
}

/// Makes a matrix one of blocks, zero but for some bytes.
fn blocks(file: &mut Gguf, kind: u32, block_bytes: usize, bytes: &[(usize, u8)]) {
    let tensor = file.tensor("blk.0.ffn_gate.weight");
    tensor.kind = kind;
    tensor.data = vec![0; 64 * block_bytes];
    bytes.iter().for_each(|(at, byte)| tensor.data[*at] = *byte);
}

fn broken_token(file: &mut Gguf) {
    let tokens = text("a").into_iter().chain(text([0xe2, 0x82]));
    file.set(TOKENS, Raw(9, array(8, 2, tokens)));
}

fn merges(file: &mut Gguf, merges: &[&str]) {
    let merges = merges.iter().map(|merge| merge.to_string()).collect();
    file.set("tokenizer.ggml.merges", Strings(merges));
}

/// What reading the file says; how it must not be said is said here.
fn refusal(folder: &Path, path: &Path) -> Result<String, String> {
    let len = path.metadata().unwrap().len() as usize;
    let run = || {
        let (read, largest) = memory::largest(|| read_all(path));
        let (rendered, prompt) = memory::largest(|| read?.as_ref().map(render).transpose());
        (rendered, largest > memory::ALL + memory::READER_TIMES * len || prompt > memory::PROMPT)
    };
    let (read, large) = catch_unwind(AssertUnwindSafe(run)).map_err(|_| "panics")?;
    let said = sentence(folder, &read.err().ok_or("is read as if it were good")?);
    if large {
        return Err("asks for too much memory at once".into());
    }
    if said.contains(['\n', '\r']) || said.len() > 1200 {
        return Err(format!("is no sentence: {said}"));
    }
    Ok(said)
}

fn check(cases: &[Case]) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.gguf");
    let mut wrong = Vec::new();
    for (name, change, words) in cases {
        let mut file = tiny();
        change(&mut file);
        std::fs::write(&path, file.bytes()).unwrap();
        // The reader by itself, whose bounds are narrower.
        let _ = open(&path);
        match refusal(folder.path(), &path) {
            Ok(said) if said.contains(words) && said.contains("a.gguf") => println!("{name}: {said}"),
            Ok(said) => wrong.push(format!("{name}: {said:?} does not contain {words:?}")),
            Err(problem) => wrong.push(format!("{name}: {problem}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} are wrong\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn headers() {
    check(HEADERS);
}

#[test]
fn tensors() {
    check(TENSORS);
}

#[test]
fn configs() {
    check(CONFIGS);
}

#[test]
fn tokenizers_and_templates() {
    check(TEXTS);
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let all: Vec<&str> = [HEADERS, TENSORS, CONFIGS, TEXTS].concat().iter().map(|case| case.0).collect();
    let names: std::collections::BTreeSet<&&str> = all.iter().collect();
    assert_eq!(names.len(), all.len());
    assert!(all.len() >= 60);
}

#[test]
fn nothing_and_folders() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.gguf");
    let said = |path: &Path| sentence(folder.path(), &open(path).unwrap_err());
    assert!(said(&path).starts_with("cannot open a.gguf: "));
    std::fs::write(&path, []).unwrap();
    assert_eq!(
        said(&path),
        "a.gguf is damaged: its header asks for 4 bytes where 0 are left; download or copy it again"
    );
    let words = "a.gguf is neither a GGUF file nor a checkpoint folder";
    assert!(sentence(folder.path(), &read_all(&path).err().unwrap()).contains(words));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(said(&path), "a.gguf is damaged: it is no regular file; download or copy it again");
    assert!(sentence(folder.path(), &read_all(&path).err().unwrap()).contains("a.gguf has no config.json"));
}

/// What only a model that is loaded reads.
const LOADED: &[Case] = &[
    (
        "more tokens than rows",
        |f| f.tensors[0] = fewer_rows(f),
        "has a token with id 13, but the embedding has 13 rows",
    ),
    ("hot", |f| f.set("general.sampling.temp", F32(1000.0)), "general.sampling.temp is 1000, expected 0 to 100"),
    ("cold", |f| f.set("general.sampling.temp", F32(f32::NAN)), "general.sampling.temp is not finite"),
    ("top of nothing", |f| f.set("general.sampling.top_p", F32(-0.5)), "top_p is -0.5, expected 0 to 1"),
    ("-1 best", |f| f.set("general.sampling.top_k", I32(-1)), "general.sampling.top_k is -1, expected 0 to 16777215"),
    ("a layer less", |f| f.tensors.truncate(2), "missing tensors: blk.0.attn_norm.weight"),
    ("NaN behind others", |f| blocks(f, 8, 34, &[(34 * 63, 0xff), (34 * 63 + 1, 0x7f)]), "holds NaN at index 2016"),
];

fn fewer_rows(file: &Gguf) -> Tensor {
    let mut rows = file.tensors[0].clone();
    rows.dimensions[1] -= 1;
    rows
}

#[test]
fn loading() {
    let gpu = percept::Gpu::open(&Default::default()).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.gguf");
    let load = |file: &Gguf| {
        std::fs::write(&path, file.bytes()).unwrap();
        percept::Model::load(&gpu, &path, &Default::default()).map(drop)
    };
    load(&tiny()).unwrap();
    for (name, change, words) in LOADED {
        let mut file = tiny();
        change(&mut file);
        let said = load(&file).expect_err(name).to_string();
        assert!(said.contains(words) && !said.contains('\n'), "{name}: {said:?} does not contain {words:?}");
    }
}
