use crate::support::*;
use image::{DynamicImage, ImageFormat, RgbImage};
use percept::media::{Audio, Image, Video, VideoOptions};
use std::io::Cursor;
use std::path::Path;

#[derive(Clone, Copy, Debug)]
enum As {
    Picture,
    Sound,
    Video,
}

fn sentence(what: As, path: &Path) -> String {
    let result = match what {
        As::Picture => Image::open(path).map(|_| ()),
        As::Sound => Audio::open(path).map(|_| ()),
        As::Video => Video::open(path, &VideoOptions::default()).map(|_| ()),
    };
    match result {
        Ok(()) => panic!("{} was taken", path.display()),
        Err(error) => error.to_string(),
    }
}

/// A PNG whose header says what it likes; only its checksum is right.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(RgbImage::new(1, 1)).write_to(&mut bytes, ImageFormat::Png).unwrap();
    let mut bytes = bytes.into_inner();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = bytes[12..29].iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ if crc & 1 != 0 { 0xedb8_8320 } else { 0 })
    });
    bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
    bytes
}

fn noise(format: ImageFormat) -> Vec<u8> {
    let picture =
        RgbImage::from_fn(40, 40, |x, y| image::Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, (y * 13) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn first(bytes: Vec<u8>, share: usize) -> Vec<u8> {
    bytes[..bytes.len() * share / 100].to_vec()
}

fn with(mut bytes: Vec<u8>, at: usize, patch: &[u8]) -> Vec<u8> {
    bytes[at..at + patch.len()].copy_from_slice(patch);
    bytes
}

/// Every malformed file gives one sentence; `…` stands for a decoder's own words.
#[test]
fn each_gives_its_sentence() {
    let text = b"Dear diary,\ntoday I was named after something else.\n".repeat(20);
    let tone = || wav16(1, 16_000, &[1000; 1600]);
    let nan: Vec<u8> = [0.5f32, f32::NAN].iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut trailing = tone();
    trailing.extend([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    let mut chained = sample_bytes("tone.ogg");
    chained.extend(sample_bytes("tone.ogg"));
    let mut mkv = vec![0x1a, 0x45, 0xdf, 0xa3];
    mkv.resize(64, 0);
    let mut flac_flip = sample_bytes("tone.flac");
    // Behind the padding, in a frame.
    let at = flac_flip.len() - 2000;
    flac_flip[at] ^= 0x40;
    let mut ogg_flip = sample_bytes("tone.ogg");
    let last = ogg_flip.len() - 9;
    ogg_flip[last] ^= 1;
    let again = "save or copy it again";
    let pictures = "a supported format (PNG, JPEG, WebP and GIF); convert it to one of these";
    let sounds = "WAV, FLAC, MP3, OGG Vorbis, M4A (AAC, ALAC) and AIFF";
    let convert = "convert it, for example by `ffmpeg -i FILE sound.wav`";
    let cases: Vec<(As, &str, Vec<u8>, String)> = vec![
        (As::Picture, "empty.png", vec![], format!("the file is empty; {again}")),
        (As::Picture, "text.jpg", text.clone(), format!("it does not begin like a picture of {pictures}")),
        (As::Picture, "none.png", png(0, 0), format!("this PNG is damaged or cut off (…); {again}")),
        (
            As::Picture,
            "bomb.png",
            png(60_000, 60_000),
            "it is 60000 × 60000 pixels, more than the 100 million allowed; make it smaller".into(),
        ),
        (
            As::Picture,
            "short.png",
            first(noise(ImageFormat::Png), 60),
            format!("this PNG is damaged or cut off (…); {again}"),
        ),
        (
            As::Picture,
            "short.jpg",
            first(noise(ImageFormat::Jpeg), 60),
            format!("this JPEG is cut off before its end; {again}"),
        ),
        (
            As::Picture,
            "short.webp",
            first(noise(ImageFormat::WebP), 60),
            format!("this WebP is damaged or cut off (…); {again}"),
        ),
        (
            As::Picture,
            "short.gif",
            first(noise(ImageFormat::Gif), 60),
            format!("this GIF is damaged or cut off (…); {again}"),
        ),
        (
            As::Picture,
            "a.pdf",
            b"%PDF-1.7 ....".to_vec(),
            "PDF is not supported, only PNG, JPEG, WebP and GIF; convert it to one of these".into(),
        ),
        (As::Sound, "empty.wav", vec![], format!("the file is empty; {again}")),
        (
            As::Sound,
            "text.wav",
            text.clone(),
            format!("it does not begin like sound of a supported format ({sounds}); {convert}"),
        ),
        (As::Sound, "silent.wav", wav16(1, 16_000, &[]), "it holds no sound (0 samples); use another file".into()),
        (
            As::Sound,
            "short.wav",
            first(tone(), 60),
            format!("this WAV is damaged or cut off (its data chunk promises 3200 bytes, 1902 are there); {again}"),
        ),
        (As::Sound, "head.wav", tone()[..7].to_vec(), format!("the file is cut off within its header; {again}")),
        (
            As::Sound,
            "nodata.wav",
            tone()[..36].to_vec(),
            format!("this WAV is damaged or cut off (it has no data chunk); {again}"),
        ),
        (
            As::Sound,
            "long.wav",
            with(tone(), 40, &9_999_999u32.to_le_bytes()),
            format!("this WAV is damaged or cut off (its data chunk promises 9999999 bytes, 3200 are there); {again}"),
        ),
        (
            As::Sound,
            "liar.wav",
            with(tone(), 40, &200u32.to_le_bytes()),
            format!(
                "this WAV is damaged or cut off (its header promises 200 bytes of sound, but 3000 bytes more follow that are no chunk); {again}"
            ),
        ),
        (
            As::Sound,
            "zero.wav",
            with(tone(), 40, &[0; 4]),
            format!(
                "this WAV is damaged or cut off (its header promises 0 bytes of sound, but 3200 bytes more follow that are no chunk); {again}"
            ),
        ),
        (
            As::Sound,
            "trailing.wav",
            trailing,
            format!(
                "this WAV is damaged or cut off (its header promises 3200 bytes of sound, but 11 bytes more follow that are no chunk); {again}"
            ),
        ),
        (
            As::Sound,
            "odd.wav",
            wav(1, 2, 16_000, 16, &[0; 10]),
            format!(
                "this WAV is damaged or cut off (its 10 bytes of sound are no whole number of 4-byte frames); {again}"
            ),
        ),
        (
            As::Sound,
            "mute.wav",
            with(tone(), 22, &[0, 0]),
            format!("this WAV is damaged or cut off (a frame of 0 channels of 16 bits cannot take 2 bytes); {again}"),
        ),
        (As::Sound, "still.wav", with(tone(), 24, &[0; 4]), format!("this WAV is damaged or cut off (…); {again}")),
        (
            As::Sound,
            "adpcm.wav",
            with(tone(), 20, &[2, 0]),
            format!("Microsoft ADPCM in WAV (format 0x0002) is not supported, only PCM and float; {convert}"),
        ),
        (
            As::Sound,
            "nan.wav",
            wav(3, 1, 16_000, 32, &nan),
            format!("this WAV is damaged or cut off (sample 1 is not a finite number); {again}"),
        ),
        (
            As::Sound,
            "short.flac",
            first(sample_bytes("tone.flac"), 60),
            format!("this FLAC is damaged or cut off (…); {again}"),
        ),
        (
            As::Sound,
            "head.flac",
            sample_bytes("tone.flac")[..30].to_vec(),
            format!("this FLAC is damaged or cut off (it ends within its header); {again}"),
        ),
        (As::Sound, "flip.flac", flac_flip, format!("this FLAC is damaged or cut off (…); {again}")),
        (
            As::Sound,
            "short.mp3",
            first(sample_bytes("tone.mp3"), 60),
            format!("this MP3 is damaged or cut off (frame … has … of its … bytes); {again}"),
        ),
        (
            As::Sound,
            "holed.mp3",
            with(sample_bytes("tone.mp3"), 1000, &[0; 300]),
            format!(
                "this MP3 is damaged or cut off (no frame begins where frame … must, at byte … of the sound); {again}"
            ),
        ),
        (
            As::Sound,
            "short.ogg",
            first(sample_bytes("tone.ogg"), 60),
            format!("this OGG is damaged or cut off (page … is not all there); {again}"),
        ),
        (
            As::Sound,
            "flip.ogg",
            ogg_flip,
            format!("this OGG is damaged or cut off (the checksum of page … is wrong); {again}"),
        ),
        (As::Sound, "chained.ogg", chained, format!("this OGG is several recordings in a row; {convert}")),
        (
            As::Sound,
            "a.opus",
            sample_bytes("tone.opus"),
            format!("Opus in OGG is not supported, only {sounds}; {convert}"),
        ),
        (
            As::Sound,
            "short.m4a",
            first(sample_bytes("tone_aac.m4a"), 60),
            format!("this MPEG-4 file is damaged or cut off (its mdat box promises … bytes, … are there); {again}"),
        ),
        (
            As::Sound,
            "short.aiff",
            first(sample_bytes("tone.aiff"), 60),
            format!("this AIFF is damaged or cut off (its SSND chunk promises … bytes, … are there); {again}"),
        ),
        (
            As::Sound,
            "a.mkv",
            mkv,
            format!("Matroska or WebM is not supported as sound, only {sounds}; pass it as a video, or {convert}"),
        ),
        (
            As::Sound,
            "a.png",
            png(1, 1),
            format!("it does not begin like sound of a supported format ({sounds}); {convert}"),
        ),
        (As::Video, "empty.mp4", vec![], format!("the file is empty; {again}")),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (what, name, bytes, expected) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let got = sentence(what, &path);
        let kind = match what {
            As::Picture => "a picture",
            As::Sound => "sound",
            As::Video => "video",
        };
        assert_like(&got, &format!("{} cannot be used as {kind}: {expected}", path.display()));
    }
}

fn assert_like(got: &str, expected: &str) {
    let mut rest = got;
    let parts: Vec<_> = expected.split('…').collect();
    for (i, part) in parts.iter().enumerate() {
        let found = match i {
            0 => rest.starts_with(part).then_some(0),
            _ if i + 1 == parts.len() => rest.ends_with(part).then(|| rest.len() - part.len()),
            _ => rest.find(part),
        };
        let at = found.unwrap_or_else(|| panic!("\n     got: {got}\nexpected: {expected}"));
        rest = &rest[at + part.len()..];
    }
    assert!(rest.is_empty() && !got.contains('\n'), "\n     got: {got}\nexpected: {expected}");
}

#[test]
fn folders_and_missing_files() {
    let folder = tempfile::tempdir().unwrap();
    for (what, kind) in [(As::Picture, "a picture"), (As::Sound, "sound")] {
        let path = folder.path();
        assert_eq!(
            sentence(what, path),
            format!("{} cannot be used as {kind}: it is a folder; name a file in it", path.display())
        );
    }
    for what in [As::Picture, As::Sound, As::Video] {
        let path = folder.path().join("nothing.here");
        assert_like(&sentence(what, &path), &format!("cannot open {}: …", path.display()));
    }
}
