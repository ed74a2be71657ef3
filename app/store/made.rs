//! Conversations for tests.

use super::change::{Change, End, File};
use super::database::Database;
use super::history::{Kind, Role, State};
use super::id::Id;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder that goes away, and the path of a database in it.
pub fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conversations.db");
    (folder, path)
}

/// An empty database.
pub fn database() -> (TempDir, Database) {
    let (folder, path) = place();
    (folder, Database::open(&path).unwrap())
}

impl Database {
    /// Makes one change at the time 0.
    pub fn make(&mut self, change: Change) {
        self.apply(&[change], 0).unwrap();
    }

    /// A new conversation.
    pub fn begin(&mut self, title: &str) -> Id {
        let conversation = Id::fresh();
        self.make(Change::Create { conversation, title: title.into(), model: None });
        conversation
    }

    /// A whole message of a person, or an open one of the model.
    pub fn say(&mut self, conversation: Id, role: Role, text: &str) -> Id {
        let message = Id::fresh();
        self.make(Change::Add { message, conversation, role, text: text.into() });
        message
    }

    /// A file in a message.
    pub fn show(&mut self, message: Id, file: File) -> Id {
        let media = Id::fresh();
        self.make(Change::Attach { media, message, file });
        media
    }

    /// The texts of the line that is shown.
    pub fn texts(&self, conversation: Id) -> Vec<String> {
        self.conversation(conversation).unwrap().messages.into_iter().map(|message| message.text).collect()
    }

    /// The one number that a statement gives.
    pub fn count(&self, sql: &str) -> i64 {
        self.read(|connection| connection.query_row(sql, [], |row| row.get(0))).unwrap()
    }

    /// Lets the file grow by so many pages and no more, like a disk that fills up.
    pub fn leave_pages(&self, free: i64) {
        let pages = self.count("SELECT page_count FROM pragma_page_count") + free;
        self.read(|connection| connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))).unwrap();
    }
}

/// A file of these bytes.
pub fn file(kind: Kind, bytes: &[u8]) -> File {
    File { kind, bytes: bytes.into(), name: None, width: None, height: None, seconds: None }
}

/// The end of a whole answer.
pub fn whole() -> End {
    End { state: State::Whole, why: None, tokens: Some(3), seconds: Some(0.5), first_seconds: Some(0.125) }
}
