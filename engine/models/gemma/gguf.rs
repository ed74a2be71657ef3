//! What the GGUF files of all Gemma families say alike.

use super::Names;
use crate::error::Result;
use crate::weights::{GgufFile, Metadata};

/// The base of rotary positions under `key`, `usual` where there is none.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) unless it is a number above 1.
pub(in crate::models) fn theta(metadata: &Metadata, key: &str, usual: f32) -> Result<f32> {
    let theta = metadata.optional_f32(key)?.unwrap_or(usual);
    if theta > 1.0 { Ok(theta) } else { Err(metadata.error(key, format!("is {theta}, expected above 1"))) }
}

/// `eps` of the norms under `key`.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) unless it is a number from 0.
pub(in crate::models) fn eps(metadata: &Metadata, key: &str) -> Result<f32> {
    let eps = metadata.optional_f32(key)?.unwrap_or(1e-6);
    if eps < 0.0 {
        return Err(metadata.error(key, format!("is {eps}, expected 0 or more")));
    }
    Ok(eps)
}

/// Rows of the embedding, or tokens if it is not there.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) if there is neither.
pub(in crate::models) fn vocab_size(file: &GgufFile) -> Result<usize> {
    match file.tensor(&Names::Gguf.embed_tokens()).map(|tensor| tensor.shape) {
        Some([words, _]) => Ok(*words),
        _ => file.metadata().array_len("tokenizer.ggml.tokens"),
    }
}
