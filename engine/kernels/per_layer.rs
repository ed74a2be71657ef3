//! Per-layer embeddings mixed from token and context: `y = (y + norm(scale · x) · w) / √2` for each layer's part of a row.
//!
//! `project_per_layer_inputs` of `modeling_gemma4.py` (transformers 5.23): `y` holds what the token's id gives, `x` what its
//! embedding projects to. Floor: `x` in, `y` in and out. Shader: `shaders/per_layer.wgsl`.

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
    /// Values of a layer.
    pub width: u32,
    /// Distance between rows.
    pub stride: u32,
    /// Factor on `x`, which the norm sees through `eps` alone.
    pub scale: f32,
    /// `rms_norm_eps`.
    pub eps: f32,
}

/// What a row is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Layers.
    pub layers: usize,
    /// Values of each: `hidden_size_per_layer_input`.
    pub width: usize,
    /// Factor on `x`.
    pub scale: f32,
    /// `rms_norm_eps`.
    pub eps: f32,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`; `y` is changed in place.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    shape: Shape,
    most_rows: usize,
    x: &Array<f32>,
    norm: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let Shape { layers, width, scale, eps } = shape;
    let stride = stride(layers * width);
    let binds = [x.bind("x", most_rows * stride)?, norm.bind("norm", width)?, y.bind("y", most_rows * stride)?];
    let params = Params { width: width as u32, stride: stride as u32, scale, eps };
    let values = (layers * width) as u64;
    let cost = Cost { fixed_bytes: 4 * width as u64, row_bytes: values * 12, row_flops: values * 6 };
    let grid = [Extent::ROWS, (layers as u32).into(), 1.into()];
    plan.dispatch(&shaders::PER_LAYER, &[("WG", 64)], &params, &binds, grid, cost)
}

/// The same on the CPU in f64, rows without gaps: the new `y`.
pub fn reference(x: &[f32], norm: &[f32], y: &[f32], shape: Shape) -> Vec<f32> {
    let Shape { width, scale, eps, .. } = shape;
    let mut mixed = Vec::with_capacity(y.len());
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact(width)) {
        let scaled: Vec<f64> = x.iter().map(|v| f64::from(*v) * f64::from(scale)).collect();
        let mean = scaled.iter().map(|v| v * v).sum::<f64>() / width as f64;
        let factor = 1.0 / (mean + f64::from(eps)).sqrt();
        let part = |(v, (w, y)): (&f64, (&f32, &f32))| v * factor * f64::from(*w) + f64::from(*y);
        let sums = scaled.iter().zip(norm.iter().zip(y)).map(part);
        mixed.extend(sums.map(|sum| (sum * std::f64::consts::FRAC_1_SQRT_2) as f32));
    }
    mixed
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, layers: usize, width: usize| {
        Case::new("per_layer", size, format!("{rows} × {layers} × {width}"), move |gpu| {
            let shape = Shape { layers, width, scale: 0.03, eps: 1e-6 };
            let [values, before, w] =
                [(1, rows * layers * width), (2, rows * layers * width), (3, width)].map(|(s, n)| noise(s, n));
            let (x, y) = (upload(gpu, "x", &values, layers * width)?, upload(gpu, "y", &before, layers * width)?);
            let norm = gpu.array_of("norm", &w)?;
            let old = before.clone();
            let expected = move || reference(&values, &w, &before, shape);
            let outputs = vec![Output::in_place(&y, layers * width, 2e-6, move |i| old[i], expected)];
            Ok(Prepared::new(rows, outputs, move |plan, _| record(plan, shape, rows, &x, &norm, &y)))
        })
    };
    vec![case(Size::Odd, 3, 5, 13), case(Size::Real, 1, 35, 256), case(Size::Real, 256, 35, 256)]
}
