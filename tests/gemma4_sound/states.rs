//! The encoder's states against the recorded ones, as a whole and as the sound comes in.

use crate::support::*;
use crate::variant::Variant;
use percept::Error;
use percept::models::gemma::sound::SoundConfig;
use percept::weights::Checkpoint;
use std::collections::BTreeMap;
use std::path::Path;

/// Greatest relative error of a state, `max |a - b| / max |b|`, and of preprocessing.
const TOLERANCE: f64 = 1e-4;
const PREPARED_TOLERANCE: f64 = 1e-5;

/// Every state of a case; frames behind the last row are masked in the recording.
fn compare(unit: &Unit, states: &States, folder: &Path, case: &str, what: &str) {
    let recorded = recorded(folder, case);
    assert!(recorded.contains_key("audio.out") && recorded.contains_key("input_features"));
    let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
    for (name, expected) in &recorded {
        let mut got = states[name].clone();
        let allowed = if name == "input_features" { PREPARED_TOLERANCE } else { TOLERANCE };
        if name == "input_features" {
            let frames = unit.config.frames(samples(folder).len());
            assert_eq!(expected.len(), frames * unit.config.spectrogram.mels, "{name}");
            got.resize(expected.len(), 0.0);
        }
        let error = error(&got, expected);
        assert!(error <= allowed, "{what} of {}, {name}: {error:.1e} on {}", folder.display(), unit.title());
        worst.insert(if name.starts_with("audio.layer") { "layers" } else { name }, error);
    }
    let text: Vec<String> = worst.iter().map(|(name, error)| format!("{name} {error:.1e}")).collect();
    let folder = folder.file_name().unwrap().to_string_lossy();
    println!("{folder} {case}, {what}, {}: {}", unit.title(), text.join(", "));
}

#[test]
fn states_equal_the_recording() {
    for folder in fixtures() {
        for gpu in gpus() {
            let unit = Unit::open(gpu, &folder, 24).unwrap();
            let samples = samples(&folder);
            let whole = unit.run(&samples, 24);
            compare(&unit, &whole, &folder, "audio", "whole");
            compare(&unit, &whole, &folder, "image_audio", "whole");
            for chunk in [1, 3, 7] {
                let parts = unit.run(&samples, chunk);
                compare(&unit, &parts, &folder, "audio", &format!("{chunk} rows at a time"));
                for (name, values) in &parts {
                    assert!(error(values, &whole[name]) <= 1e-5, "{name} in chunks of {chunk}");
                }
            }
        }
    }
}

#[test]
fn tensors_are_those_of_the_checkpoint() {
    for folder in fixtures() {
        let checkpoint = Checkpoint::open(&folder).unwrap();
        let processor = checkpoint.optional_json("processor_config.json").unwrap();
        let config = checkpoint.config();
        let width = config.object("text_config").unwrap().usize("hidden_size", ..).unwrap();
        let sound = SoundConfig::read(&config.object("audio_config").unwrap(), processor.as_ref()).unwrap();
        let mut expected = BTreeMap::new();
        for tensor in sound.tensors(width, FOLDER) {
            assert_eq!(checkpoint.tensor(&tensor.name).unwrap().shape, tensor.shape, "{}", tensor.name);
            expected.insert(tensor.name, ());
        }
        for tensor in checkpoint.tensors().filter(|t| t.name.contains("audio")) {
            assert!(expected.contains_key(tensor.name), "{} is not expected", tensor.name);
        }
    }
}

/// Samples come in pieces of any length; rows are read as soon as nothing in them can change.
#[test]
fn rows_follow_as_samples_come() {
    for gpu in gpus() {
        let unit = Unit::open(gpu, &fixture(), 8).unwrap();
        let samples = samples(&fixture());
        let whole = unit.run(&samples, 8);
        let (mut known, mut done, mut states) = (0, 0, States::new());
        for step in (0..).map(|n| 1 + n * 379 % 1500) {
            known = (known + step).min(samples.len());
            let rows = unit.config.rows(known, known == samples.len());
            // A token and its last frame, which must be whole.
            assert!(rows * 640 + 640 >= known.saturating_sub(1), "{rows} rows of {known} samples");
            while done < rows {
                let end = rows.min(done + 8);
                unit.replay(&samples[..known], done, end, &mut states);
                done = end;
            }
            if known == samples.len() {
                break;
            }
        }
        for (name, values) in &states {
            assert!(error(values, &whole[name]) <= 1e-5, "{name} on {}", unit.title());
        }
    }
}

/// Nothing of a sound is left in the one that follows it.
#[test]
fn another_sound_begins_anew() {
    for gpu in gpus() {
        let unit = Unit::open(gpu, &fixture(), 5).unwrap();
        let samples = samples(&fixture());
        let first = unit.run(&samples, 5);
        let loud: Vec<f32> = samples.iter().rev().map(|v| 40.0 * v).collect();
        assert!(error(&unit.run(&loud, 5)["audio.out"], &first["audio.out"]) > 0.1);
        assert_eq!(unit.run(&samples, 5), first);
        assert_eq!(unit.run(&[0.1; 160], 5).len(), 0);
        let one = unit.run(&samples[..161], 5);
        assert_eq!(one["audio.out"].len(), first["audio.out"].len() / 20);
        assert!(one["audio.out"].iter().all(|v| v.is_finite()));
    }
}

/// Ten minutes that repeat every 13 rows: memory stays as it was, and the last repetition is as one of the first minute.
#[test]
fn ten_minutes_in_constant_memory() {
    for gpu in &open_gpus() {
        let unit = Unit::open(gpu, &fixture(), 64).unwrap();
        let (period, rows) = (13, 15_000);
        let tune = &samples(&fixture())[..period * unit.config.row_samples()];
        let seconds = rows * unit.config.row_samples() / unit.config.spectrogram.sample_rate;
        assert_eq!(seconds, 600);
        let (before, made) = (gpu.held_bytes(), gpu.counts());
        let mut out = BTreeMap::new();
        for first in (0..rows).step_by(64) {
            let end = (first + 64).min(rows);
            let features: Vec<f32> =
                (first..end).flat_map(|row| unit.config.features(tune, row % period..row % period + 1)).collect();
            // There is one more sample than the last row needs.
            unit.encoder.write(gpu, first, &features, rows * unit.config.row_samples() + 1).unwrap();
            unit.plan(end - first).run(gpu, (end - first) as u32).unwrap();
            if first == 640 || end == rows {
                let got = unit.out(end - first);
                out.extend(got.into_iter().enumerate().map(|(row, values)| (first + row, values)));
            }
        }
        let readbacks = gpu.counts();
        assert_eq!((gpu.held_bytes(), readbacks.bind_groups), (before, made.bind_groups));
        assert!(readbacks.buffers - made.buffers <= 2, "only what was read back made buffers");
        let last = rows - 1;
        let early = (640..704).find(|row| row % period == last % period).unwrap();
        assert!(error(&out[&last], &out[&early]) <= 1e-5, "on {}", unit.title());
        assert!(error(&out[&last], &out[&(early + 1)]) > 1e-3, "the rows differ within the tune");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let gpu = &gpus()[0];
    let unit = Unit::open(gpu, &fixture(), 3).unwrap();
    let says = |error: Error| error.to_string();
    let too_many = unit.encoder.write(gpu, 0, &vec![0.0; 4 * 640], 0).unwrap_err();
    assert_eq!(says(too_many), "array rows of samples holds 2560 values, its shape asks for 1920");
    let uneven = unit.encoder.write(gpu, 0, &[0.0; 641], 0).unwrap_err();
    assert!(says(uneven).contains("641"));
    let beyond = unit.encoder.write(gpu, SoundConfig::MOST_SAMPLES / 640, &[0.0; 640], 0).unwrap_err();
    assert!(says(beyond).contains("longer than 2147483648 samples"));
    for rows in [0, 20_000] {
        let Err(error) = Unit::open(gpu, &fixture(), rows) else { panic!("{rows} rows were taken") };
        assert_eq!(says(error), format!("rows of sound are {rows}, expected 1 to 16383"));
    }
}

/// Bounds may be infinite, also both the wrong way round, but not NaN.
#[test]
fn bounds_of_projections() {
    let gpu = &gpus()[0];
    let name = "model.audio_tower.layers.0.self_attn.k_proj.input_min";
    let with = |value: f32| {
        let mut variant = Variant::of("gemma4-tiny-s0");
        let tensor = variant.tensors.iter_mut().find(|t| t.0 == name).unwrap();
        tensor.2 = value.to_le_bytes().to_vec();
        let folder = variant.write(&[]);
        Unit::open(gpu, folder.path(), 24).map(|unit| unit.run(&samples(&fixture()), 24)["audio.out"].clone())
    };
    let free = with(f32::NEG_INFINITY).unwrap();
    assert!(free.iter().all(|v| v.is_finite()));
    assert_eq!(free, with(-1e6).unwrap());
    assert!(with(f32::INFINITY).unwrap().iter().all(|v| v.is_finite()));
    let Err(error) = with(f32::NAN) else { panic!("NaN was taken") };
    assert!(error.to_string().contains("input_min holds NaN"), "{error}");
}
