//! `percept bench`, and the self-test that goes before it.

use crate::support::{Home, MODEL};
use percept::adapters;
use serde_json::Value;

#[test]
fn a_kernel_is_measured_beside_the_adapters_ceilings() {
    let home = Home::new();
    let outcome = home.run(&["bench", "--kernel", "take_row", "--quick", "--json", "-", "--adapter", "0"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let ceilings = &report["ceilings"];
    assert!(ceilings.as_object().is_some_and(|c| !c.is_empty()), "{report}");
    let kernels = report["kernels"].as_array().unwrap();
    assert!(!kernels.is_empty() && kernels.iter().all(|k| k["kernel"] == "take_row"), "{report}");
    assert!(outcome.stderr.contains("checked the kernels on this adapter, once for this driver"), "{}", outcome.stderr);
}

#[test]
fn a_model_is_measured_as_asked_and_the_last_line_says_it() {
    let home = Home::new();
    let args = ["bench", "--model", MODEL, "--adapter", "0", "--prefill", "40", "--decode", "5", "--quick", "--json"];
    let outcome = home.run(&args);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let report: Value = serde_json::from_str(outcome.stdout.lines().last().unwrap()).unwrap();
    for name in ["prefill_tok_s", "decode_tok_s", "first_token_ms", "load_ms", "bytes_per_token"] {
        assert!(report[name].as_f64().is_some_and(|number| number > 0.0), "{name}: {report}");
    }
    assert_eq!((&report["prefill_tokens"], &report["decode_tokens"]), (&40.into(), &5.into()));
    assert_eq!(report["model"]["prefill"].as_array().unwrap().len(), 1);
    assert_eq!(report["model"]["decode"].as_array().unwrap().len(), 1);
    assert!(report["adapter"].as_str().is_some_and(|name| !name.is_empty()) && report["ceilings"].is_object());
}

#[test]
fn a_model_without_a_template_is_measured_too() {
    let home = Home::new();
    let folder = home.without("chat_template.jinja");
    let outcome = home.run(&["bench", &folder, "--adapter", "0", "--prefill", "8", "--decode", "2", "--quick"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("first token ") && outcome.stdout.contains("over 8 tokens"), "{}", outcome.stdout);
}

#[test]
fn a_token_is_taken_apart_where_the_adapter_tells() {
    let home = Home::new();
    let asked = ["bench", MODEL, "--kernel-times", "--prefill", "8", "--decode", "2", "--quick", "--adapter"];
    for adapter in adapters() {
        let (place, tells) = (adapter.index.to_string(), adapter.capabilities.timestamps);
        let asked = [&asked[..], &[&place]].concat();
        let outcome = home.run(&asked);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let told = outcome.stdout.contains("on the adapter behind") && outcome.stdout.contains("sample ");
        assert_eq!(told, tells, "{}", outcome.stdout);
        let refused =
            outcome.stdout.contains("not measured    the shaders of a token: this adapter has no time stamps");
        assert_eq!(refused, !tells, "{}", outcome.stdout);
        let outcome = home.run(&[&asked[..], &["--json"]].concat());
        let report: Value = serde_json::from_str(outcome.stdout.lines().last().unwrap()).unwrap();
        let tokens = report["model"]["by_shader"].as_array().unwrap();
        assert_eq!(tokens.len(), usize::from(tells), "{report}");
        let mut shaders = tokens.iter().flat_map(|token| token["shaders"].as_array().unwrap());
        assert!(shaders.all(|it| it["dispatches"].as_u64() > Some(0)), "{report}");
    }
    let outcome = home.run(&["bench", "--kernel-times"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("--kernel-times measure a model"), "{}", outcome.stderr);
}

#[test]
fn an_unknown_kernel_is_told_with_those_there_are() {
    let home = Home::new();
    let outcome = home.run(&["bench", "--kernel", "warp_drive"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    assert!(outcome.stderr.contains("no kernel is called \"warp_drive\"; there are: add_norm"), "{}", outcome.stderr);
}

#[test]
fn kernels_are_checked_once_for_an_adapter() {
    let home = Home::new();
    let ask = ["ask", "Hello", "--model", MODEL, "--max-tokens", "1", "--greedy", "--adapter", "0"];
    let first = home.run(&ask);
    assert!(first.stderr.contains("checked the kernels on this adapter, once for this driver"), "{}", first.stderr);
    let second = home.run(&ask);
    assert!(!second.stderr.contains("checked the kernels"), "{}", second.stderr);
    assert_eq!(first.stdout, second.stdout);
    let tested = home.run(&["doctor", "--self-test", "--adapter", "0"]);
    assert_eq!(tested.code, Some(0), "{}", tested.stderr);
    assert!(tested.stdout.contains(" checks in ") && tested.stdout.contains(", 0 wrong"), "{}", tested.stdout);
}
