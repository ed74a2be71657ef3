//! Video: pictures and sound on one time axis, from files through the installed ffmpeg, or from a folder of frames.

use super::ffmpeg::{Programs, run};
use super::image::MAX_PIXELS;
use super::{Audio, Image};
use crate::error::{Error, Result};
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// Most bytes of all frames together.
const MAX_RGB_BYTES: u64 = 4 << 30;
/// Most bytes of sound from ffmpeg: three hours at 48 kHz.
const MAX_SOUND_BYTES: usize = (3 * 3600 * 48_000 + 1024) * 4;
/// Rate of a video's sound, what speech encoders take.
const SOUND_RATE: u32 = 16_000;
const MICROSECONDS: f64 = 1e6;

/// A picture of a video.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The picture, upright and with square pixels.
    pub image: Image,
    /// When it is seen, in seconds from the start.
    pub time_s: f64,
}

/// What to take from a video.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoOptions {
    /// Frames a second; fewer are taken when the video has fewer or when there would be more than `most_frames`.
    pub frames_per_second: f64,
    /// Most frames in all.
    pub most_frames: usize,
    /// How long ffmpeg may give no sign of life before it is stopped.
    pub patience: Duration,
}

impl Default for VideoOptions {
    /// One frame a second, at most 32, a minute of patience.
    fn default() -> VideoOptions {
        VideoOptions { frames_per_second: 1.0, most_frames: 32, patience: Duration::from_secs(60) }
    }
}

/// Pictures and sound of a clip; both begin at 0 s.
#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    /// In order of time, equally far apart: frame `i` is what is seen at `i / frames_per_second` seconds.
    pub frames: Vec<Frame>,
    /// The first sound track at 16 kHz; silence stands where it pauses.
    pub audio: Option<Audio>,
    /// Length in seconds.
    pub duration_s: f64,
    /// Frames a second of `frames`.
    pub frames_per_second: f64,
    /// One sentence on what was done otherwise than asked, for example fewer frames a second.
    pub note: Option<String>,
}

impl Video {
    /// Reads a video file through the installed `ffmpeg` and `ffprobe` (`PERCEPT_FFMPEG` names another `ffmpeg`), or a folder
    /// with `frame_000.png`, `frame_001.png` … and `video.json` (`{"fps": 2.0, "frames": 3}`), whose frames are used as they are.
    ///
    /// A clip of more than `most_frames` frames is not cut: they are spread over the whole of it, and `note` says so.
    ///
    /// # Errors
    /// [`Error::Argument`] when an option is 0 or no number; [`Error::Io`] when the file cannot be read; [`Error::Json`] on
    /// a wrong `video.json`; [`Error::Media`] when there is no ffmpeg (and how to install it), or the file is empty, no video,
    /// damaged, cut off or too large.
    pub fn open(path: &Path, options: &VideoOptions) -> Result<Video> {
        let fps = options.frames_per_second;
        if !(fps > 0.0 && fps <= 1000.0) {
            let problem = format!("is {fps}, expected more than 0 and at most 1000");
            return Err(Error::Argument { name: "frames_per_second", problem });
        }
        if options.most_frames == 0 {
            return Err(Error::Argument { name: "most_frames", problem: "is 0, expected at least 1".into() });
        }
        let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
        if metadata.is_dir() {
            return open_folder(path);
        }
        let refuse = |problem: String| Error::Media { path: path.into(), kind: "video", problem };
        if !metadata.is_file() {
            return Err(refuse("it is neither a file nor a folder; copy it into a file first".into()));
        }
        if metadata.len() == 0 {
            return Err(refuse("the file is empty; save or copy it again".into()));
        }
        std::fs::File::open(path).map_err(Error::io("open", path))?;
        let programs = Programs::find();
        let clip = Clip::probe(&programs, path, options.patience).map_err(refuse)?;
        let mut video = clip.frames(&programs, options).map_err(refuse)?;
        if let Some(bytes) = clip.sound(&programs, options.patience).map_err(refuse)? {
            video.audio = Some(Audio::decode(&bytes, path)?.resampled(SOUND_RATE)?);
        }
        let sound_s = video.audio.as_ref().map_or(0.0, Audio::duration_s);
        let seen_s = video.frames.len() as f64 / video.frames_per_second;
        // A file that does not tell its length lasts as long as what it gave.
        video.duration_s = clip.duration_s.unwrap_or(seen_s.max(sound_s));
        Ok(video)
    }
}

fn open_folder(folder: &Path) -> Result<Video> {
    let path = folder.join("video.json");
    let text = std::fs::read(&path).map_err(Error::io("read", &path))?;
    let wrong = |problem: String| Error::Json { path: path.clone(), problem };
    let json: Value = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let fps = json["fps"].as_f64().filter(|&fps| fps > 0.0 && fps <= 1000.0);
    let fps =
        fps.ok_or_else(|| wrong(format!("fps is {}, expected a number of more than 0 and at most 1000", json["fps"])))?;
    let count = json["frames"].as_u64().filter(|&count| count > 0);
    let count = count.ok_or_else(|| wrong(format!("frames is {}, expected a whole number from 1", json["frames"])))?;
    let name = |i: u64| folder.join(format!("frame_{i:03}.png"));
    if name(count).exists() {
        return Err(wrong(format!("frames is {count}, but there is a frame_{count:03}.png; correct the number")));
    }
    let mut frames = Vec::new();
    let mut size = 0;
    for i in 0..count {
        let image = Image::open(&name(i))?;
        size += image.rgb.len() as u64;
        if size > MAX_RGB_BYTES {
            let problem = format!("its {count} frames take more than 4 GiB; make them smaller or fewer");
            return Err(Error::Media { path: folder.into(), kind: "video", problem });
        }
        frames.push(Frame { image, time_s: i as f64 / fps });
    }
    Ok(Video { frames, audio: None, duration_s: count as f64 / fps, frames_per_second: fps, note: None })
}

/// What ffprobe knows of a file.
struct Clip<'a> {
    path: &'a Path,
    /// Number of the stream of pictures.
    pictures: u64,
    /// Number and channels of the stream of sound.
    sound: Option<(u64, u64)>,
    /// Length as the container states it.
    duration_s: Option<f64>,
    /// Length of the pictures as the container states it.
    pictures_s: Option<f64>,
    /// Frames a second at which every frame has its own time.
    own_fps: Option<f64>,
}

impl Clip<'_> {
    fn probe<'a>(programs: &Programs, path: &'a Path, patience: Duration) -> Result<Clip<'a>, String> {
        let mut args: Vec<OsString> =
            ["-v", "error", "-show_streams", "-show_format", "-of", "json"].map(Into::into).into();
        args.extend(input(path));
        let mut text = Vec::new();
        run(&programs.ffprobe, &args, patience, |bytes| {
            text.extend_from_slice(bytes);
            if text.len() > 16 << 20 { Err("its description is longer than 16 MiB; convert it".into()) } else { Ok(()) }
        })?;
        let json: Value =
            serde_json::from_slice(&text).map_err(|error| format!("ffprobe gave no JSON ({error}); update it"))?;
        let format = json["format"]["format_name"].as_str().unwrap_or_default();
        // ffmpeg also draws text files and shows pictures.
        if format == "tty" || format.contains("image2") || format.ends_with("_pipe") {
            return Err(format!(
                "it is no video but text or a picture (ffprobe calls it \"{format}\"); pass it as what it is"
            ));
        }
        let streams = json["streams"].as_array().map_or(&[][..], Vec::as_slice);
        let kind = |stream: &&Value, kind: &str| stream["codec_type"] == kind;
        let pictures = streams.iter().find(|s| kind(s, "video") && s["disposition"]["attached_pic"] != 1);
        let sound = streams.iter().find(|s| kind(s, "audio") && s["channels"].as_u64().unwrap_or(0) > 0);
        let Some(pictures) = pictures else {
            return Err(match sound {
                Some(_) => "it holds sound but no pictures; pass it as sound".into(),
                None => "it holds no pictures; use another file".into(),
            });
        };
        let codec = pictures["codec_name"].as_str().unwrap_or("unknown");
        let (width, height) = (pictures["width"].as_u64().unwrap_or(0), pictures["height"].as_u64().unwrap_or(0));
        if width == 0 || height == 0 {
            return Err(format!("the size of its pictures (codec {codec}) is not known; convert it"));
        }
        check_size(width, height)?;
        let pictures_s = number(&pictures["duration"]).or_else(|| clock(&pictures["tags"]["DURATION"]));
        Ok(Clip {
            path,
            pictures: pictures["index"].as_u64().unwrap_or(0),
            sound: sound.map(|s| (s["index"].as_u64().unwrap_or(0), s["channels"].as_u64().unwrap_or(1))),
            duration_s: number(&json["format"]["duration"]).or(pictures_s),
            pictures_s,
            own_fps: ratio(&pictures["r_frame_rate"]),
        })
    }

    fn frames(&self, programs: &Programs, options: &VideoOptions) -> Result<Video, String> {
        let asked = options.frames_per_second.min(self.own_fps.unwrap_or(f64::INFINITY));
        let most = options.most_frames as f64;
        let length = self.pictures_s.or(self.duration_s).unwrap_or(0.0);
        // A little below, so that rounding makes no frame too many.
        let fits = |length: f64| {
            if asked * length > most { (most - 0.01) / length } else { asked }
        };
        let mut taken = self.take_frames(programs, options, fits(length))?;
        if taken.stride > 1 {
            // It is longer than it said. Now that its length is known, once more.
            taken = self.take_frames(programs, options, fits(taken.seen as f64 / taken.fps))?;
        }
        let Taken { frames, complaints, stride, seen, fps } = taken;
        let fps = fps / stride as f64;
        if frames.is_empty() {
            return Err("it holds no pictures; use another file".into());
        }
        let seen_s = seen as f64 / (fps * stride as f64);
        let promised = self.pictures_s.unwrap_or(0.0);
        let slack = (1.5 / fps).max(0.5);
        if let Some(detail) = damage(&complaints) {
            return Err(cut_off(detail));
        }
        if seen_s + slack < promised {
            return Err(cut_off(&format!(
                "its header promises {promised:.1} s of pictures, they end at {seen_s:.1} s"
            )));
        }
        let mut notes = Vec::new();
        if fps < asked * 0.999 {
            notes.push(format!(
                "{} frames, {fps:.3} a second instead of {asked:.3}, are spread over its {seen_s:.1} s, because at most {} are taken",
                frames.len(),
                options.most_frames
            ));
        }
        if let Some(line) = complaints.first() {
            notes.push(format!("ffmpeg remarked: {line}"));
        }
        let note = (!notes.is_empty()).then(|| format!("{}: {}", self.path.display(), notes.join("; ")));
        Ok(Video { frames, audio: None, duration_s: 0.0, frames_per_second: fps, note })
    }

    fn take_frames(&self, programs: &Programs, options: &VideoOptions, fps: f64) -> Result<Taken, String> {
        let period = (MICROSECONDS / fps).ceil();
        // Rounded up in time: each output shows the last frame that has begun by then. Turning upright is ffmpeg's default.
        let filter = format!(
            "fps=1000000/{period}:start_time=0:round=up,scale=w=iw*sar:h=ih:flags=bicubic+accurate_rnd+full_chroma_int,setsar=1"
        );
        let args = self.decode(&[
            ("-map", &format!("0:{}", self.pictures)),
            ("-vf", &filter),
            ("-pix_fmt", "rgb24"),
            ("-c:v", "ppm"),
            ("-f", "image2pipe"),
        ]);
        let mut taken = Taken { fps: MICROSECONDS / period, ..Taken::default() };
        let mut reader = PpmReader::default();
        let complaints = run(&programs.ffmpeg, &args, options.patience, |bytes| {
            reader.read(bytes, |image| taken.push(image, options.most_frames))
        })?;
        if !reader.is_between_frames() {
            return Err(cut_off("ffmpeg stopped within a frame"));
        }
        taken.complaints = complaints;
        Ok(taken)
    }

    /// The first sound track as a WAV file of one channel, if there is one that holds anything.
    fn sound(&self, programs: &Programs, patience: Duration) -> Result<Option<Vec<u8>>, String> {
        let Some((stream, channels)) = self.sound else {
            return Ok(None);
        };
        let share = format!("{:.9}", 1.0 / channels as f64);
        let mean: Vec<_> = (0..channels).map(|channel| format!("{share}*c{channel}")).collect();
        // Silence goes before a late start and into gaps, so that sample i lies at i / rate.
        let filter = format!("aresample=async=1:first_pts=0,pan=mono|c0={}", mean.join("+"));
        let args = self.decode(&[
            ("-map", &format!("0:{stream}")),
            ("-af", &filter),
            ("-c:a", "pcm_f32le"),
            ("-fflags", "+bitexact"),
            ("-f", "wav"),
        ]);
        let mut wav = Vec::new();
        let complaints = run(&programs.ffmpeg, &args, patience, |bytes| {
            if wav.len() + bytes.len() > MAX_SOUND_BYTES {
                return Err("its sound is longer than three hours, the most that is read; cut it into parts".into());
            }
            wav.extend_from_slice(bytes);
            Ok(())
        })?;
        if let Some(detail) = damage(&complaints) {
            return Err(cut_off(detail));
        }
        let is_empty = wav.windows(4).position(|id| id == b"data").is_none_or(|at| wav.len() <= at + 8);
        Ok((!is_empty).then_some(wav))
    }

    fn decode(&self, output: &[(&str, &str)]) -> Vec<OsString> {
        let quiet = ["-nostdin", "-hide_banner", "-loglevel", "error", "-nostats", "-progress", "pipe:2"];
        let mut args: Vec<OsString> = quiet.map(Into::into).into();
        args.extend(input(self.path));
        args.extend(output.iter().flat_map(|(option, value)| [OsString::from(option), value.into()]));
        args.push("pipe:1".into());
        args
    }
}

/// Only this file, whatever its name looks like, and none that it may refer to elsewhere.
fn input(path: &Path) -> [OsString; 4] {
    let mut url = OsString::from("file:");
    url.push(path);
    ["-protocol_whitelist".into(), "file".into(), "-i".into(), url]
}

/// Frames as they arrive; every second one goes when there are too many.
#[derive(Default)]
struct Taken {
    frames: Vec<Frame>,
    complaints: Vec<String>,
    /// Every how many frames one is kept; 0 before the first.
    stride: usize,
    /// Frames that arrived.
    seen: usize,
    /// Rate at which they arrived.
    fps: f64,
}

impl Taken {
    fn push(&mut self, image: Image, most: usize) -> Result<(), String> {
        self.stride = self.stride.max(1);
        if self.seen.is_multiple_of(self.stride) {
            if self.frames.len() == most {
                let mut i = 0;
                self.frames.retain(|_| {
                    i += 1;
                    i % 2 == 1
                });
                self.stride *= 2;
            }
            if self.seen.is_multiple_of(self.stride) && self.frames.len() < most {
                let bytes = image.rgb.len() as u64;
                if bytes * (self.frames.len() as u64 + 1) > MAX_RGB_BYTES {
                    return Err("its frames take more than 4 GiB; take fewer or make it smaller".into());
                }
                self.frames.push(Frame { image, time_s: self.seen as f64 / self.fps });
            }
        }
        self.seen += 1;
        Ok(())
    }
}

/// Pictures out of a stream of binary PPM: a header of text and then the raw RGB, whose size may differ from frame to frame.
#[derive(Default)]
struct PpmReader {
    header: Vec<u8>,
    /// Bytes of the frame, and the frame so far.
    frame: Option<(usize, Image)>,
}

impl PpmReader {
    fn read(&mut self, mut bytes: &[u8], mut take: impl FnMut(Image) -> Result<(), String>) -> Result<(), String> {
        while let Some((&first, rest)) = bytes.split_first() {
            if let Some((len, image)) = &mut self.frame {
                let (now, later) = bytes.split_at(bytes.len().min(*len - image.rgb.len()));
                image.rgb.extend_from_slice(now);
                bytes = later;
                if image.rgb.len() == *len
                    && let Some((_, image)) = self.frame.take()
                {
                    take(image)?;
                }
                continue;
            }
            self.header.push(first);
            bytes = rest;
            if first == b'\n' && self.header.iter().filter(|&&byte| byte == b'\n').count() == 3 {
                let header = String::from_utf8_lossy(&self.header).into_owned();
                self.header.clear();
                self.frame = Some(Self::begin(&header)?);
            } else if self.header.len() > 64 {
                return Err("ffmpeg gave something else than pictures; update it".into());
            }
        }
        Ok(())
    }

    fn begin(header: &str) -> Result<(usize, Image), String> {
        let words: Vec<_> = header.split_ascii_whitespace().collect();
        let size = match words[..] {
            ["P6", width, height, "255"] => width.parse::<u32>().ok().zip(height.parse::<u32>().ok()),
            _ => None,
        };
        let size = size.filter(|&(width, height)| width > 0 && height > 0);
        let (width, height) = size.ok_or("ffmpeg gave something else than pictures; update it")?;
        check_size(width.into(), height.into())?;
        let len = width as usize * height as usize * 3;
        Ok((len, Image { width, height, rgb: Vec::with_capacity(len) }))
    }

    fn is_between_frames(&self) -> bool {
        self.header.is_empty() && self.frame.is_none()
    }
}

fn check_size(width: u64, height: u64) -> Result<(), String> {
    if width.saturating_mul(height) > MAX_PIXELS {
        let most = MAX_PIXELS / 1_000_000;
        return Err(format!(
            "its pictures are {width} × {height}, more than the {most} million pixels allowed; make it smaller"
        ));
    }
    Ok(())
}

fn cut_off(detail: &str) -> String {
    format!("this video is damaged or cut off ({detail}); save or copy it again")
}

/// The complaint by which ffmpeg says that something is missing; it goes on without.
fn damage(complaints: &[String]) -> Option<&str> {
    const SIGNS: [&str; 8] = [
        "partial file",
        "ended prematurely",
        "truncat",
        "corrupt",
        "error while decoding",
        "invalid data found",
        "invalid nal",
        "concealing",
    ];
    let is_sign = |line: &&String| SIGNS.iter().any(|sign| line.to_ascii_lowercase().contains(sign));
    complaints.iter().find(is_sign).map(String::as_str)
}

/// A number that ffprobe writes as text.
fn number(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok().filter(|&number: &f64| number.is_finite() && number > 0.0)
}

/// "30000/1001".
fn ratio(value: &Value) -> Option<f64> {
    let (above, below) = value.as_str()?.split_once('/')?;
    let ratio = above.parse::<f64>().ok()? / below.parse::<f64>().ok()?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// "00:00:03.000000000".
fn clock(value: &Value) -> Option<f64> {
    let seconds = value.as_str()?.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?;
    (seconds > 0.0).then_some(seconds)
}
