//! Attention over a short window of the past with relative positions and a soft cap:
//! `out = clamp(softmax(cap · tanh(q'(k + relative) / cap)) · v)`, `q' = clamp(q) · scale`.
//!
//! Dai et al. 2019, section 3.3 (only the terms of content and of position), as conformers for streams use it: keys and
//! values lie in rings, `relative[d]` belongs to the key `d` rows behind the query. Floor: `4 · window · hidden_size`
//! operations a row. Shader: `shaders/local_attention.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::ring::fits;
use super::{Bounds, stride};
use crate::error::{Error, Result};
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Heads.
    pub num_heads: u32,
    /// Values of a head.
    pub head_dim: u32,
    /// Distance from row to row.
    pub stride: u32,
    /// Rows of the rings.
    pub ring: u32,
    /// Keys that a query sees, its own included.
    pub window: u32,
    /// Scores stay within plus and minus this.
    pub cap: f32,
    /// [`Bounds`] of queries.
    pub q_low: f32,
    /// [`Bounds`] of queries.
    pub q_high: f32,
    /// [`Bounds`] of the result.
    pub low: f32,
    /// [`Bounds`] of the result.
    pub high: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// Longest head and longest window: both lie in workgroup memory.
pub const MOST: usize = 1024;

/// Sizes and numbers of an attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Heads.
    pub num_heads: usize,
    /// Values of a head, at most [`MOST`].
    pub head_dim: usize,
    /// Keys that a query sees, its own included, at most [`MOST`].
    pub window: usize,
    /// Rows of the rings.
    pub ring: usize,
    /// Scores stay within plus and minus this.
    pub cap: f32,
    /// Queries are kept within.
    pub queries: Bounds,
    /// The result is kept within.
    pub result: Bounds,
}

impl Shape {
    fn width(&self) -> usize {
        self.num_heads * self.head_dim
    }
}

/// What the dispatch reads and writes; rows of [`stride`]`(num_heads * head_dim)`.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// `[most_rows]` rows of queries.
    pub q: &'a Array<f32>,
    /// `[head_dim]` factors on queries.
    pub scale: &'a Array<f32>,
    /// Ring of keys.
    pub k: &'a Array<f32>,
    /// Ring of values.
    pub v: &'a Array<f32>,
    /// `[window, num_heads * head_dim]`, without gaps.
    pub relative: &'a Array<f32>,
    /// `[0]` is the place of row 0 since the beginning.
    pub span: &'a Array<u32>,
    /// `[most_rows]` rows.
    pub out: &'a Array<f32>,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`; their keys and values are in the rings already.
///
/// # Errors
/// [`Error::Length`] if an array is shorter than its shape in the shader, [`Error::Argument`] for a head, a window or a
/// ring that does not fit.
pub fn record(plan: &mut PlanBuilder<'_>, shape: &Shape, most_rows: usize, arrays: &Arrays<'_>) -> Result<()> {
    let Shape { num_heads, head_dim, window, ring, .. } = *shape;
    if !(1..=MOST).contains(&head_dim) || !(1..=MOST).contains(&window) {
        let problem = format!("has heads of {head_dim} and a window of {window}, both must be 1 to {MOST}");
        return Err(Error::Argument { name: "local_attention", problem });
    }
    fits("local_attention", ring, most_rows + window - 1)?;
    let (width, distance) = (shape.width(), stride(shape.width()));
    let binds = [
        arrays.q.bind("q", most_rows * distance)?,
        arrays.scale.bind("scale", head_dim)?,
        arrays.k.bind("k", ring * distance)?,
        arrays.v.bind("v", ring * distance)?,
        arrays.relative.bind("relative", window * width)?,
        arrays.span.bind("span", 1)?,
        arrays.out.bind("out", most_rows * distance)?,
    ];
    let params = Params {
        num_heads: num_heads as u32,
        head_dim: head_dim as u32,
        stride: distance as u32,
        ring: ring as u32,
        window: window as u32,
        cap: shape.cap,
        q_low: shape.queries.low,
        q_high: shape.queries.high,
        low: shape.result.low,
        high: shape.result.high,
        pad0: 0,
        pad1: 0,
    };
    let (values, keys) = (width as u64, window as u64);
    let cost =
        Cost { fixed_bytes: values * keys * 4, row_bytes: values * (2 * keys + 2) * 4, row_flops: values * keys * 5 };
    // Few lengths, so that few pipelines are compiled.
    let room = |size: usize| size.next_multiple_of(64) as u32;
    let overrides = [("WG", 32), ("QUERY", room(head_dim)), ("WINDOW", room(window))];
    let grid = [Extent::ROWS, (num_heads as u32).into(), 1.into()];
    plan.dispatch(&shaders::LOCAL_ATTENTION, &overrides, &params, &binds, grid, cost)
}

/// The same on the CPU in f64, rows without gaps: `q`, `k` and `v` hold all rows since the beginning.
pub fn reference(shape: &Shape, q: &[f32], scale: &[f32], k: &[f32], v: &[f32], relative: &[f32]) -> Vec<f32> {
    let (width, dim) = (shape.width(), shape.head_dim);
    let mut out = Vec::with_capacity(q.len());
    for row in 0..q.len() / width {
        for head in 0..shape.num_heads {
            let first = head * dim;
            let query: Vec<f64> = (0..dim)
                .map(|i| shape.queries.clamp(q[row * width + first + i].into()) * f64::from(scale[i]))
                .collect();
            let cap = f64::from(shape.cap);
            let score = |d: usize| {
                let key =
                    |i: usize| f64::from(k[(row - d) * width + first + i]) + f64::from(relative[d * width + first + i]);
                let dot: f64 = query.iter().enumerate().map(|(i, q)| q * key(i)).sum();
                (cap * (dot / cap).tanh()).exp()
            };
            let weights: Vec<f64> = (0..shape.window.min(row + 1)).map(score).collect();
            let total: f64 = weights.iter().sum();
            out.extend((0..dim).map(|i| {
                let value = |(d, w): (usize, &f64)| w * f64::from(v[(row - d) * width + first + i]);
                shape.result.clamp(weights.iter().enumerate().map(value).sum::<f64>() / total) as f32
            }));
        }
    }
    out
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, num_heads: usize, head_dim: usize, window: usize| {
        let text = format!("{rows} rows, {num_heads} heads of {head_dim}, window {window}");
        Case::new("local_attention", size, text, move |gpu| {
            let shape = Shape {
                num_heads,
                head_dim,
                window,
                ring: rows + window - 1,
                cap: 5.0,
                queries: Bounds { low: -0.9, high: 0.8 },
                result: Bounds { low: -0.5, high: 0.4 },
            };
            let width = shape.width();
            let [q0, k0, v0] = [1, 2, 3].map(|seed| noise(seed, rows * width));
            let (s, r) = (noise(4, head_dim), noise(5, window * width));
            let (q, scale) = (upload(gpu, "q", &q0, width)?, gpu.array_of("scale", &s)?);
            let ring = |name, values: &[f32]| {
                let mut all = values.to_vec();
                all.resize(shape.ring * width, 0.0);
                upload(gpu, name, &all, width)
            };
            let (k, v, relative) = (ring("k", &k0)?, ring("v", &v0)?, gpu.array_of("relative", &r)?);
            let (span, out) = (gpu.array_of("span", &[0u32])?, gpu.array("out", rows * stride(width))?);
            let expected = move || reference(&shape, &q0, &s, &k0, &v0, &r);
            let outputs = vec![Output::rows(&out, width, 5e-6, expected)];
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                let arrays = Arrays { q: &q, scale: &scale, k: &k, v: &v, relative: &relative, span: &span, out: &out };
                record(plan, &shape, rows, &arrays)
            }))
        })
    };
    vec![case(Size::Odd, 9, 3, 13, 5), case(Size::Real, 128, 8, 128, 12)]
}
