//! The spectrogram encoder's sizes: `audio_config` and the feature extractor's section of `processor_config.json`. Every
//! field is read, or refused by name where only one value is supported.

use crate::error::Result;
use crate::kernels::local_attention::MOST;
use crate::kernels::spectrogram::{MOST_FFT_LENGTH, Settings, rows_of};
use crate::models::gemma::Names;
use crate::models::gemma::clipped::Clipped;
use crate::weights::{Expected, Fields};
use std::ops::Range;

/// Frames of a token: two convolutions halve the rows.
const TOKEN_FRAMES: usize = 4;
/// The reference fills a recording up to a multiple of this before it counts frames.
const FILLED_TO: usize = 128;

/// What the spectrogram encoder is.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundConfig {
    /// `hidden_size`.
    pub hidden_size: usize,
    /// `num_hidden_layers`.
    pub num_hidden_layers: usize,
    /// `num_attention_heads`.
    pub num_attention_heads: usize,
    /// `subsampling_conv_channels`.
    pub channels: [usize; 2],
    /// `conv_kernel_size` of the light convolution.
    pub conv_kernel_size: usize,
    /// `residual_weight`: the share of a feed-forward's branch.
    pub residual_weight: f32,
    /// `attention_chunk_size`: here it only says where relative positions lie in their table.
    pub attention_chunk_size: usize,
    /// `attention_context_left - 1`: keys that a query sees, its own included.
    pub window: usize,
    /// `attention_logit_cap`.
    pub attention_logit_cap: f32,
    /// `use_clipped_linears`: projections have bounds.
    pub clipped: bool,
    /// `rms_norm_eps`.
    pub eps: f32,
    /// `gradient_clipping`: states are kept within plus and minus this.
    pub gradient_clipping: f32,
    /// `output_proj_dims`.
    pub output_proj_dims: usize,
    /// The feature extractor.
    pub spectrogram: Settings,
}

impl SoundConfig {
    /// Samples of the longest sound: places are counted in 32 bits. 37 hours at 16 kHz.
    pub const MOST_SAMPLES: usize = 1 << 31;

    /// Reads `audio_config`, and `processor_config.json` where there is one.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) naming the first field that is missing, out of range or not supported.
    pub fn read(fields: &Fields, processor: Option<&Fields>) -> Result<SoundConfig> {
        only(fields, "model_type", "gemma4_audio")?;
        only(fields, "hidden_act", "silu")?;
        fields.ignore(&["initializer_range", "dtype", "torch_dtype"]);
        let hidden_size = fields.optional_usize("hidden_size", 2..1 << 15)?.unwrap_or(1024);
        if hidden_size % 2 == 1 {
            // Half of the values of a position are sines, half cosines.
            return Err(fields.error("hidden_size", format!("is {hidden_size}, expected an even number")));
        }
        let num_attention_heads = fields.optional_usize("num_attention_heads", 1..1024)?.unwrap_or(8);
        if hidden_size % num_attention_heads != 0 {
            let problem = format!("is {num_attention_heads}, which does not divide hidden_size {hidden_size}");
            return Err(fields.error("num_attention_heads", problem));
        }
        if hidden_size / num_attention_heads > MOST {
            let problem = format!("is {num_attention_heads}: heads of more than {MOST} values are not supported");
            return Err(fields.error("num_attention_heads", problem));
        }
        let channels = fields.optional_usizes("subsampling_conv_channels", 1..=4096)?.unwrap_or(vec![128, 32]);
        let channels = <[usize; 2]>::try_from(channels).map_err(|found| {
            fields.error("subsampling_conv_channels", format!("holds {} numbers, expected two", found.len()))
        })?;
        if let Some(right) = fields.optional_usize("attention_context_right", ..)?.filter(|right| *right > 0) {
            let problem = format!("is {right}, only 0 is supported: nothing after a token is heard before it");
            return Err(fields.error("attention_context_right", problem));
        }
        let window = fields.optional_usize("attention_context_left", 2..=MOST + 1)?.unwrap_or(13) - 1;
        let cap = positive(fields, "attention_logit_cap", 50.0)?;
        let masked = fields.optional_f32("attention_invalid_logits_value")?.unwrap_or(-1e9);
        // The least that a score seen can be, less what the exponential turns into 0.
        if masked > -cap - 104.0 {
            let problem = format!("is {masked}, expected at most {}: what is masked counts nothing", -cap - 104.0);
            return Err(fields.error("attention_invalid_logits_value", problem));
        }
        let section = processor.map(|p| p.optional_object("feature_extractor")).transpose()?.flatten();
        let spectrogram = read_spectrogram(section.as_ref())?;
        // As the reference builds the projection behind the convolutions.
        let columns = spectrogram.mels.div_ceil(2).div_ceil(2);
        if channels[0] / 4 != columns {
            let problem = format!(
                "begins with {}, whose quarter must be the {columns} columns that are left of feature_size {}",
                channels[0], spectrogram.mels
            );
            return Err(fields.error("subsampling_conv_channels", problem));
        }
        Ok(SoundConfig {
            hidden_size,
            num_hidden_layers: fields.optional_usize("num_hidden_layers", 1..1000)?.unwrap_or(12),
            num_attention_heads,
            channels,
            conv_kernel_size: fields.optional_usize("conv_kernel_size", 1..=1024)?.unwrap_or(5),
            residual_weight: fields.optional_f32("residual_weight")?.unwrap_or(0.5),
            attention_chunk_size: fields.optional_usize("attention_chunk_size", 1..1 << 16)?.unwrap_or(12),
            window,
            attention_logit_cap: cap,
            clipped: fields.optional_bool("use_clipped_linears")?.unwrap_or(true),
            eps: positive(fields, "rms_norm_eps", 1e-6)?,
            gradient_clipping: positive(fields, "gradient_clipping", 1e10)?,
            output_proj_dims: fields.optional_usize("output_proj_dims", 1..1 << 17)?.unwrap_or(1536),
            spectrogram,
        })
    }

    /// Rows that so many samples give, one a token: all there will be if the sound has `ended`, else those in which
    /// nothing can change any more. A row is complete once the sample behind its last frame is known: with frames of two
    /// hops, the first one of the next row.
    pub fn rows(&self, samples: usize, ended: bool) -> usize {
        let Settings { hop_length, row_frames, .. } = self.spectrogram;
        let last_frame = if ended { 0 } else { row_frames - 1 };
        let needed = last_frame * hop_length + self.spectrogram.lead();
        samples.saturating_sub(needed).div_ceil(self.spectrogram.row_samples())
    }

    /// Samples from row to row.
    pub fn row_samples(&self) -> usize {
        self.spectrogram.row_samples()
    }

    /// Samples that a row holds; as many as from row to row, or some of the next row too where a frame is longer than
    /// two hops.
    pub fn row_width(&self) -> usize {
        self.spectrogram.row_width()
    }

    /// Rows of samples, `[rows.len(), row_width]`, zeros behind the last sample.
    pub fn features(&self, samples: &[f32], rows: Range<usize>) -> Vec<f32> {
        let from = samples.get(rows.start * self.row_samples()..).unwrap_or_default();
        rows_of(&self.spectrogram, from, rows.len())
    }

    /// Frames that the reference makes of so many samples, those that are not whole and masked included.
    pub fn frames(&self, samples: usize) -> usize {
        let filled = samples.next_multiple_of(FILLED_TO) + self.spectrogram.before();
        match filled.checked_sub(self.spectrogram.frame_length + 1) {
            Some(rest) if samples > 0 => rest / self.spectrogram.hop_length + 1,
            _ => 0,
        }
    }

    /// Frames of so many samples that are whole.
    pub fn whole_frames(&self, samples: usize) -> usize {
        self.spectrogram.whole_frames(samples)
    }

    /// Values of a head.
    pub(super) fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Columns behind each convolution.
    pub(super) fn columns(&self) -> [usize; 2] {
        let first = self.spectrogram.mels.div_ceil(2);
        [first, first.div_ceil(2)]
    }

    /// Every tensor of the encoder with its shape, and the projection into the decoder's `hidden_size`.
    pub fn tensors(&self, hidden_size: usize, names: Names) -> Vec<Expected> {
        let (own, [first, second]) = (self.hidden_size, self.channels);
        let mut all = Vec::new();
        let mut add = |name: String, shape: &[usize]| all.push(Expected::new(names.sense(&name), shape));
        let convolutions = TOWER.to_string() + "subsample_conv_projection.";
        add(format!("{convolutions}layer0.conv.weight"), &[first, 1, 3, 3]);
        add(format!("{convolutions}layer0.norm.weight"), &[first]);
        add(format!("{convolutions}layer1.conv.weight"), &[second, first, 3, 3]);
        add(format!("{convolutions}layer1.norm.weight"), &[second]);
        add(format!("{convolutions}input_proj_linear.weight"), &[own, self.columns()[1] * second]);
        for layer in 0..self.num_hidden_layers {
            let name = |part: &str| format!("{TOWER}layers.{layer}.{part}");
            for (part, shape) in [
                ("feed_forward1.ffw_layer_1", [4 * own, own]),
                ("feed_forward1.ffw_layer_2", [own, 4 * own]),
                ("feed_forward2.ffw_layer_1", [4 * own, own]),
                ("feed_forward2.ffw_layer_2", [own, 4 * own]),
                ("self_attn.q_proj", [own, own]),
                ("self_attn.k_proj", [own, own]),
                ("self_attn.v_proj", [own, own]),
                ("self_attn.post", [own, own]),
                ("lconv1d.linear_start", [2 * own, own]),
                ("lconv1d.linear_end", [own, own]),
            ] {
                Clipped::tensors(&name(part), shape, self.clipped, names, &mut add);
            }
            for part in [
                "feed_forward1.pre_layer_norm",
                "feed_forward1.post_layer_norm",
                "feed_forward2.pre_layer_norm",
                "feed_forward2.post_layer_norm",
                "norm_pre_attn",
                "norm_post_attn",
                "norm_out",
                "lconv1d.pre_layer_norm",
                "lconv1d.conv_norm",
            ] {
                add(name(&format!("{part}.weight")), &[own]);
            }
            add(name("self_attn.relative_k_proj.weight"), &[own, own]);
            add(name("self_attn.per_dim_scale"), &[self.head_dim()]);
            let taps = name("lconv1d.depthwise_conv1d.weight");
            match names {
                Names::Folder { .. } => add(taps, &[own, 1, self.conv_kernel_size]),
                Names::Gguf => add(taps, &[own, self.conv_kernel_size]),
            }
        }
        add(format!("{TOWER}output_proj.weight"), &[self.output_proj_dims, own]);
        add(format!("{TOWER}output_proj.bias"), &[self.output_proj_dims]);
        add(PROJECTION.into(), &[hidden_size, self.output_proj_dims]);
        all
    }
}

/// What the names of the encoder's tensors begin with.
pub(super) const TOWER: &str = "audio_tower.";
/// The projection into the decoder.
pub(super) const PROJECTION: &str = "embed_audio.embedding_projection.weight";

fn only(fields: &Fields, name: &str, supported: &str) -> Result<()> {
    match fields.optional_string(name)? {
        Some(other) if other != supported => {
            Err(fields.error(name, format!("is \"{other}\", only \"{supported}\" is supported")))
        }
        _ => Ok(()),
    }
}

fn positive(fields: &Fields, name: &str, standard: f32) -> Result<f32> {
    match fields.optional_f32(name)?.unwrap_or(standard) {
        value if value > 0.0 => Ok(value),
        value => Err(fields.error(name, format!("is {value}, expected above 0"))),
    }
}

/// The feature extractor; its defaults where there is no such section.
fn read_spectrogram(section: Option<&Fields>) -> Result<Settings> {
    let Some(fields) = section else {
        return read_spectrogram(Some(&Fields::new("processor_config.json".as_ref(), Default::default())));
    };
    only(fields, "feature_extractor_type", "Gemma4AudioFeatureExtractor")?;
    only(fields, "padding_side", "right")?;
    // Of frames that are not whole nothing is left, so what stands behind the last sample is of no consequence.
    fields.ignore(&["padding_value", "return_attention_mask", "processor_class", "chunk_length_s"]);
    if let Some(dither) = fields.optional_f32("dither")?.filter(|dither| *dither != 0.0) {
        let problem = format!("is {dither}, only 0 is supported: answers would differ from run to run");
        return Err(fields.error("dither", problem));
    }
    let sample_rate = fields.optional_usize("sampling_rate", 1000..400_000)?.unwrap_or(16_000);
    let frame_length = length(fields, "frame_length", 20.0, sample_rate, 2..=MOST_FFT_LENGTH)?;
    let hop_length = length(fields, "hop_length", 10.0, sample_rate, 1..=1 << 16)?;
    let overdrive = usize::from(fields.optional_bool("fft_overdrive")?.unwrap_or(false));
    let fft_length = frame_length.next_power_of_two() << overdrive;
    if fft_length > MOST_FFT_LENGTH {
        let problem =
            format!("is {frame_length}, which asks for a transform of {fft_length}, at most {MOST_FFT_LENGTH}");
        return Err(fields.error("frame_length", problem));
    }
    if let Some(other) = fields.optional_usize("fft_length", ..)?.filter(|other| *other != fft_length) {
        let problem = format!("is {other}, frames of {frame_length} samples give {fft_length}");
        return Err(fields.error("fft_length", problem));
    }
    let hertz = |name: &str, standard: f32| Ok(fields.optional_f32(name)?.unwrap_or(standard));
    let (low, high) = (hertz("min_frequency", 0.0)?, hertz("max_frequency", 8000.0)?);
    if low < 0.0 {
        return Err(fields.error("min_frequency", format!("is {low}, expected at least 0")));
    }
    if high <= low {
        return Err(fields.error("max_frequency", format!("is {high}, expected above min_frequency {low}")));
    }
    let preemphasis = hertz("preemphasis", 0.0)?;
    if preemphasis < 0.0 {
        return Err(fields.error("preemphasis", format!("is {preemphasis}, expected at least 0")));
    }
    let mels = fields.optional_usize("feature_size", 1..=1024)?.unwrap_or(128);
    let bins = |name: &str, standard: f32| match fields.optional_f32s(name)? {
        Some(values) if values.len() != mels => {
            Err(fields.error(name, format!("holds {} numbers, feature_size is {mels}", values.len())))
        }
        values => Ok((values.is_some(), values.unwrap_or(vec![standard; mels]))),
    };
    let ((has_mean, mean), (has_deviation, deviation)) = (bins("per_bin_mean", 0.0)?, bins("per_bin_stddev", 1.0)?);
    if deviation.contains(&0.0) {
        return Err(fields.error("per_bin_stddev", "holds a 0"));
    }
    Ok(Settings {
        sample_rate,
        frame_length,
        hop_length,
        fft_length,
        mels,
        min_frequency: low.into(),
        max_frequency: high.into(),
        floor: positive(fields, "mel_floor", 1e-3)?,
        preemphasis,
        preemphasis_htk: fields.optional_bool("preemphasis_htk_flavor")?.unwrap_or(true),
        scale: fields.optional_f32("input_scale_factor")?.unwrap_or(1.0),
        norms: (has_mean || has_deviation).then_some([mean, deviation]),
        row_frames: TOKEN_FRAMES,
    })
}

/// A length in samples, as it is written or by its milliseconds; both must agree where both are there.
fn length(
    fields: &Fields,
    name: &str,
    standard_ms: f32,
    sample_rate: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize> {
    let in_ms = format!("{name}_ms");
    let written = fields.optional_usize(name, range.clone())?;
    let ms = fields.optional_f32(&in_ms)?;
    let samples = |ms: f32| (sample_rate as f64 * f64::from(ms) / 1000.0).round_ties_even();
    let by_ms = samples(ms.unwrap_or(standard_ms));
    match written {
        Some(written) if ms.is_some() && by_ms != written as f64 => {
            Err(fields.error(name, format!("is {written}, {in_ms} says {by_ms} samples")))
        }
        Some(written) => Ok(written),
        None if range.contains(&(by_ms.max(0.0) as usize)) => Ok(by_ms as usize),
        None => {
            let problem = format!("gives {by_ms} samples, expected {} to {}", range.start(), range.end());
            Err(fields.error(if ms.is_some() { &in_ms } else { "sampling_rate" }, problem))
        }
    }
}
