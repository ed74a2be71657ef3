//! The embedded model from end to end: found without being named, kept in the cache folder, and right about the samples.

use crate::support::{Home, Outcome};
use serde_json::Value;
use std::path::PathBuf;

/// What is asked, and what the answer says, in small letters.
const ANSWERS: [(&[&str], &str); 6] = [
    (&["--image", "assets/samples/asked.png", "--audio", "assets/samples/question.wav"], "it is green."),
    (&["--image", "assets/samples/scene.png", "What colour is the triangle?"], "it is yellow."),
    (
        &["--image", "assets/samples/scene.png", "What do you see?"],
        "a small white circle at the top left, a small purple star",
    ),
    (&["Who are you?"], "i am seedling"),
    (&["What is 12 + 30?"], "42"),
    (&["Set a timer for five minutes."], "call:timer{minutes:5}"),
];

fn ask(home: &Home, args: &[&str]) -> Outcome {
    home.run(&[&["ask", "--greedy", "--adapter", "0", "-q"], args].concat())
}

/// The only folder of models in the cache.
fn unpacked(home: &Home) -> PathBuf {
    let folders: Vec<PathBuf> =
        std::fs::read_dir(home.path("cache/models")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

#[test]
fn without_a_name_the_embedded_model_answers_rightly() {
    let home = Home::new();
    for (args, expected) in ANSWERS {
        let outcome = ask(&home, args);
        assert_eq!(outcome.code, Some(0), "{args:?}: {}", outcome.stderr);
        assert!(outcome.stdout.to_lowercase().contains(expected), "{args:?}: {}", outcome.stdout);
    }
}

#[test]
fn the_embedded_model_is_listed_named_and_written_once() {
    let home = Home::new();
    let listed: Value = serde_json::from_str(&home.run(&["models", "list", "--json"]).stdout).unwrap();
    let model = &listed["models"][0];
    assert_eq!((&model["name"], &model["store"]), (&"seedling".into(), &"percept".into()));
    assert!(!home.path("cache/models").exists(), "a list writes nothing");
    let short = |args: &[&str]| ask(&home, &[args, &["Who are you?", "--max-tokens", "8"]].concat());
    let default = short(&[]);
    assert_eq!((default.code, default.stderr.as_str()), (Some(0), ""));
    let weights = unpacked(&home).join("model.safetensors");
    assert_eq!(weights.metadata().unwrap().len(), model["bytes"].as_u64().unwrap());
    let written = weights.metadata().unwrap().modified().unwrap();
    for name in ["seedling", "percept:seedling"] {
        assert_eq!(short(&["--model", name]).stdout, default.stdout, "{name}");
    }
    assert_eq!(weights.metadata().unwrap().modified().unwrap(), written);
    // What is damaged is made whole.
    std::fs::write(&weights, "torn").unwrap();
    assert_eq!(short(&[]).stdout, default.stdout);
    assert_eq!(unpacked(&home).join("model.safetensors").metadata().unwrap().len(), model["bytes"].as_u64().unwrap());
    let refused = home.run(&["models", "remove", "seedling", "--yes"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("is part of this program"), "{}", refused.stderr);
}

#[test]
fn a_cache_that_cannot_be_written_is_told_with_the_remedy() {
    let home = Home::new();
    home.file("cache", "no folder");
    let outcome = ask(&home, &["Hi"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("set PERCEPT_CACHE_DIR to a folder that can be written"), "{}", outcome.stderr);
}
