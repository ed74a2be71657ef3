//! The commands, one file each, and what they share.

mod answer;
#[cfg(feature = "desktop")]
mod app;
mod ask;
mod bench;
mod chat;
mod doctor;
mod embed;
mod encode;
mod eval;
pub mod failure;
mod interrupt;
pub mod load;
pub mod models;
pub mod output;
pub mod parts;
mod perplexity;
mod plot;
mod sampling;
mod trace;

use output::{Output, TalkArgs};

/// What can be done.
#[derive(clap::Subcommand)]
pub enum Command {
    #[cfg(feature = "desktop")]
    App(app::AppArgs),
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
            #[cfg(feature = "desktop")]
            Command::App(args) => app::run(args),
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

/// What `percept` does when nothing else is asked for: the window opens.
///
/// # Errors
/// As [`app::run`].
#[cfg(feature = "desktop")]
pub fn without_command() -> anyhow::Result<()> {
    app::run(app::AppArgs::default())
}

/// What `percept` does when nothing else is asked for and there is no window: it tells what there is.
///
/// # Errors
/// If nothing can be written.
#[cfg(not(feature = "desktop"))]
pub fn without_command() -> anyhow::Result<()> {
    let mut help = <crate::Arguments as clap::CommandFactory>::command().render_help().to_string();
    help += "\nHint: begin with `percept chat`, or with `percept ask \"your question\"`.\n";
    Ok(std::io::Write::write_all(&mut std::io::stdout(), help.as_bytes())?)
}
