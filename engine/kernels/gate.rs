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
    pub intermediate_size: u32,
    /// Distance between rows of `gate_up`.
    pub in_stride: u32,
    /// Distance between rows of `y`.
    pub out_stride: u32,
    /// Zero.
    pub pad: u32,
}

const WORKGROUP: u32 = 128;
/// Values of a lane.
const EACH: u32 = 4;

/// Records one dispatch over the rows of the replay, at most `most_rows`: `gate_up` holds rows of `intermediate_size`
/// values of the gate and as many of the other branch behind them, [`stride`]`(2 * intermediate_size)` apart.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    intermediate_size: usize,
    most_rows: usize,
    gate_up: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let (in_stride, out_stride) = (stride(2 * intermediate_size), stride(intermediate_size));
    let binds = [gate_up.bind("gate_up", most_rows * in_stride)?, y.bind("y", most_rows * out_stride)?];
    let params = Params {
        intermediate_size: intermediate_size as u32,
        in_stride: in_stride as u32,
        out_stride: out_stride as u32,
        pad: 0,
    };
    let cost =
        Cost { fixed_bytes: 0, row_bytes: intermediate_size as u64 * 12, row_flops: intermediate_size as u64 * 10 };
    let across = params.intermediate_size.div_ceil(WORKGROUP * EACH);
    let grid = [Extent::ROWS, across.into(), 1.into()];
    let overrides = [("WG", WORKGROUP), ("EACH", EACH)];
    plan.dispatch(&shaders::GATE, &overrides, &params, &binds, grid, cost)
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
            Ok(Prepared::new(rows, outputs, move |plan, _| record(plan, width, rows, &gate_up, &y)))
        })
    };
    vec![case(Size::Odd, 3, 513), case(Size::Real, 1, 15_360), case(Size::Real, 256, 15_360)]
}
