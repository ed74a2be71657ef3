//! Activations rounded to a static range: `y = clamp(round((x + bias) / scale), −128, 127) · scale`, halves to even.
//!
//! In front of the projections of checkpoints whose activations were calibrated, and behind those that have a bias; behind
//! others the kernels of the products do the same. Floor: the rows, once in and once out. Shader: `shaders/fake_quant.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::stride;
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use crate::weights::Rounding;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Distance between rows; what lies between them is zero and stays so.
    pub stride: u32,
    /// Values in a row.
    pub width: u32,
    /// The step.
    pub scale: f32,
    /// Zero.
    pub pad: u32,
}

const WORKGROUP: u32 = 128;
/// Values of a lane.
const EACH: u32 = 4;

/// Records one dispatch over the rows of the replay, at most `most_rows`: rows of `width` values, [`stride`]`(width)`
/// apart. A scale of 0 rounds nothing.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    width: usize,
    scale: f32,
    bias: Option<&Array<f32>>,
    most_rows: usize,
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let len = most_rows * stride(width);
    let params = Params { stride: stride(width) as u32, width: width as u32, scale, pad: 0 };
    let cost = Cost { fixed_bytes: 0, row_bytes: width as u64 * 8, row_flops: width as u64 * 5 };
    let grid = [Extent::ROWS, params.stride.div_ceil(WORKGROUP * EACH).into(), 1.into()];
    // Without one something must be bound, too.
    let binds = [x.bind("x", len)?, bias.unwrap_or(x).bind("bias", width)?, y.bind("y", len)?];
    let overrides = [("WG", WORKGROUP), ("EACH", EACH), ("HAS_BIAS", bias.is_some().into())];
    plan.dispatch(&shaders::FAKE_QUANT, &overrides, &params, &binds, grid, cost)
}

/// The inputs of a matrix, rounded as each of its blocks wants them.
pub(super) struct Inputs<'a> {
    x: &'a Array<f32>,
    width: usize,
    most_rows: usize,
    rounded: Option<(f32, Array<f32>)>,
}

impl<'a> Inputs<'a> {
    /// Rows of `width` values, room for `most_rows`.
    pub(super) fn new(x: &'a Array<f32>, width: usize, most_rows: usize) -> Inputs<'a> {
        Inputs { x, width, most_rows, rounded: None }
    }

    /// Those for a block, rounded anew only if its step is not that of the block before.
    pub(super) fn rounded(&mut self, plan: &mut PlanBuilder<'_>, scale: f32) -> Result<Array<f32>> {
        if scale == 0.0 {
            return Ok(self.x.clone());
        }
        if let Some((last, array)) = &self.rounded
            && *last == scale
        {
            return Ok(array.clone());
        }
        let array = plan.scratch("rounded inputs", self.most_rows * stride(self.width))?;
        record(plan, self.width, scale, None, self.most_rows, self.x, &array)?;
        self.rounded = Some((scale, array.clone()));
        Ok(array)
    }
}

/// The same on the CPU, in f32 as the shader and the reference do.
pub fn reference(x: &[f32], scale: f32) -> Vec<f32> {
    x.iter().map(|value| Rounding::round(*value, scale)).collect()
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize| {
        Case::new("fake_quant", size, format!("{rows} × {width}"), move |gpu| {
            // Multiples of 1/64 around a step of 1/32: halves, bounds, and no result that rounding of f32 could change.
            let values: Vec<f32> = noise(1, rows * width).iter().map(|v| (v * 512.0).round() / 64.0).collect();
            let (x, y) = (upload(gpu, "x", &values, width)?, gpu.array("y", rows * stride(width))?);
            let outputs = vec![Output::rows(&y, width, 1e-7, move || reference(&values, 0.03125))];
            Ok(Prepared::new(rows, outputs, move |plan, _| record(plan, width, 0.03125, None, rows, &x, &y)))
        })
    };
    vec![case(Size::Odd, 3, 513), case(Size::Real, 512, 3840)]
}
