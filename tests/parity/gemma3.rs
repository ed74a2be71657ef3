use crate::compare::check_fixture;
use crate::variant::Variant;
use percept::models::config;
use percept::models::gemma::Config;
use percept::weights::Checkpoint;
use serde_json::json;
use std::path::Path;

const FIXTURE: &str = "gemma3-tiny-s0";

#[test]
fn the_fixture_of_every_day() {
    check_fixture(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(FIXTURE));
}

fn read(variant: &Variant) -> Config {
    config(&Checkpoint::open(variant.write(&[]).path()).unwrap()).unwrap()
}

#[test]
fn the_older_spelling_of_configs_means_the_same() {
    let known = read(&Variant::of(FIXTURE));
    for kind in ["rope_type", "type"] {
        let mut older = Variant::of(FIXTURE);
        let fields = older.config.as_object_mut().unwrap();
        for newer in ["rope_parameters", "layer_types", "_sliding_window_pattern"] {
            fields.remove(newer).unwrap();
        }
        let spelled = json!({
            "rope_theta": 1_000_000, "rope_local_base_freq": 10_000.0, "rope_scaling": {kind: "linear", "factor": 8.0},
            "sliding_window_pattern": 3, "query_pre_attn_scalar": 20,
        });
        fields.extend(spelled.as_object().unwrap().clone());
        assert_eq!(read(&older), known, "{kind}");
        if kind == "type" {
            check_fixture(older.write(&["text", "long_text"]).path());
        }
    }
}

/// As published and saved again by the library: `language_model.` in front, a tied head kept beside the embedding.
#[test]
fn a_vision_tower_and_names_as_published_give_the_same() {
    let mut published = Variant::of(FIXTURE);
    published.nest_config();
    published.rename("model.", "language_model.model.");
    published.copy("language_model.model.embed_tokens.weight", "language_model.lm_head.weight", 1.0);
    published.add_vision_tower("");
    assert!(read(&published).idle_vision);
    check_fixture(published.write(&["text"]).path());
}

/// As the model class has them, with a head of its own that holds the same.
#[test]
fn a_vision_tower_and_names_of_the_class_give_the_same() {
    let mut own = Variant::of(FIXTURE);
    own.nest_config();
    own.config["tie_word_embeddings"] = false.into();
    own.rename("model.", "model.language_model.");
    own.copy("model.language_model.embed_tokens.weight", "lm_head.weight", 1.0);
    own.add_vision_tower("model.");
    let known = read(&own);
    assert!(known.idle_vision && !known.tied);
    check_fixture(own.write(&["text"]).path());
}
