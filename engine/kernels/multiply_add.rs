//! Chains of `v = v · factor + addend` in registers: how fast the adapter computes in f32.
//!
//! The ceiling that kernels bound by arithmetic are compared with. Floor: 64 operations a lane and round. Shader:
//! `shaders/multiply_add.wgsl`.

use super::case::{Case, Output, Prepared, Size};
use crate::error::Result;
use crate::gpu::{Array, Cost, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

const LANES: usize = 64;
/// Numbers that a lane computes with.
const CHAINS: usize = 32;

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Times that each number is changed.
    pub rounds: u32,
    /// Multiplies; below 1, so that the numbers stay finite.
    pub factor: f32,
    /// Is added.
    pub addend: f32,
    /// Zero.
    pub pad: u32,
}

impl Params {
    /// `rounds` rounds with numbers that stay near 1.
    pub fn new(rounds: u32) -> Params {
        Params { rounds, factor: 0.75, addend: 0.25, pad: 0 }
    }
}

/// Operations of `groups` workgroups.
pub fn flops(params: Params, groups: usize) -> usize {
    2 * CHAINS * LANES * groups * params.rounds as usize
}

/// Records one dispatch of `groups` workgroups of 64 lanes.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if `y` holds less than 64 values a group.
pub fn record(plan: &mut PlanBuilder<'_>, params: Params, groups: usize, y: &Array<f32>) -> Result<()> {
    let cost = Cost { row_flops: flops(params, groups) as u64, ..Cost::default() };
    let grid = [(groups as u32).into(), 1.into(), 1.into()];
    plan.dispatch(&shaders::MULTIPLY_ADD, &[], &params, &[y.bind("y", groups * LANES)?], grid, cost)
}

/// The same on the CPU in f64.
pub fn reference(params: Params, groups: usize) -> Vec<f32> {
    let chain = |lane: usize, n: usize| {
        let first = lane as f64 / LANES as f64 + n as f64 / CHAINS as f64;
        (0..params.rounds).fold(first, |v, _| v * f64::from(params.factor) + f64::from(params.addend))
    };
    let one: Vec<f32> = (0..LANES).map(|lane| (0..CHAINS).map(|n| chain(lane, n)).sum::<f64>() as f32).collect();
    one.repeat(groups)
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rounds: u32, groups: usize| {
        Case::new("multiply_add", size, format!("{groups} groups, {rounds} rounds"), move |gpu| {
            let (params, y) = (Params::new(rounds), gpu.array("y", groups * LANES)?);
            let outputs = vec![Output::rows(&y, LANES, 1e-6, move || reference(params, groups))];
            Ok(Prepared::new(1, outputs, move |plan, _| record(plan, params, groups, &y)))
        })
    };
    vec![case(Size::Odd, 3, 2), case(Size::Real, 200, 512)]
}
