//! Norm and two-dimensional rotary positions of the heads of picture patches.
//!
//! `n(h) = h / √(mean(h²) + eps) · w`; of the first half of `n(h)` each pair `(i, i + head_dim/4)` turns by
//! `column · frequency[i]`, of the second half by `row · frequency[i]` (`apply_multidimensional_rope` of
//! `modeling_gemma4.py`, transformers 5.23). Without turning it is the norm of each head alone. Floor: the rows, once in and
//! once out. Shader: `shaders/axial_rope.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, picks, upload};
use super::norm_rope::{angles, frequencies};
use super::{rms_norm, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Heads of a row.
    pub heads: u32,
    /// Values of a head.
    pub head_dim: u32,
    /// Distance between heads in `y`.
    pub padded: u32,
    /// Distance between rows of `x`.
    pub x_stride: u32,
    /// 1 if heads turn.
    pub turns: u32,
    /// `rms_norm_eps`.
    pub eps: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// Shape of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Heads of a row.
    pub heads: usize,
    /// Values of a head, a multiple of 4 if they turn.
    pub head_dim: usize,
    /// Places along an axis that the angles are for; `None` if heads do not turn.
    pub positions: Option<usize>,
}

/// What the dispatch reads and writes, shapes as in the shader.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// Projected heads.
    pub x: &'a Array<f32>,
    /// Weight of the norm.
    pub norm: &'a Array<f32>,
    /// (cos, sin) of each place and turning pair.
    pub angles: &'a Array<[f32; 2]>,
    /// Column and row of each patch.
    pub places: &'a Array<u32>,
    /// Heads with gaps.
    pub y: &'a Array<f32>,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(plan: &mut PlanBuilder<'_>, shape: Shape, eps: f32, most_rows: usize, arrays: &Arrays<'_>) -> Result<()> {
    let Shape { heads, head_dim, positions } = shape;
    let (padded, x_stride) = (stride(head_dim), stride(heads * head_dim));
    let binds = [
        arrays.x.bind("x", most_rows * x_stride)?,
        arrays.norm.bind("norm", head_dim)?,
        arrays.angles.bind("angles", positions.map_or(1, |count| count * (head_dim / 4)))?,
        arrays.places.bind("places", 2 * most_rows)?,
        arrays.y.bind("y", most_rows * heads * padded)?,
    ];
    let params = Params {
        heads: heads as u32,
        head_dim: head_dim as u32,
        padded: padded as u32,
        x_stride: x_stride as u32,
        turns: u32::from(positions.is_some()),
        eps,
        pad0: 0,
        pad1: 0,
    };
    let row = (heads * head_dim) as u64;
    let cost = Cost { fixed_bytes: 4 * head_dim as u64, row_bytes: row * 8, row_flops: row * 8 };
    let grid = [Extent::ROWS, params.heads.into(), 1.into()];
    plan.dispatch(&shaders::AXIAL_ROPE, &[("WG", 32)], &params, &binds, grid, cost)
}

/// Heads of one row on the CPU in f64, without gaps; `turns` are the angles of its column and of its row.
pub fn reference(x: &[f32], norm: &[f32], turns: Option<[&[[f32; 2]]; 2]>, eps: f32) -> Vec<f32> {
    let mut y = rms_norm::reference(x, norm, eps);
    let quarter = norm.len() / 4;
    for head in y.chunks_exact_mut(norm.len()) {
        for (axis, turns) in turns.into_iter().flatten().enumerate() {
            for (i, [cos, sin]) in turns.iter().enumerate() {
                let (low, high) = (axis * 2 * quarter + i, axis * 2 * quarter + quarter + i);
                let (a, b) = (f64::from(head[low]), f64::from(head[high]));
                let (cos, sin) = (f64::from(*cos), f64::from(*sin));
                head[low] = (a * cos - b * sin) as f32;
                head[high] = (b * cos + a * sin) as f32;
            }
        }
    }
    y
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, heads: usize, head_dim: usize, turned: bool, rows: usize| {
        let shape = Shape { heads, head_dim, positions: turned.then_some(50) };
        Case::new("axial_rope", size, format!("{heads} heads of {head_dim}, {rows} rows"), move |gpu| {
            let turns: Vec<[f32; 2]> = (0..50)
                .flat_map(|p| angles(p, &frequencies(100.0, head_dim / 2, head_dim / 4)).collect::<Vec<_>>())
                .collect();
            let (values, weights, at) = (noise(1, rows * heads * head_dim), noise(2, head_dim), picks(3, 2 * rows, 50));
            let x = upload(gpu, "x", &values, heads * head_dim)?;
            let norm = gpu.array_of("norm", &weights)?;
            let (angles, places) = (gpu.array_of("angles", &turns)?, gpu.array_of("places", &at)?);
            let y = gpu.array("y", rows * heads * stride(head_dim))?;
            let expected = move || {
                let of = |place: u32| &turns[place as usize * (head_dim / 4)..][..head_dim / 4];
                let row =
                    |(x, at): (&[f32], &[u32])| reference(x, &weights, turned.then(|| [of(at[0]), of(at[1])]), 1e-6);
                values.chunks_exact(heads * head_dim).zip(at.chunks_exact(2)).flat_map(row).collect()
            };
            let outputs = vec![Output::rows(&y, head_dim, 3e-6, expected)];
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                let arrays = Arrays { x: &x, norm: &norm, angles: &angles, places: &places, y: &y };
                record(plan, shape, 1e-6, rows, &arrays)
            }))
        })
    };
    vec![case(Size::Odd, 3, 36, true, 5), case(Size::Odd, 2, 30, false, 3), case(Size::Real, 12, 64, true, 2520)]
}
