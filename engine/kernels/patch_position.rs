//! Learned positions of picture patches, one table an axis: `x[row] += table(x)[place.x] + table(y)[place.y]`.
//!
//! The factorised position embedding of NaViT (Dehghani et al. 2023, section 2.1). Floor: the rows, once in and once
//! out. Shader: `shaders/patch_position.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, picks, upload};
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
    /// Distance from row to row of `x`.
    pub stride: u32,
    /// Distance from one place of an axis to the next in the table.
    pub place_stride: u32,
    /// Distance from the first axis to the second.
    pub axis_stride: u32,
}

/// How a table of positions lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `[size, 2, width]`.
    PlacesFirst,
    /// `[2, size, width]`.
    AxesFirst,
}

/// Records one dispatch over the rows of the replay, at most `most_rows`. `places` holds column and row of each patch,
/// both below `size`; `table` has no gaps.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
#[expect(clippy::too_many_arguments, reason = "each is a different thing")]
pub fn record(
    plan: &mut PlanBuilder<'_>,
    width: usize,
    size: usize,
    order: Order,
    most_rows: usize,
    places: &Array<u32>,
    table: &Array<f32>,
    x: &Array<f32>,
) -> Result<()> {
    let binds = [
        places.bind("places", 2 * most_rows)?,
        table.bind("table", size * 2 * width)?,
        x.bind("x", most_rows * stride(width))?,
    ];
    let (place_stride, axis_stride) = match order {
        Order::PlacesFirst => (2 * width, width),
        Order::AxesFirst => (width, size * width),
    };
    let params = Params {
        width: width as u32,
        stride: stride(width) as u32,
        place_stride: place_stride as u32,
        axis_stride: axis_stride as u32,
    };
    let cost = Cost { fixed_bytes: 0, row_bytes: width as u64 * 16 + 8, row_flops: width as u64 * 2 };
    let grid = [Extent::ROWS, 1.into(), 1.into()];
    plan.dispatch(&shaders::PATCH_POSITION, &[("WG", 128)], &params, &binds, grid, cost)
}

/// The same on the CPU in f64: `x` holds rows of `width` values without gaps, `places` a pair for each.
pub fn reference(x: &[f32], places: &[[u32; 2]], table: &[f32], width: usize, order: Order) -> Vec<f32> {
    let size = table.len() / (2 * width);
    let mut y = Vec::with_capacity(x.len());
    for (row, [across, down]) in x.chunks_exact(width).zip(places) {
        for (i, v) in row.iter().enumerate() {
            let (column, line) = match order {
                Order::PlacesFirst => (2 * *across as usize, 2 * *down as usize + 1),
                Order::AxesFirst => (*across as usize, size + *down as usize),
            };
            let (from_column, from_row) = (f64::from(table[column * width + i]), f64::from(table[line * width + i]));
            y.push((f64::from(*v) + from_column + from_row) as f32);
        }
    }
    y
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, width: usize, positions: usize, order| {
        Case::new("patch_position", size, format!("{rows} × {width}"), move |gpu| {
            let (before, values) = (noise(1, rows * width), noise(2, positions * 2 * width));
            let pairs: Vec<[u32; 2]> = picks(3, 2 * rows, positions).chunks_exact(2).map(|p| [p[0], p[1]]).collect();
            let (places, table) = (gpu.array_of("places", pairs.as_flattened())?, gpu.array_of("table", &values)?);
            let x = upload(gpu, "x", &before, width)?;
            let old = before.clone();
            let expected = move || reference(&before, &pairs, &values, width, order);
            let outputs = vec![Output::in_place(&x, width, 5e-7, move |i| old[i], expected)];
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                record(plan, width, positions, order, rows, &places, &table, &x)
            }))
        })
    };
    vec![
        case(Size::Odd, 5, 129, 9, Order::PlacesFirst),
        case(Size::Odd, 5, 129, 9, Order::AxesFirst),
        case(Size::Real, 256, 3840, 1024, Order::PlacesFirst),
    ]
}
