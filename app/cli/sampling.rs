//! How an answer is chosen, as options of a command.

use percept::models::Defaults;
use percept::session::Generation;
use std::time::{SystemTime, UNIX_EPOCH};

/// Without any of these the model's own settings hold, as its publisher gives them.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "How the answer is chosen")]
pub struct SamplingArgs {
    /// Most tokens of the answer; as many as the context holds if not given.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    max_tokens: Option<usize>,
    /// 0 to 100: how freely words are chosen; 0 always takes the likeliest.
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Only the N likeliest tokens; 0 for all.
    #[arg(long, value_name = "N")]
    top_k: Option<u32>,
    /// 0 to 1: only the likeliest tokens that add up to this probability; 1 for all.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f32>,
    /// 0 to 1: only tokens at least this many times as likely as the likeliest; 0 for all.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    min_p: Option<f32>,
    /// 0.01 to 100: what was said becomes this many times less likely; 1 for off.
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    repetition_penalty: Option<f32>,
    /// The same seed gives the same answer on the same machine; another one each time if not given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Always take the likeliest token.
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p", "min_p"])]
    greedy: bool,
}

impl SamplingArgs {
    /// Refuses numbers out of range before anything is loaded.
    ///
    /// # Errors
    /// The first of them.
    pub fn check(&self) -> percept::Result<()> {
        let neutral = Defaults {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            stop_ids: Vec::new(),
        };
        self.generation(&neutral).check()
    }

    /// The model's settings with what was asked for.
    pub fn generation(&self, defaults: &Defaults) -> Generation {
        let seed = self.seed.unwrap_or_else(another_seed);
        let base = match self.greedy {
            true => Generation { seed, ..Generation::greedy(defaults) },
            false => Generation::new(defaults, seed),
        };
        Generation {
            temperature: self.temperature.unwrap_or(base.temperature),
            top_k: self.top_k.unwrap_or(base.top_k),
            top_p: self.top_p.unwrap_or(base.top_p),
            min_p: self.min_p.unwrap_or(base.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(base.repetition_penalty),
            max_tokens: self.max_tokens,
            ..base
        }
    }
}

/// From the clock: small enough to be typed again.
pub fn another_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(20)) % 1_000_000_000
}

/// For clap: a whole number from 1.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "expected a whole number from 1".into())
}
