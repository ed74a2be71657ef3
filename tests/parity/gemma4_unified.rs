use crate::compare::check_fixture;
use std::path::Path;

#[test]
fn the_fixture_of_every_day() {
    check_fixture(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4_unified-tiny-s0"));
}

/// Further fixtures, by folders in `PERCEPT_FIXTURES` separated by colons.
#[test]
fn other_fixtures() {
    let Some(list) = std::env::var_os("PERCEPT_FIXTURES") else {
        println!("PERCEPT_FIXTURES names no further fixtures: nothing more to compare");
        return;
    };
    std::env::split_paths(&list).for_each(|folder| check_fixture(&folder));
}
