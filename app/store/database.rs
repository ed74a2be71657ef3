//! The file of conversations: an SQLite database that is opened, brought up to date and never harmed.
//!
//! It is in WAL mode: a commit is one write behind the log, which a killed program cannot lose, and readers do not wait for
//! writers. Whole messages are also waited for until they are on the disk, so that a power cut leaves them, too.

use super::id::now_ms;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, Transaction, TransactionBehavior, ffi};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// From each version to the next; `user_version` counts those that were run.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/1_conversations.sql"),
    include_str!("migrations/2_search.sql"),
    include_str!("migrations/3_first_token.sql"),
];
/// The `application_id` that the first migration writes.
const APPLICATION: i64 = 0x5065_7263;
/// How long another program that writes is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of that, how long at once: some locks are told of without waiting.
const TRY: Duration = Duration::from_millis(200);
/// The log is cut to this after it was longer.
const LOG_BYTES: i64 = 16 << 20;

/// Why something cannot be kept or found: one sentence that says what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{sentence}")]
pub struct Trouble {
    sentence: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Another program holds the lock.
    Busy,
    /// What was asked for can never be done.
    Refused,
    /// The file or the disk.
    Place,
}

impl Trouble {
    fn new(kind: Kind, sentence: String) -> Trouble {
        Trouble { sentence, kind }
    }

    /// What can never be done.
    pub(super) fn refused(sentence: impl Into<String>) -> Trouble {
        Trouble::new(Kind::Refused, sentence.into())
    }

    /// Whether trying again is of no use, since what was asked for is at fault and not the disk.
    pub fn is_refusal(&self) -> bool {
        self.kind == Kind::Refused
    }

    fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Trouble {
        let path = path.display();
        let elsewhere = "set PERCEPT_DATA_DIR to another folder";
        let (kind, sentence) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                (Kind::Busy, format!("{path} is locked by another program: close it, or {elsewhere}"))
            }
            Some(_) if is_full(error) => {
                (Kind::Place, format!("there is no space left for {path}: make room on its disk, or {elsewhere}"))
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                (Kind::Place, format!("{path} cannot be written: allow it, or {elsewhere}"))
            }
            Some(ErrorCode::NotADatabase) => (
                Kind::Place,
                format!("{path} is no database of conversations and was left as it is: move it away, or {elsewhere}"),
            ),
            Some(ErrorCode::DatabaseCorrupt) => (
                Kind::Place,
                format!(
                    "{path} is damaged and was left as it is: copy it away and try `sqlite3 COPY .recover`, or {elsewhere}"
                ),
            ),
            Some(ErrorCode::TooBig) => {
                (Kind::Refused, "it is larger than the 1 GB that can be kept of one thing: send a shorter one".into())
            }
            Some(ErrorCode::ConstraintViolation) => {
                (Kind::Refused, "it belongs to a conversation that was deleted: begin a new one".into())
            }
            _ if matches!(error, rusqlite::Error::QueryReturnedNoRows | rusqlite::Error::StatementChangedRows(0)) => {
                (Kind::Refused, "it belongs to a conversation that was deleted: begin a new one".into())
            }
            _ => (Kind::Place, format!("{path} cannot be used ({error}): {elsewhere}")),
        };
        Trouble::new(kind, sentence)
    }

    pub(super) fn of_file(path: &Path, error: &io::Error) -> Trouble {
        let sentence = format!(
            "{} cannot be made ({error}): set PERCEPT_DATA_DIR to a folder that can be written",
            path.display()
        );
        Trouble::new(Kind::Place, sentence)
    }
}

/// The log is on the disk, and so is the memory that programs share.
fn is_full(error: &rusqlite::Error) -> bool {
    let full = [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE];
    error.sqlite_error().is_some_and(|error| full.contains(&error.extended_code))
}

/// An open database of conversations.
pub struct Database {
    connection: Connection,
    path: PathBuf,
    /// Whether commits wait for the disk now.
    durable: bool,
}

impl Database {
    /// Opens the file, makes it if it is not there, and brings it up to date. Its owner alone can read it.
    ///
    /// # Errors
    /// If it cannot be made, read or written, is locked, damaged, of a newer program or no database of conversations; nothing
    /// of it is changed then.
    pub fn open(path: &Path) -> Result<Database, Trouble> {
        Database::migrated(path, MIGRATIONS)
    }

    /// As a program would open it that knows these migrations.
    fn migrated(path: &Path, migrations: &[&str]) -> Result<Database, Trouble> {
        make_file(path).map_err(|error| Trouble::of_file(path, &error))?;
        let begun = Instant::now();
        loop {
            match connect(path, migrations) {
                Err(trouble) if trouble.kind == Kind::Busy && begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(trouble) => return Err(trouble),
                Ok(connection) => {
                    restrict(path);
                    return Ok(Database { connection, path: path.into(), durable: false });
                }
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads from one state of the database, whatever others write meanwhile.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Trouble> {
        let all = || read(&*self.connection.unchecked_transaction()?);
        all().map_err(|error| self.trouble(&error))
    }

    /// Writes all or nothing. `durable` waits until the disk has it; otherwise only a power cut can lose it.
    pub(super) fn write<T>(
        &mut self,
        durable: bool,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Trouble> {
        let all = || {
            if durable != self.durable {
                self.connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "NORMAL" })?;
                self.durable = durable;
            }
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = write(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        all().map_err(|error| Trouble::of_sqlite(&self.path, &error))
    }

    fn trouble(&self, error: &rusqlite::Error) -> Trouble {
        Trouble::of_sqlite(&self.path, error)
    }

    /// Ends what a killed program left open: its answers are interrupted ones now. An answer that another program is still
    /// writing becomes whole again when that ends it.
    pub fn settle(&mut self) -> Result<(), Trouble> {
        self.write(true, |transaction| {
            let mut left =
                transaction.prepare("SELECT id FROM messages WHERE state = 'open' UNION SELECT message FROM pieces")?;
            let left: Vec<super::id::Id> = left.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            for message in left {
                super::change::fold(transaction, message)?;
            }
            let sql = "UPDATE messages SET state = 'interrupted', why = 'the program ended' WHERE state = 'open'";
            transaction.execute(sql, [])?;
            Ok(())
        })
    }

    /// Removes conversations for good that were deleted at least `age` ago, and gives their space back.
    pub fn purge(&mut self, age: Duration) -> Result<(), Trouble> {
        let before = now_ms() - age.as_millis() as i64;
        let removed = self.write(true, |transaction| {
            let removed = transaction.execute("DELETE FROM conversations WHERE deleted <= ?1", [before])?;
            if removed > 0 {
                // Until then the index only remembers that its entries hold no longer. Its own secure deletion takes fifty
                // times as long.
                transaction.execute("INSERT INTO titles (titles) VALUES ('optimize')", [])?;
                transaction.execute("INSERT INTO texts (texts) VALUES ('optimize')", [])?;
            }
            Ok(removed)
        })?;
        if removed > 0 {
            // Pages are freed row by row.
            let freed = self.connection.pragma_query(None, "incremental_vacuum", |_| Ok(()));
            freed.map_err(|error| self.trouble(&error))?;
        }
        Ok(())
    }
}

/// An empty file that its owner alone can read, unless there is one. SQLite gives its log the same rights.
fn make_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // A file that is there is not opened: closing it would take away the locks that this process has on it.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Takes the rights of others away that somebody gave them.
fn restrict(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for end in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(end);
            let is_open = fs::metadata(&file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
            if is_open && let Err(error) = fs::set_permissions(&file, fs::Permissions::from_mode(0o600)) {
                tracing::warn!("others may read {}: {error}", Path::new(&file).display());
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Looks before it writes: whose database is it, and of which version?
fn connect(path: &Path, migrations: &[&str]) -> Result<Connection, Trouble> {
    let of_sqlite = |error: rusqlite::Error| Trouble::of_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(of_sqlite)?;
    connection.busy_timeout(TRY).map_err(of_sqlite)?;
    let found = "SELECT (SELECT count(*) FROM sqlite_schema), application_id, user_version
        FROM pragma_application_id, pragma_user_version";
    let found = connection.query_row(found, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (objects, application, version): (i64, i64, i64) = found.map_err(of_sqlite)?;
    let elsewhere = "or set PERCEPT_DATA_DIR to another folder";
    let is_new = (objects, application, version) == (0, 0, 0);
    if !is_new && application != APPLICATION {
        let sentence = "is a database of another program and was left as it is: move it away,";
        return Err(Trouble::new(Kind::Place, format!("{} {sentence} {elsewhere}", path.display())));
    }
    if version > migrations.len() as i64 {
        let sentence = format!(
            "{} was written by a newer percept (version {version}, this one knows up to {}) and was left as it is: \
             update percept, {elsewhere}",
            path.display(),
            migrations.len()
        );
        return Err(Trouble::new(Kind::Place, sentence));
    }
    prepare(&mut connection, is_new, migrations).map_err(of_sqlite)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, is_new: bool, migrations: &[&str]) -> rusqlite::Result<()> {
    if connection.is_readonly(MAIN_DB)? {
        let code = ffi::Error::new(ffi::SQLITE_READONLY);
        return Err(rusqlite::Error::SqliteFailure(code, None));
    }
    if is_new {
        // Known to a file before its first table, or never.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(
            "the conversations are on a disk that cannot share memory; they are kept with a journal instead"
        );
    }
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is written over.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    let version_now = |connection: &Connection| -> rusqlite::Result<usize> {
        Ok(connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))? as usize)
    };
    let mut version = version_now(connection)?;
    while version < migrations.len() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another program may have been faster.
        version = version_now(&transaction)?;
        if let Some(migration) = migrations.get(version) {
            transaction.execute_batch(migration)?;
            version += 1;
            transaction.pragma_update(None, "user_version", version as i64)?;
        }
        transaction.commit()?;
    }
    connection.busy_timeout(PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::super::change::Change;
    use super::super::history::{Kind as Media, Role, State};
    use super::super::made::{database, file, place};
    use super::*;

    impl Database {
        /// Moves all that was written into the file.
        pub fn empty_log(&self) {
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
    }

    fn version(database: &Database) -> i64 {
        database.count("SELECT user_version FROM pragma_user_version")
    }

    /// The sentence of a file that cannot be opened and is afterwards as it was.
    fn refused(path: &Path) -> String {
        let before = fs::read(path).unwrap();
        let trouble = Database::open(path).err().unwrap();
        assert_eq!(fs::read(path).unwrap(), before, "{trouble}");
        assert!(!trouble.is_refusal());
        trouble.to_string().replace(&path.display().to_string(), "FILE")
    }

    #[test]
    fn a_new_database_is_its_owners_alone() {
        let (_folder, mut database) = database();
        database.begin("hello");
        assert_eq!(version(&database), MIGRATIONS.len() as i64);
        assert_eq!(database.count("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
        assert_eq!(database.count("SELECT foreign_keys FROM pragma_foreign_keys"), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |end: &str| {
                let path = format!("{}{end}", database.path().display());
                fs::metadata(path).unwrap().permissions().mode() & 0o777
            };
            assert_eq!([mode(""), mode("-wal"), mode("-shm")], [0o600; 3]);
            // Somebody has opened it to others, and the next start closes it.
            fs::set_permissions(database.path(), fs::Permissions::from_mode(0o644)).unwrap();
            Database::open(database.path()).unwrap();
            assert_eq!(mode(""), 0o600);
        }
    }

    #[test]
    fn each_older_version_is_brought_up_to_date_with_all_that_is_in_it() {
        for known in 1..MIGRATIONS.len() {
            let (_folder, path) = place();
            let mut old = Database::migrated(&path, &MIGRATIONS[..known]).unwrap();
            assert_eq!(version(&old), known as i64);
            let conversation = old.begin("On snails");
            old.say(conversation, Role::User, "Where do snails sleep?");
            drop(old);
            let new = Database::open(&path).unwrap();
            assert_eq!(version(&new), MIGRATIONS.len() as i64);
            assert_eq!(new.texts(conversation), ["Where do snails sleep?"]);
            assert_eq!(new.search("snails", 9).unwrap().len(), 2);
            for index in ["titles", "texts"] {
                let check = format!("INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)");
                new.read(|connection| connection.execute(&check, [])).unwrap();
            }
        }
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let (_folder, path) = place();
        let conversation = Database::open(&path).unwrap().begin("kept");
        let broken = [MIGRATIONS, &["CREATE TABLE half (id); CREATE TABLE conversations (id);"]].concat();
        assert!(Database::migrated(&path, &broken).is_err());
        let database = Database::open(&path).unwrap();
        assert_eq!(database.count("SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
        assert_eq!(database.conversation(conversation).unwrap().summary.title, "kept");
    }

    #[test]
    fn what_is_no_database_of_ours_is_left_as_it_is() {
        let (_folder, path) = place();
        let remedy = "or set PERCEPT_DATA_DIR to another folder";
        let no = format!("FILE is no database of conversations and was left as it is: move it away, {remedy}");
        for content in ["a".repeat(10), "my diary\n".repeat(1_000)] {
            fs::write(&path, content).unwrap();
            assert_eq!(refused(&path), no);
        }
        fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (id); PRAGMA user_version = 1").unwrap();
        let foreign = format!("FILE is a database of another program and was left as it is: move it away, {remedy}");
        assert_eq!(refused(&path), foreign);
        fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
        assert_eq!(refused(&path), foreign);
    }

    #[test]
    fn a_newer_database_is_left_to_its_program() {
        let (_folder, path) = place();
        drop(Database::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert_eq!(
            refused(&path),
            format!(
                "FILE was written by a newer percept (version 99, this one knows up to {}) and was left as it is: \
                 update percept, or set PERCEPT_DATA_DIR to another folder",
                MIGRATIONS.len()
            )
        );
    }

    #[test]
    fn a_damaged_database_is_told_of() {
        let (_folder, path) = place();
        let mut database = Database::open(&path).unwrap();
        let conversation = database.begin("long");
        for _ in 0..100 {
            database.say(conversation, Role::User, &"word ".repeat(500));
        }
        drop(database);
        let mut bytes = fs::read(&path).unwrap();
        let pages = bytes.len() / 4096;
        for page in 1..pages {
            bytes[page * 4096..page * 4096 + 100].fill(0xee);
        }
        fs::write(&path, &bytes).unwrap();
        let read = |database: Database| database.conversation(conversation).map(drop);
        let trouble = Database::open(&path).and_then(read).unwrap_err();
        assert!(trouble.to_string().contains("is damaged and was left as it is: copy it away"), "{trouble}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn a_lock_is_waited_for_and_then_told_of() {
        let (_folder, path) = place();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let trouble = Database::open(&path).err().unwrap();
        let sentence = format!(
            "{} is locked by another program: close it, or set PERCEPT_DATA_DIR to another folder",
            path.display()
        );
        assert_eq!(trouble.to_string(), sentence);
        other.execute_batch("ROLLBACK").unwrap();
        let mut database = Database::open(&path).unwrap();
        let conversation = database.begin("before");
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let rename = [Change::Rename { conversation, title: "after".into() }];
        assert_eq!(database.apply(&rename, 0).unwrap_err().to_string(), sentence);
        // Reading does not wait for writers.
        assert_eq!(database.conversation(conversation).unwrap().summary.title, "before");
        other.execute_batch("ROLLBACK").unwrap();
        database.apply(&rename, 0).unwrap();
        assert_eq!(database.conversation(conversation).unwrap().summary.title, "after");
    }

    #[test]
    fn a_full_disk_takes_all_or_nothing() {
        let (_folder, mut database) = database();
        let conversation = database.begin("full");
        let message = database.say(conversation, Role::Assistant, "kept");
        database.leave_pages(2);
        let long = Change::Append { message, text: "x".repeat(1 << 20) };
        let both = [Change::Append { message, text: " and not".into() }, long];
        let trouble = database.apply(&both, 0).unwrap_err();
        assert!(trouble.to_string().starts_with("there is no space left for "), "{trouble}");
        assert!(!trouble.is_refusal());
        assert_eq!(database.texts(conversation), ["kept"]);
        database.leave_pages(1_000);
        database.apply(&both[..1], 0).unwrap();
        assert_eq!(database.texts(conversation), ["kept and not"]);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told_of() {
        let (folder, path) = place();
        fs::write(folder.path().join("file"), "").unwrap();
        let trouble = Database::open(&folder.path().join("file/below.db")).err().unwrap();
        assert!(trouble.to_string().ends_with(": set PERCEPT_DATA_DIR to a folder that can be written"), "{trouble}");
        let trouble = Database::open(folder.path()).err().unwrap();
        assert!(trouble.to_string().contains("cannot be written: allow it, or"), "{trouble}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            drop(Database::open(&path).unwrap());
            fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
            // The system's administrator may write everything.
            if OpenOptions::new().write(true).open(&path).is_err() {
                assert_eq!(
                    refused(&path),
                    "FILE cannot be written: allow it, or set PERCEPT_DATA_DIR to another folder"
                );
            }
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        }
    }

    #[test]
    fn every_trouble_is_one_sentence_with_a_remedy() {
        let of = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("from SQLite".into()));
            Trouble::of_sqlite(Path::new("FILE"), &error)
        };
        for (code, beginning, refusal) in [
            (ffi::SQLITE_BUSY, "FILE is locked", false),
            (ffi::SQLITE_FULL, "there is no space left for FILE", false),
            (ffi::SQLITE_IOERR_SHMSIZE, "there is no space left for FILE", false),
            (ffi::SQLITE_READONLY, "FILE cannot be written", false),
            (ffi::SQLITE_CANTOPEN, "FILE cannot be written", false),
            (ffi::SQLITE_CORRUPT, "FILE is damaged", false),
            (ffi::SQLITE_IOERR, "FILE cannot be used (from SQLite)", false),
            (ffi::SQLITE_TOOBIG, "it is larger", true),
            (ffi::SQLITE_CONSTRAINT, "it belongs to a conversation", true),
        ] {
            let trouble = of(code);
            assert!(trouble.to_string().starts_with(beginning), "{trouble}");
            assert!(trouble.to_string().contains(": "), "{trouble}");
            assert_eq!(trouble.is_refusal(), refusal, "{trouble}");
        }
    }

    #[test]
    fn what_a_killed_program_left_open_is_interrupted_and_found() {
        let (_folder, mut database) = database();
        let conversation = database.begin("");
        let left = database.say(conversation, Role::Assistant, "It is ");
        database.make(Change::Append { message: left, text: "turquoise".into() });
        database.settle().unwrap();
        let message = &database.conversation(conversation).unwrap().messages[0];
        let found = (message.text.as_str(), message.state, message.why.as_deref());
        assert_eq!(found, ("It is turquoise", State::Interrupted, Some("the program ended")));
        assert_eq!(database.search("turquoise", 9).unwrap().len(), 1);
        // Another program was still writing it.
        database.make(Change::Append { message: left, text: " blue".into() });
        database.make(Change::Finish { message: left, end: super::super::made::whole() });
        let message = &database.conversation(conversation).unwrap().messages[0];
        assert_eq!((message.text.as_str(), message.state), ("It is turquoise blue", State::Whole));
    }

    #[test]
    fn what_is_purged_is_in_no_file() {
        let (_folder, mut database) = database();
        let kept = database.begin("kept");
        let conversation = database.begin("XYZZY-title");
        let message = database.say(conversation, Role::User, "XYZZY-text");
        database.show(message, file(Media::Image, &b"XYZZY-file".repeat(100_000)));
        database.apply(&[Change::Delete { conversation }], now_ms()).unwrap();
        database.purge(Duration::from_secs(60)).unwrap();
        assert_eq!(database.count("SELECT count(*) FROM messages"), 1);
        database.purge(Duration::ZERO).unwrap();
        for table in ["messages", "media", "files", "texts", "titles WHERE title MATCH 'XYZZY'"] {
            assert_eq!(database.count(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
        }
        assert!(database.conversation(kept).is_ok());
        let path = database.path().to_path_buf();
        drop(database);
        let bytes = fs::read(path).unwrap();
        for trace in [&b"XYZZY"[..], b"xyz", b"yzz", b"zzy"] {
            assert!(!bytes.windows(trace.len()).any(|part| part == trace), "{}", String::from_utf8_lossy(trace));
        }
        assert!(bytes.len() < 500_000, "{}", bytes.len());
    }
}
