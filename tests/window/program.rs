//! The real program in a window: started, spoken to, looked into by its database, and killed.

use crate::Ended;
use crate::display::{Display, ENTER, letter};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use x11rb::protocol::xproto::{Keysym, Window};

/// Longer than anything takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two keys: faster than people type.
const STROKE: Duration = Duration::from_millis(10);
/// Before somebody tries once more.
const AGAIN: Duration = Duration::from_secs(3);

pub fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/samples").join(name)
}

/// A message of the database.
#[derive(Debug)]
pub struct Said {
    pub id: i64,
    pub conversation: i64,
    pub role: String,
    pub text: String,
    pub state: String,
    /// Kinds and names of what is shown or heard in it.
    pub media: Vec<(String, String)>,
}

/// What outlives the program: the display, and the folder of conversations.
pub struct Place {
    pub display: Display,
    folder: TempDir,
}

impl Place {
    pub fn new(display: Display) -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sounds")).unwrap();
        Place { display, folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the program and gives its window the keyboard.
    pub fn start(&self, camera: Option<&str>) -> Program<'_> {
        // It hears each sound that it finds there.
        for sound in fs::read_dir(self.path().join("sounds")).unwrap() {
            fs::remove_file(sound.unwrap().path()).unwrap();
        }
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_percept"));
        command.arg("app").arg("--microphone").arg(self.path().join("sounds"));
        if let Some(camera) = camera {
            command.arg("--camera").arg(asset(camera));
        }
        command.env("DISPLAY", &self.display.name).env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        command.env("PERCEPT_DATA_DIR", self.path().join("data")).env("XDG_RUNTIME_DIR", self.path());
        // A word alone would be looked up as the name of a machine.
        command.env("PULSE_SERVER", format!("unix:{}/none", self.path().display()));
        let process = Ended(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let mut program = Program { place: self, process, window: 0, sockets: BTreeSet::new() };
        program.window = program.wait("the window", || self.display.window("Percept"));
        self.display.focus(program.window);
        program
    }

    /// All that was said, oldest first.
    pub fn said(&self) -> Vec<Said> {
        self.read().unwrap_or_default()
    }

    fn read(&self) -> rusqlite::Result<Vec<Said>> {
        let path = self.path().join("data/conversations.db");
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut messages = database.prepare(
            "SELECT id, conversation, role, text || coalesce((SELECT group_concat(text, '' ORDER BY number) FROM pieces
             WHERE message = id AND NOT thinking), ''), state FROM messages ORDER BY id",
        )?;
        let mut media =
            database.prepare("SELECT kind, coalesce(name, '') FROM media WHERE message = ? ORDER BY position")?;
        let all = messages.query_map([], |row| {
            let id = row.get(0)?;
            let media = media.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
            Ok(Said { id, conversation: row.get(1)?, role: row.get(2)?, text: row.get(3)?, state: row.get(4)?, media })
        })?;
        all.collect()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }
}

/// The running program, and its sockets to other machines that were ever seen.
pub struct Program<'a> {
    place: &'a Place,
    process: Ended,
    window: Window,
    sockets: BTreeSet<String>,
}

impl Program<'_> {
    /// Waits until something is there.
    pub fn wait<T>(&mut self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        self.tries(what, |_| {}, look)
    }

    /// Does something, and again from time to time, until something is there.
    pub fn tries<T>(&mut self, what: &str, act: impl Fn(&Self), mut look: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        let mut acted: Option<Instant> = None;
        loop {
            self.sockets.extend(sockets(self.process.0.id()));
            if let Some(found) = look() {
                return found;
            }
            let ended = self.process.0.try_wait().unwrap();
            if ended.is_some() || started.elapsed() > PATIENCE {
                let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("window.png");
                self.place.display.screen().save(&picture).unwrap();
                let (said, log, picture) = (self.place.said(), self.place.log(), picture.display());
                panic!("waited in vain for {what}; ended: {ended:?}; see {picture}\n{said:#?}\n{log}");
            }
            if acted.is_none_or(|at| at.elapsed() > AGAIN) {
                act(self);
                acted = Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until there are so many messages and the last one is an answer that is whole.
    pub fn answered(&mut self, messages: usize) -> Said {
        let place = self.place;
        let answer = self.wait("an answer", || {
            let last = place.said().into_iter().nth(messages - 1)?;
            (last.state != "open").then_some(last)
        });
        assert_eq!((answer.role.as_str(), answer.state.as_str()), ("assistant", "whole"), "{answer:?}");
        answer
    }

    /// Speaks a sample into the microphone.
    pub fn hear(&self, name: &str) {
        let folder = self.place.path().join("sounds");
        let number = fs::read_dir(&folder).unwrap().count();
        // Moved there as a whole, for the folder is watched.
        let whole = self.place.path().join(name);
        fs::copy(asset(name), &whole).unwrap();
        fs::rename(whole, folder.join(format!("{number}.wav"))).unwrap();
    }

    pub fn press(&self, held: &[Keysym], key: Keysym) {
        self.place.display.press(held, key);
    }

    /// Types a text where the keyboard is.
    pub fn write(&self, text: &str) {
        for sign in text.chars() {
            self.press(&[], letter(sign));
            std::thread::sleep(STROKE);
        }
    }

    /// Types a message where the keyboard is and sends it; nothing is sent while a model or a conversation is still on its way.
    pub fn ask(&mut self, text: &str) {
        self.write(text);
        let (place, before) = (self.place, self.place.said().len());
        self.tries("the message", |program| program.press(&[], ENTER), || (place.said().len() > before).then_some(()));
    }

    /// Kills it without a warning, after a look at what it did.
    pub fn kill(mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
        assert!(self.sockets.is_empty(), "a conversation opened sockets: {:?}", self.sockets);
        assert!(!self.place.log().contains("panicked"), "{}", self.place.log());
    }
}

/// Sockets of the process that reach other machines.
fn sockets(process: u32) -> Vec<String> {
    let inodes: BTreeSet<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            fs::read_link(entry.path()).ok()?.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(String::from)
        })
        .collect();
    let tables =
        ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"].map(|table| fs::read_to_string(format!("/proc/net/{table}")));
    let lines = tables.iter().flatten().flat_map(|table| table.lines().skip(1));
    lines
        .filter(|line| line.split_whitespace().nth(9).is_some_and(|inode| inodes.contains(inode)))
        .map(String::from)
        .collect()
}
