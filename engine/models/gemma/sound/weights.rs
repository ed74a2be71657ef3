//! The spectrogram encoder's weights on the GPU. What depends on weights alone is computed here, once: factors on queries,
//! keys of relative positions, the share of a branch in the weight of its norm.

use super::SoundConfig;
use super::config::{PROJECTION, TOWER};
use crate::error::Result;
use crate::gpu::Array;
use crate::kernels::Matrix;
use crate::models::gemma::Names;
use crate::models::gemma::clipped::Clipped;
use crate::weights::{Rounding, Upload};
use std::f64::consts::{E, LN_2};

/// The weights on the GPU.
#[derive(Debug)]
pub struct SoundWeights {
    pub(super) convolutions: [Convolution; 2],
    pub(super) input_proj: Matrix,
    pub(super) layers: Vec<LayerWeights>,
    pub(super) output_proj: Matrix,
    pub(super) output_bias: Array<f32>,
    /// The step that outputs with their bias are rounded to, or 0.
    pub(super) output_step: f32,
    pub(super) projection: Matrix,
    /// For norms without weight, and states without bias.
    pub(super) ones: Array<f32>,
    pub(super) zeros: Array<f32>,
}

#[derive(Debug)]
pub(super) struct Convolution {
    /// `[3, 3, in_channels, stride(out_channels)]`.
    pub(super) weight: Array<f32>,
    pub(super) norm: Array<f32>,
}

#[derive(Debug)]
pub(super) struct FeedForward {
    pub(super) pre_norm: Array<f32>,
    pub(super) up: Clipped,
    pub(super) down: Clipped,
    /// Times `residual_weight`.
    pub(super) post_norm: Array<f32>,
}

#[derive(Debug)]
pub(super) struct LayerWeights {
    pub(super) feed_forward: [FeedForward; 2],
    pub(super) pre_attention_norm: Array<f32>,
    pub(super) qkv: [Clipped; 3],
    /// `[head_dim]` factors on queries.
    pub(super) scale: Array<f32>,
    /// `[window, hidden_size]`: what is added to a key by the rows that it lies behind.
    pub(super) relative: Array<f32>,
    pub(super) post: Clipped,
    pub(super) post_attention_norm: Array<f32>,
    pub(super) conv_pre_norm: Array<f32>,
    pub(super) linear_start: Clipped,
    /// `[conv_kernel_size, hidden_size]`.
    pub(super) taps: Array<f32>,
    pub(super) conv_norm: Array<f32>,
    pub(super) linear_end: Clipped,
    pub(super) out_norm: Array<f32>,
}

impl SoundWeights {
    /// Uploads the tensors of [`SoundConfig::tensors`], whose shapes were held against the checkpoint before.
    ///
    /// # Errors
    /// As [`Upload::matrix`].
    pub fn load(upload: &Upload<'_>, config: &SoundConfig, names: Names) -> Result<SoundWeights> {
        let own = |name: &str| names.sense(&format!("{TOWER}{name}"));
        let convolution = |index: usize| -> Result<Convolution> {
            let part = |name: &str| own(&format!("subsample_conv_projection.layer{index}.{name}.weight"));
            let (name, norm) = (part("conv"), part("norm"));
            let weight = upload.values(&name)?;
            // From [out, in, 3, 3], so that neighbouring lanes read neighbouring values.
            let channels = config.channels[index];
            let mut laid = Vec::new();
            for row in transposed(&weight, weight.len() / channels / 9, 9).chunks_exact(channels) {
                laid.extend_from_slice(row);
                laid.resize(laid.len().next_multiple_of(4), 0.0);
            }
            Ok(Convolution { weight: upload.array(&name, &laid)?, norm: upload.vector(&norm)? })
        };
        let widest = config.hidden_size.max(config.output_proj_dims);
        let mut output_proj = upload.matrix(&[&own("output_proj.weight")])?;
        Ok(SoundWeights {
            convolutions: [convolution(0)?, convolution(1)?],
            input_proj: upload.matrix(&[&own("subsample_conv_projection.input_proj_linear.weight")])?,
            layers: (0..config.num_hidden_layers)
                .map(|index| LayerWeights::load(upload, config, names, index))
                .collect::<Result<_>>()?,
            output_step: output_proj.take_output_step(),
            output_proj,
            output_bias: upload.vector(&own("output_proj.bias"))?,
            projection: upload.matrix(&[&names.sense(PROJECTION)])?,
            ones: upload.array("ones", &vec![1.0; widest])?,
            zeros: upload.array("zeros", &vec![0.0; widest])?,
        })
    }
}

impl LayerWeights {
    fn load(upload: &Upload<'_>, config: &SoundConfig, names: Names, index: usize) -> Result<LayerWeights> {
        let own = |name: &str| names.sense(&format!("{TOWER}layers.{index}.{name}"));
        let vector = |name: &str| upload.vector(&own(&format!("{name}.weight")));
        let clipped = |name: &str| Clipped::load(upload, config.clipped, &|part| own(&format!("{name}.{part}")));
        let feed_forward = |name: &str| -> Result<FeedForward> {
            let post = own(&format!("{name}.post_layer_norm.weight"));
            let weight: Vec<f32> = upload.values(&post)?.iter().map(|w| w * config.residual_weight).collect();
            Ok(FeedForward {
                pre_norm: vector(&format!("{name}.pre_layer_norm"))?,
                up: clipped(&format!("{name}.ffw_layer_1"))?,
                down: clipped(&format!("{name}.ffw_layer_2"))?,
                post_norm: upload.array(&post, &weight)?,
            })
        };
        let (scale, relative) = (own("self_attn.per_dim_scale"), own("self_attn.relative_k_proj.weight"));
        let taps = own("lconv1d.depthwise_conv1d.weight");
        Ok(LayerWeights {
            feed_forward: [feed_forward("feed_forward1")?, feed_forward("feed_forward2")?],
            pre_attention_norm: vector("norm_pre_attn")?,
            qkv: [clipped("self_attn.q_proj")?, clipped("self_attn.k_proj")?, clipped("self_attn.v_proj")?],
            scale: upload.array(&scale, &factors(&upload.values(&scale)?, names))?,
            relative: upload
                .array(&relative, &relative_keys(config, &upload.values(&relative)?, upload.rounding(&relative)?))?,
            post: clipped("self_attn.post")?,
            post_attention_norm: vector("norm_post_attn")?,
            conv_pre_norm: vector("lconv1d.pre_layer_norm")?,
            linear_start: clipped("lconv1d.linear_start")?,
            taps: upload.array(&taps, &transposed(&upload.values(&taps)?, 1, config.conv_kernel_size))?,
            conv_norm: vector("lconv1d.conv_norm")?,
            linear_end: clipped("lconv1d.linear_end")?,
            out_norm: vector("norm_out")?,
        })
    }
}

/// From `[out, inner, taps]` to `[taps, inner, out]`.
fn transposed(weight: &[f32], inner: usize, taps: usize) -> Vec<f32> {
    let out = weight.len() / inner / taps;
    let mut to = Vec::with_capacity(weight.len());
    for tap in 0..taps {
        for i in 0..inner {
            to.extend((0..out).map(|o| weight[(o * inner + i) * taps + tap]));
        }
    }
    to
}

/// What the reference multiplies keys with.
fn key_scale() -> f64 {
    (1.0 + E).ln() / LN_2
}

/// Factors on queries, those on keys included: `head_dim^-1/2 / ln 2 · softplus(per_dim_scale)`; GGUF files hold the softplus.
fn factors(per_dim_scale: &[f32], names: Names) -> Vec<f32> {
    let each = key_scale() / (per_dim_scale.len() as f64).sqrt() / LN_2;
    let softplus = |v: f64| if v > 20.0 || names == Names::Gguf { v } else { v.exp().ln_1p() };
    per_dim_scale.iter().map(|v| (each * softplus(f64::from(*v))) as f32).collect()
}

/// Keys of relative positions, `[window, hidden_size]`: entry `d` for a key `d` rows behind its query.
///
/// The reference lays the positions `context / 2` down to 0 of a block with its context beside each query and shifts them:
/// the key `d` rows behind takes the place `window - d` of them, and none if they are fewer.
fn relative_keys(config: &SoundConfig, weight: &[f32], rounding: Rounding) -> Vec<f32> {
    let (window, width) = (config.window, config.hidden_size);
    let positions = (config.attention_chunk_size + window) / 2;
    let scales = width / 2;
    let step = 10_000f64.ln() / (scales - 1).max(1) as f64;
    let mut keys = Vec::with_capacity(window * width);
    for d in 0..window {
        let Some(position) = positions.checked_sub(window - d) else {
            keys.resize(keys.len() + width, 0.0);
            continue;
        };
        let angle = |n: usize| position as f64 * (-step * n as f64).exp();
        let sines = (0..scales).map(|n| angle(n).sin());
        let sinusoid = sines.chain((0..scales).map(|n| angle(n).cos()));
        // As inputs of a projection; without a step they keep their precision.
        let rounded =
            |value: f64, step: f32| if step == 0.0 { value } else { Rounding::round(value as f32, step).into() };
        let sinusoid: Vec<f64> = sinusoid.map(|value| rounded(value, rounding.input)).collect();
        keys.extend(weight.chunks_exact(width).map(|row| {
            let dot: f64 = row.iter().zip(&sinusoid).map(|(w, s)| f64::from(*w) * s).sum();
            // The factor of keys is in that of queries.
            (rounded(dot, rounding.output) / key_scale()) as f32
        }));
    }
    keys
}
