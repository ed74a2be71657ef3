//! RMS norm: `y = x / √(mean(x²) + eps) · weight`, each row by itself.
//!
//! Zhang & Sennrich 2019, eq. 4. Shader: `shaders/rms_norm.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::stride;
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader; the build compares names and offsets.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Values in a row.
    pub hidden_size: u32,
    /// Distance from row to row.
    pub stride: u32,
    /// `rms_norm_eps` of the config, added to the mean square.
    pub eps: f32,
    /// Zero.
    pub pad: u32,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`.
/// Moves `(2 * rows + 1) * hidden_size * 4` bytes.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    hidden_size: usize,
    eps: f32,
    most_rows: usize,
    x: &Array<f32>,
    weight: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let all = most_rows * stride(hidden_size);
    let binds = [x.bind("x", all)?, weight.bind("weight", hidden_size)?, y.bind("y", all)?];
    let params = Params { hidden_size: hidden_size as u32, stride: stride(hidden_size) as u32, eps, pad: 0 };
    let cost = Cost {
        fixed_bytes: hidden_size as u64 * 4,
        row_bytes: hidden_size as u64 * 8,
        row_flops: hidden_size as u64 * 4,
    };
    plan.dispatch(&shaders::RMS_NORM, &[("WG", 128)], &params, &binds, [Extent::ROWS, 1.into(), 1.into()], cost)
}

/// The same on the CPU in f64: `x` holds rows of `weight.len()` values, without gaps.
pub fn reference(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    x.chunks_exact(weight.len())
        .flat_map(|row| {
            let mean = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / row.len() as f64;
            let scale = 1.0 / (mean + f64::from(eps)).sqrt();
            row.iter().zip(weight).map(move |(v, w)| (f64::from(*v) * scale * f64::from(*w)) as f32)
        })
        .collect()
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize| {
        Case::new("rms_norm", size, format!("{rows} × {width}"), move |gpu| {
            let (values, weights) = (noise(1, rows * width), noise(2, width));
            let (x, weight) = (upload(gpu, "x", &values, width)?, gpu.array_of("weight", &weights)?);
            let y = gpu.array("y", rows * stride(width))?;
            let outputs = vec![Output::rows(&y, width, 2e-6, move || reference(&values, &weights, 1e-6))];
            Ok(Prepared::new(rows, outputs, move |plan, _| record(plan, width, 1e-6, rows, &x, &weight, &y)))
        })
    };
    vec![case(Size::Odd, 3, 129), case(Size::Real, 1, 3840), case(Size::Real, 512, 3840)]
}
