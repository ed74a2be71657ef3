//! Gemma 4 with encoders: E2B, E4B and their like (the reference is `modeling_gemma4.py` of transformers 5.23). Pictures
//! pass a patch encoder, sound a spectrogram encoder; the decoder has per-layer embeddings, and its last layers attend to the
//! keys and values of earlier ones. The size with experts has neither of these, but a router in each layer.
//!
//! Every field of the configuration is read, or refused by name where only one value is supported.

mod gguf;

use super::gemma::sound::SoundConfig;
use super::gemma::vision::PatchEncoder;
use super::gemma::{Config, Experts, Eyes, Layer, PerLayer, Sound};
use super::gemma4_unified::{self, PatchShape};
use super::model::{Family, Gguf};
use crate::error::Result;
use crate::kernels::norm_rope::Values;
use crate::kernels::route::{MOST_EXPERTS, Shape};
use crate::weights::{Checkpoint, Fields};

/// `model_type`, and what GGUF files say.
const NAME: &str = "gemma4";
/// How its checkpoints are read.
pub(super) const FAMILY: Family = Family {
    names: &[NAME],
    read: |checkpoint, _| read(checkpoint),
    gguf: Some(Gguf { architecture: NAME, projector: true, read: gguf::read }),
};

/// Reads `config.json` and `processor_config.json`.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) naming the first field that is missing, out of range or not supported.
fn read(checkpoint: &Checkpoint) -> Result<Config> {
    let config = checkpoint.config();
    let text = config.object("text_config")?;
    let mut read = gemma4_unified::decoder(config, &text, NAME, 512)?;
    share_caches(&text, &mut read)?;
    read.per_layer = per_layer(&text, read.vocab_size)?;
    read.experts = experts(&text)?;
    let processor = checkpoint.optional_json("processor_config.json")?;
    if let Some(fields) = config.optional_object("vision_config")? {
        let shape = PatchShape {
            patch_px: fields.optional_usize("patch_size", 1..1024)?.unwrap_or(16),
            pooled: fields.optional_usize("pooling_kernel_size", 1..64)?.unwrap_or(3),
            positions: fields.optional_usize("position_embedding_size", 1..1 << 20)?.unwrap_or(10_240),
        };
        let eyes = Eyes::Encoder(PatchEncoder::read(&fields)?);
        read.vision = Some(gemma4_unified::vision(shape, eyes, processor.as_ref())?);
    }
    if let Some(fields) = config.optional_object("audio_config")? {
        read.sound = Some(Sound::encoded(SoundConfig::read(&fields, processor.as_ref())?));
    }
    Ok(read)
}

/// The last `num_kv_shared_layers` layers attend to the keys and values of the last earlier layer of their own type; with
/// `use_double_wide_mlp` their feed-forward is twice as wide.
fn share_caches(text: &Fields, config: &mut Config) -> Result<()> {
    let count = config.layers.len();
    let shared = text.optional_usize("num_kv_shared_layers", 0..count)?.unwrap_or(0);
    share(&mut config.layers, shared)
        .map_err(|LastOfKind(problem)| text.error("num_kv_shared_layers", format!("is {shared}, {problem}")))?;
    if text.optional_bool("use_double_wide_mlp")?.unwrap_or(false) {
        config.layers.iter_mut().skip(count - shared).for_each(|layer| layer.intermediate_size *= 2);
    }
    Ok(())
}

/// Why layers cannot share keys and values.
struct LastOfKind(String);

/// The last `shared` of the layers attend to the keys and values of the last earlier layer of their own type.
fn share(layers: &mut [Layer], shared: usize) -> Result<(), LastOfKind> {
    let (own, sharing) = layers.split_at_mut(layers.len() - shared);
    for (index, layer) in sharing.iter_mut().enumerate() {
        let index = own.len() + index;
        let Some(earlier) = own.iter().rposition(|own| own.kind == layer.kind) else {
            return Err(LastOfKind(format!("which leaves layer {index} without an earlier one of its type")));
        };
        let (source, heads) = (own[earlier].heads, &mut layer.heads);
        if (source.num_kv_heads, source.head_dim) != (heads.num_kv_heads, heads.head_dim) {
            return Err(LastOfKind(format!("which makes layer {index} attend to heads of another shape")));
        }
        heads.values = Values::Shared;
        layer.kv_from = Some(earlier);
    }
    Ok(())
}

fn per_layer(text: &Fields, vocab_size: usize) -> Result<Option<PerLayer>> {
    let width = text.optional_usize("hidden_size_per_layer_input", 0..1 << 16)?.unwrap_or(256);
    if width == 0 {
        return Ok(None);
    }
    let words = text.optional_usize("vocab_size_per_layer_input", 1..1 << 24)?.unwrap_or(262_144);
    if words != vocab_size {
        let problem = format!("is {words}, expected as many as vocab_size, {vocab_size}");
        return Err(text.error("vocab_size_per_layer_input", problem));
    }
    Ok(Some(PerLayer { width }))
}

/// Experts beside the dense feed-forward of every layer.
fn experts(text: &Fields) -> Result<Option<Experts>> {
    if !text.optional_bool("enable_moe_block")?.unwrap_or(false) {
        return Ok(None);
    }
    let num_experts = text.usize("num_experts", 1..=MOST_EXPERTS)?;
    let top_k = text.usize("top_k_experts", 1..=num_experts)?;
    let intermediate_size = text.usize("moe_intermediate_size", 1..1 << 18)?;
    Ok(Some(Experts { shape: Shape { num_experts, top_k }, intermediate_size }))
}
