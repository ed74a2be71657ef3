//! What these tests share: adapters, fixtures, an encoder with its plans, comparison.

use percept::gpu::{AdapterChoice, Array, Gpu, GpuOptions, Plan, PlanBuilder, adapters};
use percept::kernels::stride;
use percept::models::gemma::Names;
use percept::models::gemma::sound::{SoundConfig, SoundEncoder, SoundWeights};
use percept::weights::{Checkpoint, Upload};
use percept::{Audio, Result};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Every adapter of the machine, opened once.
pub fn gpus() -> &'static [Arc<Gpu>] {
    static GPUS: OnceLock<Vec<Arc<Gpu>>> = OnceLock::new();
    GPUS.get_or_init(open_gpus)
}

/// The same opened for a test alone, whose accounts no other test changes.
pub fn open_gpus() -> Vec<Arc<Gpu>> {
    let open = |index| {
        let adapter = AdapterChoice::Index(index);
        Gpu::open(&GpuOptions { adapter, ..Default::default() }).unwrap()
    };
    let all: Vec<_> = adapters().iter().map(|a| open(a.index)).collect();
    assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
    all
}

/// The fixture of every day, and those of `PERCEPT_FIXTURES` that are of this family.
pub fn fixtures() -> Vec<PathBuf> {
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

/// The fixture of every day.
pub fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4-tiny-s0")
}

/// An encoder with everything that it needs, and a plan for many rows and one for one row.
pub struct Unit {
    pub gpu: Arc<Gpu>,
    pub config: SoundConfig,
    pub encoder: SoundEncoder,
    plans: [Plan; 2],
    out: Array<f32>,
    width: usize,
    _weights: SoundWeights,
}

/// How the tensors of folders are called.
pub const FOLDER: Names = Names::Folder { decoder: "model.language_model.", head: "lm_head.weight" };

/// States by name, and the log-mel frames.
pub type States = BTreeMap<String, Vec<f32>>;

impl Unit {
    pub fn open(gpu: &Arc<Gpu>, folder: &Path, most_rows: usize) -> Result<Unit> {
        let checkpoint = Checkpoint::open(folder)?;
        let processor = checkpoint.optional_json("processor_config.json")?;
        let config = SoundConfig::read(&checkpoint.config().object("audio_config")?, processor.as_ref())?;
        let width = checkpoint.config().object("text_config")?.usize("hidden_size", ..)?;
        let weights = SoundWeights::load(&Upload::new(gpu, &checkpoint, 0, &|_, _| {}), &config, FOLDER)?;
        let encoder = SoundEncoder::new(gpu, &config, most_rows)?;
        let out = gpu.array("out", most_rows.next_multiple_of(32) * stride(width))?;
        let plan = |rows| -> Result<Plan> {
            let mut plan = PlanBuilder::new(gpu);
            encoder.record_frames(&mut plan, &weights, rows)?;
            encoder.record_layers(&mut plan, &weights, rows, &out)?;
            plan.finish(&|_, _| {})
        };
        let plans = [plan(most_rows)?, plan(1)?];
        Ok(Unit { gpu: gpu.clone(), config, encoder, plans, out, width, _weights: weights })
    }

    /// Rows `first` to `end` of a sound of which `samples` are known.
    pub fn replay(&self, samples: &[f32], first: usize, end: usize, states: &mut States) {
        let mut add = |name: &str, values: Vec<f32>| states.entry(name.into()).or_default().extend(values);
        let features = self.config.features(samples, first..end);
        self.encoder.write(&self.gpu, first, &features, samples.len()).unwrap();
        let rows = end - first;
        self.plan(rows).trace(&self.gpu, rows as u32, |_| true, |tap, values| add(&tap.name, values)).unwrap();
        add("audio.out", self.out(rows).concat());
    }

    /// What is replayed for so many rows.
    pub fn plan(&self, rows: usize) -> &Plan {
        &self.plans[usize::from(rows == 1)]
    }

    /// The embeddings of the last replay.
    pub fn out(&self, rows: usize) -> Vec<Vec<f32>> {
        let all = self.gpu.read(&self.out).unwrap();
        all.chunks(stride(self.width)).take(rows).map(|row| row[..self.width].to_vec()).collect()
    }

    /// A sound in replays of so many rows.
    pub fn run(&self, samples: &[f32], chunk: usize) -> States {
        let mut states = States::new();
        let rows = self.config.rows(samples.len(), true);
        for first in (0..rows).step_by(chunk) {
            self.replay(samples, first, (first + chunk).min(rows), &mut states);
        }
        states
    }

    pub fn title(&self) -> String {
        self.gpu.adapter().title()
    }
}

/// `max |a - b| / max |b|`.
pub fn error(got: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1e-30f64, |most, v| most.max(f64::from(v.abs())));
    let gap = |(a, b): (&f32, &f32)| {
        let gap = (f64::from(*a) - f64::from(*b)).abs();
        if gap.is_nan() { f64::INFINITY } else { gap }
    };
    got.iter().zip(expected).map(gap).fold(0.0, f64::max) / scale
}

/// The recording of a fixture.
pub fn samples(folder: &Path) -> Vec<f32> {
    Audio::open(&folder.join("audio_0.wav")).unwrap().samples
}

/// The states of the encoder in a recorded case.
pub fn recorded(folder: &Path, case: &str) -> States {
    let bytes = std::fs::read(folder.join(format!("cases/{case}.safetensors"))).unwrap();
    let all = SafeTensors::deserialize(&bytes).unwrap();
    let ours = |name: &&str| name.starts_with("audio.") || *name == "input_features";
    let floats = |name: &str| {
        let view = all.tensor(name).unwrap();
        view.data().as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    };
    all.names().into_iter().filter(ours).map(|name| (name.to_string(), floats(name))).collect()
}
