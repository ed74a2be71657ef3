//! The `percept` program: arguments, logging and exit codes.

mod cli;
mod hub;
#[cfg(feature = "desktop")]
mod live;
mod store;
#[cfg(feature = "desktop")]
mod ui;
#[cfg(feature = "desktop")]
mod worker;

use clap::Parser;
use cli::failure::{self, Usage};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

const EXAMPLES: &str = "\
Examples:
  percept                                         the window
  percept ask \"What is this?\" --image cat.jpg     one answer in the terminal
  percept chat                                    a conversation
  percept doctor                                  what works on this machine, and what to install

`percept COMMAND --help` tells more. Exit codes: 0 done, 1 the machine is at fault (adapter, driver,
memory, disk), 2 the input is at fault (arguments, files).";

/// One model that sees, hears, reads and answers, on the GPU that is already in this machine.
#[derive(Parser)]
#[command(name = "percept", version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<cli::Command>,
    #[command(flatten)]
    talk: cli::output::TalkArgs,
}

fn main() -> ExitCode {
    quiet_display_loaders();
    let arguments = Arguments::parse();
    let outcome = log_to_stderr(&arguments.talk).and_then(|()| match arguments.command {
        Some(command) => command.run(&arguments.talk),
        None => cli::without_command(),
    });
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let code = failure::exit_code(&error);
    if code != 0 && !failure::was_told(&error) {
        // Nobody is left to be told if standard error is closed.
        let _ = writeln!(std::io::stderr(), "error: {}", failure::sentence(&error));
    }
    ExitCode::from(code)
}

/// Drivers ask for a display while adapters are listed; without this variable, on a server or in a container, a library of
/// theirs then prints an error of its own that means nothing to us.
fn quiet_display_loaders() {
    if cfg!(unix) && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}

/// `PERCEPT_LOG` wins (`PERCEPT_LOG=percept=debug`), else the number of `-v`.
fn log_to_stderr(talk: &cli::output::TalkArgs) -> anyhow::Result<()> {
    let filter = match std::env::var("PERCEPT_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(&filter).map_err(|problem| {
            Usage(format!("PERCEPT_LOG is \"{filter}\", which is no log filter ({problem}); try PERCEPT_LOG=debug"))
        })?,
        _ => EnvFilter::new(match (talk.quiet, talk.verbose) {
            (true, _) => "error",
            (_, 0) => "warn",
            (_, 1) => "percept=info,warn",
            (_, 2) => "percept=debug,info",
            _ => "trace",
        }),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .log_internal_errors(false)
        .without_time()
        .init();
    Ok(())
}
