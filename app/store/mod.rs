//! What is on disk for a person: conversations and the history of lines, the models that other programs have put there,
//! and the one that is part of this program.

#[cfg(feature = "desktop")]
#[allow(dead_code)]
pub mod change;
pub mod conversations;
#[cfg(feature = "desktop")]
#[allow(dead_code)]
pub mod database;
#[cfg(feature = "desktop")]
pub mod export;
#[cfg(feature = "desktop")]
#[allow(dead_code)]
pub mod history;
#[cfg(feature = "desktop")]
#[allow(dead_code)]
pub mod id;
#[cfg(all(test, feature = "desktop"))]
mod made;
pub mod models;
pub mod names;
#[cfg(feature = "desktop")]
#[allow(dead_code)]
pub mod search;
pub mod seedling;
#[cfg(feature = "desktop")]
#[allow(dead_code)]
pub mod settings;
#[cfg(feature = "desktop")]
#[allow(dead_code)]
pub mod thread;

use std::path::PathBuf;

/// Where conversations and settings of a person are; `PERCEPT_DATA_DIR` overrides the system's place.
pub fn data_dir() -> Option<PathBuf> {
    match std::env::var_os("PERCEPT_DATA_DIR") {
        Some(folder) => Some(folder.into()),
        None => Some(dirs::data_dir()?.join("percept")),
    }
}

/// Where conversations in the terminal are written as they happen.
pub fn conversations_dir() -> Option<PathBuf> {
    Some(data_dir()?.join("conversations"))
}

/// The database of conversations in the window; the settings are beside it.
#[cfg(feature = "desktop")]
#[allow(dead_code)]
pub fn database_path() -> Option<PathBuf> {
    Some(data_dir()?.join("conversations.db"))
}

/// Where settings and the history of lines are.
pub fn config_dir() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("percept"))
}
