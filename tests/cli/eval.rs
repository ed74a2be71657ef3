//! `percept eval`.

use crate::support::{Home, MODEL, case, fixture, json_lines};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What the checkpoint says to a recorded case, by the recording: its weights are random, but always the same.
fn said(home: &Home, name: &str) -> String {
    let mut args = vec!["ask".to_string()];
    for part in case(name)["messages"][0]["content"].as_array().unwrap() {
        match part["type"].as_str().unwrap() {
            "text" => args.push(part["text"].as_str().unwrap().into()),
            kind => args.extend([format!("--{kind}"), fixture(part["path"].as_str().unwrap())]),
        }
    }
    args.extend(["--model", MODEL, "--greedy", "--max-tokens", "8", "--quiet", "--adapter", "0"].map(String::from));
    home.run(&args).stdout
}

/// A line of a set for a recorded case, whose answer is `answer`.
fn line(home: &Home, skill: &str, name: &str, answer: &str) -> Value {
    let case = case(name);
    let (mut media, mut question) = (Vec::new(), String::new());
    for part in case["messages"][0]["content"].as_array().unwrap() {
        match part["text"].as_str() {
            Some(text) => question += text,
            None => {
                let file = part["path"].as_str().unwrap();
                home.file(&format!("set/{file}"), std::fs::read(fixture(file)).unwrap());
                media.push(json!({"type": part["type"], "path": file}));
            }
        }
    }
    json!({"skill": skill, "question": question, "media": media, "answers": [answer, "another"]})
}

fn set(home: &Home, lines: &[Value]) -> PathBuf {
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    home.file("set/cases.jsonl", lines);
    home.path("set")
}

#[test]
fn what_is_right_is_counted_by_skill_and_what_is_wrong_is_kept() {
    let home = Home::new();
    let text = said(&home, "text");
    let lines = [
        line(&home, "read/text", "text", &text.to_uppercase()),
        line(&home, "read/image", "image", "surely not this"),
        line(&home, "read/image", "image", &said(&home, "image")),
        line(&home, "other", "text", &text),
    ];
    let set = set(&home, &lines);
    let worst = home.path("kept/worst");
    let common = ["eval", set.to_str().unwrap(), "--model", MODEL, "--max-tokens", "8", "--adapter", "0", "-q"];
    let json = home.run(&[&common[..], &["--json", "--worst", worst.to_str().unwrap()]].concat());
    assert_eq!((json.code, json.stderr.as_str()), (Some(0), ""));
    let objects = json_lines(&json.stdout);
    let right: Vec<bool> = objects[..4].iter().map(|case| case["right"].as_bool().unwrap()).collect();
    assert_eq!(right, [true, false, true, true], "{}", json.stdout);
    let result = &objects[4];
    let rows: Vec<(&str, u64, u64)> = result["skills"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["skill"].as_str().unwrap(), row["right"].as_u64().unwrap(), row["asked"].as_u64().unwrap()))
        .collect();
    assert_eq!(rows, [("other", 1, 1), ("read/image", 1, 2), ("read/text", 1, 1), ("read, all", 2, 3), ("all", 3, 4)]);
    // The wrong one with its picture, as a set that can be asked again.
    let kept = json_lines(&std::fs::read_to_string(worst.join("worst.jsonl")).unwrap());
    assert_eq!((kept.len(), &kept[0]["skill"], &kept[0]["id"]), (1, &json!("read/image"), &json!("line 2")));
    assert_eq!(std::fs::read(worst.join("001-0-image_0.png")).unwrap(), std::fs::read(fixture("image_0.png")).unwrap());
    let sure = kept[0]["sure"].as_f64().unwrap();
    assert!(sure > 0.0 && sure < 1.0, "{sure}");
    let again = worst.join("worst.jsonl");
    let again = home.run(&["eval", again.to_str().unwrap(), "--model", MODEL, "--adapter", "0", "-q"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stdout.contains("read/image      0 of     1    0.0 %   0.0 to 79.3 %"), "{}", again.stdout);
    // Only some.
    let some = home.run(&[&common[..], &["--skill", "read", "--limit", "1"]].concat());
    let table = "skill       right of cases    share   95 % interval\n\
                 read/image      0 of     1    0.0 %   0.0 to 79.3 %\n\
                 read/text       1 of     1  100.0 %   20.7 to 100.0 %\n\
                 read, all       1 of     2   50.0 %   9.5 to 90.5 %\n";
    assert_eq!((some.code, some.stdout.as_str()), (Some(0), table), "{}", some.stderr);
}

#[test]
fn a_wrong_set_is_named_with_its_line_before_a_model_is_loaded() {
    let home = Home::new();
    let good = json!({"skill": "talk", "question": "Hi", "answers": ["Hello"]}).to_string();
    let with = |change: Value| {
        let mut line: Value = serde_json::from_str(&good).unwrap();
        line.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        format!("{good}\n{line}\n")
    };
    for (content, expected) in [
        (String::new(), "holds no case; `percept eval --help` shows"),
        (format!("{good}\nhello\n"), "line 2: is no case (expected value at line 1 column 1)"),
        (format!("\n{}\n", json!({"question": "Hi", "answers": ["a"]})), "line 2: is no case (missing field `skill`"),
        (with(json!({"answers": [" "]})), "line 2: \"answers\" holds no answer"),
        (
            with(json!({"media": [{"type": "smell", "path": "a"}]})),
            "line 2: the type \"smell\" is none of image, audio, video",
        ),
        (with(json!({"media": [{"type": "image", "path": "a.png"}]})), "a.png does not exist"),
        (with(json!({"question": " "})), "line 2: asks nothing"),
    ] {
        let file = home.file("set.jsonl", &content);
        let outcome = home.run(&["eval", file.to_str().unwrap(), "--model", "nowhere"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{content}");
        assert!(
            outcome.stderr.contains(expected) && outcome.stderr.lines().count() == 1,
            "{expected}: {}",
            outcome.stderr
        );
    }
    let file = home.file("set.jsonl", &good);
    let outcome = home.run(&["eval", file.to_str().unwrap(), "--skill", "sing"]);
    assert!(outcome.stderr.contains("begins so; it has talk"), "{}", outcome.stderr);
    let outcome = home.run(&["eval", home.path("").to_str().unwrap()]);
    assert!(outcome.stderr.contains("holds no cases.jsonl"), "{}", outcome.stderr);
}
