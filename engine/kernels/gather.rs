//! Rows of a table by number, `y[r] = scale · table[ids[r]]`: token ids to embeddings; some ids are read as another one.
//!
//! Floor: the rows, once in and once out. Shader: `shaders/gather.wgsl`, once for each block of the table.

use super::case::{self, Case, Output, Prepared, Size, noise, picks};
use super::{Format, Matrix, Variant, gather_blocks, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Values in a row.
    pub width: u32,
    /// Vectors of four from row to row.
    pub width4: u32,
    /// Place of the block's first row in the table.
    pub first_row: u32,
    /// Rows of the block.
    pub block_rows: u32,
    /// Factor on every value.
    pub scale: f32,
    /// Read as `read_as`.
    pub alias0: u32,
    /// Read as `read_as`.
    pub alias1: u32,
    /// Read as `read_as`.
    pub alias2: u32,
    /// The id that aliases are read as.
    pub read_as: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
    /// Zero.
    pub pad2: u32,
}

/// Ids that are read as another one: placeholders of media as padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aliases {
    /// Those.
    pub ids: [u32; 3],
    /// The other one.
    pub read_as: u32,
}

impl Aliases {
    /// Every id stands for itself.
    pub const NONE: Aliases = Aliases { ids: [u32::MAX; 3], read_as: 0 };

    fn resolve(self, id: u32) -> u32 {
        if self.ids.contains(&id) { self.read_as } else { id }
    }
}

/// Records one dispatch a block of `table` over the rows of the replay, at most `most_rows`. Every id is below
/// `table.rows`; a row of `y` whose id is not stays as it was.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
#[expect(clippy::too_many_arguments, reason = "each is a different thing")]
pub fn record(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    table: &Matrix,
    scale: f32,
    aliases: Aliases,
    most_rows: usize,
    ids: &Array<u32>,
    y: &Array<f32>,
) -> Result<()> {
    let width = stride(table.width);
    for (index, block) in table.blocks.iter().enumerate() {
        if block.is_laid() {
            gather_blocks::record(plan, block, table.width, scale, aliases, most_rows, ids, y)?;
            continue;
        }
        let shader = variant.of_block(block).shader("gather", block.format)?;
        let params = Params {
            width: table.width as u32,
            width4: (width / 4) as u32,
            first_row: block.first_row as u32,
            block_rows: block.rows as u32,
            scale,
            alias0: aliases.ids[0],
            alias1: aliases.ids[1],
            alias2: aliases.ids[2],
            read_as: aliases.read_as,
            pad0: 0,
            pad1: 0,
            pad2: 0,
        };
        let binds = [block.bind(table.width)?, ids.bind("ids", most_rows)?, y.bind("y", most_rows * width)?];
        // All blocks together move each row once.
        let row_bytes = if index == 0 { table.width * (block.format.block_bytes() + 4) } else { 0 };
        let cost = Cost {
            fixed_bytes: 0,
            row_bytes: row_bytes as u64 + 4,
            row_flops: if index == 0 { table.width as u64 } else { 0 },
        };
        let grid = [Extent::ROWS, 1.into(), 1.into()];
        plan.dispatch(shader, &[("WG", 64)], &params, &binds, grid, cost)?;
    }
    Ok(())
}

/// The same on the CPU in f64: `table` holds rows of `width` values, without gaps.
pub fn reference(table: &[f32], width: usize, ids: &[u32], scale: f32, aliases: Aliases) -> Vec<f32> {
    let row = |id: &u32| &table[aliases.resolve(*id) as usize * width..][..width];
    ids.iter().flat_map(|id| row(id).iter().map(|v| (f64::from(*v) * f64::from(scale)) as f32)).collect()
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, format: Format, words: usize, width: usize, block_rows: usize, rows: usize| {
        let shape = format!("{} {words} × {width}, {rows} rows", format.name());
        Case::new("gather", size, shape, move |gpu| {
            let values = case::rounded(format, &noise(1, words * width));
            let table = case::matrix(gpu, format, &values, width, block_rows)?;
            let mut ids = picks(2, rows, words);
            ids[0] = words as u32 - 1;
            let aliases = Aliases { ids: [ids[0], 7, u32::MAX], read_as: 3 };
            let on_gpu = gpu.array_of("ids", &ids)?;
            let y = gpu.array("y", rows * stride(width))?;
            // Of a large table only the rows that are read are kept.
            let mut kept: Vec<u32> = ids.iter().map(|id| aliases.resolve(*id)).collect();
            kept.dedup();
            let small: Vec<f32> =
                kept.iter().flat_map(|id| &values[*id as usize * width..][..width]).copied().collect();
            let places: Vec<u32> = ids
                .iter()
                .map(|id| kept.iter().position(|k| *k == aliases.resolve(*id)).unwrap_or_default() as u32)
                .collect();
            let expected = move || reference(&small, width, &places, 61.97, Aliases::NONE);
            let outputs = vec![Output::rows(&y, width, 1e-7, expected)];
            Ok(Prepared::new(rows, outputs, move |plan, variant| {
                record(plan, variant, &table, 61.97, aliases, rows, &on_gpu, &y)
            }))
        })
    };
    let mut all: Vec<Case> = Format::PLAIN.iter().map(|format| case(Size::Odd, *format, 50, 257, 19, 7)).collect();
    all.extend([1, 512].map(|rows| case(Size::Real, Format::Bf16, 16_384, 3840, 16_384, rows)));
    all
}
