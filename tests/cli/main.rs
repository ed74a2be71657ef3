//! The real program: what it says, where, and with which exit code.

mod ask;
mod bad_input;
mod bench;
mod chat;
mod doctor;
mod help;
mod models;
mod perplexity;
mod support;
mod trace;
