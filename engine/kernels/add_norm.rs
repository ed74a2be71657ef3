//! The end of a branch: `x = (x + rms_norm(y) · weight) · scale`, and at once the norm before the next branch,
//! `h = rms_norm(x) · next_weight`.
//!
//! Gemma's norms on both sides of a branch (Gemma 2 report, §2); `scale` is the layer scalar. Shader: `shaders/add_norm.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::{rms_norm, stride};
use crate::error::Result;
use crate::gpu::{Array, Bind, Cost, Extent, PlanBuilder};
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
    /// `rms_norm_eps` of the config.
    pub eps: f32,
    /// The sum is multiplied by it.
    pub scale: f32,
}

/// What the dispatch reads and writes; rows of [`stride`]`(hidden_size)`.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// The branch's output.
    pub y: &'a Array<f32>,
    /// Weight of the norm after the branch.
    pub weight: &'a Array<f32>,
    /// Weight of the norm before the next branch.
    pub next_weight: &'a Array<f32>,
    /// The residual stream, changed in place.
    pub x: &'a Array<f32>,
    /// Input of the next branch.
    pub h: &'a Array<f32>,
}

impl Arrays<'_> {
    /// The bindings in the order of the shaders, for up to `most_rows` rows.
    pub(super) fn binds(&self, most_rows: usize, hidden_size: usize) -> Result<[Bind; 5]> {
        let all = most_rows * stride(hidden_size);
        Ok([
            self.y.bind("y", all)?,
            self.weight.bind("weight", hidden_size)?,
            self.next_weight.bind("next_weight", hidden_size)?,
            self.x.bind("x", all)?,
            self.h.bind("h", all)?,
        ])
    }
}

/// Records one dispatch over the rows of the replay. Moves `(4 * rows + 2) * hidden_size * 4` bytes.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    hidden_size: usize,
    eps: f32,
    scale: f32,
    most_rows: usize,
    arrays: &Arrays<'_>,
) -> Result<()> {
    let binds = arrays.binds(most_rows, hidden_size)?;
    let params = Params { hidden_size: hidden_size as u32, stride: stride(hidden_size) as u32, eps, scale };
    let size = hidden_size as u64;
    let cost = Cost { fixed_bytes: size * 8, row_bytes: size * 16, row_flops: size * 9 };
    plan.dispatch(&shaders::ADD_NORM, &[("WG", 128)], &params, &binds, [Extent::ROWS, 1.into(), 1.into()], cost)
}

/// The same on the CPU in f64, rows without gaps: new `x` and `h`.
pub fn reference(x: &[f32], y: &[f32], weight: &[f32], next: &[f32], eps: f32, scale: f32) -> (Vec<f32>, Vec<f32>) {
    let branch = rms_norm::reference(y, weight, eps);
    let sum = |(x, b): (&f32, &f32)| ((f64::from(*x) + f64::from(*b)) * f64::from(scale)) as f32;
    let x: Vec<f32> = x.iter().zip(&branch).map(sum).collect();
    let h = rms_norm::reference(&x, next, eps);
    (x, h)
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize| {
        Case::new("add_norm", size, format!("{rows} × {width}"), move |gpu| {
            let [before, branch, w, next] = [(1, rows), (2, rows), (3, 1), (4, 1)].map(|(s, n)| noise(s, n * width));
            let (x, y) = (upload(gpu, "x", &before, width)?, upload(gpu, "y", &branch, width)?);
            let (weight, next_weight) = (gpu.array_of("weight", &w)?, gpu.array_of("next_weight", &next)?);
            let h = gpu.array("h", rows * stride(width))?;
            let old = before.clone();
            let both = move || reference(&before, &branch, &w, &next, 1e-6, 0.8);
            let new = both.clone();
            let outputs = vec![
                Output::in_place(&x, width, 2e-6, move |i| old[i], move || new().0),
                Output::rows(&h, width, 3e-6, move || both().1),
            ];
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                let arrays = Arrays { y: &y, weight: &weight, next_weight: &next_weight, x: &x, h: &h };
                record(plan, width, 1e-6, 0.8, rows, &arrays)
            }))
        })
    };
    vec![case(Size::Odd, 3, 129), case(Size::Real, 1, 3840), case(Size::Real, 512, 3840)]
}
