//! The decoder's weights on the GPU.

use super::config::{Config, Experts, PerLayer};
use super::senses::{EarsWeights, EyesWeights};
use crate::error::Result;
use crate::gpu::{Array, Gpu};
use crate::kernels::Matrix;
use crate::kernels::norm_rope::Values;
use crate::kernels::route::Shape;
use crate::weights::{Checkpoint, Expected, Upload};

/// The weights on the GPU.
pub struct Weights {
    pub(super) embed_tokens: Matrix,
    lm_head: Option<Matrix>,
    pub(super) norm: Array<f32>,
    pub(super) per_layer: Option<PerLayerWeights>,
    pub(super) layers: Vec<LayerWeights>,
    pub(super) eyes: Option<EyesWeights>,
    pub(super) ears: Option<EarsWeights>,
}

/// What makes the per-layer embeddings.
pub(super) struct PerLayerWeights {
    pub(super) embed_tokens: Matrix,
    pub(super) model_projection: Matrix,
    pub(super) norm: Array<f32>,
}

pub(super) struct LayerWeights {
    pub(super) input_norm: Array<f32>,
    /// q_proj, and k_proj and v_proj unless keys and values come from elsewhere, one below another.
    pub(super) qkv_proj: Matrix,
    /// q_norm and, where there are keys, k_norm.
    pub(super) qk_norm: Array<f32>,
    pub(super) o_proj: Matrix,
    pub(super) post_attention_norm: Array<f32>,
    pub(super) pre_feedforward_norm: Array<f32>,
    /// gate_proj, up_proj.
    pub(super) gate_up_proj: Matrix,
    pub(super) down_proj: Matrix,
    pub(super) experts: Option<ExpertsWeights>,
    pub(super) post_feedforward_norm: Array<f32>,
    pub(super) per_layer: Option<LayerInputWeights>,
    pub(super) scalar: f32,
}

/// The experts of a layer, and what is around them.
pub(super) struct ExpertsWeights {
    shape: Shape,
    /// Behind the dense feed-forward.
    pub(super) dense_post_norm: Array<f32>,
    pub(super) pre_norm: Array<f32>,
    pub(super) post_norm: Array<f32>,
    /// The router's scale, over √hidden_size.
    pub(super) router_norm: Array<f32>,
    pub(super) router_proj: Matrix,
    pub(super) per_expert_scale: Array<f32>,
    /// Of each expert gate_proj and up_proj, one expert below another.
    pub(super) gate_up_proj: Matrix,
    pub(super) down_proj: Matrix,
}

/// How a layer takes its own embedding in.
pub(super) struct LayerInputWeights {
    pub(super) gate: Matrix,
    pub(super) projection: Matrix,
    pub(super) norm: Array<f32>,
}

impl Weights {
    /// Checks the checkpoint against the config and uploads it; `progress(done, total)` counts bytes.
    ///
    /// # Errors
    /// [`Error::Tensors`](crate::Error::Tensors) for a checkpoint that does not fit its config, or as [`Upload::matrix`].
    pub fn load(checkpoint: &Checkpoint, config: &Config, gpu: &Gpu, progress: &dyn Fn(u64, u64)) -> Result<Weights> {
        config.check(checkpoint)?;
        let used = |expected: &Expected| checkpoint.tensor(&expected.name).map_or(0, |tensor| tensor.bytes());
        let total = config.tensors().iter().map(used).sum();
        let upload = Upload::new(gpu, checkpoint, total, progress);
        let names = config.names;
        let layers = (0..config.layers.len()).map(|i| LayerWeights::load(&upload, config, i)).collect::<Result<_>>()?;
        Ok(Weights {
            embed_tokens: upload.matrix(&[&names.embed_tokens()])?,
            lm_head: if config.tied { None } else { Some(upload.matrix(&[names.lm_head()])?) },
            norm: norm(&upload, config, &[(&names.norm(), 1.0)])?,
            per_layer: config.per_layer.map(|_| PerLayerWeights::load(&upload, config)).transpose()?,
            layers,
            eyes: config.vision.as_ref().map(|vision| EyesWeights::load(&upload, vision, names)).transpose()?,
            ears: config.sound.as_ref().map(|sound| EarsWeights::load(&upload, sound, names)).transpose()?,
        })
    }

    pub(super) fn head(&self) -> &Matrix {
        self.lm_head.as_ref().unwrap_or(&self.embed_tokens)
    }

    /// Every matrix that a decode step reads whole.
    fn decoded(&self) -> impl Iterator<Item = &Matrix> {
        let layers = self.layers.iter().flat_map(|l| {
            let own = l.per_layer.iter().flat_map(|p| [&p.gate, &p.projection]);
            let router = l.experts.iter().map(|e| &e.router_proj);
            [&l.qkv_proj, &l.o_proj, &l.gate_up_proj, &l.down_proj].into_iter().chain(own).chain(router)
        });
        layers.chain([self.head()]).chain(self.per_layer.iter().map(|p| &p.model_projection))
    }

    /// Bytes of weights that a decode step must read.
    pub fn decode_bytes(&self) -> u64 {
        let experts = self.layers.iter().filter_map(|l| l.experts.as_ref()).map(ExpertsWeights::decode_bytes);
        self.decoded().map(Matrix::bytes).chain(experts).sum()
    }
}

impl PerLayerWeights {
    fn load(upload: &Upload<'_>, config: &Config) -> Result<PerLayerWeights> {
        let own = |name: &str| config.names.decoder(name);
        // The reference divides the projection by √hidden_size; its norm sees that only through eps.
        Ok(PerLayerWeights {
            embed_tokens: upload.matrix(&[&own("embed_tokens_per_layer.weight")])?,
            model_projection: upload.matrix(&[&own("per_layer_model_projection.weight")])?,
            norm: norm(upload, config, &[(&own("per_layer_projection_norm.weight"), 1.0)])?,
        })
    }
}

impl LayerWeights {
    fn load(upload: &Upload<'_>, config: &Config, index: usize) -> Result<LayerWeights> {
        let own = |name: &str| config.names.layer(index, name);
        let vector = |name: &str| norm(upload, config, &[(&own(name), 1.0)]);
        let [q, k, v] = ["self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"].map(own);
        let (q_norm, k_norm) = (own("self_attn.q_norm.weight"), own("self_attn.k_norm.weight"));
        // A factor on the queries is one on the scores.
        let queries = (q_norm.as_str(), config.query_scale);
        let (projected, norms): (&[&str], &[_]) = match config.layers[index].heads.values {
            Values::Normed | Values::Plain => (&[&q, &k, &v], &[queries, (&k_norm, 1.0)]),
            Values::FromKeys => (&[&q, &k], &[queries, (&k_norm, 1.0)]),
            Values::Shared => (&[&q], &[queries]),
        };
        Ok(LayerWeights {
            input_norm: vector("input_layernorm.weight")?,
            qkv_proj: upload.matrix(projected)?,
            qk_norm: norm(upload, config, norms)?,
            o_proj: upload.matrix(&[&own("self_attn.o_proj.weight")])?,
            post_attention_norm: vector("post_attention_layernorm.weight")?,
            pre_feedforward_norm: vector("pre_feedforward_layernorm.weight")?,
            gate_up_proj: upload.matrix(&[&own("mlp.gate_proj.weight"), &own("mlp.up_proj.weight")])?,
            down_proj: upload.matrix(&[&own("mlp.down_proj.weight")])?,
            experts: config.experts.map(|experts| ExpertsWeights::load(upload, config, experts, index)).transpose()?,
            post_feedforward_norm: vector("post_feedforward_layernorm.weight")?,
            per_layer: match config.per_layer {
                Some(PerLayer { .. }) => Some(LayerInputWeights {
                    gate: upload.matrix(&[&own("per_layer_input_gate.weight")])?,
                    projection: upload.matrix(&[&own("per_layer_projection.weight")])?,
                    norm: vector("post_per_layer_input_norm.weight")?,
                }),
                None => None,
            },
            scalar: match config.layer_scalars {
                true => upload.values(&own("layer_scalar"))?.first().copied().unwrap_or(1.0),
                false => 1.0,
            },
        })
    }
}

impl ExpertsWeights {
    fn load(upload: &Upload<'_>, config: &Config, experts: Experts, index: usize) -> Result<ExpertsWeights> {
        let own = |name: &str| config.names.layer(index, name);
        let vector = |name: &str| norm(upload, config, &[(&own(name), 1.0)]);
        let root = (config.hidden_size as f32).powf(-0.5);
        Ok(ExpertsWeights {
            shape: experts.shape,
            dense_post_norm: vector("post_feedforward_layernorm_1.weight")?,
            pre_norm: vector("pre_feedforward_layernorm_2.weight")?,
            post_norm: vector("post_feedforward_layernorm_2.weight")?,
            router_norm: norm(upload, config, &[(&own("router.scale"), root)])?,
            router_proj: upload.matrix(&[&own("router.proj.weight")])?,
            per_expert_scale: upload.vector(&own("router.per_expert_scale"))?,
            gate_up_proj: upload.matrices(&own("experts.gate_up_proj"))?,
            down_proj: upload.matrices(&own("experts.down_proj"))?,
        })
    }

    /// Bytes of the experts that one token goes to.
    fn decode_bytes(&self) -> u64 {
        let Shape { num_experts, top_k } = self.shape;
        (self.gate_up_proj.bytes() + self.down_proj.bytes()) * top_k as u64 / num_experts as u64
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
