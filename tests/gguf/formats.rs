//! A model in every format of blocks against the same values as f32 in safetensors: equal logits on every adapter.

use crate::generator::{Gguf, Value};
use percept::gpu::{AdapterChoice, Gpu, GpuOptions, adapters};
use percept::models::{LoadOptions, Model};
use percept::weights::Format;
use percept::weights::quants::{dequantize, random_blocks};
use percept::{Event, Generation, Session, SessionOptions};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// Greatest relative error of logits: `max |a - b| / max |b|`.
const TOLERANCE: f32 = 1e-4;

const HIDDEN: usize = 256;
const INTERMEDIATE: usize = 512;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD_DIM: usize = 64;
const VOCAB: usize = 608;
const ROPE_FACTOR: f32 = 4.0;

/// What is written twice.
struct Shape {
    layers: usize,
    tied: bool,
    /// The format of the matrix of that number.
    format: fn(usize) -> Format,
}

fn fixture() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma3-tiny-s0")
}

fn read_json(path: &Path) -> Json {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Name in the folder, name in the GGUF file, shape.
fn tensors(shape: &Shape) -> Vec<(String, String, Vec<usize>)> {
    let mut all = vec![
        ("model.embed_tokens".to_string(), "token_embd".to_string(), vec![VOCAB, HIDDEN]),
        ("model.norm".into(), "output_norm".into(), vec![HIDDEN]),
    ];
    if !shape.tied {
        all.push(("lm_head".into(), "output".into(), vec![VOCAB, HIDDEN]));
    }
    for layer in 0..shape.layers {
        for (hugging_face, gguf, shape) in [
            ("input_layernorm", "attn_norm", vec![HIDDEN]),
            ("self_attn.q_proj", "attn_q", vec![HEADS * HEAD_DIM, HIDDEN]),
            ("self_attn.k_proj", "attn_k", vec![KV_HEADS * HEAD_DIM, HIDDEN]),
            ("self_attn.v_proj", "attn_v", vec![KV_HEADS * HEAD_DIM, HIDDEN]),
            ("self_attn.o_proj", "attn_output", vec![HIDDEN, HEADS * HEAD_DIM]),
            ("self_attn.q_norm", "attn_q_norm", vec![HEAD_DIM]),
            ("self_attn.k_norm", "attn_k_norm", vec![HEAD_DIM]),
            ("post_attention_layernorm", "post_attention_norm", vec![HIDDEN]),
            ("pre_feedforward_layernorm", "ffn_norm", vec![HIDDEN]),
            ("mlp.gate_proj", "ffn_gate", vec![INTERMEDIATE, HIDDEN]),
            ("mlp.up_proj", "ffn_up", vec![INTERMEDIATE, HIDDEN]),
            ("mlp.down_proj", "ffn_down", vec![HIDDEN, INTERMEDIATE]),
            ("post_feedforward_layernorm", "post_ffw_norm", vec![HIDDEN]),
        ] {
            all.push((format!("model.layers.{layer}.{hugging_face}"), format!("blk.{layer}.{gguf}"), shape));
        }
    }
    all
}

/// The metadata, with the words of the fixture's tokenizer.
fn metadata(shape: &Shape) -> Gguf {
    let tokenizer = read_json(&fixture().join("tokenizer.json"));
    let mut tokens = vec![String::new(); VOCAB];
    for (token, id) in tokenizer["model"]["vocab"].as_object().unwrap() {
        tokens[id.as_u64().unwrap() as usize] = token.clone();
    }
    let mut types = vec![1; VOCAB];
    for added in tokenizer["added_tokens"].as_array().unwrap() {
        types[added["id"].as_u64().unwrap() as usize] = 3;
    }
    let mut file = Gguf::new();
    for (key, number) in [
        ("gemma3.embedding_length", HIDDEN),
        ("gemma3.block_count", shape.layers),
        ("gemma3.feed_forward_length", INTERMEDIATE),
        ("gemma3.context_length", 512),
        ("gemma3.attention.head_count", HEADS),
        ("gemma3.attention.head_count_kv", KV_HEADS),
        ("gemma3.attention.key_length", HEAD_DIM),
        ("gemma3.attention.value_length", HEAD_DIM),
        ("gemma3.attention.sliding_window", 16),
        ("tokenizer.ggml.bos_token_id", 2),
        ("tokenizer.ggml.eos_token_id", 1),
    ] {
        file.set(key, Value::U32(number as u32));
    }
    file.set("general.architecture", "gemma3");
    file.set("gemma3.attention.layer_norm_rms_epsilon", Value::F32(1e-6));
    file.set("gemma3.rope.freq_base", Value::F32(1e6));
    file.set("gemma3.rope.scaling.type", "linear");
    file.set("gemma3.rope.scaling.factor", Value::F32(ROPE_FACTOR));
    file.set("tokenizer.ggml.model", "llama");
    file.set("tokenizer.ggml.tokens", Value::Strings(tokens));
    file.set("tokenizer.ggml.scores", Value::F32s(vec![0.0; VOCAB]));
    file.set("tokenizer.ggml.token_type", Value::I32s(types));
    file
}

fn config(shape: &Shape) -> Json {
    json!({
        "model_type": "gemma3_text",
        "vocab_size": VOCAB,
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "query_pre_attn_scalar": HEAD_DIM,
        "sliding_window": 16,
        "sliding_window_pattern": 6,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
        "rope_local_base_freq": 10_000.0,
        "rope_theta": 1_000_000.0,
        "rope_scaling": {"rope_type": "linear", "factor": ROPE_FACTOR},
        "tie_word_embeddings": shape.tied,
    })
}

/// Writes `model.gguf`, and `folder` beside it with the same values.
fn write(beside: &Path, shape: &Shape) {
    let folder = beside.join("folder");
    std::fs::create_dir(&folder).unwrap();
    let mut file = metadata(shape);
    let mut plain: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    for (index, (name, gguf, shape_of)) in tensors(shape).into_iter().enumerate() {
        let count: usize = shape_of.iter().product();
        let (gguf, seed) = (format!("{gguf}.weight"), index as u64 + 1);
        let values = if shape_of.len() == 1 {
            // The file holds the whole factor, the folder what it differs from 1. No rounding: 64ths from 0.5 to 1.5.
            let noise = random_blocks(Format::F32, count, seed);
            let noise = noise.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four));
            let differences: Vec<f32> = noise.map(|value| (value * 32.0).round() / 64.0).collect();
            let factors: Vec<f32> = differences.iter().map(|value| value + 1.0).collect();
            file.add(&gguf, Format::F32.ggml_type(), &shape_of, bytes(&factors));
            differences
        } else {
            let format = (shape.format)(index);
            let blocks = random_blocks(format, count / format.block_len(), seed);
            let mut values = vec![0.0; count];
            dequantize(format, &blocks, &mut values).unwrap();
            file.add(&gguf, format.ggml_type(), &shape_of, blocks);
            values
        };
        plain.push((format!("{name}.weight"), shape_of, bytes(&values)));
    }
    std::fs::write(beside.join("model.gguf"), file.bytes()).unwrap();
    std::fs::write(folder.join("config.json"), config(shape).to_string()).unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(fixture().join(name), folder.join(name)).unwrap();
    }
    let views =
        plain.iter().map(|(name, shape, data)| (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
}

fn gpus() -> Vec<Arc<Gpu>> {
    let all = adapters();
    assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
    let open = |index| Gpu::open(&GpuOptions { adapter: AdapterChoice::Index(index), ..Default::default() }).unwrap();
    all.iter().map(|adapter| open(adapter.index)).collect()
}

/// Logits behind a prompt, the tokens that follow, and the logits behind some more ids.
fn run(gpu: &Arc<Gpu>, path: &Path) -> (Vec<f32>, Vec<u32>, Vec<f32>) {
    let model = Arc::new(Model::load(gpu, path, &LoadOptions::default()).unwrap());
    let options = SessionOptions { context: Some(64), ..Default::default() };
    let mut session = Session::new(&model, &options, &|_| {}).unwrap();
    let greedy = Generation { max_tokens: Some(5), stop_ids: Vec::new(), ..Generation::greedy(model.defaults()) };
    // More than the window, so that sliding and full layers differ.
    let prompt: Vec<u32> = std::iter::once(2).chain((0..22).map(|index| 7 + index * 53 % 600)).collect();
    session.push_ids(&prompt).unwrap();
    let mut answer = session.continue_raw(&greedy).unwrap();
    let first = answer.first_logits().unwrap().unwrap();
    let tokens = answer.by_ref().filter_map(|event| match event.unwrap() {
        Event::Token { id } => Some(id),
        _ => None,
    });
    let tokens: Vec<u32> = tokens.collect();
    drop(answer);
    session.push_ids(&[300, 301]).unwrap();
    let last = session.continue_raw(&greedy).unwrap().first_logits().unwrap().unwrap();
    (first, tokens, last)
}

fn relative_error(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    assert!(got.iter().chain(expected).all(|value| value.is_finite()));
    let largest = expected.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let difference = got.iter().zip(expected).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    difference / largest
}

fn same_logits(shape: &Shape) {
    let beside = TempDir::new().unwrap();
    write(beside.path(), shape);
    for gpu in gpus() {
        let expected = run(&gpu, &beside.path().join("folder"));
        let got = run(&gpu, &beside.path().join("model.gguf"));
        assert_eq!(got.1.len(), 5);
        assert_eq!(got.1, expected.1, "greedy tokens on {}", gpu.adapter().title());
        let errors = [relative_error(&got.0, &expected.0), relative_error(&got.2, &expected.2)];
        println!("{}: {errors:?}", gpu.adapter().title());
        assert!(errors.iter().all(|error| *error <= TOLERANCE), "{errors:?} on {}", gpu.adapter().title());
    }
}

macro_rules! same_logits {
    ($($test:ident $format:ident)*) => {
        $(
            #[test]
            fn $test() {
                same_logits(&Shape { layers: 2, tied: true, format: |_| Format::$format });
            }
        )*

        #[test]
        fn every_format_is_here() {
            let all = [$(Format::$format),*];
            assert!(Format::all().all(|format| all.contains(&format)) && all.len() == Format::all().count());
        }
    };
}

same_logits! {
    f32 F32
    f16 F16
    bf16 Bf16
    q4_0 Q4_0
    q4_1 Q4_1
    q5_0 Q5_0
    q5_1 Q5_1
    q8_0 Q8_0
    q2_k Q2K
    q3_k Q3K
    q4_k Q4K
    q5_k Q5K
    q6_k Q6K
    iq4_nl Iq4Nl
    iq4_xs Iq4Xs
    mxfp4 Mxfp4
}

/// Each matrix in another format, a layer that sees everything, a head of its own.
#[test]
fn all_formats_in_one_file() {
    same_logits(&Shape { layers: 6, tied: false, format: |index| Format::all().nth(index * 7 % 16).unwrap() });
}
