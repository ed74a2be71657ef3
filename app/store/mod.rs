//! What is on disk for a person: conversations and the history of lines, the models that other programs have put there,
//! and the one that is part of this program.

pub mod conversations;
pub mod models;
pub mod names;
pub mod seedling;

use std::path::PathBuf;

/// Where conversations are written as they happen.
pub fn conversations_dir() -> Option<PathBuf> {
    Some(dirs::data_dir()?.join("percept/conversations"))
}

/// Where settings and the history of lines are.
pub fn config_dir() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("percept"))
}
