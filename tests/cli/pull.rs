//! `percept models pull`, when all goes well: what is fetched, where it lies, and that it can be used.

use crate::gguf::tiny;
use crate::hub::{COMMIT, Fault, Hub, ID, OTHER, blobs, checksum, of_noise, proxy, snapshot};
use crate::support::{Home, finish, start};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

#[test]
fn a_model_is_pulled_listed_and_answers() {
    let (home, hub) = (Home::new(), Hub::of_fixture());
    let missing = home.run(&["ask", "--model", ID, "Hi"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("`percept models pull acme/tiny` downloads"), "{}", missing.stderr);
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let folder = snapshot(&home, COMMIT, "");
    assert_eq!(Path::new(outcome.stdout.trim_end()), Path::new(folder.to_str().unwrap().trim_end_matches('/')));
    assert!(outcome.stderr.contains("note: licence: apache-2.0 (https://www.apache.org/"), "{}", outcome.stderr);
    let noted = "in 7 files from 127.0.0.1:";
    assert!(outcome.stderr.contains(noted), "{}", outcome.stderr);
    // Only what is needed, as other programs lay it down.
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let needed = [
        "LICENSE",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(names, needed);
    let weights = fs::read(format!("{}/tests/fixtures/gemma3-tiny-s0/model.safetensors", env!("CARGO_MANIFEST_DIR")));
    let weights = weights.unwrap();
    assert!(fs::read(folder.join("model.safetensors")).unwrap() == weights);
    if cfg!(unix) {
        let link = fs::read_link(folder.join("model.safetensors")).unwrap();
        assert_eq!(link, Path::new("../../blobs").join(checksum(&weights)));
    }
    assert_eq!(blobs(&home).len(), 7);
    assert_eq!(fs::read_to_string(folder.join("../../refs/main")).unwrap(), COMMIT);
    // Where every program finds it.
    let list: Value = serde_json::from_str(&home.run(&["models", "list", "--json"]).stdout).unwrap();
    // The first is the built-in one.
    assert_eq!((&list["models"][1]["name"], &list["models"][1]["state"]), (&json!(ID), &json!("usable")));
    let answer = home.run(&["ask", "--model", ID, "--adapter", "0", "--greedy", "--max-tokens", "4", "Hi"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let local = ["--model", "tests/fixtures/gemma3-tiny-s0", "--adapter", "0", "--greedy", "--max-tokens", "4", "Hi"];
    assert_eq!(answer.stdout, home.run(&[&["ask"], &local[..]].concat()).stdout);
    // A second time nothing but the list is asked for.
    hub.requests();
    let outcome = hub.pull(&home, &[ID, "--json"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("was here already"), "{}", outcome.stderr);
    let told: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&told["fetched_bytes"], &told["commit"], &told["name"]), (&json!(0), &json!(COMMIT), &json!(ID)));
    assert!(hub.requests().iter().all(|request| !request.path.contains("model.safetensors")));
}

#[test]
fn a_revision_shares_what_has_not_changed() {
    let (home, hub) = (Home::new(), Hub::of_fixture());
    assert_eq!(hub.pull(&home, &[&format!("{ID}@refs/pr/1")]).code, Some(0));
    assert_eq!(fs::read_to_string(snapshot(&home, COMMIT, "../../refs/refs/pr/1")).unwrap(), COMMIT);
    let weights = fs::read(snapshot(&home, COMMIT, "model.safetensors")).unwrap();
    hub.commit(OTHER, &[("config.json", b"{\"model_type\": \"gemma3_text\"}"), ("model.safetensors", &weights)]);
    hub.requests();
    let outcome = hub.pull(&home, &[&format!("{ID}@{OTHER}")]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(hub.sent("model.safetensors"), 0);
    assert!(fs::read(snapshot(&home, OTHER, "model.safetensors")).unwrap() == weights);
    // It lacks a tokenizer, which is told.
    assert!(outcome.stderr.contains("it is here whole, but cannot be used: "), "{}", outcome.stderr);
    let outcome = hub.pull(&home, &[&format!("{ID}@none")]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("acme/tiny has no revision \"none\""), "{}", outcome.stderr);
}

#[test]
fn shards_are_those_of_the_index() {
    let home = Home::new();
    let index =
        json!({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}});
    let index = index.to_string();
    let files: [(&str, &[u8]); 5] = [
        ("config.json", b"{\"model_type\": \"gemma3_text\"}"),
        ("model.safetensors.index.json", index.as_bytes()),
        ("model-1.safetensors", b"one"),
        ("model-2.safetensors", b"two"),
        ("model-3.safetensors", b"of something else"),
    ];
    let hub = Hub::new(&files);
    assert_eq!(hub.pull(&home, &[ID]).code, Some(0));
    assert!(snapshot(&home, COMMIT, "model-2.safetensors").exists());
    assert!(!snapshot(&home, COMMIT, "model-3.safetensors").exists());
    let hub = Hub::new(&files[..3]);
    let outcome = hub.pull(&Home::new(), &[ID]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("names model-2.safetensors"), "{}", outcome.stderr);
}

#[test]
fn one_quantisation_of_several() {
    let home = Home::new();
    let small = tiny().bytes();
    let mut other = tiny();
    other.set("general.name", "other");
    let other = other.bytes();
    let files: [(&str, &[u8]); 5] = [
        ("tiny-Q4_0.gguf", &small),
        ("tiny-Q8_0.gguf", &other),
        ("mmproj-F16.gguf", b"GGUF"),
        ("config.json", b"{}"),
        ("LICENSE", b"terms"),
    ];
    let hub = Hub::new(&files);
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(2));
    let several = "several GGUF models; choose one, as in acme/tiny:Q4_0, or with --file NAME: tiny-Q4_0.gguf (";
    assert!(outcome.stderr.contains(several), "{}", outcome.stderr);
    let outcome = hub.pull(&home, &[&format!("{ID}:q8_0")]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(fs::read(outcome.stdout.trim_end()).unwrap(), other);
    assert!(!snapshot(&home, COMMIT, "tiny-Q4_0.gguf").exists() && !snapshot(&home, COMMIT, "config.json").exists());
    assert_eq!(hub.pull(&home, &[ID, "--file", "tiny-Q4_0.gguf"]).code, Some(0));
    // By the same words as it was pulled.
    let ask = |model: &str| {
        home.run(&["ask", "--raw", "Hi", "--model", model, "--adapter", "0", "--greedy", "--max-tokens", "2"])
    };
    let answer = ask(&format!("{ID}:Q8_0"));
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(ask(ID).stderr.contains("can mean hf:acme/tiny/tiny-Q4_0.gguf, hf:acme/tiny/tiny-Q8_0.gguf"));
    let outcome = hub.pull(&home, &[&format!("{ID}:Q4_0"), "--file", "tiny-Q4_0.gguf"]);
    assert_eq!(outcome.code, Some(2));
}

#[test]
fn what_sees_comes_along() {
    let home = Home::new();
    let fixture = |name: &str| {
        fs::read(format!("{}/tests/fixtures/gemma4_gguf/gemma4-tiny-s0/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let (model, projector) = (fixture("model.gguf"), fixture("mmproj-f32.gguf"));
    // Named as publishers do, who put the word anywhere.
    let hub =
        Hub::new(&[("tiny_q4_0-it.gguf", &model), ("tiny-it-mmproj.gguf", &projector), ("other/mmproj.gguf", b"GGUF")]);
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(snapshot(&home, COMMIT, "tiny-it-mmproj.gguf").exists() && !snapshot(&home, COMMIT, "other").exists());
    let list: Value = serde_json::from_str(&home.run(&["models", "list", "--json"]).stdout).unwrap();
    assert_eq!(list["models"].as_array().unwrap().len(), 2, "{list}");
    let picture = "tests/fixtures/gemma4-tiny-s0/image_0.png";
    let ask = ["ask", "--model", ID, "--adapter", "0", "--greedy", "--max-tokens", "2", "Hi", "--image", picture];
    let answer = home.run(&[&ask[..], &["--image-tokens", "70"]].concat());
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
}

#[test]
fn what_cannot_be_run_is_refused_before_its_weights_are_fetched() {
    let home = Home::new();
    let weights = crate::hub::noise(3 << 20);
    let hub = Hub::new(&[("config.json", b"{\"model_type\": \"gpt2\"}"), ("model.safetensors", &weights)]);
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    let named = "acme/tiny/config.json: model_type \"gpt2\" is not supported; supported: gemma4_unified, ";
    assert!(outcome.stderr.contains(named) && outcome.stderr.contains("--force"), "{}", outcome.stderr);
    assert_eq!(hub.sent("model.safetensors"), 0);
    assert!(!home.path("home/.cache").exists());
    let outcome = hub.pull(&home, &[ID, "--force"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("cannot be used: "), "{}", outcome.stderr);
    // The same for a GGUF file, of which only the beginning is fetched.
    let mut llama = tiny();
    let file = [llama.set("general.architecture", "llama").bytes(), weights].concat();
    let hub = Hub::new(&[("m.gguf", &file)]);
    let home = Home::new();
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("acme/tiny/m.gguf: architecture \"llama\" is not supported"), "{}", outcome.stderr);
    assert!(hub.sent("m.gguf") <= 64 << 10);
    assert_eq!(hub.pull(&home, &[ID, "--force"]).code, Some(0));
    let hub = Hub::new(&[("m.gguf", b"<html>")]);
    let outcome = hub.pull(&home, &[ID]);
    assert!(outcome.stderr.contains("m.gguf of acme/tiny is no GGUF file"), "{}", outcome.stderr);
    for (files, sentence) in [
        (&[("config.json", &b"{}"[..]), ("model.safetensors", b"x")][..], "has no model_type"),
        (&[("config.json", b"{"), ("model.safetensors", b"x")], "config.json of acme/tiny is no JSON"),
        (&[("config.json", b"{}"), ("pytorch_model.bin", b"x")], "has nothing that can be read here"),
        (&[("../../evil", b"x")], "which is no name for a file here"),
    ] {
        let outcome = Hub::new(files).pull(&Home::new(), &[ID]);
        assert!(outcome.code != Some(0) && outcome.stderr.contains(sentence), "{sentence}: {}", outcome.stderr);
    }
}

#[test]
fn a_hub_that_tells_sizes_with_the_files_alone() {
    let (home, hub) = (Home::new(), Hub::of_fixture());
    hub.tell_less();
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let weights = fs::read(snapshot(&home, COMMIT, "model.safetensors")).unwrap();
    assert!(blobs(&home).contains(&checksum(&weights)));
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let home = Home::new();
    let (hub, _) = of_noise(3 << 20);
    let outcome = finish(start(hub.command(&home, &[ID]).env("HF_TOKEN", "hf_secret")));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let requests = hub.requests();
    assert!(requests.iter().any(|request| !request.at_hub));
    for request in requests {
        let shown = request.headers.get("authorization").map(String::as_str);
        assert_eq!(shown, request.at_hub.then_some("Bearer hf_secret"), "{request:?}");
        assert!(request.headers["user-agent"].starts_with("percept/"));
    }
    // As signing in leaves it.
    home.file("home/.cache/huggingface/token", "hf_kept\n");
    hub.pull(&home, &[ID]);
    assert_eq!(hub.requests()[0].headers["authorization"], "Bearer hf_kept");
    let elsewhere = home.file("hf/token", "hf_moved");
    let _ = finish(start(hub.command(&home, &[ID]).env("HF_HOME", elsewhere.parent().unwrap())));
    assert_eq!(hub.requests()[0].headers["authorization"], "Bearer hf_moved");
    assert!(home.path("hf/hub/models--acme--tiny").is_dir());
}

#[test]
fn proxies_are_used_and_left_out() {
    let (hub, _) = of_noise(3 << 20);
    let (address, made) = proxy();
    let home = Home::new();
    let through = |name: &str, value: &str, exempt: &str| {
        finish(start(hub.command(&home, &[ID, "--retries", "0"]).env(name, value).env("NO_PROXY", exempt)))
    };
    let outcome = through("ALL_PROXY", &format!("http://{address}"), "");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let hosts = std::mem::take(&mut *made.lock().unwrap());
    assert!(hosts.contains(&hub.endpoint.replace("http://", "")), "{hosts:?}");
    assert_eq!(through("HTTP_PROXY", &format!("http://{address}"), "localhost,127.0.0.1").code, Some(0));
    assert_eq!(made.lock().unwrap().len(), 0);
    // Another scheme's.
    assert_eq!(through("HTTPS_PROXY", "http://127.0.0.1:1", "").code, Some(0));
    let outcome = through("ALL_PROXY", "http://127.0.0.1:1", "");
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let outcome = through("ALL_PROXY", "me:secret@ nowhere", "");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("ALL_PROXY holds no address") && !outcome.stderr.contains("secret"));
}

#[test]
fn offline_says_what_the_cache_has() {
    let (home, hub) = (Home::new(), Hub::of_fixture());
    let offline = || finish(start(hub.command(&home, &[ID]).env("HF_HUB_OFFLINE", "1")));
    let outcome = offline();
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("the cache has no acme/tiny at revision \"main\""), "{}", outcome.stderr);
    assert_eq!(hub.pull(&home, &[ID]).code, Some(0));
    hub.requests();
    assert!(offline().stderr.contains(&format!("the cache has it at commit {COMMIT}")));
    assert_eq!(hub.requests().len(), 0);
    let outcome = finish(start(hub.command(&home, &[ID]).env("HF_ENDPOINT", "nowhere")));
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("HF_ENDPOINT is \"nowhere\""), "{}", outcome.stderr);
}

#[test]
fn two_at_once_fetch_it_once() {
    let home = Home::new();
    let (hub, weights) = of_noise(6 << 20);
    hub.fault("/large/", Fault::Slow(Duration::from_millis(10)), usize::MAX);
    let both = [hub.command(&home, &[ID]), hub.command(&home, &[ID])].map(|mut command| start(&mut command));
    let outcomes = both.map(finish);
    for outcome in &outcomes {
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
    assert!(outcomes.iter().any(|outcome| outcome.stderr.contains("another program is downloading this")));
    assert_eq!(hub.sent("/large/"), weights.len());
    assert!(fs::read(snapshot(&home, COMMIT, "model.safetensors")).unwrap() == weights);
}

#[test]
fn without_a_name_models_to_begin_with_are_listed() {
    let home = Home::new();
    let outcome = home.run(&["models", "pull"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(outcome.stdout, home.run(&["models", "catalogue"]).stdout);
    let line = outcome.stdout.lines().find(|line| line.contains("ggml-org/gemma-3-1b-it-GGUF:Q4_K_M")).unwrap();
    assert!(line.contains("Gemma 3 1B") && line.contains(" 806.06 MB "), "{line}");
    let told: Value = serde_json::from_str(&home.run(&["models", "catalogue", "--json"]).stdout).unwrap();
    let models = told["models"].as_array().unwrap();
    assert!(models.iter().all(|model| model["memory_bytes"].as_u64() > model["bytes"].as_u64()), "{told}");
    for text in ["tiny", "acme/tiny@", "acme/../x"] {
        let outcome = home.run(&["models", "pull", text]);
        assert_eq!(outcome.code, Some(2), "{text}");
        assert!(outcome.stderr.contains("expected ORG/NAME"), "{}", outcome.stderr);
    }
}
