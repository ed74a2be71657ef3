//! The configuration of `gemma4_unified`: every field read, or refused by name where only one value is supported.

use crate::error::Result;
use crate::kernels::attention::{MOST_HEAD_DIM, Reach};
use crate::kernels::norm_rope::Heads;
use crate::weights::{Checkpoint, Expected, Fields};

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
    /// `partial_rotary_factor` of the proportional kind; 1 for the default kind.
    pub partial: f32,
}

/// A decoder layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// How it looks back.
    pub kind: LayerType,
    /// Its heads.
    pub heads: Heads,
}

/// Pictures: `vision_config` and the picture processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Vision {
    /// Pixels along a side of the square that becomes a token: `patch_size * pooling_kernel_size`.
    pub token_px: usize,
    /// `mm_embed_dim`.
    pub embed_dim: usize,
    /// `mm_posemb_size`: positions along an axis.
    pub positions: usize,
    /// `rms_norm_eps`.
    pub eps: f32,
    /// Most tokens of a picture.
    pub most_tokens: usize,
    /// Most tokens of a video frame.
    pub most_frame_tokens: usize,
    /// Most frames of a video.
    pub most_frames: usize,
    /// `image_mean`, `image_std` in [0, 1], identity if the processor does not normalise.
    pub normalise: [[f32; 2]; 3],
}

impl Vision {
    /// Values of a patch: (row, column, channel).
    pub fn patch_len(&self) -> usize {
        self.token_px * self.token_px * 3
    }
}

/// Sound: `audio_config` and the feature extractor.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// `audio_embed_dim`: samples of a frame, which becomes a token.
    pub frame_samples: usize,
    /// `sampling_rate`.
    pub sample_rate: u32,
    /// `rms_norm_eps`.
    pub eps: f32,
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

/// Everything about a `gemma4_unified` checkpoint but its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `vocab_size`.
    pub vocab_size: usize,
    /// `hidden_size`.
    pub hidden_size: usize,
    /// `intermediate_size`.
    pub intermediate_size: usize,
    /// The layers in order.
    pub layers: Vec<Layer>,
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
    /// Reads `config.json` and `processor_config.json`.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) naming the first field that is missing, out of range or not supported.
    pub fn read(checkpoint: &Checkpoint) -> Result<Config> {
        let config = checkpoint.config();
        let text = config.object("text_config")?;
        for (name, supported) in [("attention_bias", false), ("use_double_wide_mlp", false)] {
            if text.optional_bool(name)?.is_some_and(|value| value != supported) {
                return Err(text.error(name, format!("is {}, only {supported} is supported", !supported)));
            }
        }
        if text.optional_usize("num_kv_shared_layers", ..)?.is_some_and(|count| count > 0) {
            return Err(text.error(
                "num_kv_shared_layers",
                "is not 0; layers that share a cache are not supported in this family",
            ));
        }
        if let Some(other) = text.optional_string("hidden_activation")?.filter(|a| *a != "gelu_pytorch_tanh") {
            return Err(
                text.error("hidden_activation", format!("is \"{other}\", only \"gelu_pytorch_tanh\" is supported"))
            );
        }
        let pictures_both_ways = match text.optional_string("use_bidirectional_attention")? {
            Some("vision") => true,
            None => !text.has("use_bidirectional_attention"),
            Some(other) => {
                let problem = format!("is \"{other}\", only \"vision\" and null are supported");
                return Err(text.error("use_bidirectional_attention", problem));
            }
        };
        let ropes = text.optional_object("rope_parameters")?;
        let read_rope = |name: &str, standard: Rope| match &ropes {
            Some(ropes) => rope(&ropes.object(name)?),
            None => Ok(standard),
        };
        let tied = match config.optional_bool("tie_word_embeddings")? {
            Some(tied) => tied,
            None => text.optional_bool("tie_word_embeddings")?.unwrap_or(true),
        };
        let processor = checkpoint.optional_json("processor_config.json")?;
        let softcap = text.optional_f32("final_logit_softcapping")?;
        if softcap.is_some_and(|cap| cap <= 0.0) {
            return Err(text.error("final_logit_softcapping", "is not above 0"));
        }
        Ok(Config {
            vocab_size: text.usize("vocab_size", 1..1 << 24)?,
            hidden_size: text.usize("hidden_size", 1..1 << 17)?,
            intermediate_size: text.usize("intermediate_size", 1..1 << 20)?,
            layers: layers(&text)?,
            eps: text.optional_f32("rms_norm_eps")?.unwrap_or(1e-6),
            sliding_window: text.optional_usize("sliding_window", 1..1 << 24)?.unwrap_or(1024),
            max_position_embeddings: text.optional_usize("max_position_embeddings", 1..1 << 24)?.unwrap_or(262_144),
            softcap,
            sliding_rope: read_rope("sliding_attention", Rope { theta: 10_000.0, partial: 1.0 })?,
            full_rope: read_rope("full_attention", Rope { theta: 1_000_000.0, partial: 0.25 })?,
            pictures_both_ways,
            tied,
            vision: match config.optional_object("vision_config")? {
                Some(vision) => Some(read_vision(&vision, processor.as_ref())?),
                None => None,
            },
            sound: match config.optional_object("audio_config")? {
                Some(audio) => Some(read_sound(&audio, processor.as_ref())?),
                None => None,
            },
            media_ids: MediaIds {
                image_ends: [id(config, "boi_token_id", 255_999)?, id(config, "eoi_token_id", 258_882)?],
                image: id(config, "image_token_id", 258_880)?,
                video: id(config, "video_token_id", 258_884)?,
                audio_ends: [id(config, "boa_token_id", 256_000)?, id(config, "eoa_token_index", 258_883)?],
                audio: id(config, "audio_token_id", 258_881)?,
            },
            pad_token_id: id(&text, "pad_token_id", 0)?,
        })
    }

    /// Rotary positions of a layer type.
    pub fn rope(&self, kind: LayerType) -> Rope {
        match kind {
            LayerType::Sliding => self.sliding_rope,
            LayerType::Full => self.full_rope,
        }
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
        // Some exports keep the tied head as a tensor of its own.
        checkpoint.check(&self.tensors(), &|name| self.tied && name == "lm_head.weight")
    }

    /// Every tensor of the checkpoint with its shape.
    pub fn tensors(&self) -> Vec<Expected> {
        let hidden = self.hidden_size;
        let mut all = vec![
            Expected::new("model.language_model.embed_tokens.weight", [self.vocab_size, hidden]),
            Expected::new("model.language_model.norm.weight", [hidden]),
        ];
        if !self.tied {
            all.push(Expected::new("lm_head.weight", [self.vocab_size, hidden]));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let mut add = |name: &str, shape: &[usize]| {
                all.push(Expected::new(format!("model.language_model.layers.{index}.{name}"), shape));
            };
            let Heads { num_heads, num_kv_heads, head_dim, v_from_k } = layer.heads;
            add("input_layernorm.weight", &[hidden]);
            add("self_attn.q_proj.weight", &[num_heads * head_dim, hidden]);
            add("self_attn.k_proj.weight", &[num_kv_heads * head_dim, hidden]);
            if !v_from_k {
                add("self_attn.v_proj.weight", &[num_kv_heads * head_dim, hidden]);
            }
            add("self_attn.q_norm.weight", &[head_dim]);
            add("self_attn.k_norm.weight", &[head_dim]);
            add("self_attn.o_proj.weight", &[hidden, num_heads * head_dim]);
            add("post_attention_layernorm.weight", &[hidden]);
            add("pre_feedforward_layernorm.weight", &[hidden]);
            add("mlp.gate_proj.weight", &[self.intermediate_size, hidden]);
            add("mlp.up_proj.weight", &[self.intermediate_size, hidden]);
            add("mlp.down_proj.weight", &[hidden, self.intermediate_size]);
            add("post_feedforward_layernorm.weight", &[hidden]);
            add("layer_scalar", &[1]);
        }
        if let Some(vision) = &self.vision {
            let (patch, embed) = (vision.patch_len(), vision.embed_dim);
            let mut add = |name: &str, shape: &[usize]| all.push(Expected::new(format!("model.{name}"), shape));
            for (name, width) in [("patch_ln1", patch), ("patch_ln2", embed), ("pos_norm", embed)] {
                add(&format!("vision_embedder.{name}.weight"), &[width]);
                add(&format!("vision_embedder.{name}.bias"), &[width]);
            }
            add("vision_embedder.patch_dense.weight", &[embed, patch]);
            add("vision_embedder.patch_dense.bias", &[embed]);
            add("vision_embedder.pos_embedding", &[vision.positions, 2, embed]);
            add("embed_vision.embedding_projection.weight", &[hidden, embed]);
        }
        if let Some(sound) = &self.sound {
            let name = "model.embed_audio.embedding_projection.weight";
            all.push(Expected::new(name, [hidden, sound.frame_samples]));
        }
        all
    }
}

fn id(config: &Fields, name: &str, standard: u32) -> Result<u32> {
    Ok(config.optional_id(name)?.unwrap_or(standard))
}

fn rope(fields: &Fields) -> Result<Rope> {
    let theta = fields.f32("rope_theta")?;
    if theta <= 1.0 {
        return Err(fields.error("rope_theta", format!("is {theta}, expected above 1")));
    }
    let partial = match fields.one_of("rope_type", &["default", "proportional"])? {
        0 => 1.0,
        _ => fields.optional_f32("partial_rotary_factor")?.unwrap_or(1.0),
    };
    if !(0.0..=1.0).contains(&partial) {
        return Err(fields.error("partial_rotary_factor", format!("is {partial}, expected 0 to 1")));
    }
    Ok(Rope { theta, partial })
}

/// The layers: full ones have heads of their own, written as `global_head_dim` and `num_global_key_value_heads` or, by
/// the library that saved the config again, as `per_layer_config`.
fn layers(text: &Fields) -> Result<Vec<Layer>> {
    let count = text.usize("num_hidden_layers", 1..1000)?;
    let num_heads = text.usize("num_attention_heads", 1..1024)?;
    let num_kv_heads = text.usize("num_key_value_heads", 1..1024)?;
    let head_dim = text.optional_usize("head_dim", 2..=MOST_HEAD_DIM)?.unwrap_or(256);
    let k_eq_v = text.optional_bool("attention_k_eq_v")?.unwrap_or(false);
    let global_dim = text.optional_usize("global_head_dim", 2..=MOST_HEAD_DIM)?;
    let global_kv = text.optional_usize("num_global_key_value_heads", 1..1024)?;
    let per_layer = text.optional_object("per_layer_config")?;
    let kinds = match text.optional_strings("layer_types")? {
        Some(kinds) => kinds,
        None => {
            (1..=count).map(|i| if i % 6 == 0 { "full_attention" } else { "sliding_attention" }.to_string()).collect()
        }
    };
    if kinds.len() != count {
        let problem = format!("names {} layers, num_hidden_layers is {count}", kinds.len());
        return Err(text.error("layer_types", problem));
    }
    let mut layers = Vec::with_capacity(count);
    for (index, kind) in kinds.iter().enumerate() {
        // As the reference does, whatever the file says.
        let kind = if index + 1 == count { "full_attention" } else { kind };
        let kind = match kind {
            "sliding_attention" => LayerType::Sliding,
            "full_attention" => LayerType::Full,
            other => {
                let problem = format!("holds \"{other}\", supported are sliding_attention and full_attention");
                return Err(text.error("layer_types", problem));
            }
        };
        let own = per_layer.as_ref().map(|all| all.optional_object(&index.to_string())).transpose()?.flatten();
        let (mut dim, mut kv) = (head_dim, num_kv_heads);
        if let Some(own) = own {
            dim = own.optional_usize("head_dim", 2..=MOST_HEAD_DIM)?.unwrap_or(dim);
            kv = own.optional_usize("num_key_value_heads", 1..1024)?.unwrap_or(kv);
        } else if kind == LayerType::Full && per_layer.is_none() {
            dim = global_dim.unwrap_or(512);
            kv = global_kv.filter(|_| k_eq_v).unwrap_or(kv);
        }
        if dim % 2 == 1 {
            return Err(text.error("head_dim", format!("is {dim} in layer {index}, expected an even number")));
        }
        if num_heads % kv != 0 {
            let problem = format!("is {kv} in layer {index}, which does not divide num_attention_heads {num_heads}");
            return Err(text.error("num_key_value_heads", problem));
        }
        let v_from_k = k_eq_v && kind == LayerType::Full;
        layers.push(Layer { kind, heads: Heads { num_heads, num_kv_heads: kv, head_dim: dim, v_from_k } });
    }
    for kind in [LayerType::Sliding, LayerType::Full] {
        // They share rotary angles and arrays.
        let mut dims = layers.iter().filter(|l| l.kind == kind).map(|l| l.heads.head_dim);
        let first = dims.next();
        if let Some(other) = dims.find(|dim| Some(*dim) != first) {
            let problem = format!(
                "is {other} in one layer of a kind and {} in another, which is not supported",
                first.unwrap_or(0)
            );
            return Err(text.error("head_dim", problem));
        }
    }
    Ok(layers)
}

fn read_vision(fields: &Fields, processor: Option<&Fields>) -> Result<Vision> {
    let patch = fields.optional_usize("patch_size", 1..1024)?.unwrap_or(16);
    let pooling = fields.optional_usize("pooling_kernel_size", 1..64)?.unwrap_or(3);
    let section = |name: &str| processor.map(|p| p.optional_object(name)).transpose().map(Option::flatten);
    let (pictures, videos) = (section("image_processor")?, section("video_processor")?);
    let tokens = |section: &Option<Fields>, standard: usize| match section {
        Some(section) => Ok(section.optional_usize("max_soft_tokens", 1..1 << 16)?.unwrap_or(standard)),
        None => Ok(standard),
    };
    let most_frames = match &videos {
        Some(section) => section.optional_usize("num_frames", 1..1 << 16)?.unwrap_or(32),
        None => 32,
    };
    Ok(Vision {
        token_px: patch * pooling,
        embed_dim: fields.optional_usize("mm_embed_dim", 1..1 << 17)?.unwrap_or(3840),
        positions: fields.optional_usize("mm_posemb_size", 1..1 << 20)?.unwrap_or(1120),
        eps: fields.optional_f32("rms_norm_eps")?.unwrap_or(1e-6),
        most_tokens: tokens(&pictures, 280)?,
        most_frame_tokens: tokens(&videos, 70)?,
        most_frames,
        normalise: match &pictures {
            Some(section) => normalise(section)?,
            None => [[0.0, 1.0]; 3],
        },
    })
}

fn normalise(section: &Fields) -> Result<[[f32; 2]; 3]> {
    if !section.optional_bool("do_normalize")?.unwrap_or(false) {
        return Ok([[0.0, 1.0]; 3]);
    }
    let three = |name: &str, standard: f32| -> Result<[f32; 3]> {
        let values = section.optional_f32s(name)?.unwrap_or(vec![standard; 3]);
        <[f32; 3]>::try_from(values).map_err(|_| section.error(name, "does not hold three numbers"))
    };
    let (mean, std) = (three("image_mean", 0.0)?, three("image_std", 1.0)?);
    if std.contains(&0.0) {
        return Err(section.error("image_std", "holds a 0"));
    }
    Ok([0, 1, 2].map(|c| [mean[c], std[c]]))
}

fn read_sound(fields: &Fields, processor: Option<&Fields>) -> Result<Sound> {
    let frame_samples = fields.optional_usize("audio_embed_dim", 1..1 << 16)?.unwrap_or(640);
    let mut sample_rate = 16_000;
    if let Some(section) = processor.map(|p| p.optional_object("feature_extractor")).transpose()?.flatten() {
        sample_rate = section.optional_usize("sampling_rate", 1000..400_000)?.unwrap_or(sample_rate);
        if let Some(other) = section.optional_usize("audio_samples_per_token", ..)?.filter(|n| *n != frame_samples) {
            let problem = format!("is {other}, audio_embed_dim of config.json is {frame_samples}");
            return Err(section.error("audio_samples_per_token", problem));
        }
    }
    Ok(Sound {
        frame_samples,
        sample_rate: sample_rate as u32,
        eps: fields.optional_f32("rms_norm_eps")?.unwrap_or(1e-6),
    })
}
