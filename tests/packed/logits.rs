//! Equal states and logits from packed folders and from folders with the same values as f32, on every adapter.

use crate::generator::{Pair, Scheme, Source, copy_files};
use crate::{fixture, gpus};
use percept::models::{LoadOptions, Model};
use percept::trace::{Case, Trace};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// Greatest relative error: `max |a - b| / max |b|`.
const TOLERANCE: f32 = 1e-4;

/// The case of a fixture with fewer steps, run on a folder.
fn run(gpu: &Arc<percept::gpu::Gpu>, folder: &Path, of: &Path, case: &str) -> Trace {
    let path = of.join("cases").join(format!("{case}.json"));
    let mut short: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    short["sampling"]["max_new_tokens"] = 6.into();
    let own = folder.join(format!("{case}.json"));
    std::fs::write(&own, short.to_string()).unwrap();
    let model = Arc::new(Model::load(gpu, folder, &LoadOptions::default()).unwrap());
    Trace::run(&model, &Case::open(&own, folder).unwrap(), &|_| {}).unwrap()
}

fn relative_error(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    assert!(got.iter().chain(expected).all(|value| value.is_finite()));
    let largest = expected.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    got.iter().zip(expected).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

fn same_states(pair: &Pair, of: &str, cases: &[&str]) {
    for gpu in gpus() {
        for case in cases {
            let title = format!("{of}, {case} on {}", gpu.adapter().title());
            let expected = run(&gpu, pair.plain.path(), &fixture(of), case);
            let got = run(&gpu, pair.packed.path(), &fixture(of), case);
            assert_eq!(got.integers("tokens"), expected.integers("tokens"), "{title}");
            let mut worst = 0.0f32;
            for name in ["embeddings", "vision.out", "layer.0", "final_norm", "logits", "step.5.logits"] {
                let Some((_, expected)) = expected.floats(name) else {
                    assert_eq!(name, "vision.out", "{title}");
                    continue;
                };
                let error = relative_error(got.floats(name).unwrap().1, expected);
                assert!(error <= TOLERANCE, "{title}: {name} is {error:.1e} off");
                worst = worst.max(error);
            }
            println!("{title}: {worst:.1e}");
        }
    }
}

const fn scheme(bits: u32, group: Option<usize>, symmetric: bool, scales: Dtype) -> Scheme {
    Scheme { bits, group, symmetric, scales }
}

/// Matrices whose rows a group divides by the first scheme, others by the second, which has one scale a row; word embeddings
/// stay plain, and of two heads one, so that matrices that are read together differ.
fn compressed(of: &str, cases: &[&str], schemes: [Scheme; 2]) {
    let names = [("group_0", schemes[0]), ("group_1", schemes[1])];
    let group = schemes[0].group.unwrap();
    let choose = |name: &str, width: usize| {
        let ignored =
            ["embed_tokens", "audio", "lm_head", "layers.1.self_attn.k_proj"].iter().any(|part| name.contains(part));
        if ignored { None } else { Some(usize::from(!width.is_multiple_of(group))) }
    };
    same_states(&Source::of(of).compressed(&names, choose), of, cases);
}

#[test]
fn four_bits_in_groups_of_32() {
    let schemes = [scheme(4, Some(32), true, Dtype::BF16), scheme(4, None, true, Dtype::BF16)];
    compressed("gemma3-tiny-s0", &["text"], schemes);
}

#[test]
fn four_bits_in_groups_of_64_with_zero_points() {
    let schemes = [scheme(4, Some(64), false, Dtype::F16), scheme(8, None, true, Dtype::F32)];
    compressed("gemma4_unified-tiny-s0", &["image"], schemes);
}

#[test]
fn eight_bits_in_groups_and_four_in_rows_with_zero_points() {
    let schemes = [scheme(8, Some(32), false, Dtype::F32), scheme(4, None, false, Dtype::F16)];
    compressed("gemma4-tiny-s0", &["image"], schemes);
}

#[test]
fn four_bits_in_groups_of_128() {
    let schemes = [scheme(4, Some(128), true, Dtype::F32), scheme(8, None, false, Dtype::BF16)];
    compressed("gemma4-tiny-s0", &["text"], schemes);
}

/// Further fixtures, by folders in `PERCEPT_FIXTURES` separated by colons, each way.
#[test]
fn other_fixtures() {
    let Some(list) = std::env::var_os("PERCEPT_FIXTURES") else {
        println!("PERCEPT_FIXTURES names no further fixtures: nothing more to compare");
        return;
    };
    for folder in std::env::split_paths(&list) {
        let of = folder.to_str().unwrap();
        let all = ["text", "image"];
        let cases: Vec<&str> =
            all.into_iter().filter(|case| folder.join("cases").join(format!("{case}.json")).exists()).collect();
        compressed(of, &cases, [scheme(4, Some(32), false, Dtype::BF16), scheme(4, None, false, Dtype::BF16)]);
        compressed(of, &cases, [scheme(8, Some(32), true, Dtype::F16), scheme(8, None, true, Dtype::F16)]);
        for bits in [2, 4, 8] {
            let quantization = json!({"quant_method": "gemma", "num_bits": bits, "quantize_embeddings": true});
            let choose = |name: &str| (!name.contains("audio")).then_some(bits);
            same_states(&Source::of(of).mobile(quantization, choose), of, &cases);
        }
    }
}

/// Bits by patterns, embeddings too, whose codes are the head's at the same time.
#[test]
fn mobile_checkpoints() {
    let quantization = json!({
        "quant_method": "gemma", "num_bits": 4, "quantize_embeddings": true,
        "module_quant_configs": {"down_proj": {"num_bits": 8}, r"\.mlp\.": {"num_bits": 2}, "embed_tokens_per_layer": {"num_bits": 2}},
        "modules_to_not_convert": ["model.audio_tower", "model.embed_audio"],
    });
    let choose = |name: &str| match name {
        _ if name.contains("audio") => None,
        // The pattern of all of the feed-forward begins before that of its last layer.
        _ if name.contains(".mlp.") || name.ends_with("embed_tokens_per_layer") => Some(2),
        _ => Some(4),
    };
    same_states(&Source::of("gemma4-tiny-s0").mobile(quantization, choose), "gemma4-tiny-s0", &["text", "image"]);
    let quantization = json!({"quant_method": "gemma", "num_bits": 8, "quantize_embeddings": true});
    let choose = |name: &str| (!name.contains("audio")).then_some(8);
    same_states(
        &Source::of("gemma4_unified-tiny-s0").mobile(quantization, choose),
        "gemma4_unified-tiny-s0",
        &["image"],
    );
}

/// States of the reference implementation on a mobile checkpoint with calibrated activations; greedy tokens equal.
#[test]
fn the_recording_of_a_mobile_checkpoint() {
    let folder = tempfile::TempDir::new().unwrap();
    copy_files(&fixture("gemma4-tiny-s0"), folder.path());
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("gemma4-mobile").join(name), folder.path().join(name)).unwrap();
    }
    let cases = fixture("gemma4-mobile/cases");
    let bytes = std::fs::read(cases.join("image.safetensors")).unwrap();
    let recorded = SafeTensors::deserialize(&bytes).unwrap();
    let case = Case::open(&cases.join("image.json"), folder.path()).unwrap();
    for gpu in gpus() {
        let model = Arc::new(Model::load(&gpu, folder.path(), &LoadOptions::default()).unwrap());
        let trace = Trace::run(&model, &case, &|_| {}).unwrap();
        let mut names = recorded.names();
        names.sort();
        for name in names {
            let view = recorded.tensor(name).unwrap();
            if view.dtype() == Dtype::I32 {
                let expected: Vec<i32> = view.data().as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
                assert_eq!(trace.integers(name).unwrap().1, expected, "{name} on {}", gpu.adapter().title());
                continue;
            }
            let expected: Vec<f32> = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            let got = trace.floats(name).unwrap().1;
            let error = relative_error(&got[got.len() - expected.len()..], &expected);
            println!("{name} on {}: {error:.1e}", gpu.adapter().title());
            assert!(error <= TOLERANCE, "{name} on {} is {error:.1e} off", gpu.adapter().title());
        }
    }
}
