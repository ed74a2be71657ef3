//! One file a page.

pub mod conversation;
pub mod engine;
pub mod models;
pub mod settings;
