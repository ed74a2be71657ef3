use crate::support::*;
use percept::gpu::Gpu;
use percept::kernels::spectrogram::{Arrays, MOST_FFT_LENGTH, Settings, Tables, record, reference, rows_of};
use percept::kernels::stride;
use proptest::prelude::*;
use std::f32::consts::PI;

#[test]
fn reference_by_hand() {
    // A frame (0, 1) of two samples with the window (0, 1) has the magnitude 1 at 0 and 8 kHz; the only filter stands over
    // the middle, at which a transform of 4 has the same. Its top lies at the half of 2840 mel, 1767.8 Hz.
    let settings = Settings { floor: 0.5, ..Settings::of_lengths(2, 1, 4, 1) };
    let y = reference(&settings, &[1.0, 0.0, 0.0], 1);
    let at_4_khz = (8000.0 - 4000.0) / (8000.0 - 1767.8f32);
    assert_close("y", &y, &[(at_4_khz + 0.5).ln(), 0.5f32.ln(), 0.0, 0.0], 1e-4);
    assert_eq!((settings.whole_frames(3), settings.whole_frames(1), settings.whole_frames(0)), (2, 0, 0));
}

/// A sound in replays of so many rows against the reference.
fn check(gpu: &Gpu, settings: &Settings, samples: &[f32], chunk: usize, tolerance: f64) {
    let (mels, width) = (settings.mels, settings.row_width());
    let rows = samples.len().div_ceil(settings.row_samples());
    let tables = Tables::new(gpu, settings).unwrap();
    let (in_ring, out_ring) = (chunk + settings.rows_back(), chunk * settings.row_frames + 1);
    let ring = gpu.array_of("samples", &vec![f32::NAN; in_ring * stride(width)]).unwrap();
    let laid = rows_of(settings, samples, rows);
    let mut got = Vec::new();
    for first in (0..rows).step_by(chunk) {
        let now = chunk.min(rows - first);
        for row in first..first + now {
            gpu.write(&ring, row % in_ring * stride(width), &laid[row * width..][..width]);
        }
        let span = gpu.array_of("span", &[first as u32, now as u32, samples.len() as u32]).unwrap();
        let y = Output::new(gpu, "y", out_ring * stride(mels));
        let arrays = Arrays { samples: &ring, span: &span, y: &y.array };
        run(gpu, now, |plan| record(plan, settings, &tables, [in_ring, out_ring], chunk, &arrays));
        let all = y.read_rows(gpu, mels, stride(mels));
        for frame in first * settings.row_frames..(first + now) * settings.row_frames {
            got.extend_from_slice(&all[frame % out_ring * mels..][..mels]);
        }
    }
    let what = format!("{} samples, {chunk} rows at a time, {settings:?}", samples.len());
    assert_close(&what, &got, &reference(settings, samples, rows), tolerance);
}

#[test]
fn shader_equals_reference() {
    // Lengths of one prime and of many, odd frames, frames far longer than their distance and shorter than it.
    let length = prop_oneof![Just(2usize), Just(14), Just(26), Just(60), Just(128), Just(250), 2usize..200];
    let shapes = (length, 0usize..40, 1usize..90, 1usize..30, 0usize..900, 1usize..4, any::<u64>());
    for_shapes(16, shapes, |gpu, &(length, shorter, hop, mels, count, chunk, seed)| {
        let fft_length = length / 2 * 2;
        let frame = fft_length.saturating_sub(shorter).max(1);
        let mut settings = Settings::of_lengths(frame, hop, fft_length, mels);
        if seed % 2 == 1 {
            settings.norms = Some([noise(seed, mels), noise(seed ^ 1, mels).iter().map(|d| d + 2.0).collect()]);
        }
        (settings.preemphasis, settings.preemphasis_htk) = (0.9 * (seed % 3 > 0) as u8 as f32, seed % 3 == 1);
        settings.scale = if seed % 5 == 1 { 300.0 } else { 1.0 };
        settings.min_frequency = if seed % 7 == 1 { 300.0 } else { 0.0 };
        check(gpu, &settings, &noise(seed, count.max(1)), chunk, 2e-6);
    });
}

#[test]
fn loud_tones_leave_silent_bands_silent() {
    for gpu in gpus() {
        for (tone, height) in [(300.0, 1.0), (1000.0, 1.0), (3999.0, 0.3), (7000.0, 1e6), (50.0, 1e-9)] {
            let tone: Vec<f32> = (0..1300).map(|i| height * (2.0 * PI * tone * i as f32 / 16_000.0).sin()).collect();
            check(gpu, &Settings::of_lengths(320, 160, 512, 128), &tone, 3, 5e-7);
            check(gpu, &Settings::of_lengths(640, 160, 1024, 40), &tone, 1, 5e-7);
        }
    }
}

#[test]
fn silence_is_the_floor() {
    for gpu in gpus() {
        let settings = Settings::of_lengths(320, 160, 512, 9);
        assert_eq!(reference(&settings, &[0.0; 161], 1)[..10], [[1e-3f32.ln(); 9].as_slice(), &[0.0]].concat());
        check(gpu, &settings, &[0.0; 2000], 2, 1e-6);
    }
}

#[test]
fn transforms_that_are_not_there_are_refused() {
    for (frame, length) in [(10, 9), (10, 8), (10, MOST_FFT_LENGTH + 2)] {
        let error = Tables::new(&gpus()[0], &Settings::of_lengths(frame, 5, length, 3)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("fft_length is {length} for frames of 10, expected an even")), "{error}");
    }
}

#[test]
fn heard_in_pieces_it_has_the_frames_of_the_whole() {
    use percept::hearing::{LogMel, NUM_MELS};
    let settings = Settings::of_lengths(320, 160, 512, NUM_MELS);
    let sound: Vec<f32> = noise(7, 16_000).iter().map(|sample| 0.3 * sample).collect();
    let whole = settings.whole_frames(sound.len()) * NUM_MELS;
    let wanted = reference(&settings, &sound, sound.len().div_ceil(settings.row_samples()));
    for gpu in gpus() {
        let mut heard = LogMel::new(gpu).unwrap();
        let (mut got, mut rest) = (Vec::new(), sound.as_slice());
        for len in [1, 159, 160, 161, 640, 3000, 7000].into_iter().cycle() {
            let (now, later) = rest.split_at(usize::min(len, rest.len()));
            got.extend(heard.hear(now).unwrap());
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        assert_close("log mel", &got, &wanted[..whole], 1e-5);
    }
}
