//! Log-mel spectrogram: `y = (ln(filters · |FFT(window · x)| + floor) - mean) / deviation`, frame by frame, from a ring of
//! samples into a ring of frames, so that a stream goes on where it was.
//!
//! Magnitudes, not powers; triangular filters on the mel scale of O'Shaughnessy 1987 (HTK's), not normalised; a periodic Hann
//! window. The reference transforms in f64 what it has windowed in f32, and the logarithm shows bins a hundred thousand times
//! weaker than the loudest; so the transform here counts in integers of 64 bits. Floor: the samples, once. Shader:
//! `shaders/spectrogram.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::ring::fits;
use super::stride;
use crate::error::{Error, Result};
use crate::gpu::{Array, Cost, Extent, Gpu, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};
use std::f64::consts::TAU;

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Samples of a frame.
    pub frame_length: u32,
    /// Samples from frame to frame.
    pub hop_length: u32,
    /// Samples of frame 0 before the first one, which are zero.
    pub before: u32,
    /// Length of the transform.
    pub fft_length: u32,
    /// Samples from row to row of the ring that is read.
    pub row_samples: u32,
    /// Frames of such a row.
    pub row_frames: u32,
    /// Rows of the ring that is read.
    pub in_ring: u32,
    /// Distance between its rows.
    pub in_stride: u32,
    /// Rows of the ring that is written.
    pub out_ring: u32,
    /// Distance between its rows.
    pub out_stride: u32,
    /// Bands.
    pub mels: u32,
    /// Place of the means among the weights.
    pub norms: u32,
    /// 0 none, 1 within the frame, 2 with the sample behind it.
    pub preemphasis_kind: u32,
    /// How much of the sample before is taken away.
    pub preemphasis: f32,
    /// Multiplies the samples.
    pub scale: f32,
    /// Added before the logarithm.
    pub floor: f32,
}

/// Longest transform: it lies in workgroup memory.
pub const MOST_FFT_LENGTH: usize = 1024;

/// What a frame is, and what is made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Samples a second.
    pub sample_rate: usize,
    /// Samples of a frame.
    pub frame_length: usize,
    /// Samples from frame to frame.
    pub hop_length: usize,
    /// Length of the transform, even, at least `frame_length`, at most [`MOST_FFT_LENGTH`].
    pub fft_length: usize,
    /// Bands.
    pub mels: usize,
    /// Where the lowest filter begins, in Hz.
    pub min_frequency: f64,
    /// Where the highest filter ends, in Hz.
    pub max_frequency: f64,
    /// Added before the logarithm.
    pub floor: f32,
    /// How much of the sample before is taken away from each; 0 for nothing.
    pub preemphasis: f32,
    /// The first sample of a frame has none before it and is only made smaller, as HTK does.
    pub preemphasis_htk: bool,
    /// Multiplies the samples.
    pub scale: f32,
    /// Taken away from each band, and what the rest is divided by.
    pub norms: Option<[Vec<f32>; 2]>,
    /// Frames that belong together in a row of samples.
    pub row_frames: usize,
}

impl Settings {
    /// The spectrogram of Gemma 4 with other lengths and bands: 16 kHz, four frames a row.
    pub fn of_lengths(frame_length: usize, hop_length: usize, fft_length: usize, mels: usize) -> Settings {
        Settings {
            sample_rate: 16_000,
            frame_length,
            hop_length,
            fft_length,
            mels,
            min_frequency: 0.0,
            max_frequency: 8000.0,
            floor: 1e-3,
            preemphasis: 0.0,
            preemphasis_htk: true,
            scale: 1.0,
            norms: None,
            row_frames: 4,
        }
    }

    /// Samples of frame 0 before the first one; a frame stands around its time.
    pub fn before(&self) -> usize {
        self.frame_length / 2
    }

    /// Frame `i` is whole once sample `i * hop_length + lead` is known, the one behind it.
    pub fn lead(&self) -> usize {
        self.frame_length - self.before()
    }

    /// Whole frames of so many samples.
    pub fn whole_frames(&self, samples: usize) -> usize {
        samples.saturating_sub(self.lead()).div_ceil(self.hop_length)
    }

    /// Samples from row to row.
    pub fn row_samples(&self) -> usize {
        self.row_frames * self.hop_length
    }

    /// Samples that a row holds: those up to the next row, and behind them what its own frames reach.
    pub fn row_width(&self) -> usize {
        let behind = usize::from(self.preemphasis > 0.0 && !self.preemphasis_htk);
        self.row_samples() + (self.lead() + behind).saturating_sub(self.hop_length)
    }

    /// Rows before its own that the frames of a row reach back to.
    pub fn rows_back(&self) -> usize {
        self.before().div_ceil(self.row_samples())
    }

    /// The window's values.
    fn window(&self) -> Vec<f32> {
        let angle = |j: usize| TAU * j as f64 / self.frame_length as f64;
        (0..self.frame_length).map(|j| (0.5 - 0.5 * angle(j).cos()) as f32).collect()
    }

    /// Each filter's first bin and weights.
    fn filters(&self) -> Vec<(usize, Vec<f64>)> {
        let to_mel = |hertz: f64| 2595.0 * (1.0 + hertz / 700.0).log10();
        let to_hertz = |mel: f64| 700.0 * (10f64.powf(mel / 2595.0) - 1.0);
        let (low, high) = (to_mel(self.min_frequency), to_mel(self.max_frequency));
        let corner = |n: usize| to_hertz(low + (high - low) * n as f64 / (self.mels + 1) as f64);
        let bins = self.fft_length / 2 + 1;
        // The reference takes half the rate as a whole number.
        let hertz = |bin: usize| (self.sample_rate / 2) as f64 * bin as f64 / (bins - 1) as f64;
        let filter = |m: usize| {
            let [left, top, right] = [0, 1, 2].map(|n| corner(m + n));
            let weight = |bin: usize| {
                let (up, down) = ((hertz(bin) - left) / (top - left), (right - hertz(bin)) / (right - top));
                up.min(down).max(0.0)
            };
            let first = (0..bins).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
            let weights: Vec<f64> = (first..bins).map(weight).take_while(|weight| *weight > 0.0).collect();
            (first, weights)
        };
        (0..self.mels).map(filter).collect()
    }
}

/// Tables that the shader reads.
#[derive(Debug)]
pub struct Tables {
    window: Array<f32>,
    roots: Array<[u32; 4]>,
    bands: Array<[u32; 4]>,
    weights: Array<f32>,
    norms: usize,
}

impl Tables {
    /// Those of `settings`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a transform that is odd, too long or shorter than a frame, [`Error::OutOfMemory`].
    pub fn new(gpu: &Gpu, settings: &Settings) -> Result<Tables> {
        let length = settings.fft_length;
        let most = MOST_FFT_LENGTH;
        if !length.is_multiple_of(2) || !(2..=most).contains(&length) || length < settings.frame_length {
            let problem = format!(
                "is {length} for frames of {}, expected an even number from there to {most}",
                settings.frame_length
            );
            return Err(Error::Argument { name: "fft_length", problem });
        }
        // Parts of 2^64; a whole turn of a quarter, which would be 1, is never looked up.
        let part = |value: f64| (value.abs() * 2f64.powi(64)) as u64;
        let root = |k: usize| {
            let angle = TAU * k as f64 / length as f64;
            let (cos, sin) = (part(angle.cos()), part(angle.sin()));
            [(cos >> 32) as u32, cos as u32, (sin >> 32) as u32, sin as u32]
        };
        let roots: Vec<[u32; 4]> = (0..length).map(root).collect();
        let (mut bands, mut weights) = (Vec::new(), Vec::new());
        for (first, filter) in settings.filters() {
            bands.push([first as u32, filter.len() as u32, weights.len() as u32, 0]);
            weights.extend(filter.iter().map(|weight| *weight as f32));
        }
        let norms = weights.len();
        let none = || [vec![0.0; settings.mels], vec![1.0; settings.mels]];
        let [mean, deviation] = settings.norms.clone().unwrap_or_else(none);
        weights.extend(mean.iter().chain(&deviation));
        Ok(Tables {
            window: gpu.array_of("window", &settings.window())?,
            roots: gpu.array_of("roots", &roots)?,
            bands: gpu.array_of("bands", &bands)?,
            weights: gpu.array_of("mel filters", &weights)?,
            norms,
        })
    }
}

/// What the dispatch reads and writes.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// `[in_ring, stride(row_width)]`: rows of samples, those of the replay among them.
    pub samples: &'a Array<f32>,
    /// First row, rows, samples known.
    pub span: &'a Array<u32>,
    /// `[out_ring, stride(mels)]`.
    pub y: &'a Array<f32>,
}

/// Records one dispatch over the frames of the replay's rows, at most `most_rows` rows. Frames that are not whole are
/// zero; so is what lies before the first sample.
///
/// # Errors
/// [`Error::Length`] if an array is shorter than its shape in the shader, [`Error::Argument`] for a ring that is too short.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    settings: &Settings,
    tables: &Tables,
    [in_ring, out_ring]: [usize; 2],
    most_rows: usize,
    arrays: &Arrays<'_>,
) -> Result<()> {
    fits("spectrogram", in_ring, most_rows + settings.rows_back())?;
    fits("spectrogram", out_ring, most_rows * settings.row_frames)?;
    let (in_stride, out_stride) = (stride(settings.row_width()), stride(settings.mels));
    let binds = [
        arrays.samples.bind("samples", in_ring * in_stride)?,
        arrays.span.bind("span", 3)?,
        tables.window.bind("window", settings.frame_length)?,
        tables.roots.bind("roots", settings.fft_length)?,
        tables.bands.bind("bands", settings.mels)?,
        tables.weights.bind("weights", tables.norms + 2 * settings.mels)?,
        arrays.y.bind("y", out_ring * out_stride)?,
    ];
    let params = Params {
        frame_length: settings.frame_length as u32,
        hop_length: settings.hop_length as u32,
        before: settings.before() as u32,
        fft_length: settings.fft_length as u32,
        row_samples: settings.row_samples() as u32,
        row_frames: settings.row_frames as u32,
        in_ring: in_ring as u32,
        in_stride: in_stride as u32,
        out_ring: out_ring as u32,
        out_stride: out_stride as u32,
        mels: settings.mels as u32,
        norms: tables.norms as u32,
        preemphasis_kind: match (settings.preemphasis > 0.0, settings.preemphasis_htk) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => 2,
        },
        preemphasis: settings.preemphasis,
        scale: settings.scale,
        floor: settings.floor,
    };
    let (frames, length) = (settings.row_frames as u64, settings.fft_length as u64);
    let cost = Cost {
        fixed_bytes: tables.weights.bytes() + tables.roots.bytes() + tables.window.bytes(),
        row_bytes: (settings.row_samples() + settings.row_frames * settings.mels) as u64 * 4,
        row_flops: frames * (5 * length / 2 * u64::from(length.ilog2()) + 2 * tables.norms as u64),
    };
    let half = (settings.fft_length / 2) as u32;
    let overrides = [("HALF", half), ("BINS", half + 1)];
    let down = Extent::Rows { times: settings.row_frames as u32, tile: 1 };
    plan.dispatch(&shaders::SPECTROGRAM, &overrides, &params, &binds, [down, 1.into(), 1.into()], cost)
}

/// The same on the CPU: all frames from the first of `samples` on, `rows` rows of them. Windowed in f32, transformed in f64.
pub fn reference(settings: &Settings, samples: &[f32], rows: usize) -> Vec<f32> {
    let (window, filters) = (settings.window(), settings.filters());
    let length = settings.fft_length;
    let cosines: Vec<f64> = (0..length).map(|k| (TAU * k as f64 / length as f64).cos()).collect();
    let sines: Vec<f64> = (0..length).map(|k| (TAU * k as f64 / length as f64).sin()).collect();
    let (whole, mels) = (settings.whole_frames(samples.len()), settings.mels);
    let mut y = vec![0.0; rows * settings.row_frames * mels];
    for frame in 0..whole.min(rows * settings.row_frames) {
        let at = |j: usize| match (frame * settings.hop_length + j).checked_sub(settings.before()) {
            Some(place) => samples[place] * settings.scale,
            None => 0.0,
        };
        let emphasised = |j: usize| match (settings.preemphasis > 0.0, settings.preemphasis_htk) {
            (false, _) => at(j),
            (true, true) if j == 0 => at(0) * (1.0 - settings.preemphasis),
            (true, true) => at(j) - settings.preemphasis * at(j - 1),
            (true, false) => at(j + 1) - settings.preemphasis * at(j),
        };
        let x: Vec<f32> = window.iter().enumerate().map(|(j, w)| emphasised(j) * w).collect();
        let magnitude = |bin: usize| {
            let (mut re, mut im) = (0f64, 0f64);
            for (j, v) in x.iter().enumerate() {
                re += f64::from(*v) * cosines[bin * j % length];
                im += f64::from(*v) * sines[bin * j % length];
            }
            re.hypot(im)
        };
        let magnitudes: Vec<f64> = (0..=length / 2).map(magnitude).collect();
        for (m, (first, filter)) in filters.iter().enumerate() {
            let mel: f64 = filter.iter().zip(&magnitudes[*first..]).map(|(w, v)| w * v).sum();
            let (mean, deviation) = settings.norms.as_ref().map_or((0.0, 1.0), |[mean, d]| (mean[m], d[m]));
            let value = ((mel + f64::from(settings.floor)).ln() - f64::from(mean)) / f64::from(deviation);
            y[frame * mels + m] = value as f32;
        }
    }
    y
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, frame_length: usize, hop_length: usize, fft_length: usize, mels: usize| {
        let text = format!("{rows} rows of 4 frames of {frame_length}, {fft_length} points, {mels} bands");
        Case::new("spectrogram", size, text, move |gpu| {
            let settings = Settings::of_lengths(frame_length, hop_length, fft_length, mels);
            let (samples, width) = (noise(1, rows * settings.row_samples()), settings.row_width());
            let in_ring = rows + settings.rows_back();
            let laid = rows_of(&settings, &samples, rows);
            let mut ring = laid;
            ring.resize(in_ring * width, f32::NAN);
            let tables = Tables::new(gpu, &settings)?;
            let x = upload(gpu, "samples", &ring, width)?;
            let span = gpu.array_of("span", &[0, rows as u32, samples.len() as u32])?;
            let frames = rows * 4;
            let y = gpu.array("y", frames * stride(mels))?;
            let asked = settings.clone();
            let outputs = vec![Output::rows(&y, mels, 1e-6, move || reference(&asked, &samples, rows))];
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                let arrays = Arrays { samples: &x, span: &span, y: &y };
                record(plan, &settings, &tables, [in_ring, frames], rows, &arrays)
            }))
        })
    };
    vec![
        case(Size::Odd, 2, 27, 9, 30, 5),
        case(Size::Odd, 2, 320, 160, 512, 40),
        case(Size::Real, 32, 320, 160, 512, 128),
    ]
}

/// `rows` rows of samples as the shader takes them, zeros behind the last sample.
pub fn rows_of(settings: &Settings, samples: &[f32], rows: usize) -> Vec<f32> {
    let width = settings.row_width();
    let mut laid = vec![0.0; rows * width];
    for (row, to) in laid.chunks_exact_mut(width).enumerate() {
        let from = samples.get(row * settings.row_samples()..).unwrap_or_default();
        let count = from.len().min(width);
        to[..count].copy_from_slice(&from[..count]);
    }
    laid
}
