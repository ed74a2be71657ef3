//! The token of a person's account on the hub, where its own programs keep it.

use super::{cache, variable};
use std::path::PathBuf;

/// A token and where it was found, for sentences.
pub struct Token {
    /// The secret.
    pub secret: String,
    /// A variable's name or a file.
    pub from: String,
}

impl Token {
    /// The first of `HF_TOKEN`, its older name, and the token file.
    pub fn find() -> Option<Token> {
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let Some(secret) = variable(name) {
                return Some(Token { secret, from: format!("the variable {name}") });
            }
        }
        let file = Token::file()?;
        let secret = std::fs::read_to_string(&file).ok()?.trim().to_string();
        (!secret.is_empty()).then(|| Token { secret, from: file.display().to_string() })
    }

    /// The file that signing in writes.
    pub fn file() -> Option<PathBuf> {
        match variable("HF_TOKEN_PATH") {
            Some(path) => Some(path.into()),
            None => Some(cache::home()?.join("token")),
        }
    }
}
