//! What the senses of a model make of a picture or a sound: tokens, their embeddings, and the time of each stage.

use crate::error::{Error, Result};
use crate::gpu::Tap;
use crate::media::{Audio, Image};
use crate::models::{Media, MediaRun, Model, Piece, Progress, RunPart, Runtime};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Positions of the conversation whose memory is borrowed; nothing is read into it.
const CONTEXT: usize = 16;

/// What became of a picture or a sound.
#[derive(Debug)]
pub struct Encoded {
    /// Tokens.
    pub tokens: usize,
    /// Values of an embedding: `hidden_size` of the decoder.
    pub hidden_size: usize,
    /// `[tokens, hidden_size]`.
    pub embeddings: Vec<f32>,
    /// Each stage and how long it took, the first time left out that shaders need to warm up.
    pub stages: Vec<(&'static str, Duration)>,
    /// What it was made of.
    pub view: View,
}

/// What a person can be shown of it.
#[derive(Debug)]
pub enum View {
    /// A picture as the model sees it.
    Picture {
        /// Resized.
        image: Image,
        /// Pixels along a side of a token's square.
        token_px: usize,
        /// Pixels along a side of a patch.
        patch_px: usize,
    },
    /// A sound as the model hears it.
    Sound {
        /// At the model's rate.
        audio: Audio,
        /// Samples of a token.
        token_samples: usize,
        /// The spectrogram, `[frames, mels]` in natural logarithms, and its mels, if the model computes one.
        log_mel: Option<(Vec<f32>, usize)>,
    },
}

/// Encodes a picture or a sound.
///
/// # Errors
/// [`Error::UnsupportedPart`] if the model has no such sense, [`Error::Media`] for a part that cannot be used,
/// [`Error::Argument`] for a video, whose frames are pictures; [`Error::OutOfMemory`].
pub fn encode(model: &Arc<Model>, media: &Media, progress: &(dyn Fn(Progress) + Sync)) -> Result<Encoded> {
    model.config().accepts(media)?;
    // For drawing; its time is not that of a stage.
    let (mut view, doing) = view(model, media)?;
    let started = Instant::now();
    let run = run(model, media)?;
    let mut stages = vec![(doing, started.elapsed())];
    let context = CONTEXT.min(model.config().max_position_embeddings);
    let runtime = model.runtime(context, progress)?;
    // What the driver does only once is not what a conversation waits for.
    replay(model, &runtime, &run, &mut |_, _| {}, None)?;
    let mut states = States { embeddings: Vec::with_capacity(run.rows * model.config().hidden_size), log_mel: None };
    let mut time = |name, took| match stages.iter_mut().find(|(stage, _)| *stage == name) {
        Some((_, sum)) => *sum += took,
        None => stages.push((name, took)),
    };
    replay(model, &runtime, &run, &mut time, Some(&mut states))?;
    let States { embeddings, log_mel: made } = states;
    if let View::Sound { log_mel, .. } = &mut view {
        *log_mel = made;
    }
    Ok(Encoded { tokens: run.rows, hidden_size: model.config().hidden_size, embeddings, stages, view })
}

fn view(model: &Model, media: &Media) -> Result<(View, &'static str)> {
    let config = model.config();
    match (media, &config.vision, &config.sound) {
        (Media::Image(image), Some(vision), _) => {
            let image = vision.fitted(image, vision.most_tokens)?;
            Ok((
                View::Picture { image, token_px: vision.token_px(), patch_px: vision.patch_px },
                "resizing and cutting",
            ))
        }
        (Media::Audio(audio), _, Some(sound)) => {
            let audio = sound.at_rate(audio)?.into_owned();
            Ok((View::Sound { audio, token_samples: sound.frame_samples, log_mel: None }, "resampling and cutting"))
        }
        _ => Err(Error::Argument { name: "the file", problem: "is a video; name a picture or a sound".into() }),
    }
}

/// The tokens with features that a part becomes.
fn run(model: &Model, media: &Media) -> Result<Arc<MediaRun>> {
    let ids = model.config().media_ids;
    let id = if matches!(media, Media::Audio(_)) { ids.audio } else { ids.image };
    let placeholder = model.tokenizer().token(id).unwrap_or_default();
    let pieces = model.pieces(&placeholder, std::slice::from_ref(media))?;
    let run = pieces.into_iter().find_map(|piece| match piece {
        Piece::Run(run) => Some(run),
        Piece::Tokens(_) => None,
    });
    run.ok_or_else(|| Error::Argument { name: "the file", problem: "became no tokens".into() })
}

/// What is kept of a replay.
struct States {
    embeddings: Vec<f32>,
    /// Frames, and values of each.
    log_mel: Option<(Vec<f32>, usize)>,
}

/// Replays the stages chunk by chunk, the first chunk alone where no embeddings are wanted.
fn replay(
    model: &Model,
    runtime: &Runtime,
    run: &MediaRun,
    time: &mut dyn FnMut(&'static str, Duration),
    mut states: Option<&mut States>,
) -> Result<()> {
    let Some(sense) = runtime.sense(run.kind) else { return Ok(()) };
    let gpu = model.gpu();
    let mut first = 0;
    while first < run.rows {
        let rows = runtime.chunk_rows.min(run.rows - first);
        sense.write(gpu, &[RunPart { run, first, rows }]);
        gpu.write(&runtime.inputs.targets, 0, &(0..rows as u32).collect::<Vec<_>>());
        for stage in &sense.stages {
            let started = Instant::now();
            stage.plan.run(gpu, (rows * stage.rows_per_token) as u32)?;
            gpu.wait("encoding")?;
            time(stage.name, started.elapsed());
        }
        let Some(states) = states.as_deref_mut() else { return Ok(()) };
        // Taps hold them; what is replayed once more gives the same.
        for stage in &sense.stages {
            let (rows, is_out) = (rows * stage.rows_per_token, |tap: &Tap| tap.name.ends_with(".out"));
            let wanted = |tap: &Tap| is_out(tap) || tap.name == "input_features";
            stage.plan.trace(gpu, rows as u32, wanted, |tap, values| match is_out(tap) {
                true => states.embeddings.extend(values),
                false => states.log_mel.get_or_insert((Vec::new(), tap.width)).0.extend(values),
            })?;
        }
        first += rows;
    }
    Ok(())
}
