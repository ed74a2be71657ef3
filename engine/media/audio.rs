//! Sound from WAV, FLAC, MP3, OGG Vorbis, M4A and AIFF files, as one channel.

use super::containers::{self, CONVERT, Promise, damaged};
use super::resample::resample;
use crate::error::{Error, Result};
use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as DecodeError;
use symphonia::core::formats::TrackType;
use symphonia::core::formats::probe::Hint;
use symphonia::core::io::MediaSourceStream;

const MAX_FILE_BYTES: u64 = 2 << 30;
/// Longest sound, whatever its rate; more is a mistake, and no model takes it.
const MAX_SECONDS: usize = 3 * 3600;
/// Most samples of the one channel that is kept: 2 GiB.
const MAX_SAMPLES: usize = 1 << 29;
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Sound of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// Samples from −1 to 1 (files in floating point and resampling may go beyond).
    pub samples: Vec<f32>,
    /// Samples a second.
    pub sample_rate: u32,
}

impl Audio {
    /// Reads a WAV, FLAC, MP3, OGG Vorbis, M4A (AAC, ALAC) or AIFF file at its own sample rate.
    ///
    /// Channels become one by their mean. Integers of n bits are divided by 2ⁿ⁻¹ and nothing else, so a 16-bit sample is
    /// exactly `value / 32768`. What an encoder put before and after the sound is removed where the file says how much.
    /// Of several sound tracks the first is taken.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Media`] when it is a folder, empty, without sound, damaged, cut
    /// off, longer than three hours or of another format. Damage in the middle is an error too, never a gap.
    pub fn open(path: &Path) -> Result<Audio> {
        Audio::decode(&super::read_file(path, "sound", MAX_FILE_BYTES)?, path)
    }

    /// As [`Audio::open`], from the bytes of a file; `name` is only for messages of errors.
    ///
    /// # Errors
    /// [`Error::Media`] as for [`Audio::open`].
    pub fn decode(bytes: &[u8], name: &Path) -> Result<Audio> {
        let refuse = |problem: String| Error::Media { path: name.into(), kind: "sound", problem };
        let promise = containers::examine(bytes).map_err(refuse)?;
        // A decoder that panics met damage that it did not foresee.
        let decoded = catch_unwind(AssertUnwindSafe(|| decode(bytes, &promise)));
        decoded.unwrap_or_else(|_| Err(damaged(promise.format, "its decoder gave up"))).map_err(refuse)
    }

    /// The same sound at another sample rate, band-limited and with nothing shifted in time: sample `i` lies at
    /// `i / sample_rate` seconds before and after, and `n` samples become `round(n · new / old)`. At its own rate it is
    /// returned bit for bit.
    ///
    /// # Errors
    /// [`Error::Argument`] if `sample_rate` is not from 1,000 to 768,000.
    pub fn resampled(self, sample_rate: u32) -> Result<Audio> {
        if sample_rate == self.sample_rate {
            return Ok(self);
        }
        let refuse = |problem: String| Error::Argument { name: "sample_rate", problem };
        for rate in [self.sample_rate, sample_rate] {
            if !RATES.contains(&rate) {
                return Err(refuse(format!("is {rate} Hz, expected {} to {}", RATES.start(), RATES.end())));
            }
        }
        let samples = resample(&self.samples, self.sample_rate, sample_rate).map_err(refuse)?;
        Ok(Audio { samples, sample_rate })
    }

    /// Length in seconds.
    pub fn duration_s(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sample_rate)
    }
}

fn decode(bytes: &[u8], promise: &Promise) -> Result<Audio, String> {
    let explain = |error: DecodeError| match error {
        DecodeError::Unsupported(what) => {
            format!("this {} uses what is not supported ({what}); {CONVERT}", promise.format)
        }
        error => damaged(promise.format, &error.to_string()),
    };
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut hint = Hint::new();
    hint.with_extension(promise.extension);
    let probe = symphonia::default::get_probe();
    let mut reader = probe.probe(&hint, source, Default::default(), Default::default()).map_err(explain)?;
    let track = reader.default_track(TrackType::Audio).ok_or("it holds no sound; use another file")?;
    let track_id = track.id;
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params.ok_or_else(|| format!("its codec is not known; {CONVERT}"))?;
    let options = AudioDecoderOptions::default().verify(true);
    let mut decoder = symphonia::default::get_codecs().make_audio_decoder(params, &options).map_err(explain)?;

    let (mut samples, mut interleaved) = (Vec::new(), Vec::new());
    let mut spec = None;
    let mut packet_bytes = 0;
    let at = |samples: &Vec<f32>, rate: u32| format!("{:.2} s", samples.len() as f64 / f64::from(rate));
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // The end of a stream of unknown length looks like this; whether it is the end is known all the same.
            Err(DecodeError::IoError(error))
                if error.kind() == ErrorKind::UnexpectedEof && promise.frames == Some(samples.len() as u64) =>
            {
                break;
            }
            Err(error) => return Err(explain(error)),
        };
        if packet.track_id != track_id {
            continue;
        }
        packet_bytes += packet.data.len() as u64;
        let decoded = decoder.decode(&packet).map_err(explain)?;
        let (rate, channels) = (decoded.spec().rate(), decoded.num_planes());
        if !RATES.contains(&rate) || channels == 0 {
            return Err(damaged(promise.format, &format!("it says {channels} channels at {rate} Hz")));
        }
        if *spec.get_or_insert((rate, channels)) != (rate, channels) {
            let when = at(&samples, rate);
            return Err(format!("its sample rate or number of channels changes at {when}; {CONVERT}"));
        }
        if samples.len() + decoded.frames() > MAX_SAMPLES.min(MAX_SECONDS * rate as usize) {
            return Err(format!("it is longer than {}, the most that is read; cut it into parts", at(&samples, rate)));
        }
        decoded.copy_to_vec_interleaved::<f32>(&mut interleaved);
        let first = samples.len();
        match channels {
            1 => samples.extend_from_slice(&interleaved),
            _ => samples.extend(interleaved.chunks_exact(channels).map(mean)),
        }
        if let Some(bad) = samples[first..].iter().position(|sample| !sample.is_finite()) {
            return Err(damaged(promise.format, &format!("sample {} is not a finite number", first + bad)));
        }
    }
    let found = samples.len() as u64;
    let short =
        |expected: u64| damaged(promise.format, &format!("its header promises {expected} samples, {found} are there"));
    if let Some(expected) = promise.frames.filter(|&expected| expected != found) {
        return Err(short(expected));
    }
    if promise.packet_bytes.is_some_and(|expected| expected != packet_bytes)
        || decoder.finalize().verify_ok == Some(false)
    {
        return Err(damaged(promise.format, "a part of it fails its checksum"));
    }
    let (sample_rate, _) = spec.ok_or("it holds no sound (0 samples); use another file")?;
    if let Some(track) = promise.tracks.iter().find(|track| track.id == track_id) {
        let frames = |ticks: u64| (u128::from(ticks) * u128::from(sample_rate) / u128::from(track.timescale)) as u64;
        if frames(track.duration) > found {
            return Err(short(frames(track.duration)));
        }
        let length = if track.duration > 0 { frames(track.duration) } else { found };
        let end = track.end.map_or(length, |end| frames(end).min(length));
        let silence = (track.silence_s * f64::from(sample_rate)).round() as usize;
        if silence > MAX_SAMPLES.min(MAX_SECONDS * sample_rate as usize) - samples.len() {
            return Err(damaged(promise.format, &format!("it begins with {} s of silence", track.silence_s)));
        }
        samples.truncate(end as usize);
        samples.splice(..(frames(track.start).min(end) as usize), std::iter::repeat_n(0.0, silence));
    }
    if samples.is_empty() {
        return Err("it holds no sound (0 samples); use another file".into());
    }
    Ok(Audio { samples, sample_rate })
}

fn mean(frame: &[f32]) -> f32 {
    (frame.iter().map(|&sample| f64::from(sample)).sum::<f64>() / frame.len() as f64) as f32
}
