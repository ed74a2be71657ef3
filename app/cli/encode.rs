//! `percept encode`: what a model makes of a picture or a sound, in numbers and as a picture.

use super::failure::Usage;
use super::load::{LoadArgs, existing};
use super::output::Output;
use super::parts::{Kind, kind_of};
use super::plot;
use super::{interrupt, trace::parent};
use anyhow::Result;
use percept::encode::{Encoded, View, encode};
use percept::{Audio, Image, Media};
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  percept encode cat.jpg
  percept encode question.wav --model google/gemma-4-E2B-it --plot heard.png
  percept encode cat.jpg --image-tokens 1120 --json

The plot of a picture shows it as the model gets it, cut into the squares that become tokens, and beside
it each token's colour; that of a sound its wave, its spectrogram where the model computes one, and the
tokens below. Colours are the three directions in which the embeddings differ most: tokens of like
colours mean like things to the model.";

/// Show what a model makes of a picture or a sound: tokens, times, and a plot.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct EncodeArgs {
    /// A picture (PNG, JPEG, WebP, GIF) or a sound (WAV, FLAC, MP3, OGG, M4A, AIFF).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the plot goes; FILE with the ending .encoded.png in the current folder if not given.
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: LoadArgs,
}

/// Carries it out.
///
/// # Errors
/// Whatever is wrong with the file, the model, the adapter or the plot.
pub fn run(args: &EncodeArgs, output: &Output) -> Result<()> {
    let file = existing(&args.file, "a picture or a sound")?;
    let media = open(&file)?;
    let plot = args.plot.clone().unwrap_or_else(|| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        PathBuf::from(format!("{stem}.encoded.png"))
    });
    if !parent(&plot).is_dir() || plot.is_dir() {
        let problem = "its folder does not exist, or it is a folder itself; name a file";
        return Err(Usage(format!("cannot write {}: {problem}", plot.display())).into());
    }
    interrupt::install()?;
    let model = args.load.load(output)?;
    let loading = output.loading("");
    let encoded = encode(&model, &media, &|progress| loading.tell(progress))?;
    drop(loading);
    plot::write(&encoded, &plot)?;
    if args.json {
        return output.json(&summary(&encoded, &file, &plot));
    }
    for line in lines(&encoded, &file) {
        output.write(&format!("{line}\n"))?;
    }
    output.note(&format!("plotted to {}", plot.display()));
    Ok(())
}

/// The file as a picture, or else as a sound.
fn open(file: &Path) -> Result<Media> {
    match kind_of(file) {
        Some(Kind::Audio) => Ok(Media::Audio(Audio::open(file)?)),
        _ => Ok(Media::Image(Image::open(file)?)),
    }
}

fn lines(encoded: &Encoded, file: &Path) -> Vec<String> {
    let mut lines = vec![file.display().to_string()];
    let mut line = |name: &str, text: String| lines.push(format!("  {name:<28}  {text}"));
    match &encoded.view {
        View::Picture { image, token_px, patch_px } => {
            let (across, down) = (image.width as usize / token_px, image.height as usize / token_px);
            line("as the model sees it", format!("{} × {} pixels", image.width, image.height));
            let patches = match token_px / patch_px {
                1 => String::new(),
                side => format!(", each of {} patches of {patch_px} × {patch_px}", side * side),
            };
            let squares = format!("{across} × {down} squares of {token_px} × {token_px}{patches}");
            line("tokens", format!("{}: {squares}", encoded.tokens));
        }
        View::Sound { audio, token_samples, .. } => {
            let rate = f64::from(audio.sample_rate);
            let seconds = audio.samples.len() as f64 / rate;
            line("as the model hears it", format!("{seconds:.2} s at {} Hz", audio.sample_rate));
            let ms = *token_samples as f64 * 1e3 / rate;
            line("tokens", format!("{}, one for {ms:.0} ms", encoded.tokens));
        }
    }
    let (least, most) = norms(encoded);
    line("embeddings", format!("{} values each, {least:.2} to {most:.2} long", encoded.hidden_size));
    for (stage, took) in &encoded.stages {
        line(stage, format!("{:.1} ms", took.as_secs_f64() * 1e3));
    }
    lines
}

/// Lengths of the shortest and of the longest embedding.
fn norms(encoded: &Encoded) -> (f32, f32) {
    let length = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>().sqrt();
    let lengths = encoded.embeddings.chunks_exact(encoded.hidden_size).map(length);
    lengths.fold((f32::INFINITY, 0.0), |(least, most), length| (least.min(length), most.max(length)))
}

fn summary(encoded: &Encoded, file: &Path, plot: &Path) -> serde_json::Value {
    let stages: Vec<_> =
        encoded.stages.iter().map(|(name, took)| json!({"name": name, "ms": took.as_secs_f64() * 1e3})).collect();
    let (least, most) = norms(encoded);
    let mut object = json!({
        "file": file,
        "tokens": encoded.tokens,
        "hidden_size": encoded.hidden_size,
        "shortest_embedding": least,
        "longest_embedding": most,
        "stages": stages,
        "plot": plot,
    });
    match &encoded.view {
        View::Picture { image, token_px, patch_px } => {
            object["width"] = image.width.into();
            object["height"] = image.height.into();
            object["token_px"] = (*token_px).into();
            object["patch_px"] = (*patch_px).into();
        }
        View::Sound { audio, token_samples, .. } => {
            object["samples"] = audio.samples.len().into();
            object["sample_rate"] = audio.sample_rate.into();
            object["token_samples"] = (*token_samples).into();
        }
    }
    object
}
