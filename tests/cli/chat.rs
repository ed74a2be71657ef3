//! `percept chat`, through pipes.

use crate::support::{ENDLESS, Home, MODEL, fixture, json_lines, start, wait};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Without a model.
const OPTIONS: [&str; 6] = ["chat", "--greedy", "--max-tokens", "8", "--adapter", "0"];
const GREEDY: [&str; 8] = ["chat", "--model", MODEL, "--greedy", "--max-tokens", "8", "--adapter", "0"];

/// What Ctrl-C in a terminal does.
#[cfg(unix)]
pub fn interrupt(child: &Child) {
    // The shell's own: a bare system has no program of that name.
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
}

/// Lines of standard error that tell how full the context is.
fn contexts(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| line.contains(" tokens (")).collect()
}

#[test]
fn undo_and_retry_take_back_what_was_said() {
    let home = Home::new();
    let outcome = home.pipe(&GREEDY, "Hello\n/context\n/undo\n/context\nHello\n/retry\n/context\n/quit\nnever said\n");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let answers: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert!(!answers[0].is_empty() && answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let told = contexts(&outcome.stderr);
    assert_eq!(told[1], "0 of 4096 tokens (0 %): 0 answers");
    assert_eq!((told[0], told.len()), (told[2], 3));
    assert!(told[0].ends_with(": 1 answer"), "{}", told[0]);
}

#[test]
fn a_conversation_remembers() {
    let home = Home::new();
    let twice = home.pipe(&GREEDY, "Hello\nHello\n");
    let answers: Vec<&str> = twice.stdout.lines().collect();
    // The same words again are answered otherwise, because the first ones are remembered.
    assert_eq!(answers.len(), 2);
    assert_ne!(answers[0], answers[1]);
}

#[test]
fn files_are_read_when_given_and_answered_with_the_next_line() {
    let home = Home::new();
    let (image, audio) = (fixture("image_0.png"), fixture("audio_0.wav"));
    let lines =
        format!("/image '{image}'\n/context\n/audio {audio}\n/undo\nWhat is it now?\n/image {image}\n\n/context\n");
    let outcome = home.pipe(&GREEDY, lines);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let told = contexts(&outcome.stderr);
    assert!(told[0].ends_with(": 0 answers, 1 file waiting for a question"), "{}", told[0]);
    assert!(told[1].ends_with(": 2 answers"), "{}", told[1]);
    // The recorded case says the same about the same picture.
    let args = ["ask", "--model", MODEL, "--image", &image, "What is it now?", "--greedy", "--max-tokens", "8", "-q"];
    assert_eq!(outcome.stdout.lines().next(), home.run(&args).stdout.lines().next());
}

#[test]
fn what_is_said_is_kept_as_it_happens() {
    let home = Home::new();
    let outcome = home.pipe(&[&GREEDY[..], &["--system", "Be brief."]].concat(), "Hello\n/undo\n");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let kept = home.conversation();
    assert!(kept[0]["model"].as_str().unwrap().ends_with("gemma4_unified-tiny-s0"));
    assert_eq!((&kept[1]["role"], &kept[1]["text"]), (&"system".into(), &"Be brief.".into()));
    assert_eq!((&kept[2]["role"], &kept[2]["text"]), (&"user".into(), &"Hello".into()));
    assert_eq!((&kept[3]["role"], &kept[3]["stop"]), (&"assistant".into(), &"max_tokens".into()));
    assert_eq!((&kept[4]["taken_back"], kept.len()), (&"turn".into(), 5));
    let silent = Home::new();
    assert_eq!(silent.pipe(&[&GREEDY[..], &["--no-save"]].concat(), "Hello\n").code, Some(0));
    assert!(!silent.path("data").exists() && !silent.path("config").exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_told_once_and_the_talk_goes_on() {
    let home = Home::new();
    home.file("data", "a file where a folder should be");
    let outcome = home.pipe(&GREEDY, "Hello\nAnd now?\n");
    assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(0), 2), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("warning: the conversation cannot be kept").count(), 1, "{}", outcome.stderr);
}

#[test]
fn a_failed_turn_leaves_the_conversation_as_it_was() {
    let home = Home::new();
    let long = "many words ".repeat(60);
    let args = [&GREEDY[..], &["--context", "60"]].concat();
    let outcome = home.pipe(&args, format!("Hello\n/context\n{long}\n/context\n/image nowhere.png\n/context\nHello\n"));
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    let told = contexts(&outcome.stderr);
    assert_eq!(told.len(), 3, "{}", outcome.stderr);
    assert!(told.iter().all(|line| *line == told[0]), "{told:?}");
    let mut errors = outcome.stderr.lines().filter(|line| line.starts_with("error: "));
    let first = errors.next().unwrap();
    assert!(first.starts_with("error: no answer; the conversation is as it was before: "), "{first}");
    assert!(first.contains("tokens do not fit into the context of 60"), "{first}");
    assert_eq!(errors.next(), Some("error: nowhere.png does not exist; expected a picture"));
    assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
    // The words are kept all the same.
    assert!(
        home.conversation().iter().any(|line| line["text"].as_str().is_some_and(|text| text.trim() == long.trim()))
    );
}

#[test]
fn the_conversation_is_saved_as_markdown_and_as_json_lines() {
    let home = Home::new();
    let (markdown, lines) = (home.path("talk.md"), home.path("talk.jsonl"));
    let input = format!("Hello\n/save {0}\n/save {1}\n/save {0}\n", markdown.display(), lines.display());
    let outcome = home.pipe(&GREEDY, input);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("talk.md is there already; name another file"), "{}", outcome.stderr);
    let saved = json_lines(&std::fs::read_to_string(lines).unwrap());
    assert_eq!((&saved[0]["text"], saved.len()), (&"Hello".into(), 2));
    let answer = saved[1]["text"].as_str().unwrap();
    assert_eq!(answer.trim_end(), outcome.stdout.trim_end());
    let text = std::fs::read_to_string(markdown).unwrap();
    assert!(text.contains("## User\n\nHello\n\n## Model\n\n"), "{text}");
}

#[test]
fn another_system_message_or_model_begins_anew() {
    let home = Home::new();
    let model = fixture("config.json");
    let input = format!(
        "Hello\n/system Be brief.\n/system\n/context\nHello\n/model {model}\n/context\n/model nowhere\n/context\n"
    );
    let outcome = home.pipe(&GREEDY, input);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.lines().any(|line| line == "Be brief."), "{}", outcome.stderr);
    assert_eq!(contexts(&outcome.stderr), ["0 of 4096 tokens (0 %): 0 answers"; 3]);
    assert!(
        outcome
            .stderr
            .contains("error: nowhere does not exist and no model is called so; expected a checkpoint folder"),
        "{}",
        outcome.stderr
    );
    let answers: Vec<&str> = outcome.stdout.lines().collect();
    assert_ne!(answers[0], answers[1]);
}

#[test]
#[cfg(unix)]
fn ctrl_c_stops_the_answer_and_not_the_program() {
    let home = Home::new();
    let args = ["chat", "--greedy", ENDLESS];
    let mut child = start(home.command(&args).stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().unwrap();
    let (send, said) = mpsc::channel();
    let pipe = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || pipe.bytes().map_while(Result::ok).try_for_each(|byte| send.send(byte)));
    let (send, stderr) = mpsc::channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
    let wait_for = |part: &str| loop {
        let line = stderr.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("never said: {part}"));
        if line.contains(part) {
            return line;
        }
    };
    for _ in 0..2 {
        stdin.write_all(b"Tell me\n").unwrap();
        said.recv_timeout(Duration::from_secs(60)).unwrap();
        interrupt(&child);
        wait_for("note: stopped");
        // What was said before is not to be taken for the next answer.
        while said.recv_timeout(Duration::from_millis(300)).is_ok() {}
    }
    stdin.write_all(b"/context\n").unwrap();
    assert!(wait_for(" tokens (").ends_with(": 2 answers"));
    drop(stdin);
    assert_eq!(wait(&mut child), Some(0));
    let stops: Vec<_> = home.conversation().iter().filter_map(|line| line["stop"].as_str().map(String::from)).collect();
    assert_eq!(stops, ["cancelled", "cancelled"]);
}

#[test]
fn a_closed_pipe_ends_it_silently() {
    let home = Home::new();
    let mut child = start(home.command(&[&GREEDY[..], &["-q"]].concat()).stdin(Stdio::piped()));
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(b"Hello\nHello\n").unwrap();
    assert_eq!(wait(&mut child), Some(0));
    assert_eq!(std::io::read_to_string(child.stderr.take().unwrap()).unwrap(), "");
}

#[test]
fn a_line_that_is_no_text_is_left_out_and_told() {
    let home = Home::new();
    let outcome = home.pipe(&[&GREEDY[..], &["-q"]].concat(), b"\xff\xfe\nHello\n");
    assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(2), 1));
    assert_eq!(outcome.stderr, "error: a line is no UTF-8 text; it was left out\n");
}

#[test]
fn commands_are_listed_and_wrong_ones_explained() {
    let home = Home::new();
    let outcome =
        home.pipe(&[&GREEDY[..], &["-q"]].concat(), "/help\n/imge a.png\n/image\n/undo\n/retry\n/undo it\n/save\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!("chat_commands", outcome.stderr);
}

#[test]
fn a_model_without_a_template_continues_text() {
    let home = Home::new();
    let base = home.without("chat_template.jinja");
    let run =
        |more: &[&str], input: &str| home.pipe(&[&OPTIONS[..], &["--no-save", "--model", &base], more].concat(), input);
    let outcome = run(&[], "/system Be brief.\n/context\n\nWhat is\n\n/context\n/retry\n/context\n/undo\n/context\n");
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    let note = "note: this model has no chat template, so it does not answer: each line is a new line of a text that it \
                continues, by 8 tokens at a time (--max-tokens); an empty line lets it go on";
    assert_eq!(outcome.stderr.lines().filter(|line| *line == note).count(), 1, "{}", outcome.stderr);
    let errors: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors, ["error: a system message needs a chat template, which this model does not have"]);
    // The same as in one go, half by half, the second one given again.
    let ask = |tokens: &str| {
        let args = ["ask", "--raw", "What is", "--greedy", "--adapter", "0", "--json", "-q", "--max-tokens", tokens];
        json_lines(&home.run(&[&args[..], &["--model", &base]].concat()).stdout).pop().unwrap()
    };
    let (half, stop) = (ask("8"), ask("16"));
    let (half, whole) = (half["text"].as_str().unwrap(), stop["text"].as_str().unwrap());
    let rest = whole.strip_prefix(half).unwrap();
    assert_eq!(outcome.stdout, format!("{half}\n{rest}\n{rest}\n"));
    let read = stop["prompt_tokens"].as_u64().unwrap();
    let told: Vec<u64> =
        contexts(&outcome.stderr).iter().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    // The last token of what was cut off is said but not read yet.
    assert_eq!(told, [0, read + 15, read + 15, read + 7]);
    let options = run(&["--system", "Be brief."], "Once upon\n");
    assert_eq!((options.code, options.stdout.as_str()), (Some(2), ""));
    assert!(options.stderr.contains("error: --system needs a chat template, which "), "{}", options.stderr);
}

#[test]
fn a_continued_text_is_saved_as_it_stands() {
    let home = Home::new();
    let (base, saved) = (home.without("chat_template.jinja"), home.path("text.md"));
    let input = format!("Once upon\nThe end\n/save {}\n", saved.display());
    let outcome = home.pipe(&[&OPTIONS[..], &["--model", &base]].concat(), input);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let told: Vec<String> = home.conversation().iter().filter_map(|line| Some(line["text"].as_str()?.into())).collect();
    let text = format!("{}{}\n{}{}\n", told[0], told[1], told[2], told[3]);
    assert_eq!(std::fs::read_to_string(saved).unwrap(), text);
}
