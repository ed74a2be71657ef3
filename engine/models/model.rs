//! A loaded model: weights on the GPU, tokenizer, template, and how its publisher would have it sampled.

use super::Runtime;
use super::gemma::{self, Config};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::text::{Template, Tokenizer};
use crate::weights::{Checkpoint, Fields, GgufFile};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What can be loaded. A family is added here.
static FAMILIES: &[Family] = &[super::gemma4_unified::FAMILY, super::gemma4::FAMILY, super::gemma3::FAMILY];

/// Checkpoints that are read by the same code.
pub(super) struct Family {
    /// `model_type`s of their folders.
    pub names: &'static [&'static str],
    /// What such a folder says of itself.
    pub read: fn(&Checkpoint, &'static str) -> Result<Config>,
    /// Their GGUF files, if those can be read.
    pub gguf: Option<Gguf>,
}

/// GGUF files of a family.
pub(super) struct Gguf {
    /// The architecture that they name.
    pub architecture: &'static str,
    /// What sees and hears lies in a file of its own.
    pub projector: bool,
    /// What such a file says of itself, with the projector if there is one.
    pub read: fn(&GgufFile, Option<&GgufFile>) -> Result<Config>,
}

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
    /// Most tokens of a picture; as many as its processor says if `None`.
    pub image_tokens: Option<usize>,
}

impl Default for LoadOptions<'_> {
    fn default() -> Self {
        LoadOptions { progress: &|_| {}, image_tokens: None }
    }
}

/// The `model_type` of a checkpoint, or the architecture of a GGUF file, if it is one that can be loaded.
///
/// # Errors
/// [`Error::UnsupportedModel`] for another one, [`Error::Config`] if there is none.
pub fn family(checkpoint: &Checkpoint) -> Result<&'static str> {
    registered(checkpoint).map(|(_, name)| name)
}

/// The family of a `model_type`, or of a GGUF file's architecture, before there are weights; `path` is named in errors.
///
/// # Errors
/// [`Error::UnsupportedModel`] if it cannot be loaded.
pub fn family_named(path: &Path, name: &str, gguf: bool) -> Result<&'static str> {
    lookup(path, name, gguf).map(|(_, name)| name)
}

/// Whether what sees and hears lies beside GGUF files of this architecture, in a projector.
pub fn has_projector(architecture: &str) -> bool {
    let mut all = FAMILIES.iter().filter_map(|family| family.gguf.as_ref());
    all.any(|gguf| gguf.architecture == architecture && gguf.projector)
}

/// What a checkpoint says of itself, read by its family.
///
/// # Errors
/// As [`family`], and [`Error::Config`] naming the first field that is missing, out of range or not supported.
pub fn config(checkpoint: &Checkpoint) -> Result<Config> {
    let (family, name) = registered(checkpoint)?;
    match (checkpoint.gguf(), &family.gguf) {
        (Some(file), Some(gguf)) => (gguf.read)(file, checkpoint.projector()),
        _ => (family.read)(checkpoint, name),
    }
}

fn registered(checkpoint: &Checkpoint) -> Result<(&'static Family, &'static str)> {
    match checkpoint.gguf() {
        Some(file) => lookup(file.path(), file.architecture()?, true),
        None => lookup(checkpoint.config().file(), checkpoint.config().string("model_type")?, false),
    }
}

/// The family that a name belongs to, and the name.
fn lookup(path: &Path, name: &str, gguf: bool) -> Result<(&'static Family, &'static str)> {
    let known = || {
        FAMILIES.iter().flat_map(move |family| {
            let architecture = family.gguf.as_ref().map(|gguf| std::slice::from_ref(&gguf.architecture));
            let names = if gguf { architecture.unwrap_or_default() } else { family.names };
            names.iter().map(move |name| (family, *name))
        })
    };
    let supported = || known().map(|(_, name)| name).collect::<Vec<_>>().join(", ");
    known().find(|(_, known)| *known == name).ok_or_else(|| Error::UnsupportedModel {
        path: path.into(),
        found: name.into(),
        supported: supported(),
    })
}

/// Its tokenizer.
///
/// # Errors
/// What is wrong with `tokenizer.json` or the metadata.
pub fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer> {
    match checkpoint.gguf() {
        Some(file) => Tokenizer::from_gguf(file),
        None => Tokenizer::open(checkpoint.folder()),
    }
}

/// Its chat template, if it has one.
///
/// # Errors
/// [`Error::Template`] if it cannot be used.
pub fn template(checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> Result<Option<Template>> {
    match checkpoint.gguf() {
        Some(file) => Template::from_gguf(file, tokenizer),
        None => Template::open(checkpoint.folder()),
    }
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
    config: Config,
    weights: gemma::Weights,
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
    /// Loads a checkpoint folder as published (`config.json`, safetensors, `tokenizer.json`, and what else is there), or a
    /// GGUF file.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] for another family; whatever is wrong with one of the files; [`Error::Argument`] for
    /// options that do not fit; [`Error::OutOfMemory`].
    pub fn load(gpu: &Arc<Gpu>, path: &Path, options: &LoadOptions<'_>) -> Result<Model> {
        let checkpoint = Checkpoint::open(path)?;
        let mut config = config(&checkpoint)?;
        if let Some(tokens) = options.image_tokens {
            config.set_image_tokens(tokens)?;
        }
        let folder = checkpoint.folder().to_path_buf();
        if config.idle_vision {
            tracing::warn!("{}: its vision tower is not used, the model reads text alone", folder.display());
        }
        let tokenizer = tokenizer(&checkpoint)?;
        check_ids(&checkpoint, &config, &tokenizer)?;
        let template = template(&checkpoint, &tokenizer)?;
        let defaults = Defaults::of(&checkpoint, &tokenizer)?;
        let progress = |done, total| (options.progress)(Progress::Weights { done, total });
        let before = gpu.held_bytes();
        let weights = gemma::Weights::load(&checkpoint, &config, gpu, &progress)?;
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
    pub fn config(&self) -> &Config {
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
    /// [`Error::NoTemplate`] if it has none.
    pub fn template(&self) -> Result<&Template> {
        self.template.as_ref().ok_or_else(|| Error::NoTemplate { model: self.folder.clone() })
    }

    /// Whether it has a chat template; without one it continues text and holds no conversation.
    pub fn has_template(&self) -> bool {
        self.template.is_some()
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
        let runtime = gemma::runtime(&self.config, &self.weights, &self.gpu, context, &compiled)?;
        self.gpu.save_pipelines();
        Ok(runtime)
    }
}

/// Every id that text can hold must have a row in the embedding. Special tokens need none: published folders of text alone
/// name the placeholder of pictures behind the last row.
fn check_ids(checkpoint: &Checkpoint, config: &Config, tokenizer: &Tokenizer) -> Result<()> {
    let words = config.vocab_size;
    let greatest = tokenizer.greatest_plain_id();
    let fields = checkpoint.config();
    if greatest as usize >= words {
        return Err(match checkpoint.gguf() {
            Some(file) => {
                let problem = format!("has a token with id {greatest}, but the embedding has {words} rows");
                file.metadata().error("tokenizer.ggml.tokens", problem)
            }
            None => {
                let problem = format!(
                    "is {words}, but tokenizer.json has a token with id {greatest}; they are of different models"
                );
                let name = if fields.has("text_config") { "text_config.vocab_size" } else { "vocab_size" };
                fields.error(name, problem)
            }
        });
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
    fn of(checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> Result<Defaults> {
        if let Some(file) = checkpoint.gguf() {
            return Defaults::of_gguf(file, tokenizer);
        }
        let fields = checkpoint.config();
        match checkpoint.optional_json("generation_config.json")? {
            Some(generation) => Defaults::read(&generation),
            None if fields.has("text_config") => Defaults::read(&fields.object("text_config")?),
            None => Defaults::read(fields),
        }
    }

    /// What the file recommends, or what the publisher of Gemma 3 does.
    fn of_gguf(file: &GgufFile, tokenizer: &Tokenizer) -> Result<Defaults> {
        let metadata = file.metadata();
        let within = |name: &str, usual: f32, low: f32, high: f32| -> Result<f32> {
            let key = format!("general.sampling.{name}");
            let value = metadata.optional_f32(&key)?.unwrap_or(usual);
            if (low..=high).contains(&value) {
                Ok(value)
            } else {
                Err(metadata.error(&key, format!("is {value}, expected {low} to {high}")))
            }
        };
        let eos = metadata.optional_usize("tokenizer.ggml.eos_token_id", 0..1 << 31)?.map(|id| id as u32);
        let mut stop_ids: Vec<u32> = eos.into_iter().chain(tokenizer.token_id("<end_of_turn>")).collect();
        stop_ids.dedup();
        Ok(Defaults {
            temperature: within("temp", 1.0, 0.0, 100.0)?,
            top_k: metadata.optional_usize("general.sampling.top_k", 0..1 << 24)?.unwrap_or(64) as u32,
            top_p: within("top_p", 0.95, 0.0, 1.0)?,
            min_p: within("min_p", 0.0, 0.0, 1.0)?,
            repetition_penalty: within("penalty_repeat", 1.0, 0.01, 100.0)?,
            stop_ids,
        })
    }

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
