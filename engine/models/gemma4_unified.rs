//! Gemma 4 unified: no encoders. Squares of 48 × 48 pixels and frames of 640 samples are projected straight into the one
//! decoder that reads text (Gemma 4 12B; the reference is `modeling_gemma4_unified.py` of transformers 5.23).
//!
//! Every field of the configuration is read, or refused by name where only one value is supported.

use super::gemma::{Config, Ears, Eyes, HEADS, Layer, LayerType, MediaIds, Names, Rope, Sound, Vision};
use super::model::Family;
use crate::error::Result;
use crate::kernels::attention::MOST_HEAD_DIM;
use crate::kernels::norm_rope::{Heads, Values};
use crate::weights::{Checkpoint, Fields};

/// `model_type`.
const NAME: &str = "gemma4_unified";
/// How its checkpoints are read; GGUF files are those of `gemma4`.
pub(super) const FAMILY: Family = Family { names: &[NAME], read: |checkpoint, _| read(checkpoint), gguf: None };

/// Reads `config.json` and `processor_config.json`.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) naming the first field that is missing, out of range or not supported.
fn read(checkpoint: &Checkpoint) -> Result<Config> {
    let config = checkpoint.config();
    let text = config.object("text_config")?;
    if text.optional_bool("use_double_wide_mlp")?.unwrap_or(false) {
        return Err(text.error("use_double_wide_mlp", "is true, only false is supported"));
    }
    if text.optional_usize("num_kv_shared_layers", ..)?.is_some_and(|count| count > 0) {
        return Err(
            text.error("num_kv_shared_layers", "is not 0; layers that share a cache are not supported in this family")
        );
    }
    let processor = checkpoint.optional_json("processor_config.json")?;
    Ok(Config {
        vision: match config.optional_object("vision_config")? {
            Some(vision) => Some(read_vision(&vision, processor.as_ref())?),
            None => None,
        },
        sound: match config.optional_object("audio_config")? {
            Some(audio) => Some(read_sound(&audio, processor.as_ref())?),
            None => None,
        },
        ..decoder(config, &text, NAME, 1024)?
    })
}

/// The decoder of all of Gemma 4, without what sees and hears: `window` positions back where the file does not say.
///
/// # Errors
/// As [`read`].
pub(super) fn decoder(config: &Fields, text: &Fields, family: &'static str, window: usize) -> Result<Config> {
    if text.optional_bool("attention_bias")?.unwrap_or(false) {
        return Err(text.error("attention_bias", "is true, only false is supported"));
    }
    if let Some(other) = text.optional_string("hidden_activation")?.filter(|a| *a != "gelu_pytorch_tanh") {
        return Err(text.error("hidden_activation", format!("is \"{other}\", only \"gelu_pytorch_tanh\" is supported")));
    }
    let pictures_both_ways = match text.optional_string("use_bidirectional_attention")? {
        Some("vision") => true,
        None => family == NAME && !text.has("use_bidirectional_attention"),
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
    let softcap = text.optional_f32("final_logit_softcapping")?;
    if softcap.is_some_and(|cap| cap <= 0.0) {
        return Err(text.error("final_logit_softcapping", "is not above 0"));
    }
    Ok(Config {
        family,
        idle_vision: false,
        names: Names::Folder { decoder: "model.language_model.", head: HEADS[0] },
        norm_offset: 0.0,
        query_scale: 1.0,
        layer_scalars: true,
        vocab_size: text.usize("vocab_size", 1..1 << 24)?,
        hidden_size: text.usize("hidden_size", 1..1 << 17)?,
        layers: layers(text)?,
        per_layer: None,
        experts: None,
        eps: text.optional_f32("rms_norm_eps")?.unwrap_or(1e-6),
        sliding_window: text.optional_usize("sliding_window", 1..1 << 24)?.unwrap_or(window),
        max_position_embeddings: text.optional_usize("max_position_embeddings", 1..1 << 24)?.unwrap_or(262_144),
        softcap,
        sliding_rope: read_rope("sliding_attention", Rope { theta: 10_000.0, partial: 1.0, factor: 1.0 })?,
        full_rope: read_rope("full_attention", Rope { theta: 1_000_000.0, partial: 0.25, factor: 1.0 })?,
        pictures_both_ways,
        tied,
        vision: None,
        sound: None,
        media_ids: MediaIds {
            image_ends: [id(config, "boi_token_id", 255_999)?, id(config, "eoi_token_id", 258_882)?],
            image: id(config, "image_token_id", 258_880)?,
            video: id(config, "video_token_id", 258_884)?,
            audio_ends: [id(config, "boa_token_id", 256_000)?, id(config, "eoa_token_index", 258_883)?],
            audio: id(config, "audio_token_id", 258_881)?,
        },
        pad_token_id: id(text, "pad_token_id", 0)?,
    })
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
    Ok(Rope { theta, partial, factor: 1.0 })
}

/// The layers: full ones have heads of their own, written as `global_head_dim` and `num_global_key_value_heads` or, by
/// the library that saved the config again, as `per_layer_config`.
fn layers(text: &Fields) -> Result<Vec<Layer>> {
    let count = text.usize("num_hidden_layers", 1..1000)?;
    let num_heads = text.usize("num_attention_heads", 1..1024)?;
    let num_kv_heads = text.usize("num_key_value_heads", 1..1024)?;
    let head_dim = text.optional_usize("head_dim", 2..=MOST_HEAD_DIM)?.unwrap_or(256);
    let intermediate_size = text.usize("intermediate_size", 1..1 << 20)?;
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
        let values = if k_eq_v && kind == LayerType::Full { Values::FromKeys } else { Values::Normed };
        layers.push(Layer::new(kind, Heads { num_heads, num_kv_heads: kv, head_dim: dim, values }, intermediate_size));
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
    let eyes = Eyes::Projection {
        embed_dim: fields.optional_usize("mm_embed_dim", 1..1 << 17)?.unwrap_or(3840),
        eps: fields.optional_f32("rms_norm_eps")?.unwrap_or(1e-6),
    };
    let positions = fields.optional_usize("mm_posemb_size", 1..1 << 20)?.unwrap_or(1120);
    // The whole square is one patch.
    let shape = PatchShape { patch_px: patch * pooling, pooled: 1, positions };
    vision(shape, eyes, processor)
}

/// Sizes of patches.
pub(super) struct PatchShape {
    pub(super) patch_px: usize,
    pub(super) pooled: usize,
    pub(super) positions: usize,
}

/// What the processors of pictures and videos say.
pub(super) fn vision(shape: PatchShape, eyes: Eyes, processor: Option<&Fields>) -> Result<Vision> {
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
    let PatchShape { patch_px, pooled, positions } = shape;
    Ok(Vision {
        patch_px,
        pooled,
        positions,
        most_tokens: tokens(&pictures, 280)?,
        most_frame_tokens: tokens(&videos, 70)?,
        most_frames,
        normalise: match &pictures {
            Some(section) => normalise(section)?,
            None => [[0.0, 1.0]; 3],
        },
        eyes,
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
        ears: Ears::Projection { eps: fields.optional_f32("rms_norm_eps")?.unwrap_or(1e-6) },
    })
}
