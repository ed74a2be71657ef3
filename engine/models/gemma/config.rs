//! What the decoder of a Gemma model is made of, and which tensors that asks for. Each family's own file fills it.

use super::projection;
use super::sound::SoundConfig;
use super::vision::PatchEncoder;
use crate::error::Result;
use crate::kernels::attention::Reach;
use crate::kernels::norm_rope::{Heads, Values};
use crate::kernels::route;
use crate::weights::{Checkpoint, Expected};

/// How a layer looks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerType {
    /// `sliding_attention`: a window, and both ways inside a picture.
    Sliding,
    /// `full_attention`: everything before.
    Full,
}

/// Rotary positions of one layer type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// `rope_theta`.
    pub theta: f32,
    /// `partial_rotary_factor` of the proportional kind; 1 for the other kinds.
    pub partial: f32,
    /// `factor` of the linear kind, which divides the frequencies; 1 for the other kinds.
    pub factor: f32,
}

/// A decoder layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// How it looks back.
    pub kind: LayerType,
    /// Its heads.
    pub heads: Heads,
    /// `intermediate_size`, or twice as much where the config makes it wider.
    pub intermediate_size: usize,
    /// The earlier layer whose keys and values it attends to instead of its own.
    pub kv_from: Option<usize>,
}

impl Layer {
    /// A layer with keys and values of its own.
    pub fn new(kind: LayerType, heads: Heads, intermediate_size: usize) -> Layer {
        Layer { kind, heads, intermediate_size, kv_from: None }
    }
}

/// Per-layer embeddings: `hidden_size_per_layer_input` values of a token for each layer, beside the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerLayer {
    /// `hidden_size_per_layer_input`.
    pub width: usize,
}

/// A second feed-forward beside the dense one: of many experts a token goes to a few that a router chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experts {
    /// `num_experts` and `top_k_experts`.
    pub shape: route::Shape,
    /// `moe_intermediate_size`: values between the projections of an expert.
    pub intermediate_size: usize,
}

/// Pictures: `vision_config` and the picture processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Vision {
    /// Pixels along a side of a patch.
    pub patch_px: usize,
    /// Patches along a side of the square that becomes a token.
    pub pooled: usize,
    /// Positions along an axis.
    pub positions: usize,
    /// Most tokens of a picture.
    pub most_tokens: usize,
    /// Most tokens of a video frame.
    pub most_frame_tokens: usize,
    /// Most frames of a video.
    pub most_frames: usize,
    /// `image_mean`, `image_std` in [0, 1], identity if the processor does not normalise.
    pub normalise: [[f32; 2]; 3],
    /// What becomes of a patch.
    pub eyes: Eyes,
}

/// From patches to embeddings.
#[derive(Clone, Debug, PartialEq)]
pub enum Eyes {
    /// Norms and two projections, without an encoder.
    Projection {
        /// `mm_embed_dim`.
        embed_dim: usize,
        /// `rms_norm_eps`.
        eps: f32,
    },
    /// The patch encoder of Gemma 4.
    Encoder(PatchEncoder),
}

impl Vision {
    /// Pixels along a side of the square that becomes a token.
    pub fn token_px(&self) -> usize {
        self.patch_px * self.pooled
    }

    /// Patches of a token.
    pub fn patches_per_token(&self) -> usize {
        self.pooled * self.pooled
    }

    /// Patches of (channel, row, column), as GGUF files have them, one behind another as (row, column, channel).
    pub fn channels_last(&self, patches: &[f32]) -> Vec<f32> {
        let area = self.patch_px * self.patch_px;
        let patch = |patch: &[f32]| -> Vec<f32> {
            (0..area).flat_map(|pixel| [0, 1, 2].map(|channel| patch[channel * area + pixel])).collect()
        };
        patches.chunks_exact(3 * area).flat_map(patch).collect()
    }

    /// Values of a patch: (row, column, channel).
    pub fn patch_len(&self) -> usize {
        self.patch_px * self.patch_px * 3
    }
}

/// Sound: `audio_config` and the feature extractor.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// Samples that become a token.
    pub frame_samples: usize,
    /// `sampling_rate`.
    pub sample_rate: u32,
    /// What becomes of them.
    pub ears: Ears,
}

/// From samples to embeddings.
#[derive(Clone, Debug, PartialEq)]
pub enum Ears {
    /// A norm and a projection, without an encoder.
    Projection {
        /// `rms_norm_eps`.
        eps: f32,
    },
    /// A spectrogram and a conformer.
    Encoder(Box<SoundConfig>),
}

impl Sound {
    /// Sound that passes a spectrogram encoder.
    pub(in crate::models) fn encoded(encoder: SoundConfig) -> Sound {
        Sound {
            frame_samples: encoder.row_samples(),
            sample_rate: encoder.spectrogram.sample_rate as u32,
            ears: Ears::Encoder(Box::new(encoder)),
        }
    }

    /// The spectrogram encoder, if it has one.
    pub fn encoder(&self) -> Option<&SoundConfig> {
        match &self.ears {
            Ears::Encoder(encoder) => Some(encoder),
            Ears::Projection { .. } => None,
        }
    }

    /// Values of the row of samples that a token is made from.
    pub fn row_width(&self) -> usize {
        self.encoder().map_or(self.frame_samples, SoundConfig::row_width)
    }

    /// Rows of samples for the first `tokens` tokens, `[tokens, row_width]`; what the last one lacks is zero.
    pub fn rows(&self, samples: &[f32], tokens: usize) -> Vec<f32> {
        if let Some(encoder) = self.encoder() {
            return encoder.features(samples, 0..tokens);
        }
        let len = tokens * self.frame_samples;
        let mut rows = samples[..samples.len().min(len)].to_vec();
        rows.resize(len, 0.0);
        rows
    }

    /// Tokens of a sound of which `samples` samples are known; those that nothing later can change if it has not ended.
    pub fn tokens(&self, samples: usize, ended: bool) -> usize {
        match &self.ears {
            Ears::Encoder(encoder) => encoder.rows(samples, ended),
            Ears::Projection { .. } if ended => samples.div_ceil(self.frame_samples),
            Ears::Projection { .. } => samples / self.frame_samples,
        }
    }
}

/// Token ids that frame media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaIds {
    /// `boi_token_id`, `eoi_token_id`.
    pub image_ends: [u32; 2],
    /// `image_token_id`.
    pub image: u32,
    /// `video_token_id`.
    pub video: u32,
    /// `boa_token_id`, `eoa_token_index`.
    pub audio_ends: [u32; 2],
    /// `audio_token_id`.
    pub audio: u32,
}

impl MediaIds {
    /// Those of a model of text alone: no token has them.
    pub const NONE: MediaIds = MediaIds {
        image_ends: [u32::MAX; 2],
        image: u32::MAX,
        video: u32::MAX,
        audio_ends: [u32::MAX; 2],
        audio: u32::MAX,
    };
}

/// How a checkpoint names its tensors, which have the names of `modeling_gemma3.py` without their beginning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As transformers has them, in one of several spellings.
    Folder {
        /// What the names of the decoder begin with.
        decoder: &'static str,
        /// The head, where it is not the embedding.
        head: &'static str,
    },
    /// As in GGUF files.
    Gguf,
}

/// The spellings of the head in folders.
pub(in crate::models) const HEADS: [&str; 2] = ["lm_head.weight", "language_model.lm_head.weight"];

/// Names in a layer, and the same in GGUF files.
const IN_GGUF: [(&str, &str); 28] = [
    ("input_layernorm.weight", "attn_norm.weight"),
    ("self_attn.q_proj.weight", "attn_q.weight"),
    ("self_attn.k_proj.weight", "attn_k.weight"),
    ("self_attn.v_proj.weight", "attn_v.weight"),
    ("self_attn.q_norm.weight", "attn_q_norm.weight"),
    ("self_attn.k_norm.weight", "attn_k_norm.weight"),
    ("self_attn.o_proj.weight", "attn_output.weight"),
    ("post_attention_layernorm.weight", "post_attention_norm.weight"),
    ("pre_feedforward_layernorm.weight", "ffn_norm.weight"),
    ("mlp.gate_proj.weight", "ffn_gate.weight"),
    ("mlp.up_proj.weight", "ffn_up.weight"),
    ("mlp.down_proj.weight", "ffn_down.weight"),
    ("post_feedforward_layernorm.weight", "post_ffw_norm.weight"),
    ("post_feedforward_layernorm_1.weight", "post_ffw_norm_1.weight"),
    ("pre_feedforward_layernorm_2.weight", "pre_ffw_norm_2.weight"),
    ("post_feedforward_layernorm_2.weight", "post_ffw_norm_2.weight"),
    ("router.proj.weight", "ffn_gate_inp.weight"),
    ("router.scale", "ffn_gate_inp.scale"),
    ("router.per_expert_scale", "ffn_down_exps.scale"),
    ("experts.gate_up_proj", "ffn_gate_up_exps.weight"),
    ("experts.down_proj", "ffn_down_exps.weight"),
    ("layer_scalar", "layer_output_scale.weight"),
    ("per_layer_input_gate.weight", "inp_gate.weight"),
    ("per_layer_projection.weight", "proj.weight"),
    ("post_per_layer_input_norm.weight", "post_norm.weight"),
    ("embed_tokens_per_layer.weight", "per_layer_token_embd.weight"),
    ("per_layer_model_projection.weight", "per_layer_model_proj.weight"),
    ("per_layer_projection_norm.weight", "per_layer_proj_norm.weight"),
];

/// Parts of the names of what sees and hears, and the same in GGUF files.
const SENSES_IN_GGUF: [(&str, &str); 51] = [
    ("vision_tower.patch_embedder.input_proj.weight", "v.patch_embd.weight"),
    ("vision_tower.patch_embedder.position_embedding_table", "v.position_embd.weight"),
    ("vision_tower.encoder.layers.", "v.blk."),
    ("vision_tower.std_", "v.std_"),
    ("audio_tower.subsample_conv_projection.layer0.conv.", "a.conv1d.0."),
    ("audio_tower.subsample_conv_projection.layer0.norm.", "a.conv1d.0.norm."),
    ("audio_tower.subsample_conv_projection.layer1.conv.", "a.conv1d.1."),
    ("audio_tower.subsample_conv_projection.layer1.norm.", "a.conv1d.1.norm."),
    ("audio_tower.subsample_conv_projection.input_proj_linear.", "a.input_projection."),
    ("audio_tower.output_proj.", "a.pre_encode.out."),
    ("audio_tower.layers.", "a.blk."),
    ("vision_embedder.patch_ln1", "v.patch_norm.1"),
    ("vision_embedder.patch_ln2", "v.patch_norm.2"),
    ("vision_embedder.pos_norm", "v.patch_norm.3"),
    ("vision_embedder.patch_dense", "v.patch_embd"),
    ("vision_embedder.pos_embedding", "v.position_embd.weight"),
    ("embed_vision.embedding_projection", "mm.input_projection"),
    ("embed_audio.embedding_projection", "mm.a.input_projection"),
    (".input_layernorm.", ".ln1."),
    (".post_attention_layernorm.", ".attn_post_norm."),
    (".pre_feedforward_layernorm.", ".ln2."),
    (".post_feedforward_layernorm.", ".ffn_post_norm."),
    (".self_attn.q_proj.", ".attn_q."),
    (".self_attn.k_proj.", ".attn_k."),
    (".self_attn.v_proj.", ".attn_v."),
    (".self_attn.o_proj.", ".attn_out."),
    (".self_attn.q_norm.", ".attn_q_norm."),
    (".self_attn.k_norm.", ".attn_k_norm."),
    (".mlp.gate_proj.", ".ffn_gate."),
    (".mlp.up_proj.", ".ffn_up."),
    (".mlp.down_proj.", ".ffn_down."),
    (".feed_forward1.ffw_layer_1.", ".ffn_up."),
    (".feed_forward1.ffw_layer_2.", ".ffn_down."),
    (".feed_forward1.pre_layer_norm.", ".ffn_norm."),
    (".feed_forward1.post_layer_norm.", ".ffn_post_norm."),
    (".feed_forward2.ffw_layer_1.", ".ffn_up_1."),
    (".feed_forward2.ffw_layer_2.", ".ffn_down_1."),
    (".feed_forward2.pre_layer_norm.", ".ffn_norm_1."),
    (".feed_forward2.post_layer_norm.", ".ffn_post_norm_1."),
    (".lconv1d.pre_layer_norm.", ".conv_norm."),
    (".lconv1d.conv_norm.", ".norm_conv."),
    (".lconv1d.depthwise_conv1d.", ".conv_dw."),
    (".lconv1d.linear_start.", ".conv_pw1."),
    (".lconv1d.linear_end.", ".conv_pw2."),
    (".norm_pre_attn.", ".attn_pre_norm."),
    (".norm_post_attn.", ".attn_post_norm."),
    (".norm_out.", ".ln2."),
    (".self_attn.post.", ".attn_out."),
    (".self_attn.relative_k_proj.", ".attn_k_rel."),
    (".self_attn.per_dim_scale", ".per_dim_scale.weight"),
    (".linear.weight", ".weight"),
];

fn sense_in_gguf(name: &str) -> String {
    let mut renamed = name.to_string();
    for (part, other) in SENSES_IN_GGUF {
        renamed = renamed.replace(part, other);
    }
    renamed
}

impl Names {
    /// The embedding.
    pub fn embed_tokens(self) -> String {
        match self {
            Names::Folder { decoder, .. } => format!("{decoder}embed_tokens.weight"),
            Names::Gguf => "token_embd.weight".into(),
        }
    }

    /// The head, where it is not the embedding.
    pub fn lm_head(self) -> &'static str {
        match self {
            Names::Folder { head, .. } => head,
            Names::Gguf => "output.weight",
        }
    }

    /// The final norm.
    pub fn norm(self) -> String {
        match self {
            Names::Folder { decoder, .. } => format!("{decoder}norm.weight"),
            Names::Gguf => "output_norm.weight".into(),
        }
    }

    /// A tensor of the decoder outside its layers.
    pub fn decoder(self, name: &str) -> String {
        match self {
            Names::Folder { decoder, .. } => format!("{decoder}{name}"),
            Names::Gguf => {
                let other = IN_GGUF.iter().find(|row| row.0 == name).map_or(name, |row| row.1);
                other.to_string()
            }
        }
    }

    /// A tensor of a layer.
    pub fn layer(self, index: usize, name: &str) -> String {
        match self {
            Names::Folder { decoder, .. } => format!("{decoder}layers.{index}.{name}"),
            Names::Gguf => {
                let other = IN_GGUF.iter().find(|row| row.0 == name).map_or(name, |row| row.1);
                format!("blk.{index}.{other}")
            }
        }
    }

    /// A tensor of what sees or hears, which has the name of `modeling_gemma4.py` behind `model.` here.
    pub fn sense(self, name: &str) -> String {
        match self {
            Names::Folder { .. } => format!("model.{name}"),
            Names::Gguf => sense_in_gguf(name),
        }
    }

    /// The shape of a tensor with one value.
    pub fn scalar(self) -> &'static [usize] {
        match self {
            Names::Folder { .. } => &[],
            Names::Gguf => &[1],
        }
    }

    /// Whether a tensor is of a vision tower with its projector.
    pub fn is_of_vision_tower(self, name: &str) -> bool {
        let begins = |parts: [&str; 2]| parts.iter().any(|part| name.starts_with(part));
        match self {
            Names::Folder { .. } => {
                begins(["vision_tower.", "multi_modal_projector."])
                    || begins(["model.vision_tower.", "model.multi_modal_projector."])
            }
            // Ollama keeps it in the file of the model.
            Names::Gguf => begins(["v.", "mm."]),
        }
    }
}

/// Everything about a checkpoint of a Gemma family but its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `model_type`, or what a GGUF file calls the architecture.
    pub family: &'static str,
    /// The checkpoint has a vision tower, which is not used.
    pub idle_vision: bool,
    /// How the tensors are called.
    pub names: Names,
    /// What is added to the weights of norms: 1 where they are stored as what they differ from 1.
    pub norm_offset: f32,
    /// Factor on the scores of attention: `query_pre_attn_scalar` to the power of -1/2, or 1.
    pub query_scale: f32,
    /// Each layer's output is multiplied with a number of its own.
    pub layer_scalars: bool,
    /// `vocab_size`.
    pub vocab_size: usize,
    /// `hidden_size`.
    pub hidden_size: usize,
    /// The layers in order.
    pub layers: Vec<Layer>,
    /// Per-layer embeddings, if it has them.
    pub per_layer: Option<PerLayer>,
    /// Experts in every layer, if it has them.
    pub experts: Option<Experts>,
    /// `rms_norm_eps`.
    pub eps: f32,
    /// `sliding_window`.
    pub sliding_window: usize,
    /// `max_position_embeddings`.
    pub max_position_embeddings: usize,
    /// `final_logit_softcapping`.
    pub softcap: Option<f32>,
    /// Rotary positions of sliding layers.
    pub sliding_rope: Rope,
    /// Rotary positions of full layers.
    pub full_rope: Rope,
    /// `use_bidirectional_attention: "vision"`: rows of a picture see each other in sliding layers.
    pub pictures_both_ways: bool,
    /// The output head is the embedding.
    pub tied: bool,
    /// Pictures, if the checkpoint sees.
    pub vision: Option<Vision>,
    /// Sound, if the checkpoint hears.
    pub sound: Option<Sound>,
    /// Ids around and in place of media.
    pub media_ids: MediaIds,
    /// `pad_token_id`: what a placeholder without features is read as.
    pub pad_token_id: u32,
}

impl Config {
    /// Rotary positions of a layer type.
    pub fn rope(&self, kind: LayerType) -> Rope {
        match kind {
            LayerType::Sliding => self.sliding_rope,
            LayerType::Full => self.full_rope,
        }
    }

    /// `intermediate_size`, of the widest layers.
    pub fn intermediate_size(&self) -> usize {
        self.layers.iter().map(|layer| layer.intermediate_size).max().unwrap_or(0)
    }

    /// Which positions a row of a layer sees.
    pub fn reach(&self, kind: LayerType) -> Reach {
        match kind {
            LayerType::Sliding => {
                Reach { window: Some(self.sliding_window), sees_ends: self.pictures_both_ways && self.vision.is_some() }
            }
            LayerType::Full => Reach { window: None, sees_ends: false },
        }
    }

    /// Holds the tensors of a checkpoint against what this config asks for.
    ///
    /// # Errors
    /// [`Error::Tensors`](crate::Error::Tensors) naming every one that is missing, not asked for, or mis-shaped.
    pub fn check(&self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.check(&self.tensors(), &|name| self.leaves_out(name))
    }

    /// Whether a tensor may be there and is not used: some exports keep the tied head as a tensor of its own, and eyes and
    /// ears that are not used are left where they are.
    pub fn leaves_out(&self, name: &str) -> bool {
        let of_ears =
            ["model.audio_tower.", "model.embed_audio.", "a.", "mm.a."].iter().any(|part| name.starts_with(part));
        // Read with the config.
        let of_rope = self.names == Names::Gguf && name == "rope_freqs.weight";
        of_rope
            || self.sound.is_none() && of_ears
            || self.vision.is_none() && self.names.is_of_vision_tower(name)
            || self.tied && HEADS.contains(&name)
    }

    /// Every tensor of the checkpoint with its shape.
    pub fn tensors(&self) -> Vec<Expected> {
        let hidden = self.hidden_size;
        let mut all = vec![
            Expected::new(self.names.embed_tokens(), [self.vocab_size, hidden]),
            Expected::new(self.names.norm(), [hidden]),
        ];
        if !self.tied {
            all.push(Expected::new(self.names.lm_head(), [self.vocab_size, hidden]));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let mut add = |name: &str, shape: &[usize]| {
                all.push(Expected::new(self.names.layer(index, name), shape));
            };
            let Heads { num_heads, num_kv_heads, head_dim, values } = layer.heads;
            add("input_layernorm.weight", &[hidden]);
            add("self_attn.q_proj.weight", &[num_heads * head_dim, hidden]);
            if values != Values::Shared {
                add("self_attn.k_proj.weight", &[num_kv_heads * head_dim, hidden]);
                add("self_attn.k_norm.weight", &[head_dim]);
            }
            if !matches!(values, Values::FromKeys | Values::Shared) {
                add("self_attn.v_proj.weight", &[num_kv_heads * head_dim, hidden]);
            }
            add("self_attn.q_norm.weight", &[head_dim]);
            add("self_attn.o_proj.weight", &[hidden, num_heads * head_dim]);
            add("post_attention_layernorm.weight", &[hidden]);
            add("pre_feedforward_layernorm.weight", &[hidden]);
            add("mlp.gate_proj.weight", &[layer.intermediate_size, hidden]);
            add("mlp.up_proj.weight", &[layer.intermediate_size, hidden]);
            add("mlp.down_proj.weight", &[hidden, layer.intermediate_size]);
            add("post_feedforward_layernorm.weight", &[hidden]);
            if let Some(Experts { shape, intermediate_size }) = self.experts {
                add("post_feedforward_layernorm_1.weight", &[hidden]);
                add("pre_feedforward_layernorm_2.weight", &[hidden]);
                add("post_feedforward_layernorm_2.weight", &[hidden]);
                add("router.proj.weight", &[shape.num_experts, hidden]);
                add("router.scale", &[hidden]);
                add("router.per_expert_scale", &[shape.num_experts]);
                add("experts.gate_up_proj", &[shape.num_experts, 2 * intermediate_size, hidden]);
                add("experts.down_proj", &[shape.num_experts, hidden, intermediate_size]);
            }
            if self.layer_scalars {
                add("layer_scalar", &[1]);
            }
            if let Some(PerLayer { width }) = self.per_layer {
                add("per_layer_input_gate.weight", &[width, hidden]);
                add("per_layer_projection.weight", &[hidden, width]);
                add("post_per_layer_input_norm.weight", &[hidden]);
            }
        }
        if let Some(PerLayer { width }) = self.per_layer {
            let all_layers = self.layers.len() * width;
            let mut add = |name: &str, shape: &[usize]| all.push(Expected::new(self.names.decoder(name), shape));
            add("embed_tokens_per_layer.weight", &[self.vocab_size, all_layers]);
            add("per_layer_model_projection.weight", &[all_layers, hidden]);
            add("per_layer_projection_norm.weight", &[width]);
        }
        if let Some(vision) = &self.vision {
            match &vision.eyes {
                Eyes::Projection { embed_dim, .. } => {
                    projection::patch_tensors(vision, *embed_dim, hidden, self.names, &mut all);
                }
                Eyes::Encoder(encoder) => encoder.tensors(vision, hidden, self.names, &mut all),
            }
        }
        if let Some(sound) = &self.sound {
            match &sound.ears {
                Ears::Projection { .. } => all.push(projection::frame_tensor(sound, hidden, self.names)),
                Ears::Encoder(encoder) => all.extend(encoder.tensors(hidden, self.names)),
            }
        }
        all
    }
}
