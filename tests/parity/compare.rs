//! A trace against a recording: floats within a relative error, integers equal, the first wrong state named.

use percept::gpu::{AdapterChoice, Gpu, GpuOptions, adapters};
use percept::models::{LoadOptions, Model};
use percept::trace::{Case, Trace};
use safetensors::{Dtype, SafeTensors};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Greatest relative error of a state: `max |a - b| / max |b|`.
const TOLERANCE: f64 = 1e-4;
/// The same for preprocessing.
const PREPARED_TOLERANCE: f64 = 1e-5;

/// Every adapter, opened for a test as it is and taken for a GPU, which has other kernels.
pub fn gpus() -> Vec<Arc<Gpu>> {
    let all = adapters();
    assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
    let open = |index, as_gpu| {
        Gpu::open(&GpuOptions { adapter: AdapterChoice::Index(index), as_gpu, ..Default::default() }).unwrap()
    };
    all.iter().flat_map(|a| [open(a.index, false), open(a.index, true)]).collect()
}

/// Every case of the fixture on every adapter.
pub fn check_fixture(folder: &Path) {
    check_cases(folder, folder);
}

/// Every case of `folder` with its media there, on every adapter.
pub fn check_cases(model: &Path, folder: &Path) {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder.join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "{} has no cases", folder.display());
    let mut failures = Vec::new();
    for gpu in gpus() {
        let model = Arc::new(Model::load(&gpu, model, &LoadOptions::default()).unwrap());
        for path in &cases {
            let name = format!("{} on {}", path.file_stem().unwrap().to_string_lossy(), gpu.adapter().title());
            let name = if gpu.capabilities().software { name } else { format!("{name}, taken for a GPU") };
            let case = Case::open(path, folder).unwrap();
            let trace = Trace::run(&model, &case, &|_| {}).unwrap();
            match compare(&path.with_extension("safetensors"), &trace) {
                Ok(worst) => println!("{name}: worst {worst}"),
                Err(problem) => failures.push(format!("{name}: {problem}")),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// States in the order in which they are computed.
fn rank(name: &str) -> (usize, usize) {
    let stages = [
        "input_ids",
        "mm_token",
        "pixel",
        "image_",
        "video_",
        "num_",
        "input_feat",
        "vision.",
        "audio.",
        "embeddings",
        "per_layer",
        "layer.",
        "final_norm",
        "logits",
        "step.",
        "tokens",
    ];
    let stage = stages.iter().position(|s| name.starts_with(s)).unwrap_or(0);
    (stage, name.split('.').find_map(|part| part.parse().ok()).unwrap_or(0))
}

fn compare(recording: &Path, trace: &Trace) -> Result<String, String> {
    let bytes = std::fs::read(recording).unwrap();
    let recorded = SafeTensors::deserialize(&bytes).unwrap();
    let mut names: Vec<&str> = recorded.names().into_iter().filter(|name| !name.starts_with("alt.")).collect();
    names.sort_by_key(|name| rank(name));
    let mut worst = (0.0, String::new());
    for name in names {
        let view = recorded.tensor(name).unwrap();
        let data = view.data();
        match view.dtype() {
            Dtype::F32 => {
                let expected: Vec<f32> = data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
                let width = view.shape().last().copied().unwrap_or(1);
                let (shape, got) = trace.floats(name).ok_or(format!("{name} is missing"))?;
                if shape.last() != view.shape().last() || got.len() < expected.len() {
                    return Err(format!("{name}: shape {shape:?}, expected {:?}", view.shape()));
                }
                let got = &got[got.len() - expected.len()..];
                let error = relative_error(got, &expected);
                let prepared = name.starts_with("pixel") || name.starts_with("input_features");
                let allowed = if prepared { PREPARED_TOLERANCE } else { TOLERANCE };
                if error.0 > allowed || error.0.is_nan() {
                    return Err(format!(
                        "{name} is the first wrong state: relative error {:.1e}, allowed {allowed:.0e}, worst in row {} \
                         of {}",
                        error.0,
                        error.1 / width,
                        expected.len() / width
                    ));
                }
                if error.0 > worst.0 {
                    worst = (error.0, name.to_string());
                }
            }
            Dtype::I32 => {
                let expected: Vec<i32> = data.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
                let (_, got) = trace.integers(name).ok_or(format!("{name} is missing"))?;
                if got != expected {
                    let at = got.iter().zip(&expected).position(|(a, b)| a != b);
                    return Err(format!(
                        "{name}: {} values, expected {}, first differ at {at:?}",
                        got.len(),
                        expected.len()
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(format!("{:.1e} in {}", worst.0, worst.1))
}

fn relative_error(got: &[f32], expected: &[f32]) -> (f64, usize) {
    let scale = expected.iter().fold(1e-30f64, |most, v| most.max(f64::from(v.abs())));
    let mut worst = (0.0, 0);
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        let error = f64::from((a - b).abs()) / scale;
        if error.is_nan() {
            return (f64::NAN, i);
        }
        if error > worst.0 {
            worst = (error, i);
        }
    }
    worst
}
