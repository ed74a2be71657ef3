//! Where the tokens of an answer looked in the pictures before it: `softmax(q kᵀ)` of their rows, on the CPU and only
//! when asked for, so that decoding pays nothing for it.
//!
//! Keys lie in the cache. Queries do not, so the rows are replayed, with a stop at each layer where attention has them,
//! and what that wrote into the cache is put back. 100 rows behind 4,000 positions take two cores about a second for
//! each full layer of 16 heads of 512; nothing is kept between calls.
//!
//! Which layers: those that look back at everything. Windows may have left a picture behind, and what a window holds
//! changes from token to token. Which row: the one before a token, which says it; its own hardly looks at what it
//! names. In the built-in model the only such layer is the last of six. Over 96 questions for colour or shape of one of
//! three things, that row's greatest weight lay on the thing 94 times, with 59 % of what fell on the picture where the
//! thing has 7 % of its area; layers 0, 1 and 2 looked anywhere (10 to 14 %), 3 and 4 as well as the last (65 and 72
//! %). Larger models were not looked at.

use super::Session;
use super::prefill::Watch;
use crate::error::{Error, Result};
use crate::kernels::norm_rope::Heads;
use crate::kernels::stride;
use crate::models::Cache;
use crate::models::gemma::{LayerType, QUERIES};
use std::collections::BTreeMap;
use std::ops::Range;

/// Where each token of an answer looked in one of the pictures before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Which one: its place among the pictures and video frames of the conversation, from 0.
    pub picture: usize,
    /// Tokens of the picture side by side.
    pub columns: usize,
    /// Lines of them.
    pub rows: usize,
    /// For each token `[rows, columns]`: the share of its attention, of 1 for all that it saw, that went to each token
    /// of the picture, mean over heads and layers.
    pub weights: Vec<Vec<f32>>,
}

/// A picture in the cache.
struct Picture {
    /// Its tokens.
    positions: Range<usize>,
    look: Look,
}

impl Session {
    /// Where the model looked in each picture before `tokens` when it said these. They are positions in the cache; an
    /// answer has [`tokens`](super::Timings::tokens) of them from [`prompt_tokens`](super::Timings::prompt_tokens) on.
    ///
    /// A token is said by the row before it, whose attention this is, in the layers that look back at everything.
    ///
    /// Rows of the last 300 positions or so are computed anew and taken back: the conversation is as before, bit by
    /// bit. What is farther back is read again with all that follows, as after [`Session::rollback`], with the same
    /// numbers but for rounding. The keys of the full layers come back to the CPU: `4 * position * num_kv_heads *
    /// head_dim` bytes of each.
    ///
    /// # Errors
    /// [`Error::Argument`] for tokens that were not said yet, for the first of all, and where pictures or sound lie;
    /// [`Error::NoLogits`] where the model gives no number; [`Error::OutOfMemory`], [`Error::DeviceLost`],
    /// [`Error::Driver`].
    pub fn looks(&mut self, tokens: Range<usize>) -> Result<Vec<Look>> {
        self.check_said(&tokens)?;
        let mut pictures = self.pictures_before(tokens.start);
        if tokens.is_empty() || pictures.is_empty() {
            return Ok(pictures.into_iter().map(|picture| picture.look).collect());
        }
        let layers = &self.model.config().layers;
        let full: Vec<usize> = (0..layers.len()).filter(|i| layers[*i].kind == LayerType::Full).collect();
        let rows = tokens.start - 1..tokens.end - 1;
        let sums = self.shares(rows, &full)?;
        for (token, all) in sums.into_iter().enumerate() {
            if all.iter().any(|share| !share.is_finite()) {
                return Err(Error::NoLogits {
                    model: self.model.folder().into(),
                    adapter: self.model.gpu().adapter().title(),
                    position: tokens.start + token,
                });
            }
            for Picture { positions, look } in &mut pictures {
                let own = all[positions.clone()].iter().map(|share| (share / full.len() as f64) as f32);
                look.weights.push(own.collect());
            }
        }
        Ok(pictures.into_iter().map(|picture| picture.look).collect())
    }

    /// Whether a row of text stands before each of these, and the last one was said.
    fn check_said(&self, tokens: &Range<usize>) -> Result<()> {
        let said = self.log.len() + usize::from(self.pending.is_some());
        let problem = if tokens.start == 0 || tokens.end > said {
            format!("are {} to {}, expected tokens between 1 and {said}", tokens.start, tokens.end)
        } else if !tokens.is_empty() && self.log.has_run_in(tokens.start - 1..tokens.end - 1) {
            format!("are {} to {}, where pictures or sound lie; take those of an answer", tokens.start, tokens.end)
        } else {
            return Ok(());
        };
        Err(Error::Argument { name: "the tokens", problem })
    }

    fn pictures_before(&self, position: usize) -> Vec<Picture> {
        let before = self.log.runs().iter().filter(|(start, _)| *start < position);
        let grids = before.filter_map(|(start, run)| Some((*start, run.grid()?)));
        let picture = |(picture, (start, [columns, rows])): (usize, (usize, [usize; 2]))| Picture {
            positions: start..start + columns * rows,
            look: Look { picture, columns, rows, weights: Vec::new() },
        };
        grids.enumerate().map(picture).collect()
    }

    /// For each of `rows` the shares of attention of all positions up to its own, mean over the heads of a layer,
    /// summed over `layers`, which look back at everything.
    fn shares(&mut self, rows: Range<usize>, layers: &[usize]) -> Result<Vec<Vec<f64>>> {
        let queries = self.queries(rows.clone(), layers)?;
        let mut sums: Vec<Vec<f64>> = rows.clone().map(|row| vec![0.0; row + 1]).collect();
        for (layer, queries) in queries {
            let heads = &self.model.config().layers[layer].heads;
            let keys = self.runtime.caches[layer].keys(self.model.gpu(), 0..rows.end)?;
            add_shares(heads, &queries, &keys, &mut sums);
        }
        Ok(sums)
    }

    /// The queries of `rows`, by layer `[rows, num_heads, stride(head_dim)]`. Everything else is as before afterwards.
    fn queries(&mut self, rows: Range<usize>, layers: &[usize]) -> Result<BTreeMap<usize, Vec<f32>>> {
        // What lies in the cache at the rows was computed in another way, maybe: row by row, not as a chunk.
        let kept = match self.holds_before(rows.start) {
            true => Some(self.keep(rows.clone())?),
            false => None,
        };
        let before = (self.log.clone(), self.pending.take(), self.cached);
        let until = if kept.is_some() { rows.end } else { self.log.len() };
        let outcome = self.replay_rows(rows.start..until, rows.len(), layers);
        (self.log, self.pending, self.cached) = before;
        // The state that the head looks at is another row's.
        self.ready = false;
        match kept {
            Some(kept) => self.put_back(rows, &kept),
            None if outcome.is_err() => {
                // The first error is the one to report; a lost device fails here too.
                let _ = self.read_again();
            }
            None => {}
        }
        outcome
    }

    /// Reads what stands in `positions` once more, telling the queries of the first `count` rows.
    fn replay_rows(
        &mut self,
        positions: Range<usize>,
        count: usize,
        layers: &[usize],
    ) -> Result<BTreeMap<usize, Vec<f32>>> {
        let pieces = self.log.pieces(positions.clone());
        self.shorten(positions.start)?;
        let names: BTreeMap<String, usize> = layers.iter().map(|layer| (format!("{QUERIES}{layer}"), *layer)).collect();
        let mut queries: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
        let mut seen = |name: &str, width: usize, values: Vec<f32>| {
            if let Some(layer) = names.get(name) {
                let all = queries.entry(*layer).or_default();
                let missing = count * width - all.len();
                all.extend(&values[..values.len().min(missing)]);
            }
        };
        let taps = |name: &str| names.contains_key(name);
        let mut watch = Some(Watch { logits_from: usize::MAX, taps: &taps, seen: &mut seen });
        self.prefill_watched(&pieces, &mut watch)?;
        Ok(queries)
    }

    /// The layers that have keys and values of their own.
    fn owners(&self) -> impl Iterator<Item = &Cache> {
        let layers = self.model.config().layers.iter().zip(&self.runtime.caches);
        layers.filter(|(layer, _)| layer.kv_from.is_none()).map(|(_, cache)| cache)
    }

    /// Keys and values of `rows` in every layer.
    fn keep(&self, rows: Range<usize>) -> Result<Vec<[Vec<f32>; 2]>> {
        self.owners().map(|cache| cache.read(self.model.gpu(), rows.clone())).collect()
    }

    fn put_back(&self, rows: Range<usize>, kept: &[[Vec<f32>; 2]]) {
        for (cache, kept) in self.owners().zip(kept) {
            cache.write(self.model.gpu(), rows.clone(), kept);
        }
    }
}

/// Adds to `sums`, of which each has a place for every position that its row sees, the mean over heads of `softmax(q
/// kᵀ)`. Rows go to as many threads as there are.
fn add_shares(heads: &Heads, queries: &[f32], keys: &[f32], sums: &mut [Vec<f64>]) {
    let width = heads.num_heads * stride(heads.head_dim);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let part = sums.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        for (queries, sums) in queries.chunks(part * width).zip(sums.chunks_mut(part)) {
            scope.spawn(move || {
                for (query, sums) in queries.chunks_exact(width).zip(sums) {
                    add_row(heads, query, keys, sums);
                }
            });
        }
    });
}

/// The same of one row: `query` holds its heads, `keys` those of the positions from the first on, `[positions,
/// num_kv_heads, stride(head_dim)]`. Queries are scaled already, and what lies between heads is zero.
fn add_row(heads: &Heads, query: &[f32], keys: &[f32], sums: &mut [f64]) {
    let width = stride(heads.head_dim);
    let (row, group) = (heads.num_kv_heads * width, heads.num_heads / heads.num_kv_heads);
    for (head, query) in query.chunks_exact(width).enumerate() {
        let column = head / group * width;
        let seen = keys.chunks_exact(row).take(sums.len());
        let scores: Vec<f64> = seen.map(|keys| dot(query, &keys[column..column + width])).collect();
        let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - greatest).exp()).collect();
        let total = weights.iter().sum::<f64>() * heads.num_heads as f64;
        sums.iter_mut().zip(&weights).for_each(|(sum, weight)| *sum += weight / total);
    }
}

/// Eight sums side by side, which compilers turn into vectors.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().copied().map(f64::from).sum::<f64>() + f64::from(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::case::noise;
    use crate::kernels::norm_rope::Values;

    /// The same as simply as can be, of heads without gaps.
    fn plain(heads: &Heads, query: &[f32], keys: &[f32], seen: usize) -> Vec<f64> {
        let (dim, group) = (heads.head_dim, heads.num_heads / heads.num_kv_heads);
        let mut mean = vec![0.0; seen];
        for head in 0..heads.num_heads {
            let score = |position: usize, i: usize| {
                let key = keys[(position * heads.num_kv_heads + head / group) * dim + i];
                f64::from(query[head * dim + i]) * f64::from(key)
            };
            let exps: Vec<f64> = (0..seen).map(|p| (0..dim).map(|i| score(p, i)).sum::<f64>().exp()).collect();
            let total: f64 = exps.iter().sum();
            (0..seen).for_each(|p| mean[p] += exps[p] / total / heads.num_heads as f64);
        }
        mean
    }

    fn padded(heads: &Heads, values: &[f32]) -> Vec<f32> {
        let mut all = Vec::new();
        for head in values.chunks_exact(heads.head_dim) {
            all.extend(head);
            all.resize(all.len().next_multiple_of(stride(heads.head_dim)), 0.0);
        }
        all
    }

    #[test]
    fn shares_of_a_row_add_up_to_one_and_are_a_softmax() {
        for (num_heads, num_kv_heads, head_dim, rows) in [(1, 1, 2, 1), (6, 3, 38, 5), (4, 1, 66, 19), (8, 8, 8, 7)] {
            let heads = Heads { num_heads, num_kv_heads, head_dim, values: Values::Normed };
            let (first, all) = (11, 11 + rows);
            let queries = noise(1, rows * num_heads * head_dim);
            let keys = noise(2, all * num_kv_heads * head_dim);
            let mut sums: Vec<Vec<f64>> = (0..rows).map(|row| vec![0.0; first + row + 1]).collect();
            for times in [1.0, 2.0] {
                add_shares(&heads, &padded(&heads, &queries), &padded(&heads, &keys), &mut sums);
                for (query, sums) in queries.chunks_exact(num_heads * head_dim).zip(&sums) {
                    assert!((sums.iter().sum::<f64>() - times).abs() < 1e-12);
                    let expected = plain(&heads, query, &keys, sums.len());
                    let off = sums.iter().zip(expected).map(|(a, b)| (a - b * times).abs()).fold(0.0, f64::max);
                    assert!(off < 1e-5, "{heads:?}, {} seen: {off}", sums.len());
                }
            }
        }
    }

    #[test]
    fn large_scores_do_not_overflow() {
        let heads = Heads { num_heads: 1, num_kv_heads: 1, head_dim: 4, values: Values::Normed };
        let mut sums = [0.0; 2];
        add_row(&heads, &[100.0, 0.0, 0.0, 0.0], &[90.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], &mut sums);
        assert_eq!(sums, [1.0, 0.0]);
    }
}
