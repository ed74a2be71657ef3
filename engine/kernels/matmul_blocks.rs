//! [`matmul`](super::matmul) for matrices of block formats, and of plain ones in textures: groups of 32 weights are
//! unpacked once for all rows of a tile.
//!
//! Floor: `2 · rows · outputs · width` operations. Shaders: `shaders/matmul_blocks.wgsl` (tiles of 64 outputs × 32 rows ×
//! 32 values in workgroup memory), `shaders/matmul_blocks_wide.wgsl` and `shaders/matmul_blocks_wide_subgroup.wgsl`
//! (for textures: 2 outputs × 8 rows a lane, fewer rows if they are long).

use super::case::{self, Case, Output, Prepared, Size, noise};
use super::matmul::TILE_ROWS;
use super::{Block, Format, Variant, matmul, matvec_blocks, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::weights::Rounding;
use crate::weights::layout::{GROUP, WORD};
use bytemuck::{Pod, Zeroable};

/// Uniform of the shaders.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Rows of the block of weights.
    pub outputs: u32,
    /// Groups of 32 weights in a row.
    pub groups: u32,
    /// Words of 16 bytes in a row of weights.
    pub row_words: u32,
    /// Place of the block's first row in a row of `y`.
    pub first: u32,
    /// Distance between rows of `y`.
    pub y_stride: u32,
    /// The first row of a window.
    pub first_row: u32,
    /// Vectors of four in a row of `x`.
    pub width4: u32,
    /// The step that results are rounded to, or 0.
    pub output_scale: f32,
}

/// Rows of a workgroup of the wide variant, the most of these that a window has room for; it holds as many times these as
/// it can.
const WIDE_ROWS: [usize; 3] = [8, 4, 2];

/// Records the rows of `block`, each `width` weights, over the rows of the replay; `y_stride` lies between rows of `y`.
/// `x` and `y` hold `most_rows` rounded up to [`TILE_ROWS`].
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    block: &Block,
    width: usize,
    [most_rows, y_stride]: [usize; 2],
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let wide_rows = WIDE_ROWS.into_iter().find(|rows| rows * stride(width) <= matvec_blocks::LONGEST_WINDOW);
    if block.in_texture() && wide_rows.is_none() {
        return matvec_blocks::record_rows(plan, variant, block, width, [most_rows, y_stride], x, y);
    }
    let rows = most_rows.next_multiple_of(TILE_ROWS);
    let row_words = block.row_bytes(width) / WORD;
    let params = |first_row: usize| Params {
        outputs: block.rows as u32,
        groups: width.div_ceil(GROUP) as u32,
        row_words: row_words as u32,
        first: block.first_row as u32,
        y_stride: y_stride as u32,
        first_row: first_row as u32,
        width4: (stride(width) / 4) as u32,
        output_scale: block.rounding.output,
    };
    let weight = block.bind(width)?;
    let y = y.bind("y", rows * y_stride)?;
    let cost = Cost {
        fixed_bytes: (block.rows * row_words * WORD) as u64,
        row_bytes: (width + block.rows) as u64 * 4,
        row_flops: 2 * (block.rows * width) as u64,
    };
    let shader = variant.of_block(block).shader("matmul_blocks", block.format)?;
    let mut overrides = matvec_blocks::overrides(block.format, width);
    if let Some(wide_rows) = wide_rows.filter(|_| block.in_texture()) {
        overrides.push(("ROWS", wide_rows as u32));
        let binds = [weight, x.bind_window("x", rows * stride(width))?, y];
        let window_rows = matvec_blocks::LONGEST_WINDOW / (wide_rows * stride(width)) * wide_rows;
        let all: Vec<Params> = (0..rows).step_by(window_rows).map(params).collect();
        let down = Extent::Rows { times: 1, tile: wide_rows as u32 };
        let grid = [(block.rows.div_ceil(16) as u32).into(), down, 1.into()];
        return plan.dispatch_windows(shader, &overrides, &all, window_rows, stride(width) * 4, &binds, grid, cost);
    }
    let binds = [weight, x.bind("x", rows * stride(width))?, y];
    let down = Extent::Rows { times: 1, tile: TILE_ROWS as u32 };
    plan.dispatch(
        shader,
        &overrides,
        &params(0),
        &binds,
        [(block.rows.div_ceil(64) as u32).into(), down, 1.into()],
        cost,
    )
}

/// The same on the CPU in f64, the rows of the matrix as f32.
pub fn reference(weight: &[f32], width: usize, x: &[f32]) -> Vec<f32> {
    matmul::reference(weight, width, x)
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, format: Format, rows: usize, outputs: usize, width: usize, block_rows: usize, in_buffer: bool| {
        Case::new(
            "matmul_blocks",
            size,
            format!("{}{format} {outputs} × {width}, {rows} rows", if in_buffer { "buffer of " } else { "" }),
            move |gpu| {
                let (weight, weights) = case::block_matrix(
                    gpu,
                    format,
                    1,
                    outputs,
                    width,
                    block_rows,
                    gpu.capabilities().software && !in_buffer,
                )?;
                let values = noise(2, rows * width);
                let capacity = rows.next_multiple_of(TILE_ROWS);
                let (x, y) = (gpu.rows("x", capacity * width)?, gpu.array("y", capacity * stride(outputs))?);
                gpu.write(&x, 0, &values);
                let expected = move || reference(&weights, width, &values);
                let results = vec![Output::rows(&y, outputs, 4e-6, expected)];
                Ok(Prepared::new(rows, results, move |plan, variant| {
                    matmul::record(plan, variant, &weight, rows, &x, &y)
                }))
            },
        )
    };
    let blocks = || Format::all().filter(|format| !format.is_plain());
    let mut all: Vec<Case> = [false, true]
        .into_iter()
        .flat_map(|buffer| blocks().map(move |format| (format, buffer)))
        .map(|(format, buffer)| case(Size::Odd, format, 33, 67, 768, 40, buffer))
        .collect();
    all.push(case(Size::Odd, Format::Q4K, 3, 67, 2304, 67, false));
    // Plain ones lie in planes in textures alone.
    all.extend(Format::PLAIN.map(|format| case(Size::Odd, format, 33, 67, 768, 40, false).software()));
    all.push(case(Size::Real, Format::Bf16, 32, 1024, 2048, 1024, false).software());
    let real = case::some_ints().filter(|(_, place)| place.is_empty());
    let real = real.map(|(ints, place)| (Size::Real, ints, place, [32usize, 1024, 2048], 1024));
    let odd = |(ints, place)| (Size::Odd, ints, place, [33, 67, case::int_width(ints, 257)], 40);
    for (size, ints, place, [rows, outputs, width], block_rows) in case::some_ints().map(odd).chain(real) {
        let shape =
            format!("{place}{} {} {outputs} × {width}, {rows} rows", Format::Ints(ints), ints.shared.unwrap_or(width));
        all.push(Case::new("matmul_blocks", size, shape, move |gpu| {
            let as_texture = gpu.capabilities().software && place.is_empty();
            let none = Rounding::NONE;
            let (weight, weights) = case::int_matrix(gpu, ints, 1, [outputs, width], block_rows, as_texture, none)?;
            let values = noise(2, rows * width);
            let capacity = rows.next_multiple_of(TILE_ROWS);
            let (x, y) = (gpu.rows("x", capacity * stride(width))?, gpu.array("y", capacity * stride(outputs))?);
            gpu.write(&x, 0, &case::spread(&values, width));
            let results = vec![Output::rows(&y, outputs, 4e-6, move || reference(&weights, width, &values))];
            Ok(Prepared::new(rows, results, move |plan, variant| matmul::record(plan, variant, &weight, rows, &x, &y)))
        }));
    }
    let real = [Format::Q8_0, Format::Q4_0, Format::Q4K, Format::Q5K, Format::Q6K];
    all.extend(real.map(|format| case(Size::Real, format, 32, 1024, 2048, 1024, false)));
    all
}
