//! The family `gemma3`: configs that are refused, heads by any name, and GGUF files as Ollama writes them.

#[path = "support/gguf.rs"]
mod gguf;
#[path = "support/variant.rs"]
mod variant;

use gguf::{Value as Meta, tiny};
use percept::Error;
use percept::gpu::{AdapterChoice, Gpu, GpuOptions};
use percept::media::Image;
use percept::models::gemma::{Config, LayerType};
use percept::models::{LoadOptions, Media, Model, config};
use percept::session::{Event, Generation, Part, Session, SessionOptions};
use percept::weights::Checkpoint;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use variant::Variant;

const FIXTURE: &str = "gemma3-tiny-s0";

fn load(path: &Path) -> percept::Result<Arc<Model>> {
    let gpu = Gpu::open(&GpuOptions { adapter: AdapterChoice::Index(0), ..Default::default() }).unwrap();
    Model::load(&gpu, path, &LoadOptions::default()).map(Arc::new)
}

fn session(model: &Arc<Model>) -> Session {
    Session::new(model, &SessionOptions { context: Some(256), ..Default::default() }, &|_| {}).unwrap()
}

fn picture() -> Part {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4_unified-tiny-s0/image_0.png");
    Part::Media(Media::Image(Image::open(&file).unwrap()))
}

/// The message without the name of the temporary folder.
fn sentence(folder: &TempDir, error: &Error) -> String {
    let folder = folder.path().display().to_string();
    error.to_string().replace(&format!("{folder}/"), "").replace(&folder, "DIR")
}

/// Sets a field, by its names with dots between; null takes it out.
fn set(config: &mut Value, field: &str, value: Value) {
    let (object, name) = match field.rsplit_once('.') {
        Some((above, name)) => (config.pointer_mut(&format!("/{}", above.replace('.', "/"))).unwrap(), name),
        None => (config, field),
    };
    match value {
        Value::Null => object.as_object_mut().unwrap().remove(name),
        value => object.as_object_mut().unwrap().insert(name.into(), value),
    };
}

#[test]
fn every_bad_config_gets_one_sentence() {
    let full = "rope_parameters.full_attention";
    let older = |kind: &str, factor: Value| json!({"rope_type": kind, "factor": factor});
    let table = [
        ("attention_bias", json!(true), "attention_bias is true, only false is supported"),
        (
            "use_bidirectional_attention",
            json!(true),
            "use_bidirectional_attention is true, only models that look back are supported",
        ),
        ("hidden_activation", json!("silu"), "hidden_activation is \"silu\", only \"gelu_pytorch_tanh\" is supported"),
        ("final_logit_softcapping", json!(-30.0), "final_logit_softcapping is -30, expected above 0"),
        ("query_pre_attn_scalar", json!(0), "query_pre_attn_scalar is 0, expected above 0"),
        ("rms_norm_eps", json!(-1e-6), "rms_norm_eps is -0.000001, expected 0 or more"),
        ("hidden_size", json!(null), "hidden_size is missing"),
        ("hidden_size", json!("64"), "hidden_size is \"64\", expected a whole number"),
        ("intermediate_size", json!(0), "intermediate_size is 0, expected 1 to 1048575"),
        ("vocab_size", json!(0), "vocab_size is 0, expected 1 to 16777215"),
        ("sliding_window", json!(0), "sliding_window is 0, expected 1 to 16777215"),
        ("num_hidden_layers", json!(7), "layer_types names 6 layers, num_hidden_layers is 7"),
        ("layer_types", json!(["full_attention", 1]), "layer_types at index 1 is 1, expected a string"),
        (
            "layer_types",
            json!(vec!["linear_attention"; 6]),
            "layer_types holds \"linear_attention\", supported are sliding_attention and full_attention",
        ),
        ("head_dim", json!(23), "head_dim is 23, expected an even number"),
        ("head_dim", json!(100_000), "head_dim is 100000, expected 2 to 512"),
        ("num_key_value_heads", json!(3), "num_key_value_heads is 3, which does not divide num_attention_heads 4"),
        ("max_position_embeddings", json!(0), "max_position_embeddings is 0, expected 1 to 16777215"),
        ("tie_word_embeddings", json!("yes"), "tie_word_embeddings is \"yes\", expected true or false"),
        ("pad_token_id", json!(-1), "pad_token_id is -1, expected a token id"),
        ("text_config", json!(3), "text_config is 3, expected an object"),
        ("text_config", json!({}), "text_config.hidden_size is missing"),
        ("rope_parameters.sliding_attention", json!(null), "rope_parameters.sliding_attention is missing"),
        (&format!("{full}.rope_theta"), json!(1), "rope_parameters.full_attention.rope_theta is 1, expected above 1"),
        (&format!("{full}.rope_theta"), json!(null), "rope_parameters.full_attention.rope_theta is missing"),
        (
            &format!("{full}.rope_type"),
            json!("yarn"),
            "rope_parameters.full_attention.rope_type is \"yarn\", supported: default, linear",
        ),
        (&format!("{full}.factor"), json!(0.5), "rope_parameters.full_attention.factor is 0.5, expected 1 or more"),
        (&format!("{full}.factor"), json!(null), "rope_parameters.full_attention.factor is missing"),
        ("rope_theta", json!(-1.0), "rope_theta is -1, expected above 1"),
        ("rope_local_base_freq", json!(0), "rope_local_base_freq is 0, expected above 1"),
        (
            "rope_scaling",
            older("dynamic", json!(8)),
            "rope_scaling.rope_type is \"dynamic\", supported: default, linear",
        ),
        ("rope_scaling", older("linear", json!("8")), "rope_scaling.factor is \"8\", expected a number"),
        ("sliding_window_pattern", json!(0), "sliding_window_pattern is 0, expected 1 to 999"),
    ];
    for (field, value, expected) in table {
        let mut variant = Variant::of(FIXTURE);
        let spelled_older = ["rope_theta", "rope_local_base_freq", "rope_scaling", "sliding_window_pattern"];
        if spelled_older.contains(&field) {
            set(&mut variant.config, "rope_parameters", Value::Null);
            set(&mut variant.config, "layer_types", Value::Null);
        }
        set(&mut variant.config, field, value.clone());
        let folder = variant.write(&[]);
        let error = config(&Checkpoint::open(folder.path()).unwrap()).expect_err(field);
        assert_eq!(sentence(&folder, &error), format!("config.json: {expected}"), "{field} {value}");
    }
}

/// Logits of the first token after a text.
fn logits(model: &Arc<Model>) -> Vec<f32> {
    let mut session = session(model);
    session.push_raw("a head").unwrap();
    let answer = session.continue_raw(&Generation::greedy(model.defaults())).unwrap();
    answer.first_logits().unwrap().unwrap()
}

/// Whatever the config says: so does the reference.
#[test]
fn a_head_that_differs_from_the_embedding_is_used() {
    let known = logits(&load(Variant::of(FIXTURE).write(&[]).path()).unwrap());
    for (decoder, head, tied) in [
        ("model.", "lm_head.weight", false),
        ("model.", "lm_head.weight", true),
        ("language_model.model.", "language_model.lm_head.weight", false),
        ("language_model.model.", "lm_head.weight", true),
        ("model.language_model.", "lm_head.weight", false),
    ] {
        let mut variant = Variant::of(FIXTURE);
        variant.rename("model.", decoder);
        variant.copy(&format!("{decoder}embed_tokens.weight"), head, 2.0);
        variant.config["tie_word_embeddings"] = tied.into();
        let doubled = logits(&load(variant.write(&[]).path()).unwrap());
        let twice: Vec<f32> = known.iter().map(|logit| logit * 2.0).collect();
        assert!(doubled == twice, "{decoder} {head} {tied}");
    }
    // One that is asked for and not there.
    let mut variant = Variant::of(FIXTURE);
    variant.config["tie_word_embeddings"] = false.into();
    let folder = variant.write(&[]);
    let error = sentence(&folder, &load(folder.path()).unwrap_err());
    assert!(error.contains("missing tensors: lm_head.weight"), "{error}");
}

#[test]
fn a_config_is_called_as_the_checkpoint_calls_it() {
    let mut variant = Variant::of(FIXTURE);
    let family = |variant: &Variant| config(&Checkpoint::open(variant.write(&[]).path()).unwrap()).unwrap().family;
    assert_eq!(family(&variant), "gemma3_text");
    variant.nest_config();
    assert_eq!(family(&variant), "gemma3");
}

/// The published 270M and 1B name the placeholder of pictures behind the last row of the embedding.
#[test]
fn special_tokens_need_no_row_but_never_reach_the_embedding() {
    let folder = Variant::of(FIXTURE).write(&[]);
    let file = folder.path().join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let words = tokenizer["model"]["vocab"].as_object().unwrap().len();
    let token = |special: bool| {
        json!({"id": words, "content": "<image_soft_token>", "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": special})
    };
    let mut with = |special: bool| {
        let added = tokenizer["added_tokens"].as_array_mut().unwrap();
        added.retain(|added| added["id"] != words);
        added.push(token(special));
        std::fs::write(&file, tokenizer.to_string()).unwrap();
    };
    // As many rows as words without it.
    let mut config: Value = serde_json::from_slice(&std::fs::read(folder.path().join("config.json")).unwrap()).unwrap();
    assert_eq!(config["vocab_size"].take(), words);
    with(true);
    let model = load(folder.path()).unwrap();
    let mut session = session(&model);
    // As text it is only letters, as a token it is refused, and nothing of it is left.
    session.push("<image_soft_token>".into()).unwrap();
    let read = session.ids().to_vec();
    assert!(read.iter().all(|id| (*id as usize) < words), "{read:?}");
    for _ in session.generate(&Generation { max_tokens: Some(1), ..Generation::greedy(model.defaults()) }).unwrap() {}
    let before = session.ids().to_vec();
    let error = session.push_raw("see <image_soft_token>").unwrap_err();
    assert_eq!(error.to_string(), format!("a token id is {words}, this model's ids end at {}", words - 1));
    assert_eq!(session.ids(), before);
    with(false);
    let error = sentence(&folder, &load(folder.path()).unwrap_err());
    assert_eq!(
        error,
        format!(
            "config.json: vocab_size is {words}, but tokenizer.json has a token with id {words}; they are of different models"
        )
    );
}

#[test]
fn a_part_without_a_sense_is_refused_before_anything_is_done() {
    let folder = Variant::of(FIXTURE).write(&[]);
    let model = load(folder.path()).unwrap();
    let say = |session: &mut Session| {
        session.push("What is it?".into()).unwrap();
        let greedy = Generation { max_tokens: Some(6), ..Generation::greedy(model.defaults()) };
        let ids = |event| match event {
            Ok(Event::Token { id }) => Some(id),
            _ => None,
        };
        session.generate(&greedy).unwrap().filter_map(ids).collect::<Vec<_>>()
    };
    let (mut plain, mut tried) = (session(&model), session(&model));
    let error = tried.push(picture()).unwrap_err();
    assert_eq!(error.to_string(), "this gemma3_text checkpoint takes no picture; it takes text");
    assert!(tried.is_empty());
    assert_eq!(say(&mut tried), say(&mut plain));
    // A template that would not take it is not asked.
    let refuses = "{{ raise_exception('no pictures') if messages[0].content is not string }}{{ messages[0].content }}";
    std::fs::write(folder.path().join("chat_template.jinja"), refuses).unwrap();
    let error = session(&load(folder.path()).unwrap()).push(picture()).unwrap_err();
    assert!(matches!(error, Error::UnsupportedPart { kind: "picture", .. }), "{error}");
}

fn of_gguf(file: &gguf::Gguf) -> percept::Result<Config> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("sha256-0123");
    std::fs::write(&path, file.bytes()).unwrap();
    let checkpoint = Checkpoint::open(&path)?;
    let config = config(&checkpoint)?;
    if config.layers.len() == 1 {
        config.check(&checkpoint)?;
    }
    Ok(config)
}

#[test]
fn gguf_files_of_ollama_are_read_as_ollama_reads_them() {
    let usual = of_gguf(&tiny()).unwrap();
    assert!(!usual.idle_vision && usual.tied && usual.softcap.is_none() && usual.full_rope.factor == 1.0);
    // Its own names of the bases.
    let mut file = tiny();
    file.remove("gemma3.rope.freq_base")
        .set("gemma3.rope.global.freq_base", Meta::F32(500.0))
        .set("gemma3.rope.local.freq_base", Meta::F32(50.0));
    let read = of_gguf(&file).unwrap();
    assert_eq!((read.full_rope.theta, read.sliding_rope.theta), (500.0, 50.0));
    // The vision tower in the same file.
    let mut file = tiny();
    file.add("v.blk.0.attn_q.weight", &[8, 8]).add("mm.mm_input_projection.weight", &[32, 8]);
    assert!(of_gguf(&file).unwrap().idle_vision);
    // What it leaves unsaid of the larger ones, unless it is said.
    let of_blocks = |count: u32| {
        let mut file = tiny();
        file.set("gemma3.block_count", Meta::U32(count)).set("gemma3.final_logit_softcapping", Meta::F32(30.0));
        file
    };
    let factor = |file: &gguf::Gguf| of_gguf(file).unwrap().full_rope.factor;
    for (count, expected) in [(18, 1.0), (26, 1.0), (34, 8.0), (48, 8.0), (62, 8.0)] {
        assert_eq!(factor(&of_blocks(count)), expected, "{count} blocks");
    }
    let mut said = of_blocks(34);
    said.set("gemma3.rope.scaling.type", "linear").set("gemma3.rope.scaling.factor", Meta::F32(4.0));
    assert_eq!(factor(&said), 4.0);
    let softcap = |count| of_gguf(&of_blocks(count)).unwrap().softcap;
    assert_eq!((softcap(26), softcap(18)), (None, Some(30.0)));
}

#[test]
fn sliding_layers_of_gguf_files() {
    let key = "gemma3.attention.sliding_window_pattern";
    let mut file = tiny();
    file.set("gemma3.block_count", Meta::U32(6));
    let full = |file: &gguf::Gguf| -> Vec<usize> {
        let layers = of_gguf(file).unwrap().layers;
        let full = layers.iter().enumerate().filter(|(_, layer)| layer.kind == LayerType::Full);
        full.map(|(index, _)| index).collect()
    };
    assert_eq!(full(&file), [5]);
    assert_eq!(full(file.set(key, Meta::U32(2))), [1, 3, 5]);
    let sliding = vec![false, true, true, false, true, true];
    assert_eq!(full(file.set(key, Meta::Bools(sliding))), [0, 3]);
    let problem = |value: Meta| {
        let error = of_gguf(file.clone().set(key, value)).unwrap_err().to_string();
        error.split_once(&format!("{key} ")).unwrap().1.to_string()
    };
    assert_eq!(problem(Meta::Bools(vec![true; 5])), "has 5 values, but there are 6 blocks");
    assert_eq!(problem(Meta::I32s(vec![1; 6])), "is an array of whole numbers, expected one of truth values");
    assert_eq!(problem(Meta::U32(0)), "is 0, expected 1 to 999");
}
