//! Pictures of what a model's senses made: squares and spectrograms with the colours of their tokens.

use anyhow::{Context, Result};
use image::{Rgb, RgbImage};
use percept::encode::{Encoded, View};
use std::path::Path;

/// Between the parts of a plot.
const MARGIN: u32 = 12;
const BACKGROUND: Rgb<u8> = Rgb([24, 24, 28]);
const LINE: Rgb<u8> = Rgb([235, 235, 235]);
const WAVE: Rgb<u8> = Rgb([120, 190, 255]);
/// Pixels along the longer side of a small picture, which is enlarged by a whole factor up to there.
const WANTED: u32 = 640;
/// Pixels of the plot of a sound, at most.
const WIDEST: u32 = 2400;
/// Smaller patches get no lines.
const LEAST_PATCH: u32 = 8;
const WAVE_HEIGHT: u32 = 120;
const TOKEN_HEIGHT: u32 = 40;
/// Colours of a spectrogram from silence to loudness.
const LOUDNESS: [[f32; 3]; 5] =
    [[0.0, 0.0, 10.0], [80.0, 18.0, 120.0], [190.0, 55.0, 85.0], [250.0, 145.0, 30.0], [252.0, 255.0, 190.0]];

/// Draws it and writes the PNG file.
///
/// # Errors
/// If the file cannot be written.
pub fn write(encoded: &Encoded, path: &Path) -> Result<()> {
    let plot = match &encoded.view {
        View::Picture { image, token_px, patch_px } => picture(encoded, image, *token_px as u32, *patch_px as u32),
        View::Sound { audio, token_samples, log_mel } => {
            sound(encoded, &audio.samples, *token_samples, log_mel.as_ref().map(|(values, mels)| (&values[..], *mels)))
        }
    };
    plot.save_with_format(path, image::ImageFormat::Png).with_context(|| format!("cannot write {}", path.display()))
}

/// The picture in squares, and the tokens' colours beside it.
fn picture(encoded: &Encoded, seen: &percept::Image, token_px: u32, patch_px: u32) -> RgbImage {
    let zoom = (WANTED / seen.width.max(seen.height)).max(1);
    let (width, height, side) = (seen.width * zoom, seen.height * zoom, token_px * zoom);
    let mut plot = RgbImage::from_pixel(2 * width + 3 * MARGIN, height + 2 * MARGIN, BACKGROUND);
    let colours = colours(encoded);
    let across = seen.width / token_px;
    let patches = patch_px < token_px && patch_px * zoom >= LEAST_PATCH;
    for y in 0..height {
        for x in 0..width {
            let place = (y / zoom * seen.width + x / zoom) as usize * 3;
            let mut pixel = Rgb([seen.rgb[place], seen.rgb[place + 1], seen.rgb[place + 2]]);
            if x % side == 0 || y % side == 0 {
                pixel = mixed(pixel, LINE);
            } else if patches && (x % (patch_px * zoom) == 0 || y % (patch_px * zoom) == 0) {
                pixel = mixed(pixel, mixed(pixel, LINE));
            }
            plot.put_pixel(MARGIN + x, MARGIN + y, pixel);
            let token = (y / side * across + x / side) as usize;
            plot.put_pixel(2 * MARGIN + width + x, MARGIN + y, colours.get(token).copied().unwrap_or(BACKGROUND));
        }
    }
    plot
}

/// Wave, spectrogram if there is one, and tokens, one above the other, all over the same time.
fn sound(encoded: &Encoded, samples: &[f32], token_samples: usize, log_mel: Option<(&[f32], usize)>) -> RgbImage {
    let tokens = encoded.tokens.max(1) as u32;
    let each = (WIDEST / tokens).clamp(1, 16);
    let width = (tokens * each).min(WIDEST);
    let shown = tokens as usize * token_samples;
    let mel_height = log_mel.map_or(0, |(_, mels)| 2 * mels as u32 + MARGIN);
    let height = WAVE_HEIGHT + mel_height + TOKEN_HEIGHT + 3 * MARGIN;
    let mut plot = RgbImage::from_pixel(width + 2 * MARGIN, height, BACKGROUND);
    let part = |x: u32, of: usize| (x as usize * of / width as usize, (x as usize + 1) * of / width as usize);
    let loudest = samples.iter().fold(1e-9f32, |most, v| most.max(v.abs()));
    let colours = colours(encoded);
    let (least, most) = log_mel.map_or((0.0, 1.0), |(values, _)| range(values));
    for x in 0..width {
        let (begin, end) = part(x, shown);
        let heard = samples.get(begin..end.max(begin + 1).min(samples.len())).unwrap_or_default();
        let level = |v: f32| ((1.0 - v / loudest) / 2.0 * (WAVE_HEIGHT - 1) as f32).round() as u32;
        let (low, high) = heard.iter().fold((0.0f32, 0.0f32), |(low, high), v| (low.min(*v), high.max(*v)));
        for y in level(high)..=level(low) {
            plot.put_pixel(MARGIN + x, MARGIN + y, WAVE);
        }
        let mut top = MARGIN + WAVE_HEIGHT + MARGIN;
        if let Some((values, mels)) = log_mel {
            let frames = values.len() / mels;
            let frame = part(x, frames).0.min(frames.saturating_sub(1));
            for (mel, value) in values[frame * mels..][..mels].iter().enumerate() {
                let colour = loudness((value - least) / (most - least).max(1e-9));
                // Low pitches at the bottom.
                let y = top + 2 * (mels - 1 - mel) as u32;
                plot.put_pixel(MARGIN + x, y, colour);
                plot.put_pixel(MARGIN + x, y + 1, colour);
            }
            top += mel_height;
        }
        let token = part(x, encoded.tokens).0;
        for y in 0..TOKEN_HEIGHT - MARGIN {
            plot.put_pixel(MARGIN + x, top + y, colours.get(token).copied().unwrap_or(BACKGROUND));
        }
    }
    plot
}

fn mixed(a: Rgb<u8>, b: Rgb<u8>) -> Rgb<u8> {
    Rgb([0, 1, 2].map(|c| u8::midpoint(a[c], b[c])))
}

fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), v| (least.min(*v), most.max(*v)))
}

fn loudness(part: f32) -> Rgb<u8> {
    let place = part.clamp(0.0, 1.0) * (LOUDNESS.len() - 1) as f32;
    let low = (place as usize).min(LOUDNESS.len() - 2);
    let (a, b, t) = (LOUDNESS[low], LOUDNESS[low + 1], place - low as f32);
    Rgb([0, 1, 2].map(|c| (a[c] + (b[c] - a[c]) * t) as u8))
}

/// A colour for each token: its place along the three directions in which the embeddings differ most (principal
/// components, by power iteration), each spread from dark to bright.
fn colours(encoded: &Encoded) -> Vec<Rgb<u8>> {
    let (width, rows) = (encoded.hidden_size, encoded.tokens);
    let mut mean = vec![0.0f64; width];
    let each_row = || encoded.embeddings.chunks_exact(width);
    for row in each_row() {
        mean.iter_mut().zip(row).for_each(|(sum, v)| *sum += f64::from(*v) / rows as f64);
    }
    let mut centred: Vec<Vec<f64>> =
        each_row().map(|row| row.iter().zip(&mean).map(|(v, mean)| f64::from(*v) - mean).collect()).collect();
    let mut channels = Vec::new();
    for component in 0..3 {
        let places = main_direction(&mut centred, component);
        let (least, most) = places.iter().fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
        channels.push(places.iter().map(|v| 40 + (215.0 * (v - least) / (most - least).max(1e-12)) as u8).collect());
    }
    let channels: Vec<Vec<u8>> = channels;
    (0..rows).map(|token| Rgb([channels[0][token], channels[1][token], channels[2][token]])).collect()
}

/// Where the rows lie along the direction in which they differ most, which is taken out of them.
fn main_direction(rows: &mut [Vec<f64>], component: usize) -> Vec<f64> {
    let width = rows.first().map_or(0, Vec::len);
    // Any beginning will do that is not orthogonal to it; the same each time.
    let mut direction: Vec<f64> =
        (0..width).map(|i| ((i * 7919 + component * 104_729) % 1009) as f64 - 504.0).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for _ in 0..30 {
        let mut next = vec![0.0; width];
        for row in rows.iter() {
            let along = dot(row, &direction);
            next.iter_mut().zip(row).for_each(|(sum, v)| *sum += along * v);
        }
        let length = dot(&next, &next).sqrt();
        if length == 0.0 {
            break;
        }
        direction = next.into_iter().map(|v| v / length).collect();
    }
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        let along = dot(row, &direction);
        row.iter_mut().zip(&direction).for_each(|(v, d)| *v -= along * d);
        places.push(along);
    }
    places
}
