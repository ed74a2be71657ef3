//! Runs the program in folders of its own.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The checkpoint that every test runs, relative to the package, in which the program is started.
pub const MODEL: &str = "tests/fixtures/gemma4_unified-tiny-s0";
/// With `--greedy` and the words "Tell me" the model says the same token again and again, until the context is full.
pub const ENDLESS: &str = "--repetition-penalty=0.1";
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A file of the checkpoint's folder.
pub fn fixture(name: &str) -> String {
    format!("{MODEL}/{name}")
}

/// Folders for caches, settings and conversations that last as long as a test.
pub struct Home {
    folder: TempDir,
}

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn new() -> Home {
        Home { folder: tempfile::tempdir().unwrap() }
    }

    /// A file or folder in here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file in here with that content.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A copy of the checkpoint without one file.
    pub fn without(&self, missing: &str) -> String {
        self.copy(&format!("without-{missing}"), missing)
    }

    /// A copy of the checkpoint in a folder in here.
    pub fn copy(&self, to: &str, missing: &str) -> String {
        let folder = self.path(to);
        std::fs::create_dir_all(&folder).unwrap();
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(MODEL)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() && entry.file_name() != missing {
                std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
            }
        }
        folder.display().to_string()
    }

    /// The program with these arguments; standard input is empty.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_percept"));
        command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        for name in ["PERCEPT_ADAPTER", "PERCEPT_FFMPEG", "PERCEPT_LOG"] {
            command.env_remove(name);
        }
        // No store of whoever runs the tests.
        for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(name);
        }
        // And no hub but that of the tests.
        for name in [
            "HF_ENDPOINT",
            "HF_HUB_OFFLINE",
            "HF_TOKEN",
            "HF_TOKEN_PATH",
            "HF_HUB_DOWNLOAD_TIMEOUT",
            "HUGGING_FACE_HUB_TOKEN",
        ] {
            command.env_remove(name);
        }
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env("HOME", self.path("home")).env("USERPROFILE", self.path("home"));
        command.env("OLLAMA_MODELS", self.path("ollama"));
        command.env("PERCEPT_CACHE_DIR", self.path("cache"));
        command.env("XDG_DATA_HOME", self.path("data")).env("XDG_CONFIG_HOME", self.path("config"));
        // Drivers complain without one.
        command.env("XDG_RUNTIME_DIR", self.folder.path());
        command
    }

    /// Runs it to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Outcome {
        finish(start(&mut self.command(args)))
    }

    /// As [`Home::run`], with something on standard input.
    pub fn pipe<S: AsRef<OsStr>>(&self, args: &[S], input: impl AsRef<[u8]>) -> Outcome {
        let mut child = start(self.command(args).stdin(Stdio::piped()));
        // A program that ends early does not read everything.
        let _ = child.stdin.take().unwrap().write_all(input.as_ref());
        finish(child)
    }

    /// The lines of the only conversation that was kept.
    pub fn conversation(&self) -> Vec<serde_json::Value> {
        let files: Vec<_> = std::fs::read_dir(self.path("data/percept/conversations"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        json_lines(&std::fs::read_to_string(&files[0]).unwrap())
    }
}

pub fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end, or ends it when it takes too long.
pub fn finish(mut child: Child) -> Outcome {
    let stdout = reader(child.stdout.take().unwrap());
    let stderr = reader(child.stderr.take().unwrap());
    let code = wait(&mut child);
    Outcome { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// The exit code.
pub fn wait(child: &mut Child) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn reader(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

/// One value a line.
pub fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// Text with what differs from machine to machine and run to run taken out: temporary folders and adapters.
pub fn normalised(text: &str, home: &Home) -> String {
    let text = text.replace(&home.folder.path().display().to_string(), "[HOME]");
    let text = text.replace(env!("CARGO_MANIFEST_DIR"), "[PACKAGE]");
    let lines = text.lines().map(|line| match line.split_once("; there are: ") {
        Some((before, _)) => format!("{before}; there are: [ADAPTERS]"),
        None => line.to_string(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A recorded case of the checkpoint.
pub fn case(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(fixture(&format!("cases/{name}.json")));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
