//! RMS norm between clamps: `y = clamp(rms_norm(clamp(x + bias, ±limit)) · weight, low, high)`, each row by itself.
//!
//! The norms of a conformer whose branches are kept in range: `limit` is `gradient_clipping` of the config, the outer bounds
//! are those of the clipped projection behind it. Floor: the rows, once in and once out. Shader: `shaders/clip_norm.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::{Bounds, stride};
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
    /// Added to the mean square.
    pub eps: f32,
    /// The input is kept within plus and minus this.
    pub limit: f32,
    /// [`Bounds`] of the result.
    pub low: f32,
    /// [`Bounds`] of the result.
    pub high: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// The numbers of a norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// Added to the mean square.
    pub eps: f32,
    /// The input is kept within plus and minus this; `f32::MAX` where it is not.
    pub limit: f32,
    /// The result is kept within.
    pub bounds: Bounds,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`. `bias` and `weight` hold `hidden_size` values;
/// `bias` is zero where `x` has its bias already.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
#[expect(clippy::too_many_arguments, reason = "each array has its place in the formula")]
pub fn record(
    plan: &mut PlanBuilder<'_>,
    hidden_size: usize,
    norm: Norm,
    most_rows: usize,
    x: &Array<f32>,
    bias: &Array<f32>,
    weight: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let all = most_rows * stride(hidden_size);
    let binds =
        [x.bind("x", all)?, bias.bind("bias", hidden_size)?, weight.bind("weight", hidden_size)?, y.bind("y", all)?];
    let params = Params {
        hidden_size: hidden_size as u32,
        stride: stride(hidden_size) as u32,
        eps: norm.eps,
        limit: norm.limit,
        low: norm.bounds.low,
        high: norm.bounds.high,
        pad0: 0,
        pad1: 0,
    };
    let size = hidden_size as u64;
    let cost = Cost { fixed_bytes: size * 8, row_bytes: size * 8, row_flops: size * 9 };
    let grid = [Extent::ROWS, 1.into(), 1.into()];
    plan.dispatch(&shaders::CLIP_NORM, &[("WG", 128)], &params, &binds, grid, cost)
}

/// The same on the CPU in f64: `x` holds rows of `weight.len()` values, without gaps.
pub fn reference(x: &[f32], bias: &[f32], weight: &[f32], norm: Norm) -> Vec<f32> {
    let around = Bounds::around_zero(norm.limit);
    let mut y = Vec::with_capacity(x.len());
    for row in x.chunks_exact(weight.len()) {
        let clipped = |(v, b): (&f32, &f32)| around.clamp(f64::from(*v) + f64::from(*b));
        let row: Vec<f64> = row.iter().zip(bias).map(clipped).collect();
        let mean = row.iter().map(|v| v * v).sum::<f64>() / row.len() as f64;
        let scale = 1.0 / (mean + f64::from(norm.eps)).sqrt();
        y.extend(row.iter().zip(weight).map(|(v, w)| norm.bounds.clamp(v * scale * f64::from(*w)) as f32));
    }
    y
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize| {
        Case::new("clip_norm", size, format!("{rows} × {width}"), move |gpu| {
            let norm = Norm { eps: 1e-6, limit: 0.9, bounds: Bounds { low: -0.8, high: 0.7 } };
            let values = noise(1, rows * width);
            let [b, w] = [2, 3].map(|seed| noise(seed, width));
            let x = upload(gpu, "x", &values, width)?;
            let (bias, weight) = (gpu.array_of("bias", &b)?, gpu.array_of("weight", &w)?);
            let y = gpu.array("y", rows * stride(width))?;
            let outputs = vec![Output::rows(&y, width, 2e-6, move || reference(&values, &b, &w, norm))];
            Ok(Prepared::new(rows, outputs, move |plan, _| record(plan, width, norm, rows, &x, &bias, &weight, &y)))
        })
    };
    vec![case(Size::Odd, 3, 129), case(Size::Real, 128, 1024)]
}
