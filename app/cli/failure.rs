//! What a failure is called on standard error, and the exit code that it gives.

use crate::hub::Problem;
use percept::{Blame, Error};
use std::io;

/// A mistake in what was asked for: one sentence, with the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The end of a command that has already told what went wrong, or that was stopped by its user.
#[derive(Debug, thiserror::Error)]
#[error("ended with exit code {0}")]
pub struct Told(pub u8);

/// 2 for usage and input, 1 for the machine, 0 when nobody reads the output any more.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(Told(code)) = cause.downcast_ref() {
            return *code;
        }
        if cause.is::<Usage>() {
            return 2;
        }
        match cause.downcast_ref() {
            Some(Problem::Asked(_)) => return 2,
            Some(Problem::Machine(_) | Problem::Stopped) => return 1,
            None => {}
        }
        if let Some(error) = cause.downcast_ref::<Error>() {
            return if error.blame() == Blame::Input { 2 } else { 1 };
        }
        if cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            return 0;
        }
    }
    1
}

/// Whether nothing is left to be said.
pub fn was_told(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Told>())
}

/// The message with its causes. Some messages of the library hold their cause already; it is not said twice.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}
