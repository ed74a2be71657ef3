//! What is said and where: answers and JSON lines on standard output, everything else on standard error.

use anyhow::Context;
use indicatif::{DecimalBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use percept::models::Progress;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// How much is said; the same for every command.
#[derive(clap::Args)]
pub struct TalkArgs {
    /// Say more on standard error: speeds; given twice or thrice, for debugging.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Say nothing on standard error but errors: no notes, no progress.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// Where a command speaks.
#[derive(Clone, Copy)]
pub struct Output {
    quiet: bool,
    verbose: bool,
    /// Standard error is a terminal.
    pub watched: bool,
    /// Standard output is a terminal.
    pub seen: bool,
    colour: bool,
}

impl Output {
    /// As asked for, and as standard output and standard error are.
    pub fn new(talk: &TalkArgs) -> Output {
        let watched = io::stderr().is_terminal();
        let colour = watched && std::env::var_os("NO_COLOR").is_none();
        Output { quiet: talk.quiet, verbose: talk.verbose > 0, watched, seen: io::stdout().is_terminal(), colour }
    }

    /// Writes to standard output, at once.
    ///
    /// # Errors
    /// If standard output is closed or its disk is full.
    pub fn write(&self, text: &str) -> anyhow::Result<()> {
        self.put(if self.seen { harmless(text) } else { text.into() })
    }

    /// One JSON object on a line of standard output.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn json(&self, object: &serde_json::Value) -> anyhow::Result<()> {
        self.put(format!("{object}\n"))
    }

    fn put(&self, text: String) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("cannot write to standard output")
    }

    /// A line on standard error, whatever was asked for. Nobody is left to be told if that fails.
    pub fn say(&self, line: &str) {
        let _ = writeln!(io::stderr(), "{}", if self.watched { harmless(line) } else { line.into() });
    }

    /// Something that a person should know.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            self.say(&format!("note: {line}"));
        }
    }

    /// Numbers after an answer: for those who watch or ask.
    pub fn figures(&self, line: &str) {
        if !self.quiet && (self.watched || self.verbose) {
            let _ = writeln!(io::stderr(), "{}", self.dimmed(&format!("[{line}]")));
        }
    }

    /// A part of what a model thinks, dimmed, on standard error.
    pub fn thought(&self, text: &str) {
        if !self.quiet {
            let _ = write!(io::stderr(), "{}", self.dimmed(&harmless(text)));
        }
    }

    /// Whether what a model thinks is shown.
    pub fn shows_thoughts(&self) -> bool {
        !self.quiet
    }

    /// A bar in a terminal that counts to `total`, nothing elsewhere.
    pub fn counting(&self, total: u64, what: &'static str) -> ProgressBar {
        if self.quiet || !self.watched {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {eta} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style).with_prefix(what)
    }

    /// A bar in a terminal that counts bytes once its length is set, with their rate and the time left; nothing elsewhere.
    pub fn bytes(&self) -> ProgressBar {
        if self.quiet || !self.watched {
            return ProgressBar::hidden();
        }
        let template = "{bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)
    }

    fn dimmed(&self, text: &str) -> String {
        if self.colour { format!("\x1b[2m{text}\x1b[0m") } else { text.into() }
    }

    /// Follows the loading of `what`.
    pub fn loading<'a>(&'a self, what: &'a str) -> Loading<'a> {
        Loading { output: self, what, shown: Mutex::new(None) }
    }
}

/// Control characters as pictures of themselves, so that no answer can steer a terminal.
fn harmless(text: &str) -> String {
    let picture = |c: char| match c {
        '\n' | '\t' => c,
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('?'),
        '\u{7f}'..='\u{9f}' => '\u{2421}',
        _ => c,
    };
    text.chars().map(picture).collect()
}

/// A bar in a terminal, two plain lines elsewhere.
pub struct Loading<'a> {
    output: &'a Output,
    what: &'a str,
    shown: Mutex<Option<(Phase, ProgressBar)>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Weights,
    Shaders,
}

impl Loading<'_> {
    /// Takes the progress that loading tells of.
    pub fn tell(&self, progress: Progress) {
        if self.output.quiet {
            return;
        }
        let (phase, done, total) = match progress {
            Progress::Weights { done, total } => (Phase::Weights, done, total),
            Progress::Shaders { done, total } => (Phase::Shaders, done as u64, total as u64),
        };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.as_ref().is_none_or(|(before, _)| *before != phase) {
            if let Some((_, bar)) = shown.take() {
                bar.finish_and_clear();
            }
            *shown = Some((phase, self.begin(phase, total)));
        }
        if let Some((_, bar)) = &*shown {
            // Shaders come in several lots.
            if bar.length() != Some(total) {
                bar.set_position(0);
                bar.set_length(total);
            }
            bar.set_position(done);
        }
    }

    fn begin(&self, phase: Phase, total: u64) -> ProgressBar {
        if !self.output.watched {
            let line = match phase {
                Phase::Weights => format!("loading {} of weights: {}", DecimalBytes(total), self.what),
                Phase::Shaders => format!("compiling {total} shaders"),
            };
            self.output.say(&line);
            return ProgressBar::hidden();
        }
        let (template, message) = match phase {
            Phase::Weights => ("{msg} {bar:30} {decimal_bytes}/{decimal_total_bytes} {eta}", "loading weights  "),
            Phase::Shaders => ("{msg} {bar:30} {pos}/{len}", "compiling shaders"),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style).with_message(message)
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        if let Some((_, bar)) = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}
