//! What is embedded: texts, pictures and sounds, as they are named on the command line or in a set.

use crate::cli::failure::Usage;
use crate::cli::load::existing;
use crate::cli::parts::{self, Kind};
use anyhow::{Context, Result};
use percept::session::{Part, Session};
use std::path::{Path, PathBuf};

/// Letters of a text that name it in a table.
const NAME_LEN: usize = 40;

/// Something to embed.
#[derive(Clone, Debug)]
pub struct Item {
    /// The text in quotation marks, its end left out if it is long, or the file.
    pub name: String,
    content: Content,
}

/// Texts are there; pictures and sounds are read one at a time, since there may be many.
#[derive(Clone, Debug)]
enum Content {
    Text(String),
    Media(Kind, PathBuf),
}

impl Item {
    /// A text.
    pub fn text(text: &str) -> Item {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = match words.char_indices().nth(NAME_LEN) {
            Some((end, _)) => format!("\"{}…\"", &words[..end]),
            None => format!("\"{words}\""),
        };
        Item { name, content: Content::Text(text.into()) }
    }

    /// A picture or a sound.
    ///
    /// # Errors
    /// If nothing is there.
    pub fn media(kind: Kind, path: &Path) -> Result<Item> {
        let what = if kind == Kind::Audio { "a recording" } else { "a picture" };
        Ok(Item { name: path.display().to_string(), content: Content::Media(kind, existing(path, what)?) })
    }

    /// A picture or a sound by its ending, else a text.
    ///
    /// # Errors
    /// If nothing is there, or it is neither of them.
    pub fn file(path: &Path) -> Result<Item> {
        let what = "a picture, a sound or a text";
        if let Some(kind) = parts::kind_of(path) {
            return Item::media(kind, path);
        }
        if existing(path, what)?.is_dir() {
            return Err(Usage(format!("{} is a folder; name the files in it", path.display())).into());
        }
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            let problem = "is no UTF-8 text, and its ending is of no picture or sound; name it with --image or --audio";
            Usage(format!("{} {problem}", path.display()))
        })?;
        Ok(Item { name: path.display().to_string(), content: Content::Text(text) })
    }

    /// What is looked for: a text, or a file behind an `@`.
    ///
    /// # Errors
    /// As [`Item::file`].
    pub fn query(query: &str) -> Result<Item> {
        match query.strip_prefix('@') {
            Some(path) => Item::file(Path::new(path)),
            None => Ok(Item::text(query)),
        }
    }

    /// For JSON: text, image or audio.
    pub fn kind(&self) -> &'static str {
        match &self.content {
            Content::Text(_) => "text",
            Content::Media(kind, _) => kind.name(),
        }
    }

    /// Its embedding, in an empty conversation.
    ///
    /// # Errors
    /// Whatever is wrong with it, under its name.
    pub fn embed(&self, session: &mut Session) -> Result<Vec<f32>> {
        let part = match &self.content {
            Content::Text(text) => Part::Text(text.clone()),
            Content::Media(kind, path) => Part::Media(parts::read(*kind, path, 0)?),
        };
        session.embed(&part).with_context(|| format!("{} was not embedded", self.name))
    }
}

/// The cosine of two embeddings, which have length one.
pub fn similarity(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
