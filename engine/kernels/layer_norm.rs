//! Layer norm: `y = (x + x_bias − mean) / √(variance + eps) · weight + bias`, each row by itself.
//!
//! Ba, Kiros & Hinton 2016, eq. 4, the variance over the row (divided by its length) and after the mean. `x_bias` is the
//! bias of the projection before, so that one pass does both. Floor: the rows, once in and once out.
//! Shader: `shaders/layer_norm.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::stride;
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
    /// Added to the variance.
    pub eps: f32,
    /// Zero.
    pub pad: u32,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`. `x_bias`, `weight` and `bias` hold
/// `hidden_size` values; `x_bias` is zero where `x` has its bias already.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
#[expect(clippy::too_many_arguments, reason = "each array has its place in the formula")]
pub fn record(
    plan: &mut PlanBuilder<'_>,
    hidden_size: usize,
    eps: f32,
    most_rows: usize,
    x: &Array<f32>,
    x_bias: &Array<f32>,
    weight: &Array<f32>,
    bias: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let all = most_rows * stride(hidden_size);
    let binds = [
        x.bind("x", all)?,
        x_bias.bind("x_bias", hidden_size)?,
        weight.bind("weight", hidden_size)?,
        bias.bind("bias", hidden_size)?,
        y.bind("y", all)?,
    ];
    let params = Params { hidden_size: hidden_size as u32, stride: stride(hidden_size) as u32, eps, pad: 0 };
    let cost = Cost {
        fixed_bytes: hidden_size as u64 * 12,
        row_bytes: hidden_size as u64 * 8,
        row_flops: hidden_size as u64 * 10,
    };
    let grid = [Extent::ROWS, 1.into(), 1.into()];
    plan.dispatch(&shaders::LAYER_NORM, &[("WG", 128)], &params, &binds, grid, cost)
}

/// The same on the CPU in f64: `x` holds rows of `weight.len()` values, without gaps.
pub fn reference(x: &[f32], x_bias: &[f32], weight: &[f32], bias: &[f32], eps: f32) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    for row in x.chunks_exact(weight.len()) {
        let row: Vec<f64> = row.iter().zip(x_bias).map(|(v, b)| f64::from(*v) + f64::from(*b)).collect();
        let count = row.len() as f64;
        let mean = row.iter().sum::<f64>() / count;
        let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        let scale = 1.0 / (variance + f64::from(eps)).sqrt();
        for ((v, w), b) in row.iter().zip(weight).zip(bias) {
            y.push(((v - mean) * scale * f64::from(*w) + f64::from(*b)) as f32);
        }
    }
    y
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize| {
        Case::new("layer_norm", size, format!("{rows} × {width}"), move |gpu| {
            let values = noise(1, rows * width);
            let [b, w, c] = [2, 3, 4].map(|seed| noise(seed, width));
            let x = upload(gpu, "x", &values, width)?;
            let (x_bias, weight) = (gpu.array_of("x_bias", &b)?, gpu.array_of("weight", &w)?);
            let (bias, y) = (gpu.array_of("bias", &c)?, gpu.array("y", rows * stride(width))?);
            let outputs = vec![Output::rows(&y, width, 3e-6, move || reference(&values, &b, &w, &c, 1e-5))];
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                record(plan, width, 1e-5, rows, &x, &x_bias, &weight, &bias, &y)
            }))
        })
    };
    vec![case(Size::Odd, 3, 129), case(Size::Real, 256, 6912)]
}
