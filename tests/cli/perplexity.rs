//! `percept perplexity`.

use crate::support::{Home, MODEL, Outcome, case, fixture, json_lines};
use safetensors::SafeTensors;

/// The prompt of the recorded case of text, its template spelled out.
fn prompt() -> String {
    let said = case("text")["messages"][0]["content"][0]["text"].as_str().unwrap().to_string();
    format!("<|turn>user\n{said}<turn|>\n<|turn>model\n")
}

fn perplexity(home: &Home, text: &str, options: &[&str]) -> Outcome {
    let file = home.file("text.txt", text);
    let args = ["perplexity", MODEL, "--text", file.to_str().unwrap(), "--adapter", "0", "-q"];
    home.run(&[&args[..], options].concat())
}

/// Surprise of each id of the recorded prompt from its second on, by the recorded logits.
fn recorded() -> Vec<f64> {
    let bytes = std::fs::read(format!("{}/{}", env!("CARGO_MANIFEST_DIR"), fixture("cases/text.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let logits = file.tensor("logits").unwrap();
    let values: Vec<f64> =
        logits.data().chunks_exact(4).map(|w| f32::from_le_bytes(w.try_into().unwrap()).into()).collect();
    let ids = case("text")["input_ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect::<Vec<_>>();
    let rows = values.chunks_exact(logits.shape()[1]).zip(&ids[1..]);
    rows.map(|(row, id)| row.iter().map(|l| l.exp()).sum::<f64>().ln() - row[*id as usize]).collect()
}

#[test]
fn a_recorded_text_has_the_recorded_likelihood() {
    let home = Home::new();
    // The first token behind the beginning is not scored.
    let expected = &recorded()[1..];
    let outcome = perplexity(&home, &prompt(), &["--json"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let lines = json_lines(&outcome.stdout);
    let report = lines.last().unwrap();
    let of = |name: &str| report[name].as_f64().unwrap();
    assert_eq!((of("tokens"), of("windows"), of("window")), (expected.len() as f64, 1.0, 512.0));
    let mean = expected.iter().sum::<f64>() / expected.len() as f64;
    assert!((of("nats_per_token") - mean).abs() < 1e-5, "{report}, expected {mean}");
    assert!((of("perplexity").ln() - mean).abs() < 1e-5, "{report}");
    assert!(of("tok_s") > 0.0 && report["adapter"].as_str().is_some_and(|name| !name.is_empty()), "{report}");
    // Line ends are read alike.
    let text = perplexity(&home, &prompt().replace('\n', "\r\n"), &[]);
    assert!(text.stdout.starts_with(&format!("nats per token  {:.4}\n", of("nats_per_token"))), "{}", text.stdout);
}

#[test]
fn windows_are_cut_and_counted() {
    let home = Home::new();
    let report = |options: &[&str]| {
        let outcome = perplexity(&home, &prompt(), &[&["--json"], options].concat());
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        json_lines(&outcome.stdout).pop().unwrap()
    };
    // 17 ids: three windows of 5 and one of 2.
    let whole = report(&["--window", "5"]);
    assert_eq!((&whole["windows"], &whole["tokens"]), (&4.into(), &13.into()));
    let first = report(&["--window", "5", "--windows", "1"]);
    assert_eq!((&first["windows"], &first["tokens"]), (&1.into(), &4.into()));
    let mean = recorded()[1..5].iter().sum::<f64>() / 4.0;
    assert!((first["nats_per_token"].as_f64().unwrap() - mean).abs() < 1e-5, "{first}, expected {mean}");
}

#[test]
fn a_text_that_is_not_all_utf_8_is_read_with_a_note() {
    let home = Home::new();
    let file = home.file("text.txt", b"What is this? \xff\xfe And that?");
    let outcome = home.run(&["perplexity", MODEL, "--text", file.to_str().unwrap(), "--adapter", "0"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("text.txt is not all UTF-8 (from byte 14)"), "{}", outcome.stderr);
}
