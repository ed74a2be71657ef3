//! Rows to given places, `y[targets[r]] = x[r]`: embeddings of pictures and sound into those of the text.
//!
//! Floor: the rows, once in and once out. Shader: `shaders/scatter.wgsl`.

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
    /// Values in a row.
    pub width: u32,
    /// Vectors of four from row to row.
    pub width4: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// Records one dispatch over the rows of the replay. All three arrays have room for `most_rows` rows; every target is
/// below that, and no two are equal.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    width: usize,
    most_rows: usize,
    x: &Array<f32>,
    targets: &Array<u32>,
    y: &Array<f32>,
) -> Result<()> {
    let all = most_rows * stride(width);
    let binds = [x.bind("x", all)?, targets.bind("targets", most_rows)?, y.bind("y", all)?];
    let params = Params { width: width as u32, width4: (stride(width) / 4) as u32, pad0: 0, pad1: 0 };
    let cost = Cost { fixed_bytes: 0, row_bytes: width as u64 * 8 + 4, row_flops: 0 };
    let grid = [Extent::ROWS, 1.into(), 1.into()];
    plan.dispatch(&shaders::SCATTER, &[("WG", 64)], &params, &binds, grid, cost)
}

/// The same on the CPU: `x` and `y` hold rows of `width` values, without gaps.
pub fn reference(x: &[f32], width: usize, targets: &[u32], y: &mut [f32]) {
    for (row, target) in x.chunks_exact(width).zip(targets) {
        y[*target as usize * width..][..width].copy_from_slice(row);
    }
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize| {
        Case::new("scatter", size, format!("{rows} × {width}"), move |gpu| {
            let values = noise(1, rows * width);
            let x = upload(gpu, "x", &values, width)?;
            let y = gpu.array("y", rows * stride(width))?;
            let order: Vec<u32> = (0..rows as u32).rev().collect();
            let targets = gpu.array_of("targets", &order)?;
            let expected = move || {
                let mut moved = vec![0.0; rows * width];
                reference(&values, width, &order, &mut moved);
                moved
            };
            let outputs = vec![Output::rows(&y, width, 0.0, expected)];
            Ok(Prepared::new(rows, outputs, move |plan, _| record(plan, width, rows, &x, &targets, &y)))
        })
    };
    vec![case(Size::Odd, 5, 257), case(Size::Real, 256, 3840)]
}
