//! Tokenizers and chat templates from GGUF files against what Transformers makes of the same files.

use percept::text::{Template, Tokenizer};
use percept::weights::GgufFile;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers").join(name)
}

fn recorded(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

fn open(path: &Path) -> Tokenizer {
    Tokenizer::from_gguf(&GgufFile::open(path).unwrap()).unwrap()
}

fn open_fixture(name: &str) -> (Tokenizer, GgufFile) {
    let file = GgufFile::open(&fixture(&format!("{name}.gguf"))).unwrap();
    (Tokenizer::from_gguf(&file).unwrap(), file)
}

fn fnv(bytes: impl Iterator<Item = u8>) -> String {
    format!("{:08x}", bytes.fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)))
}

fn strings() -> Vec<String> {
    let strings: Vec<String> = serde_json::from_value(recorded("strings.json")).unwrap();
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
    same_ids(&tokenizer, &recorded(&format!("{name}.json")), name);
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

/// Many pieces of one score compete: the longer left part wins, then the longer right part, then the first place.
#[test]
fn ties() {
    let tokenizer = open_fixture("ties").0;
    let recorded: Vec<(String, Vec<u32>)> = serde_json::from_value(recorded("ties.json")).unwrap();
    assert_eq!(recorded.len(), 200);
    for (string, ids) in recorded {
        assert_eq!(tokenizer.encode_raw(&string).unwrap(), ids, "{string}");
    }
}

/// By hand, for files too large to be kept here: `make.py FILE.gguf`, then with the two paths in the environment
/// `PERCEPT_GGUF=FILE.gguf PERCEPT_EXPECTED=FILE.json cargo test --test text_gguf -- --ignored --nocapture`.
#[test]
#[ignore = "wants a file from the environment"]
fn hostile_strings_of_another_file() {
    let path = PathBuf::from(std::env::var_os("PERCEPT_GGUF").unwrap());
    let expected = std::fs::read(std::env::var_os("PERCEPT_EXPECTED").unwrap()).unwrap();
    let start = std::time::Instant::now();
    let tokenizer = open(&path);
    println!("opened in {:?}", start.elapsed());
    same_ids(&tokenizer, &serde_json::from_slice(&expected).unwrap(), "the file");
}

/// What decoding gives: a space in front is to Llama 2 the one that it puts there itself.
fn read_back<'t>(name: &str, text: &'t str) -> &'t str {
    if name == "llama2" { text.strip_prefix(' ').unwrap_or(text) } else { text }
}

/// Text that somebody typed never gives a special token, and comes back as it was.
#[test]
fn typed_text_stays_text() {
    for name in ["gemma3", "gemma4", "llama2", "qwen2", "llama-bpe"] {
        let tokenizer = open_fixture(name).0;
        let special = tokenizer.all_special_tokens().concat();
        assert!(special.len() > 10, "{name}");
        let strings: Vec<String> = strings().into_iter().chain([special]).collect();
        for string in strings {
            let ids = tokenizer.encode_plain(&string).unwrap();
            assert!(!ids.iter().any(|id| tokenizer.is_special(*id)), "{name} {string:?}");
            // The sign for spaces reads as a space.
            if !string.contains('▁') {
                assert_eq!(tokenizer.decode(&ids, false).unwrap(), read_back(name, &string), "{name}");
            }
        }
    }
}

/// `encode` leaves to templates what `encode_raw` puts in front.
#[test]
fn bos_where_the_file_says_so() {
    for (name, bos, adds) in [
        ("gemma3", Some("<bos>"), true),
        ("gemma4", Some("<bos>"), false),
        ("llama2", Some("<s>"), true),
        ("qwen2", Some("<|endoftext|>"), false),
        ("llama-bpe", Some("<|endoftext|>"), true),
    ] {
        let tokenizer = open_fixture(name).0;
        assert_eq!(tokenizer.bos().and_then(|id| tokenizer.token(id)).as_deref(), bos, "{name}");
        assert_eq!(tokenizer.adds_bos(), adds, "{name}");
        let plain = tokenizer.encode("Hello <bos>").unwrap();
        let mut raw = tokenizer.encode_raw("Hello <bos>").unwrap();
        if adds {
            assert_eq!(Some(raw.remove(0)), tokenizer.bos(), "{name}");
        }
        assert_eq!(raw, plain, "{name}");
    }
}

#[test]
fn eos_where_the_file_says_so() {
    let tokenizer = Gguf::llama().flag("add_eos_token", true).open().unwrap();
    assert_eq!(tokenizer.encode_raw("ab").unwrap(), [1, 6, 5, 2]);
    assert_eq!(tokenizer.encode("ab").unwrap(), [6, 5]);
}

#[test]
fn no_space_in_front_where_the_file_says_so() {
    let tokenizer = Gguf::llama().flag("add_space_prefix", false).open().unwrap();
    assert_eq!(tokenizer.encode_raw("ab").unwrap(), [1, 5]);
    assert_eq!(tokenizer.decode(&[5, 6, 5], true).unwrap(), "ab ab");
}

/// Merges win over scores where a file in the manner of SentencePiece has both.
#[test]
fn merges_win_over_scores() {
    let tokens = ["<unk>", "<s>", "</s>", "a", "b", "ab", "▁", "▁a"];
    let file = || Gguf::llama().texts("tokens", &tokens).i32s("token_type", &[2, 3, 3, 1, 1, 1, 1, 1]);
    let scored = |scores: &[f32]| file().f32s("scores", scores).open().unwrap().encode("ab").unwrap();
    assert_eq!(scored(&[0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, -2.0]), [6, 5]);
    assert_eq!(scored(&[0.0, 0.0, 0.0, 0.0, 0.0, -2.0, 0.0, -1.0]), [7, 4]);
    let merged = file().f32s("scores", &[0.0; 8]).texts("merges", &["▁ a", "a b"]).open().unwrap();
    assert_eq!(merged.encode("ab").unwrap(), [7, 4]);
}

/// A special token whose parts are tokens is still only letters where somebody typed it.
#[test]
fn special_tokens_never_merge() {
    let tokens = ["<unk>", "<s>", "</s>", "<", "s", ">", "<s"];
    let tokenizer = Gguf::llama().texts("tokens", &tokens).flag("add_space_prefix", false).open().unwrap();
    assert_eq!(tokenizer.encode("<s>").unwrap(), [1]);
    assert_eq!(tokenizer.encode_plain("<s>").unwrap(), [6, 5]);
}

/// English contractions are cut off in capitals too.
#[test]
fn contractions_in_capitals() {
    let ids = |pre: &str| {
        let file = Gguf::byte_level().text("pre", pre).texts("merges", &["L b"]);
        file.texts("tokens", &["'", "L", "b", "Lb", "<|end|>"]).open().unwrap().encode("'LLb").unwrap()
    };
    assert_eq!(ids("qwen2"), [0, 1, 1, 2]);
    assert_eq!(ids("qwen35"), [0, 1, 1, 2]);
    assert_eq!(ids("llama-bpe"), [0, 1, 1, 2]);
    assert_eq!(ids("gpt-2"), [0, 1, 3]);
}

/// Characters that no token has become bytes, or the unknown token once for a run of them.
#[test]
fn unknown_characters() {
    let tokenizer = Gguf::llama().open().unwrap();
    assert_eq!(tokenizer.encode("aéé b").unwrap(), [6, 3, 0, 6, 4]);
}

/// A long run is no reason to take long.
#[test]
fn long_texts() {
    for name in ["gemma3", "llama2", "gemma4", "qwen2"] {
        let tokenizer = open_fixture(name).0;
        for part in ["a", " ", "the ", "é\u{301}", "\n", "<bos>"] {
            let text = part.repeat(40_000);
            let ids = tokenizer.encode(&text).unwrap();
            assert!(tokenizer.decode(&ids, false).unwrap() == read_back(name, &text), "{name} {part:?}");
        }
    }
}

#[test]
fn templates() {
    for name in ["gemma3", "qwen2"] {
        let (tokenizer, file) = open_fixture(name);
        let template = Template::from_gguf(&file, &tokenizer).unwrap().unwrap();
        let conversation = json!([
            {"role": "user", "content": "Guten Tag "},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "How are you?"},
        ]);
        let prompt = template.render_json(conversation.as_array().unwrap(), true, &Map::new()).unwrap();
        assert_eq!(prompt, recorded(&format!("{name}.json"))["prompt"].as_str().unwrap(), "{name}");
    }
    let (tokenizer, file) = open_fixture("llama2");
    assert!(Template::from_gguf(&file, &tokenizer).unwrap().is_none());
}

#[test]
fn special_tokens_by_role() {
    let tokens = open_fixture("gemma3").0.special_tokens().clone();
    let expected = [("bos_token", "<bos>"), ("eos_token", "<eos>"), ("pad_token", "<pad>"), ("unk_token", "<unk>")];
    assert_eq!(tokens, BTreeMap::from(expected.map(|(role, token)| (role.into(), token.into()))));
}

/// A small file of metadata alone.
struct Gguf(BTreeMap<String, Vec<u8>>);

impl Gguf {
    /// A vocabulary by scores.
    fn llama() -> Gguf {
        Gguf(BTreeMap::new())
            .put("general.architecture", string_value("llama"))
            .text("model", "llama")
            .texts("tokens", &["<unk>", "<s>", "</s>", "a", "b", "ab", "▁"])
            .f32s("scores", &[0.0, 0.0, 0.0, -2.0, -3.0, -1.0, -4.0])
            .i32s("token_type", &[2, 3, 3, 1, 1, 1, 1])
            .number("bos_token_id", 1)
            .number("eos_token_id", 2)
            .number("unknown_token_id", 0)
    }

    /// A vocabulary by merges of bytes.
    fn byte_level() -> Gguf {
        Gguf(BTreeMap::new())
            .put("general.architecture", string_value("qwen2"))
            .text("model", "gpt2")
            .text("pre", "qwen2")
            .texts("tokens", &["a", "b", "ab", "Ġ", "<|end|>"])
            .i32s("token_type", &[1, 1, 1, 1, 3])
            .texts("merges", &["a b"])
            .number("eos_token_id", 4)
    }

    fn put(mut self, key: &str, value: Vec<u8>) -> Gguf {
        self.0.insert(key.into(), value);
        self
    }
    fn without(mut self, key: &str) -> Gguf {
        self.0.remove(&format!("tokenizer.ggml.{key}")).unwrap();
        self
    }
    fn text(self, key: &str, text: &str) -> Gguf {
        self.put(&format!("tokenizer.ggml.{key}"), string_value(text))
    }
    fn number(self, key: &str, number: u32) -> Gguf {
        self.put(&format!("tokenizer.ggml.{key}"), [4, number].map(u32::to_le_bytes).concat())
    }
    fn flag(self, key: &str, flag: bool) -> Gguf {
        self.put(&format!("tokenizer.ggml.{key}"), vec![7, 0, 0, 0, flag.into()])
    }
    fn texts(self, key: &str, texts: &[&str]) -> Gguf {
        let items: Vec<u8> = texts.iter().flat_map(|text| string_value(text).split_off(4)).collect();
        self.put(&format!("tokenizer.ggml.{key}"), array_value(8, texts.len(), &items))
    }
    fn f32s(self, key: &str, values: &[f32]) -> Gguf {
        let items: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.put(&format!("tokenizer.ggml.{key}"), array_value(6, values.len(), &items))
    }
    fn i32s(self, key: &str, values: &[i32]) -> Gguf {
        let items: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.put(&format!("tokenizer.ggml.{key}"), array_value(5, values.len(), &items))
    }

    fn file(&self) -> (TempDir, GgufFile) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("model.gguf");
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend([0, self.0.len() as u64].map(u64::to_le_bytes).concat());
        for (key, value) in &self.0 {
            bytes.extend(string_value(key).split_off(4));
            bytes.extend(value);
        }
        std::fs::write(&path, bytes).unwrap();
        (folder, GgufFile::open(&path).unwrap())
    }
    fn open(&self) -> percept::Result<Tokenizer> {
        Tokenizer::from_gguf(&self.file().1)
    }
    /// The message, without the folder.
    fn sentence(&self) -> String {
        let (folder, file) = self.file();
        let error = match Tokenizer::from_gguf(&file) {
            Err(error) => error,
            Ok(tokenizer) => Template::from_gguf(&file, &tokenizer).unwrap_err(),
        };
        error.to_string().replace(&folder.path().join("model.gguf").display().to_string(), "model.gguf")
    }
}

/// The type of a string, its length and its bytes.
fn string_value(text: &str) -> Vec<u8> {
    let mut bytes = 8u32.to_le_bytes().to_vec();
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

fn array_value(kind: u32, len: usize, items: &[u8]) -> Vec<u8> {
    let mut bytes = [9, kind].map(u32::to_le_bytes).concat();
    bytes.extend((len as u64).to_le_bytes());
    bytes.extend(items);
    bytes
}

#[test]
fn broken_files_are_named() {
    let llama = Gguf::llama;
    let bytes = Gguf::byte_level;
    assert!(llama().open().is_ok() && bytes().open().is_ok());
    let cases: &[(Gguf, &str)] = &[
        (llama().without("model"), "tokenizer.ggml.model is missing"),
        (llama().number("model", 1), "tokenizer.ggml.model is a whole number, expected a string"),
        (
            llama().text("model", "bert"),
            "tokenizer.ggml.model is \"bert\", which is not supported; supported: llama, gemma4, gpt2",
        ),
        (llama().without("tokens"), "tokenizer.ggml.tokens is missing"),
        (llama().texts("tokens", &[]), "tokenizer.ggml.tokens is empty"),
        (llama().i32s("tokens", &[1]), "tokenizer.ggml.tokens is an array of whole numbers, expected one of strings"),
        (llama().f32s("scores", &[0.0; 6]), "tokenizer.ggml.scores has 6 values, but tokenizer.ggml.tokens has 7"),
        (
            llama().f32s("scores", &[0.0, 0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0]),
            "tokenizer.ggml.scores is not a number at index 2",
        ),
        (llama().without("scores"), "tokenizer.ggml.scores is missing, and so is tokenizer.ggml.merges"),
        (
            llama().i32s("token_type", &[1; 8]),
            "tokenizer.ggml.token_type has 8 values, but tokenizer.ggml.tokens has 7",
        ),
        (llama().number("bos_token_id", 7), "tokenizer.ggml.bos_token_id is 7, but tokenizer.ggml.tokens has only 7"),
        (
            llama().number("padding_token_id", u32::MAX),
            "tokenizer.ggml.padding_token_id is 4294967295, but tokenizer.ggml.tokens has only 7",
        ),
        (
            llama().without("bos_token_id").flag("add_bos_token", true),
            "tokenizer.ggml.add_bos_token is true, but tokenizer.ggml.bos_token_id is missing",
        ),
        (bytes().without("merges"), "tokenizer.ggml.merges is missing"),
        (
            bytes().texts("merges", &["a b", "ab"]),
            "tokenizer.ggml.merges holds \"ab\" at index 1, expected two tokens with a space between",
        ),
        (
            bytes().texts("merges", &["a b", "a c"]),
            "tokenizer.ggml.merges holds \"a c\" at index 1, but \"c\" is none of the tokens",
        ),
        (
            bytes().texts("merges", &["b a"]),
            "tokenizer.ggml.merges holds \"b a\" at index 0, but \"ba\" is none of the tokens",
        ),
        (
            bytes().texts("merges", &["<|end|> <|end|>"]),
            "tokenizer.ggml.merges holds \"<|end|> <|end|>\" at index 0, but \"<|end|><|end|>\" is none of the tokens",
        ),
        (
            bytes().text("pre", "kimi-k2"),
            "tokenizer.ggml.pre is \"kimi-k2\", which is not supported; supported: default, deepseek-r1-qwen, gpt-2, \
             gpt-4o, llama-bpe, llama-v3, llama3, llama4, qwen2, qwen35, smaug-bpe, tekken",
        ),
        (
            llama().put("tokenizer.chat_template", string_value("{% for %}")),
            "tokenizer.chat_template cannot be used: the template fails in line 1: syntax error: unexpected end of block, expected in",
        ),
    ];
    for (file, expected) in cases {
        assert_eq!(file.sentence(), format!("model.gguf: {expected}"));
    }
}

/// Pieces of one character each, so that nothing merges, against the library's model without merges.
#[test]
fn characters_as_the_library_has_them() {
    use tokenizers::models::bpe::{BPE, Merges, Vocab};
    let letters = ["a", "b", "é", "漢", "🦊", "\u{301}", "▁", "<", "0", "x"];
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 16) as usize % below
    };
    for round in 0..300 {
        let mut tokens: Vec<String> = letters.iter().filter(|_| random(2) == 0).map(|c| c.to_string()).collect();
        let bytes = random(4);
        // All bytes, most of them, or none, and sometimes spelled in small letters, which do not count.
        tokens
            .extend((0..=255u8).filter(|_| bytes == 1 || bytes == 2 && random(8) > 0).map(|b| format!("<0x{b:02X}>")));
        tokens.extend((128..=255u8).filter(|_| bytes == 3).map(|b| format!("<0x{b:02x}>")));
        tokens.push("<unk>".into());
        // Of a spelling that comes twice the later one counts.
        tokens.push(tokens[random(tokens.len())].clone());
        let unk = (random(3) > 0).then(|| tokens.iter().position(|token| token == "<unk>").unwrap());

        let texts: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let mut file = Gguf(BTreeMap::new())
            .put("general.architecture", string_value("llama"))
            .text("model", "llama")
            .texts("tokens", &texts)
            .f32s("scores", &vec![0.0; texts.len()])
            .flag("add_bos_token", false)
            .flag("add_space_prefix", false);
        let vocab: Vocab = tokens.iter().cloned().zip(0..).collect();
        let mut library = BPE::builder().vocab_and_merges(vocab, Merges::new()).fuse_unk(true).byte_fallback(true);
        if let Some(unk) = unk {
            file = file.number("unknown_token_id", unk as u32);
            library = library.unk_token("<unk>".into());
        }
        let (ours, library) = (file.open().unwrap(), library.build().unwrap());
        assert_eq!(ours.vocab_size(), tokenizers::Model::get_vocab_size(&library));
        for id in 0..texts.len() as u32 + 2 {
            assert_eq!(ours.token(id), tokenizers::Model::id_to_token(&library, id), "round {round}, id {id}");
        }
        for _ in 0..20 {
            let text: String =
                (0..random(12)).map(|_| [&letters[..], &["ß", "€", "\0"]].concat()[random(13)]).collect();
            let expected = tokenizers::Model::tokenize(&library, &text).unwrap();
            let expected: Vec<u32> = expected.iter().map(|token| token.id).collect();
            assert_eq!(ours.encode(&text).unwrap(), expected, "round {round}: {text:?} by {unk:?} of {tokens:?}");
        }
    }
}

#[test]
fn greatest_id_that_is_not_special() {
    assert_eq!(Gguf::llama().open().unwrap().greatest_plain_id(), 6);
    assert_eq!(Gguf::llama().i32s("token_type", &[2, 3, 3, 1, 1, 1, 3]).open().unwrap().greatest_plain_id(), 5);
    assert_eq!(Gguf::byte_level().open().unwrap().greatest_plain_id(), 3);
    // The later of two that are spelled the same counts.
    let twice = Gguf::byte_level().texts("tokens", &["a", "b", "ab", "a", "<|end|>"]);
    assert_eq!(twice.open().unwrap().greatest_plain_id(), 3);
}
