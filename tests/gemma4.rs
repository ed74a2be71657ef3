//! The family `gemma4`: configs that are refused, and GGUF files as llama.cpp's converter writes them.

#[path = "support/variant.rs"]
mod variant;

use percept::encode::encode;
use percept::gpu::{AdapterChoice, Gpu, GpuOptions, adapters};
use percept::media::{Audio, Image};
use percept::models::gemma::Config;
use percept::models::{LoadOptions, Media, Model, config};
use percept::session::{Event, Generation, Part, Session, SessionOptions};
use percept::trace::{Case, Trace};
use percept::weights::Checkpoint;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use variant::Variant;

const FIXTURE: &str = "gemma4-tiny-s0";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(path: &Path) -> percept::Result<Config> {
    config(&Checkpoint::open(path)?)
}

/// Sets a field, by its names with dots between; null takes it out.
fn set(config: &mut Value, field: &str, value: Value) {
    let (above, name) = field.rsplit_once('.').unwrap();
    let object = config.pointer_mut(&format!("/{}", above.replace('.', "/"))).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => object.remove(name),
        value => object.insert(name.into(), value),
    };
}

#[test]
fn every_bad_config_gets_one_sentence() {
    let kinds = |kind: &str| json!(vec![kind; 8]);
    let table = [
        ("text_config.attention_bias", json!(true), "is true, only false is supported"),
        ("text_config.hidden_activation", json!("relu"), "is \"relu\", only \"gelu_pytorch_tanh\" is supported"),
        ("text_config.use_bidirectional_attention", json!("all"), "is \"all\", only \"vision\" and null are supported"),
        ("text_config.final_logit_softcapping", json!(0), "is not above 0"),
        ("text_config.hidden_size", json!(-64), "is -64, expected a whole number"),
        ("text_config.hidden_size", json!(null), "is missing"),
        ("text_config.intermediate_size", json!(0), "is 0, expected 1 to 1048575"),
        ("text_config.num_hidden_layers", json!(0), "is 0, expected 1 to 999"),
        ("text_config.layer_types", json!(["full_attention"]), "names 1 layers, num_hidden_layers is 8"),
        (
            "text_config.layer_types",
            kinds("conv"),
            "holds \"conv\", supported are sliding_attention and full_attention",
        ),
        ("text_config.num_key_value_heads", json!(3), "is 3 in layer 0, which does not divide num_attention_heads 4"),
        ("text_config.head_dim", json!(15), "is 15 in layer 0, expected an even number"),
        ("text_config.global_head_dim", json!(100_000), "is 100000, expected 2 to 512"),
        ("text_config.sliding_window", json!(0), "is 0, expected 1 to 16777215"),
        ("text_config.num_kv_shared_layers", json!(8), "is 8, expected 0 to 7"),
        ("text_config.num_kv_shared_layers", json!(6), "is 6, which leaves layer 2 without an earlier one of its type"),
        ("text_config.use_double_wide_mlp", json!("yes"), "is \"yes\", expected true or false"),
        ("text_config.hidden_size_per_layer_input", json!(-1), "is -1, expected a whole number"),
        ("text_config.vocab_size_per_layer_input", json!(600), "is 600, expected as many as vocab_size, 608"),
        ("text_config.enable_moe_block", json!("yes"), "is \"yes\", expected true or false"),
        ("text_config.rope_parameters.full_attention.rope_theta", json!(0.5), "is 0.5, expected above 1"),
        ("text_config.rope_parameters.full_attention.partial_rotary_factor", json!(2), "is 2, expected 0 to 1"),
        (
            "text_config.rope_parameters.sliding_attention.rope_type",
            json!("yarn"),
            "is \"yarn\", supported: default, proportional",
        ),
        ("vision_config.num_key_value_heads", json!(3), "is 3, which does not divide num_attention_heads 2"),
        (
            "vision_config.head_dim",
            json!(18),
            "is 18, expected a multiple of 4: columns and rows turn pairs of their own",
        ),
        ("vision_config.hidden_size", json!(0), "is 0, expected 1 to 65535"),
        ("vision_config.num_hidden_layers", json!(-2), "is -2, expected a whole number"),
        ("vision_config.hidden_activation", json!("silu"), "is \"silu\", only \"gelu_pytorch_tanh\" is supported"),
        ("vision_config.attention_bias", json!(true), "is true, only false is supported"),
        ("vision_config.patch_size", json!(0), "is 0, expected 1 to 1023"),
        ("vision_config.pooling_kernel_size", json!(0), "is 0, expected 1 to 63"),
        ("vision_config.position_embedding_size", json!(0), "is 0, expected 1 to 1048575"),
        ("vision_config.rope_parameters.rope_type", json!("default"), "is \"default\", supported: axial"),
        ("vision_config.rope_parameters.rope_theta", json!(1), "is 1, expected above 1"),
    ];
    for (field, value, expected) in table {
        let mut variant = Variant::of(FIXTURE);
        set(&mut variant.config, field, value.clone());
        let folder = variant.write(&[]);
        let error = read(folder.path()).expect_err(field).to_string();
        let (_, sentence) = error.split_once("config.json: ").unwrap();
        assert_eq!(sentence, format!("{field} {expected}"), "{value}");
    }
}

#[test]
fn every_bad_config_with_experts_gets_one_sentence() {
    let known = [("num_experts", json!(6)), ("top_k_experts", json!(2)), ("moe_intermediate_size", json!(20))];
    let read_with = |field: &str, value: Value| {
        let mut variant = Variant::of(FIXTURE);
        set(&mut variant.config, "text_config.enable_moe_block", json!(true));
        for (name, usual) in &known {
            let value = if *name == field { value.clone() } else { usual.clone() };
            set(&mut variant.config, &format!("text_config.{name}"), value);
        }
        read(variant.write(&[]).path())
    };
    assert_eq!(read_with("", json!(null)).unwrap().experts.unwrap().shape.top_k, 2);
    let table = [
        ("num_experts", json!(null), "is missing"),
        ("num_experts", json!(0), "is 0, expected 1 to 1024"),
        ("num_experts", json!(1025), "is 1025, expected 1 to 1024"),
        ("num_experts", json!(-6), "is -6, expected a whole number"),
        ("num_experts", json!("six"), "is \"six\", expected a whole number"),
        ("top_k_experts", json!(null), "is missing"),
        ("top_k_experts", json!(0), "is 0, expected 1 to 6"),
        ("top_k_experts", json!(7), "is 7, expected 1 to 6"),
        ("top_k_experts", json!(1.5), "is 1.5, expected a whole number"),
        ("moe_intermediate_size", json!(null), "is missing"),
        ("moe_intermediate_size", json!(0), "is 0, expected 1 to 262143"),
        ("moe_intermediate_size", json!(-20), "is -20, expected a whole number"),
        ("moe_intermediate_size", json!(262_144), "is 262144, expected 1 to 262143"),
    ];
    for (field, value, expected) in table {
        let error = read_with(field, value.clone()).expect_err(field).to_string();
        let (_, sentence) = error.split_once("config.json: text_config.").unwrap();
        assert_eq!(sentence, format!("{field} {expected}"), "{value}");
    }
    let error = read_with("num_experts", json!(1)).unwrap_err().to_string();
    assert!(error.ends_with("top_k_experts is 2, expected 1"), "{error}");
}

/// The best logits behind a picture, a sound if the model hears, and a text, and what is said after it.
fn say(gpu: &Arc<Gpu>, path: &Path) -> (Vec<f32>, Vec<u32>) {
    // GGUF files do not tell how many tokens a picture has.
    let model = Model::load(gpu, path, &LoadOptions { image_tokens: Some(70), ..LoadOptions::default() }).unwrap();
    let options = SessionOptions { context: Some(256), ..Default::default() };
    let mut session = Session::new(&Arc::new(model), &options, &|_| {}).unwrap();
    session.push(Part::Media(Media::Image(Image::open(&fixture(FIXTURE).join("image_1.png")).unwrap()))).unwrap();
    if read(path).unwrap().sound.is_some() {
        session.push(Part::Media(Media::Audio(Audio::open(&fixture(FIXTURE).join("audio_0.wav")).unwrap()))).unwrap();
    }
    session
        .push("Red stars, and a text that is longer than the window of the layers that look back a little".into())
        .unwrap();
    let options = Generation { max_tokens: Some(16), ..Generation::greedy(session.model().defaults()) };
    let answer = session.generate(&options).unwrap();
    let logits = answer.first_logits().unwrap().unwrap();
    let ids = answer
        .filter_map(|event| match event.unwrap() {
            Event::Token { id, .. } => Some(id),
            _ => None,
        })
        .collect();
    (logits, ids)
}

#[test]
fn converted_files_say_what_their_folders_say() {
    for adapter in adapters() {
        let options = GpuOptions { adapter: AdapterChoice::Index(adapter.index), ..Default::default() };
        let gpu = Gpu::open(&options).unwrap();
        for name in ["gemma4-tiny-s0", "gemma4_unified-tiny-s0", "gemma4_experts-tiny-s0"] {
            // The file does not tell how far sound is looked back at: as far as in published models.
            let mut published = Variant::of(name);
            if name == FIXTURE {
                set(&mut published.config, "audio_config.attention_chunk_size", json!(12));
                set(&mut published.config, "audio_config.attention_context_left", json!(13));
            }
            let (wanted, wanted_ids) = say(&gpu, published.write(&[]).path());
            // The folder holds one model, and what sees beside it.
            let (logits, ids) = say(&gpu, &fixture("gemma4_gguf").join(name));
            let scale = wanted.iter().fold(0f32, |most, v| most.max(v.abs()));
            let gap = wanted.iter().zip(&logits).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(gap <= 1e-5 * scale, "{name} on {}: {gap} of {scale}", adapter.title());
            assert_eq!(ids, wanted_ids, "{name}");
        }
    }
}

#[test]
fn pictures_encoded_together_are_as_each_by_itself() {
    let files = ["resize_to_31x9", "resize_to_5x23", "turned", "resize_to_10x7", "resize_to_48x40"];
    let files =
        files.map(|name| fixture("media").join(name).with_extension(if name == "turned" { "jpg" } else { "png" }));
    let parts: Vec<Value> = files.iter().map(|file| json!({"type": "image", "path": file})).collect();
    let case = json!({"messages": [{"role": "user", "content": parts}], "sampling": {"max_new_tokens": 1}});
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("case.json");
    std::fs::write(&path, case.to_string()).unwrap();
    let case = Case::open(&path, folder.path()).unwrap();
    for (adapter, as_gpu) in adapters().iter().flat_map(|adapter| [(adapter, false), (adapter, true)]) {
        let options = GpuOptions { adapter: AdapterChoice::Index(adapter.index), as_gpu, ..Default::default() };
        let gpu = Gpu::open(&options).unwrap();
        let options = LoadOptions { image_tokens: Some(23), ..LoadOptions::default() };
        let model = Arc::new(Model::load(&gpu, &fixture(FIXTURE), &options).unwrap());
        let trace = Trace::run(&model, &case, &|_| {}).unwrap();
        let (_, together) = trace.floats("vision.out").unwrap();
        let alone = files
            .iter()
            .flat_map(|file| encode(&model, &Media::Image(Image::open(file).unwrap()), &|_| {}).unwrap().embeddings);
        let alone: Vec<f32> = alone.collect();
        assert_eq!(together.len(), alone.len());
        let scale = alone.iter().fold(0f32, |most, v| most.max(v.abs()));
        let gap = alone.iter().zip(together).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(gap <= 1e-5 * scale, "on {}: {gap} of {scale}", adapter.title());
    }
}

/// The bytes of a file with another whole number for a key: the length of the key, the key, the type, the value.
fn with_number(mut bytes: Vec<u8>, key: &str, value: u8) -> Vec<u8> {
    let place = bytes.windows(key.len()).position(|window| window == key.as_bytes()).unwrap() + key.len() + 4;
    bytes[place] = value;
    bytes
}

#[test]
fn bad_numbers_of_experts_in_a_file_are_named() {
    let whole = std::fs::read(fixture("gemma4_gguf/gemma4_experts-tiny-s0/model.gguf")).unwrap();
    let folder = TempDir::new().unwrap();
    for (key, value, expected) in [
        ("expert_used_count", 6, "gemma4.expert_used_count is 6, expected 1 to 5"),
        ("expert_used_count", 0, "gemma4.expert_used_count is 0, expected 1 to 5"),
        ("expert_feed_forward_length", 0, "gemma4.expert_feed_forward_length is 0, expected 1 to 262143"),
    ] {
        let file = folder.path().join("model.gguf");
        std::fs::write(&file, with_number(whole.clone(), &format!("gemma4.{key}"), value)).unwrap();
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // As many as the tensors do not have, and none: both are told by the tensors.
    for (value, expected) in [(7, "blk.0.ffn_gate_inp.weight has [5, 32], expected [7, 32]"), (0, "unexpected tensors")]
    {
        let file = folder.path().join("model.gguf");
        std::fs::write(&file, with_number(whole.clone(), "gemma4.expert_count", value)).unwrap();
        let checkpoint = Checkpoint::open(&file).unwrap();
        let error = config(&checkpoint).unwrap().check(&checkpoint).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_projector_of_another_model_is_refused() {
    let folder = TempDir::new().unwrap();
    let gguf = fixture("gemma4_gguf");
    let beside = |name: &str, from: &str| std::fs::copy(gguf.join(from), folder.path().join(name)).unwrap();
    beside("model.gguf", "gemma4-tiny-s0/model.gguf");
    beside("mmproj-model.gguf", "gemma4-tiny-s0/mmproj-f32.gguf");
    assert!(read(folder.path()).unwrap().vision.is_some());
    // The finest of several.
    beside("mmproj-f32.gguf", "gemma4_unified-tiny-s0/mmproj-f32.gguf");
    assert_eq!(read(folder.path()).unwrap().vision.unwrap().pooled, 1);
    // A width that does not fit.
    let bytes = std::fs::read(folder.path().join("mmproj-model.gguf")).unwrap();
    let bytes = with_number(bytes, "clip.vision.projection_dim", 65);
    std::fs::remove_file(folder.path().join("mmproj-f32.gguf")).unwrap();
    std::fs::write(folder.path().join("mmproj-model.gguf"), bytes).unwrap();
    let error = read(&folder.path().join("model.gguf")).unwrap_err().to_string();
    assert!(
        error.contains("clip.vision.projection_dim is 65, but the model beside it has a hidden size of 64"),
        "{error}"
    );
}
