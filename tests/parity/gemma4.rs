use crate::compare::check_fixture;
use std::path::Path;

fn check(name: &str) {
    check_fixture(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name));
}

#[test]
fn the_fixture_of_every_day() {
    check("gemma4-tiny-s0");
}

/// As the size with 26 billion weights: experts, no per-layer embeddings, pictures both ways, no ears.
#[test]
fn the_fixture_with_experts() {
    check("gemma4_experts-tiny-s0");
}
