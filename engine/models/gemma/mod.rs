//! The decoder of the Gemma families, and the projections of pictures and sound that have no encoder.
//!
//! A layer is `x += norm(attention(norm(x)))`, `x += norm(mlp(norm(x)))`, in Gemma 4 `x *= layer_scalar`. Most layers look
//! back over a window, in which the squares of one picture see each other both ways; some look back over everything, in
//! Gemma 4 with heads of their own, rotary positions on a part of each head, and values that are the normalised keys.

mod config;
mod media;

pub(super) use config::HEADS;
pub use config::{Config, Layer, LayerType, MediaIds, Names, Rope, Sound, Vision};
pub use media::target_size;

use crate::error::Result;
use crate::gpu::{Array, Gpu, Plan, PlanBuilder};
use crate::kernels::norm_rope::{Values, frequencies};
use crate::kernels::{
    Matrix, Variant, add_norm, attention, attention_wide, gate, gather, layer_norm, matmul, matvec, norm_rope,
    patch_position, rms_norm, sample, scatter, softcap, stride, take_row,
};
use crate::models::Runtime;
use crate::models::runtime::{Angles, Inputs, Plans};
use crate::weights::{Checkpoint, Upload};

/// Rows of a prefill chunk, unless a picture has more.
const CHUNK_ROWS: usize = 256;
/// Places of a ring beyond window and chunk: steps in flight when an answer stops, and short rollbacks.
const SPARE_PLACES: usize = 64;

/// The weights on the GPU.
pub struct Weights {
    embed_tokens: Matrix,
    lm_head: Option<Matrix>,
    norm: Array<f32>,
    layers: Vec<LayerWeights>,
    vision: Option<VisionWeights>,
    sound: Option<Matrix>,
}

struct LayerWeights {
    input_norm: Array<f32>,
    /// q_proj, k_proj and, unless values come from keys, v_proj, one below another.
    qkv_proj: Matrix,
    /// q_norm, k_norm.
    qk_norm: Array<f32>,
    o_proj: Matrix,
    post_attention_norm: Array<f32>,
    pre_feedforward_norm: Array<f32>,
    /// gate_proj, up_proj.
    gate_up_proj: Matrix,
    down_proj: Matrix,
    post_feedforward_norm: Array<f32>,
    scalar: f32,
}

struct VisionWeights {
    /// Weight and bias.
    patch_ln1: [Array<f32>; 2],
    patch_dense: Matrix,
    patch_dense_bias: Array<f32>,
    patch_ln2: [Array<f32>; 2],
    pos_embedding: Array<f32>,
    pos_norm: [Array<f32>; 2],
    projection: Matrix,
}

impl Weights {
    /// Checks the checkpoint against the config and uploads it; `progress(done, total)` counts bytes.
    ///
    /// # Errors
    /// [`Error::Tensors`](crate::Error::Tensors) for a checkpoint that does not fit its config, or as [`Upload::matrix`].
    pub fn load(checkpoint: &Checkpoint, config: &Config, gpu: &Gpu, progress: &dyn Fn(u64, u64)) -> Result<Weights> {
        config.check(checkpoint)?;
        let upload = Upload::new(gpu, checkpoint, progress);
        let names = config.names;
        let layers = (0..config.layers.len()).map(|i| LayerWeights::load(&upload, config, i)).collect::<Result<_>>()?;
        Ok(Weights {
            embed_tokens: upload.matrix(&[&names.embed_tokens()])?,
            lm_head: if config.tied { None } else { Some(upload.matrix(&[names.lm_head()])?) },
            norm: norm(&upload, config, &[(&names.norm(), 1.0)])?,
            layers,
            vision: config.vision.as_ref().map(|_| VisionWeights::load(&upload)).transpose()?,
            sound: match config.sound {
                Some(_) => Some(upload.matrix(&["model.embed_audio.embedding_projection.weight"])?),
                None => None,
            },
        })
    }

    fn head(&self) -> &Matrix {
        self.lm_head.as_ref().unwrap_or(&self.embed_tokens)
    }

    /// Every matrix that a decode step reads whole.
    fn decoded(&self) -> impl Iterator<Item = &Matrix> {
        let layers = self.layers.iter().flat_map(|l| [&l.qkv_proj, &l.o_proj, &l.gate_up_proj, &l.down_proj]);
        layers.chain([self.head()])
    }

    /// Bytes of weights that a decode step must read.
    pub fn decode_bytes(&self) -> u64 {
        self.decoded().map(Matrix::bytes).sum()
    }
}

impl LayerWeights {
    fn load(upload: &Upload<'_>, config: &Config, index: usize) -> Result<LayerWeights> {
        let own = |name: &str| config.names.layer(index, name);
        let vector = |name: &str| norm(upload, config, &[(&own(name), 1.0)]);
        let [q, k, v] = ["self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"].map(own);
        let from_keys = config.layers[index].heads.values == Values::FromKeys;
        let (q_norm, k_norm) = (own("self_attn.q_norm.weight"), own("self_attn.k_norm.weight"));
        Ok(LayerWeights {
            input_norm: vector("input_layernorm.weight")?,
            qkv_proj: if from_keys { upload.matrix(&[&q, &k])? } else { upload.matrix(&[&q, &k, &v])? },
            // A factor on the queries is one on the scores.
            qk_norm: norm(upload, config, &[(&q_norm, config.query_scale), (&k_norm, 1.0)])?,
            o_proj: upload.matrix(&[&own("self_attn.o_proj.weight")])?,
            post_attention_norm: vector("post_attention_layernorm.weight")?,
            pre_feedforward_norm: vector("pre_feedforward_layernorm.weight")?,
            gate_up_proj: upload.matrix(&[&own("mlp.gate_proj.weight"), &own("mlp.up_proj.weight")])?,
            down_proj: upload.matrix(&[&own("mlp.down_proj.weight")])?,
            post_feedforward_norm: vector("post_feedforward_layernorm.weight")?,
            scalar: match config.layer_scalars {
                true => upload.values(&own("layer_scalar"))?.first().copied().unwrap_or(1.0),
                false => 1.0,
            },
        })
    }
}

/// Weights of norms, one vector behind another, each with a factor.
fn norm(upload: &Upload<'_>, config: &Config, parts: &[(&str, f32)]) -> Result<Array<f32>> {
    let mut all = Vec::new();
    for (name, factor) in parts {
        all.extend(upload.values(name)?.iter().map(|weight| (weight + config.norm_offset) * factor));
    }
    upload.array(parts.first().map_or("", |part| part.0), &all)
}

impl VisionWeights {
    fn load(upload: &Upload<'_>) -> Result<VisionWeights> {
        let own = |name: &str| format!("model.vision_embedder.{name}");
        let pair = |name: &str| -> Result<[Array<f32>; 2]> {
            Ok([upload.vector(&own(&format!("{name}.weight")))?, upload.vector(&own(&format!("{name}.bias")))?])
        };
        Ok(VisionWeights {
            patch_ln1: pair("patch_ln1")?,
            patch_dense: upload.matrix(&[&own("patch_dense.weight")])?,
            patch_dense_bias: upload.vector(&own("patch_dense.bias"))?,
            patch_ln2: pair("patch_ln2")?,
            pos_embedding: upload.vector(&own("pos_embedding"))?,
            pos_norm: pair("pos_norm")?,
            projection: upload.matrix(&["model.embed_vision.embedding_projection.weight"])?,
        })
    }
}

/// Whether a plan is for a chunk of rows or for one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    Chunk,
    One,
}

/// Everything a plan is recorded from.
struct Recorder<'a> {
    config: &'a Config,
    weights: &'a Weights,
    gpu: &'a Gpu,
    variant: Variant,
    chunk_rows: usize,
    inputs: Inputs,
    angles: [Angles; 2],
    caches: Vec<Cache>,
    states: States,
}

/// Keys and values of a layer.
struct Cache {
    slots: usize,
    k: Array<f32>,
    v: Array<f32>,
}

/// Rows on their way through the model, `[chunk_rows, stride(width)]`.
struct States {
    /// The residual stream.
    x: Array<f32>,
    /// Its normalised form, input of a branch.
    h: Array<f32>,
    /// Output of a branch.
    y: Array<f32>,
    qkv: Array<f32>,
    /// Queries and attention's output, by kind of layer, so that what lies between rows stays zero.
    q: [Array<f32>; 2],
    attended: [Array<f32>; 2],
    partial: Array<f32>,
    /// For attention on software adapters.
    wide: Option<attention_wide::Scratch>,
    gate_up: Array<f32>,
    activated: Array<f32>,
    /// One row, for the head.
    row: Array<f32>,
    /// Media on its way to the embedding: normalised features, and two rows of its own width.
    media: Option<[Array<f32>; 3]>,
    /// Ones, for norms without weight.
    ones: Array<f32>,
}

/// Rows of a chunk, and places of the ring of a sliding layer.
fn sizes(config: &Config, context: usize) -> (usize, usize) {
    let most_patches = config.vision.as_ref().map_or(0, |v| v.most_tokens.max(v.most_frame_tokens));
    let chunk_rows = CHUNK_ROWS.max(most_patches).min(context.max(most_patches)).next_multiple_of(matmul::TILE_ROWS);
    (chunk_rows, (config.sliding_window + chunk_rows + SPARE_PLACES).min(context.next_multiple_of(4)))
}

/// Places of a layer's cache, and values of its keys, which are as many as those of its values.
fn cache_len(layer: &Layer, ring: usize, context: usize) -> (usize, usize) {
    let slots = if layer.kind == LayerType::Sliding { ring } else { context };
    (slots, slots * layer.heads.num_kv_heads * stride(layer.heads.head_dim))
}

/// Bytes of the keys and values of a conversation of up to `context` positions.
pub fn cache_bytes(config: &Config, context: usize) -> u64 {
    let (_, ring) = sizes(config, context);
    config.layers.iter().map(|layer| cache_len(layer, ring, context).1 as u64 * 8).sum()
}

/// The memory and the plans of one conversation of up to `context` positions. `progress(done, total)` counts pipelines.
///
/// # Errors
/// [`Error::OutOfMemory`](crate::Error::OutOfMemory), or [`Error::Driver`](crate::Error::Driver) for a shader refused.
pub fn runtime(
    config: &Config,
    weights: &Weights,
    gpu: &Gpu,
    context: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Runtime> {
    let (chunk_rows, ring) = sizes(config, context);
    let caches = config
        .layers
        .iter()
        .map(|layer| {
            let (slots, len) = cache_len(layer, ring, context);
            Ok(Cache { slots, k: gpu.array("key cache", len)?, v: gpu.array("value cache", len)? })
        })
        .collect::<Result<Vec<_>>>()?;
    let angles = [angles(config, gpu, LayerType::Sliding, context)?, angles(config, gpu, LayerType::Full, context)?];
    let recorder = Recorder {
        config,
        weights,
        gpu,
        variant: Variant::best(gpu),
        chunk_rows,
        inputs: inputs(config, gpu, chunk_rows)?,
        angles,
        states: states(config, gpu, chunk_rows, &caches)?,
        caches,
    };
    let plans = recorder.plans(progress)?;
    Ok(Runtime::new(recorder.inputs, plans, recorder.angles.into(), context, chunk_rows, ring, config.sliding_window))
}

fn angles(config: &Config, gpu: &Gpu, kind: LayerType, context: usize) -> Result<Angles> {
    let dim = config.layers.iter().find(|l| l.kind == kind).map_or(2, |l| l.heads.head_dim);
    let rope = config.rope(kind);
    // Proportional: exponents over the whole head, but only the first pairs turn; at least one that turns by nothing.
    let turning = (rope.partial * dim as f32 / 2.0).floor() as usize;
    let frequencies = match turning.min(dim / 2) {
        0 => vec![0.0],
        pairs => frequencies(rope.theta, dim, pairs).into_iter().map(|frequency| frequency / rope.factor).collect(),
    };
    Ok(Angles { array: gpu.array("rotary angles", context * frequencies.len())?, frequencies })
}

fn inputs(config: &Config, gpu: &Gpu, rows: usize) -> Result<Inputs> {
    let rows_of = |name, width: usize| gpu.array(name, rows * stride(width));
    Ok(Inputs {
        ids: gpu.array("ids", rows)?,
        step: gpu.array("step", 4)?,
        ends: gpu.array("ends", rows)?,
        targets: gpu.array("targets", rows)?,
        patches: config.vision.as_ref().map(|v| rows_of("patches", v.patch_len())).transpose()?,
        places: config.vision.as_ref().map(|_| gpu.array("places", 2 * rows)).transpose()?,
        frames: config.sound.as_ref().map(|s| rows_of("frames", s.frame_samples)).transpose()?,
        logits: gpu.array("logits", config.vocab_size)?,
        sampling: gpu.array("sampling", 8)?,
        seen: gpu.array("seen", config.vocab_size.div_ceil(32))?,
        token: gpu.array("token", 2)?,
    })
}

fn states(config: &Config, gpu: &Gpu, rows: usize, caches: &[Cache]) -> Result<States> {
    let places: Vec<_> = config.layers.iter().zip(caches).map(|(layer, cache)| (layer.heads, cache.slots)).collect();
    let rows_of = |name, width: usize| gpu.rows::<f32>(name, rows * stride(width));
    let greatest = |kind, width: &dyn Fn(&Layer) -> usize| {
        config.layers.iter().filter(|l| l.kind == kind).map(width).max().unwrap_or(4)
    };
    let by_kind = |name, width: &dyn Fn(&Layer) -> usize| -> Result<[Array<f32>; 2]> {
        Ok([rows_of(name, greatest(LayerType::Sliding, width))?, rows_of(name, greatest(LayerType::Full, width))?])
    };
    let most = |width: &dyn Fn(&Layer) -> usize| config.layers.iter().map(width).max().unwrap_or(4);
    let patch = config.vision.as_ref().map_or(0, Vision::patch_len);
    let frame = config.sound.as_ref().map_or(0, |s| s.frame_samples);
    let embed = config.vision.as_ref().map_or(0, |v| v.embed_dim);
    let ones = patch.max(frame).max(embed).max(1);
    Ok(States {
        x: rows_of("x", config.hidden_size)?,
        h: rows_of("h", config.hidden_size)?,
        y: rows_of("y", config.hidden_size)?,
        qkv: rows_of("qkv", most(&|l| l.heads.qkv_width()))?,
        q: by_kind("q", &|l| l.heads.num_heads * stride(l.heads.head_dim))?,
        attended: by_kind("attended", &|l| l.heads.num_heads * l.heads.head_dim)?,
        partial: gpu.array("partial", most(&|l| attention::partial_len(&l.heads)))?,
        wide: match Variant::best(gpu).wide {
            true => attention_wide::Scratch::new(gpu, &places, rows)?,
            false => None,
        },
        gate_up: rows_of("gate_up", 2 * config.intermediate_size)?,
        activated: rows_of("activated", config.intermediate_size)?,
        row: gpu.rows("row", stride(config.hidden_size))?,
        media: match patch.max(frame) {
            0 => None,
            features => Some([rows_of("features", features)?, rows_of("patch a", embed)?, rows_of("patch b", embed)?]),
        },
        ones: gpu.array_of("ones", &vec![1.0; ones])?,
    })
}

impl Recorder<'_> {
    fn plans(&self, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Plans> {
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
            vision: self.weights.vision.as_ref().map(|w| plan(&|p| self.vision(p, w))).transpose()?,
            sound: self.weights.sound.as_ref().map(|w| plan(&|p| self.sound(p, w))).transpose()?,
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
        let ids = self.config.media_ids;
        // Placeholders, also those that a model says by itself, are read as padding.
        let aliases = gather::Aliases { ids: [ids.image, ids.video, ids.audio], read_as: self.config.pad_token_id };
        let (table, x) = (&self.weights.embed_tokens, &self.states.x);
        gather::record(plan, self.variant, table, scale, aliases, rows, &self.inputs.ids, x)
    }

    /// Patches to embeddings: norm, projection, norm, position, norm, norm, projection.
    fn vision(&self, plan: &mut PlanBuilder<'_>, weights: &VisionWeights) -> Result<()> {
        let (Some(vision), Some(patches), Some(places), Some([features, a, b])) =
            (&self.config.vision, &self.inputs.patches, &self.inputs.places, &self.states.media)
        else {
            return Ok(());
        };
        let (rows, width, eps) = (self.chunk_rows, vision.embed_dim, 1e-5);
        let zeros = self.gpu.array("no bias", vision.patch_len().max(width))?;
        let norm = |plan: &mut PlanBuilder<'_>, size, x, x_bias, [weight, bias]: &[Array<f32>; 2], y| {
            layer_norm::record(plan, size, eps, rows, x, x_bias, weight, bias, y)
        };
        norm(plan, vision.patch_len(), patches, &zeros, &weights.patch_ln1, features)?;
        matmul::record(plan, self.variant, &weights.patch_dense, rows, features, a)?;
        norm(plan, width, a, &weights.patch_dense_bias, &weights.patch_ln2, b)?;
        patch_position::record(plan, width, vision.positions, rows, places, &weights.pos_embedding, b)?;
        norm(plan, width, b, &zeros, &weights.pos_norm, a)?;
        rms_norm::record(plan, width, vision.eps, rows, a, &self.states.ones, b)?;
        matmul::record(plan, self.variant, &weights.projection, rows, b, &self.states.y)?;
        plan.tap("vision.out", &self.states.y, self.config.hidden_size, stride(self.config.hidden_size));
        self.scatter(plan)
    }

    /// Frames to embeddings: norm, projection.
    fn sound(&self, plan: &mut PlanBuilder<'_>, projection: &Matrix) -> Result<()> {
        let (Some(sound), Some(frames), Some([features, ..])) =
            (&self.config.sound, &self.inputs.frames, &self.states.media)
        else {
            return Ok(());
        };
        let rows = self.chunk_rows;
        rms_norm::record(plan, sound.frame_samples, sound.eps, rows, frames, &self.states.ones, features)?;
        matmul::record(plan, self.variant, projection, rows, features, &self.states.y)?;
        plan.tap("audio.out", &self.states.y, self.config.hidden_size, stride(self.config.hidden_size));
        self.scatter(plan)
    }

    fn scatter(&self, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let width = self.config.hidden_size;
        scatter::record(plan, width, self.chunk_rows, &self.states.y, &self.inputs.targets, &self.states.x)
    }

    /// The decoder: embeddings in `x` to the final norm in `h`.
    fn layers(&self, plan: &mut PlanBuilder<'_>, rows: Rows) -> Result<()> {
        let (hidden, eps) = (self.config.hidden_size, self.config.eps);
        let States { x, h, .. } = &self.states;
        plan.tap("embeddings", x, hidden, stride(hidden));
        rms_norm::record(plan, hidden, eps, self.most(rows), x, &self.weights.layers[0].input_norm, h)?;
        for (index, weights) in self.weights.layers.iter().enumerate() {
            let next_norm = self.weights.layers.get(index + 1).map_or(&self.weights.norm, |next| &next.input_norm);
            self.attention(plan, rows, index, weights)?;
            self.add(plan, rows, &weights.post_attention_norm, &weights.pre_feedforward_norm, 1.0)?;
            self.mlp(plan, rows, weights)?;
            self.add(plan, rows, &weights.post_feedforward_norm, next_norm, weights.scalar)?;
            plan.tap(format!("layer.{index}"), x, hidden, stride(hidden));
        }
        plan.tap("final_norm", h, hidden, stride(hidden));
        Ok(())
    }

    /// `h` to `y` through one layer's attention and cache.
    fn attention(&self, plan: &mut PlanBuilder<'_>, rows: Rows, index: usize, weights: &LayerWeights) -> Result<()> {
        let Layer { kind, heads } = &self.config.layers[index];
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
                    attention_wide::record(plan, heads, reach, cache.slots, self.chunk_rows, &arrays, scratch)?;
                }
                _ => attention::record(plan, heads, reach, cache.slots, self.chunk_rows, &arrays)?,
            },
            Rows::One => attention::record_split(plan, heads, reach, cache.slots, &arrays)?,
        }
        self.project(plan, rows, &weights.o_proj, attended, y)
    }

    /// `h` to `y` through the gated feed-forward.
    fn mlp(&self, plan: &mut PlanBuilder<'_>, rows: Rows, weights: &LayerWeights) -> Result<()> {
        let States { h, y, gate_up, activated, .. } = &self.states;
        self.project(plan, rows, &weights.gate_up_proj, h, gate_up)?;
        gate::record(plan, self.config.intermediate_size, self.most(rows), gate_up, activated)?;
        self.project(plan, rows, &weights.down_proj, activated, y)
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
