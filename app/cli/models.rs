//! `percept models`: what checkpoints are, without loading them; and the commands that fetch and remove them.

mod catalogue;
mod list;
mod pull;
mod remove;

#[cfg(feature = "desktop")]
pub use remove::take_away;

use super::load::{AdapterArgs, find};
use super::output::Output;
use anyhow::Result;
use indicatif::{DecimalBytes, HumanCount};
use percept::gpu::Gpu;
use percept::models::gemma::{Config, Experts, LayerType, cache_bytes};
use percept::models::{config, family, template, tokenizer};
use percept::text::{Template, Tokenizer};
use percept::weights::{Checkpoint, Tensor};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Look at models, download and remove them.
#[derive(clap::Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(clap::Subcommand)]
enum ModelsCommand {
    List(list::ListArgs),
    Catalogue(catalogue::CatalogueArgs),
    Pull(pull::PullArgs),
    Show(ShowArgs),
    Remove(remove::RemoveArgs),
}

const EXAMPLES: &str = "\
Examples:
  percept models show gemma-4-12b-it
  percept models show gemma-4-12b-it --adapter vulkan --json
  percept models show gemma-3-270m-q4_k_m.gguf";

/// Tell what a checkpoint is and what it needs, without loading it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
struct ShowArgs {
    /// The checkpoint folder or GGUF file, or a name of `percept models list`.
    #[arg(value_name = "MODEL")]
    folder: PathBuf,
    #[command(flatten)]
    adapter: AdapterArgs,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Carries it out.
///
/// # Errors
/// Whatever is wrong with the checkpoint.
pub fn run(args: &ModelsArgs, output: &Output) -> Result<()> {
    match &args.command {
        ModelsCommand::List(args) => list::run(args, output),
        ModelsCommand::Catalogue(args) => catalogue::run(args, output),
        ModelsCommand::Pull(args) => pull::run(args, output),
        ModelsCommand::Remove(args) => remove::run(args, output),
        ModelsCommand::Show(args) => show(args, output),
    }
}

fn show(args: &ShowArgs, output: &Output) -> Result<()> {
    let checkpoint = Checkpoint::open(&find(&args.folder)?)?;
    let config = config(&checkpoint)?;
    let tokenizer = tokenizer(&checkpoint)?;
    let shown = Shown {
        family: family(&checkpoint)?,
        template: template(&checkpoint, &tokenizer)?,
        tokenizer,
        // A machine without an adapter can look at models too.
        gpu: match args.adapter.asked() {
            Some(_) => Some(args.adapter.open_quietly()?),
            None => args.adapter.open_quietly().ok(),
        },
        checkpoint: &checkpoint,
        config: &config,
    };
    if args.json {
        output.json(&shown.json())?;
    } else {
        output.write(&shown.text())?;
    }
    config.check(&checkpoint)?;
    Ok(())
}

struct Shown<'a> {
    checkpoint: &'a Checkpoint,
    family: &'a str,
    config: &'a Config,
    tokenizer: Tokenizer,
    template: Option<Template>,
    gpu: Option<Arc<Gpu>>,
}

impl Shown<'_> {
    /// The tensors that are used.
    fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.checkpoint.tensors().filter(|tensor| !self.config.leaves_out(tensor.name))
    }

    fn parameters(&self) -> u64 {
        self.tensors().map(|tensor| tensor.len() as u64).sum()
    }

    /// Bytes that go to the adapter.
    fn weight_bytes(&self) -> u64 {
        self.tensors().map(|tensor| tensor.bytes()).sum()
    }

    /// Parameters and bytes of the vision tower, if there is one that is not used.
    fn idle_vision(&self) -> Option<(u64, u64)> {
        let tower = self.checkpoint.tensors().filter(|tensor| self.config.names.is_of_vision_tower(tensor.name));
        let sums = tower.fold((0, 0), |(len, bytes), tensor| (len + tensor.len() as u64, bytes + tensor.bytes()));
        self.config.idle_vision.then_some(sums)
    }

    fn layers(&self, kind: LayerType) -> usize {
        self.config.layers.iter().filter(|layer| layer.kind == kind).count()
    }

    /// Bytes by number format, the largest share first.
    fn formats(&self) -> Vec<(String, u64)> {
        let mut shares: Vec<(String, u64)> = Vec::new();
        for tensor in self.tensors() {
            let (name, bytes) = (tensor.dtype.name().to_uppercase(), tensor.bytes());
            match shares.iter_mut().find(|share| share.0 == name) {
                Some(share) => share.1 += bytes,
                None => shares.push((name, bytes)),
            }
        }
        shares.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        shares
    }

    /// The kind of tokenizer that a GGUF file names, or the file of a folder.
    fn tokenizer_kind(&self) -> &str {
        let named = self.checkpoint.gguf().map(|file| file.metadata().string("tokenizer.ggml.model"));
        named.and_then(Result::ok).unwrap_or("tokenizer.json")
    }

    fn senses(&self) -> Vec<&'static str> {
        let mut senses = vec!["text"];
        if self.config.vision.is_some() {
            senses.extend(["pictures", "video"]);
        }
        if self.config.sound.is_some() {
            senses.push("sound");
        }
        senses
    }

    /// Bytes that each further 1,000 tokens of a conversation take.
    fn bytes_per_1000(&self) -> u64 {
        // Longer than any window, so that only what grows is left.
        let long = 1 << 26;
        cache_bytes(self.config, long + 1000) - cache_bytes(self.config, long)
    }

    fn usual_context(&self) -> usize {
        percept::session::DEFAULT_CONTEXT.min(self.config.max_position_embeddings)
    }

    /// Bytes and name of the largest tensor.
    fn largest(&self) -> (u64, &str) {
        self.tensors().map(|t| (t.bytes(), t.name)).max().unwrap_or_default()
    }

    /// How many bindings the largest tensor needs on the adapter.
    fn bindings(&self, gpu: &Gpu) -> u64 {
        self.largest().0.div_ceil(gpu.capabilities().storage_binding_bytes).max(1)
    }

    fn text(&self) -> String {
        let Shown { config, checkpoint, .. } = self;
        let total = self.weight_bytes();
        let mut lines = vec![checkpoint.folder().display().to_string()];
        let mut line = |name: &str, value: String| lines.push(format!("  {name:<13} {value}"));
        line("architecture", self.family.into());
        line("parameters", HumanCount(self.parameters()).to_string());
        let shares = self
            .formats()
            .into_iter()
            .map(|(name, bytes)| format!("{name} {:.1} %", bytes as f64 / total.max(1) as f64 * 100.0));
        line("formats", shares.collect::<Vec<_>>().join(", "));
        let (sliding, full) = (self.layers(LayerType::Sliding), self.layers(LayerType::Full));
        line(
            "layers",
            format!(
                "{}: {full} see everything before, {sliding} a window of {}",
                config.layers.len(),
                config.sliding_window
            ),
        );
        line("hidden size", format!("{}, gated layers of {}", config.hidden_size, config.intermediate_size()));
        if let Some(Experts { shape, intermediate_size }) = config.experts {
            let of = format!("{} of {} for each token", shape.top_k, shape.num_experts);
            line("experts", format!("{of} in every layer, gated, of {intermediate_size}"));
        }
        line("context", format!("{} tokens at most", HumanCount(config.max_position_embeddings as u64)));
        line(
            "tokenizer",
            format!(
                "{}: {} tokens, {} of them special; the weights have room for {}",
                self.tokenizer_kind(),
                HumanCount(self.tokenizer.vocab_size() as u64),
                HumanCount(self.tokenizer.all_special_tokens().len() as u64),
                HumanCount(config.vocab_size as u64)
            ),
        );
        line(
            "template",
            match (&self.template, checkpoint.gguf()) {
                (Some(_), Some(_)) => "in the file".into(),
                (Some(template), None) => {
                    template.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
                }
                (None, Some(_)) => "none; use `percept ask --raw`, a conversation needs a chat template".into(),
                (None, None) => "none; use `percept ask --raw`, a conversation needs chat_template.jinja".into(),
            },
        );
        line("senses", self.senses().join(", "));
        if let Some((parameters, bytes)) = self.idle_vision() {
            let (parameters, bytes) = (HumanCount(parameters), DecimalBytes(bytes));
            line("vision tower", format!("there, but not used: {parameters} parameters, {bytes} stay on the disk"));
        }
        if let Some(vision) = &config.vision {
            line(
                "pictures",
                format!("up to {} tokens each, one for {1} × {1} pixels", vision.most_tokens, vision.token_px()),
            );
            line("video", format!("up to {} frames of {} tokens", vision.most_frames, vision.most_frame_tokens));
        }
        if let Some(sound) = &config.sound {
            let ms = sound.frame_samples as f64 * 1e3 / f64::from(sound.sample_rate);
            line("sound", format!("{} Hz, a token for {ms:.0} ms", sound.sample_rate));
        }
        let context = self.usual_context();
        let cache = cache_bytes(config, context);
        line(
            "memory",
            format!(
                "{} of weights, {} for a conversation of {} tokens; each further 1,000 take {}",
                DecimalBytes(total),
                DecimalBytes(cache),
                HumanCount(context as u64),
                DecimalBytes(self.bytes_per_1000())
            ),
        );
        line(
            "adapter",
            match &self.gpu {
                None => "none was found; see `percept doctor`".into(),
                Some(gpu) => format!(
                    "{}: needs {} of its memory (how much it has is not told to programs); the largest tensor, {}, takes {} of its \
                 bindings of {}",
                    gpu.adapter().title(),
                    DecimalBytes(total + cache),
                    DecimalBytes(self.largest().0),
                    self.bindings(gpu),
                    DecimalBytes(gpu.capabilities().storage_binding_bytes)
                ),
            },
        );
        lines.join("\n") + "\n"
    }

    fn json(&self) -> Value {
        let Shown { config, checkpoint, .. } = self;
        let (largest_bytes, largest) = self.largest();
        json!({
            "folder": checkpoint.folder(),
            "architecture": self.family,
            "parameters": self.parameters(),
            "formats": self.formats().into_iter().map(|(name, bytes)| (name, bytes.into())).collect::<Map<_, _>>(),
            "num_hidden_layers": config.layers.len(),
            "full_layers": self.layers(LayerType::Full),
            "sliding_layers": self.layers(LayerType::Sliding),
            "sliding_window": config.sliding_window,
            "hidden_size": config.hidden_size,
            "intermediate_size": config.intermediate_size(),
            "num_experts": config.experts.map(|experts| experts.shape.num_experts),
            "top_k_experts": config.experts.map(|experts| experts.shape.top_k),
            "max_position_embeddings": config.max_position_embeddings,
            "vocab_size": config.vocab_size,
            "tokenizer": self.tokenizer_kind(),
            "tokenizer_size": self.tokenizer.vocab_size(),
            "special_tokens": self.tokenizer.all_special_tokens().len(),
            "template": self.template.as_ref().map(|template| template.path()),
            "senses": self.senses(),
            "idle_vision_tower": self.idle_vision().map(|(parameters, bytes)| {
                json!({"parameters": parameters, "bytes": bytes})
            }),
            "weight_bytes": self.weight_bytes(),
            "context": self.usual_context(),
            "cache_bytes": cache_bytes(config, self.usual_context()),
            "cache_bytes_per_1000_tokens": self.bytes_per_1000(),
            "largest_tensor": {"name": largest, "bytes": largest_bytes},
            "adapter": self.gpu.as_ref().map(|gpu| json!({
                "title": gpu.adapter().title(),
                "storage_binding_bytes": gpu.capabilities().storage_binding_bytes,
                "bindings_of_largest_tensor": self.bindings(gpu),
            })),
        })
    }
}
