//! Two branches side by side, each with a norm of its own behind it: `y = rms_norm(y) · weight + rms_norm(Σ x) · x_weight`, the
//! sum over the parts of a row.
//!
//! Layers of Gemma 4 with experts: `post_feedforward_layernorm_1` and `_2` of `modeling_gemma4.py` (transformers 5.23).
//! Floor: two rows in and one out. Shader: `shaders/norm_sum.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::{experts, rms_norm, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Values in a row.
    pub hidden_size: u32,
    /// Distance from row to row.
    pub stride: u32,
    /// `rms_norm_eps` of the config.
    pub eps: f32,
    /// Rows of `x` that are added up for one.
    pub parts: u32,
}

/// What the dispatch reads and writes; rows of [`stride`]`(hidden_size)`.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// The other branch, in so many parts for each row.
    pub x: &'a Array<f32>,
    /// Weight of the norm behind `y`.
    pub weight: &'a Array<f32>,
    /// Weight of the norm behind `x`.
    pub x_weight: &'a Array<f32>,
    /// One branch, then the sum.
    pub y: &'a Array<f32>,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    hidden_size: usize,
    eps: f32,
    parts: usize,
    most_rows: usize,
    arrays: &Arrays<'_>,
) -> Result<()> {
    let all = most_rows * stride(hidden_size);
    let binds = [
        arrays.x.bind("x", parts * all)?,
        arrays.weight.bind("weight", hidden_size)?,
        arrays.x_weight.bind("x_weight", hidden_size)?,
        arrays.y.bind("y", all)?,
    ];
    let params =
        Params { hidden_size: hidden_size as u32, stride: stride(hidden_size) as u32, eps, parts: parts as u32 };
    let size = hidden_size as u64;
    let cost =
        Cost { fixed_bytes: size * 8, row_bytes: size * 4 * (parts as u64 + 2), row_flops: size * (8 + parts as u64) };
    plan.dispatch(&shaders::NORM_SUM, &[("WG", 128)], &params, &binds, [Extent::ROWS, 1.into(), 1.into()], cost)
}

/// The same on the CPU in f64, rows without gaps: the new `y`.
pub fn reference(x: &[f32], y: &[f32], weight: &[f32], x_weight: &[f32], eps: f32) -> Vec<f32> {
    let (width, parts) = (weight.len(), x.len() / y.len());
    let sums = experts::reference_sum(parts, width, x);
    let (own, other) = (rms_norm::reference(y, weight, eps), rms_norm::reference(&sums, x_weight, eps));
    own.iter().zip(other).map(|(a, b)| (f64::from(*a) + f64::from(b)) as f32).collect()
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, parts: usize, width: usize| {
        Case::new("norm_sum", size, format!("{rows} × {width}, {parts} parts"), move |gpu| {
            let [other, before, w, v] =
                [(1, parts * rows), (2, rows), (3, 1), (4, 1)].map(|(s, n)| noise(s, n * width));
            let (x, y) = (upload(gpu, "x", &other, width)?, upload(gpu, "y", &before, width)?);
            let (weight, x_weight) = (gpu.array_of("weight", &w)?, gpu.array_of("x_weight", &v)?);
            let old = before.clone();
            let expected = move || reference(&other, &before, &w, &v, 1e-6);
            let outputs = vec![Output::in_place(&y, width, 2e-6, move |i| old[i], expected)];
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                let arrays = Arrays { x: &x, weight: &weight, x_weight: &x_weight, y: &y };
                record(plan, width, 1e-6, parts, rows, &arrays)
            }))
        })
    };
    vec![case(Size::Odd, 3, 2, 129), case(Size::Real, 1, 1, 2816), case(Size::Real, 256, 8, 2816)]
}
