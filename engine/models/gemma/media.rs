//! The family's own rules for media: sizes of pictures, order of patches, frames of sound, and the text around them.

use super::{Config, Sound, Vision};
use crate::error::{Error, Result};
use crate::media::{Audio, Image, Video, resize};
use crate::models::{Heard, Media, MediaRun, Piece, RunKind, Segment};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// Tokens of a picture that no model asks for.
const MOST_IMAGE_TOKENS: usize = 4096;

impl Config {
    /// Whether the checkpoint has the sense for a part.
    ///
    /// # Errors
    /// [`Error::UnsupportedPart`] if not.
    pub fn accepts(&self, media: &Media) -> Result<()> {
        let (kind, has) = match media {
            Media::Image(_) => ("picture", self.vision.is_some()),
            Media::Audio(_) => ("sound", self.sound.is_some()),
            Media::Video(_) => ("video", self.vision.is_some()),
        };
        if has { Ok(()) } else { Err(self.unsupported(kind)) }
    }

    /// Gives pictures so many tokens at most, if it takes any.
    ///
    /// # Errors
    /// [`Error::Argument`] for a number that no model asks for.
    pub(in crate::models) fn set_image_tokens(&mut self, tokens: usize) -> Result<()> {
        if tokens == 0 || tokens > MOST_IMAGE_TOKENS {
            let problem = format!("are {tokens}, expected 1 to {MOST_IMAGE_TOKENS}");
            return Err(Error::Argument { name: "tokens of a picture", problem });
        }
        if let Some(vision) = &mut self.vision {
            vision.most_tokens = tokens;
        }
        Ok(())
    }

    /// A picture, sound or video as text with runs of tokens whose embeddings come from features.
    ///
    /// # Errors
    /// [`Error::UnsupportedPart`] if the checkpoint lacks that sense, [`Error::Media`] if the part cannot be used.
    pub fn expand(&self, media: &Media, token: &dyn Fn(u32) -> String) -> Result<Vec<Segment>> {
        match media {
            Media::Image(image) => {
                let vision = self.vision.as_ref().ok_or_else(|| self.unsupported("picture"))?;
                let run = patches(vision, image, vision.most_tokens, RunKind::Image, self.media_ids.image)?;
                Ok(framed(run, self.media_ids.image_ends, token))
            }
            Media::Audio(audio) => {
                let sound = self.sound.as_ref().ok_or_else(|| self.unsupported("sound"))?;
                let run = frames(sound, audio, self.media_ids.audio)?;
                Ok(framed(run, self.media_ids.audio_ends, token))
            }
            Media::Video(video) => self.expand_video(video, token),
        }
    }

    /// `mm:ss` and the frame, for every frame, with a space between; the sound after the pictures.
    fn expand_video(&self, video: &Video, token: &dyn Fn(u32) -> String) -> Result<Vec<Segment>> {
        let vision = self.vision.as_ref().ok_or_else(|| self.unsupported("video"))?;
        let mut segments = Vec::new();
        for (index, frame) in video.frames.iter().enumerate() {
            let seconds = frame.time_s.max(0.0) as u64;
            let space = if index == 0 { "" } else { " " };
            segments.push(Segment::Text(format!("{space}{:02}:{:02} ", seconds / 60, seconds % 60)));
            let run = patches(vision, &frame.image, vision.most_frame_tokens, RunKind::Video, self.media_ids.video)?;
            segments.extend(framed(run, self.media_ids.image_ends, token));
        }
        match (&video.audio, &self.sound) {
            (Some(audio), Some(sound)) => {
                segments.extend(framed(frames(sound, audio, self.media_ids.audio)?, self.media_ids.audio_ends, token));
            }
            (Some(_), None) => tracing::warn!("this model does not hear: the sound of the video is left out"),
            (None, _) => {}
        }
        Ok(segments)
    }

    /// `tokens` tokens of sound as a run, the first samples of `samples`, which are at the model's rate; what the last
    /// token lacks is filled with zeros.
    pub fn sound_run(&self, samples: &[f32], tokens: usize, heard: Heard) -> Piece {
        let (width, features) = match &self.sound {
            Some(sound) => (sound.row_width(), sound.rows(samples, tokens)),
            None => (1, vec![0.0; tokens]),
        };
        Piece::Run(Arc::new(sound_run(width, features, heard, self.media_ids.audio)))
    }

    fn unsupported(&self, kind: &'static str) -> Error {
        let senses = [("pictures and video", self.vision.is_some()), ("sound", self.sound.is_some())];
        let others: String = senses.iter().filter(|(_, has)| *has).map(|(name, _)| format!(", {name}")).collect();
        Error::UnsupportedPart {
            model: format!("this {} checkpoint", self.family),
            kind,
            supported: format!("text{others}"),
        }
    }
}

impl Vision {
    /// A picture as large as `most_tokens` tokens allow.
    ///
    /// # Errors
    /// [`Error::Media`] if its shape does not fit.
    pub(crate) fn fitted(&self, image: &Image, most_tokens: usize) -> Result<Image> {
        let (width, height) = target_size(image.width, image.height, self.token_px(), most_tokens).map_err(unfit)?;
        Ok(resize(image, width, height))
    }
}

impl Sound {
    /// A sound at the rate that the model hears, resampled if it has another one.
    ///
    /// # Errors
    /// As [`Audio::resampled`].
    pub(crate) fn at_rate<'a>(&self, audio: &'a Audio) -> Result<Cow<'a, Audio>> {
        match audio.sample_rate == self.sample_rate {
            true => Ok(Cow::Borrowed(audio)),
            false => audio.clone().resampled(self.sample_rate).map(Cow::Owned),
        }
    }
}

fn unfit(problem: String) -> Error {
    Error::Media { path: "the picture".into(), kind: "a picture", problem }
}

fn framed(run: MediaRun, ends: [u32; 2], token: &dyn Fn(u32) -> String) -> Vec<Segment> {
    vec![Segment::Text(token(ends[0])), Segment::Run(run), Segment::Text(token(ends[1]))]
}

/// Size to which a picture is brought: its shape kept, as large as `most_tokens` squares of `token_px` pixels allow, both
/// sides whole squares. From `get_aspect_ratio_preserving_size` of the reference.
///
/// # Errors
/// A sentence if no such size exists.
pub fn target_size(width: u32, height: u32, token_px: usize, most_tokens: usize) -> Result<(u32, u32), String> {
    let (w, h, side) = (f64::from(width), f64::from(height), token_px as f64);
    let factor = ((most_tokens * token_px * token_px) as f64 / (w * h)).sqrt();
    let squares = |length: f64| (factor * length / side).floor() as usize;
    let (across, down) = match (squares(w), squares(h)) {
        (0, 0) => return Err(format!("it is {width} × {height}, too small a budget of {most_tokens} tokens for it")),
        (0, _) => (1, ((h / w).floor() as usize).min(most_tokens)),
        (_, 0) => (((w / h).floor() as usize).min(most_tokens), 1),
        both => both,
    };
    if across * down > most_tokens {
        return Err(format!("its shape, {width} × {height}, does not fit into {most_tokens} tokens"));
    }
    Ok(((across * token_px) as u32, (down * token_px) as u32))
}

/// Patches in row order, each as (row, column, channel) in [0, 1], with their places (x, y).
fn patches(vision: &Vision, image: &Image, most_tokens: usize, kind: RunKind, token: u32) -> Result<MediaRun> {
    let image = vision.fitted(image, most_tokens)?;
    let side = vision.patch_px;
    let (across, down) = (image.width as usize / side, image.height as usize / side);
    if across.max(down) > vision.positions {
        let problem = format!(
            "its shape gives {across} × {down} squares, the model knows {} along a side; crop it",
            vision.positions
        );
        return Err(unfit(problem));
    }
    let mut features = Vec::with_capacity(across * down * vision.patch_len());
    let mut positions = Vec::with_capacity(across * down);
    let row_len = image.width as usize * 3;
    for y in 0..down {
        for x in 0..across {
            positions.push([x as u32, y as u32]);
            for row in 0..side {
                let start = (y * side + row) * row_len + x * side * 3;
                for pixel in image.rgb[start..start + side * 3].chunks_exact(3) {
                    let scaled =
                        |c: usize| (f32::from(pixel[c]) / 255.0 - vision.normalise[c][0]) / vision.normalise[c][1];
                    features.extend([scaled(0), scaled(1), scaled(2)]);
                }
            }
        }
    }
    let per_token = vision.patches_per_token();
    Ok(MediaRun {
        kind,
        token,
        rows: positions.len() / per_token,
        per_token,
        width: vision.patch_len(),
        features,
        positions,
        heard: Heard::default(),
    })
}

/// Frames of raw samples, the last one filled with zeros.
fn frames(sound: &Sound, audio: &Audio, token: u32) -> Result<MediaRun> {
    let audio = sound.at_rate(audio)?;
    let samples = audio.samples.len();
    let tokens = sound.tokens(samples, true);
    if tokens == 0 {
        let problem = match samples {
            0 => "it holds no samples; use another recording".to_string(),
            _ => format!("it holds {samples} samples, too few for a token; use a longer recording"),
        };
        return Err(Error::Media { path: Path::new("the sound").into(), kind: "sound", problem });
    }
    let heard = Heard { tokens: 0, samples };
    Ok(sound_run(sound.row_width(), sound.rows(&audio.samples, tokens), heard, token))
}

fn sound_run(width: usize, features: Vec<f32>, heard: Heard, token: u32) -> MediaRun {
    let rows = features.len() / width;
    MediaRun { kind: RunKind::Audio, token, rows, per_token: 1, width, features, positions: Vec::new(), heard }
}
