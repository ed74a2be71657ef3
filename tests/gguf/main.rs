//! GGUF files: good ones of every kind, one table of broken ones with the sentence that each must give, and the same numbers
//! from a model in every format of blocks.

mod formats;
mod generator;
mod good;
mod malformed;
mod memory;
mod mutations;
mod seeds;

use percept::text::{Content, Message, Template};
use percept::weights::{Checkpoint, GgufFile};
use std::path::Path;

/// Everything that is read of a file before its weights go to the GPU, in the order in which a model is loaded.
fn read_all(path: &Path) -> percept::Result<Option<Template>> {
    let checkpoint = Checkpoint::open(path)?;
    let config = percept::models::config(&checkpoint)?;
    let tokenizer = percept::models::tokenizer(&checkpoint)?;
    let template = percept::models::template(&checkpoint, &tokenizer)?;
    config.check(&checkpoint)?;
    for tensor in checkpoint.tensors() {
        tensor.check_finite()?;
    }
    let ids = tokenizer.encode("ab c")?;
    tokenizer.decode(&ids, false)?;
    Ok(template)
}

/// The prompt of a short conversation.
fn render(template: &Template) -> percept::Result<String> {
    let message = Message { role: "user".into(), content: Content::Text("ab".into()) };
    template.render(&[message], true, &serde_json::Map::new())
}

/// The message without the name of the temporary folder.
fn sentence(folder: &Path, error: &percept::Error) -> String {
    error.to_string().replace(&format!("{}/", folder.display()), "").replace(&folder.display().to_string(), "DIR")
}

/// Opens the file alone, and holds the memory that this takes against its length.
fn open(path: &Path) -> percept::Result<GgufFile> {
    let (opened, largest) = memory::largest(|| GgufFile::open(path));
    let len = path.metadata().map_or(0, |metadata| metadata.len() as usize);
    let most = memory::READER + memory::READER_TIMES * len;
    assert!(largest <= most, "{}: {largest} bytes at once for a file of {len}", path.display());
    opened
}
