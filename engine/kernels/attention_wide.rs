//! [`attention`](super::attention) of many rows for software adapters: scores, softmax and sums by themselves, tile by tile
//! of keys, so that keys and values come out of textures and queries and weights out of uniforms, which are read there
//! twenty times faster than workgroup memory or storage buffers.
//!
//! The same online softmax: over tiles t, `m = max(m, max s_t)`, `l = l · e^(m_before − m) + Σ e^(s_t − m)`, and the sums of
//! values likewise; `out = sums / l` behind the last tile. Shaders: `shaders/attention_wide_pack.wgsl`,
//! `shaders/attention_wide_scores.wgsl`, `shaders/attention_wide_softmax.wgsl`, `shaders/attention_wide_values.wgsl`, and
//! for subgroups `shaders/attention_wide_scores_subgroup.wgsl`, `shaders/attention_wide_values_subgroup.wgsl`.

use super::attention::{self, Arrays, PICTURES, Reach, case};
use super::case::{Case, Size};
use super::matvec_blocks::LONGEST_WINDOW;
use super::norm_rope::{Heads, Values};
use super::{Variant, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, Gpu, PlanBuilder, Words};
use crate::shaders;
use crate::weights::layout::{WORD, WOVEN};
use bytemuck::{Pod, Zeroable};

/// Queries of a key head that a lane works on at once.
const ITEMS: usize = 8;
/// Most keys of a tile.
const MOST_TILE: usize = 1024;

/// Uniform of the packing shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Pack {
    /// Places of the cache.
    pub slots: u32,
    /// Words of 16 bytes of a place: `num_kv_heads · width4`.
    pub row_words: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
}

/// Uniform of the softmax' shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Softmax {
    /// `num_attention_heads`.
    pub num_heads: u32,
    /// Places of the cache.
    pub slots: u32,
    /// Keys of a tile.
    pub tile: u32,
    /// First place of the tile.
    pub first_key: u32,
}

/// Uniform of the scores' and of the values' shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Tile {
    /// `num_attention_heads`.
    pub num_heads: u32,
    /// Query heads of a key head.
    pub group: u32,
    /// Vectors of four in a head.
    pub width4: u32,
    /// Words of 16 bytes of a place.
    pub row_words: u32,
    /// Places of the cache.
    pub slots: u32,
    /// 0 for none.
    pub window: u32,
    /// 1 if rows see from and to their ends.
    pub sees_ends: u32,
    /// Keys of a tile.
    pub tile: u32,
    /// First place of the tile.
    pub first_key: u32,
    /// First row of the window.
    pub first_row: u32,
    /// 1 for the last tile.
    pub last: u32,
    /// Distance between rows of `out`.
    pub out_stride: u32,
    /// Values of a head.
    pub head_dim: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
    /// Zero.
    pub pad2: u32,
}

/// Memory on the way from scores to sums, shared by all layers.
#[derive(Debug)]
pub struct Scratch {
    k: Words,
    v: Words,
    scores: Array<f32>,
    stats: Array<[f32; 4]>,
    sums: Array<f32>,
}

/// How the queries of a layer are cut.
#[derive(Clone, Copy)]
struct Cut {
    /// Rows of a workgroup: those of [`ITEMS`] queries of a key head.
    rows: usize,
    /// Rows of a window of queries, and of one of weights.
    window_rows: [usize; 2],
    /// Keys of a tile.
    tile: usize,
}

/// `None` if they cannot be.
fn cut(heads: &Heads) -> Option<Cut> {
    let group = heads.num_heads / heads.num_kv_heads;
    let rows = ITEMS.checked_div(group).filter(|rows| rows * group == ITEMS)?;
    let vectors = rows * heads.num_heads;
    let tile = (LONGEST_WINDOW / vectors).min(MOST_TILE) / 16 * 16;
    let values = [stride(heads.head_dim), tile];
    let window_rows = values.map(|values| LONGEST_WINDOW.checked_div(vectors * values).unwrap_or(0) * rows);
    window_rows.iter().all(|rows| *rows > 0).then_some(Cut { rows, window_rows, tile })
}

impl Scratch {
    /// Memory for layers of these heads and places of the cache, and up to `most_rows` rows; `None` where no layer can be
    /// computed this way.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub fn new(gpu: &Gpu, layers: &[(Heads, usize)], most_rows: usize) -> Result<Option<Scratch>> {
        let rows = most_rows.next_multiple_of(ITEMS);
        // The most that a layer takes of each.
        let (mut words, mut scores, mut stats, mut sums) = (0, 0, 0, 0);
        for (heads, slots) in layers {
            let Some(Cut { tile, .. }) = cut(heads) else { continue };
            words = words.max(slots.next_multiple_of(WOVEN) * row_words(heads));
            scores = scores.max(rows * heads.num_heads * tile);
            stats = stats.max(rows * heads.num_heads);
            sums = sums.max(rows * heads.num_heads * stride(heads.head_dim));
        }
        if words == 0 {
            return Ok(None);
        }
        Ok(Some(Scratch {
            k: gpu.words("keys of a layer", words, true)?,
            v: gpu.words("values of a layer", words, true)?,
            scores: gpu.rows("scores", scores)?,
            stats: gpu.array("softmax", stats)?,
            sums: gpu.array("sums of values", sums)?,
        }))
    }
}

fn row_words(heads: &Heads) -> usize {
    heads.num_kv_heads * stride(heads.head_dim) / 4
}

/// Whether the queries of such a layer can be computed this way.
pub fn fits(heads: &Heads) -> bool {
    cut(heads).is_some()
}

/// Records the attention of the rows of the replay. `q` can be read through windows.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shaders.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    variant: Variant,
    heads: &Heads,
    reach: Reach,
    [slots, most_rows]: [usize; 2],
    arrays: &Arrays<'_>,
    scratch: &Scratch,
) -> Result<()> {
    let Some(Cut { rows: group_rows, window_rows: [q_rows, weight_rows], tile }) = cut(heads) else {
        return attention::record(plan, heads, reach, slots, most_rows, arrays);
    };
    let (padded, row_words) = (stride(heads.head_dim), row_words(heads));
    let out_stride = stride(heads.num_heads * heads.head_dim);
    let rows = most_rows.next_multiple_of(ITEMS);
    let cache = slots * heads.num_kv_heads * padded;
    let step = || arrays.step.bind("step", 2);
    let ends = || arrays.ends.bind("ends", most_rows);
    let k = scratch.k.bind("k", slots.next_multiple_of(WOVEN) * row_words * WORD)?;
    let v = scratch.v.bind("v", slots * row_words * WORD)?;

    let groups = (slots * row_words).div_ceil(64);
    let across = groups.min(32_768);
    let grid: [Extent; 3] = [(across as u32).into(), (groups.div_ceil(across) as u32).into(), 1.into()];
    let params = Pack { slots: slots as u32, row_words: row_words as u32, pad0: 0, pad1: 0 };
    let caches = [arrays.k_cache.bind("k_cache", cache)?, arrays.v_cache.bind("v_cache", cache)?];
    let [k_cache, v_cache] = caches;
    let binds = [k_cache, v_cache, step()?, k.clone(), v.clone()];
    plan.dispatch(&shaders::ATTENTION_WIDE_PACK, &[], &params, &binds, grid, Cost::default())?;

    let (scores, values) = match variant.wide && variant.subgroup {
        true => (&shaders::ATTENTION_WIDE_SCORES_SUBGROUP, &shaders::ATTENTION_WIDE_VALUES_SUBGROUP),
        false => (&shaders::ATTENTION_WIDE_SCORES, &shaders::ATTENTION_WIDE_VALUES),
    };
    let tiles = slots.div_ceil(tile);
    let pairs = (heads.num_heads * heads.head_dim) as u64;
    for index in 0..tiles {
        let first_key = index * tile;
        // The ring is full in the long run; which part of it a row sees is left out.
        let keys = tile.min(slots - first_key) as u64;
        let cost = Cost { row_flops: 2 * pairs * keys, ..Cost::default() };
        let kv_heads: Extent = (heads.num_kv_heads as u32).into();
        let groups = Extent::Rows { times: 1, tile: group_rows as u32 };

        let params = |first_row: usize| Tile {
            num_heads: heads.num_heads as u32,
            group: (heads.num_heads / heads.num_kv_heads) as u32,
            width4: (padded / 4) as u32,
            row_words: row_words as u32,
            slots: slots as u32,
            window: reach.window.unwrap_or(0) as u32,
            sees_ends: u32::from(reach.sees_ends),
            tile: tile as u32,
            first_key: first_key as u32,
            first_row: first_row as u32,
            last: u32::from(index + 1 == tiles),
            out_stride: out_stride as u32,
            head_dim: heads.head_dim as u32,
            pad0: 0,
            pad1: 0,
            pad2: 0,
        };
        let windows = |rows_each: usize| (0..rows).step_by(rows_each).map(params).collect::<Vec<Tile>>();
        let q = arrays.q.bind_window("q", most_rows * heads.num_heads * padded)?;
        let len = rows * heads.num_heads * tile;
        let binds = [k.clone(), q, step()?, ends()?, scratch.scores.bind("scores", len)?];
        let grid = [(keys.div_ceil(16) as u32).into(), kv_heads, groups];
        let row_bytes = heads.num_heads * padded * 4;
        plan.dispatch_windows(scores, &[], &windows(q_rows), q_rows, row_bytes, &binds, grid, cost)?;

        let softmax = Softmax {
            num_heads: heads.num_heads as u32,
            slots: slots as u32,
            tile: tile as u32,
            first_key: first_key as u32,
        };
        let stats = || scratch.stats.bind("stats", rows * heads.num_heads);
        let binds = [step()?, scratch.scores.bind("scores", len)?, stats()?];
        let grid = [Extent::ROWS, (heads.num_heads as u32).into(), 1.into()];
        plan.dispatch(&shaders::ATTENTION_WIDE_SOFTMAX, &[], &softmax, &binds, grid, Cost::default())?;

        let binds = [
            v.clone(),
            scratch.scores.bind_window("weights", len)?,
            step()?,
            ends()?,
            stats()?,
            scratch.sums.bind("sums", rows * heads.num_heads * padded)?,
            arrays.out.bind("out", most_rows * out_stride)?,
        ];
        let grid = [((padded / 4).div_ceil(8) as u32).into(), kv_heads, groups];
        let row_bytes = heads.num_heads * tile * 4;
        plan.dispatch_windows(values, &[], &windows(weight_rows), weight_rows, row_bytes, &binds, grid, cost)?;
    }
    Ok(())
}

/// The same on the CPU: [`attention::reference`].
pub fn reference(heads: &Heads, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f32> {
    attention::reference(heads, q, k, v)
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let heads = |num_heads, num_kv_heads, head_dim| Heads { num_heads, num_kv_heads, head_dim, values: Values::Plain };
    let everything = Reach { window: None, sees_ends: false };
    let case =
        |size, heads, reach, rows, position| case("attention_wide", size, heads, reach, rows, position).software();
    vec![
        case(Size::Odd, heads(8, 2, 38), Reach { window: Some(19), sees_ends: true }, 7, 30),
        case(Size::Odd, heads(4, 4, 30), PICTURES, 11, 0),
        case(Size::Odd, heads(4, 4, 30), everything, 3, 1300),
        case(Size::Real, heads(16, 8, 256), Reach { window: Some(1024), sees_ends: false }, 16, 1008),
        case(Size::Large, heads(16, 8, 256), Reach { window: Some(1024), sees_ends: false }, 256, 768),
    ]
}
