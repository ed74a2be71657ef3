//! [`matvec`](super::matvec) for matrices of block formats, and of plain ones in textures: each lane multiplies whole groups
//! of 32 weights as they are stored, so that no matrix is ever widened.
//!
//! Floor: the bytes of the matrix, once. Shaders: `shaders/matvec_blocks.wgsl`, and for textures
//! `shaders/matvec_blocks_wide.wgsl` and `shaders/matvec_blocks_wide_subgroup.wgsl`, each with the loaders of all formats.

use super::case::{self, Case, Output, Prepared, Size, noise};
use super::{Block, Format, Variant, gate, matvec, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::weights::layout::{GROUP, WORD};
use crate::weights::{Rounding, ScaleType};
use bytemuck::{Pod, Zeroable};

/// Uniform of the shaders.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Rows of the block.
    pub rows: u32,
    /// Groups of 32 weights in a row.
    pub groups: u32,
    /// Words of 16 bytes in a row.
    pub row_words: u32,
    /// Place of the block's first row in `y`.
    pub first: u32,
    /// Vectors of four in `x`.
    pub width4: u32,
    /// The step that results are rounded to, or 0.
    pub output_scale: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// What specialises a shader for a format and rows of `width` weights.
pub(super) fn overrides(format: Format, width: usize) -> Vec<(&'static str, u32)> {
    let mut all = Vec::new();
    if let Format::Ints(ints) = format {
        all.push(("SCALE_BYTES", ints.scales.bytes() as u32));
        all.push(("SCALE_BF16", (ints.scales == ScaleType::Bf16).into()));
        all.push(("SCALE_SHIFT", ints.shared.map_or(31, |shared| (shared / GROUP).ilog2())));
        all.push(("ZERO_POINTS", ints.zero_points.into()));
    }
    if !width.is_multiple_of(GROUP) {
        all.push(("RAGGED", 1));
    }
    all
}

/// Values of the longest `x` that fits a window.
pub const LONGEST_WINDOW: usize = 16_384;

/// Records the rows of `block`, each `width` weights: `y[first_row .. first_row + rows] = block · x`.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    block: &Block,
    width: usize,
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    dispatch(plan, variant, block, width, Rows::One, x, y)
}

/// Records a block whose first half of rows is a gate: `y[n] = gelu_tanh(block[n] · x) · (block[rows / 2 + n] · x)`, the
/// whole of it in one dispatch.
///
/// # Errors
/// As [`record`].
pub(super) fn record_gated(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    block: &Block,
    width: usize,
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    dispatch(plan, variant, block, width, Rows::Gated, x, y)
}

/// As [`record`] for up to `most_rows` rows of `x`, whose results are `y_stride` apart, one dispatch each: for matrices
/// in textures whose rows are too long for [`matmul_blocks`](super::matmul_blocks).
///
/// # Errors
/// As [`record`].
pub(super) fn record_rows(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    block: &Block,
    width: usize,
    [most_rows, y_stride]: [usize; 2],
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    dispatch(plan, variant, block, width, Rows::Many { most_rows, y_stride }, x, y)
}

/// What is multiplied.
enum Rows {
    One,
    /// One, the first half of whose results is a gate for the second.
    Gated,
    /// As many as a replay has, their results so far apart.
    Many {
        most_rows: usize,
        y_stride: usize,
    },
}

fn dispatch(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    block: &Block,
    width: usize,
    of: Rows,
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let gated = matches!(of, Rows::Gated);
    let (most_rows, y_stride) = match of {
        Rows::Many { most_rows, y_stride } => (most_rows, y_stride),
        Rows::One | Rows::Gated => (1, 0),
    };
    let results = if gated { block.rows / 2 } else { block.rows };
    let row_words = block.row_bytes(width) / WORD;
    let params = |row: usize| Params {
        rows: block.rows as u32,
        groups: width.div_ceil(GROUP) as u32,
        row_words: row_words as u32,
        first: (row * y_stride + block.first_row) as u32,
        width4: (stride(width) / 4) as u32,
        output_scale: block.rounding.output,
        pad0: 0,
        pad1: 0,
    };
    let weight = block.bind(width)?;
    let y = y.bind("y", (most_rows - 1) * y_stride + block.first_row + results)?;
    let cost = Cost {
        fixed_bytes: (block.rows * row_words * WORD) as u64,
        row_bytes: (width + results) as u64 * 4,
        row_flops: 2 * (block.rows * width) as u64,
    };
    let mut overrides = overrides(block.format, width);
    overrides.push(("GATED", gated.into()));
    let shader = variant.of_block(block).shader("matvec_blocks", block.format)?;
    if block.in_texture() {
        let binds = [weight, x.bind_window("x", most_rows * stride(width))?, y];
        let all: Vec<Params> = (0..most_rows).map(params).collect();
        let grid = [(block.rows.div_ceil(16) as u32).into(), 1.into(), 1.into()];
        return plan.dispatch_windows(shader, &overrides, &all, 1, stride(width) * 4, &binds, grid, cost);
    }
    let binds = [weight, x.bind("x", stride(width))?, y];
    overrides.extend([("WG", 64), ("LANES", 16)]);
    let groups = results.div_ceil(4);
    let across = groups.min(32_768);
    let grid: [Extent; 3] = [(across as u32).into(), (groups.div_ceil(across) as u32).into(), 1.into()];
    plan.dispatch(shader, &overrides, &params(0), &binds, grid, cost)
}

/// The same on the CPU in f64, the rows of the matrix as f32.
pub fn reference(weight: &[f32], x: &[f32]) -> Vec<f32> {
    matvec::reference(weight, x)
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, format: Format, outputs: usize, width: usize, block_rows: usize, in_buffer: bool| {
        Case::new(
            "matvec_blocks",
            size,
            format!("{}{format} {outputs} × {width}", if in_buffer { "buffer of " } else { "" }),
            move |gpu| {
                let (weight, values) = case::block_matrix(
                    gpu,
                    format,
                    1,
                    outputs,
                    width,
                    block_rows,
                    gpu.capabilities().software && !in_buffer,
                )?;
                let x_values = noise(2, width);
                let (x, y) = (gpu.rows("x", width)?, gpu.array("y", outputs)?);
                gpu.write(&x, 0, &x_values);
                let expected = move || reference(&values, &x_values);
                let results = vec![Output::rows(&y, outputs, 4e-6, expected)];
                Ok(Prepared::new(1, results, move |plan, variant| matvec::record(plan, variant, &weight, &x, &y)))
            },
        )
    };
    let gated = |format: Format, half: usize, width: usize, in_buffer: bool| {
        let shape = format!("gated {}{format} 2 · {half} × {width}", if in_buffer { "buffer of " } else { "" });
        Case::new("matvec_blocks", Size::Odd, shape, move |gpu| {
            let as_texture = gpu.capabilities().software && !in_buffer;
            let (weight, values) = case::block_matrix(gpu, format, 1, 2 * half, width, 2 * half, as_texture)?;
            let x_values = noise(2, width);
            let (x, y) = (gpu.rows("x", width)?, gpu.array("y", half)?);
            gpu.write(&x, 0, &x_values);
            let scratch = gpu.array("gate_up", stride(2 * half))?;
            let expected = move || gate::reference(&reference(&values, &x_values), half);
            let results = vec![Output::rows(&y, half, 1e-5, expected)];
            Ok(Prepared::new(1, results, move |plan, variant| {
                matvec::record_gated(plan, variant, &weight, &x, &scratch, &y)
            }))
        })
    };
    let blocks = || Format::all().filter(|format| !format.is_plain());
    let mut all: Vec<Case> = [false, true]
        .into_iter()
        .flat_map(|buffer| blocks().map(move |format| (format, buffer)))
        .map(|(format, buffer)| case(Size::Odd, format, 103, 768, 40, buffer))
        .collect();
    let real = case::some_ints().filter(|(_, place)| place.is_empty());
    let ints = case::some_ints().map(|(ints, place)| (Size::Odd, ints, place, 103, case::int_width(ints, 257), 40));
    for (size, ints, place, outputs, width, block_rows) in
        ints.chain(real.map(|(ints, place)| (Size::Real, ints, place, 4096, 3840, 4096)))
    {
        let shape = format!("{place}{} {} {outputs} × {width}", Format::Ints(ints), ints.shared.unwrap_or(width));
        all.push(Case::new("matvec_blocks", size, shape, move |gpu| {
            let as_texture = gpu.capabilities().software && place.is_empty();
            let none = Rounding::NONE;
            let (weight, values) = case::int_matrix(gpu, ints, 1, [outputs, width], block_rows, as_texture, none)?;
            let x_values = noise(2, width);
            let (x, y) = (case::upload(gpu, "x", &x_values, width)?, gpu.array("y", outputs)?);
            let results = vec![Output::rows(&y, outputs, 4e-6, move || reference(&values, &x_values))];
            Ok(Prepared::new(1, results, move |plan, variant| matvec::record(plan, variant, &weight, &x, &y)))
        }));
    }
    all.extend([false, true].map(|buffer| gated(Format::Q4K, 51, 768, buffer)));
    // Plain ones lie in planes in textures alone.
    all.extend(Format::PLAIN.map(|format| case(Size::Odd, format, 103, 768, 40, false).software()));
    let bf16 = [gated(Format::Bf16, 51, 768, false), case(Size::Real, Format::Bf16, 4096, 3840, 4096, false)];
    all.extend(bf16.map(Case::software));
    all.extend(blocks().map(|format| case(Size::Real, format, 4096, 3840, 4096, false)));
    all
}
