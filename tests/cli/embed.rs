//! `percept embed`.

use crate::support::{Home, MODEL, fixture, json_lines};
use serde_json::{Value, json};

const OPTIONS: [&str; 5] = ["--model", MODEL, "--adapter", "0", "-q"];

#[test]
fn all_are_compared_with_all() {
    let home = Home::new();
    let note = home.file("note.txt", "What is this?");
    let (picture, sound, note) = (fixture("image_0.png"), fixture("audio_0.wav"), note.display().to_string());
    let args = [&["embed", "--text", "What is this?", &picture, &sound, &note], &OPTIONS[..]].concat();
    let outcome = home.run(&args);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{}", outcome.stdout);
    assert!(lines[1].starts_with("1  \"What is this?\" ") && lines[1].ends_with("   1.000"), "{}", outcome.stdout);
    let objects = json_lines(&home.run(&[&args[..], &["--json"]].concat()).stdout);
    let kinds: Vec<&str> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "image", "audio", "text"]);
    assert_eq!(objects[0]["embedding"], objects[3]["embedding"]);
    let vector = |object: &Value| -> Vec<f64> {
        object["embedding"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let cosine: f64 = vector(&objects[0]).iter().zip(vector(&objects[1])).map(|(a, b)| a * b).sum();
    assert!(lines[1].contains(&format!("{cosine:.3}")), "{cosine}: {}", outcome.stdout);
}

#[test]
fn the_nearest_is_found() {
    let home = Home::new();
    let same = home.file("same.txt", "What is this?\n").display().to_string();
    let other = home.file("other.txt", "Two lions sleep").display().to_string();
    let picture = fixture("image_0.png");
    let find = |query: &str, more: &[&str]| {
        let outcome = home.run(&[&["embed", "--find", query, &other, &picture, &same], &OPTIONS[..], more].concat());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
        outcome.stdout
    };
    let found = find("What is this?", &[]);
    assert!(found.starts_with(&format!(" 1.000  {same}\n")) && found.lines().count() == 3, "{found}");
    let found = json_lines(&find(&format!("@{picture}"), &["--json"]));
    assert_eq!(found[0]["name"], picture.as_str());
    assert!((found[0]["similarity"].as_f64().unwrap() - 1.0).abs() < 1e-5, "{}", found[0]);
}

#[test]
fn pairs_are_counted_by_kind() {
    let home = Home::new();
    home.file("set/image.png", std::fs::read(fixture("image_0.png")).unwrap());
    let same = |text: &str| json!({"a": {"text": text}, "b": {"text": text}, "kind": "written from written"});
    let crossed = |a: &str, b: &str| json!({"a": {"text": a}, "b": {"text": b}, "kind": "wrong"});
    let lines = [
        same("One"),
        same("Two lions"),
        json!({"a": {"image": "image.png"}, "b": {"image": "image.png"}, "kind": "written from written"}),
        crossed("One", "Two lions"),
        crossed("Two lions", "One"),
    ];
    home.file("set/pairs.jsonl", lines.map(|line| format!("{line}\n")).concat());
    let set = home.path("set");
    let args = [&["embed", "--eval", set.to_str().unwrap()], &OPTIONS[..]].concat();
    let outcome = home.run(&args);
    let table = "kind                  right of cases    share   95 % interval\n\
                 written from written      3 of     3  100.0 %   43.9 to 100.0 %\n\
                 wrong                     0 of     2    0.0 %   0.0 to 65.8 %\n\
                 all                       3 of     5   60.0 %   23.1 to 88.2 %\n";
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), table), "{}", outcome.stderr);
    let report = json_lines(&home.run(&[&args[..], &["--json"]].concat()).stdout).pop().unwrap();
    assert_eq!(report["kinds"][0]["asked"], 3, "{report}");
}

#[test]
fn what_cannot_be_embedded_is_told_before_a_model_is_loaded() {
    let home = Home::new();
    let set = |content: &str| home.file("pairs.jsonl", content).display().to_string();
    let bytes = home.file("bytes.bin", [0xff, 0xfe]).display().to_string();
    let folder = home.path("").display().to_string();
    let cases: [(&[&str], &str); 8] = [
        (&[], "nothing to embed: give FILES, --text, --image or --audio"),
        (&["--find", "a dog"], "nothing to embed"),
        (&["nowhere.png"], "nowhere.png does not exist; expected a picture"),
        (&[&bytes], "bytes.bin is no UTF-8 text, and its ending is of no picture or sound"),
        (&[&folder], "is a folder; name the files in it"),
        (&["--text", "a", "--system", "Be brief."], "--system and --think change no embedding"),
        (&["--eval", &folder], "pairs.jsonl"),
        (&["--eval", "nowhere"], "nowhere does not exist; expected a folder with pairs.jsonl, or such a file"),
    ];
    for (args, expected) in &cases {
        let outcome = home.run(&[&["embed"], *args, &["--model", "nowhere"]].concat());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(outcome.stderr.contains(expected), "{expected}: {}", outcome.stderr);
    }
    for (line, expected) in [
        ("hello", "line 1: is no pair"),
        ("{\"a\": {\"smell\": \"x\"}, \"b\": {\"text\": \"x\"}, \"kind\": \"k\"}", "unknown variant `smell`"),
        ("{\"a\": {\"image\": \"x.png\"}, \"b\": {\"text\": \"x\"}, \"kind\": \"k\"}", "x.png does not exist"),
    ] {
        let outcome = home.run(&["embed", "--eval", &set(line), "--model", "nowhere"]);
        assert_eq!(outcome.code, Some(2));
        assert!(outcome.stderr.contains(expected), "{expected}: {}", outcome.stderr);
    }
}
