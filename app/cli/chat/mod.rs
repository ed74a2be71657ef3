//! `percept chat`: a conversation in the terminal.

mod input;
mod line;
mod talk;

use super::failure::{Told, Usage, exit_code, sentence};
use super::interrupt;
use super::load::LoadArgs;
use super::output::Output;
use super::sampling::SamplingArgs;
use crate::store;
use anyhow::Result;
use input::{Input, Typed};
use line::{COMMANDS, Line};
use std::time::{Duration, Instant};
use talk::Talk;

/// A second Ctrl-C within this time ends the conversation; a later one only clears another line.
const AGAIN: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
Examples:
  percept chat
  percept chat --model gemma-4-12b-it --system \"Answer in one sentence.\"
  printf '/image cat.jpg\\nWhat is this?\\n' | percept chat

In the conversation, /image FILE, /audio FILE and /video FILE give it something to see and hear;
/undo and /retry take back; /help lists all commands. The tab key completes commands and files.
A model without a chat template continues text: each line is a new line of it, and an empty one
lets it go on.
Ctrl-C stops an answer, Ctrl-D ends. What is said is kept as it happens, in the folder for
conversations that `percept doctor` names. From a pipe, each line is a message or a command; if
one fails, the others are still carried out, and the exit code tells.";

/// Hold a conversation in the terminal.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ChatArgs {
    /// Keep nothing on disk: neither the conversation nor the history of lines.
    #[arg(long)]
    no_save: bool,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// Carries it out.
///
/// # Errors
/// Whatever is wrong with the model or the adapter; later failures are told and the conversation goes on.
pub fn run(args: &ChatArgs, output: &Output) -> Result<()> {
    args.sampling.check()?;
    interrupt::install()?;
    let mut talk = Talk::new(args, output)?;
    let history = store::config_dir().filter(|_| !args.no_save).map(|folder| folder.join("chat_history.txt"));
    let mut input = Input::open(history)?;
    if input.is_terminal() {
        interrupt::hold();
        output.note(&talk.greeting());
    }
    talk.tell_if_plain();
    let mut worst = 0;
    let mut cleared: Option<Instant> = None;
    loop {
        let outcome = match input.next()? {
            Typed::End => break,
            Typed::Cleared if cleared.is_some_and(|before| before.elapsed() < AGAIN) => break,
            Typed::Cleared => {
                cleared = Some(Instant::now());
                output.note("Ctrl-C once more, Ctrl-D or /quit ends");
                continue;
            }
            Typed::Unreadable => Err(Usage("a line is no UTF-8 text; it was left out".into()).into()),
            Typed::Line(line) => match line::parse(&line) {
                Ok(Line::Quit) => break,
                Ok(line) => carry_out(line, &mut talk, output),
                Err(usage) => Err(usage.into()),
            },
        };
        if let Err(error) = outcome {
            match exit_code(&error) {
                // Nobody reads the answers any more.
                0 => return Err(error),
                code => worst = code.max(worst),
            }
            output.say(&format!("error: {}", sentence(&error)));
        }
    }
    if worst > 0 && !input.is_terminal() {
        return Err(Told(worst).into());
    }
    Ok(())
}

fn carry_out(line: Line, talk: &mut Talk<'_>, output: &Output) -> Result<()> {
    match line {
        Line::Nothing => talk.go_on(),
        Line::Say(text) => talk.say(&text),
        Line::File(kind, path) => talk.give(kind, &path),
        Line::System(Some(text)) => talk.begin_with(Some(text)),
        Line::System(None) => {
            output.say(talk.system().unwrap_or("there is no system message; /system TEXT begins anew with one"));
            Ok(())
        }
        Line::Save(path) => talk.save(&path),
        Line::Model(path) => talk.change_model(&path),
        Line::Retry => talk.retry(),
        Line::Undo => talk.undo(),
        Line::Context => {
            output.say(&talk.context());
            Ok(())
        }
        Line::Help => {
            for (name, argument, does) in COMMANDS {
                output.say(&format!("  {:<15}{does}", format!("{name} {argument}")));
            }
            output.say(match talk.is_plain() {
                true => "  anything else is a line of the text that the model continues; an empty line lets it go on",
                false => "  anything else is said to the model; an empty line asks it about the files given",
            });
            Ok(())
        }
        Line::Quit => Ok(()),
    }
}
