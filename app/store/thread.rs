//! The thread that keeps conversations and settings, since a window must never wait for a disk.
//!
//! What is sent is written in the order in which it came, at once: all that has come while the last commit ran goes into the
//! next one. So a program that is killed loses what was in flight, which is a token or two. While nothing can be written
//! (a full disk, a lock), all stays in memory and is tried again.

use super::change::Change;
use super::database::{Database, Trouble};
use super::history::{Conversation, Summary};
use super::id::{Id, now_ms};
use super::search::Hit;
use super::settings::Settings;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Most changes of one transaction.
const BATCH: usize = 1_000;
/// Pause between two tries to write what could not be written.
const RETRY: Duration = Duration::from_secs(1);
/// A deleted conversation can be taken back for so long after a program that was killed.
const TAKEN_BACK: Duration = Duration::from_secs(3600);

/// What the thread is told.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreCommand {
    /// Something happened.
    Write(Change),
    /// These settings hold now.
    Keep(Box<Settings>),
    /// Something is wanted; it is answered by one event, after all that was sent before was written.
    Ask(Question),
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// All conversations.
    List,
    /// One conversation.
    Load(Id),
    /// Where words stand.
    Search(String),
    /// The bytes of a picture, sound or film.
    Media(Id),
    /// A conversation as Markdown.
    Export {
        /// Which one.
        conversation: Id,
        /// Where the file and the folder beside it go.
        folder: PathBuf,
    },
}

/// What the thread tells.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreEvent {
    /// The answer to [`Question::List`]: the one last talked in first.
    Listed(Vec<Summary>),
    /// The answer to [`Question::Load`].
    Loaded(Conversation),
    /// The answer to [`Question::Search`]; the first is what was searched for.
    Found(String, Vec<Hit>),
    /// The answer to [`Question::Media`].
    Media(Id, Vec<u8>),
    /// The answer to [`Question::Export`]: the file.
    Exported(PathBuf),
    /// There is no answer; the sentence says why.
    Failed(Question, String),
    /// A change that can never be made was left out; the sentence says why.
    Refused(String),
    /// Nothing can be written now; the sentence says why. It is said once, all is kept in memory and tried again.
    Unsaved(String),
    /// All that was kept in memory is written.
    Saved,
}

/// Hits of a search that are worth reading.
const HITS: u32 = 200;

/// The way to the thread. When it is dropped, all that was sent is written before the drop ends.
pub struct Store {
    commands: Option<Sender<StoreCommand>>,
    events: Receiver<StoreEvent>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Starts it on the database at `path`, whose settings are in the same folder. `wake` is called when there is news.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(path: PathBuf, wake: impl Fn() + Send + 'static) -> std::io::Result<Store> {
        let (commands, received) = mpsc::channel();
        let (events, told) = mpsc::channel();
        let keeper = Keeper {
            path,
            database: None,
            changes: Vec::new(),
            settings: None,
            unsaved: None,
            refused: None,
            events,
            wake: Box::new(wake),
        };
        let thread = std::thread::Builder::new().name("store".into()).spawn(move || keeper.run(&received))?;
        Ok(Store { commands: Some(commands), events: told, thread: Some(thread) })
    }

    /// Sends a command; this does not wait.
    pub fn send(&self, command: StoreCommand) {
        if self.commands.as_ref().is_none_or(|commands| commands.send(command).is_err()) {
            tracing::error!("the thread that keeps conversations has ended; nothing is written any more");
        }
    }

    /// What it tells.
    pub fn events(&self) -> &Receiver<StoreEvent> {
        &self.events
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.commands = None;
        // A panic was printed already.
        self.thread.take().map(JoinHandle::join);
    }
}

struct Keeper {
    path: PathBuf,
    database: Option<Database>,
    /// Not written yet, oldest first.
    changes: Vec<Change>,
    settings: Option<Box<Settings>>,
    /// Why the last try failed, and when it was.
    unsaved: Option<(Trouble, Instant)>,
    /// The last refusal, until something can be written again.
    refused: Option<String>,
    events: Sender<StoreEvent>,
    wake: Box<dyn Fn() + Send>,
}

impl Keeper {
    fn run(mut self, commands: &Receiver<StoreCommand>) {
        self.attempt(Keeper::write);
        loop {
            let command = match self.unsaved {
                None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(_) => commands.recv_timeout(RETRY),
            };
            match command {
                Ok(command) => self.take(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while self.changes.len() < BATCH
                && let Ok(command) = commands.try_recv()
            {
                self.take(command);
            }
            self.flush();
        }
        self.attempt(Keeper::write);
        if let Some((trouble, _)) = &self.unsaved {
            tracing::error!("{} changes could not be kept: {trouble}", self.changes.len());
        } else if let Some(Err(trouble)) = self.database.as_mut().map(|database| database.purge(Duration::ZERO)) {
            tracing::warn!("deleted conversations are removed at the next start: {trouble}");
        }
    }

    fn take(&mut self, command: StoreCommand) {
        match command {
            StoreCommand::Write(change) => self.changes.push(change),
            StoreCommand::Keep(settings) => self.settings = Some(settings),
            StoreCommand::Ask(question) => {
                self.flush();
                let event = self.answer(&question);
                self.say(event.unwrap_or_else(|trouble| StoreEvent::Failed(question, trouble.to_string())));
            }
        }
    }

    fn say(&self, event: StoreEvent) {
        tell(&self.events, &self.wake, event);
    }

    fn answer(&mut self, question: &Question) -> Result<StoreEvent, Trouble> {
        let database = opened(&mut self.database, &self.path)?;
        Ok(match question {
            Question::List => StoreEvent::Listed(database.conversations()?),
            Question::Load(id) => StoreEvent::Loaded(database.conversation(*id)?),
            Question::Search(query) => StoreEvent::Found(query.clone(), database.search(query, HITS)?),
            Question::Media(id) => StoreEvent::Media(*id, database.media(*id)?),
            Question::Export { conversation, folder } => StoreEvent::Exported(database.export(*conversation, folder)?),
        })
    }

    /// Writes what there is, unless it failed a moment ago.
    fn flush(&mut self) {
        if self.unsaved.as_ref().is_none_or(|(_, tried)| tried.elapsed() >= RETRY) {
            self.attempt(Keeper::write);
        }
    }

    /// Tells when writing begins to fail, and when it works again.
    fn attempt(&mut self, write: impl FnOnce(&mut Keeper) -> Result<(), Trouble>) {
        match write(self) {
            Ok(()) => {
                if self.unsaved.take().is_some() {
                    self.say(StoreEvent::Saved);
                }
            }
            Err(trouble) => {
                let told = self.unsaved.replace((trouble.clone(), Instant::now()));
                if told.is_none_or(|(told, _)| told != trouble) {
                    self.say(StoreEvent::Unsaved(trouble.to_string()));
                }
            }
        }
    }

    fn write(&mut self) -> Result<(), Trouble> {
        let changes = self.write_changes();
        let settings = match &self.settings {
            None => Ok(()),
            Some(settings) => {
                let path = self.path.with_file_name("settings.json");
                settings.save(&path).map_err(|error| Trouble::of_file(&path, &error))
            }
        };
        if settings.is_ok() {
            self.settings = None;
        }
        changes.and(settings)
    }

    fn write_changes(&mut self) -> Result<(), Trouble> {
        let database = opened(&mut self.database, &self.path)?;
        let mut most = BATCH;
        while !self.changes.is_empty() {
            let count = self.changes.len().min(most);
            match database.apply(&self.changes[..count], now_ms()) {
                Ok(()) => {
                    self.changes.drain(..count);
                    self.refused = None;
                }
                // One of them can never be made; halves find it.
                Err(trouble) if trouble.is_refusal() && count > 1 => most = count / 2,
                Err(trouble) if trouble.is_refusal() => {
                    self.changes.remove(0);
                    most = BATCH;
                    let sentence = Some(trouble.to_string());
                    // An answer that goes nowhere is refused token by token, and told of once.
                    if self.refused != sentence {
                        self.refused = sentence;
                        tell(&self.events, &self.wake, StoreEvent::Refused(trouble.to_string()));
                    }
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }
}

fn tell(events: &Sender<StoreEvent>, wake: &dyn Fn(), event: StoreEvent) {
    // Nobody may be left to be told.
    let _ = events.send(event);
    wake();
}

/// Opens it unless it is open.
fn opened<'a>(database: &'a mut Option<Database>, path: &Path) -> Result<&'a mut Database, Trouble> {
    let open = match database.take() {
        Some(open) => open,
        None => open(path)?,
    };
    Ok(database.insert(open))
}

fn open(path: &Path) -> Result<Database, Trouble> {
    let mut database = Database::open(path)?;
    // What can be read is worth to be read, even from a full disk.
    if let Err(trouble) = database.settle().and_then(|()| database.purge(TAKEN_BACK)) {
        tracing::warn!("the conversations were not tidied up: {trouble}");
    }
    Ok(database)
}

#[cfg(test)]
mod tests {
    use super::super::change::End;
    use super::super::history::{Role, State};
    use super::super::made::{place, whole};
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn create(title: &str) -> (Id, StoreCommand) {
        let conversation = Id::fresh();
        (conversation, StoreCommand::Write(Change::Create { conversation, title: title.into(), model: None }))
    }

    fn add(conversation: Id) -> (Id, Change) {
        let message = Id::fresh();
        (message, Change::Add { message, conversation, role: Role::Assistant, text: String::new() })
    }

    fn next(store: &Store) -> StoreEvent {
        store.events().recv_timeout(Duration::from_secs(60)).unwrap()
    }

    /// All that was sent is written when this has come back.
    fn listed(store: &Store) -> Vec<Summary> {
        store.send(StoreCommand::Ask(Question::List));
        match next(store) {
            StoreEvent::Listed(all) => all,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_sent_is_kept_and_found_again() {
        let (folder, path) = place();
        let woken = Arc::new(AtomicUsize::new(0));
        let wake = woken.clone();
        let store = Store::start(path.clone(), move || {
            wake.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
        let (talk, command) = create("first");
        store.send(command);
        let (message, change) = add(talk);
        store.send(StoreCommand::Write(change));
        for word in ["one ", "two ", "three"] {
            store.send(StoreCommand::Write(Change::Append { message, text: word.into() }));
        }
        store.send(StoreCommand::Write(Change::Finish { message, end: whole() }));
        let settings = Settings { speak: false, ..Settings::default() };
        store.send(StoreCommand::Keep(Box::new(settings.clone())));
        let asked = [
            Question::List,
            Question::Load(talk),
            Question::Search("two".into()),
            Question::Export { conversation: talk, folder: folder.path().join("out") },
            Question::Media(talk),
            Question::Load(message),
        ];
        for question in &asked {
            store.send(StoreCommand::Ask(question.clone()));
        }
        let events: Vec<StoreEvent> = asked.iter().map(|_| next(&store)).collect();
        match &events[..] {
            [
                StoreEvent::Listed(all),
                StoreEvent::Loaded(one),
                StoreEvent::Found(query, hits),
                StoreEvent::Exported(file),
                StoreEvent::Failed(no_media, _),
                StoreEvent::Failed(no_talk, sentence),
            ] => {
                assert_eq!((all.len(), one.messages[0].text.as_str()), (1, "one two three"));
                assert_eq!((query.as_str(), hits[0].message), ("two", Some(message)));
                assert!(file.exists());
                assert_eq!([no_media, no_talk], [&asked[4], &asked[5]]);
                assert_eq!(sentence, "this conversation was deleted: choose another one");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(Settings::load(&folder.path().join("settings.json")).0, settings);
        // What was sent last is written before the program ends.
        store.send(create("second").1);
        drop(store);
        assert_eq!(woken.load(Ordering::Relaxed), asked.len());
        let store = Store::start(path, || {}).unwrap();
        assert_eq!(listed(&store).len(), 2);
        assert!(store.events().try_recv().is_err());
    }

    #[test]
    fn what_was_deleted_can_be_taken_back_until_the_program_ends() {
        let (_folder, path) = place();
        let store = Store::start(path.clone(), || {}).unwrap();
        let ((kept, first), (gone, second)) = (create("kept"), create("gone"));
        for command in [first, second] {
            store.send(command);
        }
        for conversation in [kept, gone] {
            store.send(StoreCommand::Write(Change::Delete { conversation }));
        }
        assert_eq!(listed(&store).len(), 0);
        store.send(StoreCommand::Write(Change::Restore { conversation: kept }));
        assert_eq!(listed(&store)[0].id, kept);
        drop(store);
        let store = Store::start(path, || {}).unwrap();
        store.send(StoreCommand::Write(Change::Restore { conversation: gone }));
        assert!(matches!(next(&store), StoreEvent::Refused(_)));
        assert_eq!(listed(&store).len(), 1);
    }

    #[test]
    fn what_can_never_be_written_takes_nothing_else_along() {
        let (_folder, path) = place();
        let store = Store::start(path, || {}).unwrap();
        let (talk, command) = create("");
        store.send(command);
        let nowhere = Id::fresh();
        let (mut kept, mut expected) = (None, String::new());
        for number in 0..50 {
            if number == 10 {
                let (message, change) = add(talk);
                kept = Some(message);
                store.send(StoreCommand::Write(change));
            }
            store.send(StoreCommand::Write(Change::Append { message: nowhere, text: "x".into() }));
            if let Some(message) = kept {
                expected += &number.to_string();
                store.send(StoreCommand::Write(Change::Append { message, text: number.to_string() }));
            }
        }
        store.send(StoreCommand::Ask(Question::Load(talk)));
        let loaded = loop {
            match next(&store) {
                StoreEvent::Loaded(conversation) => break conversation,
                event => assert!(matches!(event, StoreEvent::Refused(_)), "{event:?}"),
            }
        };
        assert_eq!(loaded.messages[0].text, expected);
    }

    #[test]
    fn a_full_disk_is_told_of_once_and_loses_nothing() {
        let (_folder, path) = place();
        let mut database = Database::open(&path).unwrap();
        let talk = database.begin("");
        let message = database.say(talk, Role::Assistant, "");
        database.leave_pages(3);
        let (events, told) = mpsc::channel();
        let mut keeper = Keeper {
            path,
            database: Some(database),
            changes: Vec::new(),
            settings: None,
            unsaved: None,
            refused: None,
            events,
            wake: Box::new(|| {}),
        };
        let mut expected = String::new();
        for number in 0..100 {
            let text = format!("{number} {}", "word ".repeat(200));
            expected += &text;
            keeper.take(StoreCommand::Write(Change::Append { message, text }));
            // As if the pause between tries were over each time.
            keeper.attempt(Keeper::write);
        }
        let StoreEvent::Unsaved(sentence) = told.try_recv().unwrap() else { panic!() };
        assert!(sentence.starts_with("there is no space left for "), "{sentence}");
        assert!(told.try_recv().is_err(), "told once");
        // What was written before can still be read.
        keeper.take(StoreCommand::Ask(Question::List));
        assert!(matches!(told.try_recv(), Ok(StoreEvent::Listed(_))));
        let in_memory = keeper.changes.len();
        assert!((50..100).contains(&in_memory), "{in_memory}");
        keeper.database.as_ref().unwrap().leave_pages(10_000);
        keeper.attempt(Keeper::write);
        assert_eq!(told.try_recv(), Ok(StoreEvent::Saved));
        assert_eq!(keeper.database.as_ref().unwrap().texts(talk), [expected]);
    }

    #[test]
    fn a_place_that_comes_back_gets_all() {
        let (folder, path) = place();
        let file = folder.path().join("in the way");
        std::fs::write(&file, "").unwrap();
        let path = file.join(path.file_name().unwrap());
        let store = Store::start(path, || {}).unwrap();
        assert!(matches!(next(&store), StoreEvent::Unsaved(_)));
        let (talk, command) = create("kept");
        store.send(command);
        store.send(StoreCommand::Ask(Question::Load(talk)));
        assert!(matches!(next(&store), StoreEvent::Failed(..)));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(next(&store), StoreEvent::Saved);
        assert_eq!(listed(&store)[0].title, "kept");
    }

    /// What this binary does when it is a child of the two tests below; by itself nothing.
    #[test]
    fn child() {
        let Some(path) = std::env::var_os(CHILD) else { return };
        let store = Store::start(path.into(), || {}).unwrap();
        let (talk, command) = create("from a child");
        store.send(command);
        let (message, change) = add(talk);
        store.send(StoreCommand::Write(change));
        let tokens = std::env::var(TOKENS).unwrap().parse().unwrap();
        for number in 0..tokens {
            store.send(StoreCommand::Write(Change::Append { message, text: format!("{number} ") }));
            // The answer comes when the token is written.
            listed(&store);
            println!("token {number}");
        }
        store.send(StoreCommand::Write(Change::Finish { message, end: whole() }));
    }

    const CHILD: &str = "PERCEPT_TEST_STORE";
    const TOKENS: &str = "PERCEPT_TEST_TOKENS";

    fn start_child(path: &Path, tokens: usize) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::thread::tests::child", "--nocapture", "--test-threads=1"])
            .env(CHILD, path)
            .env(TOKENS, tokens.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// The numbers of the tokens that a child says it has written.
    fn reported(child: &mut Child) -> impl Iterator<Item = usize> + use<> {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        lines.filter_map(|line| line.rsplit_once("token ")?.1.parse().ok())
    }

    #[test]
    fn a_killed_program_loses_at_most_the_token_in_flight() {
        let (_folder, path) = place();
        for (killed, most) in [1, 2, 7, 30, 113, 200].into_iter().enumerate() {
            let mut child = start_child(&path, 1_000_000);
            let mut tokens = reported(&mut child);
            let mut last = tokens.by_ref().take(most).last().unwrap();
            child.kill().unwrap();
            // What it said before it died.
            last = tokens.last().unwrap_or(last);
            child.wait().unwrap();
            let database = Database::open(&path).unwrap();
            let newest = database.conversations().unwrap().into_iter().max_by_key(|summary| summary.id).unwrap();
            let message = database.conversation(newest.id).unwrap().messages.remove(0);
            assert_eq!(message.state, State::Open);
            let count = message.text.split_whitespace().count();
            let whole: String = (0..count).map(|number| format!("{number} ")).collect();
            assert_eq!(message.text, whole);
            assert!((last + 1..=last + 2).contains(&count), "{count} of {last}");
            assert_eq!(database.count("SELECT count(*) FROM conversations"), killed as i64 + 1);
            assert_eq!(database.count("SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
        }
        // The next start ends them.
        let store = Store::start(path, || {}).unwrap();
        for summary in listed(&store) {
            store.send(StoreCommand::Ask(Question::Load(summary.id)));
            let StoreEvent::Loaded(conversation) = next(&store) else { panic!() };
            assert_eq!(conversation.messages[0].state, State::Interrupted);
        }
    }

    #[test]
    fn several_programs_write_at_once() {
        let (_folder, path) = place();
        // All of them find no database and make one.
        let mut children: Vec<Child> = (0..3).map(|_| start_child(&path, 100)).collect();
        let store = Store::start(path.clone(), || {}).unwrap();
        let (talk, command) = create("here");
        store.send(command);
        let (message, change) = add(talk);
        store.send(StoreCommand::Write(change));
        for number in 0..100 {
            store.send(StoreCommand::Write(Change::Append { message, text: format!("{number} ") }));
        }
        let end = End { state: State::Whole, ..whole() };
        store.send(StoreCommand::Write(Change::Finish { message, end }));
        for child in &mut children {
            assert_eq!(reported(child).count(), 100);
            assert!(child.wait().unwrap().success());
        }
        drop(store);
        let database = Database::open(&path).unwrap();
        let expected: String = (0..100).map(|number| format!("{number} ")).collect();
        let all = database.conversations().unwrap();
        assert_eq!(all.len(), 4);
        for summary in all {
            let message = database.conversation(summary.id).unwrap().messages.remove(0);
            assert_eq!((message.text, message.state), (expected.clone(), State::Whole));
        }
    }
}
