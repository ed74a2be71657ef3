//! The end of a branch of a conformer and the norm before the next one: `x = x + b` with `b = clamp(y)`, normed where asked
//! for, and `h = clamp(rms_norm(clamp(x, ±limit)) · next_weight)`.
//!
//! As [`add_norm`](super::add_norm) with the clamps of a conformer that is kept in range; the factor on a feed-forward's
//! branch is in the weight of its norm. Floor: four values of a row's width. Shader: `shaders/clip_add_norm.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::clip_norm::{self, Norm};
use super::{Bounds, stride};
use crate::error::Result;
use crate::gpu::{Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Values in a row.
    pub hidden_size: u32,
    /// Distance from row to row.
    pub stride: u32,
    /// 1 if the branch is normed.
    pub normed: u32,
    /// Of the branch's norm.
    pub eps: f32,
    /// [`Bounds`] of the branch.
    pub y_low: f32,
    /// [`Bounds`] of the branch.
    pub y_high: f32,
    /// Of the next norm.
    pub next_eps: f32,
    /// The input of the next norm is kept within plus and minus this.
    pub limit: f32,
    /// [`Bounds`] of `h`.
    pub low: f32,
    /// [`Bounds`] of `h`.
    pub high: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// How a branch ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Branch {
    /// Its output is kept within.
    pub bounds: Bounds,
    /// `eps` of the norm behind it, `None` if there is none.
    pub eps: Option<f32>,
    /// The norm before the next one.
    pub next: Norm,
}

/// What the dispatch reads and writes; without a norm behind the branch `weight` is not looked at.
pub use super::add_norm::Arrays;

/// Records one dispatch over the rows of the replay, at most `most_rows`.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    hidden_size: usize,
    branch: Branch,
    most_rows: usize,
    arrays: &Arrays<'_>,
) -> Result<()> {
    let binds = arrays.binds(most_rows, hidden_size)?;
    let params = Params {
        hidden_size: hidden_size as u32,
        stride: stride(hidden_size) as u32,
        normed: branch.eps.is_some().into(),
        eps: branch.eps.unwrap_or(1.0),
        y_low: branch.bounds.low,
        y_high: branch.bounds.high,
        next_eps: branch.next.eps,
        limit: branch.next.limit,
        low: branch.next.bounds.low,
        high: branch.next.bounds.high,
        pad0: 0,
        pad1: 0,
    };
    let size = hidden_size as u64;
    let cost = Cost { fixed_bytes: size * 8, row_bytes: size * 16, row_flops: size * 17 };
    let grid = [Extent::ROWS, 1.into(), 1.into()];
    plan.dispatch(&shaders::CLIP_ADD_NORM, &[("WG", 128)], &params, &binds, grid, cost)
}

/// The same on the CPU in f64, rows without gaps: new `x` and `h`.
pub fn reference(x: &[f32], y: &[f32], weight: &[f32], next: &[f32], branch: Branch) -> (Vec<f32>, Vec<f32>) {
    let zeros = vec![0.0; weight.len()];
    let mut b: Vec<f32> = y.iter().map(|v| branch.bounds.clamp(f64::from(*v)) as f32).collect();
    if let Some(eps) = branch.eps {
        b = clip_norm::reference(&b, &zeros, weight, Norm { eps, limit: f32::MAX, bounds: Bounds::NONE });
    }
    let x: Vec<f32> = x.iter().zip(&b).map(|(x, b)| (f64::from(*x) + f64::from(*b)) as f32).collect();
    let h = clip_norm::reference(&x, &zeros, next, branch.next);
    (x, h)
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize, eps: Option<f32>| {
        let kind = if eps.is_some() { "normed" } else { "as it is" };
        Case::new("clip_add_norm", size, format!("{rows} × {width}, {kind}"), move |gpu| {
            let next = Norm { eps: 1e-5, limit: 1.1, bounds: Bounds { low: -0.9, high: 0.8 } };
            let branch = Branch { bounds: Bounds { low: -0.7, high: 0.6 }, eps, next };
            let [before, y0, w, n] = [(1, rows), (2, rows), (3, 1), (4, 1)].map(|(s, n)| noise(s, n * width));
            let (x, y) = (upload(gpu, "x", &before, width)?, upload(gpu, "y", &y0, width)?);
            let (weight, next_weight) = (gpu.array_of("weight", &w)?, gpu.array_of("next_weight", &n)?);
            let h = gpu.array("h", rows * stride(width))?;
            let old = before.clone();
            let both = move || reference(&before, &y0, &w, &n, branch);
            let new = both.clone();
            let outputs = vec![
                Output::in_place(&x, width, 2e-6, move |i| old[i], move || new().0),
                Output::rows(&h, width, 3e-6, move || both().1),
            ];
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                let arrays = Arrays { y: &y, weight: &weight, next_weight: &next_weight, x: &x, h: &h };
                record(plan, width, branch, rows, &arrays)
            }))
        })
    };
    vec![case(Size::Odd, 3, 129, Some(1e-6)), case(Size::Odd, 2, 71, None), case(Size::Real, 128, 1024, Some(1e-6))]
}
