//! `percept encode`.

use crate::support::{Home, MODEL, fixture, json_lines};

fn pixels(path: &std::path::Path) -> percept::Image {
    percept::Image::open(path).unwrap()
}

#[test]
fn a_picture_is_cut_into_squares_with_a_colour_each() {
    let home = Home::new();
    let (picture, plot) = (fixture("image_0.png"), home.path("seen.png"));
    let args = ["encode", &picture, "--model", MODEL, "--adapter", "0", "--plot", plot.to_str().unwrap()];
    let outcome = home.run(&args);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("squares of") && outcome.stdout.contains("projection"), "{}", outcome.stdout);
    let json = home.run(&[&args[..], &["--json", "-q"]].concat());
    let report = json_lines(&json.stdout).pop().unwrap();
    let of = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(of("tokens"), of("width") / of("token_px") * (of("height") / of("token_px")));
    assert_eq!(report["stages"].as_array().unwrap().len(), 2, "{report}");
    // The picture and the colours of its tokens beside each other.
    let drawn = pixels(&plot);
    assert!(u64::from(drawn.width) > 2 * of("width") && u64::from(drawn.height) > of("height"));
    let colours: std::collections::HashSet<&[u8]> = drawn.rgb.chunks_exact(3).collect();
    assert!(colours.len() as u64 > of("tokens") / 2, "{}", colours.len());
}

#[test]
fn a_sound_is_drawn_over_its_tokens() {
    let home = Home::new();
    let (sound, plot) = (fixture("audio_0.wav"), home.path("heard.png"));
    let args = ["encode", &sound, "--model", MODEL, "--adapter", "0", "--json", "--plot", plot.to_str().unwrap()];
    let outcome = home.run(&args);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let report = json_lines(&outcome.stdout).pop().unwrap();
    let of = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(of("tokens"), of("samples").div_ceil(of("token_samples")));
    assert!(pixels(&plot).width > 100);
}

#[test]
fn what_cannot_be_encoded_or_drawn_is_told() {
    let home = Home::new();
    let text = home.file("text.png", "no picture");
    let outcome = home.run(&["encode", text.to_str().unwrap(), "--model", MODEL]);
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("text.png"), "{}", outcome.stderr);
    let nowhere = home.path("no/folder/seen.png");
    let args = ["encode", &fixture("image_0.png"), "--model", MODEL, "--plot", nowhere.to_str().unwrap()];
    let outcome = home.run(&args);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("its folder does not exist"), "{}", outcome.stderr);
    // A model of text alone.
    let blind = "tests/fixtures/gemma3-tiny-s0";
    let outcome = home.run(&["encode", &fixture("image_0.png"), "--model", blind, "--plot", "seen.png"]);
    assert!(outcome.stderr.contains("takes no picture"), "{}", outcome.stderr);
}
