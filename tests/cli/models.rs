//! `percept models`, and models that are called by name.

use crate::support::{Home, MODEL, Outcome, finish, normalised, start};
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
    home.file(&hub("models--acme--tiny-GGUF/snapshots/2/tiny-Q4_0.gguf"), "GGUF, the rest of it");
    home.file(&hub("models--acme--tiny-GGUF/snapshots/2/Q8_0/tiny-Q8_0-00001-of-00002.gguf"), "GGUF");
    home.file(&hub("models--acme--tiny-GGUF/snapshots/2/Q8_0/tiny-Q8_0-00002-of-00002.gguf"), "GGUF");
    home.file(&hub("models--acme--tiny-GGUF/snapshots/2/mmproj-tiny.gguf"), "GGUF");
    home.file(&hub("models--acme--gone/refs/main"), "9f9f");
    home.file(&hub("models--acme--words/snapshots/3/tokenizer.json"), "{}");
    home.copy(&hub("models--acme--torn/snapshots/4"), "none");
    home.file(&hub("models--acme--torn/snapshots/4/model.safetensors"), "torn");
    home.file(&hub("models--acme--half-GGUF/snapshots/5/half-00001-of-00002.gguf"), "GGUF");
    home.file(&hub("datasets--acme--words/snapshots/6/words.gguf"), "GGUF");
    ollama(&home, "registry.ollama.ai/library/gemma3/270m", 'a', 8, Some(b"GGUFGGUF"));
    ollama(&home, "registry.ollama.ai/acme/tiny/latest", 'b', 9, Some(b"GGUFGGUF."));
    ollama(&home, "hf.co/acme/far/Q4_0", 'c', 4, Some(b"GGUF"));
    ollama(&home, "registry.ollama.ai/library/lost/1b", 'd', 4, None);
    ollama(&home, "registry.ollama.ai/library/short/1b", 'e', 4000, Some(b"GGUF"));
    ollama(&home, "registry.ollama.ai/library/alien/1b", '0', 4, Some(b"PK\x03\x04"));
    home.file("ollama/manifests/registry.ollama.ai/library/mad/1b", "{");
    home.file("ollama/manifests/registry.ollama.ai/library/cloud/1b", "{\"layers\": []}");
    let sly = "{\"layers\": [{\"mediaType\": \"application/vnd.ollama.image.model\", \"digest\": \"sha256:../../x\"}]}";
    home.file("ollama/manifests/registry.ollama.ai/library/sly/1b", sly);
    home.file("home/.lmstudio/models/acme/studio-GGUF/studio-Q6_K.gguf", "GGUF of the studio");
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
    assert_eq!(of("acme/tiny-GGUF/Q8_0/tiny-Q8_0-00001-of-00002.gguf")["bytes"], 8);
    assert!(of("sly:1b")["problem"].as_str().unwrap().contains("where a sha256 digest should be"));
    assert_eq!(listed["looked_in"][1], home.path("ollama").to_str().unwrap());
}

#[test]
fn where_nothing_is_it_is_said_where_it_was_looked_for() {
    let home = Home::new();
    let outcome = home.run(&["models", "list"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""));
    assert!(outcome.stderr.starts_with("note: no models in "), "{}", outcome.stderr);
    for place in ["home/.cache/huggingface/hub", "ollama", "home/.lmstudio/models"] {
        assert!(outcome.stderr.contains(home.path(place).to_str().unwrap()), "{place}: {}", outcome.stderr);
    }
}

#[test]
fn stores_elsewhere_are_found_by_their_variables() {
    let home = Home::new();
    home.file("a/models--acme--one-GGUF/snapshots/1/one.gguf", "GGUF");
    home.file("b/hub/models--acme--two-GGUF/snapshots/1/two.gguf", "GGUF");
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
