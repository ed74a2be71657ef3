//! `percept trace`: every state of a recorded case, for comparison with a reference.

use super::failure::Usage;
use super::interrupt;
use super::load::{self, AdapterArgs, SightArgs, existing, find};
use super::output::Output;
use anyhow::Result;
use percept::trace::{Case, Trace};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Example:
  percept trace MODEL --case MODEL/cases/image.json --out image.safetensors --adapter gl

The case names its messages, the files in them (relative to the model's folder, else to the case)
and how many tokens to answer with. FILE holds preprocessing, input ids, the output of every layer,
logits, and the tokens of the greedy answer.";

/// Record every state on the way to an answer, to find where an adapter or a model goes wrong.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct TraceArgs {
    /// The checkpoint folder or GGUF file, or a name of `percept models list`.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The recorded case.
    #[arg(long, value_name = "CASE.json")]
    case: PathBuf,
    /// The safetensors file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    adapter: AdapterArgs,
    #[command(flatten)]
    sight: SightArgs,
}

/// Carries it out.
///
/// # Errors
/// Whatever is wrong with the case, the model, the adapter or the file to write.
pub fn run(args: &TraceArgs, output: &Output) -> Result<()> {
    let path = find(&args.model)?;
    let folder = if path.is_dir() { path.clone() } else { parent(&path).to_path_buf() };
    let case = Case::open(&existing(&args.case, "a recorded case (JSON)")?, &folder)?;
    if !parent(&args.out).is_dir() {
        return Err(Usage(format!("cannot write {}: its folder does not exist", args.out.display())).into());
    }
    if args.out.is_dir() {
        return Err(Usage(format!("cannot write {}: it is a folder; name a file in it", args.out.display())).into());
    }
    interrupt::install()?;
    let gpu = args.adapter.open(output)?;
    let model = load::load(&gpu, &path, &args.sight, output)?;
    let loading = output.loading("");
    let trace = Trace::run(&model, &case, &|progress| loading.tell(progress))?;
    drop(loading);
    trace.save(&args.out)?;
    let count = |name| trace.integers(name).map_or(0, |(_, values)| values.len());
    let (read, said) = (count("input_ids"), count("tokens"));
    output.note(&format!("{read} tokens read, {said} said on {}: {}", gpu.adapter().title(), args.out.display()));
    Ok(())
}

/// The folder that a file lies in, or is to.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
