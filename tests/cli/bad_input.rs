//! What goes wrong before or while something is done: one sentence each, and the exit code.

use crate::support::{Home, MODEL, finish, fixture, normalised, start};
use std::fmt::Write;

#[test]
fn every_mistake_gets_one_sentence_and_exit_code_2() {
    let home = Home::new();
    let file = |name: &str, content: &str| home.file(name, content).display().to_string();
    let (text_jpg, text_wav, text_mp4) =
        (file("text.jpg", "not a picture"), file("text.wav", "not sound"), file("text.mp4", "not a video"));
    let (empty_png, case_text) = (file("empty.png", ""), file("case.json", "{\"messages\": 3}"));
    let folder = home.path("");
    let folder = folder.to_str().unwrap();
    let (no_config, no_weights) = (home.without("config.json"), home.without("model.safetensors"));
    let (no_tokenizer, no_template) = (home.without("tokenizer.json"), home.without("chat_template.jinja"));
    let other = home.without("none");
    std::fs::write(format!("{other}/config.json"), "{\"model_type\": \"gpt2\"}").unwrap();
    let out = home.path("out.safetensors");
    let (out, nowhere_out) = (out.to_str().unwrap(), home.path("nowhere/out.safetensors"));
    let (nowhere_out, case) = (nowhere_out.to_str().unwrap(), fixture("cases/text.json"));
    let image = fixture("image_0.png");
    let table: Vec<Vec<&str>> = vec![
        vec!["ask"],
        vec!["ask", "  "],
        vec!["ask", "-", "-"],
        vec!["ask", "hi", "--image", "nowhere.png"],
        vec!["ask", "hi", "--image", &text_jpg],
        vec!["ask", "hi", "--image", &empty_png],
        vec!["ask", "hi", "--image", folder],
        vec!["ask", "hi", "--audio", "nowhere.wav"],
        vec!["ask", "hi", "--audio", &text_wav],
        vec!["ask", "hi", "--audio", &image],
        vec!["ask", "hi", "--video", "nowhere.mp4"],
        vec!["ask", "hi", "--video", folder],
        vec!["ask", "hi", "--adapter", "voodoo"],
        vec!["ask", "hi", "--adapter", "99"],
        vec!["ask", "hi", "--context", "0"],
        vec!["ask", "hi", "--context", "4097"],
        vec!["ask", "hi", "--context", "8"],
        vec!["ask", "hi", "--max-tokens", "0"],
        vec!["ask", "hi", "--temperature", "-1"],
        vec!["ask", "hi", "--temperature", "NaN"],
        vec!["ask", "hi", "--top-p", "1.5"],
        vec!["ask", "hi", "--min-p", "-0.5"],
        vec!["ask", "hi", "--repetition-penalty", "0"],
        vec!["ask", "hi", "--top-k", "many"],
        vec!["ask", "hi", "--greedy", "--temperature", "1"],
        vec!["ask", "hi", "--model", "nowhere"],
        vec!["ask", "hi", "--model", &text_jpg],
        vec!["ask", "hi", "--model", folder],
        vec!["ask", "hi", "--model", &no_config],
        vec!["ask", "hi", "--model", &no_weights],
        vec!["ask", "hi", "--model", &no_tokenizer],
        vec!["ask", "hi", "--model", &no_template],
        vec!["ask", "hi", "--model", &other],
        vec!["aks", "hi"],
        vec!["chat", "--top-p", "-1"],
        vec!["doctor", "--adapter", "voodoo"],
        vec!["models"],
        vec!["models", "show", "nowhere"],
        vec!["models", "show", &other],
        vec!["models", "show", &no_weights],
        vec!["bench", "--prefill", "512"],
        vec!["bench", MODEL, "--decode", "1"],
        vec!["bench", MODEL, "--model", MODEL],
        vec!["bench", "--model", "nowhere"],
        vec!["perplexity", MODEL],
        vec!["perplexity", MODEL, "--text", "nowhere.txt"],
        vec!["perplexity", MODEL, "--text", folder],
        vec!["perplexity", MODEL, "--text", &text_jpg, "--window", "0"],
        vec!["perplexity", MODEL, "--text", &empty_png],
        vec!["perplexity", "nowhere", "--text", &text_jpg],
        vec!["trace", MODEL, "--case", "nowhere.json", "--out", out],
        vec!["trace", MODEL, "--case", &case_text, "--out", out],
        vec!["trace", MODEL, "--case", &case, "--out", nowhere_out],
        vec!["trace", MODEL, "--case", &case, "--out", folder],
        vec!["trace", "nowhere", "--case", &case, "--out", out],
    ];
    let mut sentences = String::new();
    for mut args in table {
        let shown = args.join(" ");
        args.push("--quiet");
        let outcome = home.run(&args);
        let told = normalised(&outcome.stderr, &home);
        assert_eq!(outcome.code, Some(2), "{shown}: {told}");
        if args[0] != "doctor" {
            assert_eq!(outcome.stdout, "", "{shown}");
        }
        assert!(!told.contains("panicked"), "{shown}: {told}");
        writeln!(sentences, "$ percept {}\n{told}\n", normalised(&shown, &home)).unwrap();
    }
    insta::assert_snapshot!("bad_input", sentences);
    // Its sentence is that of the installed ffmpeg, so it is not in the snapshot.
    let outcome = home.run(&["ask", "hi", "--video", &text_mp4, "-q"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("text.mp4 cannot be used as video: "), "{}", outcome.stderr);
}

#[test]
fn binary_data_on_standard_input_is_refused() {
    let home = Home::new();
    let outcome = home.pipe(&["ask", "-", "-q"], b"PNG\xff\xfe\x00");
    assert_eq!(outcome.code, Some(2));
    assert_eq!(
        outcome.stderr,
        "error: standard input is no UTF-8 text (byte 3); name pictures and sound by --image and --audio\n"
    );
}

#[test]
fn a_video_without_ffmpeg_says_what_to_install() {
    let home = Home::new();
    let clip = home.file("clip.mp4", "anything");
    let mut command = home.command(&["ask", "hi", "--video", clip.to_str().unwrap(), "-q"]);
    command.env("PERCEPT_FFMPEG", home.path("no-ffmpeg"));
    let outcome = finish(start(&mut command));
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stderr.contains("set PERCEPT_FFMPEG to an ffmpeg program with ffprobe beside it"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn an_error_is_an_event_too() {
    let home = Home::new();
    let outcome = home.run(&["ask", "hi", "--image", "nowhere.png", "--json", "-q"]);
    assert_eq!(outcome.code, Some(2));
    let event: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let message = "nowhere.png does not exist; expected a picture";
    assert_eq!(
        (&event["event"], &event["message"], &event["exit_code"]),
        (&"error".into(), &message.into(), &2.into())
    );
    assert_eq!(outcome.stderr, format!("error: {message}\n"));
}

#[test]
fn a_wrong_log_filter_is_told() {
    let home = Home::new();
    let mut command = home.command(&["doctor"]);
    command.env("PERCEPT_LOG", "percept=loud");
    let outcome = finish(start(&mut command));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    assert!(
        outcome.stderr.starts_with("error: PERCEPT_LOG is \"percept=loud\", which is no log filter"),
        "{}",
        outcome.stderr
    );
}
