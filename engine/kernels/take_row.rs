//! One row out of many, its index in the step's numbers: what the head computes after a prefill.
//!
//! Shader: `shaders/take_row.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::stride;
use crate::error::Result;
use crate::gpu::{Array, Cost, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Values from row to row.
    pub stride: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
    /// Zero.
    pub pad2: u32,
}

/// Records `y = x[step[2]]` for rows of `width`; the index must lie within `x`.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    width: usize,
    most_rows: usize,
    x: &Array<f32>,
    step: &Array<u32>,
    y: &Array<f32>,
) -> Result<()> {
    let all = most_rows * stride(width);
    let binds = [x.bind("x", all)?, step.bind("step", 3)?, y.bind("y", stride(width))?];
    let params = Params { stride: stride(width) as u32, pad0: 0, pad1: 0, pad2: 0 };
    let cost = Cost { fixed_bytes: width as u64 * 8, ..Cost::default() };
    plan.dispatch(&shaders::TAKE_ROW, &[("WG", 128)], &params, &binds, [1.into(); 3], cost)
}

/// The same on the CPU.
pub fn reference(x: &[f32], width: usize, row: usize) -> Vec<f32> {
    x[row * width..(row + 1) * width].to_vec()
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize| {
        Case::new("take_row", size, format!("1 of {rows} × {width}"), move |gpu| {
            let values = noise(1, rows * width);
            let (x, step) = (upload(gpu, "x", &values, width)?, gpu.array_of("step", &[7, 9, rows as u32 - 2])?);
            let y = gpu.array("y", stride(width))?;
            let outputs = vec![Output::rows(&y, width, 0.0, move || reference(&values, width, rows - 2))];
            Ok(Prepared::new(1, outputs, move |plan, _| record(plan, width, rows, &x, &step, &y)))
        })
    };
    vec![case(Size::Odd, 5, 129), case(Size::Real, 256, 3840)]
}
