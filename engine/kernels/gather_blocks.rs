//! [`gather`](super::gather) for tables of block formats, and of plain ones in textures.
//!
//! Floor: the rows, once in and once out. Shaders: `shaders/gather_blocks.wgsl`, `shaders/gather_blocks_wide.wgsl` (for
//! textures), once for each block of the table.

use super::case::{self, Case, Output, Prepared, Size, picks};
use super::gather::{self, Aliases};
use super::{Block, Format, Variant, matvec_blocks, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::weights::Rounding;
use crate::weights::layout::{GROUP, WORD};
use bytemuck::{Pod, Zeroable};

/// Uniform of the shaders.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Groups of 32 weights in a row.
    pub groups: u32,
    /// Words of 16 bytes in a row.
    pub row_words: u32,
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
    /// Values in a row.
    pub width: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// Records the rows of `block`, each `width` weights, over the rows of the replay, at most `most_rows`.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
#[expect(clippy::too_many_arguments, reason = "each is a different thing")]
pub fn record(
    plan: &mut PlanBuilder<'_>,
    block: &Block,
    width: usize,
    scale: f32,
    aliases: Aliases,
    most_rows: usize,
    ids: &Array<u32>,
    y: &Array<f32>,
) -> Result<()> {
    let bytes = block.row_bytes(width);
    let params = Params {
        groups: width.div_ceil(GROUP) as u32,
        row_words: (bytes / WORD) as u32,
        first_row: block.first_row as u32,
        block_rows: block.rows as u32,
        scale,
        alias0: aliases.ids[0],
        alias1: aliases.ids[1],
        alias2: aliases.ids[2],
        read_as: aliases.read_as,
        width: width as u32,
        pad0: 0,
        pad1: 0,
    };
    let binds = [block.bind(width)?, ids.bind("ids", most_rows)?, y.bind("y", most_rows * stride(width))?];
    // All blocks together move each row once.
    let first = block.first_row == 0;
    let cost = Cost {
        fixed_bytes: 0,
        row_bytes: if first { bytes + width * 4 } else { 0 } as u64 + 4,
        row_flops: if first { width as u64 } else { 0 },
    };
    let shader = Variant::default().of_block(block).shader("gather_blocks", block.format)?;
    let mut overrides = matvec_blocks::overrides(block.format, width);
    overrides.push(("WG", 64));
    plan.dispatch(shader, &overrides, &params, &binds, [Extent::ROWS, 1.into(), 1.into()], cost)
}

/// The same on the CPU in f64, the rows of the table as f32.
pub fn reference(table: &[f32], width: usize, ids: &[u32], scale: f32, aliases: Aliases) -> Vec<f32> {
    gather::reference(table, width, ids, scale, aliases)
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, format: Format, words: usize, width: usize, block_rows: usize, rows: usize, in_buffer: bool| {
        Case::new(
            "gather_blocks",
            size,
            format!("{}{format} {words} × {width}, {rows} rows", if in_buffer { "buffer of " } else { "" }),
            move |gpu| {
                let (table, values) = case::block_matrix(
                    gpu,
                    format,
                    1,
                    words,
                    width,
                    block_rows,
                    gpu.capabilities().software && !in_buffer,
                )?;
                let mut ids = picks(2, rows, words);
                ids[0] = words as u32 - 1;
                let aliases = Aliases { ids: [ids[0], 7, u32::MAX], read_as: 3 };
                let on_gpu = gpu.array_of("ids", &ids)?;
                let y = gpu.array("y", rows * width)?;
                let expected = move || reference(&values, width, &ids, 61.97, aliases);
                let outputs = vec![Output::rows(&y, width, 1e-6, expected)];
                Ok(Prepared::new(rows, outputs, move |plan, variant| {
                    gather::record(plan, variant, &table, 61.97, aliases, rows, &on_gpu, &y)
                }))
            },
        )
    };
    let blocks = || Format::all().filter(|format| !format.is_plain());
    let mut all: Vec<Case> = [false, true]
        .into_iter()
        .flat_map(|buffer| blocks().map(move |format| (format, buffer)))
        .map(|(format, buffer)| case(Size::Odd, format, 50, 768, 19, 7, buffer))
        .collect();
    // Plain ones lie in planes in textures alone.
    all.extend(Format::PLAIN.map(|format| case(Size::Odd, format, 50, 768, 19, 7, false).software()));
    for (ints, place) in case::some_ints() {
        let shape = format!("{place}{} 50 × {}, 7 rows", Format::Ints(ints), case::int_width(ints, 257));
        all.push(Case::new("gather_blocks", Size::Odd, shape, move |gpu| {
            let (rows, words, width) = (7, 50, case::int_width(ints, 257));
            let as_texture = gpu.capabilities().software && place.is_empty();
            let (table, values) = case::int_matrix(gpu, ints, 1, [words, width], 19, as_texture, Rounding::NONE)?;
            let ids = picks(2, rows, words);
            let on_gpu = gpu.array_of("ids", &ids)?;
            let y = gpu.array("y", rows * stride(width))?;
            let expected = move || reference(&values, width, &ids, 61.97, Aliases::NONE);
            let outputs = vec![Output::rows(&y, width, 1e-6, expected)];
            Ok(Prepared::new(rows, outputs, move |plan, variant| {
                gather::record(plan, variant, &table, 61.97, Aliases::NONE, rows, &on_gpu, &y)
            }))
        }));
    }
    all.extend([1, 512].map(|rows| case(Size::Real, Format::Q8_0, 4096, 3840, 4096, rows, false)));
    all
}
