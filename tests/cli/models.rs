//! `percept models show`.

use crate::support::{Home, MODEL};
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
