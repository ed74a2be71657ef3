//! Gemma 4 out of GGUF files in the layout of llama.cpp's converter: the decoder, and in a
//! second file (`mmproj`) what sees and hears. E2B and E4B have per-layer embeddings and encoders; the 12B, whose folders
//! are of family `gemma4_unified`, has neither.

use super::{LastOfKind, share};
use crate::error::Result;
use crate::kernels::attention::MOST_HEAD_DIM;
use crate::kernels::norm_rope::{Heads, Values};
use crate::kernels::route::{MOST_EXPERTS, Shape};
use crate::models::gemma::gguf as common;
use crate::models::gemma::sound::SoundConfig;
use crate::models::gemma::vision::PatchEncoder;
use crate::models::gemma::{Config, Ears, Experts, Eyes, Layer, LayerType, MediaIds, Names, PerLayer, Rope, Sound};
use crate::models::gemma4_unified::{self, PatchShape};
use crate::weights::{Fields, GgufFile, Metadata};
use serde_json::{Value, json};
use std::ops::Range;

/// In front of every key.
const PREFIX: &str = "gemma4";
/// Factors on frequencies from here on stand for pairs that do not turn; the converter writes 1e30.
const STILL: f32 = 1e20;

/// Reads the metadata of a GGUF file.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) naming the first key that is missing, out of range or not supported.
pub(super) fn read(file: &GgufFile, projector: Option<&GgufFile>) -> Result<Config> {
    let metadata = file.metadata();
    let names = Names::Gguf;
    let layers = layers(file)?;
    let eps = common::eps(metadata, &key("attention.layer_norm_rms_epsilon"))?;
    let theta = |name: &str, usual: f32| common::theta(metadata, &key(name), usual);
    let per_layer = metadata.optional_usize(&key("embedding_length_per_layer_input"), 0..1 << 16)?.unwrap_or(0);
    let mut config = Config {
        family: PREFIX,
        idle_vision: false,
        names,
        norm_offset: 0.0,
        query_scale: 1.0,
        layer_scalars: true,
        vocab_size: common::vocab_size(file)?,
        hidden_size: metadata.usize(&key("embedding_length"), 1..1 << 17)?,
        full_rope: Rope {
            theta: theta("rope.freq_base", 1_000_000.0)?,
            partial: turning_part(file, &layers)?,
            factor: 1.0,
        },
        sliding_rope: Rope { theta: theta("rope.freq_base_swa", 10_000.0)?, partial: 1.0, factor: 1.0 },
        layers,
        per_layer: (per_layer > 0).then_some(PerLayer { width: per_layer }),
        experts: experts(metadata)?,
        eps,
        sliding_window: metadata.optional_usize(&key("attention.sliding_window"), 1..1 << 24)?.unwrap_or(512),
        max_position_embeddings: metadata.optional_usize(&key("context_length"), 1..1 << 24)?.unwrap_or(131_072),
        softcap: metadata.optional_f32(&key("final_logit_softcapping"))?.filter(|cap| *cap > 0.0),
        pictures_both_ways: false,
        tied: file.tensor(names.lm_head()).is_none(),
        vision: None,
        sound: None,
        media_ids: MediaIds::NONE,
        pad_token_id: metadata.optional_usize("tokenizer.ggml.padding_token_id", 0..1 << 31)?.unwrap_or(0) as u32,
    };
    if let Some(projector) = projector {
        senses(projector, metadata, &mut config)?;
    }
    Ok(config)
}

/// Experts beside the dense feed-forward of every layer.
fn experts(metadata: &Metadata) -> Result<Option<Experts>> {
    let num_experts = metadata.optional_usize(&key("expert_count"), 0..=MOST_EXPERTS)?.unwrap_or(0);
    if num_experts == 0 {
        return Ok(None);
    }
    let top_k = metadata.usize(&key("expert_used_count"), 1..=num_experts)?;
    let intermediate_size = metadata.usize(&key("expert_feed_forward_length"), 1..1 << 18)?;
    Ok(Some(Experts { shape: Shape { num_experts, top_k }, intermediate_size }))
}

/// What sees and hears, and the tokens around pictures and sound.
fn senses(projector: &GgufFile, text: &Metadata, config: &mut Config) -> Result<()> {
    let metadata = projector.metadata();
    // Older files have one kind for all.
    let kind = match metadata.optional_string("clip.vision.projector_type")? {
        Some(kind) => kind,
        None => metadata.string("clip.projector_type")?,
    };
    let width = metadata.usize("clip.vision.projection_dim", 1..1 << 17)?;
    if width != config.hidden_size {
        let problem = format!(
            "is {width}, but the model beside it has a hidden size of {}: they do not belong together; move {} away",
            config.hidden_size,
            projector.path().display()
        );
        return Err(metadata.error("clip.vision.projection_dim", problem));
    }
    let shape = |name: &str| projector.tensor(name).map_or(Vec::new(), |tensor| tensor.shape.to_vec());
    let positions = match *shape("v.position_embd.weight") {
        [2, positions, _] => positions,
        _ => return Err(metadata.error("v.position_embd.weight", "is missing or has no table for each of two axes")),
    };
    let embed_dim = metadata.usize("clip.vision.embedding_length", 1..1 << 17)?;
    let eps = metadata.optional_f32("clip.vision.attention.layer_norm_epsilon")?.unwrap_or(1e-6);
    let sizes = match kind {
        "gemma4v" => {
            let eyes = Eyes::Encoder(patch_encoder(projector, embed_dim, eps)?);
            let patch_px = metadata.usize("clip.vision.patch_size", 1..1024)?;
            (PatchShape { patch_px, pooled: 3, positions }, eyes)
        }
        "gemma4uv" => {
            let patch_len = shape("v.patch_embd.weight").last().copied().unwrap_or(0);
            let patch_px = (patch_len / 3).isqrt();
            (PatchShape { patch_px, pooled: 1, positions }, Eyes::Projection { embed_dim, eps })
        }
        other => {
            let problem = format!("is \"{other}\", supported beside this model are gemma4v and gemma4uv");
            return Err(metadata.error("clip.vision.projector_type", problem));
        }
    };
    config.vision = Some(gemma4_unified::vision(sizes.0, sizes.1, None)?);
    // As published: all sizes but those with per-layer embeddings.
    config.pictures_both_ways = config.per_layer.is_none();
    config.media_ids = media_ids(text)?;
    config.sound = match metadata.optional_string("clip.audio.projector_type")? {
        None => None,
        Some("gemma4a") => Some(Sound::encoded(sound_encoder(projector)?)),
        Some("gemma4ua") => Some(Sound {
            frame_samples: metadata.usize("clip.audio.embedding_length", 1..1 << 16)?,
            sample_rate: 16_000,
            ears: Ears::Projection {
                eps: metadata.optional_f32("clip.audio.attention.layer_norm_epsilon")?.unwrap_or(1e-6),
            },
        }),
        Some(other) => {
            let problem = format!("is \"{other}\", supported beside this model are gemma4a and gemma4ua");
            return Err(metadata.error("clip.audio.projector_type", problem));
        }
    };
    Ok(())
}

fn patch_encoder(projector: &GgufFile, hidden_size: usize, eps: f32) -> Result<PatchEncoder> {
    let metadata = projector.metadata();
    let len = |name: &str| projector.tensor(name).and_then(|tensor| tensor.shape.first().copied()).unwrap_or(0);
    let num_heads = metadata.usize("clip.vision.attention.head_count", 1..1024)?;
    let (head_dim, kv_rows) = (len("v.blk.0.attn_q_norm.weight"), len("v.blk.0.attn_k.weight"));
    let whole =
        head_dim > 0 && head_dim % 4 == 0 && head_dim <= MOST_HEAD_DIM && kv_rows > 0 && kv_rows % head_dim == 0;
    if !whole || num_heads % (kv_rows / head_dim) != 0 {
        let problem = format!("is {num_heads}, which does not fit to heads of {head_dim} and keys of {kv_rows} values");
        return Err(metadata.error("clip.vision.attention.head_count", problem));
    }
    Ok(PatchEncoder {
        hidden_size,
        intermediate_size: metadata.usize("clip.vision.feed_forward_length", 1..1 << 18)?,
        num_layers: metadata.usize("clip.vision.block_count", 1..1000)?,
        heads: Heads { num_heads, num_kv_heads: kv_rows / head_dim, head_dim, values: Values::Normed },
        eps,
        rope_theta: 100.0,
        clipped: projector.tensor("v.blk.0.attn_q.input_max").is_some(),
        standardize: projector.tensor("v.std_scale").is_some(),
    })
}

/// The spectrogram encoder, by the metadata, the shapes of its tensors and, for what no file says, as it is published.
fn sound_encoder(projector: &GgufFile) -> Result<SoundConfig> {
    let metadata = projector.metadata();
    let shape = |name: &str| projector.tensor(name).map_or(Vec::new(), |tensor| tensor.shape.to_vec());
    let at = |name: &str, axis: usize| shape(name).get(axis).copied().unwrap_or(0);
    let channels = ["a.conv1d.0.weight", "a.conv1d.1.weight"].map(|name| at(name, 0));
    // Two convolutions have quartered the bands; the key for their number holds what is usual.
    let columns = at("a.input_projection.weight", 1) / channels[1].max(1);
    let number = |name: &str| metadata.usize(&format!("clip.audio.{name}"), 1..1 << 17);
    let audio = json!({
        "hidden_size": number("embedding_length")?,
        "num_hidden_layers": number("block_count")?,
        "num_attention_heads": number("attention.head_count")?,
        "subsampling_conv_channels": channels,
        "conv_kernel_size": at("a.blk.0.conv_dw.weight", 1),
        "output_proj_dims": at("a.pre_encode.out.weight", 0),
        "use_clipped_linears": projector.tensor("a.blk.0.attn_q.input_max").is_some(),
        "rms_norm_eps": metadata.optional_f32("clip.audio.attention.layer_norm_epsilon")?.unwrap_or(1e-6),
    });
    let extractor = json!({"feature_extractor": {"feature_size": 4 * columns}});
    let fields = |value: Value| Fields::new(projector.path(), value.as_object().cloned().unwrap_or_default());
    SoundConfig::read(&fields(audio), Some(&fields(extractor)))
}

/// The ids of the tokens around and in place of media, by their texts.
fn media_ids(metadata: &Metadata) -> Result<MediaIds> {
    let names = ["<|image>", "<image|>", "<|image|>", "<|video|>", "<|audio>", "<audio|>", "<|audio|>"];
    let mut ids = [u32::MAX; 7];
    for (id, token) in metadata.strings("tokenizer.ggml.tokens")?.enumerate() {
        let token = token?;
        if let Some(place) = names.iter().position(|name| *name == token) {
            ids[place] = id as u32;
        }
    }
    let [image_begin, image_end, image, video, audio_begin, audio_end, audio] = ids;
    if let Some(place) = ids.iter().position(|id| *id == u32::MAX) {
        let problem = format!("has no {}, which stands around or for pictures or sound", names[place]);
        return Err(metadata.error("tokenizer.ggml.tokens", problem));
    }
    Ok(MediaIds { image_ends: [image_begin, image_end], image, video, audio_ends: [audio_begin, audio_end], audio })
}

fn key(name: &str) -> String {
    format!("{PREFIX}.{name}")
}

/// One number for all layers, or a list with one for each.
fn each(metadata: &Metadata, name: &str, range: Range<usize>, count: usize) -> Result<Vec<usize>> {
    let key = key(name);
    if metadata.array_len(&key).is_err() {
        return Ok(vec![metadata.usize(&key, range)?; count]);
    }
    let all = metadata.usizes(&key, range)?;
    if all.len() != count {
        let problem = format!("has {} values, but there are {count} blocks", all.len());
        return Err(metadata.error(&key, problem));
    }
    Ok(all)
}

fn layers(file: &GgufFile) -> Result<Vec<Layer>> {
    let metadata = file.metadata();
    let count = metadata.usize(&key("block_count"), 1..1000)?;
    let num_heads = each(metadata, "attention.head_count", 1..1024, count)?;
    let num_kv_heads = each(metadata, "attention.head_count_kv", 1..1024, count)?;
    let widths = each(metadata, "feed_forward_length", 1..1 << 21, count)?;
    let dim = |name: &str, usual: usize| -> Result<usize> {
        let dim = metadata.optional_usize(&key(name), 2..=MOST_HEAD_DIM)?.unwrap_or(usual);
        match dim % 2 {
            0 => Ok(dim),
            _ => Err(metadata.error(&key(name), format!("is {dim}, expected an even number"))),
        }
    };
    let full_dim = dim("attention.key_length", 512)?;
    let sliding_dim = dim("attention.key_length_swa", 256)?;
    for (keys, values) in [("key_length", "value_length"), ("key_length_swa", "value_length_swa")] {
        let [keys, values] = [keys, values].map(|name| key(&format!("attention.{name}")));
        let (wanted, found) = (metadata.optional_usize(&keys, ..)?, metadata.optional_usize(&values, ..)?);
        if let (Some(wanted), Some(found)) = (wanted, found)
            && wanted != found
        {
            return Err(metadata.error(&values, format!("is {found}, but {keys} is {wanted}; they must be equal")));
        }
    }
    let pattern = key("attention.sliding_window_pattern");
    let sliding = match metadata.array_len(&pattern) {
        Ok(_) => metadata.bools(&pattern)?,
        Err(_) => {
            let every = metadata.optional_usize(&pattern, 1..1000)?.unwrap_or(6);
            (1..=count).map(|number| number % every != 0).collect()
        }
    };
    if sliding.len() != count {
        return Err(metadata.error(&pattern, format!("has {} values, but there are {count} blocks", sliding.len())));
    }
    let mut layers = Vec::with_capacity(count);
    for (index, sliding) in sliding.into_iter().enumerate() {
        let (kind, head_dim) = if sliding { (LayerType::Sliding, sliding_dim) } else { (LayerType::Full, full_dim) };
        let (num_heads, num_kv_heads) = (num_heads[index], num_kv_heads[index]);
        if num_heads % num_kv_heads != 0 {
            let problem = format!("is {num_kv_heads} in block {index}, which does not divide the {num_heads} heads");
            return Err(metadata.error(&key("attention.head_count_kv"), problem));
        }
        // Where values are the keys, the file has no tensor for them.
        let has = |name: &str| file.tensor(&format!("blk.{index}.{name}.weight")).is_some();
        let values = if has("attn_k") && !has("attn_v") { Values::FromKeys } else { Values::Normed };
        layers.push(Layer::new(kind, Heads { num_heads, num_kv_heads, head_dim, values }, widths[index]));
    }
    let shared = metadata.optional_usize(&key("attention.shared_kv_layers"), 0..count)?.unwrap_or(0);
    share(&mut layers, shared).map_err(|LastOfKind(problem)| {
        metadata.error(&key("attention.shared_kv_layers"), format!("is {shared}, {problem}"))
    })?;
    Ok(layers)
}

/// Of full layers, the part of a head that turns: the converter writes a factor for each pair, and an immense one for those
/// that do not.
fn turning_part(file: &GgufFile, layers: &[Layer]) -> Result<f32> {
    let half = layers.iter().find(|l| l.kind == LayerType::Full).map_or(1, |l| l.heads.head_dim / 2);
    let Some(factors) = file.tensor("rope_freqs.weight") else { return Ok(0.25) };
    let factors = factors.to_f32()?;
    let turning = factors.iter().take_while(|factor| **factor < STILL).count();
    let uniform = factors[..turning].iter().all(|factor| *factor == 1.0);
    if factors.len() != half || !uniform || factors[turning..].iter().any(|factor| *factor < STILL) {
        return Err(crate::Error::Tensors {
            path: file.path().into(),
            problem: format!("rope_freqs.weight does not hold ones and then immense numbers, {half} in all"),
        });
    }
    // The middle between two counts, so that no rounding changes it.
    Ok(if turning == half { 1.0 } else { (turning as f32 + 0.5) / half as f32 })
}
