//! The spectrogram encoder of Gemma 4: its configuration, its log-mel frames and its states against the reference's.

mod config;
mod session;
mod spectrogram;
mod states;
mod support;
#[path = "../support/variant.rs"]
mod variant;
