//! What the experts that were chosen for a row make of it: `y[r, j] = gelu_tanh(G_e x_r) · (U_e x_r)` for its `top_k` experts
//! `e = ids[r, j]`, and then `y[r] = Σ_j shares[r, j] · D_e x_{r, j}`.
//!
//! `Gemma4TextExperts` of `modeling_gemma4.py` (transformers 5.23). The matrices of all experts lie one below another in one
//! [`Matrix`], whose blocks hold whole experts. Floor: the bytes of the chosen experts, for many rows of all of them. Shaders:
//! `shaders/experts.wgsl` for plain formats, `shaders/experts_blocks.wgsl` and `shaders/experts_blocks_wide.wgsl` (for textures)
//! for the others; the same with `experts_tiled` in front, and `shaders/experts_tiled_blocks_wide_subgroup.wgsl`, take eight
//! rows of an expert at a time, four rows of weights a lane.

use super::case::{self, Case, Output, Prepared, Size, noise, picks};
use super::route::Shape;
use super::{Format, Matrix, Variant, expert_tiles, gate, matvec, stride};
use crate::error::{Error, Result};
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::weights::layout::{GROUP, WORD};
use bytemuck::{Pod, Zeroable};

/// Uniform of the shaders.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Values of a result.
    pub outputs: u32,
    /// Vectors of four in a row of `x`, and of weights of a plain format.
    pub width4: u32,
    /// Groups of 32 weights in a row of a block format.
    pub groups: u32,
    /// Words of 16 bytes in such a row.
    pub row_words: u32,
    /// Rows of an expert's matrix: the outputs, or twice as many with a gate.
    pub expert_rows: u32,
    /// The first expert of the block.
    pub first_expert: u32,
    /// Experts of the block.
    pub experts: u32,
    /// Experts of a row.
    pub top_k: u32,
    /// Distance between rows of `y`.
    pub y_stride: u32,
    /// 1 if the sum is added to `y`.
    pub adds: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// The experts of each row, as [`route`](super::route) writes them.
#[derive(Debug)]
pub struct Chosen<'a> {
    /// How many of how many.
    pub shape: Shape,
    /// `[rows, top_k]`.
    pub ids: &'a Array<u32>,
    /// `[rows, top_k]`.
    pub shares: &'a Array<f32>,
    /// The rows of each expert, as [`expert_tiles`] writes them: for a prefill, which then reads experts once for eight rows.
    pub tiles: Option<&'a Array<u32>>,
}

impl Chosen<'_> {
    /// Rows of the sums of a row: with tiles each expert's part stands by itself.
    pub fn parts(&self) -> usize {
        if self.tiles.is_some() { self.shape.top_k } else { 1 }
    }
}

/// Records, over the rows of the replay, at most `most_rows`, the gated products of each row with its experts. `weight` holds
/// for each expert the rows of its gate and below them those of the other branch; rows of `y`, [`stride`]`(weight.rows /
/// num_experts / 2)` apart, are `top_k` for a row of `x`.
///
/// # Errors
/// [`Error::Length`] if an array is shorter than its shape in the shader, [`Error::Argument`] for a block that holds a part of
/// an expert.
pub fn record_gated(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    weight: &Matrix,
    chosen: &Chosen<'_>,
    most_rows: usize,
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    record(plan, variant, weight, chosen, true, most_rows, x, y)
}

/// Records, over the rows of the replay, at most `most_rows`, the sums of what a row's experts make of its `top_k` rows of
/// `x`, each as often as it counts: [`Chosen::parts`] rows of `y` for each row, which are still to be added up.
///
/// # Errors
/// As [`record_gated`].
pub fn record_sum(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    weight: &Matrix,
    chosen: &Chosen<'_>,
    most_rows: usize,
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    record(plan, variant, weight, chosen, false, most_rows, x, y)
}

#[expect(clippy::too_many_arguments, reason = "each is a different thing")]
fn record(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    weight: &Matrix,
    chosen: &Chosen<'_>,
    gated: bool,
    most_rows: usize,
    x: &Array<f32>,
    y: &Array<f32>,
) -> Result<()> {
    let Shape { num_experts, top_k } = chosen.shape;
    let expert_rows = weight.rows / num_experts.max(1);
    let outputs = if gated { expert_rows / 2 } else { expert_rows };
    let width = stride(weight.width);
    let slots = most_rows * top_k;
    let (x_rows, y_rows) = if gated { (most_rows, slots) } else { (slots, most_rows * chosen.parts()) };
    let [x, y] = [x.bind("x", x_rows * width)?, y.bind("y", y_rows * stride(outputs))?];
    let ids = match chosen.tiles {
        Some(tiles) => tiles.bind("tiles", expert_tiles::tiles_len(chosen.shape, most_rows))?,
        None => chosen.ids.bind("ids", slots)?,
    };
    let shares = chosen.shares.bind("shares", most_rows * top_k)?;
    for block in &weight.blocks {
        if !block.first_row.is_multiple_of(expert_rows) || !block.rows.is_multiple_of(expert_rows) {
            let problem = format!("have a block of {} rows, but experts have {expert_rows}", block.rows);
            return Err(Error::Argument { name: "weights", problem });
        }
        if block.is_laid() && !weight.width.is_multiple_of(GROUP) {
            let problem = format!("of {} lie in groups of {GROUP}, but a row has {}", block.format, weight.width);
            return Err(Error::Argument { name: "weights", problem });
        }
        let bytes = block.row_bytes(weight.width);
        let params = Params {
            outputs: outputs as u32,
            width4: (width / 4) as u32,
            groups: weight.width.div_ceil(GROUP) as u32,
            row_words: (bytes / WORD) as u32,
            expert_rows: expert_rows as u32,
            first_expert: (block.first_row / expert_rows) as u32,
            experts: (block.rows / expert_rows) as u32,
            top_k: top_k as u32,
            y_stride: stride(outputs) as u32,
            adds: (block.first_row > 0).into(),
            pad0: 0,
            pad1: 0,
        };
        let kernel = match (block.is_laid(), chosen.tiles) {
            (false, None) => "experts",
            (false, Some(_)) => "experts_tiled",
            (true, None) => "experts_blocks",
            (true, Some(_)) => "experts_tiled_blocks",
        };
        let shader = variant.of_block(block).shader(kernel, block.format)?;
        let binds = [block.bind(weight.width)?, x.clone(), ids.clone(), shares.clone(), y.clone()];
        // Of a block a row reads its part of the experts, and many rows read all of it.
        let share = |all: usize| (all * top_k / num_experts) as u64;
        let read = (block.rows * bytes) as u64;
        let cost = Cost {
            fixed_bytes: if chosen.tiles.is_some() { read } else { 0 },
            row_bytes: if chosen.tiles.is_some() { 0 } else { share(read as usize) } + (width * 4 + outputs * 4) as u64,
            row_flops: 2 * share(block.rows * weight.width),
        };
        // Software adapters compute a row in one lane faster than they add across lanes.
        let [workgroup, row_lanes] = if variant.wide || block.in_texture() { [8, 1] } else { [64, 16] };
        let across = |outputs: u32| outputs.div_ceil(workgroup / row_lanes).into();
        let grid: [Extent; 3] = match chosen.tiles {
            // A lane computes four rows of weights.
            Some(_) => {
                let fours = params.outputs.div_ceil(if gated { 2 } else { 4 });
                [across(fours), (expert_tiles::most_tiles(chosen.shape, most_rows) as u32).into(), 1.into()]
            }
            None => [across(params.outputs), Extent::ROWS, if gated { params.top_k } else { 1 }.into()],
        };
        let overrides = [("WG", workgroup), ("LANES", row_lanes), ("GATED", gated.into())];
        plan.dispatch(shader, &overrides, &params, &binds, grid, cost)?;
    }
    Ok(())
}

/// The same as [`record_gated`] on the CPU in f64, rows without gaps: `weight` holds `num_experts` matrices of rows of `width`
/// values, `ids` `top_k` for a row of `x`.
pub fn reference_gated(weight: &[f32], width: usize, shape: Shape, ids: &[u32], x: &[f32]) -> Vec<f32> {
    let expert_len = weight.len() / shape.num_experts;
    let product = |(slot, id): (usize, &u32)| {
        let row = &x[slot / shape.top_k * width..][..width];
        let gate_up = matvec::reference(&weight[*id as usize * expert_len..][..expert_len], row);
        gate::reference(&gate_up, gate_up.len() / 2)
    };
    ids.iter().enumerate().flat_map(product).collect()
}

/// The parts that [`record_sum`] adds up on the CPU in f64, rows without gaps, one for each of `ids` and `shares`.
pub fn reference_parts(weight: &[f32], width: usize, shape: Shape, ids: &[u32], shares: &[f32], x: &[f32]) -> Vec<f32> {
    let expert_len = weight.len() / shape.num_experts;
    let product = |(slot, id): (usize, &u32)| {
        let matrix = &weight[*id as usize * expert_len..][..expert_len];
        let share = f64::from(shares[slot]);
        let product = matvec::reference(matrix, &x[slot * width..][..width]);
        product.into_iter().map(move |value| (share * f64::from(value)) as f32)
    };
    ids.iter().enumerate().flat_map(product).collect()
}

/// Of rows of `parts` parts of `width` values their sums.
pub fn reference_sum(parts: usize, width: usize, x: &[f32]) -> Vec<f32> {
    let sum = |row: &[f32], i: usize| row.chunks(width).map(|part| f64::from(part[i])).sum::<f64>() as f32;
    x.chunks(parts * width).flat_map(|row| (0..width).map(move |i| sum(row, i))).collect()
}

/// What a case is of.
#[derive(Clone, Copy)]
struct Work {
    gated: bool,
    tiled: bool,
    rows: usize,
    shape: Shape,
    outputs: usize,
    width: usize,
}

fn work(size: Size, format: Format, work: Work, in_buffer: bool) -> Case {
    let Work { gated, tiled, rows, shape, outputs, width } = work;
    let Shape { num_experts, top_k } = shape;
    let what = if gated { "gated" } else { "summed" };
    let place = if in_buffer { "buffer of " } else { "" };
    let tiles = if tiled { " in tiles" } else { "" };
    let text = format!("{what} {place}{format} {outputs} × {width}, {top_k} of {num_experts}, {rows} rows{tiles}");
    Case::new("experts", size, text, move |gpu| {
        let expert_rows = if gated { 2 * outputs } else { outputs };
        // In two blocks, so that rows meet experts of both.
        let (all, block_rows) = (num_experts * expert_rows, num_experts.div_ceil(2) * expert_rows);
        let (weight, values) = if format.is_plain() {
            let values = noise(1, all * width);
            (case::matrix(gpu, format, &values, width, block_rows)?, case::rounded(format, &values))
        } else {
            let as_texture = gpu.capabilities().software && !in_buffer;
            case::block_matrix(gpu, format, 1, all, width, block_rows, as_texture)?
        };
        let (ids, shares) = (picks(2, rows * top_k, num_experts), noise(3, rows * top_k));
        let parts = if tiled { top_k } else { 1 };
        let (x_rows, y_rows) = if gated { (rows, rows * top_k) } else { (rows * top_k, rows * parts) };
        let x_values = noise(4, x_rows * width);
        let x = case::upload(gpu, "x", &x_values, width)?;
        let y = gpu.array("y", y_rows * stride(outputs))?;
        let (ids_on_gpu, shares_on_gpu) = (gpu.array_of("ids", &ids)?, gpu.array_of("shares", &shares)?);
        let tiles = match tiled {
            true => Some(gpu.array_of("tiles", &expert_tiles::reference(&ids, shape, rows))?),
            false => None,
        };
        let expected = move || match gated {
            true => reference_gated(&values, width, shape, &ids, &x_values),
            false => {
                let all = reference_parts(&values, width, shape, &ids, &shares, &x_values);
                reference_sum(top_k / parts, outputs, &all)
            }
        };
        let results = vec![Output::rows(&y, outputs, 1e-5, expected)];
        Ok(Prepared::new(rows, results, move |plan, variant| {
            let chosen = Chosen { shape, ids: &ids_on_gpu, shares: &shares_on_gpu, tiles: tiles.as_ref() };
            record(plan, variant, &weight, &chosen, gated, rows, &x, &y)
        }))
    })
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let (few, many) = (Shape { num_experts: 5, top_k: 2 }, Shape { num_experts: 16, top_k: 8 });
    let mut all = Vec::new();
    for (gated, tiled) in [(true, false), (false, false), (true, true), (false, true)] {
        let odd = Work { gated, tiled, rows: if tiled { 19 } else { 3 }, shape: few, outputs: 13, width: 67 };
        all.extend(Format::PLAIN.map(|format| work(Size::Odd, format, odd, false)));
        // Each format meets one end of an expert by rows and the other in tiles: shaders of tiles are slow to compile.
        let blocks = Format::all().filter(|format| !format.is_plain()).enumerate();
        let own = blocks.filter(|(place, _)| (place % 2 == 0) == (gated == tiled));
        all.extend(own.map(|(place, format)| work(Size::Odd, format, Work { width: 256, ..odd }, place % 3 == 0)));
        // Of the size with 26 billion weights, experts cut to what one binding holds everywhere.
        let (outputs, width) = if gated { (704, 2816) } else { (2816, 704) };
        let real = Work { gated, tiled, rows: if tiled { 32 } else { 1 }, shape: many, outputs, width };
        all.extend([Format::Bf16, Format::Q8_0, Format::Q4_0].map(|format| work(Size::Real, format, real, false)));
    }
    all
}
