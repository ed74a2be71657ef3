use crate::compare::check_fixture;
use std::path::Path;

#[test]
fn the_fixture_of_every_day() {
    check_fixture(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4-tiny-s0"));
}
