//! `percept perplexity`: how likely a text is to a model.

use super::failure::Usage;
use super::load::{self, AdapterArgs, existing, find};
use super::output::Output;
use super::sampling::at_least_one;
use anyhow::Result;
use percept::session::{Session, SessionOptions, Window, windows};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  percept perplexity MODEL --text book.txt
  percept perplexity MODEL --text book.txt --window 512 --windows 4 --json

The text is cut into windows, each read by itself behind the token that begins a text; the first
token of a window is not scored. Less is better; numbers of models with different tokenizers cannot
be compared. With --json standard output holds one object: {\"nats_per_token\", \"perplexity\",
\"tokens\", \"windows\", \"window\", \"tok_s\", \"adapter\", …}.";

/// Measure how likely a text is to a model, in nats per token.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PerplexityArgs {
    /// The checkpoint folder or GGUF file, or a name of `percept models list`.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The text, in UTF-8.
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Tokens of the text in a window.
    #[arg(long, value_name = "N", default_value = "512", value_parser = at_least_one)]
    window: usize,
    /// Most windows; the whole text if not given.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    windows: Option<usize>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    adapter: AdapterArgs,
}

/// What was measured.
#[derive(Default)]
struct Sums {
    nats: f64,
    scored: usize,
    read: usize,
}

impl Sums {
    fn nats_per_token(&self) -> f64 {
        self.nats / self.scored as f64
    }
}

/// Carries it out.
///
/// # Errors
/// Whatever is wrong with the text, the model or the adapter.
pub fn run(args: &PerplexityArgs, output: &Output) -> Result<()> {
    let path = find(&args.model)?;
    let text = read(&args.text, output)?;
    let gpu = args.adapter.open(output)?;
    load::check(&gpu, output)?;
    let model = load::load(&gpu, &path, &Default::default(), output)?;
    let ids = model.tokenizer().encode(&text)?;
    let windows: Vec<Window> = windows(&model, &ids, args.window).take(args.windows.unwrap_or(usize::MAX)).collect();
    let Some(longest) = windows.iter().map(|window| window.ids.len()).max() else {
        let problem = format!("{} has no token to score in windows of {}", args.text.display(), args.window);
        return Err(Usage(problem).into());
    };
    let mut session = {
        let loading = output.loading("");
        let options = SessionOptions { context: Some(longest), ..SessionOptions::default() };
        Session::new(&model, &options, &|progress| loading.tell(progress))?
    };
    let started = Instant::now();
    let mut sums = Sums::default();
    let bar = output.counting(windows.len() as u64, "windows");
    for window in &windows {
        let nats = session.score(window)?;
        sums.nats += nats.iter().sum::<f64>();
        sums.scored += nats.len();
        // The last token is only foretold.
        sums.read += window.ids.len() - 1;
        bar.inc(1);
        bar.set_message(format!("{:.4} nats per token", sums.nats_per_token()));
    }
    bar.finish_and_clear();
    let speed = sums.read as f64 / started.elapsed().as_secs_f64();
    let (nats, adapter) = (sums.nats_per_token(), gpu.adapter().title());
    if args.json {
        return output.json(&json!({
            "nats_per_token": nats,
            "perplexity": nats.exp(),
            "tokens": sums.scored,
            "windows": windows.len(),
            "window": args.window,
            "tok_s": speed,
            "adapter": adapter,
            "model": path,
            "text": args.text,
        }));
    }
    output.write(&format!(
        "nats per token  {nats:.4}\nperplexity      {:.3}\nscored          {} tokens in {} windows of up to {}\n\
         speed           {speed:.1} tokens/s on {adapter}\n",
        nats.exp(),
        sums.scored,
        windows.len(),
        args.window
    ))
}

/// The text of a file; what is no UTF-8 in it is read as U+FFFD, and every kind of line end as `\n`, so that numbers do
/// not depend on the system that wrote it.
fn read(path: &Path, output: &Output) -> Result<String> {
    let bytes = std::fs::read(existing(path, "a text")?)
        .map_err(|e| Usage(format!("cannot read {}: {e}; expected a text", path.display())))?;
    let text = String::from_utf8(bytes).unwrap_or_else(|e| {
        let place = e.utf8_error().valid_up_to();
        output.note(&format!("{} is not all UTF-8 (from byte {place}); the rest is replaced", path.display()));
        String::from_utf8_lossy(e.as_bytes()).into_owned()
    });
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}
