//! From the features of pictures and sound to embeddings: a projection or an encoder, then into their places.

use super::config::{Ears, Eyes, Names, Sound, Vision};
use super::projection::{self, PatchProjection};
use super::sound::{SoundConfig, SoundEncoder, SoundWeights};
use super::vision::{PatchArrays, PatchEncoder, PatchEncoderWeights, record_encoder};
use crate::error::Result;
use crate::gpu::{Array, Gpu, Plan, PlanBuilder};
use crate::kernels::{Matrix, Variant, scatter, stride};
use crate::models::{Sense, Stage};
use crate::weights::Upload;

/// Weights of what sees; those of an encoder with what it is.
pub(super) enum EyesWeights {
    Projection(Box<PatchProjection>),
    Encoder(Box<(PatchEncoder, PatchEncoderWeights)>),
}

impl EyesWeights {
    pub(super) fn load(upload: &Upload<'_>, vision: &Vision, names: Names) -> Result<EyesWeights> {
        match &vision.eyes {
            Eyes::Projection { .. } => {
                Ok(EyesWeights::Projection(Box::new(PatchProjection::load(upload, vision, names)?)))
            }
            Eyes::Encoder(encoder) => {
                let weights = PatchEncoderWeights::load(upload, vision, encoder, names)?;
                Ok(EyesWeights::Encoder(Box::new((encoder.clone(), weights))))
            }
        }
    }
}

/// Weights of what hears; those of an encoder with what it is.
pub(super) enum EarsWeights {
    Projection(Matrix),
    Encoder(Box<(SoundConfig, SoundWeights)>),
}

impl EarsWeights {
    pub(super) fn load(upload: &Upload<'_>, sound: &Sound, names: Names) -> Result<EarsWeights> {
        match &sound.ears {
            Ears::Encoder(encoder) => {
                let weights = SoundWeights::load(upload, encoder, names)?;
                Ok(EarsWeights::Encoder(Box::new(((**encoder).clone(), weights))))
            }
            Ears::Projection { .. } => {
                let name = names.sense("embed_audio.embedding_projection.weight");
                Ok(EarsWeights::Projection(upload.matrix(&[&name])?))
            }
        }
    }
}

/// Where embeddings go.
pub(in crate::models) struct Target<'a> {
    pub(in crate::models) gpu: &'a Gpu,
    pub(in crate::models) variant: Variant,
    /// Most tokens of a replay.
    pub(in crate::models) rows: usize,
    pub(in crate::models) hidden_size: usize,
    /// Embeddings on their way.
    pub(in crate::models) y: &'a Array<f32>,
    /// Rows of `x` that they go to.
    pub(in crate::models) targets: &'a Array<u32>,
    pub(in crate::models) x: &'a Array<f32>,
}

impl Target<'_> {
    /// One plan out of what `record` records.
    pub(in crate::models) fn plan(
        &self,
        progress: &(dyn Fn(usize, usize) + Sync),
        record: impl FnOnce(&mut PlanBuilder<'_>) -> Result<()>,
    ) -> Result<Plan> {
        let mut plan = PlanBuilder::new(self.gpu);
        record(&mut plan)?;
        plan.finish(progress)
    }

    /// The embeddings in `y` into their places.
    pub(in crate::models) fn scatter(&self, plan: &mut PlanBuilder<'_>, name: &str) -> Result<()> {
        plan.tap(name, self.y, self.hidden_size, stride(self.hidden_size));
        scatter::record(plan, self.hidden_size, self.rows, self.y, self.targets, self.x)
    }

    fn features(&self, rows: usize, width: usize) -> Result<Array<f32>> {
        self.gpu.rows("features", rows * stride(width))
    }
}

/// Memory and plans of what sees.
pub(super) fn sight(
    vision: &Vision,
    weights: &EyesWeights,
    target: &Target<'_>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Sense> {
    let patches = target.rows * vision.patches_per_token();
    let features = target.features(patches, vision.patch_len())?;
    let places = target.gpu.array("places", 2 * patches)?;
    let span = target.gpu.array("span", 4)?;
    let (ends, together, stages) = match weights {
        EyesWeights::Projection(weights) => {
            let record = |plan: &mut PlanBuilder<'_>| {
                projection::record_patches(plan, vision, weights, target, &features, &places)?;
                target.scatter(plan, "vision.out")
            };
            (
                None,
                target.rows,
                vec![Stage { name: "projection", plan: target.plan(progress, record)?, rows_per_token: 1 }],
            )
        }
        EyesWeights::Encoder(parts) => {
            let (encoder, weights) = &**parts;
            let ends = target.gpu.array("ends", patches)?;
            let arrays = PatchArrays { features: &features, places: &places, span: &span, ends: &ends };
            let [encode, mut project] = record_encoder(vision, encoder, weights, target, &arrays)?;
            target.scatter(&mut project, "vision.out")?;
            let (plan, rows_per_token) = (encode.finish(progress)?, vision.patches_per_token());
            let encode = Stage { name: "patch encoder", plan, rows_per_token };
            let plan = project.finish(progress)?;
            // A software adapter is busy with one picture as with several, and hides scores between them only once they are
            // computed.
            let together = if target.variant.wide { 0 } else { target.rows };
            (Some(ends), together, vec![encode, Stage { name: "pooling and projection", plan, rows_per_token: 1 }])
        }
    };
    Ok(Sense { features, remembers: false, places: Some(places), ends, together, span, stages })
}

/// Memory and plans of what hears.
pub(super) fn hearing(
    sound: &Sound,
    weights: &EarsWeights,
    target: &Target<'_>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Sense> {
    match weights {
        EarsWeights::Projection(projection) => {
            let features = target.features(target.rows, sound.frame_samples)?;
            let span = target.gpu.array("span", 4)?;
            let plan = target.plan(progress, |plan| {
                projection::record_frames(plan, sound, projection, target, &features)?;
                target.scatter(plan, "audio.out")
            })?;
            let stages = vec![Stage { name: "projection", plan, rows_per_token: 1 }];
            Ok(Sense { features, remembers: false, places: None, ends: None, together: 0, span, stages })
        }
        EarsWeights::Encoder(parts) => {
            let (config, weights) = &**parts;
            let encoder = SoundEncoder::new(target.gpu, config, target.rows)?;
            let frames = target.plan(progress, |plan| encoder.record_frames(plan, weights, target.rows))?;
            let layers = target.plan(progress, |plan| {
                encoder.record_layers(plan, weights, target.rows, target.y)?;
                target.scatter(plan, "audio.out")
            })?;
            let stages = [("spectrogram and convolutions", frames), ("conformer", layers)];
            let stages = stages.map(|(name, plan)| Stage { name, plan, rows_per_token: 1 }).into();
            let SoundEncoder { samples: features, span, .. } = encoder;
            Ok(Sense { features, remembers: true, places: None, ends: None, together: 0, span, stages })
        }
    }
}
