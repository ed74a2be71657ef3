//! The real program: what it says, where, and with which exit code.

mod ask;
mod bad_input;
mod bench;
mod chat;
mod doctor;
mod embed;
mod encode;
mod eval;
#[path = "../support/gguf.rs"]
mod gguf;
mod help;
mod hub;
mod models;
mod perplexity;
mod pull;
mod pull_faults;
mod remove;
mod seedling;
mod support;
mod trace;
#[path = "../support/variant.rs"]
mod variant;
