//! The decoder as plans: `x += norm(attention(norm(x)))`, `x += norm(mlp(norm(x)))`, then what the family has besides. With
//! experts the second branch is `norm(norm(mlp(norm(x))) + norm(experts(norm(x))))`.

use super::config::{Config, Experts, Layer, LayerType, PerLayer};
use super::weights::{ExpertsWeights, LayerInputWeights, LayerWeights, PerLayerWeights, Weights};
use crate::error::Result;
use crate::gpu::{Array, Gpu, Plan, PlanBuilder};
use crate::kernels::{
    Matrix, Variant, add_norm, attention, attention_wide, expert_tiles, experts, gate, gather, matmul, matvec,
    norm_rope, norm_sum, per_layer, rms_norm, route, sample, softcap, stride, take_row,
};
use crate::models::runtime::{Angles, Cache, Inputs, Plans};
use std::collections::{BTreeMap, BTreeSet};

/// What the names of the states begin with that hold a layer's queries as attention takes them, a layer's number behind it:
/// normalised, scaled and turned, heads `stride(head_dim)` apart.
pub const QUERIES: &str = "queries.";

/// Whether a plan is for a chunk of rows or for one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    Chunk,
    One,
}

/// Everything a plan is recorded from.
pub(super) struct Recorder<'a> {
    pub(super) config: &'a Config,
    pub(super) weights: &'a Weights,
    pub(super) gpu: &'a Gpu,
    pub(super) variant: Variant,
    pub(super) chunk_rows: usize,
    pub(super) inputs: Inputs,
    pub(super) angles: [Angles; 2],
    pub(super) caches: Vec<Cache>,
    pub(super) states: States,
}

/// Rows on their way through the model, `[chunk_rows, stride(width)]`.
pub(super) struct States {
    /// The residual stream.
    pub(super) x: Array<f32>,
    /// Its normalised form, input of a branch.
    h: Array<f32>,
    /// Output of a branch.
    pub(super) y: Array<f32>,
    qkv: Array<f32>,
    /// Queries and attention's output, by kind of layer, so that what lies between rows stays zero.
    q: [Array<f32>; 2],
    attended: [Array<f32>; 2],
    partial: Array<f32>,
    /// For attention on software adapters.
    wide: Option<attention_wide::Scratch>,
    gate_up: Array<f32>,
    /// By width.
    activated: BTreeMap<usize, Array<f32>>,
    per_layer: Option<PerLayerStates>,
    experts: Option<ExpertsStates>,
    /// One row, for the head.
    row: Array<f32>,
}

/// Per-layer embeddings on their way.
struct PerLayerStates {
    /// Of all layers, `[chunk_rows, stride(layers * width)]`.
    inputs: Array<f32>,
    /// The part that comes from the context, as `inputs`.
    context: Array<f32>,
    gate: Array<f32>,
    gated: Array<f32>,
}

/// Rows on their way through the experts, `top_k` of each.
struct ExpertsStates {
    scores: Array<f32>,
    ids: Array<u32>,
    shares: Array<f32>,
    tiles: Array<u32>,
    activated: Array<f32>,
    y: Array<f32>,
}

impl States {
    /// Memory for chunks of `rows` rows.
    pub(super) fn new(config: &Config, gpu: &Gpu, variant: Variant, rows: usize, caches: &[Cache]) -> Result<States> {
        let places: Vec<_> =
            config.layers.iter().zip(caches).map(|(layer, cache)| (layer.heads, cache.slots)).collect();
        let rows_of = |name, width: usize| gpu.rows::<f32>(name, rows * stride(width));
        let greatest = |kind, width: &dyn Fn(&Layer) -> usize| {
            config.layers.iter().filter(|l| l.kind == kind).map(width).max().unwrap_or(4)
        };
        let by_kind = |name, width: &dyn Fn(&Layer) -> usize| -> Result<[Array<f32>; 2]> {
            Ok([rows_of(name, greatest(LayerType::Sliding, width))?, rows_of(name, greatest(LayerType::Full, width))?])
        };
        let most = |width: &dyn Fn(&Layer) -> usize| config.layers.iter().map(width).max().unwrap_or(4);
        Ok(States {
            x: rows_of("x", config.hidden_size)?,
            h: rows_of("h", config.hidden_size)?,
            y: rows_of("y", config.hidden_size)?,
            qkv: rows_of("qkv", most(&|l| l.heads.qkv_width()))?,
            q: by_kind("q", &|l| l.heads.num_heads * stride(l.heads.head_dim))?,
            attended: by_kind("attended", &|l| l.heads.num_heads * l.heads.head_dim)?,
            partial: gpu.array("partial", most(&|l| attention::partial_len(&l.heads)))?,
            wide: match variant.wide {
                true => attention_wide::Scratch::new(gpu, &places, rows)?,
                false => None,
            },
            gate_up: rows_of("gate_up", 2 * most(&|l| l.intermediate_size))?,
            activated: config
                .layers
                .iter()
                .map(|l| l.intermediate_size)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(|width| Ok((width, rows_of("activated", width)?)))
                .collect::<Result<_>>()?,
            per_layer: match config.per_layer {
                Some(PerLayer { width }) => Some(PerLayerStates {
                    inputs: rows_of("per-layer inputs", config.layers.len() * width)?,
                    context: rows_of("per-layer context", config.layers.len() * width)?,
                    gate: rows_of("per-layer gate", width)?,
                    gated: rows_of("per-layer gated", width)?,
                }),
                None => None,
            },
            experts: match config.experts {
                Some(Experts { shape, intermediate_size }) => Some(ExpertsStates {
                    scores: rows_of("router scores", shape.num_experts)?,
                    ids: gpu.array("chosen experts", rows * shape.top_k)?,
                    shares: gpu.array("shares of experts", rows * shape.top_k)?,
                    tiles: gpu.array("rows of experts", expert_tiles::tiles_len(shape, rows))?,
                    activated: gpu.array("activated in experts", rows * shape.top_k * stride(intermediate_size))?,
                    y: gpu.array("experts", rows * shape.top_k * stride(config.hidden_size))?,
                }),
                None => None,
            },
            row: gpu.rows("row", stride(config.hidden_size))?,
        })
    }
}

impl Recorder<'_> {
    pub(super) fn plans(&self, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Plans> {
        let plan = |record: &dyn Fn(&mut PlanBuilder<'_>) -> Result<()>| -> Result<Plan> {
            let mut plan = PlanBuilder::new(self.gpu);
            record(&mut plan)?;
            plan.finish(progress)
        };
        Ok(Plans {
            // The largest first: nearly all pipelines are compiled together.
            decode: plan(&|p| self.decode(p))?,
            layers: plan(&|p| self.layers(p, Rows::Chunk))?,
            embed: plan(&|p| self.embed(p, self.chunk_rows))?,
            head: plan(&|p| {
                let States { h, row, .. } = &self.states;
                take_row::record(p, self.config.hidden_size, self.chunk_rows, h, &self.inputs.step, row)?;
                self.head(p, row)
            })?,
            sample: plan(&|p| self.sample(p))?,
        })
    }

    /// Ids to embeddings, times √hidden_size.
    fn embed(&self, plan: &mut PlanBuilder<'_>, rows: usize) -> Result<()> {
        let scale = (self.config.hidden_size as f32).sqrt();
        self.gather(plan, &self.weights.embed_tokens, scale, rows, &self.states.x)
    }

    fn gather(
        &self,
        plan: &mut PlanBuilder<'_>,
        table: &Matrix,
        scale: f32,
        rows: usize,
        x: &Array<f32>,
    ) -> Result<()> {
        let ids = self.config.media_ids;
        // Placeholders, also those that a model says by itself, are read as padding.
        let aliases = gather::Aliases { ids: [ids.image, ids.video, ids.audio], read_as: self.config.pad_token_id };
        gather::record(plan, self.variant, table, scale, aliases, rows, &self.inputs.ids, x)
    }

    /// The decoder: embeddings in `x` to the final norm in `h`.
    fn layers(&self, plan: &mut PlanBuilder<'_>, rows: Rows) -> Result<()> {
        let (hidden, eps) = (self.config.hidden_size, self.config.eps);
        let States { x, h, .. } = &self.states;
        plan.tap("embeddings", x, hidden, stride(hidden));
        if let Some(weights) = &self.weights.per_layer {
            self.per_layer_inputs(plan, rows, weights)?;
        }
        rms_norm::record(plan, hidden, eps, self.most(rows), x, &self.weights.layers[0].input_norm, h)?;
        for (index, weights) in self.weights.layers.iter().enumerate() {
            let next_norm = self.weights.layers.get(index + 1).map_or(&self.weights.norm, |next| &next.input_norm);
            self.attention(plan, rows, index, weights)?;
            self.add(plan, rows, &weights.post_attention_norm, &weights.pre_feedforward_norm, 1.0)?;
            self.mlp(plan, rows, index, weights)?;
            if let Some(own) = &weights.experts {
                self.experts(plan, rows, own)?;
            }
            match &weights.per_layer {
                None => self.add(plan, rows, &weights.post_feedforward_norm, next_norm, weights.scalar)?,
                Some(own) => {
                    self.add(plan, rows, &weights.post_feedforward_norm, next_norm, 1.0)?;
                    self.layer_input(plan, rows, index, own)?;
                    self.add(plan, rows, &own.norm, next_norm, weights.scalar)?;
                }
            }
            plan.tap(format!("layer.{index}"), x, hidden, stride(hidden));
        }
        plan.tap("final_norm", h, hidden, stride(hidden));
        Ok(())
    }

    /// Ids and embeddings to the per-layer embeddings of all layers.
    fn per_layer_inputs(&self, plan: &mut PlanBuilder<'_>, rows: Rows, weights: &PerLayerWeights) -> Result<()> {
        let (Some(per_layer), Some(states)) = (self.config.per_layer, &self.states.per_layer) else { return Ok(()) };
        let (most, width) = (self.most(rows), per_layer.width);
        self.gather(plan, &weights.embed_tokens, (width as f32).sqrt(), most, &states.inputs)?;
        self.project(plan, rows, &weights.model_projection, &self.states.x, &states.context)?;
        let shape = per_layer::Shape {
            layers: self.config.layers.len(),
            width,
            scale: (self.config.hidden_size as f32).powf(-0.5),
            eps: self.config.eps,
        };
        per_layer::record(plan, shape, most, &states.context, &weights.norm, &states.inputs)?;
        let all = shape.layers * width;
        plan.tap("per_layer_inputs", &states.inputs, all, stride(all));
        Ok(())
    }

    /// `x` to `y` through the gate that a layer's own embedding passes.
    fn layer_input(&self, plan: &mut PlanBuilder<'_>, rows: Rows, index: usize, own: &LayerInputWeights) -> Result<()> {
        let (Some(per_layer), Some(states)) = (self.config.per_layer, &self.states.per_layer) else { return Ok(()) };
        let width = per_layer.width;
        self.project(plan, rows, &own.gate, &self.states.x, &states.gate)?;
        let arrays = gate::Arrays {
            gate: &states.gate,
            gate_stride: stride(width),
            up: &states.inputs,
            up_start: index * width,
            up_stride: stride(self.config.layers.len() * width),
        };
        gate::record(plan, width, self.most(rows), &arrays, &states.gated)?;
        self.project(plan, rows, &own.projection, &states.gated, &self.states.y)
    }

    /// `h` to `y` through one layer's attention and cache.
    fn attention(&self, plan: &mut PlanBuilder<'_>, rows: Rows, index: usize, weights: &LayerWeights) -> Result<()> {
        let Layer { kind, heads, .. } = &self.config.layers[index];
        let (cache, States { h, y, qkv, q, attended, partial, .. }) = (&self.caches[index], &self.states);
        let (q, attended) = (&q[*kind as usize], &attended[*kind as usize]);
        let angles = &self.angles[*kind as usize];
        self.project(plan, rows, &weights.qkv_proj, h, qkv)?;
        let arrays = norm_rope::Arrays {
            qkv,
            norms: &weights.qk_norm,
            angles: &angles.array,
            step: &self.inputs.step,
            q,
            k_cache: &cache.k,
            v_cache: &cache.v,
        };
        norm_rope::record(
            plan,
            heads,
            cache.slots,
            angles.frequencies.len(),
            self.config.eps,
            self.most(rows),
            &arrays,
        )?;
        let width = heads.num_heads * stride(heads.head_dim);
        plan.tap(format!("{QUERIES}{index}"), q, width, width);
        let arrays = attention::Arrays {
            q,
            k_cache: &cache.k,
            v_cache: &cache.v,
            step: &self.inputs.step,
            ends: &self.inputs.ends,
            partial,
            out: attended,
        };
        let reach = self.config.reach(*kind);
        match rows {
            Rows::Chunk => match &self.states.wide {
                Some(scratch) if attention_wide::fits(heads) => {
                    let sizes = [cache.slots, self.chunk_rows];
                    attention_wide::record(plan, self.variant, heads, reach, sizes, &arrays, scratch)?;
                }
                _ => attention::record(plan, heads, reach, cache.slots, self.chunk_rows, &arrays)?,
            },
            Rows::One => attention::record_split(plan, heads, reach, cache.slots, &arrays)?,
        }
        self.project(plan, rows, &weights.o_proj, attended, y)
    }

    /// `h` to `y` through the gated feed-forward.
    fn mlp(&self, plan: &mut PlanBuilder<'_>, rows: Rows, index: usize, weights: &LayerWeights) -> Result<()> {
        let States { h, y, gate_up, activated, .. } = &self.states;
        let width = self.config.layers[index].intermediate_size;
        let activated = &activated[&width];
        match rows {
            Rows::Chunk => {
                self.project(plan, rows, &weights.gate_up_proj, h, gate_up)?;
                gate::record_joint(plan, width, self.chunk_rows, gate_up, activated)?;
            }
            Rows::One => matvec::record_gated(plan, self.variant, &weights.gate_up_proj, h, gate_up, activated)?,
        }
        self.project(plan, rows, &weights.down_proj, activated, y)
    }

    /// `x` through the experts of its rows, joined with the dense feed-forward in `y`.
    fn experts(&self, plan: &mut PlanBuilder<'_>, rows: Rows, weights: &ExpertsWeights) -> Result<()> {
        let (Some(config), Some(states)) = (self.config.experts, &self.states.experts) else { return Ok(()) };
        let (States { x, h, y, .. }, most) = (&self.states, self.most(rows));
        let (hidden, eps) = (self.config.hidden_size, self.config.eps);
        rms_norm::record(plan, hidden, eps, most, x, &weights.router_norm, h)?;
        self.project(plan, rows, &weights.router_proj, h, &states.scores)?;
        let ExpertsStates { scores, ids, shares, tiles, activated, y: sums } = states;
        let arrays = route::Arrays { scores, scale: &weights.per_expert_scale, ids, shares };
        route::record(plan, config.shape, most, &arrays)?;
        rms_norm::record(plan, hidden, eps, most, x, &weights.pre_norm, h)?;
        let tiles = match rows {
            Rows::Chunk => {
                expert_tiles::record(plan, config.shape, most, ids, &self.inputs.step, tiles)?;
                Some(tiles)
            }
            Rows::One => None,
        };
        let chosen = experts::Chosen { shape: config.shape, ids, shares, tiles };
        experts::record_gated(plan, self.variant, &weights.gate_up_proj, &chosen, most, h, activated)?;
        experts::record_sum(plan, self.variant, &weights.down_proj, &chosen, most, activated, sums)?;
        let arrays = norm_sum::Arrays { x: sums, weight: &weights.dense_post_norm, x_weight: &weights.post_norm, y };
        norm_sum::record(plan, hidden, eps, chosen.parts(), most, &arrays)
    }

    /// `y` onto the residual stream, and the norm before the next branch.
    fn add(
        &self,
        plan: &mut PlanBuilder<'_>,
        rows: Rows,
        norm: &Array<f32>,
        next: &Array<f32>,
        scale: f32,
    ) -> Result<()> {
        let States { x, h, y, .. } = &self.states;
        let arrays = add_norm::Arrays { y, weight: norm, next_weight: next, x, h };
        add_norm::record(plan, self.config.hidden_size, self.config.eps, scale, self.most(rows), &arrays)
    }

    fn project(
        &self,
        plan: &mut PlanBuilder<'_>,
        rows: Rows,
        weight: &Matrix,
        x: &Array<f32>,
        y: &Array<f32>,
    ) -> Result<()> {
        match rows {
            Rows::Chunk => matmul::record(plan, self.variant, weight, self.chunk_rows, x, y),
            Rows::One => matvec::record(plan, self.variant, weight, x, y),
        }
    }

    /// One row of the final norm to logits.
    fn head(&self, plan: &mut PlanBuilder<'_>, row: &Array<f32>) -> Result<()> {
        matvec::record(plan, self.variant, self.weights.head(), row, &self.inputs.logits)?;
        match self.config.softcap {
            Some(cap) => softcap::record(plan, self.config.vocab_size, cap, &self.inputs.logits),
            None => Ok(()),
        }
    }

    fn sample(&self, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let Inputs { logits, sampling, seen, step, ids, token, .. } = &self.inputs;
        let arrays = sample::Arrays { logits, sampling, seen, step, ids, token };
        sample::record(plan, self.config.vocab_size, &arrays)
    }

    fn decode(&self, plan: &mut PlanBuilder<'_>) -> Result<()> {
        self.embed(plan, 1)?;
        self.layers(plan, Rows::One)?;
        self.head(plan, &self.states.h)?;
        self.sample(plan)
    }

    fn most(&self, rows: Rows) -> usize {
        match rows {
            Rows::Chunk => self.chunk_rows,
            Rows::One => 1,
        }
    }
}
