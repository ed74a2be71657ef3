//! A recorded case run from its raw media, with every state on the way under the names of the parity fixtures.
//!
//! The file holds preprocessing (`pixel_values`, `input_features`, …), `input_ids`, `embeddings`, `layer.N`, `final_norm`,
//! `logits`, the logits of each greedy step, and the greedy tokens.

use crate::error::{Error, Result};
use crate::media::{Audio, Image, Video};
use crate::models::gemma::QUERIES;
use crate::models::gemma::sound::SoundConfig;
use crate::models::{Media, MediaRun, Model, Piece, Progress, RunKind};
use crate::session::prefill::Watch;
use crate::session::{Generation, Session, SessionOptions};
use crate::text::{Content, Message, PartText};
use crate::weights::Fields;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of logits that are kept: those of short prompts, the last of long ones.
const LOGIT_ROWS: usize = 64;

/// A case: messages, how long the answer is, and where a first part of the prompt ends.
#[derive(Debug)]
pub struct Case {
    messages: Vec<Message>,
    media: Vec<Media>,
    new_tokens: usize,
    prefix_len: Option<usize>,
}

impl Case {
    /// Reads `NAME.json` of a fixture. Paths of media are relative to `folder`, else to the case's own folder.
    ///
    /// # Errors
    /// [`Error::Config`] for what it does not understand; whatever is wrong with the media.
    pub fn open(path: &Path, folder: &Path) -> Result<Case> {
        let fields = Fields::open(path)?;
        let list = fields.value("messages").and_then(Value::as_array);
        let list = list.ok_or_else(|| fields.error("messages", "is missing or no list"))?;
        let own = path.parent().unwrap_or(Path::new("."));
        let (mut messages, mut media) = (Vec::new(), Vec::new());
        for message in list {
            let role = message["role"].as_str().ok_or_else(|| fields.error("messages", "holds one without a role"))?;
            let content = match &message["content"] {
                Value::String(text) => Content::Text(text.clone()),
                Value::Array(parts) => Content::Parts(
                    parts
                        .iter()
                        .map(|part| {
                            let kind = part["type"].as_str().unwrap_or_default();
                            if kind != "text" {
                                let file = part["path"].as_str().unwrap_or_default();
                                let found = [folder, own].iter().map(|f| f.join(file)).find(|p| p.exists());
                                media.push(open(kind, &found.unwrap_or_else(|| folder.join(file)), &fields)?);
                            }
                            let text = part["text"].as_str().unwrap_or_default().to_string();
                            Ok(PartText { kind: kind.into(), text })
                        })
                        .collect::<Result<_>>()?,
                ),
                _ => return Err(fields.error("messages", "holds one without content")),
            };
            messages.push(Message { role: role.into(), content });
        }
        let new_tokens = match fields.optional_object("sampling")? {
            Some(sampling) => sampling.optional_usize("max_new_tokens", 1..1 << 20)?.unwrap_or(32),
            None => 32,
        };
        Ok(Case { messages, media, new_tokens, prefix_len: fields.optional_usize("prefix_len", 1..1 << 24)? })
    }
}

fn open(kind: &str, path: &Path, fields: &Fields) -> Result<Media> {
    match kind {
        "image" => Ok(Media::Image(Image::open(path)?)),
        "audio" => Ok(Media::Audio(Audio::open(path)?)),
        "video" => Ok(Media::Video(Video::open(path, &Default::default())?)),
        other => {
            Err(fields
                .error("messages", format!("holds a part of type \"{other}\"; known are text, image, audio, video")))
        }
    }
}

/// What a trace collects: name to (shape, data).
#[derive(Debug, Default)]
pub struct Trace {
    floats: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    integers: BTreeMap<String, (Vec<usize>, Vec<i32>)>,
    masks: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
}

impl Trace {
    /// Runs `case` on `model` in a conversation of its own.
    ///
    /// # Errors
    /// What preparing, prefill and decoding can meet.
    pub fn run(model: &Arc<Model>, case: &Case, progress: &(dyn Fn(Progress) + Sync)) -> Result<Trace> {
        let rendered = model.template()?.render(&case.messages, true, &serde_json::Map::new())?;
        let pieces = model.pieces(&rendered, &case.media)?;
        let len: usize = pieces.iter().map(Piece::len).sum();
        let context = (len + case.new_tokens).min(model.config().max_position_embeddings);
        let mut session =
            Session::new(model, &SessionOptions { context: Some(context), ..Default::default() }, progress)?;
        let mut trace = Trace::default();
        trace.prepared(model, &pieces);
        let mut states: BTreeMap<String, (usize, Vec<f32>)> = BTreeMap::new();
        let parts = split(&pieces, case.prefix_len.unwrap_or(0));
        for part in &parts {
            let mut seen = |name: &str, width: usize, values: Vec<f32>| {
                states.entry(name.into()).or_insert((width, Vec::new())).1.extend(values);
            };
            // Queries are for whoever asks what attention did.
            let taps = |name: &str| !name.starts_with(QUERIES);
            let watch = Watch { logits_from: len.saturating_sub(LOGIT_ROWS), taps: &taps, seen: &mut seen };
            session.prefill_watched(part, &mut Some(watch))?;
        }
        let vocab = model.config().vocab_size;
        for (name, (width, values)) in states {
            if let ("input_features", Some(encoder)) = (name.as_str(), sound_encoder(model)) {
                trace.frames(encoder, &pieces, width, &values);
                continue;
            }
            if let ("per_layer_inputs", Some(own)) = (name.as_str(), model.config().per_layer) {
                let shape = vec![values.len() / width, width / own.width, own.width];
                trace.floats.insert(name, (shape, values));
                continue;
            }
            trace.floats.insert(name, (vec![values.len() / width, width], values));
        }
        session.begin(&Generation::greedy(model.defaults()))?;
        let mut tokens = Vec::new();
        while let Some(token) = session.take_token()? {
            let logits = session.runtime().read_logits(model.gpu())?;
            trace.floats.insert(format!("step.{}.logits", tokens.len()), (vec![vocab], logits));
            tokens.push(token as i32);
            if tokens.len() == case.new_tokens || !session.submit_step()? {
                break;
            }
        }
        trace.integers.insert("tokens".into(), (vec![tokens.len()], tokens));
        Ok(trace)
    }

    /// Ids, types and features of the prompt.
    fn prepared(&mut self, model: &Model, pieces: &[Piece]) {
        let (mut ids, mut types) = (Vec::new(), Vec::new());
        let mut runs: [Vec<&MediaRun>; 3] = Default::default();
        for piece in pieces {
            match piece {
                Piece::Tokens(tokens) => {
                    ids.extend(tokens.iter().map(|id| *id as i32));
                    types.resize(ids.len(), 0);
                }
                Piece::Run(run) => {
                    ids.resize(ids.len() + run.rows, run.token as i32);
                    types.resize(ids.len(), 1 + run.kind as i32);
                    runs[run.kind as usize].push(run);
                }
            }
        }
        self.integers.insert("input_ids".into(), (vec![ids.len()], ids));
        self.integers.insert("mm_token_type_ids".into(), (vec![types.len()], types));
        let [images, frames, sounds] = runs;
        if let Some(vision) = &model.config().vision {
            let (most, most_of_frame) = (vision.most_tokens, vision.most_frame_tokens);
            let patches = vision.patches_per_token();
            self.patches("pixel_values", "image_position_ids", &images, most * patches);
            self.patches("pixel_values_videos", "video_position_ids", &frames, most_of_frame * patches);
        }
        if !frames.is_empty() {
            self.integers.insert("num_frames_per_video".into(), (vec![1], vec![frames.len() as i32]));
        }
        // An encoder's features are the frames that it makes itself.
        if let (Some(width), None) = (sounds.first().map(|run| run.width), sound_encoder(model)) {
            let most = sounds.iter().map(|run| run.rows * run.per_token).max().unwrap_or(0);
            let (mut features, mut mask) = (Vec::new(), Vec::new());
            for run in &sounds {
                features.extend_from_slice(&run.features);
                features.resize(features.len() + (most - run.rows * run.per_token) * width, 0.0);
                mask.extend((0..most).map(|row| u8::from(row < run.rows)));
            }
            self.floats.insert("input_features".into(), (vec![sounds.len(), most, width], features));
            self.masks.insert("input_features_mask".into(), (vec![sounds.len(), most], mask));
        }
    }

    /// Log-mel frames of all sounds one after another, each filled up with zeros as the reference does.
    fn frames(&mut self, encoder: &SoundConfig, pieces: &[Piece], mels: usize, values: &[f32]) {
        let runs = pieces.iter().filter_map(|piece| match piece {
            Piece::Run(run) if run.kind == RunKind::Audio => Some(run),
            _ => None,
        });
        let runs: Vec<_> = runs.collect();
        let most = runs.iter().map(|run| encoder.frames(run.heard.samples)).max().unwrap_or(0);
        let (mut features, mut mask, mut first) = (Vec::new(), Vec::new(), 0);
        for run in &runs {
            let made = run.rows * encoder.spectrogram.row_frames;
            features.extend_from_slice(&values[first * mels..(first + made.min(most)) * mels]);
            features.resize(features.len() + (most - made.min(most)) * mels, 0.0);
            let whole = encoder.whole_frames(run.heard.samples);
            mask.extend((0..most).map(|frame| u8::from(frame < whole)));
            first += made;
        }
        self.floats.insert("input_features".into(), (vec![runs.len(), most, mels], features));
        self.masks.insert("input_features_mask".into(), (vec![runs.len(), most], mask));
    }

    /// Patches of pictures, each filled up to `most` with zeros and places of -1.
    fn patches(&mut self, pixels: &str, places: &str, runs: &[&MediaRun], most: usize) {
        let Some(width) = runs.first().map(|run| run.width) else { return };
        let (mut features, mut positions) = (Vec::new(), Vec::new());
        for run in runs {
            features.extend_from_slice(&run.features);
            let missing = most - run.rows * run.per_token;
            features.resize(features.len() + missing * width, 0.0);
            positions.extend(run.positions.iter().flatten().map(|p| *p as i32));
            positions.resize(positions.len() + 2 * missing, -1);
        }
        self.floats.insert(pixels.into(), (vec![runs.len(), most, width], features));
        self.integers.insert(places.into(), (vec![runs.len(), most, 2], positions));
    }

    /// A recorded tensor of floats: shape and values.
    pub fn floats(&self, name: &str) -> Option<(&[usize], &[f32])> {
        self.floats.get(name).map(|(shape, values)| (shape.as_slice(), values.as_slice()))
    }

    /// A recorded tensor of integers: shape and values.
    pub fn integers(&self, name: &str) -> Option<(&[usize], &[i32])> {
        self.integers.get(name).map(|(shape, values)| (shape.as_slice(), values.as_slice()))
    }

    /// Writes everything as one safetensors file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut views = Vec::new();
        let mut add = |name: &str, dtype, shape: &[usize], bytes| -> Result<()> {
            let view = TensorView::new(dtype, shape.to_vec(), bytes).map_err(|e| unwritable(path, &e))?;
            views.push((name.to_string(), view));
            Ok(())
        };
        for (name, (shape, values)) in &self.floats {
            add(name, Dtype::F32, shape, bytemuck::cast_slice(values))?;
        }
        for (name, (shape, values)) in &self.integers {
            add(name, Dtype::I32, shape, bytemuck::cast_slice(values))?;
        }
        for (name, (shape, values)) in &self.masks {
            add(name, Dtype::U8, shape, values)?;
        }
        let bytes = safetensors::serialize(views, None).map_err(|e| unwritable(path, &e))?;
        crate::gpu::write_whole(path, &bytes).map_err(Error::io("write", path))
    }
}

fn unwritable(path: &Path, problem: &safetensors::SafeTensorError) -> Error {
    Error::Io { path: PathBuf::from(path), doing: "write", source: std::io::Error::other(problem.to_string()) }
}

/// The pieces cut in two after `len` tokens, if that is between two of them.
fn split(pieces: &[Piece], len: usize) -> Vec<Vec<Piece>> {
    let (mut before, mut behind, mut at) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        match piece {
            Piece::Tokens(ids) if at < len && at + ids.len() > len => {
                before.push(Piece::Tokens(ids[..len - at].to_vec()));
                behind.push(Piece::Tokens(ids[len - at..].to_vec()));
            }
            _ if at < len => before.push(piece.clone()),
            _ => behind.push(piece.clone()),
        }
        at += piece.len();
    }
    [before, behind].into_iter().filter(|part| !part.is_empty()).collect()
}

fn sound_encoder(model: &Model) -> Option<&SoundConfig> {
    model.config().sound.as_ref()?.encoder()
}
