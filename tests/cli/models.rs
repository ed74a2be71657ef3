//! `percept models`, and models that are called by name.

use crate::gguf::{Value as Meta, tiny};
use crate::support::{Home, MODEL, Outcome, finish, normalised, start};
use crate::variant::Variant;
use serde_json::Value;

#[test]
fn a_checkpoint_is_described() {
    let home = Home::new();
    let outcome = home.run(&["models", "show", MODEL]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let (known, adapter) = outcome.stdout.split_once("  adapter ").unwrap();
    insta::assert_snapshot!("models_show", known);
    assert!(adapter.contains("needs 3.71 MB of its memory"), "{adapter}");
}

#[test]
fn the_same_as_json() {
    let home = Home::new();
    let outcome = home.run(&["models", "show", MODEL, "--json"]);
    let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(shown["architecture"], "gemma4_unified");
    assert_eq!(shown["formats"]["F32"], shown["weight_bytes"]);
    assert_eq!(shown["parameters"].as_u64().unwrap() * 4, shown["weight_bytes"].as_u64().unwrap());
    // Two full layers of one head of 32, keys and values in f32.
    assert_eq!(shown["cache_bytes_per_1000_tokens"], 2 * 32 * 2 * 4 * 1000);
    assert_eq!(shown["senses"], serde_json::json!(["text", "pictures", "video", "sound"]));
    assert_eq!(shown["adapter"]["bindings_of_largest_tensor"], 1);
}

#[test]
fn a_gguf_file_is_described() {
    let home = Home::new();
    let file = home.file("tiny.gguf", tiny().bytes());
    let outcome = home.run(&["models", "show", file.to_str().unwrap()]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let (known, adapter) = outcome.stdout.split_once("  adapter ").unwrap();
    insta::assert_snapshot!("models_show_gguf", normalised(known, &home));
    assert!(adapter.contains("needs 114.82 kB of its memory"), "{adapter}");
    let mut talks = tiny();
    talks.set("tokenizer.chat_template", "{{ messages[0].content }}").add("v.post_ln.weight", &[8]);
    let file = home.file("talks.gguf", talks.bytes());
    let file = file.to_str().unwrap();
    let shown = home.run(&["models", "show", file]).stdout;
    assert!(shown.contains("\n  template      in the file\n"), "{shown}");
    assert!(shown.contains("\n  vision tower  there, but not used: 8 parameters, 32 B stay on the disk\n"), "{shown}");
    let shown: Value = serde_json::from_str(&home.run(&["models", "show", file, "--json"]).stdout).unwrap();
    assert_eq!(shown["formats"], serde_json::json!({"F32": shown["weight_bytes"]}));
    assert_eq!((&shown["tokenizer"], &shown["special_tokens"]), (&"llama".into(), &6.into()));
    assert_eq!(shown["idle_vision_tower"], serde_json::json!({"parameters": 8, "bytes": 32}));
    assert_eq!(shown["template"], file);
    // A header alone is described too, and what is missing told.
    let file = home.file("header.gguf", tiny().header_alone().bytes());
    let outcome = home.run(&["models", "show", file.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stdout.contains("architecture  gemma3\n"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("missing tensors: token_embd.weight, "), "{}", outcome.stderr);
}

#[test]
fn a_vision_tower_that_is_not_used_is_told_once() {
    let home = Home::new();
    let mut sees = Variant::of("gemma3-tiny-s0");
    sees.nest_config();
    sees.rename("model.", "language_model.model.");
    sees.add_vision_tower("");
    let folder = home.path("sees");
    std::fs::create_dir(&folder).unwrap();
    sees.write_to(&folder, &[]);
    let folder = folder.to_str().unwrap();
    let outcome = home.run(&["models", "show", folder]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let told =
        "\n  senses        text\n  vision tower  there, but not used: 616 parameters, 2.46 kB stay on the disk\n";
    assert!(outcome.stdout.contains(told), "{}", outcome.stdout);
    let parameters = |folder: &str| -> Value {
        let shown: Value = serde_json::from_str(&home.run(&["models", "show", folder, "--json"]).stdout).unwrap();
        shown["parameters"].clone()
    };
    assert_eq!(parameters(folder), parameters("tests/fixtures/gemma3-tiny-s0"));
    let outcome = home.run(&["ask", "Hi", "--greedy", "--max-tokens", "2", "--adapter", "0", "--model", folder]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("its vision tower is not used").count(), 1, "{}", outcome.stderr);
}

/// A made-up digest.
fn hash(letter: char) -> String {
    letter.to_string().repeat(64)
}

/// Ollama's store with one model: a manifest, and a blob if there is content.
fn ollama(home: &Home, name: &str, letter: char, size: usize, blob: Option<&[u8]>) {
    let digest = format!("sha256:{}", hash(letter));
    let manifest = serde_json::json!({"schemaVersion": 2, "layers": [
        {"mediaType": "application/vnd.ollama.image.license", "digest": format!("sha256:{}", hash('f')), "size": 1},
        {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": size},
    ]});
    home.file(&format!("ollama/manifests/{name}"), manifest.to_string());
    if let Some(blob) = blob {
        home.file(&format!("ollama/blobs/sha256-{}", hash(letter)), blob);
    }
}

/// Stores of all three kinds: whole, of other families, and broken in every way.
fn stores() -> Home {
    let home = Home::new();
    let hub = |path: &str| format!("home/.cache/huggingface/hub/{path}");
    home.copy(&hub("models--acme--tiny/snapshots/abc123"), "none");
    home.file(&hub("models--acme--tiny/refs/main"), "abc123\n");
    // An older revision is not what `main` is.
    home.file(&hub("models--acme--tiny/snapshots/000/config.json"), "{}");
    home.copy(&hub("models--acme--other/snapshots/1"), "none");
    home.file(&hub("models--acme--other/snapshots/1/config.json"), "{\"model_type\": \"gpt2\"}");
    let header = tiny().header_alone();
    let of = |architecture: &str| header.clone().set("general.architecture", architecture).bytes();
    let part = |number| header.clone().set("split.no", Meta::U32(number)).set("split.count", Meta::U32(2)).bytes();
    home.file(&hub("models--acme--tiny-GGUF/snapshots/2/tiny-Q4_0.gguf"), header.bytes());
    home.file(&hub("models--acme--tiny-GGUF/snapshots/2/Q8_0/tiny-Q8_0-00001-of-00002.gguf"), part(0));
    home.file(&hub("models--acme--tiny-GGUF/snapshots/2/Q8_0/tiny-Q8_0-00002-of-00002.gguf"), part(1));
    home.file(&hub("models--acme--tiny-GGUF/snapshots/2/mmproj-tiny.gguf"), of("clip"));
    home.file(&hub("models--acme--gone/refs/main"), "9f9f");
    home.file(&hub("models--acme--words/snapshots/3/tokenizer.json"), "{}");
    home.copy(&hub("models--acme--torn/snapshots/4"), "none");
    home.file(&hub("models--acme--torn/snapshots/4/model.safetensors"), "torn");
    home.file(&hub("models--acme--half-GGUF/snapshots/5/half-00001-of-00002.gguf"), part(0));
    home.file(&hub("datasets--acme--words/snapshots/6/words.gguf"), header.bytes());
    let whole = tiny().bytes();
    ollama(&home, "registry.ollama.ai/library/gemma3/270m", 'a', whole.len(), Some(&whole));
    ollama(&home, "registry.ollama.ai/acme/tiny/latest", 'b', header.bytes().len(), Some(&header.bytes()));
    ollama(&home, "hf.co/acme/far/Q4_0", 'c', of("llama").len(), Some(&of("llama")));
    ollama(&home, "registry.ollama.ai/library/lost/1b", 'd', 4, None);
    ollama(&home, "registry.ollama.ai/library/short/1b", 'e', 4000, Some(b"GGUF"));
    ollama(&home, "registry.ollama.ai/library/alien/1b", '0', 4, Some(b"PK\x03\x04"));
    home.file("ollama/manifests/registry.ollama.ai/library/mad/1b", "{");
    home.file("ollama/manifests/registry.ollama.ai/library/cloud/1b", "{\"layers\": []}");
    let sly = "{\"layers\": [{\"mediaType\": \"application/vnd.ollama.image.model\", \"digest\": \"sha256:../../x\"}]}";
    home.file("ollama/manifests/registry.ollama.ai/library/sly/1b", sly);
    home.file("home/.lmstudio/models/acme/studio-GGUF/studio-Q6_K.gguf", header.bytes());
    home.file("home/.lmstudio/models/acme/studio-GGUF/torn-Q6_K.gguf", &header.bytes()[..900]);
    home.file("home/.lmstudio/settings.json", serde_json::json!({"downloadsFolder": home.path("moved")}).to_string());
    home.copy("moved/acme/tiny", "none");
    home
}

#[test]
fn what_other_programs_have_downloaded_is_listed() {
    let home = stores();
    let outcome = home.run(&["models", "list"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!("models_list", normalised(&outcome.stdout, &home));
    let listed: Value = serde_json::from_str(&home.run(&["models", "list", "--json"]).stdout).unwrap();
    let models = listed["models"].as_array().unwrap();
    assert_eq!(models.len(), outcome.stdout.lines().count() - 1);
    let of = |name: &str| models.iter().find(|model| model["name"] == name).unwrap();
    let tiny = of("acme/tiny");
    assert_eq!((&tiny["store"], &tiny["state"]), (&"hf".into(), &"usable".into()));
    assert_eq!(tiny["architecture"], "gemma4_unified");
    assert!(tiny["path"].as_str().unwrap().ends_with("abc123"), "{tiny}");
    assert_eq!(of("gemma3:270m")["path"], home.path(&format!("ollama/blobs/sha256-{}", hash('a'))).to_str().unwrap());
    let split = of("acme/tiny-GGUF/Q8_0/tiny-Q8_0-00001-of-00002.gguf");
    let part = home.path("home/.cache/huggingface/hub/models--acme--tiny-GGUF/snapshots/2/Q8_0");
    let part = part.join("tiny-Q8_0-00002-of-00002.gguf").metadata().unwrap().len();
    assert_eq!((&split["bytes"], &split["architecture"]), (&(2 * part).into(), &"gemma3".into()));
    assert_eq!(of("hf.co/acme/far:Q4_0")["state"], "not supported");
    assert!(of("acme/studio-GGUF/torn-Q6_K.gguf")["problem"].as_str().unwrap().contains("is damaged"));
    assert!(of("sly:1b")["problem"].as_str().unwrap().contains("where a sha256 digest should be"));
    assert_eq!(listed["looked_in"][1], home.path("ollama").to_str().unwrap());
}

#[test]
fn where_nothing_is_it_is_said_where_it_was_looked_for() {
    let home = Home::new();
    let outcome = home.run(&["models", "list"]);
    assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(0), 2), "{}", outcome.stdout);
    assert!(outcome.stderr.starts_with("note: no other models in "), "{}", outcome.stderr);
    for place in ["home/.cache/huggingface/hub", "ollama", "home/.lmstudio/models"] {
        assert!(outcome.stderr.contains(home.path(place).to_str().unwrap()), "{place}: {}", outcome.stderr);
    }
}

#[test]
fn stores_elsewhere_are_found_by_their_variables() {
    let home = Home::new();
    home.file("a/models--acme--one-GGUF/snapshots/1/one.gguf", tiny().bytes());
    home.file("b/hub/models--acme--two-GGUF/snapshots/1/two.gguf", tiny().bytes());
    home.file("c/manifests/registry.ollama.ai/library/three/1b", "{}");
    let list = |variables: &[(&str, &str)]| {
        let mut command = home.command(&["models", "list"]);
        command.envs(variables.iter().map(|(name, folder)| (name, home.path(folder))));
        finish(start(&mut command)).stdout
    };
    assert!(list(&[("HF_HUB_CACHE", "a")]).contains("acme/one-GGUF/one.gguf"));
    assert!(list(&[("HF_HOME", "b")]).contains("acme/two-GGUF/two.gguf"));
    assert!(list(&[("OLLAMA_MODELS", "c")]).contains("three:1b"));
}

/// The first error or answer of a model that is called so.
fn show(home: &Home, name: &str) -> Outcome {
    home.run(&["models", "show", name])
}

#[test]
fn a_model_is_called_by_its_name_or_a_part_of_it() {
    let home = stores();
    for name in ["hf:acme/tiny", "hf:tiny", "lmstudio:acme/tiny"] {
        let outcome = show(&home, name);
        assert_eq!(outcome.code, Some(0), "{name}: {}", outcome.stderr);
        let place = if name.starts_with("hf") { "abc123\n" } else { "moved/acme/tiny\n" };
        assert!(outcome.stdout.lines().next().unwrap().ends_with(place.trim_end()), "{}", outcome.stdout);
    }
    // Every command that takes a model takes a name, and a path comes first.
    let ask = |model: &str| {
        home.run(&["ask", "Hi", "--greedy", "--max-tokens", "3", "-q", "--adapter", "0", "--model", model])
    };
    let answer = ask("hf:tiny");
    assert_eq!((answer.code, answer.stdout), (Some(0), ask(MODEL).stdout), "{}", answer.stderr);
}

/// Its blobs have no ending, so it is the first bytes that tell what they are.
#[test]
fn a_model_of_ollama_is_shown_and_run_where_it_lies() {
    let home = stores();
    for name in ["gemma3:270m", "ollama:gemma3", "gemma3"] {
        let outcome = show(&home, name);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{name}");
        let first = outcome.stdout.lines().next().unwrap();
        assert_eq!(first, home.path(&format!("ollama/blobs/sha256-{}", hash('a'))).to_str().unwrap(), "{name}");
    }
    let ask = |more: &[&str]| {
        let args = ["ask", "ab a", "--greedy", "--max-tokens", "4", "-q", "--adapter", "0", "--model", "gemma3"];
        home.run(&[&args, more].concat())
    };
    let outcome = ask(&["--raw", "--json"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let stop: Value = serde_json::from_str(outcome.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&stop["tokens"], &stop["prompt_ids"][0]), (&4.into(), &2.into()));
    // It has no chat template; what to do then is said.
    let outcome = ask(&[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    assert!(outcome.stderr.contains("has no chat template"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("continue text as it stands with --raw"), "{}", outcome.stderr);
}

#[test]
fn names_that_are_not_clear_are_told_with_those_that_are_meant() {
    let home = stores();
    let mut sentences = String::new();
    for name in [
        "tiny",
        "acme/tiny",
        "gemna3",
        "lost",
        "hf:torn",
        "ollama:mad",
        "ollama:cloud",
        "nothing like it",
        "./tiny",
        "/tiny",
    ] {
        let outcome = show(&home, name);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{name}");
        sentences += &format!("$ percept models show {name}\n{}\n\n", normalised(&outcome.stderr, &home));
    }
    insta::assert_snapshot!("models_names", sentences);
}
