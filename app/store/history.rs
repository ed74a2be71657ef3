//! What was said: the list of conversations, one of them as a whole, and the files that were shown and heard.

use super::database::{Database, Trouble};
use super::id::Id;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;

/// An enum that stands in the database as words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$of])* $variant,)* }

        impl $name {
            /// As it stands in the database.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.word()))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                match value.as_str()? {
                    $($word => Ok($name::$variant),)*
                    _ => Err(FromSqlError::InvalidType),
                }
            }
        }
    };
}

words! {
    /// Who said it.
    Role {
        /// The person.
        User = "user",
        /// The model.
        Assistant = "assistant",
    }
}

words! {
    /// How far a message came.
    State {
        /// More is coming; if this program does not write it, another one does.
        Open = "open",
        /// All of it is there.
        Whole = "whole",
        /// It was stopped; what is there was said.
        Interrupted = "interrupted",
        /// Something went wrong.
        Failed = "failed",
    }
}

words! {
    /// What a file is.
    Kind {
        /// A picture.
        Image = "image",
        /// A sound.
        Audio = "audio",
        /// A film.
        Video = "video",
    }
}

/// A conversation in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its number.
    pub id: Id,
    /// Its title, perhaps empty.
    pub title: String,
    /// The model that answered last.
    pub model: Option<String>,
    /// When it was begun, in milliseconds since 1970.
    pub created: i64,
    /// When something was said last.
    pub changed: i64,
}

/// A conversation with all that was said in the line that is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// As in the list.
    pub summary: Summary,
    /// Oldest first.
    pub messages: Vec<Message>,
}

/// Something that one of them said.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its number, and the time when it was begun.
    pub id: Id,
    /// Who said it.
    pub role: Role,
    /// All of its text.
    pub text: String,
    /// What the model thought before it answered.
    pub thinking: String,
    /// How far it came.
    pub state: State,
    /// Why it ended, as a person is told.
    pub why: Option<String>,
    /// Tokens of the answer.
    pub tokens: Option<u32>,
    /// How long the answer took.
    pub seconds: Option<f64>,
    /// How much of that went by before its first token.
    pub first_seconds: Option<f64>,
    /// What was shown and heard with it, in order.
    pub media: Vec<Media>,
    /// All that stood or stands at this place, oldest first: questions as they were before they were edited, answers that
    /// were tried again. This message is one of them.
    pub versions: Vec<Id>,
}

/// A file in a message; [`Database::media`] has its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// Its number.
    pub id: Id,
    /// What it is.
    pub kind: Kind,
    /// Bytes of the message's text in front of it.
    pub at: usize,
    /// What the file was called.
    pub name: Option<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// How long it lasts.
    pub seconds: Option<f64>,
    /// Bytes of the file.
    pub bytes: u64,
}

/// A message's parts in the order in which the model gets them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part<'a> {
    /// Text, never empty.
    Text(&'a str),
    /// A file.
    Media(&'a Media),
}

impl Message {
    /// Text and files in order.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let (mut parts, mut said) = (Vec::new(), 0);
        for media in &self.media {
            // A cut may have left fewer bytes than stood in front of it.
            let at = self.text.floor_char_boundary(media.at).max(said);
            parts.extend([Part::Text(&self.text[said..at]), Part::Media(media)]);
            said = at;
        }
        parts.push(Part::Text(&self.text[said..]));
        parts.retain(|part| *part != Part::Text(""));
        parts
    }
}

/// The messages of a conversation, what was appended to them, and their files.
pub(super) const OF_CONVERSATION: [&str; 3] = [
    "SELECT id, parent, role, text, thinking, state, why, tokens, seconds, first_seconds
     FROM messages WHERE conversation = ?1 ORDER BY id",
    "SELECT message, thinking, pieces.text FROM pieces
     WHERE message IN (SELECT id FROM messages WHERE conversation = ?1) ORDER BY message, number",
    "SELECT message, media.id, kind, at, name, width, height, seconds, octet_length(bytes)
     FROM media JOIN files USING (sha256)
     WHERE message IN (SELECT id FROM messages WHERE conversation = ?1) ORDER BY message, position",
];
const SUMMARY: &str = "SELECT id, title, model, created, changed FROM conversations";

impl Database {
    /// All conversations, the one last talked in first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn conversations(&self) -> Result<Vec<Summary>, Trouble> {
        self.read(|connection| {
            let mut all = connection.prepare(&format!("{SUMMARY} WHERE deleted IS NULL ORDER BY changed DESC"))?;
            all.query_map([], summary)?.collect()
        })
    }

    /// One conversation.
    ///
    /// # Errors
    /// A refusal if it is not there or was deleted.
    pub fn conversation(&self, id: Id) -> Result<Conversation, Trouble> {
        let found = self.read(|connection| {
            let sql = format!("{SUMMARY} WHERE id = ?1 AND deleted IS NULL");
            let Some(summary) = connection.query_row(&sql, [id], summary).optional()? else { return Ok(None) };
            Ok(Some(Conversation { summary, messages: line(connection, id)? }))
        })?;
        found.ok_or_else(|| Trouble::refused("this conversation was deleted: choose another one"))
    }

    /// The encoded file of a picture, sound or film.
    ///
    /// # Errors
    /// A refusal if it is not there.
    pub fn media(&self, id: Id) -> Result<Vec<u8>, Trouble> {
        let sql = "SELECT bytes FROM media JOIN files USING (sha256) WHERE id = ?1";
        let found = self.read(|connection| connection.query_row(sql, [id], |row| row.get(0)).optional())?;
        found.ok_or_else(|| Trouble::refused("this file was deleted with its conversation"))
    }
}

fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    Ok(Summary { id: row.get(0)?, title: row.get(1)?, model: row.get(2)?, created: row.get(3)?, changed: row.get(4)? })
}

/// The messages from the first one to the head.
fn line(connection: &Connection, conversation: Id) -> rusqlite::Result<Vec<Message>> {
    let mut all: HashMap<Id, (Option<Id>, Message)> = HashMap::new();
    let mut versions: HashMap<Option<Id>, Vec<Id>> = HashMap::new();
    let [messages, pieces, media] = OF_CONVERSATION;
    let mut found = connection.prepare(messages)?;
    for message in found.query_map([conversation], message)? {
        let (parent, message) = message?;
        versions.entry(parent).or_default().push(message.id);
        all.insert(message.id, (parent, message));
    }
    let mut pieces = connection.prepare(pieces)?;
    let mut pieces = pieces.query([conversation])?;
    while let Some(row) = pieces.next()? {
        if let Some((_, message)) = all.get_mut(&row.get(0)?) {
            let text = if row.get(1)? { &mut message.thinking } else { &mut message.text };
            text.push_str(row.get_ref(2)?.as_str()?);
        }
    }
    let mut media = connection.prepare(media)?;
    let mut media = media.query([conversation])?;
    while let Some(row) = media.next()? {
        if let Some((_, message)) = all.get_mut(&row.get(0)?) {
            message.media.push(Media {
                id: row.get(1)?,
                kind: row.get(2)?,
                at: usize::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
                name: row.get(4)?,
                width: row.get(5)?,
                height: row.get(6)?,
                seconds: row.get(7)?,
                bytes: u64::try_from(row.get::<_, i64>(8)?).unwrap_or_default(),
            });
        }
    }
    let sql = "SELECT head FROM conversations WHERE id = ?1";
    let mut next: Option<Id> = connection.query_row(sql, [conversation], |row| row.get(0))?;
    let mut line = Vec::new();
    // Each is taken out, so a circle in a damaged file ends, too.
    while let Some((parent, mut message)) = next.and_then(|id| all.remove(&id)) {
        message.versions = versions.remove(&parent).unwrap_or_default();
        line.push(message);
        next = parent;
    }
    line.reverse();
    Ok(line)
}

fn message(row: &Row<'_>) -> rusqlite::Result<(Option<Id>, Message)> {
    let message = Message {
        id: row.get(0)?,
        role: row.get(2)?,
        text: row.get(3)?,
        thinking: row.get(4)?,
        state: row.get(5)?,
        why: row.get(6)?,
        tokens: row.get(7)?,
        seconds: row.get(8)?,
        first_seconds: row.get(9)?,
        media: Vec::new(),
        versions: Vec::new(),
    };
    Ok((row.get(1)?, message))
}
