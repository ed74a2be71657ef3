//! A loaded model: weights on the GPU, tokenizer, template, and how its publisher would have it sampled.

use super::{Runtime, gemma4_unified};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::text::{Template, Tokenizer};
use crate::weights::{Checkpoint, Fields};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `model_type`s that can be loaded.
const FAMILIES: [&str; 1] = ["gemma4_unified"];

/// What is going on while a model loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes of weights on the GPU, of all.
    Weights {
        /// So far.
        done: u64,
        /// In all.
        total: u64,
    },
    /// Compiled shaders of a plan, of all.
    Shaders {
        /// So far.
        done: usize,
        /// In all.
        total: usize,
    },
}

/// Who is told of the progress.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Sync);

/// How a model is loaded.
#[derive(Clone, Copy)]
pub struct LoadOptions<'a> {
    /// Told of the progress.
    pub progress: OnProgress<'a>,
}

impl Default for LoadOptions<'_> {
    fn default() -> Self {
        LoadOptions { progress: &|_| {} }
    }
}

/// The `model_type` of a checkpoint, if it is one that can be loaded.
///
/// # Errors
/// [`Error::UnsupportedModel`] for another one, [`Error::Config`] if there is none.
pub fn family(checkpoint: &Checkpoint) -> Result<&str> {
    let fields = checkpoint.config();
    let family = fields.string("model_type")?;
    if FAMILIES.contains(&family) {
        return Ok(family);
    }
    Err(Error::UnsupportedModel { path: fields.file().into(), found: family.into(), supported: FAMILIES.join(", ") })
}

/// Sampling as `generation_config.json` gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// 0 for greedy.
    pub temperature: f32,
    /// 0 for off.
    pub top_k: u32,
    /// 1 for off.
    pub top_p: f32,
    /// 0 for off.
    pub min_p: f32,
    /// 1 for off.
    pub repetition_penalty: f32,
    /// Ids that end an answer.
    pub stop_ids: Vec<u32>,
}

/// A loaded model; shared by the sessions that use it.
pub struct Model {
    gpu: Arc<Gpu>,
    folder: PathBuf,
    config: gemma4_unified::Config,
    weights: gemma4_unified::Weights,
    tokenizer: Tokenizer,
    special_tokens: Vec<String>,
    template: Option<Template>,
    defaults: Defaults,
    weight_bytes: u64,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("folder", &self.folder).field("gpu", &self.gpu).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads a checkpoint folder as published: `config.json`, safetensors, `tokenizer.json`, and what else is there.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] for another family; whatever is wrong with one of the files; [`Error::OutOfMemory`].
    pub fn load(gpu: &Arc<Gpu>, path: &Path, options: &LoadOptions<'_>) -> Result<Model> {
        let checkpoint = Checkpoint::open(path)?;
        let fields = checkpoint.config();
        family(&checkpoint)?;
        let config = gemma4_unified::Config::read(&checkpoint)?;
        let folder = checkpoint.folder().to_path_buf();
        let tokenizer = Tokenizer::open(&folder)?;
        check_ids(fields, &config, &tokenizer)?;
        let template = Template::open(&folder)?;
        let defaults = match checkpoint.optional_json("generation_config.json")? {
            Some(generation) => Defaults::read(&generation)?,
            None => Defaults::read(&fields.object("text_config")?)?,
        };
        let progress = |done, total| (options.progress)(Progress::Weights { done, total });
        let before = gpu.held_bytes();
        let weights = gemma4_unified::Weights::load(&checkpoint, &config, gpu, &progress)?;
        gpu.flush_writes("uploading weights")?;
        let weight_bytes = gpu.held_bytes() - before;
        let special_tokens = tokenizer.all_special_tokens();
        Ok(Model {
            gpu: gpu.clone(),
            folder,
            config,
            weights,
            tokenizer,
            special_tokens,
            template,
            defaults,
            weight_bytes,
        })
    }

    /// The adapter that it lies on.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// Where it was loaded from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its configuration.
    pub fn config(&self) -> &gemma4_unified::Config {
        &self.config
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Every special token as text.
    pub fn special_tokens(&self) -> &[String] {
        &self.special_tokens
    }

    /// Its chat template.
    ///
    /// # Errors
    /// [`Error::MissingFile`] if it has none.
    pub fn template(&self) -> Result<&Template> {
        let missing = || Error::MissingFile { folder: self.folder.clone(), file: "chat_template.jinja" };
        self.template.as_ref().ok_or_else(missing)
    }

    /// Sampling as its publisher would have it.
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// Bytes of weights on the GPU.
    pub fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// Bytes of weights that a decode step must read.
    pub fn decode_bytes(&self) -> u64 {
        self.weights.decode_bytes()
    }

    /// Memory and plans for one conversation of up to `context` positions.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], or [`Error::Driver`] for a shader that the driver refuses.
    pub fn runtime(&self, context: usize, progress: OnProgress<'_>) -> Result<Runtime> {
        let compiled = |done, total| progress(Progress::Shaders { done, total });
        let runtime = gemma4_unified::runtime(&self.config, &self.weights, &self.gpu, context, &compiled)?;
        self.gpu.save_pipelines();
        Ok(runtime)
    }
}

/// Every id that a prompt can hold must have a row in the embedding; only placeholders need none.
fn check_ids(fields: &Fields, config: &gemma4_unified::Config, tokenizer: &Tokenizer) -> Result<()> {
    let words = config.vocab_size;
    let greatest = tokenizer.greatest_id();
    if greatest as usize >= words {
        let problem =
            format!("is {words}, but tokenizer.json has a token with id {greatest}; they are of different models");
        return Err(fields.error("text_config.vocab_size", problem));
    }
    let ids = &config.media_ids;
    let needed = [
        ("text_config.pad_token_id", config.pad_token_id, true),
        ("boi_token_id", ids.image_ends[0], config.vision.is_some()),
        ("eoi_token_id", ids.image_ends[1], config.vision.is_some()),
        ("boa_token_id", ids.audio_ends[0], config.sound.is_some()),
        ("eoa_token_index", ids.audio_ends[1], config.sound.is_some()),
    ];
    match needed.iter().find(|(_, id, used)| *used && *id as usize >= words) {
        Some((name, id, _)) => Err(fields.error(name, format!("is {id}, beyond the {words} words of the vocabulary"))),
        None => Ok(()),
    }
}

impl Defaults {
    fn read(generation: &Fields) -> Result<Defaults> {
        let sampled = generation.optional_bool("do_sample")?.unwrap_or(true);
        let within = |name: &str, standard: f32, low: f32, high: f32| -> Result<f32> {
            let value = generation.optional_f32(name)?.unwrap_or(standard);
            if !(low..=high).contains(&value) {
                return Err(generation.error(name, format!("is {value}, expected {low} to {high}")));
            }
            Ok(value)
        };
        Ok(Defaults {
            temperature: if sampled { within("temperature", 1.0, 0.0, 100.0)? } else { 0.0 },
            top_k: generation.optional_usize("top_k", 0..1 << 24)?.unwrap_or(0) as u32,
            top_p: within("top_p", 1.0, 0.0, 1.0)?,
            min_p: within("min_p", 0.0, 0.0, 1.0)?,
            repetition_penalty: within("repetition_penalty", 1.0, 0.01, 100.0)?,
            stop_ids: generation.optional_ids("eos_token_id")?.unwrap_or_default(),
        })
    }
}
