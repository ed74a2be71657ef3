//! From a model's name to a conversation with it.

use super::Event;
use crate::cli::load::{folder, open_gpu};
use crate::store::seedling;
use anyhow::Result;
use percept::gpu::AdapterChoice;
use percept::models::{LoadOptions, Model, Progress};
use percept::self_test;
use percept::session::{Session, SessionOptions};
use percept::weights::Checkpoint;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// As for `--model`; the built-in one if `None`.
    pub model: Option<PathBuf>,
    /// As for `--adapter`.
    pub adapter: Option<String>,
    /// Positions of the cache.
    pub context: Option<usize>,
    /// Let it think before it answers.
    pub thinking: bool,
}

/// A model that answers.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// By which it was asked for, or its folder's.
    pub model: String,
    /// Title of the adapter.
    pub adapter: String,
    /// Number format of most weights: "bf16", "q4_k" …
    pub precision: String,
    /// Bytes of weights.
    pub weight_bytes: u64,
    /// Positions of the cache.
    pub context: usize,
    /// Whether it takes pictures, and tokens of one.
    pub image_tokens: Option<usize>,
    /// Whether it takes sound.
    pub hears: bool,
}

/// Loads it; what goes on is told.
///
/// # Errors
/// Whatever is wrong with the model or the adapter.
pub fn load(request: &LoadRequest, tell: &(dyn Fn(Event) + Sync)) -> Result<(Session, Loaded)> {
    let name = request.model.as_ref().map_or(seedling::NAME.into(), |path| path.display().to_string());
    let telling = |what: &'static str, share: f32| tell(Event::Loading { model: name.clone(), what, share });
    let told = |progress| match progress {
        Progress::Weights { done, total } => telling("Reading weights", done as f32 / total.max(1) as f32),
        Progress::Shaders { done, total } => telling("Preparing kernels", done as f32 / total.max(1) as f32),
    };
    telling("Looking for the model", 0.0);
    let folder = folder(request.model.as_deref())?;
    telling("Opening the graphics adapter", 0.0);
    let choice = request.adapter.as_ref().map_or(AdapterChoice::Best, |text| text.parse().unwrap_or_default());
    let gpu = open_gpu(choice, request.adapter.is_some())?;
    telling("Checking the kernels", 0.0);
    self_test::ensure(&gpu)?;
    let options = LoadOptions { progress: &told, image_tokens: None };
    let model = Arc::new(Model::load(&gpu, &folder, &options)?);
    let options = SessionOptions { context: request.context, system: None, thinking: request.thinking };
    let session = Session::new(&model, &options, &told)?;
    let config = model.config();
    let loaded = Loaded {
        model: name,
        adapter: gpu.adapter().title(),
        precision: precision(&Checkpoint::open(&folder)?),
        weight_bytes: model.weight_bytes(),
        context: session.context(),
        image_tokens: config.vision.as_ref().map(|vision| vision.most_tokens),
        hears: config.sound.is_some(),
    };
    Ok((session, loaded))
}

/// The number format in which most bytes are.
fn precision(checkpoint: &Checkpoint) -> String {
    let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
    for tensor in checkpoint.tensors() {
        *bytes.entry(tensor.dtype.name()).or_default() += tensor.bytes();
    }
    bytes.into_iter().max_by_key(|(_, bytes)| *bytes).map_or_else(String::new, |(name, _)| name.to_lowercase())
}
