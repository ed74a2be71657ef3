//! A 3 × 3 convolution with stride 2 and padding 1 over rows and columns, LayerNorm over the channels and ReLU: half the
//! rows, half the columns. Rows come from a ring and may go to one, so that a stream goes on where it was.
//!
//! The subsampling of Gulati et al. 2020, section 2.1. Floor: `18 · in_channels` operations a value. Shader:
//! `shaders/subsample_conv.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::ring::fits;
use super::stride;
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Rows of the ring that is read.
    pub in_ring: u32,
    /// Distance between its rows.
    pub in_stride: u32,
    /// Columns of a row that is read.
    pub in_size: u32,
    /// Channels of a column that is read.
    pub in_channels: u32,
    /// Rows of the ring that is written; 0 for rows of the replay from the first on.
    pub out_ring: u32,
    /// Distance between its rows.
    pub out_stride: u32,
    /// Channels of a column that is written.
    pub out_channels: u32,
    /// Rows that are written for a token.
    pub rows_of_token: u32,
    /// Samples from row to row that is written.
    pub row_samples: u32,
    /// The sample that must be known before the first row is.
    pub lead: u32,
    /// Of the norm.
    pub eps: f32,
    /// Columns of a row that is written.
    pub out_size: u32,
}

/// Columns of a workgroup.
const COLUMNS: usize = 4;

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Rows of the ring that is read.
    pub in_ring: usize,
    /// Columns of a row that is read.
    pub in_size: usize,
    /// Channels of a column that is read.
    pub in_channels: usize,
    /// Rows of the ring that is written; `None` for rows of the replay from the first on.
    pub out_ring: Option<usize>,
    /// Channels of a column that is written.
    pub out_channels: usize,
    /// Rows that are written for a token; twice as many are read.
    pub rows_of_token: usize,
    /// Samples from row to row that is written.
    pub row_samples: usize,
    /// The sample that must be known before the first row is.
    pub lead: usize,
    /// Of the norm.
    pub eps: f32,
}

impl Shape {
    /// Columns of a row that is written.
    pub fn out_size(&self) -> usize {
        self.in_size.div_ceil(2)
    }

    fn in_width(&self) -> usize {
        self.in_size * self.in_channels
    }

    fn out_width(&self) -> usize {
        self.out_size() * self.out_channels
    }
}

/// What the dispatch reads and writes; rows are [`stride`] apart and hold columns of channels.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// The ring that is read.
    pub x: &'a Array<f32>,
    /// First token, tokens, samples known.
    pub span: &'a Array<u32>,
    /// `[3, 3, in_channels, stride(out_channels)]`: rows, columns; zero behind the channels.
    pub weight: &'a Array<f32>,
    /// `[out_channels]` weight of the norm.
    pub norm: &'a Array<f32>,
    /// Where rows go.
    pub y: &'a Array<f32>,
}

/// Records one dispatch over the tokens of the replay, at most `most_tokens`.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader,
/// [`Error::Argument`](crate::Error::Argument) for a ring that is too short.
pub fn record(plan: &mut PlanBuilder<'_>, shape: &Shape, most_tokens: usize, arrays: &Arrays<'_>) -> Result<()> {
    let rows = most_tokens * shape.rows_of_token;
    // The first row reads one before its own two.
    fits("subsample_conv", shape.in_ring, 2 * rows + 1)?;
    let places = shape.out_ring.unwrap_or(rows);
    fits("subsample_conv", places, rows)?;
    let weights = 9 * shape.in_channels * shape.out_channels;
    let laid = 9 * shape.in_channels * stride(shape.out_channels);
    let binds = [
        arrays.x.bind("x", shape.in_ring * stride(shape.in_width()))?,
        arrays.span.bind("span", 3)?,
        arrays.weight.bind("weight", laid)?,
        arrays.norm.bind("norm", shape.out_channels)?,
        arrays.y.bind("y", places * stride(shape.out_width()))?,
    ];
    let params = Params {
        in_ring: shape.in_ring as u32,
        in_stride: stride(shape.in_width()) as u32,
        in_size: shape.in_size as u32,
        in_channels: shape.in_channels as u32,
        out_ring: shape.out_ring.unwrap_or(0) as u32,
        out_stride: stride(shape.out_width()) as u32,
        out_channels: shape.out_channels as u32,
        rows_of_token: shape.rows_of_token as u32,
        row_samples: shape.row_samples as u32,
        lead: shape.lead as u32,
        eps: shape.eps,
        out_size: shape.out_size() as u32,
    };
    let cost = Cost {
        fixed_bytes: weights as u64 * 4,
        row_bytes: (shape.rows_of_token * (2 * shape.in_width() + shape.out_width())) as u64 * 4,
        row_flops: (shape.rows_of_token * shape.out_size() * 2 * weights) as u64,
    };
    let down = Extent::Rows { times: shape.rows_of_token as u32, tile: 1 };
    let grid = [down, (shape.out_size().div_ceil(COLUMNS) as u32).into(), 1.into()];
    plan.dispatch(&shaders::SUBSAMPLE_CONV, &[("WG", 32)], &params, &binds, grid, cost)
}

/// The same on the CPU in f64: `x` holds all rows since the beginning, without gaps; the result half as many, those that
/// `known` samples do not reach zero. `weight` is without gaps.
pub fn reference(shape: &Shape, x: &[f32], weight: &[f32], norm: &[f32], known: usize) -> Vec<f32> {
    let (rows, width) = (x.len() / shape.in_width(), shape.in_width());
    let at = |t: usize, f: usize, i: usize| {
        // One row and one column of padding before the first.
        let inside = (1..=rows).contains(&t) && (1..=shape.in_size).contains(&f);
        if inside { f64::from(x[(t - 1) * width + (f - 1) * shape.in_channels + i]) } else { 0.0 }
    };
    let mut y = Vec::with_capacity(rows.div_ceil(2) * shape.out_width());
    for t in 0..rows.div_ceil(2) {
        for f in 0..shape.out_size() {
            let mut sums = vec![0f64; shape.out_channels];
            for tap in 0..9 {
                for i in 0..shape.in_channels {
                    let value = at(2 * t + tap / 3, 2 * f + tap % 3, i);
                    let from = &weight[(tap * shape.in_channels + i) * shape.out_channels..][..shape.out_channels];
                    sums.iter_mut().zip(from).for_each(|(sum, w)| *sum += value * f64::from(*w));
                }
            }
            let count = sums.len() as f64;
            let mean = sums.iter().sum::<f64>() / count;
            let variance = sums.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
            let scale = 1.0 / (variance + f64::from(shape.eps)).sqrt();
            let is_known = t * shape.row_samples + shape.lead < known;
            let value = |(v, w): (&f64, &f32)| ((v - mean) * scale * f64::from(*w)).max(0.0) as f32;
            y.extend(sums.iter().zip(norm).map(value).map(|v| if is_known { v } else { 0.0 }));
        }
    }
    y
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, tokens: usize, in_size: usize, in_channels: usize, out_channels: usize, rows_of_token: usize| {
        let text = format!("{tokens} tokens, {in_size} × {in_channels} to {out_channels}");
        Case::new("subsample_conv", size, text, move |gpu| {
            let rows = tokens * rows_of_token;
            let shape = Shape {
                in_ring: 2 * rows + 1,
                in_size,
                in_channels,
                out_ring: None,
                out_channels,
                rows_of_token,
                row_samples: 10,
                lead: 5,
                eps: 1e-6,
            };
            // The last row is not known.
            let known = (rows - 1) * 10 + 5;
            let values = noise(1, 2 * rows * shape.in_width());
            let (w, n) = (noise(2, 9 * in_channels * out_channels), noise(3, out_channels));
            let mut ring = values.clone();
            ring.resize(shape.in_ring * shape.in_width(), f32::NAN);
            let x = upload(gpu, "x", &ring, shape.in_width())?;
            let span = gpu.array_of("span", &[0, tokens as u32, known as u32])?;
            let (weight, norm) = (upload(gpu, "weight", &w, out_channels)?, gpu.array_of("norm", &n)?);
            let y = gpu.array("y", rows * stride(shape.out_width()))?;
            let expected = move || reference(&shape, &values, &w, &n, known);
            let outputs = vec![Output::rows(&y, shape.out_width(), 5e-6, expected)];
            Ok(Prepared::new(tokens, outputs, move |plan, _| {
                let arrays = Arrays { x: &x, span: &span, weight: &weight, norm: &norm, y: &y };
                record(plan, &shape, tokens, &arrays)
            }))
        })
    };
    vec![
        case(Size::Odd, 3, 9, 1, 67, 2),
        case(Size::Odd, 2, 5, 7, 3, 1),
        case(Size::Real, 16, 128, 1, 128, 2),
        case(Size::Real, 16, 64, 128, 32, 1),
    ]
}
