//! Files and pictures on their way into a message: decoded for the screen and the engine, encoded for the disk. Runs on a thread
//! of its own, since that takes longer than a frame.

use super::state::Part;
use crate::cli::parts::{self, Kind as ByEnding};
use crate::store::change::File;
use crate::store::history::Kind;
use crate::store::id::Id;
use crate::worker::Piece;
use percept::{Audio, Image, Video, VideoOptions};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Samples a second of sounds here.
const RATE: u32 = 16_000;
/// A text file that is read into a message has at most so many bytes.
const LONGEST_TEXT: u64 = 256 << 10;
/// Frames of a video.
const MOST_FRAMES: usize = 32;

/// What is read or encoded.
#[derive(Clone, Debug)]
pub enum Media {
    /// A file of a person.
    File(PathBuf),
    /// A picture of the camera or the clipboard.
    Picture { image: Arc<Image>, name: String },
    /// A file out of the database.
    Kept { kind: Kind, name: String, bytes: Arc<[u8]> },
}

/// A part of a message in its three forms.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// For the screen.
    pub part: Part,
    /// For the disk; a text stands in the message itself.
    pub file: Option<File>,
    video: Option<Arc<Video>>,
}

impl Encoded {
    /// For the screen, when it lies in the database under this number.
    pub fn shown(&self, id: Id) -> Part {
        let mut shown = self.part.clone();
        if let Part::Picture { media, .. } | Part::Sound { media, .. } | Part::Video { media, .. } = &mut shown {
            *media = Some(id.get());
        }
        shown
    }

    /// For the engine.
    pub fn given(&self) -> Piece {
        match (&self.part, &self.video) {
            (_, Some(video)) => Piece::Video(video.clone()),
            (Part::Picture { image, .. } | Part::Video { image, .. }, _) => Piece::Picture(image.clone()),
            (Part::Sound { samples, .. }, _) => Piece::Sound(samples.clone()),
            (Part::Text(text), _) => Piece::Text(text.clone()),
            (Part::Away { name, .. }, _) => Piece::Text(format!("({name})")),
        }
    }

    /// What was spoken.
    pub fn spoken(samples: Vec<f32>) -> Encoded {
        let bytes = wav(&samples);
        sound("spoken", Arc::new(samples), bytes.into())
    }
}

/// Does it.
///
/// # Errors
/// A sentence that names the file.
pub fn encode(media: Media) -> Result<Encoded, String> {
    match media {
        Media::File(path) => read(&path),
        Media::Picture { image, name } => {
            let bytes = png(&image).map_err(|problem| format!("{name}: the picture cannot be kept: {problem}"))?;
            Ok(picture(&name, image, bytes.into()))
        }
        Media::Kept { kind, name, bytes } => decode(kind, &name, bytes),
    }
}

fn read(path: &Path) -> Result<Encoded, String> {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let file = std::fs::metadata(path).map_err(cannot)?;
    if file.is_dir() {
        return Err(format!("{} is a folder; drop the files in it", path.display()));
    }
    if !file.is_file() {
        // Reading a pipe may never end.
        return Err(format!("{} is no file that can be read to its end", path.display()));
    }
    let size = file.len();
    let kind = match parts::kind_of(path) {
        Some(ByEnding::Image) => Kind::Image,
        Some(ByEnding::Audio) => Kind::Audio,
        Some(ByEnding::Video) => Kind::Video,
        None => {
            if size <= LONGEST_TEXT
                && let Ok(text) = std::fs::read_to_string(path)
            {
                let text = format!("{name}:\n```\n{}\n```", text.trim_end());
                return Ok(Encoded { part: Part::Text(text), file: None, video: None });
            }
            Kind::Video
        }
    };
    if kind == Kind::Video {
        let video = video_of(path).map_err(|error| error.to_string())?;
        let bytes = std::fs::read(path).map_err(cannot)?;
        return Ok(film(&name, video, bytes.into()));
    }
    let bytes = std::fs::read(path).map_err(cannot)?;
    decode(kind, &name, bytes.into())
}

fn decode(kind: Kind, name: &str, bytes: Arc<[u8]>) -> Result<Encoded, String> {
    Ok(match kind {
        Kind::Image => {
            picture(name, Arc::new(Image::decode(&bytes, Path::new(name)).map_err(|error| error.to_string())?), bytes)
        }
        Kind::Audio => {
            let audio = Audio::decode(&bytes, Path::new(name)).and_then(|audio| audio.resampled(RATE));
            let audio = audio.map_err(|error| error.to_string())?;
            sound(name, Arc::new(audio.samples), bytes)
        }
        Kind::Video => {
            // ffmpeg reads files alone.
            let place = std::env::temp_dir().join(format!("percept-{}-{}", std::process::id(), unique()));
            let video = std::fs::write(&place, &bytes)
                .map_err(|error| format!("cannot write {}: {error}", place.display()))
                .and_then(|()| video_of(&place).map_err(|error| error.to_string()));
            // What stays costs space alone.
            let _ = std::fs::remove_file(&place);
            film(name, video?, bytes)
        }
    })
}

fn unique() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn video_of(path: &Path) -> Result<Video, percept::Error> {
    Video::open(path, &VideoOptions { most_frames: MOST_FRAMES, ..VideoOptions::default() })
}

fn picture(name: &str, image: Arc<Image>, bytes: Arc<[u8]>) -> Encoded {
    let (width, height) = (Some(image.width), Some(image.height));
    let file = Some(File { kind: Kind::Image, bytes, name: Some(name.into()), width, height, seconds: None });
    Encoded { part: Part::Picture { media: None, name: name.into(), image }, file, video: None }
}

fn sound(name: &str, samples: Arc<Vec<f32>>, bytes: Arc<[u8]>) -> Encoded {
    let seconds = Some(samples.len() as f64 / f64::from(RATE));
    let file = Some(File { kind: Kind::Audio, bytes, name: Some(name.into()), width: None, height: None, seconds });
    Encoded { part: Part::Sound { media: None, name: name.into(), samples }, file, video: None }
}

fn film(name: &str, video: Video, bytes: Arc<[u8]>) -> Encoded {
    let image = Arc::new(video.frames.first().map_or_else(blank, |frame| frame.image.clone()));
    let file = Some(File {
        kind: Kind::Video,
        bytes,
        name: Some(name.into()),
        width: Some(image.width),
        height: Some(image.height),
        seconds: Some(video.duration_s),
    });
    let duration = Duration::from_secs_f64(video.duration_s.max(0.0));
    Encoded {
        part: Part::Video { media: None, name: name.into(), image, duration },
        file,
        video: Some(Arc::new(video)),
    }
}

fn blank() -> Image {
    Image { width: 1, height: 1, rgb: vec![0; 3] }
}

fn png(image: &Image) -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Cursor::new(Vec::new());
    let (width, height) = (image.width, image.height);
    image::write_buffer_with_format(
        &mut bytes,
        &image.rgb,
        width,
        height,
        image::ExtendedColorType::Rgb8,
        image::ImageFormat::Png,
    )?;
    Ok(bytes.into_inner())
}

/// 16-bit samples in one channel.
fn wav(samples: &[f32]) -> Vec<u8> {
    let data = (samples.len() * 2) as u32;
    let mut bytes = Vec::with_capacity(44 + samples.len() * 2);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + data).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16u32.to_le_bytes());
    for (value, wide) in [(1u32, false), (1, false), (RATE, true), (RATE * 2, true), (2, false), (16, false)] {
        if wide {
            bytes.extend_from_slice(&value.to_le_bytes());
        } else {
            bytes.extend_from_slice(&(value as u16).to_le_bytes());
        }
    }
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    for sample in samples {
        bytes.extend_from_slice(&((sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16).to_le_bytes());
    }
    bytes
}
