use crate::support::*;
use percept::media::Audio;
use std::f64::consts::TAU;

fn sine(frequency: f64, rate: u32, count: usize) -> Audio {
    let sample = |i| (0.5 * (TAU * frequency * i as f64 / f64::from(rate)).sin()) as f32;
    Audio { samples: (0..count).map(sample).collect(), sample_rate: rate }
}

/// Signal to noise in dB, without the ends, where the filter sees silence.
fn snr(got: &Audio, expected: &Audio, margin: usize) -> f64 {
    assert_eq!(got.samples.len(), expected.samples.len());
    let middle = margin..got.samples.len() - margin;
    let pairs = || got.samples[middle.clone()].iter().zip(&expected.samples[middle.clone()]);
    let noise: f64 = pairs().map(|(&g, &e)| (f64::from(g) - f64::from(e)).powi(2)).sum();
    let signal: f64 = pairs().map(|(_, &e)| f64::from(e).powi(2)).sum();
    10.0 * (signal / noise).log10()
}

#[test]
fn sixteen_bit_samples_are_exactly_over_32768() {
    let values: Vec<i16> = (i16::MIN..=i16::MAX).step_by(7).chain([i16::MAX, 0, -1, 1]).collect();
    let audio = decode(&wav16(1, 16_000, &values));
    let expected: Vec<f32> = values.iter().map(|&v| f32::from(v) / 32768.0).collect();
    assert_eq!((audio.sample_rate, audio.samples), (16_000, expected));
}

#[test]
fn every_kind_of_wav_sample() {
    let float: Vec<u8> = [0.5f32, -1.25].iter().flat_map(|v| v.to_le_bytes()).collect();
    let double: Vec<u8> = [0.5f64, -1.25].iter().flat_map(|v| v.to_le_bytes()).collect();
    type Case<'a> = (&'a str, u16, u16, &'a [u8], [f32; 2]);
    let cases: [Case; 6] = [
        ("8 bits", 1, 8, &[0xc0, 0], [0.5, -1.0]),
        ("16 bits", 1, 16, &[0, 0x40, 0, 0x80], [0.5, -1.0]),
        ("24 bits", 1, 24, &[0, 0, 0x40, 1, 0, 0x80], [0.5, -8_388_607.0 / 8_388_608.0]),
        ("32 bits", 1, 32, &[0, 0, 0, 0x40, 0, 0, 0, 0x80], [0.5, -1.0]),
        ("32-bit float", 3, 32, &float, [0.5, -1.25]),
        ("64-bit float", 3, 64, &double, [0.5, -1.25]),
    ];
    for (name, tag, bits, data, expected) in cases {
        assert_eq!(decode(&wav(tag, 1, 8000, bits, data)).samples, expected, "{name}");
    }
}

#[test]
fn channels_become_one_by_their_mean() {
    let stereo = decode(&wav16(2, 16_000, &[100, 300, -5, 4, i16::MAX, i16::MAX]));
    assert_eq!(stereo.samples, [200.0 / 32768.0, -0.5 / 32768.0, 32767.0 / 32768.0]);
}

#[test]
fn eight_channels_at_96_khz() {
    let frame: Vec<i16> = (1..=8).map(|c| c * 1000).collect();
    let audio = decode(&wav16(8, 96_000, &frame.repeat(9600)));
    assert_eq!((audio.samples.len(), audio.sample_rate), (9600, 96_000));
    assert!(audio.samples.iter().all(|&s| s == 4500.0 / 32768.0));
    assert_eq!(audio.duration_s(), 0.1);
    assert_eq!(audio.resampled(16_000).unwrap().samples.len(), 1600);
}

#[test]
fn a_wav_from_a_pipe_has_no_length() {
    let mut bytes = wav16(1, 16_000, &[1, 2, 3]);
    bytes[4..8].fill(0xff);
    bytes[40..44].fill(0xff);
    assert_eq!(decode(&bytes).samples.len(), 3);
}

#[test]
fn every_format_gives_the_tone_at_its_time() {
    // 0.5 on the left, 0.25 on the right: 0.375 in the middle.
    let wav = Audio::open(&sample("tone.wav")).unwrap();
    assert_eq!((wav.samples.len(), wav.sample_rate), (6615, 22_050));
    for exact in ["tone.flac", "tone_alac.m4a", "tone.aiff"] {
        assert_eq!(Audio::open(&sample(exact)).unwrap(), wav, "{exact}");
    }
    for (lossy, least_db) in [("tone.mp3", 25.0), ("tone_vbr.mp3", 25.0), ("tone.ogg", 25.0), ("tone_aac.m4a", 18.0)] {
        let audio = Audio::open(&sample(lossy)).unwrap();
        assert_eq!((audio.samples.len(), audio.sample_rate), (6615, 22_050), "{lossy}");
        let snr = snr(&audio, &wav, 1000);
        // One sample off would be 18 dB at best, 15.9 with the noise of this AAC.
        assert!(snr > least_db, "{lossy}: {snr:.1} dB, so it is shifted or damaged");
    }
}

#[test]
fn resampling_keeps_a_sine() {
    for (from, to) in
        [(44_100, 16_000), (48_000, 16_000), (8000, 16_000), (22_050, 16_000), (44_101, 16_000), (16_000, 24_000)]
    {
        for frequency in [50.0, 1000.0, 3600.0] {
            let got = sine(frequency, from, from as usize).resampled(to).unwrap();
            let snr = snr(&got, &sine(frequency, to, to as usize), to as usize / 4);
            assert!(snr > 100.0, "{from} to {to} Hz, {frequency} Hz: {snr:.1} dB");
        }
    }
}

#[test]
fn resampling_lets_no_alias_through() {
    for (from, frequency) in [(44_100, 8200.0), (44_100, 12_000.0), (48_000, 20_000.0), (96_000, 40_000.0)] {
        let got = sine(frequency, from, from as usize).resampled(16_000).unwrap();
        let worst = got.samples[2000..14_000].iter().fold(0.0f32, |worst, s| worst.max(s.abs()));
        assert!(worst < 0.5e-4, "{frequency} Hz at {from} Hz leaves {worst}");
    }
}

#[test]
fn resampling_shifts_nothing_in_time() {
    for (from, to) in [(44_100, 16_000), (48_000, 16_000), (8000, 16_000), (11_025, 16_000), (16_000, 44_100)] {
        for at in [0.0, 0.1, 0.5, 0.9] {
            let mut audio = Audio { samples: vec![0.0; from as usize], sample_rate: from };
            audio.samples[(at * f64::from(from)) as usize] = 1.0;
            let time = f64::from((at * f64::from(from)) as u32) / f64::from(from);
            let got = audio.resampled(to).unwrap();
            let peak = (0..got.samples.len()).max_by(|&a, &b| got.samples[a].total_cmp(&got.samples[b])).unwrap();
            let off = (peak as f64 / f64::from(to) - time).abs();
            assert!(off <= 0.5 / f64::from(to) + 1e-9, "{from} to {to} Hz: {off} s off at {time} s");
        }
    }
}

#[test]
fn resampling_rounds_the_length() {
    for (count, from, to) in
        [(1, 44_100, 16_000), (2, 48_000, 16_000), (1001, 44_100, 16_000), (7, 8000, 16_000), (5, 16_000, 8000)]
    {
        let expected = (count as f64 * f64::from(to) / f64::from(from)).round() as usize;
        let audio = Audio { samples: vec![0.25; count], sample_rate: from };
        assert_eq!(audio.resampled(to).unwrap().samples.len(), expected, "{count} from {from} to {to}");
    }
}

#[test]
fn its_own_rate_passes_bit_for_bit() {
    let audio = Audio { samples: vec![1.5, -0.0, f32::MIN_POSITIVE], sample_rate: 16_000 };
    let bits = |audio: &Audio| audio.samples.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
    let before = bits(&audio);
    assert_eq!(bits(&audio.resampled(16_000).unwrap()), before);
}

#[test]
fn impossible_rates_are_refused() {
    let audio = Audio { samples: vec![0.0], sample_rate: 16_000 };
    let error = audio.resampled(0).unwrap_err().to_string();
    assert_eq!(error, "sample_rate is 0 Hz, expected 1000 to 768000");
}

/// Any cut is an error, or (an MP3 cut between two frames) gives fewer samples; flipped bytes never panic.
#[test]
fn no_cut_is_silent() {
    for name in ["tone.wav", "tone.flac", "tone.ogg", "tone_aac.m4a", "tone_alac.m4a", "tone.aiff", "tone_vbr.mp3"] {
        let bytes = sample_bytes(name);
        let whole = decode(&bytes);
        for cut in (0..bytes.len()).step_by(bytes.len() / 97) {
            if let Ok(audio) = Audio::decode(&bytes[..cut], name.as_ref()) {
                assert_eq!(audio, whole, "{name} cut at {cut} of {}", bytes.len());
            }
        }
    }
}

#[test]
fn damage_never_panics() {
    let mut seed = 1u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize
    };
    for name in ["tone.wav", "tone.flac", "tone.ogg", "tone_aac.m4a", "tone_alac.m4a", "tone.aiff", "tone.mp3"] {
        let bytes = sample_bytes(name);
        for round in 0..60 {
            let mut broken = bytes.clone();
            for _ in 0..=round % 4 {
                // Half of them in the header.
                let end = if round % 2 == 0 { bytes.len().min(400) } else { bytes.len() };
                broken[random() % end] = random() as u8;
            }
            if let Err(error) = Audio::decode(&broken, name.as_ref()) {
                let sentence = error.to_string();
                assert!(!sentence.contains('\n') && sentence.starts_with(name), "{sentence}");
                assert!(!sentence.contains("decoder gave up"), "{name}: the decoder panicked, round {round}");
            }
        }
    }
}
