//! Rows that later ones look back at, kept in a ring: row `p` since the beginning lies at `p % ring`, clamped on its way.
//!
//! Keys, values and samples of a stream; nothing is moved when it goes on, and nothing reset when another one begins.
//! Floor: the rows, once in and once out. Shader: `shaders/ring.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::{Bounds, stride};
use crate::error::{Error, Result};
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Values of a row.
    pub width: u32,
    /// Distance between rows of `x`.
    pub x_stride: u32,
    /// Distance between rows of `y`.
    pub y_stride: u32,
    /// Rows of `y`.
    pub ring: u32,
    /// [`Bounds`].
    pub low: f32,
    /// [`Bounds`].
    pub high: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`: rows of `width` from `x` to their places in `y`,
/// both [`stride`]`(width)` apart. `span[0]` is the place of row 0 since the beginning.
///
/// # Errors
/// [`Error::Length`] if an array is shorter than its shape in the shader, [`Error::Argument`] for more rows than places.
#[expect(clippy::too_many_arguments, reason = "each is a different thing")]
pub fn record(
    plan: &mut PlanBuilder<'_>,
    width: usize,
    ring: usize,
    bounds: Bounds,
    most_rows: usize,
    x: &Array<f32>,
    span: &Array<u32>,
    y: &Array<f32>,
) -> Result<()> {
    fits("ring", ring, most_rows)?;
    let distance = stride(width);
    let binds = [x.bind("x", most_rows * distance)?, span.bind("span", 1)?, y.bind("y", ring * distance)?];
    let params = Params {
        width: width as u32,
        x_stride: distance as u32,
        y_stride: distance as u32,
        ring: ring as u32,
        low: bounds.low,
        high: bounds.high,
        pad0: 0,
        pad1: 0,
    };
    let cost = Cost { row_bytes: width as u64 * 8, row_flops: width as u64 * 2, ..Cost::default() };
    plan.dispatch(&shaders::RING, &[("WG", 64)], &params, &binds, [Extent::ROWS, 1.into(), 1.into()], cost)
}

/// Refuses a ring whose rows of one replay, with those that they look back at, would overwrite each other.
pub(super) fn fits(kernel: &str, ring: usize, needed: usize) -> Result<()> {
    if ring >= needed {
        return Ok(());
    }
    Err(Error::Argument { name: "ring", problem: format!("of {kernel} holds {ring} rows, {needed} are needed") })
}

/// The same on the CPU, rows without gaps: `y` after it.
pub fn reference(x: &[f32], width: usize, first: usize, bounds: Bounds, mut y: Vec<f32>) -> Vec<f32> {
    let ring = y.len() / width;
    for (row, values) in x.chunks_exact(width).enumerate() {
        let place = (first + row) % ring * width;
        let clamped = values.iter().map(|v| bounds.clamp(f64::from(*v)) as f32);
        y[place..place + width].iter_mut().zip(clamped).for_each(|(y, v)| *y = v);
    }
    y
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize, ring: usize, first: usize| {
        Case::new("ring", size, format!("{rows} × {width} of {ring}"), move |gpu| {
            let bounds = Bounds { low: -0.6, high: 0.7 };
            let (values, old) = (noise(1, rows * width), noise(2, ring * width));
            let x = upload(gpu, "x", &values, width)?;
            let (span, y) = (gpu.array_of("span", &[first as u32])?, gpu.array("y", ring * stride(width))?);
            let before = old.clone();
            let expected = move || reference(&values, width, first, bounds, old.clone());
            let outputs = vec![Output::in_place(&y, width, 0.0, move |i| before[i], expected)];
            Ok(Prepared::new(rows, outputs, move |plan, _| record(plan, width, ring, bounds, rows, &x, &span, &y)))
        })
    };
    vec![case(Size::Odd, 5, 71, 7, 11), case(Size::Real, 128, 1024, 140, 1000)]
}
