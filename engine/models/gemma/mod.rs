//! The decoder of the Gemma families, and what turns pictures and sound into its embeddings.
//!
//! A layer is `x += norm(attention(norm(x)))`, `x += norm(mlp(norm(x)))`, in Gemma 4 `x *= layer_scalar`. Most layers look
//! back over a window, in which the squares of one picture see each other both ways; some look back over everything, in
//! Gemma 4 with heads of their own, rotary positions on a part of each head, and values that are the normalised keys. The
//! small sizes of Gemma 4 add an embedding of each token for each layer, and their last layers attend to the keys and values
//! of earlier ones. One large size has experts beside the dense feed-forward, of which each token goes to a few.

mod clipped;
mod config;
mod decoder;
pub(super) mod gguf;
mod media;
mod projection;
mod senses;
pub mod sound;
pub mod vision;
mod weights;

pub(super) use config::HEADS;
pub use config::{Config, Ears, Experts, Eyes, Layer, LayerType, MediaIds, Names, PerLayer, Rope, Sound, Vision};
pub use decoder::QUERIES;
pub use media::target_size;
pub(in crate::models) use senses::Target;
pub use weights::Weights;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::norm_rope::frequencies;
use crate::kernels::{Variant, matmul, stride};
use crate::models::Runtime;
use crate::models::runtime::{Angles, Cache, Inputs};
use decoder::{Recorder, States};

/// Rows of a prefill chunk, unless a picture has more.
const CHUNK_ROWS: usize = 256;
/// Places of a ring beyond window and chunk: steps in flight when an answer stops, and short rollbacks.
const SPARE_PLACES: usize = 64;

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
    let owners = config.layers.iter().filter(|layer| layer.kv_from.is_none());
    owners.map(|layer| cache_len(layer, ring, context).1 as u64 * 8).sum()
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
    let variant = Variant::best(gpu);
    let mut caches: Vec<Cache> = Vec::with_capacity(config.layers.len());
    for layer in &config.layers {
        caches.push(match layer.kv_from {
            Some(earlier) => caches[earlier].clone(),
            None => {
                let (slots, len) = cache_len(layer, ring, context);
                Cache { slots, k: gpu.array("key cache", len)?, v: gpu.array("value cache", len)? }
            }
        });
    }
    let angles = [angles(config, gpu, LayerType::Sliding, context)?, angles(config, gpu, LayerType::Full, context)?];
    let states = States::new(config, gpu, variant, chunk_rows, &caches)?;
    let inputs = inputs(config, gpu, chunk_rows)?;
    let recorder = Recorder { config, weights, gpu, variant, chunk_rows, inputs, angles, states, caches };
    let plans = recorder.plans(progress)?;
    let target = Target {
        gpu,
        variant,
        rows: chunk_rows,
        hidden_size: config.hidden_size,
        y: &recorder.states.y,
        targets: &recorder.inputs.targets,
        x: &recorder.states.x,
    };
    let sight = match (&config.vision, &weights.eyes) {
        (Some(vision), Some(eyes)) => Some(senses::sight(vision, eyes, &target, progress)?),
        _ => None,
    };
    let hearing = match (&config.sound, &weights.ears) {
        (Some(sound), Some(ears)) => Some(senses::hearing(sound, ears, &target, progress)?),
        _ => None,
    };
    Ok(Runtime {
        inputs: recorder.inputs,
        plans,
        sight,
        hearing,
        caches: recorder.caches,
        angles: recorder.angles.into(),
        context,
        chunk_rows,
        ring,
        window: config.sliding_window,
        angles_filled: 0,
    })
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
    Ok(Inputs {
        ids: gpu.array("ids", rows)?,
        step: gpu.array("step", 4)?,
        ends: gpu.array("ends", rows)?,
        targets: gpu.array("targets", rows)?,
        logits: gpu.array("logits", config.vocab_size)?,
        sampling: gpu.array("sampling", 8)?,
        seen: gpu.array("seen", config.vocab_size.div_ceil(32))?,
        token: gpu.array("token", 2)?,
    })
}
