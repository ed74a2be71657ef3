//! The parts of a message: text and files, in the order given on the command line.

use super::failure::Usage;
use super::load::{documented_sound_s, existing};
use super::output::Output;
use anyhow::{Context, Result};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use percept::media::{Audio, Image, Video, VideoOptions};
use percept::models::{Media, Model};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// Kinds of files that can be a part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A picture.
    Image,
    /// A recording.
    Audio,
    /// Frames and maybe sound.
    Video,
}

impl Kind {
    /// As in options, commands and conversation files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Image => "image",
            Kind::Audio => "audio",
            Kind::Video => "video",
        }
    }
}

/// What the ending of a file says of it, if it is a picture's or a sound's.
pub fn kind_of(path: &Path) -> Option<Kind> {
    let ending = path.extension()?.to_string_lossy().to_lowercase();
    match ending.as_str() {
        "png" | "jpg" | "jpeg" | "webp" | "gif" => Some(Kind::Image),
        "wav" | "flac" | "mp3" | "ogg" | "oga" | "m4a" | "aac" | "aif" | "aiff" => Some(Kind::Audio),
        _ => None,
    }
}

/// A part as it was asked for.
#[derive(Clone, Debug)]
pub enum PartArg {
    /// Text, or `-` for standard input.
    Text(String),
    /// A file.
    File(Kind, PathBuf),
}

/// Parts in the order in which they were given, which clap's own derive does not keep.
#[derive(Clone, Debug)]
pub struct PartsArgs(pub Vec<PartArg>);

#[derive(Args)]
struct Unordered {
    /// What is said; `-` is standard input, which is also read if it is a pipe and no TEXT is given.
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
    /// A picture: PNG, JPEG, WebP or GIF. Can be given several times, as the next two.
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// A recording: WAV, FLAC, MP3, OGG, M4A or AIFF, at any sample rate.
    #[arg(long, value_name = "FILE")]
    audio: Vec<PathBuf>,
    /// A video of any kind that ffmpeg reads (it must be installed), or a folder with frames and video.json.
    #[arg(long, value_name = "FILE")]
    video: Vec<PathBuf>,
}

impl Args for PartsArgs {
    fn augment_args(command: Command) -> Command {
        Unordered::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Unordered::augment_args_for_update(command)
    }
}

impl FromArgMatches for PartsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let Unordered { text, image, audio, video } = Unordered::from_arg_matches(matches)?;
        let files = |kind: Kind, paths: Vec<PathBuf>| {
            let places = matches.indices_of(kind.name()).into_iter().flatten().collect::<Vec<_>>();
            places.into_iter().zip(paths.into_iter().map(move |path| PartArg::File(kind, path))).collect::<Vec<_>>()
        };
        let places = matches.indices_of("text").into_iter().flatten();
        let mut parts: Vec<(usize, PartArg)> = places.zip(text.into_iter().map(PartArg::Text)).collect();
        parts.extend(files(Kind::Image, image));
        parts.extend(files(Kind::Audio, audio));
        parts.extend(files(Kind::Video, video));
        parts.sort_by_key(|(place, _)| *place);
        Ok(PartsArgs(parts.into_iter().map(|(_, part)| part).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = PartsArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A part on its way into a conversation.
pub enum Ready {
    /// Text.
    Text(String),
    /// A file that was read.
    Media(Media, PathBuf),
    /// A video, which is read when it is known how many frames the model takes.
    Video(PathBuf),
}

impl PartsArgs {
    /// Reads what can be read before a model is loaded, so that a wrong file is told of at once.
    ///
    /// # Errors
    /// If a file is missing or not what it should be, or nothing was said at all.
    pub fn read(&self, output: &Output) -> Result<Vec<Ready>> {
        let mut ready = Vec::new();
        let mut said = false;
        let mut stdin_read = false;
        for part in &self.0 {
            ready.push(match part {
                PartArg::Text(text) if text == "-" => {
                    if std::mem::replace(&mut stdin_read, true) {
                        return Err(Usage("TEXT is - twice; standard input can be read once only".into()).into());
                    }
                    said = true;
                    Ready::Text(stdin_text(output)?)
                }
                PartArg::Text(text) => {
                    said = true;
                    Ready::Text(text.clone())
                }
                PartArg::File(Kind::Video, path) => Ready::Video(existing(path, "a video")?),
                PartArg::File(kind, path) => Ready::Media(read(*kind, path, 0)?, path.clone()),
            });
        }
        if !said && !std::io::stdin().is_terminal() {
            let text = stdin_text(output)?;
            if !text.trim().is_empty() {
                ready.push(Ready::Text(text));
            }
        }
        if ready.iter().all(|part| matches!(part, Ready::Text(text) if text.trim().is_empty())) {
            let problem =
                "nothing to answer: give a TEXT, --image, --audio or --video (`percept ask --help` has examples)";
            return Err(Usage(problem.into()).into());
        }
        Ok(ready)
    }
}

fn stdin_text(output: &Output) -> Result<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // Nobody waits any more if this fails to be sent.
        let _ = send.send(std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes));
    });
    let read = receive.recv_timeout(Duration::from_secs(3)).or_else(|_| {
        output.note("waiting for text on standard input, up to its end (Ctrl-D in a terminal)");
        receive.recv()
    });
    let bytes = read.context("standard input was not read")?.context("cannot read standard input")?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let place = e.utf8_error().valid_up_to();
        Usage(format!("standard input is no UTF-8 text (byte {place}); name pictures and sound by --image and --audio"))
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_string())
}

/// Reads a file; of a video at most `most_frames` pictures, spread over the whole of it.
///
/// # Errors
/// What the readers of pictures, sound and video refuse.
pub fn read(kind: Kind, path: &Path, most_frames: usize) -> Result<Media> {
    Ok(match kind {
        Kind::Image => Media::Image(Image::open(&existing(path, "a picture")?)?),
        Kind::Audio => Media::Audio(Audio::open(&existing(path, "a recording")?)?),
        Kind::Video => {
            let options = VideoOptions { most_frames, ..VideoOptions::default() };
            Media::Video(Video::open(&existing(path, "a video")?, &options)?)
        }
    })
}

/// Most frames that `model` takes of a video.
pub fn most_frames(model: &Model) -> usize {
    model.config().vision.as_ref().map_or(VideoOptions::default().most_frames, |vision| vision.most_frames)
}

/// Says what a person should know of a file that was read: frames that were chosen, sound beyond what the model knows.
pub fn remark(media: &Media, path: &Path, model: &Model, output: &Output) {
    let path = path.display();
    match media {
        Media::Image(_) => {}
        Media::Audio(audio) => remark_on_sound(&path.to_string(), audio, model, output),
        Media::Video(video) => {
            let sound = match (&video.audio, &model.config().sound) {
                (None, _) => "without sound",
                (Some(_), Some(_)) => "with sound",
                (Some(_), None) => "its sound is left out, because this model takes none",
            };
            let (count, fps, length) = (video.frames.len(), video.frames_per_second, video.duration_s);
            output.note(&match &video.note {
                Some(note) => format!("{note}; {sound}"),
                None => format!("{path}: {count} frames, {fps:.3} a second, of {length:.1} s; {sound}"),
            });
            if let (Some(audio), Some(_)) = (&video.audio, &model.config().sound) {
                remark_on_sound(&path.to_string(), audio, model, output);
            }
        }
    }
}

fn remark_on_sound(name: &str, audio: &Audio, model: &Model, output: &Output) {
    let Some(most) = documented_sound_s(model) else { return };
    if audio.duration_s() > most {
        output.note(&format!(
            "{name}: {:.1} s of sound; this model is documented for {most:.1} s at most. Nothing is cut, but it may hear less \
             well",
            audio.duration_s()
        ));
    }
}
