//! Percept: one multimodal model (text, pictures, sound, video) on any GPU through WebGPU.

#![warn(missing_docs)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, clippy::todo)]

pub mod bench;
pub mod error;
#[doc(hidden)]
pub mod gpu;
#[doc(hidden)]
pub mod kernels;
pub mod media;
pub mod models;
pub mod self_test;
pub mod session;
#[doc(hidden)]
pub mod text;
pub mod trace;
#[doc(hidden)]
pub mod weights;

pub use error::{Blame, Error, Result};

/// Every shader of `shaders/`, joined and validated by the build.
#[doc(hidden)]
pub mod shaders {
    include!(concat!(env!("OUT_DIR"), "/shaders.rs"));
}

/// Where compiled pipelines and verdicts about adapters are kept; `PERCEPT_CACHE_DIR` overrides the system's place.
pub fn cache_dir() -> Option<std::path::PathBuf> {
    match std::env::var_os("PERCEPT_CACHE_DIR") {
        Some(folder) => Some(folder.into()),
        None => Some(dirs::cache_dir()?.join("percept")),
    }
}
