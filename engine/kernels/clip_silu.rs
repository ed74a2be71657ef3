//! SiLU between the clamps of two clipped projections, in place: `y = clamp(silu(clamp(y)))`, `silu(v) = v / (1 + e⁻ᵛ)`.
//!
//! Elfwing, Uchibe & Doya 2017, eq. 5. Floor: two values an output. Shader: `shaders/clip_silu.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise};
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
    /// Distance from row to row.
    pub stride: u32,
    /// [`Bounds`] before.
    pub in_low: f32,
    /// [`Bounds`] before.
    pub in_high: f32,
    /// [`Bounds`] after.
    pub low: f32,
    /// [`Bounds`] after.
    pub high: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

const WORKGROUP: u32 = 128;
/// Values of a lane.
const EACH: u32 = 4;

/// Records one dispatch over the rows of the replay, at most `most_rows`: rows of `width`, [`stride`]`(width)` apart, kept
/// within `before`, activated, and kept within `after`.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if the array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    width: usize,
    [before, after]: [Bounds; 2],
    most_rows: usize,
    y: &Array<f32>,
) -> Result<()> {
    let binds = [y.bind("y", most_rows * stride(width))?];
    let params = Params {
        width: width as u32,
        stride: stride(width) as u32,
        in_low: before.low,
        in_high: before.high,
        low: after.low,
        high: after.high,
        pad0: 0,
        pad1: 0,
    };
    let cost = Cost { fixed_bytes: 0, row_bytes: width as u64 * 8, row_flops: width as u64 * 8 };
    let grid = [Extent::ROWS, params.width.div_ceil(WORKGROUP * EACH).into(), 1.into()];
    plan.dispatch(&shaders::CLIP_SILU, &[("WG", WORKGROUP), ("EACH", EACH)], &params, &binds, grid, cost)
}

/// The same on the CPU in f64.
pub fn reference(y: &[f32], [before, after]: [Bounds; 2]) -> Vec<f32> {
    y.iter().map(|v| after.clamp(silu(before.clamp(f64::from(*v)))) as f32).collect()
}

/// `v / (1 + e⁻ᵛ)`.
pub(super) fn silu(v: f64) -> f64 {
    v / (1.0 + (-v).exp())
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize| {
        Case::new("clip_silu", size, format!("{rows} × {width}"), move |gpu| {
            let bounds = [Bounds { low: -4.0, high: 5.0 }, Bounds { low: -0.2, high: 4.5 }];
            let values: Vec<f32> = noise(1, rows * width).iter().map(|v| 6.0 * v).collect();
            let y = gpu.array("y", rows * stride(width))?;
            let before = values.clone();
            let outputs =
                vec![Output::in_place(&y, width, 2e-6, move |i| before[i], move || reference(&values, bounds))];
            Ok(Prepared::new(rows, outputs, move |plan, _| record(plan, width, bounds, rows, &y)))
        })
    };
    vec![case(Size::Odd, 3, 513), case(Size::Real, 128, 4096)]
}
