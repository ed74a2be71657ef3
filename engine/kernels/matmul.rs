//! A weight matrix times many vectors, `y[r, n] = Σ weight[n, k] · x[r, k]`: the projections of a prefill.
//!
//! Tiles of 64 outputs × 32 rows × 16 values in workgroup memory, 4 × 4 results a lane. Floor: `2 · rows · outputs ·
//! width` operations, and the bytes of the matrix once for 32 rows. Shader: `shaders/matmul.wgsl`; of matrices in textures
//! and of block formats those of [`matmul_blocks`].

use super::case::{self, Case, Output, Prepared, Size, noise};
use super::fake_quant::Inputs;
use super::{Format, Matrix, Variant, matmul_blocks, matvec, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use bytemuck::{Pod, Zeroable};

/// Rows of a tile; arrays of rows hold a multiple of it.
pub const TILE_ROWS: usize = 32;
const TILE_OUTPUTS: usize = 64;

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Rows of the block of weights.
    pub outputs: u32,
    /// Vectors of four in a row of weights or of `x`.
    pub width4: u32,
    /// Place of the block's first row in a row of `y`.
    pub first: u32,
    /// Distance between rows of `y`.
    pub y_stride: u32,
}

/// Records one dispatch a block over the rows of the replay: `y[r] = weight · x[r]`, rows of [`stride`]`(weight.width)`
/// and [`stride`]`(weight.rows)`. Both arrays hold `most_rows` rounded up to [`TILE_ROWS`]; rows behind those of the
/// replay are computed from whatever they hold.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    weight: &Matrix,
    most_rows: usize,
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let rows = most_rows.next_multiple_of(TILE_ROWS);
    let (width, y_stride) = (stride(weight.width), stride(weight.rows));
    let mut inputs = Inputs::new(x, weight.width, rows);
    for block in &weight.blocks {
        if block.is_laid() {
            let x = inputs.rounded(plan, block.rounding.input)?;
            matmul_blocks::record(plan, variant, block, weight.width, [most_rows, y_stride], &x, y)?;
            continue;
        }
        let shader = variant.of_block(block).shader("matmul", block.format)?;
        let params = Params {
            outputs: block.rows as u32,
            width4: (width / 4) as u32,
            first: block.first_row as u32,
            y_stride: y_stride as u32,
        };
        let binds = [block.bind(weight.width)?, x.bind("x", rows * width)?, y.bind("y", rows * y_stride)?];
        let cost = Cost {
            fixed_bytes: (block.rows * block.row_bytes(weight.width)) as u64,
            row_bytes: (width + block.rows) as u64 * 4,
            row_flops: 2 * (block.rows * weight.width) as u64,
        };
        let down = Extent::Rows { times: 1, tile: TILE_ROWS as u32 };
        let grid = [(block.rows.div_ceil(TILE_OUTPUTS) as u32).into(), down, 1.into()];
        plan.dispatch(shader, &[], &params, &binds, grid, cost)?;
    }
    Ok(())
}

/// The same on the CPU in f64: `x` holds rows of `width` values, `weight` too; the result rows of `weight`'s count.
pub fn reference(weight: &[f32], width: usize, x: &[f32]) -> Vec<f32> {
    x.chunks_exact(width).flat_map(|row| matvec::reference(weight, row)).collect()
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, format: Format, rows: usize, outputs: usize, width: usize, block_rows: usize| {
        let shape = format!("{} {outputs} × {width}, {rows} rows", format.name());
        Case::new("matmul", size, shape, move |gpu| {
            let weight = case::matrix(gpu, format, &noise(1, outputs * width), width, block_rows)?;
            let values = noise(2, rows * width);
            let capacity = rows.next_multiple_of(TILE_ROWS);
            let x = gpu.array("x", capacity * stride(width))?;
            gpu.write(&x, 0, &case::spread(&values, width));
            let y = gpu.array("y", capacity * stride(outputs))?;
            let expected = move || reference(&case::rounded(format, &noise(1, outputs * width)), width, &values);
            let results = vec![Output::rows(&y, outputs, 2e-6, expected)];
            Ok(Prepared::new(rows, results, move |plan, variant| record(plan, variant, &weight, rows, &x, &y)))
        })
    };
    let mut all: Vec<Case> = Format::PLAIN.iter().map(|format| case(Size::Odd, *format, 33, 67, 129, 40)).collect();
    // A part of a projection that software adapters do in about a second, and whole ones.
    all.extend(Format::PLAIN.map(|format| case(Size::Real, format, 32, 1024, 3840, 1024)));
    all.extend(Format::PLAIN.map(|format| case(Size::Large, format, 128, 4096, 3840, 4096)));
    all.push(case(Size::Large, Format::Bf16, 256, 15_360, 3840, 15_360));
    all
}
