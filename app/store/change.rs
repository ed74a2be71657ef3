//! What can happen to conversations. Each change is one value, so that it can be sent to the thread that writes, written
//! together with others, and tried again.

use super::database::{Database, Trouble};
use super::history::{Kind, Role, State};
use super::id::Id;
use ring::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A conversation began.
    Create {
        /// Its number.
        conversation: Id,
        /// Its title, perhaps empty until something was said.
        title: String,
        /// The model that will answer.
        model: Option<String>,
    },
    /// It is called otherwise.
    Rename {
        /// Which one.
        conversation: Id,
        /// From now on.
        title: String,
    },
    /// Another model answers.
    UseModel {
        /// Where.
        conversation: Id,
        /// From now on.
        model: Option<String>,
    },
    /// It is thrown away.
    Delete {
        /// Which one.
        conversation: Id,
    },
    /// It is taken back, until it was purged.
    Restore {
        /// Which one.
        conversation: Id,
    },
    /// Somebody speaks, behind all that was said. A person's message is whole; an answer is open until [`Change::Finish`].
    Add {
        /// Its number.
        message: Id,
        /// Where.
        conversation: Id,
        /// Who.
        role: Role,
        /// What is known already.
        text: String,
    },
    /// A file was shown or heard, behind the message's text so far.
    Attach {
        /// Its number.
        media: Id,
        /// The message.
        message: Id,
        /// The file.
        file: File,
    },
    /// The answer grew. This is cheap: it may come for each token.
    Append {
        /// The answer.
        message: Id,
        /// What is new.
        text: String,
    },
    /// The thoughts in front of the answer grew.
    Think {
        /// The answer.
        message: Id,
        /// What is new.
        text: String,
    },
    /// The answer ended.
    Finish {
        /// The answer.
        message: Id,
        /// How.
        end: End,
    },
    /// The answer was interrupted; only its first `bytes` were spoken, and only those are kept.
    Cut {
        /// The answer.
        message: Id,
        /// A character that is cut through goes, too.
        bytes: usize,
        /// As a person is told.
        why: Option<String>,
    },
    /// This message and all behind it are taken from the line; what is added next stands in its place, for a question
    /// that is edited and an answer that is tried again. Nothing is lost: see [`Message::versions`](super::history::Message).
    ReplaceFrom {
        /// The first one that goes.
        message: Id,
    },
    /// The line with this message is shown, with what was said last behind it.
    Choose {
        /// One that stands in no line now, or in this one already.
        message: Id,
    },
}

/// An encoded file as it is kept.
#[derive(Clone, PartialEq)]
pub struct File {
    /// What it is.
    pub kind: Kind,
    /// PNG, JPEG, WAV and so on, shared with whoever shows it.
    pub bytes: Arc<[u8]>,
    /// What it was called.
    pub name: Option<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// How long it lasts.
    pub seconds: Option<f64>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?} of {} bytes", self.kind, self.name, self.bytes.len())
    }
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// Whole, interrupted or failed.
    pub state: State,
    /// As a person is told.
    pub why: Option<String>,
    /// Its tokens.
    pub tokens: Option<u32>,
    /// How long it took.
    pub seconds: Option<f64>,
    /// How much of that went by before the first token.
    pub first_seconds: Option<f64>,
}

impl Change {
    /// Whether the disk is waited for. A token is not worth that.
    fn is_durable(&self) -> bool {
        !matches!(self, Change::Append { .. } | Change::Think { .. })
    }
}

impl Database {
    /// Writes all of these changes or none; `now` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// If they cannot be written. A refusal means that one of them never can.
    pub fn apply(&mut self, changes: &[Change], now: i64) -> Result<(), Trouble> {
        let durable = changes.iter().any(Change::is_durable);
        self.write(durable, |transaction| changes.iter().try_for_each(|change| apply(transaction, change, now)))
    }
}

fn apply(connection: &Connection, change: &Change, now: i64) -> rusqlite::Result<()> {
    match change {
        Change::Create { conversation, title, model } => {
            let sql = "INSERT INTO conversations (id, title, model, created, changed) VALUES (?1, ?2, ?3, ?4, ?4)";
            one(connection.execute(sql, params![conversation, title, model, conversation.ms()]))
        }
        Change::Rename { conversation, title } => {
            one(connection.execute("UPDATE conversations SET title = ?2 WHERE id = ?1", params![conversation, title]))
        }
        Change::UseModel { conversation, model } => {
            one(connection.execute("UPDATE conversations SET model = ?2 WHERE id = ?1", params![conversation, model]))
        }
        Change::Delete { conversation } => {
            one(connection.execute("UPDATE conversations SET deleted = ?2 WHERE id = ?1", params![conversation, now]))
        }
        Change::Restore { conversation } => {
            one(connection.execute("UPDATE conversations SET deleted = NULL WHERE id = ?1", [conversation]))
        }
        Change::Add { message, conversation, role, text } => {
            let state = if *role == Role::User { State::Whole } else { State::Open };
            let sql = "INSERT INTO messages (id, conversation, parent, role, text, state, created)
                SELECT ?1, id, head, ?3, ?4, ?5, ?6 FROM conversations WHERE id = ?2";
            one(connection.execute(sql, params![message, conversation, role, text, state, message.ms()]))?;
            let sql = "UPDATE conversations SET head = ?2, changed = max(changed, ?3) WHERE id = ?1";
            one(connection.execute(sql, params![conversation, message, now]))
        }
        Change::Attach { media, message, file } => attach(connection, *media, *message, file),
        Change::Append { message, text } => append(connection, *message, text, false),
        Change::Think { message, text } => append(connection, *message, text, true),
        Change::Finish { message, end } => {
            fold(connection, *message)?;
            let sql =
                "UPDATE messages SET state = ?2, why = ?3, tokens = ?4, seconds = ?5, first_seconds = ?6 WHERE id = ?1";
            let values = params![message, end.state, end.why, end.tokens, end.seconds, end.first_seconds];
            one(connection.execute(sql, values))?;
            let sql = "UPDATE conversations SET changed = max(changed, ?2)
                WHERE id = (SELECT conversation FROM messages WHERE id = ?1)";
            one(connection.execute(sql, params![message, now]))
        }
        Change::Cut { message, bytes, why } => {
            fold(connection, *message)?;
            let text: String =
                connection.query_row("SELECT text FROM messages WHERE id = ?1", [message], |row| row.get(0))?;
            let spoken = &text[..text.floor_char_boundary(*bytes)];
            let sql = "UPDATE messages SET text = ?2, state = 'interrupted', why = ?3 WHERE id = ?1";
            one(connection.execute(sql, params![message, spoken, why]))
        }
        Change::ReplaceFrom { message } => {
            let sql = "UPDATE conversations SET head = (SELECT parent FROM messages WHERE id = ?1)
                WHERE id = (SELECT conversation FROM messages WHERE id = ?1)";
            one(connection.execute(sql, [message]))
        }
        Change::Choose { message } => choose(connection, *message),
    }
}

/// A change of nothing is one of something that is not there.
fn one(changed: rusqlite::Result<usize>) -> rusqlite::Result<()> {
    match changed? {
        0 => Err(rusqlite::Error::StatementChangedRows(0)),
        _ => Ok(()),
    }
}

fn append(connection: &Connection, message: Id, text: &str, thinking: bool) -> rusqlite::Result<()> {
    let sql = "INSERT INTO pieces (message, number, thinking, text)
        SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3 FROM pieces WHERE message = ?1";
    one(connection.execute(sql, params![message, thinking, text]))
}

/// Puts what was appended into the message's text, where the search finds it.
pub(super) fn fold(connection: &Connection, message: Id) -> rusqlite::Result<()> {
    let pieces = "coalesce((SELECT group_concat(pieces.text, '' ORDER BY number) FROM pieces
        WHERE message = ?1 AND pieces.thinking =";
    let sql = format!(
        "UPDATE messages SET text = text || {pieces} 0), ''), thinking = thinking || {pieces} 1), '')
         WHERE id = ?1 AND EXISTS (SELECT 1 FROM pieces WHERE message = ?1)"
    );
    connection.execute(&sql, [message])?;
    connection.execute("DELETE FROM pieces WHERE message = ?1", [message])?;
    Ok(())
}

fn attach(connection: &Connection, media: Id, message: Id, file: &File) -> rusqlite::Result<()> {
    let sum = digest(&SHA256, &file.bytes);
    let sql = "INSERT INTO files (sha256, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection.execute(sql, params![sum.as_ref(), &*file.bytes])?;
    let sql = "INSERT INTO media (id, message, position, at, kind, sha256, name, width, height, seconds)
        SELECT ?1, id, (SELECT count(*) FROM media WHERE message = ?2),
            octet_length(text)
                + (SELECT coalesce(sum(octet_length(pieces.text)), 0) FROM pieces WHERE message = ?2 AND NOT thinking),
            ?3, ?4, ?5, ?6, ?7, ?8
        FROM messages WHERE id = ?2";
    let (kind, sum) = (file.kind, sum.as_ref());
    one(connection.execute(sql, params![media, message, kind, sum, file.name, file.width, file.height, file.seconds]))
}

fn choose(connection: &Connection, message: Id) -> rusqlite::Result<()> {
    let sql = "SELECT conversation, head FROM conversations
        JOIN messages ON messages.conversation = conversations.id WHERE messages.id = ?1";
    let (conversation, head): (Id, Option<Id>) =
        connection.query_row(sql, [message], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut parent = connection.prepare("SELECT parent FROM messages WHERE id = ?1")?;
    let mut above = head;
    while let Some(id) = above {
        if id == message {
            return Ok(());
        }
        // Older than its children, or a damaged file could lead in a circle.
        above = parent.query_row([id], |row| row.get::<_, Option<Id>>(0))?.filter(|parent| *parent < id);
    }
    let mut child = connection.prepare("SELECT max(id) FROM messages WHERE parent = ?1")?;
    let mut last = message;
    while let Some(next) = child.query_row([last], |row| row.get::<_, Option<Id>>(0)).optional()?.flatten() {
        if next <= last {
            break;
        }
        last = next;
    }
    one(connection.execute("UPDATE conversations SET head = ?2 WHERE id = ?1", params![conversation, last]))
}

#[cfg(test)]
mod tests {
    use super::super::history::{Message, Part};
    use super::super::made::{database, file, whole};
    use super::*;

    fn first(database: &Database, conversation: Id) -> Message {
        database.conversation(conversation).unwrap().messages.remove(0)
    }

    #[test]
    fn conversations_are_listed_by_their_last_word() {
        let (_folder, mut database) = database();
        let (old, new) = (database.begin("old"), database.begin("new"));
        let titles = |database: &Database| -> Vec<String> {
            database.conversations().unwrap().into_iter().map(|summary| summary.title).collect()
        };
        let later = now_later();
        database.apply(&[Change::Rename { conversation: old, title: "older".into() }], later).unwrap();
        assert_eq!(titles(&database), ["new", "older"]);
        let message = Id::fresh();
        let add = Change::Add { message, conversation: old, role: Role::User, text: "hello".into() };
        database.apply(&[add], later).unwrap();
        assert_eq!(titles(&database), ["older", "new"]);
        database.make(Change::UseModel { conversation: old, model: Some("seedling".into()) });
        let listed = database.conversations().unwrap().remove(0);
        assert_eq!((listed.created, listed.changed), (old.ms(), later));
        assert_eq!(listed.model.as_deref(), Some("seedling"));
        database.make(Change::Delete { conversation: new });
        assert_eq!(titles(&database), ["older"]);
        assert!(database.conversation(new).unwrap_err().is_refusal());
        database.make(Change::Restore { conversation: new });
        assert_eq!(titles(&database), ["older", "new"]);
    }

    fn now_later() -> i64 {
        super::super::id::now_ms() + 1_000
    }

    #[test]
    fn an_answer_grows_and_ends() {
        let (_folder, mut database) = database();
        let conversation = database.begin("");
        let message = database.say(conversation, Role::Assistant, "");
        for (thought, text) in [("Hm", ""), (", a", ""), ("", "The "), ("", "Grün"), ("!", " 🦊")] {
            database.make(Change::Think { message, text: thought.into() });
            database.make(Change::Append { message, text: text.into() });
        }
        let open = first(&database, conversation);
        assert_eq!((open.text.as_str(), open.thinking.as_str()), ("The Grün 🦊", "Hm, a!"));
        assert_eq!((open.state, open.tokens), (State::Open, None));
        let end = End { why: Some("no room".into()), ..whole() };
        database.make(Change::Finish { message, end: end.clone() });
        let ended = first(&database, conversation);
        assert_eq!((ended.text, ended.thinking), (open.text, open.thinking));
        assert_eq!(
            (ended.state, ended.why, ended.tokens, ended.seconds, ended.first_seconds),
            (end.state, end.why, end.tokens, end.seconds, end.first_seconds)
        );
        assert_eq!(database.count("SELECT count(*) FROM pieces"), 0);
    }

    /// However long the answer is: what is written for a token is not more.
    #[test]
    fn a_token_of_a_long_answer_costs_as_much_as_one_of_a_short_one() {
        let (_folder, mut database) = database();
        let conversation = database.begin("");
        let message = database.say(conversation, Role::Assistant, &"long ".repeat(200_000));
        database.empty_log();
        let log = format!("{}-wal", database.path().display());
        for _ in 0..100 {
            database.make(Change::Append { message, text: " token".into() });
        }
        let bytes = std::fs::metadata(log).unwrap().len();
        assert!(bytes > 0 && bytes < 100 * 3 * 4_200, "{bytes}");
    }

    #[test]
    fn a_cut_keeps_what_was_spoken() {
        let (_folder, mut database) = database();
        for (bytes, kept) in [(0, ""), (4, "It i"), (6, "It is "), (7, "It is "), (8, "It is ü"), (99, "It is über")]
        {
            let conversation = database.begin("");
            let message = database.say(conversation, Role::Assistant, "It ");
            database.make(Change::Append { message, text: "is über".into() });
            database.make(Change::Cut { message, bytes, why: Some("spoken over".into()) });
            let cut = first(&database, conversation);
            assert_eq!(
                (cut.text.as_str(), cut.state, cut.why.as_deref()),
                (kept, State::Interrupted, Some("spoken over"))
            );
        }
    }

    #[test]
    fn files_stand_in_the_text_where_they_were_shown() {
        let (_folder, mut database) = database();
        let conversation = database.begin("");
        let message = database.say(conversation, Role::User, "");
        let before = database.show(message, file(Kind::Image, b"first"));
        database.make(Change::Append { message, text: "ä".into() });
        let described = File {
            name: Some("a.wav".into()),
            width: Some(3),
            height: Some(2),
            seconds: Some(1.5),
            ..file(Kind::Audio, b"second!")
        };
        let (middle, also) = (database.show(message, described), database.show(message, file(Kind::Video, b"first")));
        database.make(Change::Append { message, text: "b".into() });
        let message = first(&database, conversation);
        let media = &message.media;
        assert_eq!(media.iter().map(|one| (one.id, one.at)).collect::<Vec<_>>(), [(before, 0), (middle, 2), (also, 2)]);
        assert_eq!(
            (media[1].width, media[1].height, media[1].seconds, media[1].bytes),
            (Some(3), Some(2), Some(1.5), 7)
        );
        assert_eq!((media[1].name.as_deref(), media[1].kind), (Some("a.wav"), Kind::Audio));
        let parts =
            [Part::Media(&media[0]), Part::Text("ä"), Part::Media(&media[1]), Part::Media(&media[2]), Part::Text("b")];
        assert_eq!(message.parts(), parts);
        assert_eq!(database.media(middle).unwrap(), b"second!");
        // The same bytes are kept once.
        assert_eq!(database.media(before).unwrap(), database.media(also).unwrap());
        assert_eq!(database.count("SELECT count(*) FROM files"), 2);
        assert!(database.media(Id::fresh()).unwrap_err().is_refusal());
    }

    #[test]
    fn a_file_behind_the_end_of_a_cut_text_stands_at_its_end() {
        let (_folder, mut database) = database();
        let conversation = database.begin("");
        let message = database.say(conversation, Role::Assistant, "täxt");
        database.show(message, file(Kind::Image, b"x"));
        database.make(Change::Cut { message, bytes: 1, why: None });
        let message = first(&database, conversation);
        assert_eq!(message.parts(), [Part::Text("t"), Part::Media(&message.media[0])]);
    }

    #[test]
    fn what_is_replaced_can_be_chosen_again() {
        let (_folder, mut database) = database();
        let talk = database.begin("");
        let asked = database.say(talk, Role::User, "1?");
        let answered = database.say(talk, Role::Assistant, "1!");
        database.say(talk, Role::User, "2?");
        let last = database.say(talk, Role::Assistant, "2!");
        // Tried again.
        database.make(Change::ReplaceFrom { message: last });
        assert_eq!(database.texts(talk), ["1?", "1!", "2?"]);
        let retried = database.say(talk, Role::Assistant, "2!!");
        assert_eq!(database.texts(talk), ["1?", "1!", "2?", "2!!"]);
        assert_eq!(database.conversation(talk).unwrap().messages[3].versions, [last, retried]);
        // Edited from the beginning.
        database.make(Change::ReplaceFrom { message: asked });
        assert_eq!(database.texts(talk), [""; 0]);
        let edited = database.say(talk, Role::User, "one?");
        database.say(talk, Role::Assistant, "one!");
        assert_eq!(database.texts(talk), ["one?", "one!"]);
        assert_eq!(database.conversation(talk).unwrap().messages[0].versions, [asked, edited]);
        // Back, to what was said last there.
        database.make(Change::Choose { message: asked });
        assert_eq!(database.texts(talk), ["1?", "1!", "2?", "2!!"]);
        database.make(Change::Choose { message: last });
        assert_eq!(database.texts(talk), ["1?", "1!", "2?", "2!"]);
        // It is shown already, though another line behind it is newer.
        database.make(Change::Choose { message: answered });
        assert_eq!(database.texts(talk), ["1?", "1!", "2?", "2!"]);
        database.make(Change::Choose { message: edited });
        assert_eq!(database.texts(talk), ["one?", "one!"]);
    }

    #[test]
    fn what_belongs_to_nothing_is_refused() {
        let (_folder, mut database) = database();
        let conversation = database.begin("");
        let there = database.say(conversation, Role::Assistant, "");
        let (message, gone) = (Id::fresh(), Id::fresh());
        for change in [
            Change::Create { conversation, title: "again".into(), model: None },
            Change::Rename { conversation: gone, title: String::new() },
            Change::UseModel { conversation: gone, model: None },
            Change::Delete { conversation: gone },
            Change::Restore { conversation: gone },
            Change::Add { message, conversation: gone, role: Role::User, text: String::new() },
            Change::Attach { media: Id::fresh(), message, file: file(Kind::Image, b"x") },
            Change::Append { message, text: "x".into() },
            Change::Think { message, text: "x".into() },
            Change::Finish { message, end: whole() },
            Change::Cut { message, bytes: 0, why: None },
            Change::ReplaceFrom { message },
            Change::Choose { message },
        ] {
            let good = Change::Append { message: there, text: "x".into() };
            let trouble = database.apply(&[good, change.clone()], 0).unwrap_err();
            assert!(trouble.is_refusal(), "{change:?}: {trouble}");
        }
        assert_eq!(database.texts(conversation), [""]);
        assert_eq!(database.count("SELECT count(*) FROM files"), 0);
    }
}
