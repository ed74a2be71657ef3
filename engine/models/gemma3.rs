//! Gemma 3, the text of all its sizes (the reference is `modeling_gemma3.py` of transformers 5.23), from folders as
//! published and from GGUF files. Pictures are left to Gemma 4: a checkpoint with a vision tower runs without it.

use super::gemma::{Config, HEADS, Layer, LayerType, MediaIds, Names, Rope, gguf};
use super::model::{Family, Gguf};
use crate::error::Result;
use crate::kernels::attention::MOST_HEAD_DIM;
use crate::kernels::norm_rope::{Heads, Values};
use crate::weights::{Checkpoint, Fields, GgufFile};

/// What GGUF files, and folders with a vision tower, say.
const NAME: &str = "gemma3";
/// How its checkpoints are read.
pub(super) const FAMILY: Family = Family {
    names: &[NAME, "gemma3_text"],
    read,
    gguf: Some(Gguf { architecture: NAME, projector: false, read: |file, _| read_gguf(file) }),
};

/// Every sixth layer sees everything in every published size.
const PATTERN: usize = 6;

/// Reads `config.json`, with or without a `text_config` in it.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) naming the first field that is missing, out of range or not supported.
fn read(checkpoint: &Checkpoint, family: &'static str) -> Result<Config> {
    let own = checkpoint.config();
    let inner = own.optional_object("text_config")?;
    let text = inner.as_ref().unwrap_or(own);
    if text.optional_bool("attention_bias")?.unwrap_or(false) {
        return Err(text.error("attention_bias", "is true, only false is supported"));
    }
    if text.optional_bool("use_bidirectional_attention")?.unwrap_or(false) {
        return Err(text.error("use_bidirectional_attention", "is true, only models that look back are supported"));
    }
    if let Some(other) = text.optional_string("hidden_activation")?.filter(|name| *name != "gelu_pytorch_tanh") {
        return Err(text.error("hidden_activation", format!("is \"{other}\", only \"gelu_pytorch_tanh\" is supported")));
    }
    let softcap = text.optional_f32("final_logit_softcapping")?;
    if let Some(cap) = softcap.filter(|cap| *cap <= 0.0) {
        return Err(text.error("final_logit_softcapping", format!("is {cap}, expected above 0")));
    }
    let [sliding_rope, full_rope] = ropes(text)?;
    // Of 4B and more: text_config may leave out what is usual.
    let standard = |name: &str, range, usual| text.optional_usize(name, range).map(|found| found.unwrap_or(usual));
    let scalar = text.optional_f32("query_pre_attn_scalar")?.unwrap_or(256.0);
    if scalar <= 0.0 {
        return Err(text.error("query_pre_attn_scalar", format!("is {scalar}, expected above 0")));
    }
    let tied = match own.optional_bool("tie_word_embeddings")? {
        Some(tied) => tied,
        None => text.optional_bool("tie_word_embeddings")?.unwrap_or(true),
    };
    let names = names(checkpoint);
    let eps = text.optional_f32("rms_norm_eps")?.unwrap_or(1e-6);
    if eps < 0.0 {
        return Err(text.error("rms_norm_eps", format!("is {eps}, expected 0 or more")));
    }
    Ok(Config {
        family,
        idle_vision: checkpoint.tensors().any(|tensor| names.is_of_vision_tower(tensor.name)),
        names,
        norm_offset: 1.0,
        query_scale: scalar.powf(-0.5),
        layer_scalars: false,
        vocab_size: standard("vocab_size", 1..1 << 24, 262_208)?,
        hidden_size: text.usize("hidden_size", 1..1 << 17)?,
        layers: layers(text)?,
        per_layer: None,
        experts: None,
        eps,
        sliding_window: standard("sliding_window", 1..1 << 24, 4096)?,
        max_position_embeddings: standard("max_position_embeddings", 1..1 << 24, 131_072)?,
        softcap,
        sliding_rope,
        full_rope,
        pictures_both_ways: false,
        tied: tied && !has_own_head(checkpoint, names),
        vision: None,
        sound: None,
        media_ids: MediaIds::NONE,
        pad_token_id: text.optional_id("pad_token_id")?.unwrap_or(0),
    })
}

/// Checkpoints with a vision tower call decoder and head by one of two names each: as published and saved again, or as
/// the model class has them.
fn names(checkpoint: &Checkpoint) -> Names {
    let there = |name: &str| checkpoint.tensor(name).is_some();
    let decoders = ["language_model.model.", "model.language_model.", "model."];
    let decoder = decoders.into_iter().find(|prefix| there(&format!("{prefix}embed_tokens.weight")));
    let head = HEADS.into_iter().find(|name| there(name));
    Names::Folder { decoder: decoder.unwrap_or("model."), head: head.unwrap_or(HEADS[0]) }
}

/// Whether there is a head that is not the embedding: it is used then, whatever the config says, as in the reference.
fn has_own_head(checkpoint: &Checkpoint, names: Names) -> bool {
    match (checkpoint.tensor(names.lm_head()), checkpoint.tensor(&names.embed_tokens())) {
        (Some(head), Some(embedding)) => !head.is_copy_of(&embedding),
        _ => false,
    }
}

fn layers(text: &Fields) -> Result<Vec<Layer>> {
    let count = text.usize("num_hidden_layers", 1..1000)?;
    let num_heads = text.optional_usize("num_attention_heads", 1..1024)?.unwrap_or(8);
    let num_kv_heads = text.optional_usize("num_key_value_heads", 1..1024)?.unwrap_or(4);
    let head_dim = text.optional_usize("head_dim", 2..=MOST_HEAD_DIM)?.unwrap_or(256);
    if head_dim % 2 == 1 {
        return Err(text.error("head_dim", format!("is {head_dim}, expected an even number")));
    }
    if num_heads % num_kv_heads != 0 {
        let problem = format!("is {num_kv_heads}, which does not divide num_attention_heads {num_heads}");
        return Err(text.error("num_key_value_heads", problem));
    }
    let heads = Heads { num_heads, num_kv_heads, head_dim, values: Values::Plain };
    let intermediate_size = text.usize("intermediate_size", 1..1 << 20)?;
    let layer = |kind| Layer::new(kind, heads, intermediate_size);
    let older = text.optional_usize("_sliding_window_pattern", 1..1000)?;
    let pattern = text.optional_usize("sliding_window_pattern", 1..1000)?.or(older).unwrap_or(PATTERN);
    let Some(kinds) = text.optional_strings("layer_types")? else { return Ok(by_pattern(count, pattern, layer)) };
    if kinds.len() != count {
        let problem = format!("names {} layers, num_hidden_layers is {count}", kinds.len());
        return Err(text.error("layer_types", problem));
    }
    let kind = |name: &String| match name.as_str() {
        "sliding_attention" => Ok(layer(LayerType::Sliding)),
        "full_attention" => Ok(layer(LayerType::Full)),
        other => {
            let problem = format!("holds \"{other}\", supported are sliding_attention and full_attention");
            Err(text.error("layer_types", problem))
        }
    };
    kinds.iter().map(kind).collect()
}

fn by_pattern(count: usize, pattern: usize, layer: impl Fn(LayerType) -> Layer) -> Vec<Layer> {
    let kind = |number: usize| if number.is_multiple_of(pattern) { LayerType::Full } else { LayerType::Sliding };
    (1..=count).map(|number| layer(kind(number))).collect()
}

/// Rotary positions of sliding and of full layers, in `rope_parameters` or spelled as before it.
fn ropes(text: &Fields) -> Result<[Rope; 2]> {
    if let Some(ropes) = text.optional_object("rope_parameters")?.filter(|ropes| ropes.has("full_attention")) {
        return Ok([rope(&ropes.object("sliding_attention")?)?, rope(&ropes.object("full_attention")?)?]);
    }
    let theta = |name: &str, usual: f32| -> Result<f32> {
        let theta = text.optional_f32(name)?.unwrap_or(usual);
        if theta > 1.0 { Ok(theta) } else { Err(text.error(name, format!("is {theta}, expected above 1"))) }
    };
    let factor = match text.optional_object("rope_scaling")? {
        Some(scaling) => linear_factor(&scaling)?,
        None => 1.0,
    };
    Ok([
        Rope { theta: theta("rope_local_base_freq", 10_000.0)?, partial: 1.0, factor: 1.0 },
        Rope { theta: theta("rope_theta", 1_000_000.0)?, partial: 1.0, factor },
    ])
}

fn rope(fields: &Fields) -> Result<Rope> {
    let theta = fields.f32("rope_theta")?;
    if theta <= 1.0 {
        return Err(fields.error("rope_theta", format!("is {theta}, expected above 1")));
    }
    Ok(Rope { theta, partial: 1.0, factor: linear_factor(fields)? })
}

/// What divides the frequencies: 1 unless the scaling is `linear`.
fn linear_factor(fields: &Fields) -> Result<f32> {
    let key = if fields.has("rope_type") { "rope_type" } else { "type" };
    if !fields.has(key) || fields.one_of(key, &["default", "linear"])? == 0 {
        return Ok(1.0);
    }
    let factor = fields.f32("factor")?;
    if factor >= 1.0 { Ok(factor) } else { Err(fields.error("factor", format!("is {factor}, expected 1 or more"))) }
}

/// Reads the metadata of a GGUF file.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) naming the first key that is missing, out of range or not supported.
fn read_gguf(file: &GgufFile) -> Result<Config> {
    let metadata = file.metadata();
    let key = |name: &str| format!("gemma3.{name}");
    let hidden_size = metadata.usize(&key("embedding_length"), 1..1 << 17)?;
    let count = metadata.usize(&key("block_count"), 1..1000)?;
    let num_heads = metadata.usize(&key("attention.head_count"), 1..1024)?;
    let num_kv_heads = metadata.optional_usize(&key("attention.head_count_kv"), 1..1024)?.unwrap_or(num_heads);
    let head_dim = metadata.optional_usize(&key("attention.key_length"), 2..=MOST_HEAD_DIM)?.unwrap_or(256);
    if head_dim % 2 == 1 {
        return Err(metadata.error(&key("attention.key_length"), format!("is {head_dim}, expected an even number")));
    }
    if let Some(other) = metadata.optional_usize(&key("attention.value_length"), ..)?.filter(|len| *len != head_dim) {
        let problem = format!("is {other}, but attention.key_length is {head_dim}; they must be equal");
        return Err(metadata.error(&key("attention.value_length"), problem));
    }
    if num_heads % num_kv_heads != 0 {
        let problem = format!("is {num_kv_heads}, which does not divide attention.head_count {num_heads}");
        return Err(metadata.error(&key("attention.head_count_kv"), problem));
    }
    // Ollama has names of its own for the bases.
    let theta = |names: [&str; 2], usual: f32| -> Result<f32> {
        let name = names.into_iter().find(|name| metadata.has(&key(name))).unwrap_or(names[0]);
        gguf::theta(metadata, &key(name), usual)
    };
    let factor = match metadata.optional_string(&key("rope.scaling.type"))? {
        Some("linear") => metadata.f32(&key("rope.scaling.factor"))?,
        // Ollama's files do not say it of the 4B, 12B and 27B, which it then knows by their blocks.
        None if [34, 48, 62].contains(&count) => 8.0,
        Some("none") | None => 1.0,
        Some(other) => {
            let problem = format!("is \"{other}\", supported are linear and none");
            return Err(metadata.error(&key("rope.scaling.type"), problem));
        }
    };
    if factor < 1.0 {
        return Err(metadata.error(&key("rope.scaling.factor"), format!("is {factor}, expected 1 or more")));
    }
    // Only the 27B, known by its blocks, divides by something else than its heads' length, as llama.cpp has it.
    let scalar = if count == 62 { hidden_size / num_heads } else { head_dim };
    if scalar == 0 {
        let problem = format!("is {num_heads}, more than embedding_length {hidden_size}");
        return Err(metadata.error(&key("attention.head_count"), problem));
    }
    let eps = gguf::eps(metadata, &key("attention.layer_norm_rms_epsilon"))?;
    let heads = Heads { num_heads, num_kv_heads, head_dim, values: Values::Plain };
    // And name a cap for the 1B, which has none.
    let softcap =
        metadata.optional_f32(&key("final_logit_softcapping"))?.filter(|cap| *cap > 0.0 && (*cap, count) != (30.0, 26));
    let names = Names::Gguf;
    Ok(Config {
        family: NAME,
        idle_vision: file.tensors().any(|tensor| names.is_of_vision_tower(tensor.name)),
        names,
        // The converter has added it.
        norm_offset: 0.0,
        query_scale: (scalar as f32).powf(-0.5),
        layer_scalars: false,
        vocab_size: gguf::vocab_size(file)?,
        hidden_size,
        layers: gguf_layers(file, count, heads)?,
        per_layer: None,
        experts: None,
        eps,
        sliding_window: metadata.optional_usize(&key("attention.sliding_window"), 1..1 << 24)?.unwrap_or(1024),
        max_position_embeddings: metadata.optional_usize(&key("context_length"), 1..1 << 24)?.unwrap_or(131_072),
        softcap,
        sliding_rope: Rope {
            theta: theta(["rope.freq_base_swa", "rope.local.freq_base"], 10_000.0)?,
            partial: 1.0,
            factor: 1.0,
        },
        full_rope: Rope {
            theta: theta(["rope.freq_base", "rope.global.freq_base"], 1_000_000.0)?,
            partial: 1.0,
            factor,
        },
        pictures_both_ways: false,
        tied: file.tensor(names.lm_head()).is_none(),
        vision: None,
        sound: None,
        media_ids: MediaIds::NONE,
        pad_token_id: 0,
    })
}

/// The layers: every sixth sees everything, or every one that `attention.sliding_window_pattern` says; it is a number or, in
/// Ollama's files, a list of those that do not.
fn gguf_layers(file: &GgufFile, count: usize, heads: Heads) -> Result<Vec<Layer>> {
    let (metadata, key) = (file.metadata(), "gemma3.attention.sliding_window_pattern");
    let intermediate_size = metadata.usize("gemma3.feed_forward_length", 1..1 << 20)?;
    let layer = |kind| Layer::new(kind, heads, intermediate_size);
    if metadata.array_len(key).is_err() {
        let pattern = metadata.optional_usize(key, 1..1000)?.unwrap_or(PATTERN);
        return Ok(by_pattern(count, pattern, layer));
    }
    let sliding = metadata.bools(key)?;
    if sliding.len() != count {
        let problem = format!("has {} values, but there are {count} blocks", sliding.len());
        return Err(metadata.error(key, problem));
    }
    let kind = |sliding| if sliding { LayerType::Sliding } else { LayerType::Full };
    Ok(sliding.into_iter().map(|sliding| layer(kind(sliding))).collect())
}
