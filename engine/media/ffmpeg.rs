//! The installed `ffmpeg` and `ffprobe` programs, run through pipes: no file is written, nothing waits for ever.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Names the `ffmpeg` program to be used.
const OVERRIDE: &str = "PERCEPT_FFMPEG";
/// Bytes handed on at a time, and how many such pieces may wait.
const PIECE: usize = 1 << 16;
const PIECES: usize = 16;
/// Lines of complaint that are kept.
const MAX_LINES: usize = 20;

/// Where the two programs are.
pub(super) struct Programs {
    pub ffmpeg: PathBuf,
    pub ffprobe: PathBuf,
}

impl Programs {
    /// By `PERCEPT_FFMPEG` (the program or its folder), else wherever the system looks for programs.
    pub fn find() -> Programs {
        let program = |name: &str| format!("{name}{}", std::env::consts::EXE_SUFFIX);
        let ffmpeg = match std::env::var_os(OVERRIDE).filter(|value| !value.is_empty()).map(PathBuf::from) {
            Some(folder) if folder.is_dir() => folder.join(program("ffmpeg")),
            Some(file) => file,
            None => {
                return Programs { ffmpeg: program("ffmpeg").into(), ffprobe: program("ffprobe").into() };
            }
        };
        let name = ffmpeg.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let beside = match name.contains("ffmpeg") {
            true => name.replace("ffmpeg", "ffprobe"),
            false => program("ffprobe"),
        };
        Programs { ffprobe: ffmpeg.with_file_name(beside), ffmpeg }
    }
}

/// The version line of the `ffmpeg` that videos are read with, after a look at `ffprobe`.
///
/// # Errors
/// A sentence on which program is missing or does not start, and how to install it.
pub fn ffmpeg_version() -> Result<String, String> {
    let Programs { ffmpeg, ffprobe } = Programs::find();
    let mut lines = Vec::new();
    for program in [&ffprobe, &ffmpeg] {
        lines.clear();
        let patience = Duration::from_secs(10);
        run(program, &["-version".into()], patience, |bytes| {
            lines.extend_from_slice(bytes);
            Ok(())
        })?;
    }
    Ok(String::from_utf8_lossy(&lines).lines().next().unwrap_or_default().to_string())
}

/// Runs a program, gives what it writes to `take`, and returns its complaints.
///
/// It is stopped when `take` fails, or when it gives no sign of life (output, a complaint or a line of progress) for `patience`.
pub(super) fn run(
    program: &Path,
    args: &[OsString],
    patience: Duration,
    mut take: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<Vec<String>, String> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Running(command.spawn().map_err(|error| cannot_start(program, &error))?);
    let (send, signs) = sync_channel(PIECES);
    if let Some(output) = child.0.stdout.take() {
        let send = send.clone();
        thread::spawn(move || pump_output(output, &send));
    }
    if let Some(complaints) = child.0.stderr.take() {
        thread::spawn(move || pump_complaints(complaints, &send));
    }
    let lines = listen(&signs, patience, &mut take).map_err(|problem| match problem.is_empty() {
        true => stalled(program, patience),
        false => problem,
    })?;
    match child.wait(patience) {
        Some(status) if status.success() => Ok(lines.into()),
        Some(status) => {
            let said = lines.back().cloned().unwrap_or_else(|| status.to_string());
            Err(format!("{} cannot read it ({said}); check that it is a whole video, or convert it", name_of(program)))
        }
        None => Err(stalled(program, patience)),
    }
}

/// Something from the program.
enum Sign {
    Output(Vec<u8>),
    Complaint(String),
    Progress,
}

/// The complaints, once both pipes are closed; an empty error when the program stalls.
fn listen(
    signs: &Receiver<Sign>,
    patience: Duration,
    take: &mut impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<VecDeque<String>, String> {
    let mut lines = VecDeque::new();
    loop {
        match signs.recv_timeout(patience) {
            Ok(Sign::Output(bytes)) => take(&bytes)?,
            Ok(Sign::Complaint(line)) => {
                // The first says what went wrong, the last what it came to.
                if lines.len() == MAX_LINES {
                    lines.remove(MAX_LINES / 2);
                }
                lines.push_back(line);
            }
            Ok(Sign::Progress) => {}
            Err(RecvTimeoutError::Timeout) => return Err(String::new()),
            Err(RecvTimeoutError::Disconnected) => return Ok(lines),
        }
    }
}

/// A pump ends when its pipe does, or when nobody listens any more.
fn pump_output(mut output: impl Read, send: &SyncSender<Sign>) {
    let mut piece = vec![0; PIECE];
    loop {
        match output.read(&mut piece) {
            Ok(0) => return,
            Ok(len) if send.send(Sign::Output(piece[..len].to_vec())).is_ok() => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}

fn pump_complaints(complaints: impl Read, send: &SyncSender<Sign>) {
    for line in BufReader::new(complaints).split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line).trim().to_string();
        let is_progress = line.split_once('=').is_some_and(|(key, _)| {
            matches!(
                key,
                "frame" | "fps" | "bitrate" | "total_size" | "dup_frames" | "drop_frames" | "speed" | "progress"
            ) || key.starts_with("out_time")
                || key.starts_with("stream_")
        });
        let sign = if is_progress || line.is_empty() { Sign::Progress } else { Sign::Complaint(line) };
        if send.send(sign).is_err() {
            return;
        }
    }
}

/// A program that does not outlive its reader.
struct Running(Child);

impl Running {
    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Some(status),
                _ if start.elapsed() > patience => return None,
                _ => thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn name_of(program: &Path) -> String {
    program.file_stem().unwrap_or(OsStr::new("ffmpeg")).to_string_lossy().into_owned()
}

fn stalled(program: &Path, patience: Duration) -> String {
    let name = name_of(program);
    format!("{name} gave no sign of life for {} s and was stopped; convert the file", patience.as_secs_f64())
}

fn cannot_start(program: &Path, error: &std::io::Error) -> String {
    if std::env::var_os(OVERRIDE).is_some_and(|value| !value.is_empty()) {
        let program = program.display();
        return format!(
            "the program {program} does not start ({error}); set {OVERRIDE} to an ffmpeg program with ffprobe beside it"
        );
    }
    let install = if cfg!(target_os = "macos") {
        "`brew install ffmpeg`"
    } else if cfg!(windows) {
        "`winget install Gyan.FFmpeg`"
    } else {
        "`sudo apt install ffmpeg` on Debian and Ubuntu, `sudo dnf install ffmpeg-free` on Fedora, `sudo pacman -S ffmpeg` on Arch"
    };
    match error.kind() {
        ErrorKind::NotFound => format!(
            "reading video needs the programs ffmpeg and ffprobe, and {} is not installed; install them ({install}), or set \
             {OVERRIDE} to the program",
            name_of(program)
        ),
        _ => format!("{} does not start ({error}); install it anew ({install})", name_of(program)),
    }
}
