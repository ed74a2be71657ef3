//! The commands, one file each, and what they share.

mod answer;
mod ask;
mod bench;
mod chat;
mod doctor;
mod embed;
mod encode;
mod eval;
pub mod failure;
mod interrupt;
mod load;
mod models;
pub mod output;
mod parts;
mod perplexity;
mod plot;
mod sampling;
mod trace;

use output::{Output, TalkArgs};

/// What can be done.
#[derive(clap::Subcommand)]
pub enum Command {
    Ask(ask::AskArgs),
    Chat(chat::ChatArgs),
    Models(models::ModelsArgs),
    Doctor(doctor::DoctorArgs),
    Bench(bench::BenchArgs),
    Perplexity(perplexity::PerplexityArgs),
    Eval(eval::EvalArgs),
    Embed(embed::EmbedArgs),
    Encode(encode::EncodeArgs),
    Trace(trace::TraceArgs),
}

impl Command {
    /// Carries it out.
    pub fn run(self, talk: &TalkArgs) -> anyhow::Result<()> {
        let output = Output::new(talk);
        match self {
            Command::Ask(args) => ask::run(&args, &output),
            Command::Chat(args) => chat::run(&args, &output),
            Command::Models(args) => models::run(&args, &output),
            Command::Doctor(args) => doctor::run(&args, &output),
            Command::Bench(args) => bench::run(&args, &output),
            Command::Perplexity(args) => perplexity::run(&args, &output),
            Command::Eval(args) => eval::run(&args, &output),
            Command::Embed(args) => embed::run(&args, &output),
            Command::Encode(args) => encode::run(&args, &output),
            Command::Trace(args) => trace::run(&args, &output),
        }
    }
}
