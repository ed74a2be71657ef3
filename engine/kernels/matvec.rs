//! A weight matrix times one vector, `y[n] = Σ weight[n, k] · x[k]`: the projections of a decode step.
//!
//! Floor: the bytes of the matrix, once. Shaders: `shaders/matvec.wgsl`, `shaders/matvec_subgroup.wgsl`; of matrices in
//! textures and of block formats those of [`matvec_blocks`].

use super::case::{self, Case, Output, Prepared, Size, noise};
use super::fake_quant::Inputs;
use super::{Format, Matrix, Variant, gate, matvec_blocks, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use bytemuck::{Pod, Zeroable};

/// Uniform of the shaders.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Rows of the block.
    pub rows: u32,
    /// Vectors of four in a row.
    pub width4: u32,
    /// Place of the block's first row in `y`.
    pub first: u32,
    /// Zero.
    pub pad: u32,
}

/// Lanes of a workgroup, and lanes that share a row in the baseline.
const LANES: [u32; 2] = [64, 16];

/// Records one dispatch a block: `y[0 .. weight.rows] = weight · x`. `x` holds [`stride`]`(weight.width)` values.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    weight: &Matrix,
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let width = stride(weight.width);
    let [workgroup, row_lanes] = LANES;
    let mut inputs = Inputs::new(x, weight.width, 1);
    for block in &weight.blocks {
        if block.is_laid() {
            let x = inputs.rounded(plan, block.rounding.input)?;
            matvec_blocks::record(plan, variant, block, weight.width, &x, y)?;
            continue;
        }
        let variant = variant.of_block(block);
        let shader = variant.shader("matvec", block.format)?;
        let (rows_of_group, overrides): (usize, &[(&'static str, u32)]) = match variant.subgroup {
            true => (4, &[("WG", 64)]),
            false => ((workgroup / row_lanes) as usize, &[("WG", workgroup), ("LANES", row_lanes)]),
        };
        let params =
            Params { rows: block.rows as u32, width4: (width / 4) as u32, first: block.first_row as u32, pad: 0 };
        let binds = [block.bind(weight.width)?, x.bind("x", width)?, y.bind("y", weight.rows)?];
        let cost = Cost {
            fixed_bytes: (block.rows * block.row_bytes(weight.width)) as u64,
            row_bytes: (width + block.rows) as u64 * 4,
            row_flops: 2 * (block.rows * weight.width) as u64,
        };
        let groups = block.rows.div_ceil(rows_of_group);
        let across = groups.min(32_768);
        let grid: [Extent; 3] = [(across as u32).into(), (groups.div_ceil(across) as u32).into(), 1.into()];
        plan.dispatch(shader, overrides, &params, &binds, grid, cost)?;
    }
    Ok(())
}

/// Records `y = gelu_tanh(gate) · up` where the first half of the rows of `weight` makes the gate and the second the other
/// branch: in one dispatch where the matrix is one block that lies in planes, else by way of `gate_up`.
///
/// # Errors
/// As [`record`].
pub fn record_gated(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    weight: &Matrix,
    x: &Array<f32>,
    gate_up: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    match &weight.blocks[..] {
        [block] if block.is_laid() => {
            let x = Inputs::new(x, weight.width, 1).rounded(plan, block.rounding.input)?;
            matvec_blocks::record_gated(plan, variant, block, weight.width, &x, y)
        }
        _ => {
            record(plan, variant, weight, x, gate_up)?;
            gate::record_joint(plan, weight.rows / 2, 1, gate_up, y)
        }
    }
}

/// The same on the CPU in f64: `weight` holds rows of `x.len()` values.
pub fn reference(weight: &[f32], x: &[f32]) -> Vec<f32> {
    let dot = |row: &[f32]| row.iter().zip(x).map(|(w, v)| f64::from(*w) * f64::from(*v)).sum::<f64>() as f32;
    weight.chunks_exact(x.len()).map(dot).collect()
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, format: Format, outputs: usize, width: usize, block_rows: usize| {
        Case::new("matvec", size, format!("{} {outputs} × {width}", format.name()), move |gpu| {
            let weight = case::matrix(gpu, format, &noise(1, outputs * width), width, block_rows)?;
            let values = noise(2, width);
            let (x, y) = (case::upload(gpu, "x", &values, width)?, gpu.array("y", stride(outputs))?);
            let expected = move || reference(&case::rounded(format, &noise(1, outputs * width)), &values);
            let results = vec![Output::rows(&y, outputs, 2e-6, expected)];
            Ok(Prepared::new(1, results, move |plan, variant| record(plan, variant, &weight, &x, &y)))
        })
    };
    let mut all: Vec<Case> = Format::PLAIN.iter().map(|format| case(Size::Odd, *format, 101, 257, 40)).collect();
    all.push(case(Size::Real, Format::F32, 8192, 3840, 8192));
    all.push(case(Size::Real, Format::F16, 15_360, 3840, 15_360));
    all.extend([(4096, 3840), (15_360, 3840), (3840, 15_360)].map(|(n, k)| case(Size::Real, Format::Bf16, n, k, n)));
    all
}
