//! Values brought into bounds: `y = min(max(factor · x + offset, low), high)`.
//!
//! Around the clipped linear layers of Gemma 4's encoders. Floor: the rows, once in and once out. Shader:
//! `shaders/clamp.wgsl`.

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
    pub width: u32,
    /// Distance between rows.
    pub stride: u32,
    /// Least value of a result.
    pub low: f32,
    /// Greatest value of a result.
    pub high: f32,
    /// Factor on `x`.
    pub factor: f32,
    /// What is added.
    pub offset: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

const WORKGROUP: u32 = 128;
/// Values of a lane.
const EACH: u32 = 4;

/// Records one dispatch over the rows of the replay, at most `most_rows`: rows of `width` values, [`stride`]`(width)`
/// apart. Bounds may be infinite.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    width: usize,
    bounds: Bounds,
    [factor, offset]: [f32; 2],
    most_rows: usize,
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let len = most_rows * stride(width);
    // Shaders need not know infinities.
    let finite = |bound: f32| bound.clamp(f32::MIN, f32::MAX);
    let params = Params {
        width: width as u32,
        stride: stride(width) as u32,
        low: finite(bounds.low),
        high: finite(bounds.high),
        factor,
        offset,
        pad0: 0,
        pad1: 0,
    };
    let cost = Cost { fixed_bytes: 0, row_bytes: width as u64 * 8, row_flops: width as u64 * 4 };
    let grid = [Extent::ROWS, params.width.div_ceil(WORKGROUP * EACH).into(), 1.into()];
    let binds = [x.bind("x", len)?, y.bind("y", len)?];
    plan.dispatch(&shaders::CLAMP, &[("WG", WORKGROUP), ("EACH", EACH)], &params, &binds, grid, cost)
}

/// The same on the CPU in f64.
pub fn reference(x: &[f32], bounds: Bounds, [factor, offset]: [f32; 2]) -> Vec<f32> {
    x.iter().map(|v| bounds.clamp(f64::from(*v) * f64::from(factor) + f64::from(offset)) as f32).collect()
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize| {
        Case::new("clamp", size, format!("{rows} × {width}"), move |gpu| {
            let values = noise(1, rows * width);
            let (bounds, line) = (Bounds { low: -0.25, high: 0.75 }, [2.0, -0.5]);
            let (x, y) = (upload(gpu, "x", &values, width)?, gpu.array("y", rows * stride(width))?);
            let outputs = vec![Output::rows(&y, width, 3e-7, move || reference(&values, bounds, line))];
            Ok(Prepared::new(rows, outputs, move |plan, _| record(plan, width, bounds, line, rows, &x, &y)))
        })
    };
    vec![case(Size::Odd, 3, 513), case(Size::Real, 2520, 768)]
}
