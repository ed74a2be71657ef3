//! The embedded model against the reference's states, recorded by `export.py --record` of its recipe.

use crate::compare::check_cases;
use std::path::Path;

#[test]
fn the_embedded_model_gives_the_references_states() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (model, recorded) = (root.join("assets/seedling/model"), root.join("tests/fixtures/seedling"));
    assert!(recorded.join("cases").is_dir(), "the cases of the embedded model are missing in {}", recorded.display());
    check_cases(&model, &recorded);
}
