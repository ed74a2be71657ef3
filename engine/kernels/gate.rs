//! Gated activation: `y = gelu_tanh(gate) · up` with `gelu_tanh(v) = ½ v (1 + tanh(√(2/π) (v + 0.044715 v³)))`.
//!
//! GEGLU of Shazeer 2020, eq. 6, with the approximation of Hendrycks & Gimpel 2016, section 2. Floor: three values an
//! output. Shader: `shaders/gate.wgsl`.

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
    /// Values in a row of `y`.
    pub width: u32,
    /// Distance between rows of `gate`.
    pub gate_stride: u32,
    /// Where row 0 of the other branch begins.
    pub up_start: u32,
    /// Distance between its rows.
    pub up_stride: u32,
    /// Distance between rows of `y`.
    pub out_stride: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
    /// Zero.
    pub pad2: u32,
}

const WORKGROUP: u32 = 128;
/// Values of a lane.
const EACH: u32 = 4;

/// What is multiplied.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// Rows of the gate.
    pub gate: &'a Array<f32>,
    /// Distance between them.
    pub gate_stride: usize,
    /// What holds the rows of the other branch.
    pub up: &'a Array<f32>,
    /// Where the first of them begins.
    pub up_start: usize,
    /// Distance between them.
    pub up_stride: usize,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`: rows of `width` values, in `y` [`stride`]`(width)`
/// apart.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    width: usize,
    most_rows: usize,
    arrays: &Arrays<'_>,
    y: &Array<f32>,
) -> Result<()> {
    let Arrays { gate, gate_stride, up, up_start, up_stride } = *arrays;
    let out_stride = stride(width);
    let last = most_rows - 1;
    let binds = [
        gate.bind("gate", last * gate_stride + width)?,
        up.bind("up", up_start + last * up_stride + width)?,
        y.bind("y", most_rows * out_stride)?,
    ];
    let params = Params {
        width: width as u32,
        gate_stride: gate_stride as u32,
        up_start: up_start as u32,
        up_stride: up_stride as u32,
        out_stride: out_stride as u32,
        pad0: 0,
        pad1: 0,
        pad2: 0,
    };
    let cost = Cost { fixed_bytes: 0, row_bytes: width as u64 * 12, row_flops: width as u64 * 10 };
    let grid = [Extent::ROWS, params.width.div_ceil(WORKGROUP * EACH).into(), 1.into()];
    plan.dispatch(&shaders::GATE, &[("WG", WORKGROUP), ("EACH", EACH)], &params, &binds, grid, cost)
}

/// As [`record`] for one array whose rows hold the gate and behind it the other branch, [`stride`]`(2 * width)` apart.
///
/// # Errors
/// As [`record`].
pub fn record_joint(
    plan: &mut PlanBuilder<'_>,
    width: usize,
    most_rows: usize,
    gate_up: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let joint = stride(2 * width);
    let arrays = Arrays { gate: gate_up, gate_stride: joint, up: gate_up, up_start: width, up_stride: joint };
    record(plan, width, most_rows, &arrays, y)
}

/// The same on the CPU in f64: `gate_up` holds rows of `2 * intermediate_size` values, without gaps.
pub fn reference(gate_up: &[f32], intermediate_size: usize) -> Vec<f32> {
    let mut y = Vec::with_capacity(gate_up.len() / 2);
    for row in gate_up.chunks_exact(2 * intermediate_size) {
        let (gate, up) = row.split_at(intermediate_size);
        y.extend(gate.iter().zip(up).map(|(g, u)| (gelu_tanh(f64::from(*g)) * f64::from(*u)) as f32));
    }
    y
}

fn gelu_tanh(v: f64) -> f64 {
    0.5 * v * (1.0 + (std::f64::consts::FRAC_2_PI.sqrt() * (v + 0.044715 * v.powi(3))).tanh())
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize| {
        Case::new("gate", size, format!("{rows} × {width}"), move |gpu| {
            let values: Vec<f32> = noise(1, rows * 2 * width).iter().map(|v| 6.0 * v).collect();
            let gate_up = upload(gpu, "gate_up", &values, 2 * width)?;
            let y = gpu.array("y", rows * stride(width))?;
            let outputs = vec![Output::rows(&y, width, 2e-6, move || reference(&values, width))];
            Ok(Prepared::new(rows, outputs, move |plan, _| record_joint(plan, width, rows, &gate_up, &y)))
        })
    };
    vec![case(Size::Odd, 3, 513), case(Size::Real, 1, 15_360), case(Size::Real, 256, 15_360)]
}
