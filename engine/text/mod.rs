//! Text to token ids and back; chat templates.

mod gguf;
mod model;
mod pieces;
mod python;
mod special;
mod stream;
mod template;
mod tokenizer;

pub use stream::TextStream;
pub use template::{Content, Message, PartText, Template};
pub use tokenizer::Tokenizer;
