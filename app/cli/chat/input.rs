//! Where the lines of a conversation come from: a line editor in a terminal, or a pipe.

use super::line::COMMANDS;
use anyhow::Result;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use std::io::{BufRead, IsTerminal, StdinLock};
use std::path::PathBuf;

/// What was typed.
pub enum Typed {
    /// A line.
    Line(String),
    /// A line of a pipe that is no UTF-8 text.
    Unreadable,
    /// Ctrl-C: the line was given up.
    Cleared,
    /// Ctrl-D, or the end of the pipe.
    End,
}

/// Where lines come from.
pub enum Input {
    /// A line editor, and the file of its history.
    Terminal(Box<Editor<Completion, FileHistory>>, Option<PathBuf>),
    /// A pipe or a file.
    Piped(StdinLock<'static>),
}

impl Input {
    /// A line editor if a person sits there; its history is read from and written to `history`.
    ///
    /// # Errors
    /// If the terminal cannot be used.
    pub fn open(history: Option<PathBuf>) -> Result<Input> {
        if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return Ok(Input::Piped(std::io::stdin().lock()));
        }
        let config = Config::builder()
            .history_ignore_space(true)
            .max_history_size(10_000)?
            .completion_type(CompletionType::List)
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(Completion { files: FilenameCompleter::new() }));
        if let Some(file) = &history {
            // There is none at the first start.
            let _ = editor.load_history(file);
        }
        Ok(Input::Terminal(Box::new(editor), history))
    }

    /// Whether a person sits there.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Input::Terminal(..))
    }

    /// The next line.
    ///
    /// # Errors
    /// If the terminal or the pipe fails.
    pub fn next(&mut self) -> Result<Typed> {
        let (editor, history) = match self {
            Input::Piped(stdin) => {
                let mut bytes = Vec::new();
                if stdin.read_until(b'\n', &mut bytes)? == 0 {
                    return Ok(Typed::End);
                }
                return Ok(match String::from_utf8(bytes) {
                    Ok(line) => Typed::Line(line.trim_end_matches(['\r', '\n']).into()),
                    Err(_) => Typed::Unreadable,
                });
            }
            Input::Terminal(editor, history) => (editor, history),
        };
        match editor.readline("> ") {
            Ok(line) => {
                if !line.trim().is_empty() && editor.add_history_entry(line.as_str()).unwrap_or(false) {
                    keep(editor, history);
                }
                Ok(Typed::Line(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Cleared),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(error.into()),
        }
    }
}

/// Writes the history; once that fails, no more: what is said is kept in the file of the conversation.
fn keep(editor: &mut Editor<Completion, FileHistory>, history: &mut Option<PathBuf>) {
    let Some(file) = history else { return };
    let written = match file.parent() {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(ReadlineError::from).and_then(|()| editor.append_history(file))
        }
        None => editor.append_history(file),
    };
    if let Err(error) = written {
        tracing::warn!("the history of lines cannot be kept in {}: {error}", file.display());
        *history = None;
    }
}

/// The tab key: commands, and files behind them.
pub struct Completion {
    files: FilenameCompleter,
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, cursor: usize, context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = &line[..cursor];
        if !typed.starts_with('/') {
            return Ok((cursor, Vec::new()));
        }
        if typed.contains(' ') {
            return self.files.complete(line, cursor, context);
        }
        let fits = COMMANDS.iter().filter(|(name, ..)| name.starts_with(typed));
        let pair = |(name, argument, _): &(&str, &str, &str)| Pair {
            display: name.to_string(),
            replacement: if argument.is_empty() { name.to_string() } else { format!("{name} ") },
        };
        Ok((0, fits.map(pair).collect()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}
