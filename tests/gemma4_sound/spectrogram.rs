//! Log-mel frames against those that the reference's feature extractor made (`tests/fixtures/spectrogram/make.py`).

use crate::support::*;
use percept::gpu::{Gpu, PlanBuilder};
use percept::kernels::spectrogram::{Arrays, Tables, record, reference, rows_of};
use percept::kernels::stride;
use percept::models::gemma::sound::SoundConfig;
use percept::weights::Fields;
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/spectrogram")
}

fn fields(file: &str, value: Value) -> Fields {
    let Value::Object(object) = value else { panic!("no object") };
    Fields::new(Path::new(file), object)
}

/// The config of an encoder with this feature extractor.
fn config(extractor: Value) -> SoundConfig {
    let mels = extractor["feature_size"].as_u64().unwrap_or(128).div_ceil(4);
    let audio = fields("config.json", json!({"subsampling_conv_channels": [4 * mels, 4]}));
    let processor = fields("processor_config.json", json!({"feature_extractor": extractor}));
    SoundConfig::read(&audio, Some(&processor)).unwrap()
}

/// All frames that the reference makes, in replays of so many rows.
fn frames(gpu: &Gpu, config: &SoundConfig, samples: &[f32], chunk: usize) -> Vec<f32> {
    let settings = &config.spectrogram;
    let (rows, width, mels) = (config.rows(samples.len(), true), config.row_width(), settings.mels);
    let tables = Tables::new(gpu, settings).unwrap();
    let in_ring = chunk + settings.rows_back();
    let ring = gpu.array_of("samples", &vec![f32::NAN; in_ring * stride(width)]).unwrap();
    let span = gpu.array("span", 3).unwrap();
    let y = gpu.array("y", 4 * chunk * stride(mels)).unwrap();
    let mut plan = PlanBuilder::new(gpu);
    let arrays = Arrays { samples: &ring, span: &span, y: &y };
    record(&mut plan, settings, &tables, [in_ring, 4 * chunk], chunk, &arrays).unwrap();
    let plan = plan.finish(&|_, _| {}).unwrap();
    let mut got = Vec::new();
    for first in (0..rows).step_by(chunk) {
        let now = chunk.min(rows - first);
        let features = config.features(samples, first..first + now);
        for (row, values) in features.chunks(width).enumerate() {
            gpu.write(&ring, (first + row) % in_ring * stride(width), values);
        }
        gpu.write(&span, 0, &[first as u32, now as u32, samples.len() as u32]);
        plan.run(gpu, now as u32).unwrap();
        let all = gpu.read(&y).unwrap();
        for frame in 4 * first..4 * (first + now) {
            got.extend_from_slice(&all[frame % (4 * chunk) * stride(mels)..][..mels]);
        }
    }
    // What follows the last row is masked.
    let frames = config.frames(samples.len());
    assert!(config.whole_frames(samples.len()) <= (4 * rows).min(frames));
    got.resize(frames * mels, 0.0);
    got
}

fn extractor(name: &str) -> Value {
    match name {
        "preemphasis" => json!({"preemphasis": 0.97}),
        "preemphasis_plain" => json!({"preemphasis": 0.5, "preemphasis_htk_flavor": false}),
        "overdrive" => json!({"fft_overdrive": true, "feature_size": 40, "fft_length": 1024}),
        "frames_of_25_ms" => {
            json!({"frame_length": 400, "feature_size": 80, "min_frequency": 125.0, "max_frequency": 7500.0})
        }
        "other_rate" => {
            json!({"sampling_rate": 22_050, "mel_floor": 1e-5, "input_scale_factor": 0.25, "feature_size": 24})
        }
        "normed" => json!({
            "feature_size": 8, "per_bin_mean": [0, 1, 2, 3, 4, 5, 6, 7],
            "per_bin_stddev": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
        }),
        _ => json!({}),
    }
}

#[test]
fn frames_equal_the_reference() {
    let bytes = std::fs::read(folder().join("sounds.safetensors")).unwrap();
    let recorded = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let view = recorded.tensor(name).unwrap();
        view.data().as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    };
    let mut names: Vec<&str> = recorded.names().into_iter().filter_map(|n| n.strip_suffix(".samples")).collect();
    names.sort_unstable();
    assert_eq!(names.len(), 26);
    for name in names {
        let config = config(extractor(name));
        let mels = config.spectrogram.mels;
        let (samples, expected) = (floats(&format!("{name}.samples")), floats(&format!("{name}.features")));
        let step = if samples.len() > 2000 && extractor(name) == json!({}) { 3 } else { 1 };
        let kept = |all: Vec<f32>| all.chunks(mels).step_by(step).flatten().copied().collect::<Vec<f32>>();
        let mut by_reference = reference(&config.spectrogram, &samples, config.rows(samples.len(), true));
        by_reference.resize(config.frames(samples.len()) * mels, 0.0);
        // A sound of masked frames is zero, which no error can be relative to.
        let error =
            |got: Vec<f32>| if got.iter().chain(&expected).all(|v| *v == 0.0) { 0.0 } else { error(&got, &expected) };
        let of_reference = error(kept(by_reference));
        assert!(of_reference <= 1e-6, "{name}: {of_reference:.1e} of the reference in Rust");
        for gpu in gpus() {
            let errors = [100, 1, 3].map(|chunk| error(kept(frames(gpu, &config, &samples, chunk))));
            let worst = errors.into_iter().fold(0.0, f64::max);
            println!("{name} on {}: {worst:.1e}", gpu.adapter().title());
            assert!(worst <= 1e-5, "{name} on {}: {worst:.1e}", gpu.adapter().title());
        }
    }
}

#[test]
fn counts_of_all_lengths_equal_the_reference() {
    let text = std::fs::read_to_string(folder().join("counts.json")).unwrap();
    let counts: Vec<[usize; 3]> = serde_json::from_str(&text).unwrap();
    assert_eq!(counts.len(), 2000);
    let config = config(json!({}));
    for (i, expected) in counts.into_iter().enumerate() {
        let count = i + 1;
        assert_eq!([config.frames(count), config.whole_frames(count), config.rows(count, true)], expected, "{count}");
    }
    assert_eq!((config.frames(0), config.whole_frames(0), config.rows(0, true)), (0, 0, 0));
}

/// Rows that are given before the end are those whose frames are all whole, and more samples change nothing in them.
#[test]
fn rows_before_the_end() {
    for (extractor, behind) in
        [(json!({}), 641), (extractor("frames_of_25_ms"), 681), (extractor("preemphasis_plain"), 641)]
    {
        let config = config(extractor);
        for samples in 0..5000usize {
            let expected = (0..).take_while(|row| 640 * row + behind <= samples).count();
            assert_eq!(config.rows(samples, false), expected, "{samples}");
        }
    }
    let config = config(extractor("frames_of_25_ms"));
    assert_eq!((config.row_samples(), config.row_width()), (640, 680));
    let samples: Vec<f32> = (0..1300).map(|i| i as f32).collect();
    let rows = config.features(&samples, 1..3);
    assert_eq!(
        (rows.len(), rows[0], rows[659], rows[660], rows[680], rows[700]),
        (1360, 640.0, 1299.0, 0.0, 1280.0, 0.0)
    );
    assert_eq!(
        rows,
        [rows_of(&config.spectrogram, &samples[640..], 1), rows_of(&config.spectrogram, &samples[1280..], 1)].concat()
    );
}
