//! Text in and out: tokenizers, streamed decoding and chat templates, against the recorded fixtures and Python's results.

use percept::text::{Content, Message, PartText, Template, Tokenizer};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

const GEMMA: &str = "gemma4_unified-tiny-s0";
const QWEN: &str = "qwen3_5-tiny-s0";

/// The message without the name of the temporary folder.
fn sentence(folder: &Path, error: percept::Error) -> String {
    error.to_string().replace(&format!("{}/", folder.display()), "").replace(&folder.display().to_string(), "DIR")
}

fn messages(json: &Value) -> Vec<Message> {
    let part = |part: &Value| PartText {
        kind: part["type"].as_str().unwrap().into(),
        text: part["text"].as_str().unwrap_or_default().into(),
    };
    let content = |content: &Value| match content {
        Value::String(text) => Content::Text(text.clone()),
        parts => Content::Parts(parts.as_array().unwrap().iter().map(part).collect()),
    };
    let message = |m: &Value| Message { role: m["role"].as_str().unwrap().into(), content: content(&m["content"]) };
    json.as_array().unwrap().iter().map(message).collect()
}

/// Every recorded conversation gives its recorded prompt, and the prompt its ids; where a processor put many ids in the
/// place of one placeholder, the ids around it.
#[test]
fn recorded_prompts_and_ids() {
    let mut cases = 0;
    for name in [GEMMA, QWEN] {
        let folder = fixture(name);
        let tokenizer = Tokenizer::open(&folder).unwrap();
        let template = Template::open(&folder).unwrap().unwrap();
        let placeholders: Vec<u32> = ["image_token", "audio_token", "video_token"]
            .iter()
            .filter_map(|role| tokenizer.special_token(role).and_then(|token| tokenizer.token_id(token)))
            .chain(tokenizer.token_id("<|video|>"))
            .collect();
        for case in std::fs::read_dir(folder.join("cases")).unwrap() {
            let path = case.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let ids: Vec<u32> = serde_json::from_value(case["input_ids"].clone()).unwrap();
            let new: Vec<u32> = serde_json::from_value(case["new_tokens"].clone()).unwrap();
            let conversation = messages(&case["messages"]);
            let prompt = template.render(&conversation, true, &Map::new()).unwrap();
            assert_eq!(prompt, case["prompt"].as_str().unwrap(), "{}", path.display());
            assert_eq!(template.render_json(case["messages"].as_array().unwrap(), true, &Map::new()).unwrap(), prompt);
            let encoded = tokenizer.encode(&prompt).unwrap();
            let pieces: Vec<&[u32]> = encoded.split(|id| placeholders.contains(id)).collect();
            if pieces.len() == 1 {
                assert_eq!(encoded, ids, "{}", path.display());
            }
            // The pieces between placeholders follow each other in the expanded ids, and begin and end them.
            let mut rest = &ids[..];
            for (number, piece) in pieces.iter().enumerate() {
                let at = match number {
                    0 => 0,
                    _ if number == pieces.len() - 1 => rest.len() - piece.len(),
                    _ => rest.windows(piece.len().max(1)).position(|window| window.starts_with(piece)).unwrap(),
                };
                assert_eq!(&rest[at..at + piece.len()], *piece, "{}", path.display());
                rest = &rest[at + piece.len()..];
            }
            assert_eq!(tokenizer.decode(&new, false).unwrap(), case["text"].as_str().unwrap(), "{}", path.display());
            if let Some(len) = case["prefix_len"].as_u64() {
                let before = &conversation[..conversation.len() - 1];
                let before = template.render(before, false, &Map::new()).unwrap();
                assert_eq!(tokenizer.encode(&before).unwrap(), ids[..len as usize]);
            }
            cases += 1;
        }
    }
    assert_eq!(cases, 12);
}

#[test]
fn tokens_and_their_names() {
    let gemma = Tokenizer::open(&fixture(GEMMA)).unwrap();
    assert_eq!((gemma.token_id("<bos>"), gemma.token_id("<|turn>"), gemma.token_id("none")), (Some(2), Some(5), None));
    assert_eq!((gemma.token(6).as_deref(), gemma.token(9999)), (Some("<turn|>"), None));
    assert_eq!((gemma.vocab_size(), gemma.is_special(6), gemma.is_special(300)), (608, true, false));
    assert_eq!((gemma.special_token("bos_token"), gemma.special_token("eoi_token")), (Some("<bos>"), Some("<image|>")));
    let qwen = Tokenizer::open(&fixture(QWEN)).unwrap();
    assert_eq!((qwen.special_token("bos_token"), qwen.special_token("eos_token")), (None, Some("<|endoftext|>")));
    assert!(gemma.encode("").unwrap().is_empty());
    assert_eq!(gemma.decode(&[2, 5, 9999], false).unwrap(), "<bos><|turn>");
    assert_eq!(gemma.decode(&[2, 5, 9999], true).unwrap(), "");
}

#[test]
fn nobody_can_write_special_tokens() {
    for (name, specials) in
        [(GEMMA, &["<turn|>", "<|turn>", "<bos>", "<|image|>"][..]), (QWEN, &["<|im_end|>", "<think>"])]
    {
        let tokenizer = Tokenizer::open(&fixture(name)).unwrap();
        for special in specials {
            let text = format!("Hi {special}\n{special}{special} there");
            let parsed = tokenizer.encode(&text).unwrap();
            assert_eq!(parsed.iter().filter(|id| tokenizer.is_special(**id)).count(), 3);
            let plain = tokenizer.encode_plain(&text).unwrap();
            assert!(plain.iter().all(|id| !tokenizer.is_special(*id)));
            assert_eq!(tokenizer.decode(&plain, true).unwrap(), text);
        }
        // Elsewhere the two agree.
        for text in ["", " ", "Hello, world!\n\n  x", "naïve 🦀 日本 \u{301}e\u{0}"] {
            assert_eq!(tokenizer.encode_plain(text).unwrap(), tokenizer.encode(text).unwrap());
        }
    }
}

/// A tokenizer of whole words, with any decoder.
fn words(words: &[&str], decoder: Value) -> Value {
    let vocab: Map<String, Value> = words.iter().enumerate().map(|(id, word)| (word.to_string(), id.into())).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "added_tokens": [{"id": 0, "content": words[0], "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
        "decoder": decoder,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": words[0]},
    })
}

fn open_json(tokenizer: &Value) -> (TempDir, percept::Result<Tokenizer>) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let opened = Tokenizer::open(folder.path());
    (folder, opened)
}

const WORDS: [&str; 14] =
    ["<s>", "▁", "▁a", "b", "▁▁c▁", "<0xE2>", "<0x82>", "<0xAC>", "<0x41>", "<0xFF>", " ", "é", "  x", "<0x0A>"];

/// Our streamed decoding and the crate's own, for tokenizers with each decoder that we take.
static PAIRS: LazyLock<Vec<(Tokenizer, tokenizers::Tokenizer)>> = LazyLock::new(|| {
    let mut pairs = Vec::new();
    for name in [GEMMA, QWEN] {
        let whole = tokenizers::Tokenizer::from_file(fixture(name).join("tokenizer.json")).unwrap();
        pairs.push((Tokenizer::open(&fixture(name)).unwrap(), whole));
    }
    let replace = json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "});
    let strip = |start: u32, stop: u32| json!({"type": "Strip", "content": " ", "start": start, "stop": stop});
    let fallback = json!({"type": "ByteFallback"});
    let metaspace =
        |scheme: &str| json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true});
    for decoder in [
        Value::Null,
        json!({"type": "Sequence", "decoders": [replace, fallback, {"type": "Fuse"}, strip(1, 0)]}),
        json!({"type": "Sequence", "decoders": [fallback, {"type": "Fuse"}, replace, strip(2, 0)]}),
        json!({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"Regex": "[▁b]"}, "content": "__"}, strip(1, 0)]}),
        metaspace("always"),
        metaspace("never"),
        json!({"type": "Sequence", "decoders": [fallback, metaspace("first")]}),
        fallback.clone(),
    ] {
        let tokenizer = words(&WORDS, decoder);
        let whole = tokenizers::Tokenizer::from_bytes(tokenizer.to_string()).unwrap();
        pairs.push((open_json(&tokenizer).1.unwrap(), whole));
    }
    pairs
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streamed_text_is_the_decoded_text(
        pair in 0..10usize,
        ids in proptest::collection::vec(prop_oneof![0..20u32, 0..620u32], 0..40),
        skip in any::<bool>(),
    ) {
        let (ours, whole) = &PAIRS[pair];
        let expected = whole.decode(&ids, skip).unwrap();
        let mut stream = ours.stream(skip);
        // Twice, since a finished stream begins anew.
        for _ in 0..2 {
            let mut text = String::new();
            for id in &ids {
                text.push_str(&stream.push(*id).unwrap());
                prop_assert!(expected.starts_with(&text), "{expected:?} does not begin with {text:?}");
            }
            text.push_str(&stream.finish());
            prop_assert_eq!(&text, &expected);
        }
        prop_assert_eq!(ours.decode(&ids, skip).unwrap(), expected);
    }

    /// Whatever is typed comes back.
    #[test]
    fn plain_text_comes_back(pair in 0..2usize, text in "(\\PC|<\\|?|\\|>|turn|im_end|[ \n\t]){0,30}") {
        let (ours, _) = &PAIRS[pair];
        let ids = ours.encode_plain(&text).unwrap();
        // Byte-level vocabularies see the text composed.
        if pair == 0 {
            prop_assert_eq!(ours.decode(&ids, true).unwrap(), text);
        }
        prop_assert!(ids.iter().all(|id| !ours.is_special(*id)));
    }
}

#[test]
fn characters_come_whole_and_as_soon_as_certain() {
    let (_keep, tokenizer) = open_json(&words(&WORDS, json!({"type": "ByteFallback"})));
    let tokenizer = tokenizer.unwrap();
    let deltas = |ids: &[u32]| {
        let mut stream = tokenizer.stream(false);
        let mut deltas: Vec<String> = ids.iter().map(|id| stream.push(*id).unwrap()).collect();
        deltas.push(stream.finish());
        deltas
    };
    assert_eq!(deltas(&[5, 6, 7, 3]), ["", "", "", "€b", ""]);
    assert_eq!(deltas(&[5, 6, 7]), ["", "", "", "€"]);
    assert_eq!(deltas(&[5, 6, 3, 9]), ["", "", "\u{fffd}\u{fffd}b", "", "\u{fffd}"]);

    let qwen = Tokenizer::open(&fixture(QWEN)).unwrap();
    let mut stream = qwen.stream(false);
    let crab = qwen.encode("🦀").unwrap();
    assert_eq!(crab.len(), 3, "the test wants a character of several tokens");
    let deltas: Vec<String> = crab.iter().map(|id| stream.push(*id).unwrap()).collect();
    assert_eq!(deltas, ["", "", "🦀"]);
    // A begin of a character that does not go on is given up when the next token comes.
    let broken: Vec<String> =
        crab[..2].iter().chain(&qwen.encode("a").unwrap()).map(|id| stream.push(*id).unwrap()).collect();
    assert_eq!(broken, ["", "", "\u{fffd}a"]);
    assert_eq!(stream.push(crab[0]).unwrap() + &stream.finish(), "\u{fffd}");
}

/// Time for a token does not grow with the answer.
#[test]
fn a_long_answer_streams_as_fast_as_a_short_one() {
    let gemma = Tokenizer::open(&fixture(GEMMA)).unwrap();
    let mut stream = gemma.stream(true);
    let mut run = |count: u32| {
        let start = std::time::Instant::now();
        for id in 0..count {
            stream.push(260 + id % 300).unwrap();
        }
        start.elapsed().as_secs_f64() / f64::from(count)
    };
    let short = run(2_000);
    run(100_000);
    let long = run(2_000);
    assert!(long < 20.0 * short + 1e-5, "{long} s a token after 100,000, {short} s at first");
}

#[test]
fn truncation_and_padding_of_the_file_are_switched_off() {
    let mut json = words(&["<s>", "ab"], Value::Null);
    json["pre_tokenizer"] =
        json!({"type": "Split", "pattern": {"String": "-"}, "behavior": "Removed", "invert": false});
    json["truncation"] = json!({"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0});
    json["padding"] = json!({"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "<s>"});
    let tokenizer = open_json(&json).1.unwrap();
    assert_eq!(tokenizer.encode("ab-ab-ab-ab").unwrap(), [1, 1, 1, 1]);
}

#[test]
fn broken_tokenizers() {
    let good = words(&["<s>", "a"], Value::Null);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut json = good.clone();
        change(&mut json);
        json.to_string()
    };
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let table: Vec<(String, &str)> = vec![
        ("".into(), "no JSON: the file is empty"),
        ("{".into(), "no valid JSON: EOF while parsing an object at line 1 column 1"),
        ("[]".into(), "the top level is an array of 0, expected an object"),
        (deep, "no valid JSON: recursion limit exceeded at line 1 column 128"),
        (r#"{"a":1,"a":1}"#.into(), "no valid JSON: the key \"a\" occurs twice at line 1 column 10"),
        ("{}".into(), "it has no \"model\" object, so it is no tokenizer.json of the tokenizers library"),
        (
            with(&|json| json["model"] = Value::Null),
            "it has no \"model\" object, so it is no tokenizer.json of the tokenizers library",
        ),
        (with(&|json| json["model"] = json!({"type": "Telepathy"})), "it cannot be used"),
        (
            with(&|json| json["version"] = json!("9.9")),
            "it cannot be used: Unknown tokenizer version '9.9' at line 1 column 16",
        ),
        (with(&|json| json["model"]["vocab"] = json!(3)), "it cannot be used"),
        (with(&|json| json["model"]["vocab"]["a"] = json!(-1)), "it cannot be used"),
        (
            with(&|json| {
                json["pre_tokenizer"] =
                    json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Removed", "invert": false})
            }),
            "it cannot be used",
        ),
        (with(&|json| json["normalizer"] = json!({"type": "Nonsense"})), "it cannot be used"),
        (
            with(&|json| json["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"})),
            "it cannot be used",
        ),
        (
            with(&|json| json["model"] = json!({"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]})),
            "it cannot be used",
        ),
        (
            with(&|json| json["model"] = json!({"type": "Unigram", "vocab": [["a", 0.0]], "unk_id": 7})),
            "it cannot be used",
        ),
        (
            with(&|json| {
                json["decoder"] = json!({"type": "CTC", "pad_token": "a", "word_delimiter_token": "|", "cleanup": true})
            }),
            "its decoder CTC is not supported; supported: ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip",
        ),
        (
            with(&|json| {
                json["decoder"] = json!({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]})
            }),
            "its decoder has ByteFallback behind Fuse or ByteLevel, which is not supported",
        ),
        (with(&|json| json["decoder"] = json!({"type": "Nothing"})), "it cannot be used"),
    ];
    let mut wrong = String::new();
    for (text, expected) in table {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), &text).unwrap();
        let found = Tokenizer::open(folder.path()).map_or_else(|e| sentence(folder.path(), e), |_| "opens".into());
        let expected = format!("tokenizer.json: {expected}");
        let begins = expected.ends_with("cannot be used") && found.starts_with(&format!("{expected}: "));
        if !(found == expected || begins) || found.contains('\n') {
            wrong += &format!("\n{} gives\n{found}", &text[..text.len().min(600)]);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let empty = TempDir::new().unwrap();
    assert_eq!(
        sentence(empty.path(), Tokenizer::open(empty.path()).unwrap_err()),
        "DIR has no tokenizer.json; a checkpoint folder holds config.json, tokenizer.json and model.safetensors (or its index)"
    );
    // Beside a good tokenizer.
    for (config, expected) in [
        ("{", "tokenizer_config.json: no valid JSON: EOF while parsing an object at line 1 column 1"),
        (r#"{"bos_token": 3}"#, "tokenizer_config.json: bos_token is neither a string nor an object with \"content\""),
        (
            r#"{"bos_token": {"text": "x"}}"#,
            "tokenizer_config.json: bos_token is an object without a string \"content\"",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), good.to_string()).unwrap();
        std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
        assert_eq!(sentence(folder.path(), Tokenizer::open(folder.path()).unwrap_err()), expected);
    }
    // A vocabulary that holds a special token as a word.
    let tokenizer = open_json(&good).1.unwrap();
    let refused = tokenizer.encode_plain("<s>").unwrap_err().to_string();
    assert!(
        refused.ends_with("the text holds <s>, which this tokenizer can only read as a special token; take it out"),
        "{refused}"
    );
}

#[test]
fn special_tokens_from_both_files() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), words(&["<s>", "a"], Value::Null).to_string()).unwrap();
    let config = r#"{"bos_token": {"content": "<b>", "lstrip": false}, "eos_token": null, "add_bos_token": true, "unk_token": "<u>"}"#;
    std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
    std::fs::write(
        folder.path().join("special_tokens_map.json"),
        r#"{"bos_token": "no", "eos_token": {"content": "<e>"}}"#,
    )
    .unwrap();
    let tokenizer = Tokenizer::open(folder.path()).unwrap();
    let found: Vec<_> =
        tokenizer.special_tokens().iter().map(|(role, token)| (role.as_str(), token.as_str())).collect();
    assert_eq!(found, [("bos_token", "<b>"), ("eos_token", "<e>"), ("unk_token", "<u>")]);
}

fn template(source: &str) -> percept::Result<Template> {
    let special = [("bos_token", "<bos>"), ("eos_token", "<eos>")];
    let special = special.into_iter().map(|(role, token)| (role.to_string(), token.to_string())).collect();
    Template::new(Path::new("chat_template.jinja"), source, special)
}

/// The conversation of the tables below.
fn conversation() -> Vec<Message> {
    let text = |role: &str, text: &str| Message { role: role.into(), content: Content::Text(text.into()) };
    let part = |kind: &str, text: &str| PartText { kind: kind.into(), text: text.into() };
    let parts = vec![part("text", " Look: "), part("image", ""), part("audio", ""), part("text", "ok\n")];
    vec![
        text("system", "Be kind."),
        text("user", "Hi <b> & 'q' \"d\" ü🦀"),
        text("assistant", "<think>\nhm\n</think>\n\nYes?"),
        Message { role: "user".into(), content: Content::Parts(parts) },
    ]
}

/// What published templates use, with what Hugging Face's `apply_chat_template` makes of it.
#[test]
fn templates_render_as_in_python() {
    let table = [
        (
            r#"{{ bos_token }}{% for m in messages %}{{ m.role }}/{{ m['role'] }};{% endfor %}{% if add_generation_prompt %}model{% endif %}"#,
            r#"<bos>system/system;user/user;assistant/assistant;user/user;model"#,
        ),
        (
            r#"{% for m in messages %}{% if m.content is string %}{{ m.content | trim }}{% else %}{% for p in m.content %}{% if p.type == 'text' %}{{ p['text'] | trim }}{% elif p.type in ('image', 'audio') %}<|{{ p.type }}|>{% endif %}{% endfor %}{% endif %}|{% endfor %}"#,
            r#"Be kind.|Hi <b> & 'q' "d" ü🦀|<think>
hm
</think>

Yes?|Look:<|image|><|audio|>ok|"#,
        ),
        (
            r#"{%- macro render(content, count=false) -%}{%- if content is string -%}{{ content }}{%- elif content is iterable and content is not mapping -%}{%- for item in content -%}{%- if 'image' in item or item.type == 'image' -%}{%- if count -%}{%- set seen.n = seen.n + 1 -%}{%- endif -%}[{{ seen.n }}]{%- elif 'text' in item -%}{{ item.text }}{%- endif -%}{%- endfor -%}{%- endif -%}{%- endmacro -%}{%- set seen = namespace(n=0) -%}{%- for m in messages -%}{{ render(m.content, true) | trim }};{%- endfor -%}"#,
            r#"Be kind.;Hi <b> & 'q' "d" ü🦀;<think>
hm
</think>

Yes?;Look: [1]ok;"#,
        ),
        (
            r#"{% set ns = namespace(last=-1, open=true) %}{% for m in messages[::-1] %}{% set index = (messages|length - 1) - loop.index0 %}{% if ns.open and m.role == 'user' %}{% set ns.open = false %}{% set ns.last = index %}{% endif %}{% endfor %}{{ ns.last }}{{ ns.open }}"#,
            r#"3False"#,
        ),
        (
            r#"{% set c = messages[2].content %}{{ c.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') }}|{{ c.split('</think>')[-1].lstrip('\n') }}|{{ c.startswith('<think>') and c.endswith('?') }}"#,
            r#"hm|Yes?|True"#,
        ),
        (
            r#"{{ messages | tojson }}"#,
            r#"[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi <b> & 'q' \"d\" ü🦀"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes?"}, {"role": "user", "content": [{"type": "text", "text": " Look: "}, {"type": "image"}, {"type": "audio"}, {"type": "text", "text": "ok\n"}]}]"#,
        ),
        (
            r#"{{ messages[3] | tojson(indent=2) }}"#,
            r#"{
  "role": "user",
  "content": [
    {
      "type": "text",
      "text": " Look: "
    },
    {
      "type": "image"
    },
    {
      "type": "audio"
    },
    {
      "type": "text",
      "text": "ok\n"
    }
  ]
}"#,
        ),
        (
            r#"{{ messages[1] | tojson(ensure_ascii=True, separators=(',', ':'), sort_keys=True) }}"#,
            r#"{"content":"Hi <b> & 'q' \"d\" \u00fc\ud83e\udd80","role":"user"}"#,
        ),
        (
            r#"{{ [1.0, 1e-5, 1e16, 123456789.125, -0.0, 0.1, 1e100, [], {}, none, true, '\t\\'] | tojson }}{{ {'b': {}, 'a': [[]]} | tojson(indent=1) }}{{ {1: 2, true: 3} | tojson }}"#,
            r#"[1.0, 1e-05, 1e+16, 123456789.125, -0.0, 0.1, 1e+100, [], {}, null, true, "\t\\"]{
 "b": {},
 "a": [
  []
 ]
}{"1": 3}"#,
        ),
        (
            r#"{{ none }} {{ true }} {{ 1.0 }} {{ 1e20 }} {{ [1, 'a', none, true] }} {{ {'a': 'b'} }} {{ 'a' ~ 1 ~ none }} {{ 3 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 2 ** 3 }} {{ nothing }}"#,
            r#"None True 1.0 1e+20 [1, 'a', None, True] {'a': 'b'} a1None 1.5 3 -4 8 "#,
        ),
        (
            r#"  {% if true %}
    a
  {%- endif %}

	{% if true +%}
b
{% endif %}
{# note #}
d  {#- x -#}  e
{{ 'f' }}

  {{- 'g' -}}
  h
{% raw %}{{ no }}{% endraw %}
"#,
            r#"    a

b
de
fgh
{{ no }}"#,
        ),
        (
            r#"{% for m in messages %}{{ loop.index }}{{ loop.first }}{{ loop.last }}{% if loop.previtem is defined and loop.previtem.role != 'tool' %}p{% endif %}{% if not loop.last and loop.nextitem.role == 'user' %}n{% endif %}{% if loop.index0 == 2 %}{% break %}{% endif %};{% endfor %}{% for i in range(5) if i != 2 %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}"#,
            r#"1TrueFalsen;2FalseFalsep;3FalseFalsepn034"#,
        ),
        (
            r#"{% set s = '  Ab cd,ef  ' %}{{ s.strip() }}|{{ s.upper() }}|{{ s.title() }}|{{ s.split() }}|{{ s.split(',') }}|{{ 'a b c'.split(' ', 1) }}|{{ 'a b c'.rsplit(' ', 1) }}|{{ s.replace(' ', '') }}|{{ 'abc'.find('c') }}|{{ '-'.join(['a', 'b']) }}|{{ 'xay'.removeprefix('x').removesuffix('y') }}|{{ 'a=b=c'.partition('=') }}|{{ 'a=b=c'.rpartition('=') }}|{{ [1, 2].index(2) }}|{{ 'abc'.index('c') }}|{{ '-5'.zfill(4) }}|{{ 'a'.rjust(3) }}|{{ 'ab\ncd'.splitlines() }}|{{ 'x{}y'.format(1) }}"#,
            r#"Ab cd,ef|  AB CD,EF  |  Ab Cd,Ef  |['Ab', 'cd,ef']|['  Ab cd', 'ef  ']|['a', 'b c']|['a b', 'c']|Abcd,ef|2|a-b|a|('a', '=', 'b=c')|('a=b', '=', 'c')|1|2|-005|  a|['ab', 'cd']|x1y"#,
        ),
        (
            r#"{% set d = {'a': 1, 'b': none} %}{{ d.get('a') }}{{ d.get('c', 7) }}{% for k, v in d.items() %}{{ k }}={{ v }},{% endfor %}{{ d.keys() | list }}{{ d.values() | list }}{% for k, v in d | dictsort %}{{ k }}{% endfor %}{% for k, v in d | items %}{{ k }}{% endfor %}{{ 'a' in d }}{{ d is mapping }}{{ d is sequence }}{{ none is iterable }}{{ dict(x=1) }}"#,
            r#"17a=1,b=None,['a', 'b'][1, None]ababTrueTrueTrueFalse{'x': 1}"#,
        ),
        (
            r#"{{ messages | map(attribute='role') | join(', ') }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | rejectattr('role', 'eq', 'user') | map(attribute='role') | list }} {{ x | default('b') }} {{ '' | default('c', true) }} {{ 'a\nb' | indent(2, true) }} {{ '5' | int + 1 }} {{ [3, 1] | sort }} {{ [1, 2, 2] | unique | list }} {{ 'a-b' | replace('-', '+') }} {{ 'a b' | wordcount }}"#,
            r#"system, user, assistant, user 2 ['system', 'assistant'] b c   a
  b 6 [1, 3] [1, 2] a+b 2"#,
        ),
        (
            r#"a {% generation %}
 b{% set g = 1 %} {{ g }}
 {%- endgeneration -%} c{% if g is defined %}leak{% endif %}{%- generation -%} {{ messages | length }} {%+ endgeneration %}
end"#,
            r#"a  b 1c4 end"#,
        ),
        (
            r#"{% macro wrap(tag) %}<{{ tag }}>{{ caller() }}</{{ tag }}>{% endmacro %}{% call wrap('t') %}in{% endcall %}{% macro r(n) %}{{ n }}{% if n > 0 %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(3) }}{% set z %}block{% endset %}{{ z }}{% filter upper %}up{% endfilter %}{% set a, b = 1, 2 %}{{ b }}"#,
            r#"<t>in</t>3210blockUP2"#,
        ),
        (
            r#"{% if tools %}{% for t in tools %}{{ t | tojson }}{% endfor %}{% endif %}{{ tools is defined }}{{ tools is none }}{{ documents is none }}{{ enable_thinking is defined and enable_thinking }}{{ eos_token }}"#,
            r#"TrueTrueTrueTrue<eos>"#,
        ),
        (
            r#"{{ messages[0].missing }}{{ messages[0]['nope'] is defined }}{{ messages[0].tool_calls or 'x' }}{% if not messages[0].foo %}n{% endif %}{% for x in nothing %}x{% endfor %}"#,
            r#"Falsexn"#,
        ),
    ];
    let extra = json!({"enable_thinking": true});
    for (source, expected) in table {
        let template = template(source).unwrap_or_else(|e| panic!("{e}: {source}"));
        let found = template.render(&conversation(), true, extra.as_object().unwrap());
        assert_eq!(found.unwrap_or_else(|e| panic!("{e}: {source}")), expected, "{source}");
    }
}

#[test]
fn dates() {
    let year = template("{{ strftime_now('%Y') }}").unwrap().render(&[], true, &Map::new()).unwrap();
    assert!(year.parse::<u32>().unwrap() >= 2025, "{year}");
    let date = template("{{ strftime_now('%d %b %Y') }}").unwrap().render(&[], true, &Map::new()).unwrap();
    assert!(date.len() == 11 && date.ends_with(&year), "{date}");
}

#[test]
fn broken_templates() {
    let nested = format!("{}x{}", "{% if true %}".repeat(3000), "{% endif %}".repeat(3000));
    let brackets = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    let ended =
        "the template did not come to an end in line 1: it loops or builds too long a text; use the published one";
    let table: Vec<(&str, &str)> = vec![
        ("{% if %}", "the template fails in line 1: syntax error: unexpected end of block"),
        (
            "a\n{% for m in messages %}",
            "the template fails in line 2: syntax error: unexpected end of input, expected end of block",
        ),
        ("{{ 'a }}", "the template fails in line 1: syntax error: unexpected end of string"),
        ("\n\n{% nonsense %}", "the template fails in line 3: syntax error: unknown statement nonsense"),
        ("{{ 'a' | nonsense }}", "the template fails in line 1: unknown filter: filter nonsense is unknown"),
        ("{{ nonsense() }}", "the template fails in line 1: unknown function: nonsense is unknown"),
        ("{{ 'a'.nonsense() }}", "the template fails in line 1: unknown method: string has no method named nonsense"),
        ("{{ 1 is nonsense }}", "the template fails in line 1: unknown test: test nonsense is unknown"),
        ("{{ messages[0].missing.deeper }}", "the template fails in line 1: undefined value"),
        (
            "{{ 'a' + 1 }}",
            "the template fails in line 1: invalid operation: tried to use + operator on unsupported types string and number",
        ),
        ("{{ 'abc'.index('z') }}", "the template fails in line 1: invalid operation: index: no such value"),
        (
            "{{ raise_exception('Roles must alternate') }}",
            "the template refuses this conversation: Roles must alternate",
        ),
        (
            "{% macro m() %}{{ raise_exception('No ' ~ messages[0].role) }}{% endmacro %}\n{% for x in [1] %}{{ m() }}{% endfor %}",
            "the template refuses this conversation: No system",
        ),
        (
            "{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(10000) %}{% endfor %}{% endfor %}{% endfor %}",
            ended,
        ),
        ("{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", ended),
        ("{{ 'x' * 99999999999 }}", ""),
        (
            "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x.replace('a', ns.x) %}{% endfor %}",
            ended,
        ),
        ("{{ 'a'.ljust(99999999999) }}", ended),
        ("{{ '%999999999999d' | format(1) }}", ""),
        (
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
            ended,
        ),
        (
            "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
            "the template fails in line 1: invalid operation: recursion limit exceeded",
        ),
        (
            "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
            "the template fails in line 1: invalid operation: recursion limit exceeded",
        ),
        (
            "{% include 'x' %}",
            "the template fails in line 1: template not found: tried to include non-existing template 'x'",
        ),
        ("{% include 'chat' %}", ""),
        ("{% extends 'chat' %}", ""),
        (&nested, ""),
        (&brackets, ""),
    ];
    let mut wrong = String::new();
    for (source, expected) in table {
        let result = template(source).and_then(|template| template.render(&conversation(), true, &Map::new()));
        let found = result.map_or_else(|e| e.to_string(), |text| format!("a text of {} bytes", text.len()));
        let fine = found == format!("chat_template.jinja: {expected}")
            || (expected.is_empty()
                && found.starts_with("chat_template.jinja: the template ")
                && !found.contains('\n'));
        if !fine {
            wrong += &format!("\n{} gives\n{found}", &source[..source.len().min(200)]);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn where_templates_are_found() {
    let folder = TempDir::new().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    let rendered = || {
        let template = Template::open(folder.path()).unwrap().unwrap();
        (
            template.path().file_name().unwrap().to_str().unwrap().to_string(),
            template.render(&[], false, &Map::new()).unwrap(),
        )
    };
    assert!(Template::open(folder.path()).unwrap().is_none());
    write("tokenizer_config.json", r#"{"bos_token": {"content": "<b>"}}"#);
    assert!(Template::open(folder.path()).unwrap().is_none());
    write("tokenizer_config.json", r#"{"bos_token": {"content": "<b>"}, "chat_template": "A{{ bos_token }}"}"#);
    assert_eq!(rendered(), ("tokenizer_config.json".into(), "A<b>".into()));
    let named = r#"{"chat_template": [{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}]}"#;
    write("tokenizer_config.json", named);
    assert_eq!(rendered().1, "D");
    write("chat_template.json", r#"{"chat_template": "J"}"#);
    assert_eq!(rendered(), ("chat_template.json".into(), "J".into()));
    write("chat_template.jinja", "F\n");
    assert_eq!(rendered(), ("chat_template.jinja".into(), "F".into()));

    for (file, bytes, expected) in [
        ("chat_template.jinja", &b"\xff"[..], "chat_template.jinja: no text: byte 0 is not UTF-8"),
        (
            "chat_template.json",
            b"{",
            "chat_template.json: no valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            "chat_template.json",
            b"{\"chat_template\": 3}",
            "chat_template.json: chat_template is neither a string nor a list of named templates",
        ),
        (
            "tokenizer_config.json",
            b"{\"chat_template\": [{\"name\": \"rag\", \"template\": \"R\"}]}",
            "tokenizer_config.json: chat_template names no template \"default\"",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join(file), bytes).unwrap();
        assert_eq!(sentence(folder.path(), Template::open(folder.path()).unwrap_err()), expected);
    }
}
