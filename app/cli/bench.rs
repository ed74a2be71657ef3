//! `percept bench`: how fast this machine is, and how fast it could be.

use super::failure::Usage;
use super::load::{self, AdapterArgs, find};
use super::output::Output;
use super::sampling::at_least_one;
use anyhow::Result;
use percept::bench::Effort;
use percept::bench::ceilings;
use percept::bench::kernels::{self, is_named};
use percept::bench::model::{Lens, Loaded};
use percept::bench::report::Report;
use percept::kernels::{Size, cases};
use std::path::{Path, PathBuf};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  percept bench                        this adapter's ceilings, and every kernel beside them
  percept bench MODEL                  loading, first token, prefill and decode of a model
  percept bench --kernel matvec        one kernel; a part of its shape is a name too: --kernel bf16
  percept bench MODEL --quick --json   few repeats, JSON instead of the table
  percept bench --model MODEL --prefill 512 --decode 64 --json
  percept bench MODEL --kernel-times   also where the time of one token goes

Shares are of ceilings measured on the same adapter in the same run. Close other programs first:
what they take is missing in every number. JSON holds everything that was measured and, of a model,
\"prefill_tok_s\", \"decode_tok_s\", \"first_token_ms\", \"load_ms\", \"load_to_first_token_ms\",
\"peak_rss_bytes\", \"bytes_per_token\", \"share_of_read_bandwidth\".";

/// Measure how fast this machine is, and how fast it could be.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// A checkpoint folder or GGUF file, or a name of `percept models list`, to measure as a whole; without it, kernels are
    /// measured.
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// The same, as other commands have it.
    #[arg(long = "model", short = 'm', value_name = "MODEL", conflicts_with = "model")]
    named: Option<PathBuf>,
    /// Tokens of the prompts that are read; 128,512 if not given.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = at_least_one)]
    prefill: Vec<usize>,
    /// Tokens of each answer, 2 or more; 48 if not given, 16 with --quick.
    #[arg(long, value_name = "N", value_parser = at_least_two)]
    decode: Option<usize>,
    /// Tokens in the cache before the question; 0,512,2048 if not given, 0 with --prefill or --decode.
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    cache: Vec<usize>,
    /// Of a model: where the time of one token behind each cache goes, kernel by kernel, by time stamps of the adapter.
    #[arg(long)]
    kernel_times: bool,
    /// Only kernels of this name, or whose shape holds it: matvec, attention, bf16, …
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    #[command(flatten)]
    adapter: AdapterArgs,
    /// Write everything as JSON to a file, too; without FILE or with `-` to standard output instead of the table, on one
    /// line.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Few repeats: for a look, not for results that are kept.
    #[arg(long)]
    quick: bool,
}

/// Carries it out.
///
/// # Errors
/// Whatever is wrong with the arguments, the adapter or the model.
pub fn run(args: &BenchArgs, output: &Output) -> Result<()> {
    let wanted = args.wanted()?;
    let model = args.model.as_deref().or(args.named.as_deref());
    args.check_lens(model)?;
    let model = model.map(find).transpose()?;
    args.check_json()?;
    let effort = if args.quick { Effort::QUICK } else { Effort::WHOLE };
    // The self-test compiles; what is cold for the measurements is an adapter that is opened after it.
    let unsound = {
        let gpu = args.adapter.open(output)?;
        load::check(&gpu, output)?;
        gpu.unsound()
    };
    let started = Instant::now();
    let gpu = args.adapter.open_quietly()?;
    let open_s = started.elapsed().as_secs_f64();
    gpu.set_unsound(unsound);

    // What must be cold comes first.
    let begun = match &model {
        Some(path) => {
            let name = path.display().to_string();
            let loading = output.loading(&name);
            let loaded = Loaded::new(&gpu, open_s, path, &|progress| loading.tell(progress))?;
            Some(loaded.begin(&|progress| loading.tell(progress))?)
        }
        None => None,
    };
    output.note("measuring the adapter's ceilings");
    let mut report = Report::new(gpu.adapter(), args.quick, ceilings::measure(&gpu, effort)?);
    if let Some(begun) = begun {
        let mut seen = |what: &str| output.note(&format!("measuring {what}"));
        report.model = Some(begun.measure(effort, &report.ceilings, &args.lens(effort), &mut seen)?);
    }
    if model.is_none() || args.kernel.is_some() {
        let mut last = "";
        let mut seen = |time: &kernels::KernelTime| {
            if time.kernel != last {
                output.note(&format!("measuring {}", time.kernel));
            }
            last = time.kernel;
        };
        (report.kernels, report.skipped) = kernels::measure(&gpu, effort, &report.ceilings, wanted, &mut seen)?;
    }
    let json = report.json()?;
    match args.json.as_deref() {
        Some(path) if path == Path::new("-") => output.json(&json),
        Some(path) => {
            let json = serde_json::to_string_pretty(&json)? + "\n";
            std::fs::write(path, json).map_err(|e| Usage(format!("cannot write {}: {e}", path.display())))?;
            output.write(&report.text())
        }
        None => output.write(&report.text()),
    }
}

/// For clap: the first token of an answer is where the time of the others begins.
fn at_least_two(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 1).ok_or_else(|| "expected a whole number from 2".into())
}

impl BenchArgs {
    /// What is measured of a model.
    fn lens(&self, effort: Effort) -> Lens {
        let usual = Lens::usual(effort);
        let narrowed = !self.prefill.is_empty() || self.decode.is_some();
        Lens {
            prefills: if self.prefill.is_empty() { usual.prefills } else { self.prefill.clone() },
            caches: match (self.cache.is_empty(), narrowed) {
                (false, _) => self.cache.clone(),
                (true, true) => vec![0],
                (true, false) => usual.caches,
            },
            answer: self.decode.unwrap_or(usual.answer),
            shaders: self.kernel_times,
        }
    }

    /// Lengths, and what a token is made of, are those of a model.
    fn check_lens(&self, model: Option<&Path>) -> Result<()> {
        let lens = !self.prefill.is_empty() || self.decode.is_some() || !self.cache.is_empty();
        if model.is_none() && (lens || self.kernel_times) {
            let told = "--prefill, --decode, --cache and --kernel-times measure a model: name one with --model MODEL";
            return Err(Usage(told.into()).into());
        }
        Ok(())
    }

    /// Which cases are asked for.
    fn wanted(&self) -> Result<impl Fn(&percept::kernels::Case) -> bool> {
        let name = self.kernel.clone();
        let wanted = move |case: &percept::kernels::Case| name.as_deref().is_none_or(|name| is_named(case, name));
        if !cases().iter().any(|case| case.size != Size::Odd && wanted(case)) {
            let mut known: Vec<&str> = cases().iter().map(|case| case.kernel).collect();
            known.dedup();
            let name = self.kernel.as_deref().unwrap_or_default();
            return Err(Usage(format!("no kernel is called \"{name}\"; there are: {}", known.join(", "))).into());
        }
        Ok(wanted)
    }

    /// Before minutes are spent on numbers that cannot be kept.
    fn check_json(&self) -> Result<()> {
        let Some(path) = self.json.as_deref().filter(|path| *path != Path::new("-")) else { return Ok(()) };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match () {
            () if path.is_dir() => {
                Err(Usage(format!("cannot write {}: it is a folder; name a file in it", path.display())).into())
            }
            () if !folder.is_dir() => {
                Err(Usage(format!("cannot write {}: its folder does not exist", path.display())).into())
            }
            () => Ok(()),
        }
    }
}
