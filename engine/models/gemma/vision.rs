//! The patch encoder of Gemma 4 (`Gemma4VisionModel` of transformers 5.23): patches are projected, get learned positions
//! of column and row, pass layers in which all patches of a picture see each other, and are pooled to tokens.

use super::clipped::Clipped;
use crate::error::Result;
use crate::gpu::{Array, Gpu, PlanBuilder};
use crate::kernels::norm_rope::{Heads, Values, angles, frequencies};
use crate::kernels::patch_position::Order;
use crate::kernels::{
    Bounds, Matrix, Variant, add_norm, attention, attention_wide, axial_rope, clamp, gate, matmul, patch_position,
    pool_patches, rms_norm, stride,
};
use crate::models::gemma::{Names, Target, Vision};
use crate::weights::{Expected, Fields, Upload};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// `eps` of the norms around branches, which the reference does not take from the config.
const LAYER_EPS: f32 = 1e-6;

/// `vision_config` of a checkpoint with a patch encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchEncoder {
    /// `hidden_size`.
    pub hidden_size: usize,
    /// `intermediate_size`.
    pub intermediate_size: usize,
    /// `num_hidden_layers`.
    pub num_layers: usize,
    /// Heads of every layer.
    pub heads: Heads,
    /// `rms_norm_eps`.
    pub eps: f32,
    /// `rope_theta`.
    pub rope_theta: f32,
    /// `use_clipped_linears`.
    pub clipped: bool,
    /// `standardize`.
    pub standardize: bool,
}

/// Linear layers of an encoder layer.
const LINEARS: [&str; 7] = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
];
/// Norms around the branches of an encoder layer.
const NORMS: [&str; 4] =
    ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"];

impl PatchEncoder {
    /// Reads `vision_config`.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) naming the first field that is missing, out of range or not supported.
    pub fn read(fields: &Fields) -> Result<PatchEncoder> {
        let num_heads = fields.optional_usize("num_attention_heads", 1..1024)?.unwrap_or(12);
        let num_kv_heads = fields.optional_usize("num_key_value_heads", 1..1024)?.unwrap_or(12);
        let head_dim = fields.optional_usize("head_dim", 4..=attention::MOST_HEAD_DIM)?.unwrap_or(64);
        if num_heads % num_kv_heads != 0 {
            let problem = format!("is {num_kv_heads}, which does not divide num_attention_heads {num_heads}");
            return Err(fields.error("num_key_value_heads", problem));
        }
        if head_dim % 4 != 0 {
            let problem = format!("is {head_dim}, expected a multiple of 4: columns and rows turn pairs of their own");
            return Err(fields.error("head_dim", problem));
        }
        if fields.optional_bool("attention_bias")?.unwrap_or(false) {
            return Err(fields.error("attention_bias", "is true, only false is supported"));
        }
        if let Some(other) = fields.optional_string("hidden_activation")?.filter(|a| *a != "gelu_pytorch_tanh") {
            let problem = format!("is \"{other}\", only \"gelu_pytorch_tanh\" is supported");
            return Err(fields.error("hidden_activation", problem));
        }
        let rope_theta = match fields.optional_object("rope_parameters")? {
            Some(rope) => {
                if rope.has("rope_type") {
                    rope.one_of("rope_type", &["axial"])?;
                }
                let theta = rope.optional_f32("rope_theta")?.unwrap_or(100.0);
                if theta <= 1.0 {
                    return Err(rope.error("rope_theta", format!("is {theta}, expected above 1")));
                }
                theta
            }
            None => 100.0,
        };
        Ok(PatchEncoder {
            hidden_size: fields.optional_usize("hidden_size", 1..1 << 16)?.unwrap_or(768),
            intermediate_size: fields.optional_usize("intermediate_size", 1..1 << 18)?.unwrap_or(3072),
            num_layers: fields.optional_usize("num_hidden_layers", 1..1000)?.unwrap_or(16),
            heads: Heads { num_heads, num_kv_heads, head_dim, values: Values::Normed },
            eps: fields.optional_f32("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta,
            clipped: fields.optional_bool("use_clipped_linears")?.unwrap_or(false),
            standardize: fields.optional_bool("standardize")?.unwrap_or(false),
        })
    }

    /// Adds every tensor of the encoder and of the projection behind it.
    pub fn tensors(&self, vision: &Vision, hidden_size: usize, names: Names, all: &mut Vec<Expected>) {
        let width = self.hidden_size;
        let mut add = |name: String, shape: &[usize]| all.push(Expected::new(names.sense(&name), shape));
        let input_proj = "vision_tower.patch_embedder.input_proj.weight".into();
        match names {
            Names::Folder { .. } => add(input_proj, &[width, vision.patch_len()]),
            Names::Gguf => add(input_proj, &[width, 3, vision.patch_px, vision.patch_px]),
        }
        add("vision_tower.patch_embedder.position_embedding_table".into(), &[2, vision.positions, width]);
        for index in 0..self.num_layers {
            let own = |name: &str| format!("vision_tower.encoder.layers.{index}.{name}");
            for norm in NORMS {
                add(own(&format!("{norm}.weight")), &[width]);
            }
            add(own("self_attn.q_norm.weight"), &[self.heads.head_dim]);
            add(own("self_attn.k_norm.weight"), &[self.heads.head_dim]);
            for linear in LINEARS {
                Clipped::tensors(&own(linear), self.linear_shape(linear), self.clipped, names, &mut add);
            }
        }
        if self.standardize {
            add("vision_tower.std_bias".into(), &[width]);
            add("vision_tower.std_scale".into(), &[width]);
        }
        add("embed_vision.embedding_projection.weight".into(), &[hidden_size, width]);
    }

    fn linear_shape(&self, linear: &str) -> [usize; 2] {
        let Heads { num_heads, num_kv_heads, head_dim, .. } = self.heads;
        let (width, inner) = (self.hidden_size, self.intermediate_size);
        match linear {
            "self_attn.q_proj" => [num_heads * head_dim, width],
            "self_attn.k_proj" | "self_attn.v_proj" => [num_kv_heads * head_dim, width],
            "self_attn.o_proj" => [width, num_heads * head_dim],
            "mlp.down_proj" => [width, inner],
            _ => [inner, width],
        }
    }
}

/// The encoder's weights on the GPU.
pub struct PatchEncoderWeights {
    input_proj: Matrix,
    positions: Array<f32>,
    layers: Vec<LayerWeights>,
    std_bias: Array<f32>,
    std_scale: Array<f32>,
    projection: Matrix,
}

struct LayerWeights {
    norms: [Array<f32>; 4],
    q_norm: Array<f32>,
    k_norm: Array<f32>,
    linears: [Clipped; 7],
}

impl PatchEncoderWeights {
    /// Uploads them.
    ///
    /// # Errors
    /// As [`Upload::matrix`].
    pub fn load(
        upload: &Upload<'_>,
        vision: &Vision,
        encoder: &PatchEncoder,
        names: Names,
    ) -> Result<PatchEncoderWeights> {
        let own = |name: &str| names.sense(&format!("vision_tower.{name}"));
        let input_proj = own("patch_embedder.input_proj.weight");
        let (std_bias, std_scale) = match encoder.standardize {
            true => (upload.vector(&own("std_bias"))?, upload.vector(&own("std_scale"))?),
            false => (
                upload.array("std_bias", &vec![0.0; encoder.hidden_size])?,
                upload.array("std_scale", &vec![1.0; encoder.hidden_size])?,
            ),
        };
        Ok(PatchEncoderWeights {
            input_proj: match names {
                Names::Folder { .. } => upload.matrix(&[&input_proj])?,
                Names::Gguf => {
                    let turned = vision.channels_last(&upload.values(&input_proj)?);
                    upload.matrix_of(&input_proj, vision.patch_len(), &turned)?
                }
            },
            positions: upload.vector(&own("patch_embedder.position_embedding_table"))?,
            layers: (0..encoder.num_layers)
                .map(|i| LayerWeights::load(upload, encoder, names, i))
                .collect::<Result<_>>()?,
            std_bias,
            std_scale,
            projection: upload.matrix(&[&names.sense("embed_vision.embedding_projection.weight")])?,
        })
    }
}

impl LayerWeights {
    fn load(upload: &Upload<'_>, encoder: &PatchEncoder, names: Names, index: usize) -> Result<LayerWeights> {
        let own = |name: &str| names.sense(&format!("vision_tower.encoder.layers.{index}.{name}"));
        let vector = |name: &str| upload.vector(&own(&format!("{name}.weight")));
        let linear = |name: &str| Clipped::load(upload, encoder.clipped, &|part| own(&format!("{name}.{part}")));
        let [a, b, c, d] = NORMS.map(vector);
        let [q, k, v, o, gate, up, down] = LINEARS.map(linear);
        Ok(LayerWeights {
            norms: [a?, b?, c?, d?],
            q_norm: vector("self_attn.q_norm")?,
            k_norm: vector("self_attn.k_norm")?,
            linears: [q?, k?, v?, o?, gate?, up?, down?],
        })
    }
}

/// What is recorded from, and the rows on their way.
struct Recorder<'a> {
    vision: &'a Vision,
    encoder: &'a PatchEncoder,
    weights: &'a PatchEncoderWeights,
    gpu: &'a Gpu,
    variant: Variant,
    /// Most patches of a replay.
    rows: usize,
    /// Clipped inputs and unclipped outputs by their width, so that what lies between rows stays zero.
    clipped: RefCell<BTreeMap<usize, Array<f32>>>,
    raw: RefCell<BTreeMap<usize, Array<f32>>>,
}

/// What the host writes for pictures that are encoded together.
pub(in crate::models) struct PatchArrays<'a> {
    /// Patches.
    pub(in crate::models) features: &'a Array<f32>,
    /// Column and row of each.
    pub(in crate::models) places: &'a Array<u32>,
    /// 0 and how many there are of all pictures.
    pub(in crate::models) span: &'a Array<u32>,
    /// The first and the last one of the same picture, for each of them.
    pub(in crate::models) ends: &'a Array<[u32; 2]>,
}

/// The plans of pictures: one for rows of patches, from their features to the last layer; one for rows of tokens, to the
/// embeddings in `target.y`.
///
/// # Errors
/// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
pub(in crate::models) fn record_encoder<'g>(
    vision: &Vision,
    encoder: &PatchEncoder,
    weights: &PatchEncoderWeights,
    target: &Target<'g>,
    arrays: &PatchArrays<'_>,
) -> Result<[PlanBuilder<'g>; 2]> {
    let recorder = Recorder {
        vision,
        encoder,
        weights,
        gpu: target.gpu,
        variant: target.variant,
        rows: target.rows * vision.patches_per_token(),
        clipped: RefCell::default(),
        raw: RefCell::default(),
    };
    let x = recorder.rows_of("patches", encoder.hidden_size)?;
    let mut encode = PlanBuilder::new(target.gpu);
    recorder.encode(&mut encode, arrays, &x)?;
    let mut project = PlanBuilder::new(target.gpu);
    recorder.project(&mut project, target, arrays, &x)?;
    Ok([encode, project])
}

impl Recorder<'_> {
    fn rows_of(&self, name: &str, width: usize) -> Result<Array<f32>> {
        self.gpu.rows(name, self.rows * stride(width))
    }

    fn by_width(&self, all: &RefCell<BTreeMap<usize, Array<f32>>>, width: usize) -> Result<Array<f32>> {
        if let Some(array) = all.borrow().get(&width) {
            return Ok(array.clone());
        }
        let array = self.rows_of("clipped", width)?;
        all.borrow_mut().insert(width, array.clone());
        Ok(array)
    }

    /// `y = clip(weight · clip(x))`; bounds that clip nothing cost nothing.
    fn linear(&self, plan: &mut PlanBuilder<'_>, linear: &Clipped, x: &Array<f32>, y: &Array<f32>) -> Result<()> {
        let Matrix { rows: out, width, .. } = linear.weight;
        let clips = |bounds: Bounds| bounds != Bounds::NONE;
        let clipped;
        let x = if clips(linear.input) {
            clipped = self.by_width(&self.clipped, width)?;
            clamp::record(plan, width, linear.input, [1.0, 0.0], self.rows, x, &clipped)?;
            &clipped
        } else {
            x
        };
        if !clips(linear.output) {
            return matmul::record(plan, self.variant, &linear.weight, self.rows, x, y);
        }
        let raw = self.by_width(&self.raw, out)?;
        matmul::record(plan, self.variant, &linear.weight, self.rows, x, &raw)?;
        clamp::record(plan, out, linear.output, [1.0, 0.0], self.rows, &raw, y)
    }

    /// Features to the output of the last layer in `x`.
    fn encode(&self, plan: &mut PlanBuilder<'_>, given: &PatchArrays<'_>, x: &Array<f32>) -> Result<()> {
        let PatchArrays { features, places, span, ends } = *given;
        let (encoder, rows) = (self.encoder, self.rows);
        let Heads { num_heads, num_kv_heads, head_dim, .. } = encoder.heads;
        let (width, inner) = (encoder.hidden_size, encoder.intermediate_size);
        let padded = stride(head_dim);
        let scaled = self.rows_of("pixels", self.vision.patch_len())?;
        let [h, y] = [self.rows_of("h", width)?, self.rows_of("y", width)?];
        let queries = self.rows_of("q", num_heads * head_dim)?;
        let [keys, values] = [self.rows_of("k", num_kv_heads * head_dim)?, self.rows_of("v", num_kv_heads * head_dim)?];
        let q = self.gpu.rows("turned q", rows * num_heads * padded)?;
        let [k, v] = ["turned k", "normed v"].map(|name| self.gpu.array(name, rows * num_kv_heads * padded));
        let (k, v) = (k?, v?);
        let attended = self.rows_of("attended", num_heads * head_dim)?;
        let [gates, ups, activated] = ["gate", "up", "activated"].map(|name| self.rows_of(name, inner));
        let (gates, ups, activated) = (gates?, ups?, activated?);
        let partial = self.gpu.array("partial", 4)?;
        let wide = match self.variant.wide {
            true => attention_wide::Scratch::new(self.gpu, &[(encoder.heads, rows)], rows)?,
            false => None,
        };
        let no_norm = self.gpu.array_of("ones", &vec![1.0; head_dim])?;
        let turns = frequencies(encoder.rope_theta, head_dim / 2, head_dim / 4);
        let turns: Vec<[f32; 2]> = (0..self.vision.positions).flat_map(|place| angles(place, &turns)).collect();
        let turns = self.gpu.array_of("axial angles", &turns)?;

        clamp::record(plan, self.vision.patch_len(), Bounds::NONE, [2.0, -1.0], rows, features, &scaled)?;
        matmul::record(plan, self.variant, &self.weights.input_proj, rows, &scaled, x)?;
        let size = self.vision.positions;
        patch_position::record(plan, width, size, Order::AxesFirst, rows, places, &self.weights.positions, x)?;
        for (index, layer) in self.weights.layers.iter().enumerate() {
            let [input, post_attention, pre_feedforward, post_feedforward] = &layer.norms;
            let [q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj] = &layer.linears;
            if index == 0 {
                rms_norm::record(plan, width, LAYER_EPS, rows, x, input, &h)?;
            }
            for (linear, raw, norm, turned, heads, out) in [
                (q_proj, &queries, &layer.q_norm, true, num_heads, &q),
                (k_proj, &keys, &layer.k_norm, true, num_kv_heads, &k),
                (v_proj, &values, &no_norm, false, num_kv_heads, &v),
            ] {
                self.linear(plan, linear, &h, raw)?;
                let shape = axial_rope::Shape { heads, head_dim, positions: turned.then_some(size) };
                let arrays = axial_rope::Arrays { x: raw, norm, angles: &turns, places, y: out };
                axial_rope::record(plan, shape, encoder.eps, rows, &arrays)?;
            }
            let arrays = attention::Arrays {
                q: &q,
                k_cache: &k,
                v_cache: &v,
                step: span,
                ends,
                partial: &partial,
                out: &attended,
            };
            let reach = attention::Reach { window: None, sees_ends: true };
            match &wide {
                Some(scratch) => {
                    attention_wide::record(plan, self.variant, &encoder.heads, reach, [rows, rows], &arrays, scratch)?
                }
                None => attention::record(plan, &encoder.heads, reach, rows, rows, &arrays)?,
            }
            self.linear(plan, o_proj, &attended, &y)?;
            let add = |plan: &mut PlanBuilder<'_>, weight, next_weight| {
                let arrays = add_norm::Arrays { y: &y, weight, next_weight, x, h: &h };
                add_norm::record(plan, width, LAYER_EPS, 1.0, rows, &arrays)
            };
            add(plan, post_attention, pre_feedforward)?;
            self.linear(plan, gate_proj, &h, &gates)?;
            self.linear(plan, up_proj, &h, &ups)?;
            let gated = gate::Arrays {
                gate: &gates,
                gate_stride: stride(inner),
                up: &ups,
                up_start: 0,
                up_stride: stride(inner),
            };
            gate::record(plan, inner, rows, &gated, &activated)?;
            self.linear(plan, down_proj, &activated, &y)?;
            let next = self.weights.layers.get(index + 1).map_or(input, |next| &next.norms[0]);
            add(plan, post_feedforward, next)?;
            plan.tap(format!("vision.layer.{index}"), x, width, stride(width));
        }
        Ok(())
    }

    /// The last layer's output to embeddings: pooled, standardised, normalised, projected.
    fn project(
        &self,
        plan: &mut PlanBuilder<'_>,
        target: &Target<'_>,
        given: &PatchArrays<'_>,
        x: &Array<f32>,
    ) -> Result<()> {
        let PatchArrays { places, ends, .. } = *given;
        let (width, tokens) = (self.encoder.hidden_size, target.rows);
        let rows_of = |name| self.gpu.rows::<f32>(name, tokens * stride(width));
        let [pooled, normed] = [rows_of("pooled")?, rows_of("normed")?];
        let arrays = pool_patches::Arrays {
            x,
            places,
            ends,
            bias: &self.weights.std_bias,
            scale: &self.weights.std_scale,
            y: &pooled,
        };
        pool_patches::record(plan, width, self.vision.pooled, tokens, &arrays)?;
        let ones = self.gpu.array_of("ones", &vec![1.0; width])?;
        rms_norm::record(plan, width, self.encoder.eps, tokens, &pooled, &ones, &normed)?;
        matmul::record(plan, self.variant, &self.weights.projection, tokens, &normed, target.y)
    }
}
