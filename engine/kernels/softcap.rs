//! Soft cap of logits, in place: `x = cap · tanh(x / cap)`.
//!
//! Gemma Team 2024 (Gemma 2), section 2, "logit soft-capping". Floor: the values, once in and once out.
//! Shader: `shaders/softcap.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise};
use crate::error::Result;
use crate::gpu::{Array, Cost, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Number of values.
    pub len: u32,
    /// `final_logit_softcapping`: no value gets beyond it.
    pub cap: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

const WORKGROUP: u32 = 128;
/// Values of a lane.
const EACH: u32 = 4;

/// Records one dispatch over the first `len` values of `x`. NaN stays NaN.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if `x` is shorter.
pub fn record(plan: &mut PlanBuilder<'_>, len: usize, cap: f32, x: &Array<f32>) -> Result<()> {
    let params = Params { len: len as u32, cap, pad0: 0, pad1: 0 };
    let cost = Cost { fixed_bytes: len as u64 * 8, row_bytes: 0, row_flops: 0 };
    let groups = params.len.div_ceil(WORKGROUP * EACH);
    let overrides = [("WG", WORKGROUP), ("EACH", EACH)];
    let grid = [groups.into(), 1.into(), 1.into()];
    plan.dispatch(&shaders::SOFTCAP, &overrides, &params, &[x.bind("x", len)?], grid, cost)
}

/// The same on the CPU in f64.
pub fn reference(x: &[f32], cap: f32) -> Vec<f32> {
    let cap = f64::from(cap);
    x.iter().map(|v| (cap * (f64::from(*v) / cap).tanh()) as f32).collect()
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, len: usize| {
        Case::new("softcap", size, len.to_string(), move |gpu| {
            let values: Vec<f32> = noise(1, len).iter().map(|v| 80.0 * v * v * v).collect();
            let x = gpu.array_of("x", &values)?;
            let old = values.clone();
            let outputs = vec![Output::in_place(&x, len, 1e-6, move |i| old[i], move || reference(&values, 30.0))];
            Ok(Prepared::new(1, outputs, move |plan, _| record(plan, len, 30.0, &x)))
        })
    };
    vec![case(Size::Odd, 516), case(Size::Real, 262_144)]
}
