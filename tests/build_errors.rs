//! What the build says about a shader that is wrong: `build.rs` itself, over broken files.

#[allow(dead_code)]
#[path = "../build.rs"]
mod build;

use std::fs;

/// What the build says about a file of this text, which may include `shared/half.wgsl`.
fn said(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("shared")).unwrap();
    fs::write(folder.path().join("shared/half.wgsl"), "fn half(x: f32) -> f32 { return x * 0.5; }\n").unwrap();
    let file = folder.path().join("broken.wgsl");
    fs::write(&file, text).unwrap();
    let outcome = build::join(&file).and_then(|joined| joined.iter().try_for_each(|j| build::validate(j).map(drop)));
    outcome.err().unwrap_or_default()
}

const HEAD: &str = "//include shared/half.wgsl\n@group(0) @binding(0) var<storage, read_write> y: array<f32>;\n";

#[test]
fn a_sound_shader_passes() {
    assert_eq!(said(&format!("{HEAD}@compute @workgroup_size(1) fn main() {{ y[0] = half(y[1]); }}\n")), "");
}

#[test]
fn a_mistake_is_named_by_file_line_and_caret() {
    let problem = said(&format!("{HEAD}@compute @workgroup_size(1) fn main() {{\n    y[0] = halve(y[1]);\n}}\n"));
    assert!(problem.starts_with("shader broken:"), "{problem}");
    assert!(problem.contains("broken.wgsl:4:12") && problem.contains("halve") && problem.contains('^'), "{problem}");
}

#[test]
fn an_invalid_type_is_named_by_line() {
    let problem = said(&format!("{HEAD}@compute @workgroup_size(1) fn main() {{\n    y[0] = half(1u);\n}}\n"));
    assert!(problem.contains("broken.wgsl:4:") && problem.contains('^'), "{problem}");
}

#[test]
fn a_missing_include_or_entry_point_is_named() {
    let missing = said("//include shared/none.wgsl\n");
    assert!(missing.contains("broken.wgsl") && missing.contains("shared/none.wgsl"), "{missing}");
    let entry = said(&format!("{HEAD}@compute @workgroup_size(1) fn start() {{ y[0] = 1.0; }}\n"));
    assert!(entry.contains("broken.wgsl") && entry.contains("one entry point named main"), "{entry}");
    let loader = said("//each half\n");
    assert!(loader.contains("half is no loader"), "{loader}");
}
