//! How fast a model loads, reads and answers, beside what its bytes and the adapter's bandwidth would allow.
//!
//! Loading and the first token are measured once and cold: nothing of this process was compiled or touched before them,
//! only the system's file cache and the driver's shader cache are as they were found. The rest is repeated and warm.

use super::ceilings::Ceilings;
use super::{Effort, Times};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, ShaderTime};
use crate::kernels::stride;
use crate::models::{LoadOptions, Model, Piece, Progress};
use crate::session::{DEFAULT_CONTEXT, Event, Generation, Session, SessionOptions, raw_ids};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What is measured warm.
#[derive(Clone, Debug)]
pub struct Lens {
    /// Tokens of the prompts that are read.
    pub prefills: Vec<usize>,
    /// Tokens in the cache before the question whose answer is timed.
    pub caches: Vec<usize>,
    /// Tokens of an answer, two at the least.
    pub answer: usize,
    /// Where the time of a token goes, by shader.
    pub shaders: bool,
}

impl Lens {
    /// Of reports that are compared.
    pub fn usual(effort: Effort) -> Lens {
        let answer = if effort == Effort::QUICK { 16 } else { 48 };
        Lens { prefills: vec![128, 512], caches: vec![0, 512, 2048], answer, shaders: false }
    }
}

/// Room for the message that asks for the answer.
const MESSAGE_ROOM: usize = 64;
const QUESTION: &str = "What is the difference between weather and climate?";

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelReport {
    /// Name of the checkpoint's folder.
    pub model: String,
    /// Positions of the conversation that was measured.
    pub context: usize,
    /// Opening the adapter, cold.
    pub open_s: f64,
    /// From the files to weights on the adapter, cold.
    pub load_s: f64,
    /// Memory and plans of a conversation, cold.
    pub session_s: f64,
    /// From a question to the first token of the answer, the first time.
    pub first_token_cold_s: f64,
    /// The same afterwards.
    pub first_token_warm: Times,
    /// Tokens of that question, template included.
    pub question_tokens: usize,
    /// Reading prompts.
    pub prefill: Vec<Prefill>,
    /// Answering.
    pub decode: Vec<Decode>,
    /// Where the time of a token goes, behind each cache, if that was asked for and the adapter tells.
    pub by_shader: Vec<Token>,
    /// What was not measured, and why.
    pub skipped: Vec<String>,
    /// Bytes of weights on the adapter.
    pub weight_bytes: u64,
    /// Bytes on the adapter: weights, cache, states.
    pub held_bytes: u64,
    /// Most memory of the process up to the first token; with software adapters theirs is among it. `None` where the
    /// system does not tell.
    pub peak_rss_bytes: Option<u64>,
}

/// Reading a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prefill {
    /// Its tokens.
    pub tokens: usize,
    /// Into an empty cache.
    #[serde(flatten)]
    pub times: Times,
    /// At the median.
    pub tokens_per_s: f64,
    /// Operations of all replays at the least, without attention over the cache.
    pub flops: u64,
    /// Share of the arithmetic ceiling, at the median.
    pub share_of_arithmetic: f64,
}

/// Generating an answer, two steps in flight, its text decoded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Decode {
    /// Tokens in the cache when the answer began.
    pub cache_len: usize,
    /// Tokens of each answer.
    pub tokens: usize,
    /// Of one token.
    #[serde(flatten)]
    pub times: Times,
    /// At the median.
    pub tokens_per_s: f64,
    /// Dispatches of a token.
    pub dispatches: usize,
    /// Bytes that a token must move: weights, states, and keys and values in reach.
    pub bytes: u64,
    /// Keys and values among them.
    pub cache_bytes: u64,
    /// Share of the reading bandwidth, at the median.
    pub share_of_bandwidth: f64,
}

/// One token, by shader: the median of several by what they take on the adapter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Token {
    /// Tokens in the cache before it.
    pub cache_len: usize,
    /// Seconds on the adapter, all shaders together, by its own time stamps.
    pub adapter_s: f64,
    /// From the submission to the end, each dispatch in a pass of its own: longer than an ordinary token.
    pub whole_s: f64,
    /// The slowest first.
    pub shaders: Vec<ShaderShare>,
}

/// A shader's part of a token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShaderShare {
    /// Its name.
    pub shader: &'static str,
    /// How often it was dispatched.
    pub dispatches: usize,
    /// Of all these together.
    pub seconds: f64,
    /// Of what all shaders take; 1 is all.
    pub share: f64,
}

/// Times that come before anything else in a process.
pub struct Loaded {
    model: Arc<Model>,
    open_s: f64,
    load_s: f64,
}

impl Loaded {
    /// Loads the model to an adapter that was opened for it in `open_s` seconds and did nothing since, cold.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn new(gpu: &Arc<Gpu>, open_s: f64, path: &Path, progress: &(dyn Fn(Progress) + Sync)) -> Result<Loaded> {
        let started = Instant::now();
        let model = Arc::new(Model::load(gpu, path, &LoadOptions { progress, ..LoadOptions::default() })?);
        Ok(Loaded { model, open_s, load_s: started.elapsed().as_secs_f64() })
    }

    /// The first conversation with the model, cold.
    ///
    /// # Errors
    /// As [`Session::new`] and what answering can meet.
    pub fn begin(self, progress: &(dyn Fn(Progress) + Sync)) -> Result<Begun> {
        let limit = self.model.config().max_position_embeddings;
        let context = DEFAULT_CONTEXT.min(limit);
        let started = Instant::now();
        let options = SessionOptions { context: Some(context), ..SessionOptions::default() };
        let session = Session::new(&self.model, &options, progress)?;
        let session_s = started.elapsed().as_secs_f64();
        let mut begun = Begun {
            loaded: self,
            session,
            session_s,
            first_token_cold_s: 0.0,
            question_tokens: 0,
            held_bytes: 0,
            peak_rss_bytes: None,
        };
        (begun.first_token_cold_s, begun.question_tokens) = begun.first_token()?;
        // Before anything that only a measurement needs.
        begun.held_bytes = begun.loaded.model.gpu().held_bytes();
        begun.peak_rss_bytes = peak_rss_bytes();
        Ok(begun)
    }
}

/// A conversation whose cold times were taken.
pub struct Begun {
    loaded: Loaded,
    session: Session,
    session_s: f64,
    first_token_cold_s: f64,
    question_tokens: usize,
    held_bytes: u64,
    peak_rss_bytes: Option<u64>,
}

impl Begun {
    /// Measures what is warm. `ceilings` are those of the same adapter.
    ///
    /// # Errors
    /// What reading and answering can meet.
    pub fn measure(
        mut self,
        effort: Effort,
        ceilings: &Ceilings,
        lens: &Lens,
        seen: &mut dyn FnMut(&str),
    ) -> Result<ModelReport> {
        let mut skipped = Vec::new();
        seen("first token");
        let first_token_warm = super::repeat(effort, || Ok(self.first_token()?.0))?;
        let mut prefill = Vec::new();
        for &tokens in &lens.prefills {
            if tokens > self.session.context() {
                skipped.push(format!("prefill of {tokens} tokens: the context is {}", self.session.context()));
                continue;
            }
            seen(&format!("prefill of {tokens} tokens"));
            prefill.push(self.prefill(tokens, effort, ceilings)?);
        }
        let mut decode = Vec::new();
        let tokens = lens.answer.max(2);
        for &len in &lens.caches {
            if len + MESSAGE_ROOM + tokens > self.session.context() {
                skipped.push(format!("decode behind {len} tokens: the context is {}", self.session.context()));
                continue;
            }
            seen(&format!("decode behind {len} tokens"));
            decode.push(self.decode(len, tokens, effort, ceilings)?);
        }
        let by_shader = if lens.shaders { self.by_shader(&lens.caches, effort, seen)? } else { Vec::new() };
        if lens.shaders && by_shader.is_empty() {
            skipped.push("the shaders of a token: this adapter has no time stamps that can be used".into());
        }
        let folder = self.loaded.model.folder();
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        Ok(ModelReport {
            model: name.to_string_lossy().into_owned(),
            context: self.session.context(),
            open_s: self.loaded.open_s,
            load_s: self.loaded.load_s,
            session_s: self.session_s,
            first_token_cold_s: self.first_token_cold_s,
            first_token_warm,
            question_tokens: self.question_tokens,
            prefill,
            decode,
            by_shader,
            skipped,
            weight_bytes: self.loaded.model.weight_bytes(),
            held_bytes: self.held_bytes,
            peak_rss_bytes: self.peak_rss_bytes,
        })
    }

    /// Seconds from a question to the first token of its answer, and the question's tokens. Forgotten afterwards.
    fn first_token(&mut self) -> Result<(f64, usize)> {
        let mark = self.session.mark();
        let started = Instant::now();
        self.ask()?;
        let (seconds, prompt) = self.answer(1, |_| started.elapsed().as_secs_f64())?;
        self.session.rollback(&mark)?;
        Ok((seconds, prompt))
    }

    /// Reads the question: as a message, or as it stands where the model has no template.
    fn ask(&mut self) -> Result<()> {
        if self.loaded.model.template().is_ok() {
            return self.session.push(QUESTION.into());
        }
        let ids = raw_ids(&self.loaded.model, QUESTION)?;
        self.session.push_ids(&ids)
    }

    /// Generates `tokens` tokens whatever they are; `first` is called at the first one. Its result, and the tokens in
    /// the cache before the answer.
    fn answer<T>(&mut self, tokens: usize, mut first: impl FnMut(u32) -> T) -> Result<(T, usize)> {
        let generation = Generation {
            max_tokens: Some(tokens),
            stop_ids: Vec::new(),
            ..Generation::greedy(self.loaded.model.defaults())
        };
        let mut seen = None;
        let mut prompt = 0;
        let answer = match self.loaded.model.template() {
            Ok(_) => self.session.generate(&generation)?,
            Err(_) => self.session.continue_raw(&generation)?,
        };
        for event in answer {
            match event? {
                Event::Token { id } if seen.is_none() => seen = Some(first(id)),
                Event::Stop { timings, .. } => prompt = timings.prompt_tokens,
                _ => {}
            }
        }
        let nothing = || Error::Argument { name: "the answer", problem: "has no token".into() };
        Ok((seen.ok_or_else(nothing)?, prompt))
    }

    fn prefill(&mut self, tokens: usize, effort: Effort, ceilings: &Ceilings) -> Result<Prefill> {
        let mark = self.session.mark();
        let ids = self.ids(tokens)?;
        let times = super::repeat(effort, || {
            let started = Instant::now();
            self.read(&ids)?;
            let seconds = started.elapsed().as_secs_f64();
            self.session.rollback(&mark)?;
            Ok(seconds)
        })?;
        let runtime = self.session.runtime();
        let of = |rows: usize| {
            let plans = [&runtime.plans.embed, &runtime.plans.layers];
            plans.map(|plan| plan.summary(rows as u32).flops).iter().sum::<u64>()
        };
        let chunks = (0..tokens).step_by(runtime.chunk_rows).map(|start| runtime.chunk_rows.min(tokens - start));
        let flops: u64 = chunks.map(of).sum();
        Ok(Prefill {
            tokens,
            times,
            tokens_per_s: tokens as f64 / times.median_s,
            flops,
            share_of_arithmetic: flops as f64 / ceilings.flops_per_s / times.median_s,
        })
    }

    fn decode(&mut self, len: usize, tokens: usize, effort: Effort, ceilings: &Ceilings) -> Result<Decode> {
        let empty = self.session.mark();
        let ids = self.ids(len)?;
        self.read(&ids)?;
        let mark = self.session.mark();
        let mut cache_len = 0;
        let times = super::repeat(Effort { most: effort.least, ..effort }, || {
            self.ask()?;
            let (started, prompt) = self.answer(tokens, |_| Instant::now())?;
            let seconds = started.elapsed().as_secs_f64();
            cache_len = prompt;
            self.session.rollback(&mark)?;
            // The first token is where the time begins.
            Ok(seconds / (tokens - 1) as f64)
        })?;
        self.session.rollback(&empty)?;
        let plan = self.session.runtime().plans.decode.summary(1);
        let cache_bytes = self.cache_bytes(cache_len + tokens / 2);
        let bytes = plan.bytes + cache_bytes;
        Ok(Decode {
            cache_len,
            tokens,
            times,
            tokens_per_s: 1.0 / times.median_s,
            dispatches: plan.dispatches,
            bytes,
            cache_bytes,
            share_of_bandwidth: bytes as f64 / ceilings.read_bytes_per_s / times.median_s,
        })
    }

    /// One token by shader, behind each of `caches` that there is room for and the question.
    fn by_shader(&mut self, caches: &[usize], effort: Effort, seen: &mut dyn FnMut(&str)) -> Result<Vec<Token>> {
        let room = self.session.context().saturating_sub(MESSAGE_ROOM);
        let mut all = Vec::new();
        for &len in caches.iter().filter(|len| **len <= room) {
            seen(&format!("the shaders of a token behind {len} tokens"));
            let empty = self.session.mark();
            let ids = self.ids(len)?;
            self.read(&ids)?;
            self.ask()?;
            all.extend(self.token(effort)?);
            self.session.rollback(&empty)?;
        }
        Ok(all)
    }

    /// One token behind what is in the cache.
    fn token(&mut self, effort: Effort) -> Result<Option<Token>> {
        let generation = Generation::greedy(self.loaded.model.defaults());
        let cache_len = self.session.len();
        let profiles = (0..effort.least).map(|_| self.session.profile(&generation)).collect::<Result<Vec<_>>>()?;
        let mut profiles: Vec<_> = profiles.into_iter().flatten().collect();
        profiles.sort_by_key(|profile| profile.time());
        let middle = profiles.len() / 2;
        let Some(profile) = profiles.into_iter().nth(middle) else { return Ok(None) };
        let adapter_s = profile.time().as_secs_f64();
        let share = |it: &ShaderTime| {
            let seconds = it.time.as_secs_f64();
            ShaderShare { shader: it.shader, dispatches: it.dispatches, seconds, share: seconds / adapter_s }
        };
        let shaders = profile.shaders.iter().map(share).collect();
        Ok(Some(Token { cache_len, adapter_s, whole_s: profile.whole.as_secs_f64(), shaders }))
    }

    /// Reads ids into the cache and waits.
    fn read(&mut self, ids: &[u32]) -> Result<()> {
        self.session.prefill_watched(&[Piece::Tokens(ids.to_vec())], &mut None)?;
        self.loaded.model.gpu().wait("measuring")
    }

    /// Ids of ordinary text.
    fn ids(&self, count: usize) -> Result<Vec<u32>> {
        let pieces = self.loaded.model.pieces(QUESTION, &[])?;
        let ids = pieces.iter().flat_map(|piece| match piece {
            Piece::Tokens(ids) => ids.as_slice(),
            Piece::Run(_) => &[],
        });
        Ok(ids.copied().cycle().take(count).collect())
    }

    /// Bytes of keys and values that a step behind `len` positions reads.
    fn cache_bytes(&self, len: usize) -> u64 {
        let config = self.loaded.model.config();
        let layer = |layer: &crate::models::gemma::Layer| {
            let seen = config.reach(layer.kind).window.map_or(len, |window| window.min(len));
            (seen * layer.heads.num_kv_heads * stride(layer.heads.head_dim) * 2 * size_of::<f32>()) as u64
        };
        config.layers.iter().map(layer).sum()
    }
}

/// The most memory that this process had, as Linux tells it.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
