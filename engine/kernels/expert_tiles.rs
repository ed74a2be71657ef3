//! The rows of each expert in tiles of eight, so that a prefill reads an expert's matrix once for eight rows.
//!
//! A slot is a row and one of its experts, `row · top_k + j`. Floor: the ids once for each expert. Shader:
//! `shaders/expert_tiles.wgsl`.

use super::case::{Case, Output, Prepared, Size, picks};
use super::route::{MOST_EXPERTS, Shape};
use crate::error::{Error, Result};
use crate::gpu::{Array, Cost, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Slots of a tile.
pub const TILE: usize = 8;
/// In place of an expert or a slot that is not there.
pub const NONE: u32 = u32::MAX;

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Experts there are.
    pub experts: u32,
    /// Experts of a row.
    pub top_k: u32,
    /// Tiles there is room for.
    pub most_tiles: u32,
    /// Zero.
    pub pad: u32,
}

/// Tiles of `most_rows` rows however they are spread: full ones, and a last one of each expert.
pub fn most_tiles(shape: Shape, most_rows: usize) -> usize {
    let slots = most_rows * shape.top_k;
    (slots / TILE + shape.num_experts).min(slots)
}

/// Values that the tiles of `most_rows` rows take.
pub fn tiles_len(shape: Shape, most_rows: usize) -> usize {
    most_tiles(shape, most_rows) * (TILE + 1)
}

/// Records one dispatch over the rows of the replay, whose number is `step[1]`, at most `most_rows`: `tiles` of an expert
/// and its slots each.
///
/// # Errors
/// [`Error::Length`] if an array is shorter than its shape in the shader, [`Error::Argument`] for more than
/// [`MOST_EXPERTS`].
pub fn record(
    plan: &mut PlanBuilder<'_>,
    shape: Shape,
    most_rows: usize,
    ids: &Array<u32>,
    step: &Array<u32>,
    tiles: &Array<u32>,
) -> Result<()> {
    let Shape { num_experts, top_k } = shape;
    if num_experts > MOST_EXPERTS {
        let problem = format!("is {num_experts}, at most {MOST_EXPERTS} are allowed");
        return Err(Error::Argument { name: "num_experts", problem });
    }
    let binds =
        [ids.bind("ids", most_rows * top_k)?, step.bind("step", 2)?, tiles.bind("tiles", tiles_len(shape, most_rows))?];
    let most_tiles = most_tiles(shape, most_rows) as u32;
    let params = Params { experts: num_experts as u32, top_k: top_k as u32, most_tiles, pad: 0 };
    let cost = Cost {
        fixed_bytes: u64::from(most_tiles) * 4,
        row_bytes: (2 * top_k) as u64 * 4,
        row_flops: (num_experts * top_k) as u64,
    };
    plan.dispatch(&shaders::EXPERT_TILES, &[("WG", 128)], &params, &binds, [1.into(); 3], cost)
}

/// The same on the CPU; what is in tiles behind the last one but their expert is left open and [`NONE`] here.
pub fn reference(ids: &[u32], shape: Shape, most_rows: usize) -> Vec<u32> {
    let mut tiles = Vec::new();
    for expert in 0..shape.num_experts as u32 {
        let slots: Vec<u32> = (0..ids.len()).filter(|slot| ids[*slot] == expert).map(|slot| slot as u32).collect();
        for tile in slots.chunks(TILE) {
            tiles.push(expert);
            tiles.extend(tile);
            tiles.resize(tiles.len().next_multiple_of(TILE + 1), NONE);
        }
    }
    tiles.resize(tiles_len(shape, most_rows), NONE);
    tiles
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, rows: usize, num_experts: usize, top_k: usize| {
        Case::new("expert_tiles", size, format!("{top_k} of {num_experts}, {rows} rows"), move |gpu| {
            let shape = Shape { num_experts, top_k };
            let values = picks(1, rows * top_k, num_experts);
            let (ids, step) = (gpu.array_of("ids", &values)?, gpu.array_of("step", &[7, rows as u32])?);
            let tiles = gpu.array("tiles", tiles_len(shape, rows))?;
            let before = vec![NONE; tiles.len()];
            let outputs = vec![Output::exact(&tiles, before, reference(&values, shape, rows))];
            Ok(Prepared::new(rows, outputs, move |plan, _| record(plan, shape, rows, &ids, &step, &tiles)))
        })
    };
    vec![case(Size::Odd, 33, 7, 3), case(Size::Real, 256, 128, 8)]
}
