//! `percept models remove`.

use crate::gguf::tiny;
use crate::hub::{COMMIT, Hub, ID, OTHER, blobs, checksum, noise, snapshot};
use crate::support::Home;

fn remove(home: &Home, name: &str) -> crate::support::Outcome {
    home.run(&["models", "remove", name, "--yes"])
}

#[test]
fn a_model_and_everything_of_it() {
    let (home, hub) = (Home::new(), Hub::of_fixture());
    assert_eq!(hub.pull(&home, &[ID]).code, Some(0));
    let outcome = home.run(&["models", "remove", ID]);
    assert_eq!(outcome.code, Some(2));
    let asked =
        "remove acme/tiny with all its revisions and free 1.20 MB? Nobody is there to answer; say so with --yes";
    assert!(outcome.stderr.contains(asked), "{}", outcome.stderr);
    assert!(snapshot(&home, COMMIT, "config.json").exists());
    // A part of the name does, as everywhere.
    let outcome = remove(&home, "tiny");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("removed acme/tiny with all its revisions, 1.20 MB are free again"));
    let left: Vec<_> = std::fs::read_dir(home.path("home/.cache/huggingface/hub")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let outcome = remove(&home, ID);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("no model is called so"), "{}", outcome.stderr);
}

#[test]
fn a_revision_without_what_another_shows() {
    let home = Home::new();
    let (shared, own) = (noise(50_000), noise(60_000));
    let config: (&str, &[u8]) = ("config.json", b"{\"model_type\": \"gemma3_text\"}");
    let hub = Hub::new(&[config, ("model.safetensors", &shared), ("tokenizer.json", b"{}")]);
    hub.commit(OTHER, &[config, ("model.safetensors", &shared), ("tokenizer.json", &own)]);
    assert_eq!(hub.pull(&home, &[ID]).code, Some(0));
    assert_eq!(hub.pull(&home, &[&format!("{ID}@{OTHER}")]).code, Some(0));
    assert_eq!(blobs(&home).len(), 4);
    let outcome = remove(&home, &format!("{ID}@{OTHER}"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("60.00 kB are free again; 50.03 kB stay"), "{}", outcome.stderr);
    assert!(!snapshot(&home, OTHER, "").exists());
    assert_eq!(blobs(&home).len(), 3);
    assert_eq!(std::fs::read(snapshot(&home, COMMIT, "model.safetensors")).unwrap(), shared);
    let outcome = remove(&home, &format!("{ID}@{OTHER}"));
    assert!(outcome.stderr.contains("the cache has no revision"), "{}", outcome.stderr);
    assert_eq!(remove(&home, &format!("{ID}@main")).code, Some(0));
    assert!(!home.path("home/.cache/huggingface/hub/models--acme--tiny").exists());
}

#[test]
fn one_gguf_model_of_several() {
    let home = Home::new();
    let small = tiny().bytes();
    let mut other = tiny();
    let other = other.set("general.name", "other").bytes();
    let hub = Hub::new(&[("tiny-Q4_0.gguf", &small), ("tiny-Q8_0.gguf", &other), ("LICENSE", b"terms")]);
    for quantisation in ["Q4_0", "Q8_0"] {
        assert_eq!(hub.pull(&home, &[&format!("{ID}:{quantisation}")]).code, Some(0));
    }
    let outcome = remove(&home, &format!("{ID}:q4_0"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("removed acme/tiny/tiny-Q4_0.gguf, "), "{}", outcome.stderr);
    assert!(!snapshot(&home, COMMIT, "tiny-Q4_0.gguf").is_symlink());
    assert!(!blobs(&home).contains(&checksum(&small)));
    assert!(snapshot(&home, COMMIT, "tiny-Q8_0.gguf").exists() && snapshot(&home, COMMIT, "LICENSE").exists());
    // With the last one the rest goes.
    assert_eq!(remove(&home, "tiny-Q8_0.gguf").code, Some(0));
    assert!(!home.path("home/.cache/huggingface/hub/models--acme--tiny").exists());
}

#[test]
fn what_belongs_to_other_programs_stays() {
    let home = Home::new();
    let file = home.file("home/.lmstudio/models/acme/tiny-GGUF/tiny-Q4_0.gguf", tiny().bytes());
    let digest = "a".repeat(64);
    let manifest = serde_json::json!({"layers": [
        {"mediaType": "application/vnd.ollama.image.model", "digest": format!("sha256:{digest}")}]});
    home.file("ollama/manifests/registry.ollama.ai/library/gemma3/270m", manifest.to_string());
    let blob = home.file(&format!("ollama/blobs/sha256-{digest}"), tiny().bytes());
    let outcome = remove(&home, "gemma3:270m");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("belongs to Ollama; remove it there: ollama rm gemma3:270m"), "{}", outcome.stderr);
    let outcome = remove(&home, "tiny-GGUF");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("belongs to LM Studio; remove it there"), "{}", outcome.stderr);
    assert!(file.exists() && blob.exists());
}

#[test]
fn a_link_that_leads_elsewhere_frees_nothing_there() {
    let home = Home::new();
    let precious = home.file("precious", "keep me");
    let at = |path: &str| format!("home/.cache/huggingface/hub/models--acme--tiny/{path}");
    home.file(&at("snapshots/1/config.json"), "{}");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&precious, home.path(&at("snapshots/1/model.safetensors"))).unwrap();
    let outcome = remove(&home, ID);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(precious.exists() && !home.path(&at("snapshots")).exists());
}
