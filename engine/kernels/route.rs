//! Which experts a row goes to: the `top_k` with the highest scores, and how much each counts, `scale[e] · exp(s_e) / Σ exp(s)`
//! over the chosen ones, which is the softmax over all, divided by what the chosen ones have of it.
//!
//! `Gemma4TextRouter` of `modeling_gemma4.py` (transformers 5.23) behind its projection. Of equal scores the earlier expert
//! comes first; `torch.topk` leaves that open. Floor: the scores once. Shader: `shaders/route.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::stride;
use crate::error::{Error, Result};
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};
use std::cmp::Ordering;

/// Scores of a row that the shader has room for.
pub const MOST_EXPERTS: usize = 1024;

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Scores of a row.
    pub experts: u32,
    /// Distance between rows of scores.
    pub stride: u32,
    /// Experts chosen for a row.
    pub top_k: u32,
    /// Zero.
    pub pad: u32,
}

/// Experts, and how many of them a row goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `num_experts`, at most [`MOST_EXPERTS`].
    pub num_experts: usize,
    /// `top_k_experts`, at most `num_experts`.
    pub top_k: usize,
}

/// What is read and written.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// `[rows, stride(num_experts)]`.
    pub scores: &'a Array<f32>,
    /// `[num_experts]`.
    pub scale: &'a Array<f32>,
    /// `[rows, top_k]`, highest score first.
    pub ids: &'a Array<u32>,
    /// `[rows, top_k]`.
    pub shares: &'a Array<f32>,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`.
///
/// # Errors
/// [`Error::Length`] if an array is shorter than its shape in the shader, [`Error::Argument`] for more experts than it has
/// room for, or fewer than are chosen.
pub fn record(plan: &mut PlanBuilder<'_>, shape: Shape, most_rows: usize, arrays: &Arrays<'_>) -> Result<()> {
    let Shape { num_experts, top_k } = shape;
    if num_experts > MOST_EXPERTS || !(1..=num_experts).contains(&top_k) {
        let problem = format!("is {num_experts} with {top_k} chosen, allowed are {MOST_EXPERTS} and as many chosen");
        return Err(Error::Argument { name: "num_experts", problem });
    }
    let binds = [
        arrays.scores.bind("scores", most_rows * stride(num_experts))?,
        arrays.scale.bind("scale", num_experts)?,
        arrays.ids.bind("ids", most_rows * top_k)?,
        arrays.shares.bind("shares", most_rows * top_k)?,
    ];
    let params =
        Params { experts: num_experts as u32, stride: stride(num_experts) as u32, top_k: top_k as u32, pad: 0 };
    let cost = Cost {
        fixed_bytes: num_experts as u64 * 4,
        row_bytes: (num_experts + 2 * top_k) as u64 * 4,
        row_flops: (num_experts * num_experts + top_k * top_k) as u64,
    };
    plan.dispatch(&shaders::ROUTE, &[("WG", 64)], &params, &binds, [Extent::ROWS, 1.into(), 1.into()], cost)
}

/// The same on the CPU in f64, rows without gaps: ids and shares.
pub fn reference(scores: &[f32], scale: &[f32], top_k: usize) -> (Vec<u32>, Vec<f32>) {
    let (mut ids, mut shares) = (Vec::new(), Vec::new());
    for row in scores.chunks_exact(scale.len()) {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|a, b| row[*b].partial_cmp(&row[*a]).unwrap_or(Ordering::Equal));
        order.truncate(top_k);
        let weight = |expert: &usize| (f64::from(row[*expert]) - f64::from(row[order[0]])).exp();
        let sum: f64 = order.iter().map(weight).sum();
        ids.extend(order.iter().map(|expert| *expert as u32));
        shares.extend(order.iter().map(|expert| (f64::from(scale[*expert]) * weight(expert) / sum) as f32));
    }
    (ids, shares)
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, num_experts: usize, top_k: usize| {
        Case::new("route", size, format!("{top_k} of {num_experts}, {rows} rows"), move |gpu| {
            let values: Vec<f32> = noise(1, rows * num_experts).iter().map(|v| 4.0 * v).collect();
            let factors = noise(2, num_experts);
            let scores = upload(gpu, "scores", &values, num_experts)?;
            let scale = gpu.array_of("scale", &factors)?;
            let (ids, shares) = (gpu.array("ids", rows * top_k)?, gpu.array("shares", rows * top_k)?);
            let (chosen, expected) = reference(&values, &factors, top_k);
            let outputs = vec![
                Output::exact(&ids, vec![u32::MAX; rows * top_k], chosen),
                Output::rows(&shares, rows * top_k, 3e-6, move || expected.clone()),
            ];
            let shape = Shape { num_experts, top_k };
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                let arrays = Arrays { scores: &scores, scale: &scale, ids: &ids, shares: &shares };
                record(plan, shape, rows, &arrays)
            }))
        })
    };
    vec![case(Size::Odd, 4, 67, 4), case(Size::Real, 1, 128, 8), case(Size::Real, 256, 128, 8)]
}
