//! The spectrogram encoder: log-mel frames, two convolutions that leave one row for four frames, conformer layers, and the
//! projection into the decoder. The reference is `Gemma4AudioModel` of transformers 5.23.
//!
//! Nothing in it looks ahead further than the frames of its own row, so it runs as the sound comes in. What later rows look
//! back at lies in rings by its place since the sound's beginning: samples, frames, rows of the first convolution, and of
//! each layer keys, values and gated rows. Places before the first count as the reference's padding, so a new sound just
//! begins at row 0 again. Memory does not grow with the sound.

mod config;
mod weights;

pub use config::SoundConfig;
pub use weights::SoundWeights;

use super::clipped::Clipped;
use crate::error::{Error, Result};
use crate::gpu::{Array, Gpu, PlanBuilder};
use crate::kernels::clip_norm::Norm;
use crate::kernels::{
    Bounds, Matrix, Variant, clip_add_norm, clip_norm, clip_silu, fake_quant, light_conv, local_attention, matmul,
    matvec, ring, spectrogram, stride, subsample_conv,
};
use weights::{FeedForward, LayerWeights};

/// Of the norms whose `eps` the reference does not take from the config.
const EPS: f32 = 1e-6;
/// Most workgroups along an axis of a grid everywhere; a workgroup a frame.
const MOST_FRAMES: usize = 65_535;

/// One conversation's memory of the encoder.
#[derive(Debug)]
pub struct SoundEncoder {
    config: SoundConfig,
    variant: Variant,
    most_rows: usize,
    tables: spectrogram::Tables,
    /// `[most_rows, stride(row_width)]` rows of samples; the host writes those of a replay before it.
    pub samples: Array<f32>,
    /// First row since the beginning of the sound, rows, samples known; the host writes them before each replay.
    pub span: Array<u32>,
    states: States,
    layers: Vec<Rings>,
}

/// What lies between one dispatch and the next.
#[derive(Debug)]
struct States {
    /// Ring of rows of samples.
    sounds: Array<f32>,
    /// Ring of frames.
    frames: Array<f32>,
    /// Ring of the first convolution's rows.
    halved: Array<f32>,
    quartered: Array<f32>,
    /// The residual stream, and where it goes at the end of a layer.
    x: [Array<f32>; 2],
    /// Normed input of a branch.
    h: Array<f32>,
    /// Output of a branch.
    y: Array<f32>,
    wide: Array<f32>,
    halves: Array<f32>,
    qkv: [Array<f32>; 3],
    attended: Array<f32>,
    output: [Array<f32>; 2],
}

/// What a layer keeps for later rows.
#[derive(Debug)]
struct Rings {
    k: Array<f32>,
    v: Array<f32>,
    gated: Array<f32>,
}

impl SoundEncoder {
    /// Memory for replays of up to `most_rows` rows.
    ///
    /// # Errors
    /// [`Error::Argument`] for no rows or too many, [`Error::OutOfMemory`].
    pub fn new(gpu: &Gpu, config: &SoundConfig, most_rows: usize) -> Result<SoundEncoder> {
        let most = MOST_FRAMES / config.spectrogram.row_frames;
        if !(1..=most).contains(&most_rows) {
            return Err(Error::Argument {
                name: "rows of sound",
                problem: format!("are {most_rows}, expected 1 to {most}"),
            });
        }
        let tile = most_rows.next_multiple_of(matmul::TILE_ROWS);
        let rows = |name, width: usize| gpu.rows::<f32>(name, tile * stride(width));
        let ring = |name, rows: usize, width: usize| gpu.array::<f32>(name, rows * stride(width));
        let (hidden, [first, second]) = (config.hidden_size, config.columns());
        let lengths = Lengths::new(config, most_rows);
        let layer = |_| -> Result<Rings> {
            Ok(Rings {
                k: ring("keys of sound", lengths.keys, hidden)?,
                v: ring("values of sound", lengths.keys, hidden)?,
                gated: ring("gated rows of sound", lengths.gated, hidden)?,
            })
        };
        Ok(SoundEncoder {
            config: config.clone(),
            variant: Variant::best(gpu),
            most_rows,
            tables: spectrogram::Tables::new(gpu, &config.spectrogram)?,
            samples: ring("samples", most_rows, config.row_width())?,
            span: gpu.array("span", 4)?,
            states: States {
                sounds: ring("ring of samples", lengths.sounds, config.row_width())?,
                frames: ring("frames", lengths.frames, config.spectrogram.mels)?,
                halved: ring("convolved rows", lengths.halved, first * config.channels[0])?,
                quartered: rows("convolved rows", second * config.channels[1])?,
                x: [rows("x", hidden)?, rows("x", hidden)?],
                h: rows("h", hidden)?,
                y: rows("y", hidden)?,
                wide: rows("wide", 4 * hidden)?,
                halves: rows("halves", 2 * hidden)?,
                qkv: [rows("q", hidden)?, rows("k", hidden)?, rows("v", hidden)?],
                attended: rows("attended", hidden)?,
                output: [rows("output", config.output_proj_dims)?, rows("output", config.output_proj_dims)?],
            },
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?,
        })
    }

    /// Most rows of a replay.
    pub fn most_rows(&self) -> usize {
        self.most_rows
    }

    /// Writes what a replay of rows `first` on reads: rows of samples as [`SoundConfig::features`] makes them, and how many
    /// samples of the sound are `known` in all. Rows are to come in order, each once, from row 0 of a sound on.
    ///
    /// # Errors
    /// [`Error::Length`] unless it is a whole number of rows that fits, [`Error::Argument`] beyond
    /// [`SoundConfig::MOST_SAMPLES`].
    pub fn write(&self, gpu: &Gpu, first: usize, features: &[f32], known: usize) -> Result<()> {
        let (width, distance) = (self.config.row_width(), stride(self.config.row_width()));
        let rows = features.len() / width;
        if rows * width != features.len() || rows > self.most_rows {
            let (name, found) = ("rows of samples".into(), features.len());
            return Err(Error::Length { name, expected: rows.min(self.most_rows) * width, found });
        }
        if known.max((first + rows) * self.config.row_samples()) > SoundConfig::MOST_SAMPLES {
            let most = SoundConfig::MOST_SAMPLES;
            let problem = format!("is longer than {most} samples; begin another one");
            return Err(Error::Argument { name: "the sound", problem });
        }
        for (row, values) in features.chunks_exact(width).enumerate() {
            gpu.write(&self.samples, row * distance, values);
        }
        gpu.write(&self.span, 0, &[first as u32, rows as u32, known as u32]);
        Ok(())
    }

    /// Records the first stage of a replay of up to `most_rows` rows, at most [`SoundEncoder::most_rows`]: samples to log-mel
    /// frames and rows for the layers. Where that is 1, projections are matrix-vector products. Tap: `input_features`, with
    /// [`Settings::row_frames`](spectrogram::Settings::row_frames) rows for each.
    ///
    /// # Errors
    /// [`Error::Argument`] for more rows than there is memory for.
    pub fn record_frames(&self, plan: &mut PlanBuilder<'_>, weights: &SoundWeights, most_rows: usize) -> Result<()> {
        self.recorder(weights, most_rows)?.rows(plan)
    }

    /// Records the second stage: the layers and the projection. It leaves the embeddings in `out`, `[most_rows,
    /// stride(hidden_size of the decoder)]` with `most_rows` rounded up to [`matmul::TILE_ROWS`]. Taps: `audio.layer.N`.
    ///
    /// # Errors
    /// [`Error::Length`] if `out` is too short, [`Error::Argument`] for more rows than there is memory for.
    pub fn record_layers(
        &self,
        plan: &mut PlanBuilder<'_>,
        weights: &SoundWeights,
        most_rows: usize,
        out: &Array<f32>,
    ) -> Result<()> {
        let recorder = self.recorder(weights, most_rows)?;
        let mut stream = 0;
        for (index, layer) in weights.layers.iter().enumerate() {
            recorder.layer(plan, index, layer, stream)?;
            stream = 1 - stream;
            let (x, hidden) = (&self.states.x[stream], self.config.hidden_size);
            plan.tap(format!("audio.layer.{index}"), x, hidden, stride(hidden));
        }
        recorder.output(plan, stream, out)
    }

    fn recorder<'a>(&'a self, weights: &'a SoundWeights, most_rows: usize) -> Result<Recorder<'a>> {
        if !(1..=self.most_rows).contains(&most_rows) {
            let problem = format!("are {most_rows}, expected 1 to {}", self.most_rows);
            return Err(Error::Argument { name: "rows of sound", problem });
        }
        Ok(Recorder {
            config: &self.config,
            encoder: self,
            states: &self.states,
            weights,
            lengths: Lengths::new(&self.config, self.most_rows),
            most_rows,
        })
    }
}

/// Rows of the rings.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    sounds: usize,
    frames: usize,
    halved: usize,
    keys: usize,
    gated: usize,
}

impl Lengths {
    /// What a replay writes, and what its first row looks back at.
    fn new(config: &SoundConfig, most_rows: usize) -> Lengths {
        let frames = config.spectrogram.row_frames * most_rows;
        Lengths {
            sounds: most_rows + config.spectrogram.rows_back(),
            frames: frames + 1,
            halved: frames / 2 + 1,
            keys: most_rows + config.window - 1,
            gated: most_rows + config.conv_kernel_size - 1,
        }
    }
}

/// Everything that a plan is recorded from.
struct Recorder<'a> {
    config: &'a SoundConfig,
    encoder: &'a SoundEncoder,
    states: &'a States,
    weights: &'a SoundWeights,
    lengths: Lengths,
    most_rows: usize,
}

impl Recorder<'_> {
    /// Samples to `x[0]`, and its norm for the first layer.
    fn rows(&self, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (config, states, lengths, most) = (self.config, self.states, self.lengths, self.most_rows);
        let SoundEncoder { samples, span, .. } = self.encoder;
        let width = config.row_width();
        ring::record(plan, width, lengths.sounds, Bounds::NONE, most, samples, span, &states.sounds)?;
        let arrays = spectrogram::Arrays { samples: &states.sounds, span, y: &states.frames };
        let rings = [lengths.sounds, lengths.frames];
        spectrogram::record(plan, &config.spectrogram, &self.encoder.tables, rings, most, &arrays)?;
        let spectrogram::Settings { mels, row_frames, hop_length: hop, .. } = config.spectrogram;
        plan.tap_ring("input_features", &states.frames, [mels, stride(mels)], span, row_frames);
        let first = subsample_conv::Shape {
            in_ring: lengths.frames,
            in_size: mels,
            in_channels: 1,
            out_ring: Some(lengths.halved),
            out_channels: config.channels[0],
            rows_of_token: 2,
            row_samples: 2 * hop,
            lead: config.spectrogram.lead(),
            eps: config.eps,
        };
        let second = subsample_conv::Shape {
            in_ring: lengths.halved,
            in_size: first.out_size(),
            in_channels: config.channels[0],
            out_ring: None,
            out_channels: config.channels[1],
            rows_of_token: 1,
            row_samples: 4 * hop,
            ..first
        };
        let [one, two] = &self.weights.convolutions;
        for (shape, conv, x, y) in
            [(first, one, &states.frames, &states.halved), (second, two, &states.halved, &states.quartered)]
        {
            let arrays = subsample_conv::Arrays { x, span, weight: &conv.weight, norm: &conv.norm, y };
            subsample_conv::record(plan, &shape, most, &arrays)?;
        }
        self.project(plan, &self.weights.input_proj, &states.quartered, &states.x[0])?;
        match self.weights.layers.first() {
            Some(layer) => self.open(plan, layer, &states.x[0]),
            None => Ok(()),
        }
    }

    /// The norm before a layer's first branch.
    fn open(&self, plan: &mut PlanBuilder<'_>, layer: &LayerWeights, x: &Array<f32>) -> Result<()> {
        let first = &layer.feed_forward[0];
        self.norm(plan, self.clipping(first.up.input), x, &first.pre_norm)
    }

    /// One conformer layer, from `x[stream]` to the other one, and the norm before the next layer.
    fn layer(&self, plan: &mut PlanBuilder<'_>, index: usize, layer: &LayerWeights, stream: usize) -> Result<()> {
        let (config, states) = (self.config, self.states);
        let (x, next) = (&states.x[stream], &states.x[1 - stream]);
        let [first, second] = &layer.feed_forward;
        let (h, y) = (&states.h, &states.y);

        self.feed_forward(plan, first)?;
        let next_norm = (self.clipping(layer.qkv[0].input), &layer.pre_attention_norm);
        self.add(plan, &first.down, true, &first.post_norm, next_norm, x, h)?;

        self.attention(plan, index, layer, x)?;
        self.project(plan, &layer.post.weight, &states.attended, y)?;
        let next_norm =
            (Norm { eps: config.eps, limit: f32::MAX, bounds: layer.linear_start.input }, &layer.conv_pre_norm);
        self.add(plan, &layer.post, true, &layer.post_attention_norm, next_norm, x, h)?;

        self.light_conv(plan, index, layer)?;
        let next_norm = (self.clipping(second.up.input), &second.pre_norm);
        self.add(plan, &layer.linear_end, false, &self.weights.ones, next_norm, x, h)?;

        self.feed_forward(plan, second)?;
        let out_norm = (self.clipping(Bounds::NONE), &layer.out_norm);
        self.add(plan, &second.down, true, &second.post_norm, out_norm, x, next)?;
        match self.weights.layers.get(index + 1) {
            Some(following) => self.open(plan, following, next),
            None => Ok(()),
        }
    }

    /// `h` to `y`.
    fn feed_forward(&self, plan: &mut PlanBuilder<'_>, weights: &FeedForward) -> Result<()> {
        let States { h, y, wide, .. } = self.states;
        self.project(plan, &weights.up.weight, h, wide)?;
        let bounds = [weights.up.output, weights.down.input];
        clip_silu::record(plan, 4 * self.config.hidden_size, bounds, self.most_rows, wide)?;
        self.project(plan, &weights.down.weight, wide, y)
    }

    /// `h` to `attended` through the layer's rings; `h` is made anew from `x` where projections want other bounds.
    fn attention(&self, plan: &mut PlanBuilder<'_>, index: usize, layer: &LayerWeights, x: &Array<f32>) -> Result<()> {
        let (config, states, rings) = (self.config, self.states, &self.encoder.layers[index]);
        let span = &self.encoder.span;
        let mut bounds = layer.qkv[0].input;
        for (projection, to) in layer.qkv.iter().zip(&states.qkv) {
            if projection.input != bounds {
                bounds = projection.input;
                self.norm(plan, self.clipping(bounds), x, &layer.pre_attention_norm)?;
            }
            self.project(plan, &projection.weight, &states.h, to)?;
        }
        let ([q, k, v], [of_q, of_k, of_v]) = (&states.qkv, &layer.qkv);
        let places = self.lengths.keys;
        for (from, bounds, to) in [(k, of_k.output, &rings.k), (v, of_v.output, &rings.v)] {
            ring::record(plan, config.hidden_size, places, bounds, self.most_rows, from, span, to)?;
        }
        let shape = local_attention::Shape {
            num_heads: config.num_attention_heads,
            head_dim: config.head_dim(),
            window: config.window,
            ring: places,
            cap: config.attention_logit_cap,
            queries: of_q.output,
            result: layer.post.input,
        };
        let arrays = local_attention::Arrays {
            q,
            scale: &layer.scale,
            k: &rings.k,
            v: &rings.v,
            relative: &layer.relative,
            span,
            out: &states.attended,
        };
        local_attention::record(plan, &shape, self.most_rows, &arrays)
    }

    /// `h` to `y` through the layer's ring of gated rows.
    fn light_conv(&self, plan: &mut PlanBuilder<'_>, index: usize, layer: &LayerWeights) -> Result<()> {
        let (config, States { h, y, halves, .. }) = (self.config, self.states);
        let (span, gated) = (&self.encoder.span, &self.encoder.layers[index].gated);
        let shape = light_conv::Shape {
            hidden_size: config.hidden_size,
            kernel_size: config.conv_kernel_size,
            ring: self.lengths.gated,
            most_rows: self.most_rows,
        };
        self.project(plan, &layer.linear_start.weight, h, halves)?;
        light_conv::record_glu(plan, shape, layer.linear_start.output, halves, span, gated)?;
        let norm = Norm { eps: config.eps, limit: config.gradient_clipping, bounds: layer.linear_end.input };
        let arrays = light_conv::Arrays { g: gated, span, taps: &layer.taps, weight: &layer.conv_norm, y: h };
        light_conv::record(plan, shape, norm, &arrays)?;
        self.project(plan, &layer.linear_end.weight, h, y)
    }

    /// The end of a branch: `y`, kept within the bounds of its last projection and, if it is `normed`, of all states, onto
    /// `x`; and the norm behind it into `h`.
    #[expect(clippy::too_many_arguments, reason = "each has its place in the formula")]
    fn add(
        &self,
        plan: &mut PlanBuilder<'_>,
        last: &Clipped,
        normed: bool,
        weight: &Array<f32>,
        (next, next_weight): (Norm, &Array<f32>),
        x: &Array<f32>,
        h: &Array<f32>,
    ) -> Result<()> {
        let around = Bounds::around_zero(self.config.gradient_clipping);
        let branch = match normed {
            true => clip_add_norm::Branch { bounds: last.output.then(around), eps: Some(EPS), next },
            false => clip_add_norm::Branch { bounds: last.output, eps: None, next },
        };
        let arrays = clip_add_norm::Arrays { y: &self.states.y, weight, next_weight, x, h };
        clip_add_norm::record(plan, self.config.hidden_size, branch, self.most_rows, &arrays)
    }

    /// `x[stream]` to embeddings.
    fn output(&self, plan: &mut PlanBuilder<'_>, stream: usize, out: &Array<f32>) -> Result<()> {
        let (weights, [raw, normed], width) = (self.weights, &self.states.output, self.config.output_proj_dims);
        self.project(plan, &weights.output_proj, &self.states.x[stream], raw)?;
        let norm = Norm { eps: self.config.eps, limit: f32::MAX, bounds: Bounds::NONE };
        if weights.output_step == 0.0 {
            clip_norm::record(plan, width, norm, self.most_rows, raw, &weights.output_bias, &weights.ones, normed)?;
            return self.project(plan, &weights.projection, normed, out);
        }
        let bias = Some(&weights.output_bias);
        fake_quant::record(plan, width, weights.output_step, bias, self.most_rows, raw, normed)?;
        clip_norm::record(plan, width, norm, self.most_rows, normed, &weights.zeros, &weights.ones, raw)?;
        self.project(plan, &weights.projection, raw, out)
    }

    /// A norm whose input is kept within the bounds of all states.
    fn clipping(&self, bounds: Bounds) -> Norm {
        Norm { eps: EPS, limit: self.config.gradient_clipping, bounds }
    }

    /// `x` to `h`.
    fn norm(&self, plan: &mut PlanBuilder<'_>, norm: Norm, x: &Array<f32>, weight: &Array<f32>) -> Result<()> {
        let (size, zeros) = (self.config.hidden_size, &self.weights.zeros);
        clip_norm::record(plan, size, norm, self.most_rows, x, zeros, weight, &self.states.h)
    }

    fn project(&self, plan: &mut PlanBuilder<'_>, weight: &Matrix, x: &Array<f32>, y: &Array<f32>) -> Result<()> {
        match self.most_rows {
            1 => matvec::record(plan, self.encoder.variant, weight, x, y),
            most => matmul::record(plan, self.encoder.variant, weight, most, x, y),
        }
    }
}
