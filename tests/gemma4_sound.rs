//! The spectrogram encoder of Gemma 4 against the recorded states of its reference, as a whole and as the sound comes in.

use percept::Error;
use percept::gpu::{AdapterChoice, Array, Gpu, GpuOptions, Plan, PlanBuilder, adapters};
use percept::kernels::stride;
use percept::models::gemma4::sound::{SoundConfig, SoundEncoder, SoundWeights};
use percept::weights::{Checkpoint, Fields, Upload};
use percept::{Audio, Result};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Greatest relative error of a state, `max |a - b| / max |b|`, and of preprocessing.
const TOLERANCE: f64 = 1e-4;
const PREPARED_TOLERANCE: f64 = 1e-5;

fn gpus() -> &'static [Arc<Gpu>] {
    static GPUS: OnceLock<Vec<Arc<Gpu>>> = OnceLock::new();
    GPUS.get_or_init(|| {
        let open = |index| {
            let adapter = AdapterChoice::Index(index);
            Gpu::open(&GpuOptions { adapter, ..Default::default() }).unwrap()
        };
        let all: Vec<_> = adapters().iter().map(|a| open(a.index)).collect();
        assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
        all
    })
}

/// The fixture of every day, and those of `PERCEPT_FIXTURES` that are of this family.
fn fixtures() -> Vec<PathBuf> {
    let mut all = vec![fixture()];
    if let Some(list) = std::env::var_os("PERCEPT_FIXTURES") {
        let family = |folder: &Path| {
            let checkpoint = Checkpoint::open(folder).unwrap();
            checkpoint.config().optional_string("model_type").unwrap().is_some_and(|kind| kind == "gemma4")
        };
        all.extend(std::env::split_paths(&list).filter(|folder| family(folder)));
    }
    all
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4-tiny-s0")
}

/// An encoder with everything that it needs, and a plan for many rows and one for one row.
struct Unit {
    gpu: Arc<Gpu>,
    config: SoundConfig,
    encoder: SoundEncoder,
    plans: [Plan; 2],
    out: Array<f32>,
    width: usize,
    _weights: SoundWeights,
}

/// States by name, and the log-mel frames.
type States = BTreeMap<String, Vec<f32>>;

impl Unit {
    fn open(gpu: &Arc<Gpu>, folder: &Path, most_rows: usize) -> Result<Unit> {
        let checkpoint = Checkpoint::open(folder)?;
        let processor = checkpoint.optional_json("processor_config.json")?;
        let config = SoundConfig::read(&checkpoint.config().object("audio_config")?, processor.as_ref())?;
        let width = checkpoint.config().object("text_config")?.usize("hidden_size", ..)?;
        let weights = SoundWeights::load(&Upload::new(gpu, &checkpoint, &|_, _| {}), &config)?;
        let encoder = SoundEncoder::new(gpu, &config, most_rows)?;
        let out = gpu.array("out", most_rows.next_multiple_of(32) * stride(width))?;
        let plan = |rows| -> Result<Plan> {
            let mut plan = PlanBuilder::new(gpu);
            encoder.record(&mut plan, &weights, rows, &out)?;
            plan.finish(&|_, _| {})
        };
        let plans = [plan(most_rows)?, plan(1)?];
        Ok(Unit { gpu: gpu.clone(), config, encoder, plans, out, width, _weights: weights })
    }

    /// Rows `first` to `end` of a sound of which `samples` are known.
    fn replay(&self, samples: &[f32], first: usize, end: usize, states: &mut States) {
        let mut add = |name: &str, values: Vec<f32>| states.entry(name.into()).or_default().extend(values);
        let features = self.config.features(samples, first..end);
        self.encoder.write(&self.gpu, first, &features, samples.len()).unwrap();
        let rows = end - first;
        let plan = &self.plans[usize::from(rows == 1)];
        plan.trace(&self.gpu, rows as u32, |tap, values| add(&tap.name, values)).unwrap();
        add("input_features", self.encoder.log_mel(&self.gpu, first, rows).unwrap());
        let all = self.gpu.read(&self.out).unwrap();
        let seen = all.chunks(stride(self.width)).take(rows).flat_map(|row| row[..self.width].to_vec());
        add("out", seen.collect());
    }

    /// A sound in replays of so many rows.
    fn run(&self, samples: &[f32], chunk: usize) -> States {
        let mut states = States::new();
        let rows = self.config.rows(samples.len(), true);
        for first in (0..rows).step_by(chunk) {
            self.replay(samples, first, (first + chunk).min(rows), &mut states);
        }
        states
    }

    fn title(&self) -> String {
        self.gpu.adapter().title()
    }
}

fn error(got: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1e-30f64, |most, v| most.max(f64::from(v.abs())));
    let gap = |(a, b): (&f32, &f32)| {
        let gap = (f64::from(*a) - f64::from(*b)).abs();
        if gap.is_nan() { f64::INFINITY } else { gap }
    };
    got.iter().zip(expected).map(gap).fold(0.0, f64::max) / scale
}

fn samples(folder: &Path) -> Vec<f32> {
    Audio::open(&folder.join("audio_0.wav")).unwrap().samples
}

fn recorded(folder: &Path, case: &str) -> States {
    let bytes = std::fs::read(folder.join(format!("cases/{case}.safetensors"))).unwrap();
    let all = SafeTensors::deserialize(&bytes).unwrap();
    let ours = |name: &&str| name.starts_with("audio.") || *name == "input_features";
    let floats = |name: &str| {
        let view = all.tensor(name).unwrap();
        view.data().as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    };
    all.names().into_iter().filter(ours).map(|name| (name.to_string(), floats(name))).collect()
}

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
            assert_eq!(whole["out"], whole["audio.out"]);
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
        for tensor in sound.tensors(width) {
            assert_eq!(checkpoint.tensor(&tensor.name).unwrap().shape, tensor.shape, "{}", tensor.name);
            expected.insert(tensor.name, ());
        }
        for tensor in checkpoint.tensors().filter(|t| t.name.contains("audio")) {
            assert!(expected.contains_key(tensor.name), "{} is not expected", tensor.name);
        }
    }
}
