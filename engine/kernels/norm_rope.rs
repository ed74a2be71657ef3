//! Query and key norms, rotary positions and the write into the cache, one pass over the projected heads.
//!
//! `n(h) = h / √(mean(h²) + eps) · w`, then each pair `(i, i + head_dim/2)` of `n(h)` turns by the angle
//! `position · frequency[i]` (Su et al. 2021, eq. 34, in the half-split order of the published checkpoints). Values are not
//! turned, and normalised without weight or not at all; layers with shared K = V take them from the projected keys before
//! norm and rotary. Shader: `shaders/norm_rope.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise, upload};
use super::{rms_norm, stride};
use crate::error::Result;
use crate::gpu::{Array, Cost, Extent, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// `num_attention_heads`.
    pub num_heads: u32,
    /// `num_key_value_heads` of this layer.
    pub num_kv_heads: u32,
    /// `head_dim` of this layer.
    pub head_dim: u32,
    /// Distance between heads in `q` and in the cache.
    pub padded: u32,
    /// Distance between rows of `qkv`.
    pub qkv_stride: u32,
    /// Places of the cache; position p lies in place p % slots.
    pub slots: u32,
    /// Pairs that turn, from the first on.
    pub pairs: u32,
    /// [`Values`] as a number.
    pub values: u32,
    /// `rms_norm_eps`.
    pub eps: f32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
    /// Zero.
    pub pad2: u32,
}

/// Heads of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// `num_attention_heads`.
    pub num_heads: usize,
    /// `num_key_value_heads`.
    pub num_kv_heads: usize,
    /// `head_dim`, even.
    pub head_dim: usize,
    /// Where its values come from.
    pub values: Values,
}

/// Where the values of a layer come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// From their own projection, normalised.
    Normed,
    /// They are the normalised keys before their norm's weight and rotary (`attention_k_eq_v`).
    FromKeys,
    /// From their own projection as they are.
    Plain,
    /// Keys and values are those of an earlier layer: only queries are projected.
    Shared,
}

impl Values {
    /// Parts of the joint projection behind the queries: keys, values.
    fn parts(self) -> usize {
        match self {
            Values::Normed | Values::Plain => 2,
            Values::FromKeys => 1,
            Values::Shared => 0,
        }
    }
}

impl Heads {
    /// Values in a row of the joint projection: q and, unless they come from elsewhere, k and v.
    pub fn qkv_width(&self) -> usize {
        (self.num_heads + self.num_kv_heads * self.values.parts()) * self.head_dim
    }

    /// Heads that are written: q, k and v, or q alone.
    fn written(&self) -> usize {
        self.num_heads + if self.values == Values::Shared { 0 } else { 2 * self.num_kv_heads }
    }
}

/// What the dispatch reads and writes, shapes as in the shader.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// Joint projections.
    pub qkv: &'a Array<f32>,
    /// `q_norm`, then `k_norm` where keys are projected.
    pub norms: &'a Array<f32>,
    /// (cos, sin) of each position and turning pair.
    pub angles: &'a Array<[f32; 2]>,
    /// The step's numbers: position, rows.
    pub step: &'a Array<u32>,
    /// Queries.
    pub q: &'a Array<f32>,
    /// Keys.
    pub k_cache: &'a Array<f32>,
    /// Values.
    pub v_cache: &'a Array<f32>,
}

/// Records one dispatch over the rows of the replay, which must be no more than the slots of the cache.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(
    plan: &mut PlanBuilder<'_>,
    heads: &Heads,
    slots: usize,
    pairs: usize,
    eps: f32,
    most_rows: usize,
    arrays: &Arrays<'_>,
) -> Result<()> {
    let padded = stride(heads.head_dim);
    let qkv_stride = stride(heads.qkv_width());
    let cache = slots * heads.num_kv_heads * padded;
    let binds = [
        arrays.qkv.bind("qkv", most_rows * qkv_stride)?,
        arrays.norms.bind("norms", if heads.values == Values::Shared { 1 } else { 2 } * heads.head_dim)?,
        arrays.angles.bind("angles", pairs)?,
        arrays.step.bind("step", 1)?,
        arrays.q.bind("q", most_rows * heads.num_heads * padded)?,
        arrays.k_cache.bind("k_cache", cache)?,
        arrays.v_cache.bind("v_cache", cache)?,
    ];
    let params = Params {
        num_heads: heads.num_heads as u32,
        num_kv_heads: heads.num_kv_heads as u32,
        head_dim: heads.head_dim as u32,
        padded: padded as u32,
        qkv_stride: qkv_stride as u32,
        slots: slots as u32,
        pairs: pairs as u32,
        values: heads.values as u32,
        eps,
        pad0: 0,
        pad1: 0,
        pad2: 0,
    };
    let row = (heads.written() * heads.head_dim) as u64;
    let cost = Cost { fixed_bytes: 8 * heads.head_dim as u64, row_bytes: row * 8, row_flops: row * 8 };
    let across = heads.written() as u32;
    plan.dispatch(&shaders::NORM_ROPE, &[("WG", 32)], &params, &binds, [Extent::ROWS, across.into(), 1.into()], cost)
}

/// (cos, sin) of `position · frequencies[i]`, rounded as the reference implementation does: the angle in f32.
pub fn angles(position: usize, frequencies: &[f32]) -> impl Iterator<Item = [f32; 2]> + '_ {
    frequencies.iter().map(move |frequency| {
        let angle = f64::from(position as f32 * frequency);
        [angle.cos() as f32, angle.sin() as f32]
    })
}

/// `1 / theta^(2i / head_dim)` for the first `pairs` pairs, in f32 like the reference implementation.
pub fn frequencies(theta: f32, head_dim: usize, pairs: usize) -> Vec<f32> {
    let power = |i: usize| f64::from(theta).powf(f64::from((2 * i) as f32 / head_dim as f32)) as f32;
    (0..pairs).map(|i| 1.0 / power(i)).collect()
}

/// Queries, keys and values of one row on the CPU in f64, heads without gaps; `turns` are the angles of its position.
pub fn reference(
    heads: &Heads,
    qkv: &[f32],
    norms: &[f32],
    turns: &[[f32; 2]],
    eps: f32,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (dim, half) = (heads.head_dim, heads.head_dim / 2);
    let part = |first: usize, count: usize| &qkv[first * dim..(first + count) * dim];
    let turned = |raw: &[f32], weight: &[f32]| -> Vec<f32> {
        let mut all = rms_norm::reference(raw, weight, eps);
        for head in all.chunks_exact_mut(dim) {
            for (i, [cos, sin]) in turns.iter().enumerate() {
                let (cos, sin) = (f64::from(*cos), f64::from(*sin));
                let (a, b) = (f64::from(head[i]), f64::from(head[i + half]));
                head[i] = (a * cos - b * sin) as f32;
                head[i + half] = (b * cos + a * sin) as f32;
            }
        }
        all
    };
    if heads.values == Values::Shared {
        return (turned(qkv, &norms[..dim]), Vec::new(), Vec::new());
    }
    let keys = part(heads.num_heads, heads.num_kv_heads);
    let from_keys = heads.values == Values::FromKeys;
    let values = if from_keys { keys } else { part(heads.num_heads + heads.num_kv_heads, heads.num_kv_heads) };
    let q = turned(part(0, heads.num_heads), &norms[..dim]);
    let k = turned(keys, &norms[dim..2 * dim]);
    let values = match heads.values {
        Values::Plain => values.to_vec(),
        _ => rms_norm::reference(values, &vec![1.0; dim], eps),
    };
    (q, k, values)
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, heads: Heads, pairs: usize, rows: usize| {
        let Heads { num_heads, num_kv_heads: kv, head_dim: dim, .. } = heads;
        Case::new("norm_rope", size, format!("{num_heads}/{kv} heads of {dim}, {rows} rows"), move |gpu| {
            // The ring begins anew at this position, so that its places are in the order of the rows.
            let position = 2 * rows;
            let turns: Vec<[f32; 2]> = (0..position + rows)
                .flat_map(|p| angles(p, &frequencies(100.0, dim, pairs)).collect::<Vec<_>>())
                .collect();
            let (projected, weights) = (noise(1, rows * heads.qkv_width()), noise(2, 2 * dim));
            let qkv = upload(gpu, "qkv", &projected, heads.qkv_width())?;
            let (norms, angles) = (gpu.array_of("norms", &weights)?, gpu.array_of("angles", &turns)?);
            let step = gpu.array_of("step", &[position as u32])?;
            let q = gpu.array("q", rows * num_heads * stride(dim))?;
            let [k_cache, v_cache] =
                [gpu.array("k_cache", rows * kv * stride(dim))?, gpu.array("v_cache", rows * kv * stride(dim))?];
            let all = move || {
                let mut parts = (Vec::new(), Vec::new(), Vec::new());
                for (row, qkv) in projected.chunks_exact(heads.qkv_width()).enumerate() {
                    let (q, k, v) = reference(&heads, qkv, &weights, &turns[(position + row) * pairs..][..pairs], 1e-6);
                    parts.0.extend(q);
                    parts.1.extend(k);
                    parts.2.extend(v);
                }
                parts
            };
            let (for_k, for_v) = (all.clone(), all.clone());
            let mut outputs = vec![Output::rows(&q, dim, 3e-6, move || all().0)];
            if heads.values != Values::Shared {
                outputs.push(Output::rows(&k_cache, dim, 3e-6, move || for_k().1));
                outputs.push(Output::rows(&v_cache, dim, 3e-6, move || for_v().2));
            }
            Ok(Prepared::new(rows, outputs, move |plan, _| {
                let arrays = Arrays {
                    qkv: &qkv,
                    norms: &norms,
                    angles: &angles,
                    step: &step,
                    q: &q,
                    k_cache: &k_cache,
                    v_cache: &v_cache,
                };
                record(plan, &heads, rows, pairs, 1e-6, rows, &arrays)
            }))
        })
    };
    let heads = |num_heads, num_kv_heads, head_dim, values| Heads { num_heads, num_kv_heads, head_dim, values };
    vec![
        case(Size::Odd, heads(6, 3, 38, Values::Normed), 11, 3),
        case(Size::Odd, heads(2, 2, 30, Values::Plain), 15, 3),
        case(Size::Odd, heads(3, 1, 66, Values::FromKeys), 33, 2),
        case(Size::Odd, heads(4, 2, 34, Values::Shared), 17, 3),
        case(Size::Real, heads(16, 8, 256, Values::Normed), 128, 1),
        case(Size::Real, heads(16, 8, 256, Values::Normed), 128, 256),
    ]
}
