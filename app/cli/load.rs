//! From the options of a command to an open adapter and a loaded model.

use super::failure::Usage;
use super::output::Output;
use super::sampling::at_least_one;
use crate::hub::Wanted;
use crate::store::models::{Findings, Found, Places, Store};
use crate::store::names::{Meant, resolve};
use crate::store::seedling;
use anyhow::Result;
use percept::gpu::{AdapterChoice, Gpu, GpuOptions, adapters};
use percept::models::{LoadOptions, Model};
use percept::self_test;
use percept::session::{Session, SessionOptions};
use percept::weights::Fields;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which model, where, and how much of a conversation it keeps.
#[derive(clap::Args)]
#[command(next_help_heading = "Model and adapter")]
pub struct LoadArgs {
    /// A GGUF file, a checkpoint folder as published (config.json, tokenizer.json, model.safetensors) or one of its files, or
    /// a name of `percept models list`.
    #[arg(long, short, value_name = "MODEL")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub adapter: AdapterArgs,
    #[command(flatten)]
    pub sight: SightArgs,
    /// Tokens that the conversation may hold; 8192 or the model's limit if not given.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub context: Option<usize>,
    /// A system message: who the model is and how it should answer.
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Let the model think before it answers, if it can; thoughts are dimmed, on standard error.
    #[arg(long)]
    pub think: bool,
}

/// How finely it looks.
#[derive(Clone, Default, clap::Args)]
pub struct SightArgs {
    /// Most tokens of a picture: fewer are faster, more show smaller things; Gemma 4 was taught 70, 140, 280, 560 and 1120.
    /// What the model's processor says if not given.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub image_tokens: Option<usize>,
}

/// Which adapter.
#[derive(Clone, Default, clap::Args)]
pub struct AdapterArgs {
    /// A backend (vulkan, metal, dx12, gl), part of an adapter's name, or its number in `percept doctor`; the variable
    /// PERCEPT_ADAPTER if not given.
    #[arg(long, value_name = "A")]
    adapter: Option<String>,
}

impl AdapterArgs {
    /// What a person asked for.
    pub fn asked(&self) -> Option<String> {
        self.adapter.clone().or_else(|| std::env::var("PERCEPT_ADAPTER").ok().filter(|name| !name.is_empty()))
    }

    /// What the engine calls it.
    pub fn choice(&self) -> AdapterChoice {
        // Every text is a choice.
        self.asked().map_or(AdapterChoice::Best, |text| text.parse().unwrap_or_default())
    }

    /// Opens it, and says so if it is slow and nobody asked for it.
    ///
    /// # Errors
    /// As [`AdapterArgs::open_quietly`].
    pub fn open(&self, output: &Output) -> Result<Arc<Gpu>> {
        let gpu = self.open_quietly()?;
        if self.asked().is_none() && gpu.capabilities().software {
            output.note(&format!(
                "{} computes on the CPU, so it takes its time; `percept doctor` tells how to get a GPU to work",
                gpu.adapter().title()
            ));
        }
        Ok(gpu)
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`Gpu::open`]; a name that no adapter has is a mistake of usage.
    pub fn open_quietly(&self) -> Result<Arc<Gpu>> {
        open_gpu(self.choice(), self.asked().is_some())
    }
}

/// Opens an adapter.
///
/// # Errors
/// As [`Gpu::open`]; a name that no adapter has is a mistake of usage.
pub fn open_gpu(adapter: AdapterChoice, asked: bool) -> Result<Arc<Gpu>> {
    let options = GpuOptions { adapter, ..GpuOptions::default() };
    Gpu::open(&options).map_err(|error| match error {
        percept::Error::NoAdapter { .. } if asked && !adapters().is_empty() => {
            anyhow::Error::new(Usage(error.to_string()))
        }
        other => other.into(),
    })
}

impl LoadArgs {
    /// Opens the adapter and loads the model.
    ///
    /// # Errors
    /// Whatever is wrong with either.
    pub fn load(&self, output: &Output) -> Result<Arc<Model>> {
        let folder = self.folder()?;
        let gpu = self.adapter.open(output)?;
        check(&gpu, output)?;
        load(&gpu, &folder, &self.sight, output)
    }

    /// Where the model is.
    ///
    /// # Errors
    /// As [`find`].
    pub fn folder(&self) -> Result<PathBuf> {
        folder(self.model.as_deref())
    }

    /// A conversation as asked for.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn session(&self, model: &Arc<Model>, system: Option<&str>, output: &Output) -> Result<Session> {
        let options = SessionOptions { context: self.context, system: system.map(Into::into), thinking: self.think };
        let loading = output.loading("");
        Ok(Session::new(model, &options, &|progress| loading.tell(progress))?)
    }
}

/// The quick self-test, the first time that this adapter and driver are seen.
///
/// # Errors
/// If the adapter computes wrongly even without optional features.
pub fn check(gpu: &Gpu, output: &Output) -> Result<()> {
    let verdict = self_test::ensure(gpu)?;
    if !verdict.remembered {
        let seconds = verdict.time.as_secs_f64();
        output.note(&format!("checked the kernels on this adapter, once for this driver ({seconds:.1} s)"));
    }
    for finding in &verdict.findings {
        output.note(&format!("not used on this adapter, since it computes wrongly: {finding}"));
    }
    Ok(())
}

/// Loads a checkpoint to an open adapter.
///
/// # Errors
/// As [`Model::load`].
pub fn load(gpu: &Arc<Gpu>, folder: &Path, sight: &SightArgs, output: &Output) -> Result<Arc<Model>> {
    let name = folder.display().to_string();
    let loading = output.loading(&name);
    let options = LoadOptions { progress: &|progress| loading.tell(progress), image_tokens: sight.image_tokens };
    Ok(Arc::new(Model::load(gpu, folder, &options)?))
}

/// Where a model is: that of this name, else the built-in one.
///
/// # Errors
/// As [`find`].
pub fn folder(model: Option<&Path>) -> Result<PathBuf> {
    match model {
        Some(path) => find(path),
        None => default_model(),
    }
}

/// The model that is used when none is named: the built-in one.
fn default_model() -> Result<PathBuf> {
    if seedling::is_here() {
        return seedling::folder();
    }
    let problem = "no model: this program was built without its own; name a checkpoint folder, a GGUF file or one of `percept models \
         list` with --model MODEL; `percept models pull` tells where to begin";
    Err(Usage(problem.into()).into())
}

/// Where a model is: the path itself if something is there, else what is called so in the stores of other programs.
///
/// # Errors
/// A sentence that lists those that are meant, or those called alike and where they were looked for.
pub fn find(name: &Path) -> Result<PathBuf> {
    let text = match name.to_str() {
        // What can only be a path is looked for nowhere else.
        Some(text) if !name.is_absolute() && !text.starts_with('.') && name.symlink_metadata().is_err() => text,
        _ => return existing(name, "a checkpoint folder or GGUF file"),
    };
    let places = Places::of_this_user();
    let findings = places.find();
    let nowhere = matches!(resolve(&findings.models, text), Meant::None(_));
    let found = named(&places, &findings, text).map_err(|error| match Wanted::parse(text) {
        Ok(_) if nowhere => {
            Usage(format!("{error}; `percept models pull {text}` downloads a model of the Hugging Face hub")).into()
        }
        _ => error,
    });
    match found? {
        Found { store: Store::BuiltIn, .. } => seedling::folder(),
        model => match model.problem() {
            None => Ok(model.path.clone()),
            Some(problem) => Err(Usage(format!("{} cannot be used: {problem}", called(model))).into()),
        },
    }
}

/// The one model that is called so.
///
/// # Errors
/// A sentence that lists those that are meant, or those called alike and where they were looked for.
pub fn named<'a>(places: &Places, findings: &'a Findings, text: &str) -> Result<&'a Found> {
    let list = |models: &[&Found]| models.iter().map(|model| called(model)).collect::<Vec<_>>().join(", ");
    let problem = match resolve(&findings.models, text) {
        Meant::One(model) => return Ok(model),
        Meant::Several(models) => format!("{text} can mean {}; name one of them", list(&models)),
        Meant::None(near) => {
            let near = match &near[..] {
                [] => String::new(),
                near => format!("; called alike: {}", list(near)),
            };
            let looked: Vec<String> = places.folders().map(|path| path.display().to_string()).collect();
            format!(
                "{text} does not exist and no model is called so{near}; expected a checkpoint folder, a GGUF file or one of `percept models \
                 list`, which looks in {}",
                looked.join(", ")
            )
        }
    };
    Err(Usage(problem).into())
}

/// A model's name with its store's.
fn called(model: &Found) -> String {
    format!("{}:{}", model.store.prefix(), model.name)
}

/// The path, if something is there.
///
/// # Errors
/// A sentence naming it.
pub fn existing(path: &Path, what: &str) -> Result<PathBuf> {
    match path.metadata() {
        Ok(_) => Ok(path.into()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(Usage(format!("{} does not exist; expected {what}", path.display())).into())
        }
        Err(e) => Err(Usage(format!("cannot read {}: {e}; expected {what}", path.display())).into()),
    }
}

/// Seconds of sound that the model's publisher documents as its most, if they do.
pub fn documented_sound_s(model: &Model) -> Option<f64> {
    let sound = model.config().sound.as_ref()?;
    let processor = Fields::open(&model.folder().join("processor_config.json")).ok()?;
    let tokens = processor.optional_usize("audio_seq_length", 1..1 << 24).ok()??;
    Some((tokens * sound.frame_samples) as f64 / f64::from(sound.sample_rate))
}
