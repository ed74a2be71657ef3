//! A hub on loopback: the API, files with ranges, large ones behind a redirection to another origin; and everything that
//! can go wrong with it.

use crate::support::{Home, Outcome, finish, start};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const ID: &str = "acme/tiny";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// What an answer does instead of what it should.
#[derive(Clone)]
pub enum Fault {
    /// A status with headers.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// The connection ends behind so many bytes of content.
    Cut(usize),
    /// Silence behind so many bytes of content.
    Stall(usize),
    /// Other bytes of the same number.
    Damage,
    /// Says that there is more than there is, or less.
    Lie(i64),
    /// Knows no ranges.
    Whole,
    /// Waits this long behind every 64 KiB.
    Slow(Duration),
    /// A body that is no JSON.
    NoJson,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whether it came to the hub itself, not to where large files lie.
    pub at_hub: bool,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    /// Bytes of content that were sent.
    pub sent: usize,
}

struct State {
    /// Files by revision.
    commits: BTreeMap<String, Vec<(String, Vec<u8>)>>,
    /// What else the API says.
    card: Value,
    /// Whether the list tells sizes and checksums.
    tells: bool,
    /// What it says of large files instead.
    lie: Option<u64>,
    /// For requests whose path contains the text, so often.
    faults: Vec<(String, Fault, usize)>,
    requests: Vec<Request>,
}

/// Serves until the test ends.
pub struct Hub {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Hub {
    /// With these files as `main`.
    pub fn new(files: &[(&str, &[u8])]) -> Hub {
        let card = json!({"gated": false, "cardData": {"license": "apache-2.0"}});
        let state =
            State { commits: BTreeMap::new(), card, tells: true, lie: None, faults: Vec::new(), requests: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let large = serve(state.clone(), None);
        let hub = Hub { endpoint: serve(state.clone(), Some(large)), state };
        hub.commit(COMMIT, files);
        hub
    }

    /// With the checkpoint of the tests.
    pub fn of_fixture() -> Hub {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma3-tiny-s0");
        let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
            .collect();
        for (name, content) in
            [("README.md", "read"), ("LICENSE", "terms"), ("pytorch_model.bin", "old"), ("onnx/model.onnx", "other")]
        {
            files.push((name.into(), content.into()));
        }
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
        Hub::new(&files)
    }

    /// Another commit.
    pub fn commit(&self, commit: &str, files: &[(&str, &[u8])]) {
        let files = files.iter().map(|(path, content)| (path.to_string(), content.to_vec())).collect();
        self.state.lock().unwrap().commits.insert(commit.into(), files);
    }

    /// What the API says besides.
    pub fn card(&self, card: Value) {
        self.state.lock().unwrap().card = card;
    }

    /// The list tells these sizes of large files.
    pub fn lie_about_sizes(&self, size: u64) {
        self.state.lock().unwrap().lie = Some(size);
    }

    /// Sizes and checksums come with the files alone.
    pub fn tell_less(&self) {
        self.state.lock().unwrap().tells = false;
    }

    /// The next `times` requests whose path contains `path` meet a fault.
    pub fn fault(&self, path: &str, fault: Fault, times: usize) {
        self.state.lock().unwrap().faults.push((path.into(), fault, times));
    }

    /// No more faults.
    pub fn heal(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// All requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// Bytes of content that were sent so far for paths that contain the text.
    pub fn sent(&self, path: &str) -> usize {
        self.state.lock().unwrap().requests.iter().filter(|request| request.path.contains(path)).map(|r| r.sent).sum()
    }

    /// `percept models pull` with these arguments, not yet started.
    pub fn command(&self, home: &Home, args: &[&str]) -> Command {
        let mut command = home.command(&[&["models", "pull"], args].concat());
        command.env("HF_ENDPOINT", &self.endpoint);
        command
    }

    /// `percept models pull` with these arguments, to its end.
    pub fn pull(&self, home: &Home, args: &[&str]) -> Outcome {
        finish(start(&mut self.command(home, args)))
    }
}

/// As git and the hub have them.
pub fn checksum(content: &[u8]) -> String {
    let (algorithm, head) = match is_large(content) {
        true => (&SHA256, Vec::new()),
        false => (&SHA1_FOR_LEGACY_USE_ONLY, format!("blob {}\0", content.len()).into_bytes()),
    };
    digest(algorithm, &[&head, content].concat()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_large(content: &[u8]) -> bool {
    content.len() > 20_000
}

/// Content that compresses badly and has no period.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ len as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Listens; `large` is the address of large files, `None` at that address itself.
fn serve(state: Arc<Mutex<State>>, large: Option<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, state, large) = (stream.unwrap(), state.clone(), large.clone());
            // A client that is gone ends its connection.
            std::thread::spawn(move || while answer(&stream, &state, large.as_deref()) == Some(true) {});
        }
    });
    address
}

/// Reads a request: its first line's address, and headers in lower case.
pub fn read_request(stream: &TcpStream) -> Option<(String, BTreeMap<String, String>)> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_string()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_string();
    let split = |line: &String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_string()));
    Some((path, lines.iter().skip(1).filter_map(split).collect()))
}

/// Answers one request; whether the connection goes on.
fn answer(mut stream: &TcpStream, state: &Mutex<State>, large: Option<&str>) -> Option<bool> {
    let (path, headers) = read_request(stream)?;
    let range = headers.get("range").and_then(|range| {
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?))
    });
    let (fault, content, card, index) = {
        let mut state = state.lock().unwrap();
        let index = state.requests.len();
        state.requests.push(Request { at_hub: large.is_some(), path: path.clone(), headers, sent: 0 });
        let fault = state.faults.iter_mut().find(|(part, _, times)| path.contains(part.as_str()) && *times > 0);
        let fault = fault.map(|(_, fault, times)| {
            *times -= 1;
            fault.clone()
        });
        let (content, card) = found(&state, &path);
        (fault, content, card, index)
    };
    let head = move |status: u16, headers: &[(&str, &str)], length: usize| {
        let mut stream = stream;
        let mut text = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n");
        headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        stream.write_all((text + "\r\n").as_bytes()).ok()
    };
    if let Some(Fault::Status(status, headers)) = fault {
        head(status, headers, 0)?;
        return Some(true);
    }
    if matches!(fault, Some(Fault::NoJson)) {
        head(200, &[], 6)?;
        stream.write_all(b"<html>").ok()?;
        return Some(true);
    }
    let Some((name, mut content)) = content else {
        let Some(card) = card else {
            let code = match path.contains("/revision/") {
                true if path.contains(ID) => "RevisionNotFound",
                true => "RepoNotFound",
                false => "EntryNotFound",
            };
            head(if code == "RepoNotFound" { 401 } else { 404 }, &[("X-Error-Code", code)], 0)?;
            return Some(true);
        };
        let text = card.to_string();
        head(200, &[("Content-Type", "application/json")], text.len())?;
        stream.write_all(text.as_bytes()).ok()?;
        return Some(true);
    };
    let (tag, size) = (checksum(&content), content.len().to_string());
    if let Some(large) = large.filter(|_| is_large(&content)) {
        let to = format!("{large}/large/{tag}/{name}?signature=x");
        head(302, &[("Location", &to), ("X-Linked-ETag", &format!("\"{tag}\"")), ("X-Linked-Size", &size)], 0)?;
        return Some(true);
    }
    if matches!(fault, Some(Fault::Damage)) {
        content.iter_mut().for_each(|byte| *byte ^= 1);
    }
    let told = (content.len() as i64 + if let Some(Fault::Lie(by)) = fault { by } else { 0 }) as usize;
    let tag = format!("\"{tag}\"");
    let body = match range.filter(|_| !matches!(fault, Some(Fault::Whole))) {
        Some((from, _)) if from >= content.len() => {
            head(416, &[], 0)?;
            return Some(true);
        }
        Some((from, to)) => {
            let to = to.min(content.len() - 1);
            head(206, &[("ETag", &tag), ("Content-Range", &format!("bytes {from}-{to}/{told}"))], to + 1 - from)?;
            &content[from..=to]
        }
        None => {
            head(200, &[("ETag", &tag)], told)?;
            &content[..]
        }
    };
    let cut = match fault {
        Some(Fault::Cut(len) | Fault::Stall(len)) => len.min(body.len()),
        _ => body.len(),
    };
    for piece in body[..cut].chunks(64 << 10) {
        stream.write_all(piece).ok()?;
        state.lock().unwrap().requests.get_mut(index)?.sent += piece.len();
        if let Some(Fault::Slow(pause)) = &fault {
            std::thread::sleep(*pause);
        }
    }
    if matches!(fault, Some(Fault::Stall(_))) {
        std::thread::sleep(Duration::from_secs(10));
    }
    if cut < body.len() || told != content.len() {
        let _ = stream.shutdown(Shutdown::Both);
        return None;
    }
    Some(true)
}

type Content = Option<(String, Vec<u8>)>;

/// The file or the JSON of an address.
fn found(state: &State, path: &str) -> (Content, Option<Value>) {
    let commit = |revision: &str| match revision {
        "main" | "refs%2Fpr%2F1" => state.commits.keys().next().cloned(),
        commit => state.commits.contains_key(commit).then(|| commit.to_string()),
    };
    if let Some(rest) = path.strip_prefix("/large/") {
        let (_, name) = rest.split_once('/').unwrap();
        let name = name.split('?').next().unwrap();
        let tag = &rest[..rest.find('/').unwrap()];
        let mut files = state.commits.values().flatten();
        return (files.find(|(path, content)| path == name && checksum(content) == tag).cloned(), None);
    }
    if let Some(rest) = path.strip_prefix(&format!("/{ID}/resolve/")) {
        let (revision, name) = rest.split_once('/').unwrap();
        let files = commit(revision).map(|commit| &state.commits[&commit]);
        return (files.and_then(|files| files.iter().find(|(path, _)| path == name)).cloned(), None);
    }
    let revision = path.strip_prefix(&format!("/api/models/{ID}/revision/"));
    let Some(sha) = revision.and_then(|rest| commit(rest.split('?').next().unwrap())) else { return (None, None) };
    let mut card = state.card.clone();
    let sibling = |(path, content): &(String, Vec<u8>)| match (state.tells, is_large(content)) {
        (false, _) => json!({"rfilename": path}),
        (true, false) => json!({"rfilename": path, "size": content.len(), "blobId": checksum(content)}),
        (true, true) => json!({"rfilename": path, "size": content.len(), "blobId": "0".repeat(40), "lfs": {
            "sha256": checksum(content), "size": state.lie.unwrap_or(content.len() as u64), "pointerSize": 134}}),
    };
    card["siblings"] = state.commits[&sha].iter().map(sibling).collect();
    card["sha"] = sha.into();
    card["id"] = ID.into();
    (None, Some(card))
}

/// A proxy that counts the connections it makes.
pub fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let made = Arc::new(Mutex::new(Vec::new()));
    let told = made.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, told) = (client.unwrap(), told.clone());
            std::thread::spawn(move || {
                let Some((to, _)) = read_request(&client) else { return };
                told.lock().unwrap().push(to.clone());
                let mut server = TcpStream::connect(&to).unwrap();
                client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
                let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut up, &mut down);
                    let _ = down.shutdown(Shutdown::Both);
                });
                let _ = std::io::copy(&mut server, &mut client);
                let _ = client.shutdown(Shutdown::Both);
            });
        }
    });
    (address, made)
}

/// A safetensors repository whose weights are noise of that length: to be pulled, not to be run.
pub fn of_noise(len: usize) -> (Hub, Vec<u8>) {
    let weights = noise(len);
    let files: [(&str, &[u8]); 3] = [
        ("config.json", b"{\"model_type\": \"gemma3_text\"}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors", &weights),
    ];
    (Hub::new(&files), weights)
}

/// Reads a file of the cache's snapshot.
pub fn snapshot(home: &Home, commit: &str, name: &str) -> std::path::PathBuf {
    home.path(&format!("home/.cache/huggingface/hub/models--acme--tiny/snapshots/{commit}/{name}"))
}

/// Everything in the folder of blobs.
pub fn blobs(home: &Home) -> Vec<String> {
    let folder = home.path("home/.cache/huggingface/hub/models--acme--tiny/blobs");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}
