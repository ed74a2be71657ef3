//! The real program in a window on a virtual display: asked by voice about what its camera shows, killed, and started again.
//! Microphone and camera are files; nothing else is.
#![cfg(all(feature = "desktop", feature = "embedded-model", target_os = "linux"))]

use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/samples").join(name)
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A display without a screen, and its name.
fn display() -> Option<(Ended, String)> {
    let mut server = Command::new("Xvfb");
    server.args(["-displayfd", "1", "-screen", "0", "1100x760x24", "-nolisten", "tcp"]);
    let mut server = match server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
        Ok(server) => server,
        Err(error) => {
            eprintln!("SKIPPED: there is no Xvfb for a virtual display ({error}); `./x test` installs it");
            return None;
        }
    };
    let mut number = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
    Some((Ended(server), format!(":{}", number.trim())))
}

struct Place {
    folder: TempDir,
    display: String,
}

impl Place {
    fn start(&self) -> Ended {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_percept"));
        program.arg("app").arg("--microphone").arg(self.folder.path().join("sounds"));
        program.arg("--camera").arg(asset("asked.png"));
        program.env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY");
        program.env("PERCEPT_DATA_DIR", self.folder.path().join("data")).env("PULSE_SERVER", "none");
        program.env("XDG_RUNTIME_DIR", self.folder.path());
        Ended(program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn say(&self, name: &str) {
        // Moved there as a whole, for the folder is watched.
        let whole = self.folder.path().join(name);
        fs::copy(asset("question.wav"), &whole).unwrap();
        fs::rename(whole, self.folder.path().join("sounds").join(name)).unwrap();
    }

    /// Answers that are whole, oldest first.
    fn answers(&self) -> Vec<String> {
        let path = self.folder.path().join("data/conversations.db");
        let Ok(database) = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY) else {
            return Vec::new();
        };
        let sql = "SELECT text FROM messages WHERE role = 'assistant' AND state = 'whole' ORDER BY id";
        let Ok(mut statement) = database.prepare(sql) else { return Vec::new() };
        statement.query_map([], |row| row.get(0)).map(|rows| rows.flatten().collect()).unwrap_or_default()
    }

    fn media(&self) -> Vec<String> {
        let path = self.folder.path().join("data/conversations.db");
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut statement = database.prepare("SELECT kind FROM media ORDER BY id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().flatten().collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
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

#[test]
fn asked_by_voice_killed_and_started_again() {
    let Some((_server, display)) = display() else { return };
    let place = Place { folder: tempfile::tempdir().unwrap(), display };
    fs::create_dir(place.folder.path().join("sounds")).unwrap();
    let mut program = place.start();
    place.say("1.wav");
    let mut seen = BTreeSet::new();
    let answer = wait("an answer", || {
        assert!(program.0.try_wait().unwrap().is_none(), "it ended: {}", place.log());
        seen.extend(sockets(program.0.id()));
        place.answers().pop()
    });
    assert!(answer.contains("green"), "{answer}");
    assert_eq!(place.media(), ["image", "audio"]);
    assert!(seen.is_empty(), "a conversation opened sockets: {seen:?}");
    // Killed without a warning.
    program.0.kill().unwrap();
    program.0.wait().unwrap();
    assert_eq!(place.answers(), std::slice::from_ref(&answer));
    fs::remove_file(place.folder.path().join("sounds/1.wav")).unwrap();
    let program = place.start();
    place.say("2.wav");
    wait("another answer", || (place.answers().len() == 2).then_some(()));
    assert_eq!(place.answers()[0], answer);
    assert!(!place.log().contains("panicked"), "{}", place.log());
    drop(program);
}

#[test]
fn without_a_display_there_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_percept"));
    program.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
    program.env("PERCEPT_DATA_DIR", folder.path()).env("XDG_RUNTIME_DIR", folder.path());
    let said = program.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(1), "{text}");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains("percept chat"), "{text}");
}
