//! What is on disk for a person: conversations and the history of lines, and the models that other programs have put there.

pub mod conversations;
pub mod models;
pub mod names;

use std::path::PathBuf;

/// Where conversations are written as they happen.
pub fn conversations_dir() -> Option<PathBuf> {
    Some(dirs::data_dir()?.join("percept/conversations"))
}

/// Where settings and the history of lines are.
pub fn config_dir() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("percept"))
}
