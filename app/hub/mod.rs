//! The Hugging Face hub: what a repository holds, and downloads into the cache that all programs of this machine share.

mod api;
pub mod cache;
pub mod catalogue;
mod check;
mod choose;
mod download;
mod http;
mod id;
mod part;
mod pull;
pub mod remove;
mod room;
mod stop;
mod token;

pub use choose::is_called;
pub use id::Wanted;
pub use pull::{Pulled, Report, Request, pull};
pub use room::Room;
pub use stop::Stop;

/// Why something could not be done: one sentence, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// What was asked for is at fault.
    #[error("{0}")]
    Asked(String),
    /// The network, the hub or the disk is at fault.
    #[error("{0}")]
    Machine(String),
    /// It was ended; see [`Stop`].
    #[error("the download was stopped; pulled again, it goes on where it was")]
    Stopped,
}

/// Result of this module.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// A variable of the environment, if it is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_string()).filter(|value| !value.is_empty())
}

/// Whether a variable is switched on, as the hub's own programs read it.
pub fn is_on(name: &str) -> bool {
    variable(name).is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str()))
}

/// For `map_err` on file operations; a full disk is called so.
fn disk(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Problem {
    let path = path.display().to_string();
    move |error| {
        Problem::Machine(match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => format!(
                "the disk is full: cannot {doing} {path}; make room and pull again, which goes on where this stopped, or move the cache \
                 with HF_HOME"
            ),
            _ => format!("cannot {doing} {path}: {error}"),
        })
    }
}
