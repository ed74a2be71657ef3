//! Percept: one multimodal model (text, pictures, sound, video) on any GPU through WebGPU.
//!
//! ```
//! use percept::{Event, Generation, Gpu, GpuOptions, Image, LoadOptions, Media, Model, Part, Session, SessionOptions};
//! use std::{path::Path, sync::Arc};
//!
//! # fn main() -> percept::Result<()> {
//! let folder = Path::new("tests/fixtures/gemma4_unified-tiny-s0"); // any published checkpoint folder
//! let gpu = Gpu::open(&GpuOptions::default())?;
//! let model = Arc::new(Model::load(&gpu, folder, &LoadOptions::default())?);
//! let mut session = Session::new(&model, &SessionOptions::default(), &|_| {})?;
//! session.push(Part::Media(Media::Image(Image::open(&folder.join("image_0.png"))?)))?;
//! session.push("What is this?".into())?;
//! let generation = Generation { max_tokens: Some(8), ..Generation::new(model.defaults(), 0) };
//! for event in session.generate(&generation)? {
//!     if let Event::Text { delta, .. } = event? {
//!         print!("{delta}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Session`] is where to begin: parts are read into the KV cache as they are pushed, answers are iterators of events.

#![warn(missing_docs)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, clippy::todo)]

pub mod bench;
pub mod encode;
pub mod error;
#[doc(hidden)]
pub mod gpu;
pub mod hearing;
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
pub use gpu::{AdapterChoice, AdapterSummary, Capabilities, Gpu, GpuOptions, adapters};
pub use media::{Audio, Image, Video, VideoOptions};
pub use models::{LoadOptions, Media, Model, Progress};
pub use session::{Answer, Cancel, Event, Generation, Look, Mark, Part, Session, SessionOptions, StopReason, Timings};

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
