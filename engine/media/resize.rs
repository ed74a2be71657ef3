//! Antialiased bicubic resizing of 8-bit pictures, bit for bit what the reference processors do.
//!
//! Two passes, along x first, each rounding to 8 bits. The cubic (Keys 1981, a = -0.5) widens when shrinking. Weights are
//! 16-bit integers with the largest common shift that keeps the greatest below 2¹⁵: the arithmetic of
//! `interpolate_bilinear2d_aa`'s family for `uint8` in PyTorch's `UpSampleKernelAVXAntialias.h`; Pillow differs by up to 1.

use super::Image;

/// The picture at `width` × `height` pixels; one that already has this size is returned unchanged.
///
/// Needs one picture of `width` × the old height between the passes.
///
/// # Panics
/// If a size is 0 or `image.rgb` is not as long as its size asks: the caller's mistakes.
pub fn resize(image: &Image, width: u32, height: u32) -> Image {
    assert!(width > 0 && height > 0, "resize to {width} × {height}");
    let (old_width, old_height) = (image.width as usize, image.height as usize);
    assert!(old_width > 0 && old_height > 0, "resize of an empty picture");
    assert_eq!(image.rgb.len(), old_width * old_height * 3, "rgb of a {old_width} × {old_height} picture");
    let narrowed = (width != image.width).then(|| along_x(&image.rgb, old_width, width as usize));
    let rgb = narrowed.as_deref().unwrap_or(&image.rgb);
    let rgb =
        if height == image.height { rgb.to_vec() } else { along_y(rgb, width as usize, old_height, height as usize) };
    Image { width, height, rgb }
}

/// Inputs and integer weights of every output along one axis.
struct Taps {
    shift: u32,
    /// `(first input, first weight, number of weights)` of each output.
    spans: Vec<(usize, usize, usize)>,
    weights: Vec<i32>,
}

impl Taps {
    fn new(old_len: usize, new_len: usize) -> Taps {
        let scale = old_len as f64 / new_len as f64;
        let wide = scale.max(1.0);
        let mut spans = Vec::with_capacity(new_len);
        let mut exact = Vec::new();
        for i in 0..new_len {
            let center = scale * (i as f64 + 0.5);
            // Both casts round towards zero and stop at it.
            let first = (center - 2.0 * wide + 0.5) as usize;
            let last = ((center + 2.0 * wide + 0.5) as usize).min(old_len);
            let start = exact.len();
            exact.extend((first..last).map(|j| cubic((j as f64 - center + 0.5) / wide)));
            let sum: f64 = exact[start..].iter().sum();
            exact[start..].iter_mut().for_each(|weight| *weight /= sum);
            spans.push((first, start, last - first));
        }
        let greatest = exact.iter().copied().fold(0.0, f64::max);
        let mut shift = 0;
        while shift < 22 && ((0.5 + greatest * f64::from(1 << (shift + 1))) as i64) < 1 << 15 {
            shift += 1;
        }
        let unit = f64::from(1 << shift);
        let weights = exact.iter().map(|&w| (w * unit + if w >= 0.0 { 0.5 } else { -0.5 }) as i32).collect();
        Taps { shift, spans, weights }
    }

    /// What is added before the shift so that it rounds.
    fn half(&self) -> i32 {
        1 << (self.shift - 1)
    }
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// `[rows, old_width, 3]` to `[rows, new_width, 3]`.
fn along_x(rgb: &[u8], old_width: usize, new_width: usize) -> Vec<u8> {
    let taps = Taps::new(old_width, new_width);
    let mut out = vec![0; rgb.len() / old_width * new_width];
    for (row, out_row) in rgb.chunks_exact(old_width * 3).zip(out.chunks_exact_mut(new_width * 3)) {
        for (pixel, &(first, start, len)) in out_row.chunks_exact_mut(3).zip(&taps.spans) {
            // At most 1.3 · 2²² · 255 in size, so 32 bits hold it.
            let mut sums = [taps.half(); 3];
            let inputs = row[first * 3..(first + len) * 3].chunks_exact(3);
            for (input, weight) in inputs.zip(&taps.weights[start..start + len]) {
                for (sum, &value) in sums.iter_mut().zip(input) {
                    *sum += i32::from(value) * weight;
                }
            }
            for (value, sum) in pixel.iter_mut().zip(sums) {
                *value = (sum >> taps.shift).clamp(0, 255) as u8;
            }
        }
    }
    out
}

/// `[old_height, width, 3]` to `[new_height, width, 3]`, whole rows at a time.
fn along_y(rgb: &[u8], width: usize, old_height: usize, new_height: usize) -> Vec<u8> {
    let taps = Taps::new(old_height, new_height);
    let row_len = width * 3;
    let mut out = vec![0; new_height * row_len];
    let mut sums = vec![0; row_len];
    for (out_row, &(first, start, len)) in out.chunks_exact_mut(row_len).zip(&taps.spans) {
        sums.fill(taps.half());
        let rows = rgb[first * row_len..(first + len) * row_len].chunks_exact(row_len);
        for (row, &weight) in rows.zip(&taps.weights[start..start + len]) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        for (value, sum) in out_row.iter_mut().zip(&sums) {
            *value = (sum >> taps.shift).clamp(0, 255) as u8;
        }
    }
    out
}
