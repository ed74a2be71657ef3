//! Gemma 4 out of GGUF files, all sizes without experts, in the layout of llama.cpp's converter: the decoder, which reads
//! text. E2B and E4B have per-layer embeddings; the 12B, whose folders are of family `gemma4_unified`, has none.

use super::{LastOfKind, share};
use crate::error::Result;
use crate::kernels::attention::MOST_HEAD_DIM;
use crate::kernels::norm_rope::{Heads, Values};
use crate::models::gemma::{Config, Layer, LayerType, MediaIds, Names, PerLayer, Rope};
use crate::weights::{GgufFile, Metadata};
use std::ops::Range;

/// In front of every key.
const PREFIX: &str = "gemma4";
/// Factors on frequencies from here on stand for pairs that do not turn; the converter writes 1e30.
const STILL: f32 = 1e20;

/// Reads the metadata of a GGUF file.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) naming the first key that is missing, out of range or not supported.
pub(in crate::models) fn read(file: &GgufFile) -> Result<Config> {
    let metadata = file.metadata();
    if metadata.optional_usize(&key("expert_count"), ..)?.is_some_and(|count| count > 0) {
        let problem = "is above 0; the size with experts is not supported yet, E2B, E4B and 12B are";
        return Err(metadata.error(&key("expert_count"), problem));
    }
    let names = Names::Gguf;
    let layers = layers(file)?;
    let eps = metadata.optional_f32(&key("attention.layer_norm_rms_epsilon"))?.unwrap_or(1e-6);
    if eps < 0.0 {
        return Err(metadata.error(&key("attention.layer_norm_rms_epsilon"), format!("is {eps}, expected 0 or more")));
    }
    let theta = |name: &str, usual: f32| -> Result<f32> {
        let theta = metadata.optional_f32(&key(name))?.unwrap_or(usual);
        if theta > 1.0 { Ok(theta) } else { Err(metadata.error(&key(name), format!("is {theta}, expected above 1"))) }
    };
    let per_layer = metadata.optional_usize(&key("embedding_length_per_layer_input"), 0..1 << 16)?.unwrap_or(0);
    let vocab_size = match file.tensor(&names.embed_tokens()).map(|tensor| tensor.shape) {
        Some([words, _]) => *words,
        _ => metadata.array_len("tokenizer.ggml.tokens")?,
    };
    Ok(Config {
        family: PREFIX,
        idle_vision: false,
        names,
        norm_offset: 0.0,
        query_scale: 1.0,
        layer_scalars: true,
        vocab_size,
        hidden_size: metadata.usize(&key("embedding_length"), 1..1 << 17)?,
        full_rope: Rope {
            theta: theta("rope.freq_base", 1_000_000.0)?,
            partial: turning_part(file, &layers)?,
            factor: 1.0,
        },
        sliding_rope: Rope { theta: theta("rope.freq_base_swa", 10_000.0)?, partial: 1.0, factor: 1.0 },
        layers,
        per_layer: (per_layer > 0).then_some(PerLayer { width: per_layer }),
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
    })
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
        let (kind, head_dim) =
            if sliding { (LayerType::Sliding, sliding_dim) } else { (LayerType::Full, full_dim) };
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
