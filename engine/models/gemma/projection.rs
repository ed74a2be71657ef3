//! Pictures and sound without an encoder: squares of pixels and stretches of samples are normalised and projected
//! (`modeling_gemma4_unified.py` of transformers 5.23).

use super::config::{Ears, Eyes, Names, Sound, Vision};
use super::senses::Target;
use crate::error::Result;
use crate::gpu::{Array, PlanBuilder};
use crate::kernels::patch_position::Order;
use crate::kernels::{Matrix, fake_quant, layer_norm, matmul, patch_position, rms_norm, stride};
use crate::weights::{Expected, Upload};

/// Adds the tensors for patches.
pub(super) fn patch_tensors(
    vision: &Vision,
    embed_dim: usize,
    hidden_size: usize,
    names: Names,
    all: &mut Vec<Expected>,
) {
    let patch = vision.patch_len();
    let mut add = |name: &str, shape: &[usize]| all.push(Expected::new(names.sense(name), shape));
    for (name, width) in [("patch_ln1", patch), ("patch_ln2", embed_dim), ("pos_norm", embed_dim)] {
        add(&format!("vision_embedder.{name}.weight"), &[width]);
        add(&format!("vision_embedder.{name}.bias"), &[width]);
    }
    add("vision_embedder.patch_dense.weight", &[embed_dim, patch]);
    add("vision_embedder.patch_dense.bias", &[embed_dim]);
    match names {
        Names::Folder { .. } => add("vision_embedder.pos_embedding", &[vision.positions, 2, embed_dim]),
        Names::Gguf => add("vision_embedder.pos_embedding", &[2, vision.positions, embed_dim]),
    }
    add("embed_vision.embedding_projection.weight", &[hidden_size, embed_dim]);
}

/// The tensor for samples.
pub(super) fn frame_tensor(sound: &Sound, hidden_size: usize, names: Names) -> Expected {
    Expected::new(names.sense("embed_audio.embedding_projection.weight"), [hidden_size, sound.frame_samples])
}

/// Weights for patches.
pub(super) struct PatchProjection {
    /// Weight and bias.
    patch_ln1: [Array<f32>; 2],
    patch_dense: Matrix,
    patch_dense_bias: Array<f32>,
    /// The step that its outputs with their bias are rounded to, or 0.
    patch_dense_step: f32,
    patch_ln2: [Array<f32>; 2],
    pos_embedding: Array<f32>,
    order: Order,
    pos_norm: [Array<f32>; 2],
    projection: Matrix,
}

impl PatchProjection {
    pub(super) fn load(upload: &Upload<'_>, vision: &Vision, names: Names) -> Result<PatchProjection> {
        let own = |name: &str| names.sense(&format!("vision_embedder.{name}"));
        let pair = |name: &str| -> Result<[Array<f32>; 2]> {
            Ok([upload.vector(&own(&format!("{name}.weight")))?, upload.vector(&own(&format!("{name}.bias")))?])
        };
        let dense = own("patch_dense.weight");
        let (patch_ln1, mut patch_dense, order) = match names {
            Names::Folder { .. } => (pair("patch_ln1")?, upload.matrix(&[&dense])?, Order::PlacesFirst),
            // There patches are (channel, row, column).
            Names::Gguf => {
                let turned = |name: &str| -> Result<Vec<f32>> { Ok(vision.channels_last(&upload.values(&own(name))?)) };
                let pair = [turned("patch_ln1.weight")?, turned("patch_ln1.bias")?];
                let [weight, bias] = pair.map(|values| upload.array("patch_ln1", &values));
                let matrix = upload.matrix_of(&dense, vision.patch_len(), &turned("patch_dense.weight")?)?;
                ([weight?, bias?], matrix, Order::AxesFirst)
            }
        };
        Ok(PatchProjection {
            patch_ln1,
            patch_dense_step: patch_dense.take_output_step(),
            patch_dense,
            patch_dense_bias: upload.vector(&own("patch_dense.bias"))?,
            patch_ln2: pair("patch_ln2")?,
            pos_embedding: upload.vector(&own("pos_embedding"))?,
            order,
            pos_norm: pair("pos_norm")?,
            projection: upload.matrix(&[&names.sense("embed_vision.embedding_projection.weight")])?,
        })
    }
}

/// Patches to embeddings: norm, projection, norm, position, norm, norm, projection.
pub(super) fn record_patches(
    plan: &mut PlanBuilder<'_>,
    vision: &Vision,
    weights: &PatchProjection,
    target: &Target<'_>,
    patches: &Array<f32>,
    places: &Array<u32>,
) -> Result<()> {
    let Eyes::Projection { embed_dim: width, eps: rms_eps } = vision.eyes else { return Ok(()) };
    let (rows, patch_len, eps) = (target.rows, vision.patch_len(), 1e-5);
    let rows_of = |name, width: usize| target.gpu.rows::<f32>(name, rows * stride(width));
    let (normed, a, b) = (rows_of("patches", patch_len)?, rows_of("patch a", width)?, rows_of("patch b", width)?);
    let zeros = target.gpu.array("no bias", patch_len.max(width))?;
    let ones = target.gpu.array_of("ones", &vec![1.0; width])?;
    let norm = |plan: &mut PlanBuilder<'_>, size, x, x_bias, [weight, bias]: &[Array<f32>; 2], y| {
        layer_norm::record(plan, size, eps, rows, x, x_bias, weight, bias, y)
    };
    norm(plan, patch_len, patches, &zeros, &weights.patch_ln1, &normed)?;
    matmul::record(plan, target.variant, &weights.patch_dense, rows, &normed, &a)?;
    if weights.patch_dense_step == 0.0 {
        norm(plan, width, &a, &weights.patch_dense_bias, &weights.patch_ln2, &b)?;
    } else {
        let rounded = rows_of("patch rounded", width)?;
        let bias = Some(&weights.patch_dense_bias);
        fake_quant::record(plan, width, weights.patch_dense_step, bias, rows, &a, &rounded)?;
        let [weight, bias] = &weights.patch_ln2;
        layer_norm::record(plan, width, eps, rows, &rounded, &zeros, weight, bias, &b)?;
    }
    let (size, order) = (vision.positions, weights.order);
    patch_position::record(plan, width, size, order, rows, places, &weights.pos_embedding, &b)?;
    norm(plan, width, &b, &zeros, &weights.pos_norm, &a)?;
    rms_norm::record(plan, width, rms_eps, rows, &a, &ones, &b)?;
    matmul::record(plan, target.variant, &weights.projection, rows, &b, target.y)
}

/// Samples to embeddings: norm, projection.
pub(super) fn record_frames(
    plan: &mut PlanBuilder<'_>,
    sound: &Sound,
    projection: &Matrix,
    target: &Target<'_>,
    frames: &Array<f32>,
) -> Result<()> {
    let Ears::Projection { eps } = sound.ears else { unreachable!("an encoder has a plan of its own") };
    let (rows, width) = (target.rows, sound.frame_samples);
    let normed = target.gpu.rows("frames", rows * stride(width))?;
    let ones = target.gpu.array_of("ones", &vec![1.0; width])?;
    rms_norm::record(plan, width, eps, rows, frames, &ones, &normed)?;
    matmul::record(plan, target.variant, projection, rows, &normed, target.y)
}
