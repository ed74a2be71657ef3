use crate::support::*;
use percept::media::{Video, VideoOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn options(frames_per_second: f64, most_frames: usize) -> VideoOptions {
    VideoOptions { frames_per_second, most_frames, ..VideoOptions::default() }
}

/// Whether ffmpeg is here; says so loudly when a test has to be left out.
fn has_ffmpeg(test: &str) -> bool {
    let found = ["ffmpeg", "ffprobe"]
        .iter()
        .all(|p| Command::new(p).arg("-version").output().is_ok_and(|o| o.status.success()));
    if !found {
        eprintln!("LEFT OUT: {test} needs the programs ffmpeg and ffprobe, which are not installed");
    }
    found
}

fn problem(path: &Path, options: &VideoOptions) -> String {
    Video::open(path, options).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn frames_and_sound_on_one_axis() {
    if !has_ffmpeg("frames_and_sound_on_one_axis") {
        return;
    }
    let video = Video::open(&sample("clip.mp4"), &options(2.0, 32)).unwrap();
    let times: Vec<f64> = video.frames.iter().map(|f| f.time_s).collect();
    assert_eq!(times, [0.0, 0.5, 1.0, 1.5]);
    assert!(video.frames.iter().all(|f| (f.image.width, f.image.height, f.image.rgb.len()) == (32, 24, 32 * 24 * 3)));
    assert!(video.frames.windows(2).all(|pair| pair[0].image != pair[1].image));
    assert_eq!((video.frames_per_second, &video.note), (2.0, &None));
    assert!((video.duration_s - 2.0).abs() < 0.05, "{}", video.duration_s);
    // A click of 10 ms at 1 s.
    let audio = video.audio.unwrap();
    assert_eq!(audio.sample_rate, 16_000);
    let energy = |from: usize, to: usize| audio.samples[from..to].iter().map(|s| s * s).sum::<f32>();
    assert!((31_500..33_000).contains(&audio.samples.len()), "{}", audio.samples.len());
    assert!(energy(15_900, 16_260) > 0.8 * energy(0, audio.samples.len()));
}

/// At its own rate every frame comes once, so frame `i` shows what is seen at that time.
#[test]
fn a_lower_rate_takes_the_frames_seen_then() {
    if !has_ffmpeg("a_lower_rate_takes_the_frames_seen_then") {
        return;
    }
    let all = Video::open(&sample("clip.mp4"), &options(1000.0, 1000)).unwrap();
    assert_eq!((all.frames.len(), all.frames_per_second), (20, 10.0));
    let some = Video::open(&sample("clip.mp4"), &options(2.5, 1000)).unwrap();
    let shown: Vec<_> = some.frames.iter().map(|f| all.frames.iter().position(|g| g.image == f.image)).collect();
    assert_eq!(shown, [Some(0), Some(4), Some(8), Some(12), Some(16)]);
}

#[test]
fn too_many_frames_are_spread_and_it_is_said() {
    if !has_ffmpeg("too_many_frames_are_spread_and_it_is_said") {
        return;
    }
    let video = Video::open(&sample("clip.mp4"), &options(10.0, 4)).unwrap();
    let times: Vec<f64> = video.frames.iter().map(|f| f.time_s).collect();
    assert_eq!(times.len(), 4);
    assert!(times.iter().zip([0.0, 0.5, 1.0, 1.5]).all(|(got, expected)| (got - expected).abs() < 0.01), "{times:?}");
    let note = video.note.unwrap();
    assert!(note.contains("4 frames, ") && note.contains("a second instead of 10.000"), "{note}");
}

#[test]
fn an_animated_gif_is_a_video() {
    if !has_ffmpeg("an_animated_gif_is_a_video") {
        return;
    }
    let video = Video::open(&sample("clip.gif"), &options(4.0, 32)).unwrap();
    assert_eq!((video.frames.len(), &video.audio), (4, &None));
}

#[test]
fn files_that_are_no_video() {
    if !has_ffmpeg("files_that_are_no_video") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = sample_bytes("clip.mp4");
    let text = b"Dear diary, this is no video.\n".repeat(40);
    let cases: [(&str, &[u8], &str); 5] = [
        ("text.mp4", &text, "ffprobe cannot read it ("),
        ("text.txt", &text, "it is no video but text or a picture (ffprobe calls it \"tty\"); pass it as what it is"),
        ("picture.mp4", &sample_bytes("turned.jpg"), "it is no video but text or a picture"),
        ("sound.mp4", &sample_bytes("tone_aac.m4a"), "it holds sound but no pictures; pass it as sound"),
        ("cut.mp4", &clip[..clip.len() * 7 / 10], "this video is damaged or cut off ("),
    ];
    for (name, bytes, expected) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let got = problem(&path, &options(2.0, 32));
        let start = format!("{} cannot be used as video: {expected}", path.display());
        assert!(got.starts_with(&start) && !got.contains('\n'), "\n     got: {got}\nexpected: {start}");
    }
}

fn folder_of_frames(count: usize, json: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..count {
        let picture = image::RgbImage::from_pixel(4, 2, image::Rgb([i as u8, 0, 9]));
        picture.save(folder.path().join(format!("frame_{i:03}.png"))).unwrap();
    }
    std::fs::write(folder.path().join("video.json"), json).unwrap();
    folder
}

#[test]
fn a_folder_of_frames_is_used_as_it_is() {
    let folder = folder_of_frames(3, r#"{"fps": 2.0, "frames": 3}"#);
    let video = Video::open(folder.path(), &options(1.0, 1)).unwrap();
    let seen: Vec<_> = video.frames.iter().map(|f| (f.time_s, f.image.rgb[0])).collect();
    assert_eq!(seen, [(0.0, 0), (0.5, 1), (1.0, 2)]);
    assert_eq!((video.duration_s, video.frames_per_second, video.audio, video.note), (1.5, 2.0, None, None));
}

#[test]
fn wrong_folders_of_frames() {
    let cases = [
        (1, r#"{"fps": 0, "frames": 1}"#, "video.json: fps is 0, expected a number of more than 0 and at most 1000"),
        (1, r#"{"fps": 2}"#, "video.json: frames is null, expected a whole number from 1"),
        (2, r#"{"fps": 2, "frames": 1}"#, "video.json: frames is 1, but there is a frame_001.png; correct the number"),
        (1, r#"{"fps": 2, "#, "video.json: EOF while parsing"),
        (1, r#"{"fps": 2, "frames": 2}"#, "frame_001.png: No such file"),
    ];
    for (count, json, expected) in cases {
        let folder = folder_of_frames(count, json);
        let got = problem(folder.path(), &options(1.0, 8));
        assert!(
            got.contains(expected) || cfg!(windows) && expected.contains("No such"),
            "\n     got: {got}\nexpected: {expected}"
        );
    }
}

#[test]
fn options_out_of_range() {
    let clip = sample("clip.mp4");
    assert_eq!(problem(&clip, &options(0.0, 8)), "frames_per_second is 0, expected more than 0 and at most 1000");
    assert_eq!(
        problem(&clip, &options(f64::NAN, 8)),
        "frames_per_second is NaN, expected more than 0 and at most 1000"
    );
    assert_eq!(problem(&clip, &options(1.0, 0)), "most_frames is 0, expected at least 1");
}

/// What a test says in a process of its own, whose environment is set to `ffmpeg` and an empty `PATH`.
fn problem_elsewhere(ffmpeg: Option<&Path>) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "video::elsewhere", "--nocapture", "--ignored"])
        .env("PERCEPT_TEST_CLIP", sample("clip.mp4"));
    match ffmpeg {
        Some(program) => child.env("PERCEPT_FFMPEG", program),
        None => child.env_remove("PERCEPT_FFMPEG").env("PATH", ""),
    };
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.split_once("PROBLEM "));
    line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr))).1.to_string()
}

/// Not a test by itself: the child of `problem_elsewhere`.
#[test]
#[ignore = "run by other tests, in an environment of their making"]
fn elsewhere() {
    let Some(clip) = std::env::var_os("PERCEPT_TEST_CLIP") else { return };
    let options = VideoOptions { patience: Duration::from_millis(1500), ..options(2.0, 8) };
    println!("PROBLEM {}", problem(&PathBuf::from(clip), &options));
}

#[test]
fn without_ffmpeg_it_says_how_to_install_it() {
    let got = problem_elsewhere(None);
    let start = format!(
        "{} cannot be used as video: reading video needs the programs ffmpeg and ffprobe",
        sample("clip.mp4").display()
    );
    assert!(got.starts_with(&start) && got.contains("install") && got.contains("PERCEPT_FFMPEG"), "{got}");
    let got = problem_elsewhere(Some(Path::new("/nowhere/ffmpeg")));
    assert!(got.contains("set PERCEPT_FFMPEG to an ffmpeg program with ffprobe beside it"), "{got}");
}

/// Programs that hang, fail, stop within a frame, or give something else, in place of ffmpeg.
#[cfg(unix)]
#[test]
fn programs_that_misbehave() {
    use std::os::unix::fs::PermissionsExt;
    const PROBE: &str = r#"echo '{"streams": [{"index": 0, "codec_type": "video", "width": 2, "height": 2, "duration": "9.0", "r_frame_rate": "2/1"}]}'"#;
    let cases = [
        ("exec sleep 30", PROBE, "ffmpeg gave no sign of life for 1.5 s and was stopped; convert the file"),
        ("sleep 30", PROBE, "ffmpeg gave no sign of life for 1.5 s"),
        ("while :; do echo noise >&2; done & sleep 0.2; kill $!; exit 3", PROBE, "ffmpeg cannot read it (noise)"),
        ("printf 'P6\\n2 2\\n255\\n123'", PROBE, "this video is damaged or cut off (ffmpeg stopped within a frame)"),
        ("cat /dev/zero", PROBE, "ffmpeg gave something else than pictures; update it"),
        (
            "printf 'P6\\n99999 99999\\n255\\n'",
            PROBE,
            "its pictures are 99999 × 99999, more than the 100 million pixels",
        ),
        ("printf 'P6\\n2 2\\n255\\n123456789012'", PROBE, "its header promises 9.0 s of pictures, they end at 1.1 s"),
        ("true", PROBE, "it holds no pictures; use another file"),
        ("true", "echo hello", "ffprobe gave no JSON"),
        ("true", "cat /dev/zero", "its description is longer than 16 MiB"),
    ];
    for (ffmpeg, ffprobe, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in [("ffmpeg", ffmpeg), ("ffprobe", ffprobe)] {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let start = Instant::now();
        let got = problem_elsewhere(Some(folder.path()));
        assert!(got.contains(expected), "{ffmpeg}\n     got: {got}\nexpected: {expected}");
        assert!(start.elapsed() < Duration::from_secs(10), "{ffmpeg} took {:?}", start.elapsed());
    }
}
