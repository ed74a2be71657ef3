//! Text to token ids and back; chat templates.

mod python;
mod special;
mod stream;
mod template;
mod tokenizer;

pub use stream::TextStream;
pub use template::{Content, Message, PartText, Template};
pub use tokenizer::Tokenizer;
