//! `percept ask`.

use crate::support::{ENDLESS, Home, MODEL, case, fixture, json_lines, start, wait};
use serde_json::Value;

/// The arguments for the message of a recorded case, its parts in order.
fn arguments(case: &Value) -> Vec<String> {
    let mut args = vec!["ask".to_string()];
    for part in case["messages"][0]["content"].as_array().unwrap() {
        match part["type"].as_str().unwrap() {
            "text" => args.push(part["text"].as_str().unwrap().into()),
            kind => args.extend([format!("--{kind}"), fixture(part["path"].as_str().unwrap())]),
        }
    }
    args.extend(["--model", MODEL, "--greedy", "--seed", "1", "--max-tokens", "24", "--quiet"].map(String::from));
    args
}

/// Tokens of a recorded answer up to one that ends it.
fn tokens_of(case: &Value) -> Vec<u64> {
    let tokens = case["new_tokens"].as_array().unwrap().iter().map(|token| token.as_u64().unwrap());
    tokens.take(24).take_while(|token| ![1, 6].contains(token)).collect()
}

#[test]
fn parts_in_order_give_the_recorded_answer_as_text_and_as_json() {
    let home = Home::new();
    for name in ["text", "image", "audio", "image_audio", "two_images", "video"] {
        let case = case(name);
        let mut args = arguments(&case);
        let plain = home.run(&args);
        assert_eq!((plain.code, plain.stderr.as_str()), (Some(0), ""), "{name}");
        args.push("--json".into());
        let json = home.run(&args);
        assert_eq!((json.code, json.stderr.as_str()), (Some(0), ""), "{name}");
        let events = json_lines(&json.stdout);
        let of = |kind: &str| events.iter().filter(move |event| event["event"] == kind).collect::<Vec<_>>();
        let tokens: Vec<u64> = of("token").iter().map(|event| event["id"].as_u64().unwrap()).collect();
        assert_eq!(tokens, tokens_of(&case), "{name}");
        let text: String = of("text").iter().map(|event| event["delta"].as_str().unwrap()).collect();
        assert_eq!(plain.stdout.trim_end_matches('\n'), text.trim_end_matches('\n'), "{name}");
        assert!(plain.stdout.ends_with('\n'), "{name}");
        let stop = events.last().unwrap();
        assert_eq!((stop["event"].as_str(), of("stop").len()), (Some("stop"), 1), "{name}");
        assert_eq!(
            stop["prompt_tokens"].as_u64().unwrap(),
            case["input_ids"].as_array().unwrap().len() as u64,
            "{name}"
        );
        assert_eq!(stop["tokens"].as_u64().unwrap(), tokens.len() as u64, "{name}");
        assert!(stop["first_token_ms"].as_f64().unwrap() > 0.0, "{name}");
        assert_eq!(stop["seed"], 1, "{name}");
    }
}

#[test]
fn the_same_seed_gives_the_same_answer_and_another_one_another() {
    let home = Home::new();
    let ask = |seed: &str| {
        let args = ["ask", "Once upon", "--seed", seed, "--temperature", "2", "--max-tokens", "16", "-q"];
        let outcome = home.run(&args);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome.stdout
    };
    let first = ask("7");
    assert_eq!(ask("7"), first);
    assert_ne!(ask("8"), first);
}

#[test]
fn text_comes_from_a_pipe_too() {
    let home = Home::new();
    let options = ["--greedy", "--max-tokens", "6", "--quiet"];
    let given = home.run(&[&["ask", "What is this?"], &options[..]].concat());
    let piped = home.pipe(&[&["ask"], &options[..]].concat(), "What is this?\n");
    let dashed = home.pipe(&[&["ask", "-"], &options[..]].concat(), "What is this?");
    assert_eq!(given.code, Some(0), "{}", given.stderr);
    assert_eq!((&piped.stdout, &dashed.stdout), (&given.stdout, &given.stdout));
    let unread = home.pipe(&[&["ask", "What is this?"], &options[..]].concat(), "Something else");
    assert_eq!(unread.stdout, given.stdout);
}

#[test]
fn notes_and_progress_go_to_standard_error_alone() {
    let home = Home::new();
    let args = [
        "ask",
        "--video",
        &fixture("video_0"),
        "--model",
        MODEL,
        "--max-tokens",
        "2",
        "--greedy",
        "--adapter",
        "0",
        "-v",
    ];
    let outcome = home.run(&args);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for part in [
        "loading 1.25 MB of weights: ",
        "compiling ",
        "video_0: 3 frames, 2.000 a second, of 1.5 s; without sound",
        "[2 tokens, ",
    ] {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
        assert!(!outcome.stdout.contains(part), "{part}");
    }
}

#[test]
fn sound_longer_than_the_model_knows_is_told_and_not_cut() {
    let home = Home::new();
    let wav = home.file("long.wav", wav(31 * 16_000));
    let args = ["ask", "--audio", wav.to_str().unwrap(), "--model", MODEL, "--max-tokens", "1", "--json"];
    let outcome = home.run(&args);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let note = "long.wav: 31.0 s of sound; this model is documented for 30.0 s at most. Nothing is cut";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
    let read = json_lines(&outcome.stdout).pop().unwrap()["prompt_tokens"].as_u64().unwrap();
    assert!(read >= 31 * 25, "{read}");
}

/// A quiet tone, 16 kHz, 16 bit, mono.
fn wav(samples: u32) -> Vec<u8> {
    let len = samples * 2;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + len).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    for short in [1u16, 1] {
        bytes.extend(short.to_le_bytes());
    }
    for long in [16_000u32, 32_000] {
        bytes.extend(long.to_le_bytes());
    }
    for short in [2u16, 16] {
        bytes.extend(short.to_le_bytes());
    }
    bytes.extend(b"data");
    bytes.extend(len.to_le_bytes());
    bytes.extend((0..samples).flat_map(|i| (((i % 40) as i16 - 20) * 100).to_le_bytes()));
    bytes
}

#[test]
fn a_model_is_named_by_its_folder_or_one_of_its_files() {
    let home = Home::new();
    let ask = |model: &str| home.run(&["ask", "Hi", "--greedy", "--max-tokens", "3", "-q", "--model", model]);
    let folder = ask(MODEL);
    assert_eq!(folder.code, Some(0), "{}", folder.stderr);
    for file in ["config.json", "model.safetensors"] {
        assert_eq!(ask(&fixture(file)).stdout, folder.stdout, "{file}");
    }
}

#[test]
fn a_closed_pipe_is_a_silent_success() {
    let home = Home::new();
    for json in [&[][..], &["--json"][..]] {
        let args = [&["ask", "Tell me", "--greedy", ENDLESS, "-q"], json].concat();
        let mut child = start(&mut home.command(&args));
        drop(child.stdout.take());
        assert_eq!(wait(&mut child), Some(0));
        assert_eq!(std::io::read_to_string(child.stderr.take().unwrap()).unwrap(), "");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let home = Home::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = home.command(&["ask", "Hi", "--max-tokens", "3", "-q", "--greedy"]);
    let child = command.stdout(full).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let outcome = child.wait_with_output().unwrap();
    assert_eq!(outcome.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(outcome.stderr).unwrap(),
        "error: cannot write to standard output: No space left on device (os error 28)\n"
    );
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_the_answer_with_a_last_event() {
    let home = Home::new();
    let args = ["ask", "Tell me", "--greedy", ENDLESS, "-q", "--json"];
    let mut child = start(&mut home.command(&args));
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    lines.next().unwrap().unwrap();
    crate::chat::interrupt(&child);
    let last = lines.map(Result::unwrap).last().unwrap();
    assert_eq!(json_lines(&last)[0]["reason"], "cancelled");
    assert_eq!(wait(&mut child), Some(130));
}

#[test]
fn raw_text_is_continued_without_a_template() {
    let home = Home::new();
    let options =
        ["--raw", "--temperature", "0", "--max-tokens", "24", "--json", "-q", "--model", MODEL, "--adapter", "0"];
    let last = |text: &str| {
        let outcome = home.run(&[&["ask", text], &options[..]].concat());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{text}");
        json_lines(&outcome.stdout).pop().unwrap()
    };
    // A recorded prompt, its template spelled out by hand, gives the recorded answer.
    let case = case("text");
    let said = case["messages"][0]["content"][0]["text"].as_str().unwrap();
    let spelled = format!("<|turn>user\n{said}<turn|>\n<|turn>model\n");
    let stop = last(&spelled);
    assert_eq!(stop["prompt_ids"], case["input_ids"]);
    // Nothing ends it but the number of tokens.
    assert_eq!(stop["ids"].as_array().unwrap()[..], case["new_tokens"].as_array().unwrap()[..24]);
    assert_eq!((&stop["reason"], &stop["tokens"]), (&"max_tokens".into(), &24.into()));
    let top = stop["top_logits"].as_array().unwrap();
    assert_eq!((top.len(), &top[0][0]), (16, &stop["ids"][0]));
    let logits: Vec<f64> = top.iter().map(|pair| pair[1].as_f64().unwrap()).collect();
    assert!(logits.is_sorted_by(|a, b| a >= b), "{logits:?}");
    // What begins a text is put in front once.
    let again = last(&format!("<bos>{spelled}"));
    for name in ["prompt_ids", "ids", "text", "top_logits"] {
        assert_eq!(again[name], stop[name], "{name}");
    }
}

#[test]
fn raw_text_takes_nothing_else() {
    let home = Home::new();
    for other in [&["--system", "Be brief."][..], &["--think"], &["--image", "cat.jpg"]] {
        let outcome = home.run(&[&["ask", "--raw", "hi", "--model", MODEL], other].concat());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{other:?}");
        assert!(outcome.stderr.contains("cannot be used with"), "{}", outcome.stderr);
    }
}
