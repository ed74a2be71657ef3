//! The light convolution of a conformer: a gated linear unit into a ring, then a causal depthwise convolution over rows,
//! RMS norm and SiLU.
//!
//! Dauphin et al. 2016, eq. 1, and Gulati et al. 2020, section 2.2. Floor: three values in and one out for the gate, a row
//! for each tap and one out for the convolution. Shaders: `shaders/light_conv_glu.wgsl`, `shaders/light_conv.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::clip_norm::{self, Norm};
use super::clip_silu::silu;
use super::ring::fits;
use super::{Bounds, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the gate's shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Glu {
    /// Values of a half.
    pub hidden_size: u32,
    /// Distance between rows of both halves.
    pub x_stride: u32,
    /// Distance between rows of the ring.
    pub stride: u32,
    /// Rows of the ring.
    pub ring: u32,
    /// [`Bounds`] of the halves.
    pub low: f32,
    /// [`Bounds`] of the halves.
    pub high: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// Uniform of the convolution's shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Channels.
    pub hidden_size: u32,
    /// Distance from row to row.
    pub stride: u32,
    /// Rows of the ring.
    pub ring: u32,
    /// Rows that a row is made of, its own the last.
    pub kernel_size: u32,
    /// Of the norm.
    pub eps: f32,
    /// The sums are kept within plus and minus this.
    pub limit: f32,
    /// [`Bounds`] of the result.
    pub low: f32,
    /// [`Bounds`] of the result.
    pub high: f32,
}

/// Sizes of the ring and its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Channels.
    pub hidden_size: usize,
    /// Rows that a row is made of, its own the last.
    pub kernel_size: usize,
    /// Rows of the ring.
    pub ring: usize,
    /// Most rows of a replay.
    pub most_rows: usize,
}

/// Records the gate over the rows of the replay: `x` holds rows of twice `hidden_size` values, [`stride`]`(2 *
/// hidden_size)` apart, kept within `bounds`; `g` is the ring. `span[0]` is the place of row 0 since the beginning.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader,
/// [`Error::Argument`](crate::Error::Argument) if the ring is too short.
pub fn record_glu(
    plan: &mut PlanBuilder<'_>,
    shape: Shape,
    bounds: Bounds,
    x: &Array<f32>,
    span: &Array<u32>,
    g: &Array<f32>,
) -> Result<()> {
    let Shape { hidden_size, ring, most_rows, .. } = shape;
    fits("light_conv", ring, most_rows)?;
    let (x_stride, distance) = (stride(2 * hidden_size), stride(hidden_size));
    let binds = [x.bind("x", most_rows * x_stride)?, span.bind("span", 1)?, g.bind("g", ring * distance)?];
    let params = Glu {
        hidden_size: hidden_size as u32,
        x_stride: x_stride as u32,
        stride: distance as u32,
        ring: ring as u32,
        low: bounds.low,
        high: bounds.high,
        pad0: 0,
        pad1: 0,
    };
    let cost = Cost { fixed_bytes: 0, row_bytes: hidden_size as u64 * 12, row_flops: hidden_size as u64 * 9 };
    let grid = [Extent::ROWS, 1.into(), 1.into()];
    plan.dispatch(&shaders::LIGHT_CONV_GLU, &[("WG", 64)], &params, &binds, grid, cost)
}

/// What the convolution reads and writes.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// The ring.
    pub g: &'a Array<f32>,
    /// The place of row 0 since the beginning.
    pub span: &'a Array<u32>,
    /// `[kernel_size, hidden_size]`.
    pub taps: &'a Array<f32>,
    /// Weight of the norm.
    pub weight: &'a Array<f32>,
    /// `[most_rows, stride(hidden_size)]`.
    pub y: &'a Array<f32>,
}

/// Records convolution, norm and activation over the rows of the replay; rows before the first one are zero.
///
/// # Errors
/// As [`record_glu`].
pub fn record(plan: &mut PlanBuilder<'_>, shape: Shape, norm: Norm, arrays: &Arrays<'_>) -> Result<()> {
    let Shape { hidden_size, kernel_size, ring, most_rows } = shape;
    fits("light_conv", ring, most_rows + kernel_size - 1)?;
    let distance = stride(hidden_size);
    let binds = [
        arrays.g.bind("g", ring * distance)?,
        arrays.span.bind("span", 1)?,
        arrays.taps.bind("taps", kernel_size * hidden_size)?,
        arrays.weight.bind("weight", hidden_size)?,
        arrays.y.bind("y", most_rows * distance)?,
    ];
    let params = Params {
        hidden_size: hidden_size as u32,
        stride: distance as u32,
        ring: ring as u32,
        kernel_size: kernel_size as u32,
        eps: norm.eps,
        limit: norm.limit,
        low: norm.bounds.low,
        high: norm.bounds.high,
    };
    let (size, taps) = (hidden_size as u64, kernel_size as u64);
    let cost = Cost {
        fixed_bytes: size * (taps + 1) * 4,
        row_bytes: size * (taps + 1) * 4,
        row_flops: size * (2 * taps + 15),
    };
    let grid = [Extent::ROWS, 1.into(), 1.into()];
    plan.dispatch(&shaders::LIGHT_CONV, &[("WG", 128)], &params, &binds, grid, cost)
}

/// The gate on the CPU in f64, rows without gaps.
pub fn glu_reference(x: &[f32], hidden_size: usize, bounds: Bounds) -> Vec<f32> {
    let mut g = Vec::with_capacity(x.len() / 2);
    for row in x.chunks_exact(2 * hidden_size) {
        let (a, b) = row.split_at(hidden_size);
        let clipped = |v: &f32| bounds.clamp(f64::from(*v));
        g.extend(a.iter().zip(b).map(|(a, b)| (clipped(a) / (1.0 + (-clipped(b)).exp())) as f32));
    }
    g
}

/// Convolution, norm and activation on the CPU in f64: `g` holds all rows since the beginning, without gaps.
pub fn reference(g: &[f32], taps: &[f32], weight: &[f32], norm: Norm) -> Vec<f32> {
    let size = weight.len();
    let last = taps.len() / size - 1;
    let mut sums = vec![0f64; g.len()];
    for (place, sum) in sums.iter_mut().enumerate() {
        let (row, channel) = (place / size, place % size);
        for k in last.saturating_sub(row)..=last {
            *sum += f64::from(taps[k * size + channel]) * f64::from(g[(row + k - last) * size + channel]);
        }
    }
    let sums: Vec<f32> = sums.iter().map(|v| *v as f32).collect();
    let unbound = Norm { bounds: Bounds::NONE, ..norm };
    let normed = clip_norm::reference(&sums, &vec![0.0; size], weight, unbound);
    normed.iter().map(|v| norm.bounds.clamp(silu(f64::from(*v))) as f32).collect()
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize, kernel_size: usize| {
        Case::new("light_conv", size, format!("{rows} × {width}, {kernel_size} taps"), move |gpu| {
            let norm = Norm { eps: 1e-6, limit: 1.5, bounds: Bounds { low: -0.2, high: 0.9 } };
            let halves = Bounds { low: -0.8, high: 0.9 };
            let shape = Shape { hidden_size: width, kernel_size, ring: rows + kernel_size - 1, most_rows: rows };
            let values = noise(1, rows * 2 * width);
            let (t, w) = (noise(2, kernel_size * width), noise(3, width));
            let x = upload(gpu, "x", &values, 2 * width)?;
            let (span, g) = (gpu.array_of("span", &[0u32])?, gpu.array("g", shape.ring * stride(width))?);
            let (taps, weight) = (gpu.array_of("taps", &t)?, gpu.array_of("weight", &w)?);
            let y = gpu.array("y", rows * stride(width))?;
            let expected = move || reference(&glu_reference(&values, width, halves), &t, &w, norm);
            let outputs = vec![Output::rows(&y, width, 5e-6, expected)];
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                record_glu(plan, shape, halves, &x, &span, &g)?;
                record(plan, shape, norm, &Arrays { g: &g, span: &span, taps: &taps, weight: &weight, y: &y })
            }))
        })
    };
    vec![case(Size::Odd, 7, 129, 4), case(Size::Real, 128, 1024, 5)]
}
