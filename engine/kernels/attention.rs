//! Attention of new rows over the cache: `out = softmax(q kᵀ) v` with grouped queries, a sliding window, and blocks
//! whose rows see each other both ways.
//!
//! Online softmax (Milakov & Gimelshein 2018) over tiles of 256 keys, four queries of one key head a workgroup; for a
//! decode step the cache is split over workgroups and merged after (Dao et al. 2023, Flash-Decoding). Floor: keys and
//! values in reach, once for four queries. Shaders: `shaders/attention.wgsl`, `shaders/attention_merge.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::norm_rope::{Heads, Values};
use super::{attention_wide, stride};
use crate::error::{Error, Result};
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Greatest `head_dim`: two columns of four values a lane.
pub const MOST_HEAD_DIM: usize = 512;
/// Parts of the cache in a decode step.
pub const SPLITS: usize = 8;
const ITEMS: usize = 4;

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// `num_attention_heads`.
    pub num_heads: u32,
    /// `num_key_value_heads`.
    pub num_kv_heads: u32,
    /// `head_dim`.
    pub head_dim: u32,
    /// Vectors of four from head to head.
    pub width4: u32,
    /// Places of the cache.
    pub slots: u32,
    /// `sliding_window`; 0 if everything before is seen.
    pub window: u32,
    /// 1 if rows see from and to their entry in `ends`.
    pub sees_ends: u32,
    /// Distance between rows of `out`.
    pub out_stride: u32,
}

/// Uniform of the merging shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Merge {
    /// `num_attention_heads`.
    pub num_heads: u32,
    /// `head_dim`.
    pub head_dim: u32,
    /// Vectors of four from head to head.
    pub width4: u32,
    /// Parts.
    pub splits: u32,
    /// Distance between rows of `out`.
    pub out_stride: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
    /// Zero.
    pub pad2: u32,
}

/// Which earlier and later positions a row sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Position j is seen from position i only if `j > i - window`.
    pub window: Option<usize>,
    /// A row sees nothing before the first of its two entries in `ends`, and the positions after its own up to the second.
    pub sees_ends: bool,
}

/// What the dispatch reads and writes, shapes as in the shader.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// Queries.
    pub q: &'a Array<f32>,
    /// Keys.
    pub k_cache: &'a Array<f32>,
    /// Values.
    pub v_cache: &'a Array<f32>,
    /// The step's numbers: position, rows.
    pub step: &'a Array<u32>,
    /// First and last position seen by each row.
    pub ends: &'a Array<[u32; 2]>,
    /// Partial sums, [`partial_len`] values; used by [`record_split`].
    pub partial: &'a Array<f32>,
    /// `[rows, stride(num_heads * head_dim)]`.
    pub out: &'a Array<f32>,
}

/// Values of the partial sums of one row.
pub fn partial_len(heads: &Heads) -> usize {
    heads.num_heads * SPLITS * (4 + stride(heads.head_dim))
}

/// Records the attention of the rows of the replay in one dispatch.
///
/// # Errors
/// [`Error::Length`] if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    heads: &Heads,
    reach: Reach,
    slots: usize,
    most_rows: usize,
    arrays: &Arrays<'_>,
) -> Result<()> {
    dispatch(plan, heads, reach, slots, most_rows, 1, arrays, arrays.out)
}

/// Records the attention of a replay of one row: [`SPLITS`] parts, then their merge.
///
/// # Errors
/// As [`record`].
pub fn record_split(
    plan: &mut PlanBuilder<'_>,
    heads: &Heads,
    reach: Reach,
    slots: usize,
    arrays: &Arrays<'_>,
) -> Result<()> {
    dispatch(plan, heads, reach, slots, 1, SPLITS, arrays, arrays.partial)?;
    let width = heads.num_heads * heads.head_dim;
    let binds = [arrays.partial.bind("partial", partial_len(heads))?, arrays.out.bind("out", width)?];
    let params = Merge {
        num_heads: heads.num_heads as u32,
        head_dim: heads.head_dim as u32,
        width4: (stride(heads.head_dim) / 4) as u32,
        splits: SPLITS as u32,
        out_stride: stride(width) as u32,
        pad0: 0,
        pad1: 0,
        pad2: 0,
    };
    let grid = [Extent::ROWS, (heads.num_heads as u32).into(), 1.into()];
    let cost = Cost { row_bytes: (partial_len(heads) + width) as u64 * 4, ..Cost::default() };
    plan.dispatch(&shaders::ATTENTION_MERGE, &[("WG", 64)], &params, &binds, grid, cost)
}

#[expect(clippy::too_many_arguments, reason = "the two ways of recording differ in their last three")]
fn dispatch(
    plan: &mut PlanBuilder<'_>,
    heads: &Heads,
    reach: Reach,
    slots: usize,
    most_rows: usize,
    splits: usize,
    arrays: &Arrays<'_>,
    out: &Array<f32>,
) -> Result<()> {
    let padded = stride(heads.head_dim);
    if heads.head_dim > MOST_HEAD_DIM {
        let problem = format!("is {}, at most {MOST_HEAD_DIM} is supported", heads.head_dim);
        return Err(Error::Argument { name: "head_dim", problem });
    }
    let cache = slots * heads.num_kv_heads * padded;
    let out_stride = stride(heads.num_heads * heads.head_dim);
    let out_len = if splits > 1 { partial_len(heads) } else { most_rows * out_stride };
    let binds = [
        arrays.q.bind("q", most_rows * heads.num_heads * padded)?,
        arrays.k_cache.bind("k_cache", cache)?,
        arrays.v_cache.bind("v_cache", cache)?,
        arrays.step.bind("step", 2)?,
        arrays.ends.bind("ends", most_rows)?,
        out.bind("out", out_len)?,
    ];
    let params = Params {
        num_heads: heads.num_heads as u32,
        num_kv_heads: heads.num_kv_heads as u32,
        head_dim: heads.head_dim as u32,
        width4: (padded / 4) as u32,
        slots: slots as u32,
        window: reach.window.unwrap_or(0) as u32,
        sees_ends: u32::from(reach.sees_ends),
        out_stride: out_stride as u32,
    };
    let group = (heads.num_heads / heads.num_kv_heads) as u32;
    let items = Extent::Rows { times: group, tile: ITEMS as u32 };
    let grid = [items, (heads.num_kv_heads as u32).into(), (splits as u32).into()];
    let used = if most_rows == 1 { group.min(ITEMS as u32) } else { ITEMS as u32 };
    let overrides = [("SPLITS", splits as u32), ("Q_TILE", (ITEMS * padded / 4) as u32), ("USED", used)];
    // How much of the cache a row reads depends on its position; the floor without it is all that is known here.
    let cost = Cost { row_bytes: (heads.num_heads * heads.head_dim * 8) as u64, ..Cost::default() };
    plan.dispatch(&shaders::ATTENTION, &overrides, &params, &binds, grid, cost)
}

/// The same on the CPU in f64 for one row: `q` holds the heads, `k` and `v` the seen positions `[seen, num_kv_heads,
/// head_dim]`.
pub fn reference(heads: &Heads, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f32> {
    let (dim, row) = (heads.head_dim, heads.num_kv_heads * heads.head_dim);
    let group = heads.num_heads / heads.num_kv_heads;
    let mut out = Vec::with_capacity(heads.num_heads * dim);
    for (head, query) in q.chunks_exact(dim).enumerate() {
        let column = head / group * dim;
        let of = |all: &[f32], j: usize| -> Vec<f64> {
            all[j * row + column..j * row + column + dim].iter().map(|x| f64::from(*x)).collect()
        };
        let scores: Vec<f64> =
            (0..k.len() / row).map(|j| of(k, j).iter().zip(query).map(|(k, q)| k * f64::from(*q)).sum()).collect();
        let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|s| (s - greatest).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mut sums = vec![0.0; dim];
        for (j, weight) in weights.iter().enumerate() {
            sums.iter_mut().zip(of(v, j)).for_each(|(sum, v)| *sum += weight * v);
        }
        out.extend(sums.iter().map(|sum| (sum / total) as f32));
    }
    out
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let heads = |num_heads, num_kv_heads, head_dim| Heads { num_heads, num_kv_heads, head_dim, values: Values::Normed };
    let everything = Reach { window: None, sees_ends: false };
    let window = |window| Reach { window: Some(window), sees_ends: false };
    vec![
        case("attention", Size::Odd, heads(5, 1, 38), everything, 3, 300),
        case("attention", Size::Odd, heads(6, 2, 38), Reach { window: Some(19), sees_ends: true }, 7, 30),
        case("attention", Size::Odd, heads(6, 2, 38), PICTURES, 7, 0),
        case("attention", Size::Odd, heads(6, 2, 38), everything, 1, 600),
        case("attention", Size::Real, heads(16, 8, 256), window(1024), 1, 2047),
        case("attention", Size::Real, heads(16, 8, 512), everything, 1, 511),
        case("attention", Size::Real, heads(16, 8, 512), everything, 1, 2047),
        case("attention", Size::Real, heads(16, 8, 256), window(1024), 16, 1008),
        case("attention", Size::Large, heads(16, 8, 256), window(1024), 256, 768),
    ]
}

/// Rows see those of their own picture alone, in [`case`] one of four rows.
pub(super) const PICTURES: Reach = Reach { window: None, sees_ends: true };

/// `rows` rows after `position` positions; one row as a decode step has it, in parts and merged.
pub(super) fn case(kernel: &'static str, size: Size, heads: Heads, reach: Reach, rows: usize, position: usize) -> Case {
    let Heads { num_heads, num_kv_heads: kv, head_dim: dim, .. } = heads;
    let limit = match reach.window {
        Some(window) => format!(", window {window}"),
        None if reach.sees_ends => ", pictures of 4".into(),
        None => String::new(),
    };
    let shape = format!("{num_heads}/{kv} heads of {dim}, {rows} at {position}{limit}");
    Case::new(kernel, size, shape, move |gpu| {
        let slots = position + rows;
        let queries = noise(1, rows * num_heads * dim);
        // Scores of the same size whatever the head.
        let keys: Vec<f32> = noise(2, slots * kv * dim).iter().map(|v| v * 6.0 / (dim as f32).sqrt()).collect();
        let values = noise(3, slots * kv * dim);
        let q = upload(gpu, "q", &queries, dim)?;
        let (k_cache, v_cache) = (upload(gpu, "k_cache", &keys, dim)?, upload(gpu, "v_cache", &values, dim)?);
        let step = gpu.array_of("step", &[position as u32, rows as u32])?;
        let last = position + rows - 1;
        let both = move |row: usize| match reach.window {
            Some(_) => [0, last],
            None => [position + row / 4 * 4, (position + row / 4 * 4 + 3).min(last)],
        };
        let ends: Vec<[u32; 2]> = (0..rows).map(|row| both(row).map(|end| end as u32)).collect();
        let ends = gpu.array_of("ends", &ends)?;
        let partial = gpu.array("partial", partial_len(&heads))?;
        let out = gpu.array("out", rows * stride(num_heads * dim))?;
        let seen = move |row: usize| {
            let own = position + row;
            let [first, last] = if reach.sees_ends { both(row) } else { [0, own] };
            first.max(reach.window.map_or(0, |w| (own + 1).saturating_sub(w)))..last + 1
        };
        let expected = move || {
            let of = |all: &[f32], row| all[seen(row).start * kv * dim..seen(row).end * kv * dim].to_vec();
            let row = |(row, q): (usize, &[f32])| reference(&heads, q, &of(&keys, row), &of(&values, row));
            queries.chunks_exact(num_heads * dim).enumerate().flat_map(row).collect()
        };
        let outputs = vec![Output::rows(&out, num_heads * dim, 5e-6, expected)];
        // Keys and values in reach of any row once; a score and a share of the sum for each row and position.
        let bytes = 2 * (seen(rows - 1).end - seen(0).start) * kv * dim * 4;
        let flops = (0..rows).map(|row| seen(row).len()).sum::<usize>() * num_heads * dim * 4;
        let scratch = attention_wide::Scratch::new(gpu, &[(heads, slots)], rows)?;
        let prepared = Prepared::new(rows, outputs, move |plan, variant| {
            let arrays = Arrays {
                q: &q,
                k_cache: &k_cache,
                v_cache: &v_cache,
                step: &step,
                ends: &ends,
                partial: &partial,
                out: &out,
            };
            match (rows, &scratch) {
                (_, Some(scratch)) if kernel == "attention_wide" => {
                    attention_wide::record(plan, variant, &heads, reach, [slots, rows], &arrays, scratch)
                }
                (1, _) => record_split(plan, &heads, reach, slots, &arrays),
                _ => record(plan, &heads, reach, slots, rows, &arrays),
            }
        });
        Ok(prepared.and(bytes, flops))
    })
}
