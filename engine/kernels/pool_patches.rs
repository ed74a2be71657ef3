//! Squares of patches to tokens: `y = (√width · mean(x over k × k patches) − bias) · scale`.
//!
//! `Gemma4VisionPooler` and the standardisation behind it (`modeling_gemma4.py`, transformers 5.23). Pictures lie one
//! after another, patches of each row by row; how many a row has is told by the place of the last one. Floor: the patches
//! in, the tokens out. Shader: `shaders/pool_patches.wgsl`.

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
    pub width: u32,
    /// Distance between rows.
    pub stride: u32,
    /// Patches along a side of the square that becomes a token.
    pub side: u32,
    /// √width / side².
    pub factor: f32,
}

const WORKGROUP: u32 = 64;

/// What the dispatch reads and writes, shapes as in the shader.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// Patches.
    pub x: &'a Array<f32>,
    /// Column and row of each patch.
    pub places: &'a Array<u32>,
    /// The first and the last patch of the picture of each patch.
    pub ends: &'a Array<[u32; 2]>,
    /// Subtracted.
    pub bias: &'a Array<f32>,
    /// Factor behind that.
    pub scale: &'a Array<f32>,
    /// Tokens.
    pub y: &'a Array<f32>,
}

/// Records one dispatch over the rows of the replay, which are tokens, at most `most_tokens`.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    width: usize,
    side: usize,
    most_tokens: usize,
    arrays: &Arrays<'_>,
) -> Result<()> {
    let patches = most_tokens * side * side;
    let binds = [
        arrays.x.bind("x", patches * stride(width))?,
        arrays.places.bind("places", 2 * patches)?,
        arrays.ends.bind("ends", patches)?,
        arrays.bias.bind("bias", width)?,
        arrays.scale.bind("scale", width)?,
        arrays.y.bind("y", most_tokens * stride(width))?,
    ];
    let params =
        Params { width: width as u32, stride: stride(width) as u32, side: side as u32, factor: factor(width, side) };
    let values = (width * side * side) as u64;
    let cost = Cost { fixed_bytes: 8 * width as u64, row_bytes: 4 * values + 4 * width as u64, row_flops: values };
    let grid = [Extent::ROWS, params.width.div_ceil(WORKGROUP).into(), 1.into()];
    plan.dispatch(&shaders::POOL_PATCHES, &[("WG", WORKGROUP)], &params, &binds, grid, cost)
}

fn factor(width: usize, side: usize) -> f32 {
    ((width as f64).sqrt() / (side * side) as f64) as f32
}

/// The same on the CPU in f64: `x` holds `across` patches a row, each `bias.len()` values without gaps.
pub fn reference(x: &[f32], across: usize, side: usize, bias: &[f32], scale: &[f32]) -> Vec<f32> {
    let width = bias.len();
    let down = x.len() / width / across;
    let mut y = Vec::new();
    for (line, column) in (0..down / side).flat_map(|line| (0..across / side).map(move |column| (line, column))) {
        for i in 0..width {
            let of = |n: usize| (line * side + n / side) * across + column * side + n % side;
            let sum: f64 = (0..side * side).map(|n| f64::from(x[of(n) * width + i])).sum();
            let mean = sum / (side * side) as f64 * (width as f64).sqrt();
            y.push(((mean - f64::from(bias[i])) * f64::from(scale[i])) as f32);
        }
    }
    y
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, [across, down]: [usize; 2], side: usize, width: usize| {
        Case::new("pool_patches", size, format!("{across} × {down} of {width} by {side}"), move |gpu| {
            let patches = across * down;
            let tokens = patches / (side * side);
            let [values, b, s] = [(1, patches * width), (2, width), (3, width)].map(|(seed, n)| noise(seed, n));
            let x = upload(gpu, "x", &values, width)?;
            let at: Vec<u32> = (0..patches).flat_map(|p| [p % across, p / across].map(|n| n as u32)).collect();
            let places = gpu.array_of("places", &at)?;
            let ends = gpu.array_of("ends", &vec![[0, patches as u32 - 1]; patches])?;
            let (bias, scale) = (gpu.array_of("bias", &b)?, gpu.array_of("scale", &s)?);
            let y = gpu.array("y", tokens * stride(width))?;
            let expected = move || reference(&values, across, side, &b, &s);
            let outputs = vec![Output::rows(&y, width, 1e-6, expected)];
            Ok(Prepared::new(tokens, outputs, move |plan, _| {
                let arrays = Arrays { x: &x, places: &places, ends: &ends, bias: &bias, scale: &scale, y: &y };
                record(plan, width, side, tokens, &arrays)
            }))
        })
    };
    vec![case(Size::Odd, [6, 9], 3, 67), case(Size::Odd, [4, 2], 2, 5), case(Size::Real, [60, 42], 3, 768)]
}
