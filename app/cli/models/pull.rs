//! `percept models pull`: downloads a model from the Hugging Face hub into the cache that all programs share.

use super::catalogue;
use crate::cli::failure::Usage;
use crate::cli::output::Output;
use crate::hub::{Pulled, Report, Request, Stop, Wanted, pull};
use crate::store::models::Places;
use anyhow::Result;
use indicatif::DecimalBytes;
use percept::models::config;
use percept::weights::Checkpoint;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};

const EXAMPLES: &str = "\
Examples:
  percept models pull                                       a short list of models to begin with
  percept models pull ggml-org/gemma-3-1b-it-GGUF:Q4_K_M    one quantisation of several
  percept models pull google/gemma-4-12B-it@main            safetensors, at a branch, tag or commit
  percept models pull ORG/NAME --file NAME-Q5_K_M.gguf      a GGUF file by its name

Only what is needed is fetched: safetensors or one GGUF model, configs, tokenizer, templates, terms.
It goes into the Hugging Face cache, where other programs find it too. What was cut off is gone on
with by the same command; every file is checked against the hub's checksum. Gated models need a
token.

Variables: HF_HOME or HF_HUB_CACHE (the cache), HF_TOKEN (or the file HF_HOME/token), HF_ENDPOINT
(another hub), HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT (seconds of silence that are borne, 30 if not
set), HTTPS_PROXY, ALL_PROXY, NO_PROXY.";

/// Download a model from the Hugging Face hub.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PullArgs {
    /// ORG/NAME[@REVISION][:QUANTISATION] as on huggingface.co; without it, models to begin with are listed.
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The GGUF file to take, by its path in the repository; for a split one any of its parts.
    #[arg(long, value_name = "NAME", requires = "id")]
    file: Option<String>,
    /// Download it even if it is of an architecture that cannot be run here.
    #[arg(long)]
    force: bool,
    /// Connections at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=32))]
    connections: u8,
    /// How often a request that fails is tried again, with growing pauses, before it is given up.
    #[arg(long, value_name = "N", default_value_t = 6)]
    retries: u32,
    /// One JSON object at the end instead of the model's path.
    #[arg(long)]
    json: bool,
}

/// Carries it out.
///
/// # Errors
/// What is in the way, and what to do.
pub fn run(args: &PullArgs, output: &Output) -> Result<()> {
    let Some(id) = &args.id else {
        return catalogue::show(args.json, output);
    };
    let wanted = Wanted::parse(id)?;
    if args.file.is_some() && wanted.quantisation.is_some() {
        return Err(
            Usage("both --file and a quantisation behind the colon choose a file; give one of them".into()).into()
        );
    }
    let Some(hub) = Places::of_this_user().hub().map(Into::into) else {
        return Err(Usage("there is no place for the cache: set HF_HOME to the whole path of a folder".into()).into());
    };
    let connections = args.connections.into();
    let request = Request {
        wanted,
        file: args.file.clone(),
        force: args.force,
        connections,
        retries: args.retries,
        hub,
        // Ctrl-C ends the whole program, and the next one goes on.
        stop: Stop::default(),
    };
    let bar = Arc::new(output.bytes());
    let notes = Arc::new(Mutex::new(()));
    let (begun, moved, noted) = (bar.clone(), bar.clone(), bar.clone());
    let speaker = *output;
    let report = Report {
        note: Box::new(move |text| {
            let _one_at_a_time = notes.lock().unwrap_or_else(PoisonError::into_inner);
            noted.suspend(|| speaker.note(text));
        }),
        begin: Box::new(move |total| {
            begun.set_length(total);
            begun.reset_eta();
        }),
        advance: Box::new(move |bytes| match u64::try_from(bytes) {
            Ok(more) => moved.inc(more),
            Err(_) => moved.dec(bytes.unsigned_abs()),
        }),
    };
    let pulled = pull(&request, report);
    bar.finish_and_clear();
    tell(&pulled?, args, output)
}

fn tell(pulled: &Pulled, args: &PullArgs, output: &Output) -> Result<()> {
    let Pulled { id, commit, path, name, licence, bytes, fetched } = pulled;
    let problem = Checkpoint::open(path).and_then(|checkpoint| config(&checkpoint)?.check(&checkpoint)).err();
    if *fetched == 0 {
        output.note(&format!("{name} was here already, at its newest ({})", DecimalBytes(*bytes)));
    }
    match &problem {
        None => output.note(&format!("percept ask --model {name} \"Why is the sky blue?\"")),
        Some(problem) => output.note(&format!("it is here whole, but cannot be used: {problem}")),
    }
    if args.json {
        return output.json(&json!({
            "id": id,
            "commit": commit,
            "name": name,
            "path": path,
            "licence": licence,
            "bytes": bytes,
            "fetched_bytes": fetched,
            "problem": problem.map(|problem| problem.to_string()),
        }));
    }
    output.write(&format!("{}\n", path.display()))
}
