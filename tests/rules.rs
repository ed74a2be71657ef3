//! The order of levels, the pairs of names and the heads of shaders: what no compiler holds.
//! Each rule is a function from files to complaints, tried below on texts that break it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Top to bottom. A module may use those of the rows below its own; those of one row do not know each other.
const LEVELS: &[&[&str]] = &[
    &["trace", "bench", "encode", "hearing", "self_test"],
    &["session"],
    &["models", "speech"],
    &["kernels", "media", "text"],
    &["weights"],
    &["gpu"],
];
/// What all levels may use of the root: errors, and the folder of caches.
const FOR_ALL: &[&str] = &["error", "Error", "Result", "Blame", "cache_dir"];
/// The table that the build writes; it belongs to the kernels.
const SHADERS: &str = "shaders";
const MOST_LINES: usize = 600;

struct File {
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Text files below a folder, paths relative to the root and with `/`.
fn files(folder: &str, endings: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| path.extension().is_some_and(|e| e == *ending)) {
                let relative = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                found.push(File { path: relative, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn check(complaints: impl IntoIterator<Item = String>) {
    let all: Vec<String> = complaints.into_iter().collect();
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

fn stem(path: &str) -> &str {
    path.rsplit('/').next().unwrap().split('.').next().unwrap()
}

// Levels.

/// The first names of all paths from the crate's root, with their line numbers.
fn paths_from_root(file: &File) -> Vec<(usize, String)> {
    let code: String = file.text.lines().map(|line| line.split("//").next().unwrap().to_string() + "\n").collect();
    let depth = file.path.split('/').count() - 1 - usize::from(file.path.ends_with("/mod.rs"));
    let above = "super::".repeat(depth);
    let mut found = Vec::new();
    for opening in ["crate::", &above] {
        for (at, _) in code.match_indices(opening).filter(|_| !opening.is_empty()) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let names = first_names(&code[at + opening.len()..]);
            // In a module at the root, `super` may also be that of an inline module of its own.
            let known = |name: &String| opening == "crate::" || level(name).is_some();
            found.extend(names.into_iter().filter(known).map(|name| (line, name)));
        }
    }
    found
}

/// `gpu` of `gpu::Array`, and `gpu`, `error` of `{gpu::{Array, Plan}, error::Result}`.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(list) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&list[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|n: &String| !n.is_empty());
    names
}

fn level(module: &str) -> Option<usize> {
    LEVELS.iter().position(|row| row.contains(&module))
}

fn levels(file: &File) -> Vec<String> {
    let own = stem(file.path.split('/').nth(1).unwrap());
    if FOR_ALL.contains(&own) || own == "lib" {
        let upward = paths_from_root(file).into_iter().filter(|(_, name)| own != "lib" && level(name).is_some());
        return upward.map(|(line, name)| format!("{}:{line}: {own} is for all and uses {name}", file.path)).collect();
    }
    let Some(own_level) = level(own) else {
        return vec![format!("{}: {own} stands in no row of LEVELS in tests/rules.rs", file.path)];
    };
    let allowed = |name: &str| {
        let place = if name == SHADERS { level("kernels") } else { level(name) };
        name == own
            || FOR_ALL.contains(&name)
            || place.is_some_and(|p| p > own_level)
            || (name == SHADERS && own == "kernels")
    };
    let upward = paths_from_root(file).into_iter().filter(|(_, name)| !allowed(name));
    upward.map(|(line, name)| format!("{}:{line}: {own} must not know {name}", file.path)).collect()
}

#[test]
fn levels_know_only_those_below() {
    check(files("engine", &["rs"]).iter().flat_map(levels));
}

#[test]
fn levels_are_told_apart() {
    let of = |path: &str, text: &str| levels(&File { path: path.into(), text: text.into() }).len();
    assert_eq!(of("engine/gpu/plan.rs", "use crate::error::Result;\nuse super::Gpu;\n// crate::kernels\n"), 0);
    assert_eq!(of("engine/gpu/plan.rs", "use crate::kernels::matvec;"), 1);
    assert_eq!(of("engine/gpu/plan.rs", "use crate::{error::{Error, Result}, models::Model, weights};"), 2);
    assert_eq!(of("engine/gpu/plan.rs", "fn f() { super::super::session::run() }"), 1);
    assert_eq!(of("engine/gpu/mod.rs", "use super::weights::Checkpoint;"), 1);
    assert_eq!(of("engine/gpu/mod.rs", "mod tests { use super::*; use super::Gpu; }"), 0);
    assert_eq!(of("engine/gpu/plan.rs", "use crate::Session;"), 1);
    assert_eq!(of("engine/kernels/rope.rs", "use crate::{gpu::Array, shaders};"), 0);
    assert_eq!(of("engine/kernels/rope.rs", "use crate::media::Picture;"), 1);
    assert_eq!(of("engine/text/mod.rs", "use crate::shaders;"), 1);
    assert_eq!(of("engine/models/gemma3.rs", "use crate::{kernels, weights::Checkpoint, shaders};"), 0);
    assert_eq!(of("engine/error.rs", "use crate::gpu::Gpu;"), 1);
    assert_eq!(of("engine/helpers.rs", ""), 1);
}

fn uses_wgpu(file: &File) -> Vec<String> {
    let named = |line: &str| line.split("//").next().unwrap().match_indices("wgpu").any(|(at, _)| names_it(line, at));
    let lines = file.text.lines().enumerate().filter(|(_, line)| named(line));
    lines.map(|(i, _)| format!("{}:{}: wgpu belongs to engine/gpu/", file.path, i + 1)).collect()
}

/// Whether `wgpu` at this place is the crate: followed by `::`, or behind `use`.
fn names_it(line: &str, at: usize) -> bool {
    let whole = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let behind = &line[at + 4..];
    whole && (behind.starts_with("::") || line[..at].trim_end().ends_with("use") && !behind.starts_with('_'))
}

#[test]
fn wgpu_is_known_to_the_gpu_level_alone() {
    let outside = |file: &&File| !file.path.starts_with("engine/gpu/");
    let all: Vec<File> = files("engine", &["rs"]).into_iter().chain(files("app", &["rs"])).collect();
    check(all.iter().filter(outside).flat_map(uses_wgpu));
    let of = |text: &str| uses_wgpu(&File { path: "app/main.rs".into(), text: text.into() }).len();
    assert_eq!(
        (of("let x = wgpu::Limits;"), of("use wgpu as w;"), of("// wgpu::Limits"), of("my_wgpu::x")),
        (1, 1, 0, 0)
    );
}

// Families.

/// Where a family's name may stand: its own code, the tokenizers that GGUF files call alike, models that are there by name.
const KNOW_FAMILIES: [&str; 4] =
    ["engine/models/", "engine/text/gguf.rs", "app/hub/catalogue.rs", "app/store/seedling.rs"];

/// Names of families in code, neither in comments nor in tests.
fn names_families(file: &File, families: &[String]) -> Vec<String> {
    let code = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines().enumerate();
    let named =
        |line: &str| families.iter().any(|name| line.split("//").next().unwrap().contains(&format!("\"{name}\"")));
    let lines = code.filter(|(_, line)| named(line));
    lines.map(|(i, _)| format!("{}:{}: only engine/models/ knows families by name", file.path, i + 1)).collect()
}

#[test]
fn a_family_is_known_to_the_models_alone() {
    let models = files("engine/models", &["rs"]);
    let name = |line: &str| Some(line.trim().strip_prefix("const NAME: &str = \"")?.strip_suffix("\";")?.to_string());
    let families: Vec<String> = models.iter().flat_map(|file| file.text.lines().filter_map(name)).collect();
    assert!(families.len() >= 3, "{families:?}");
    let outside = |file: &&File| !KNOW_FAMILIES.iter().any(|place| file.path.starts_with(place));
    let all: Vec<File> = files("engine", &["rs"]).into_iter().chain(files("app", &["rs"])).collect();
    check(all.iter().filter(outside).flat_map(|file| names_families(file, &families)));
    let of = |text: &str| names_families(&File { path: "app/main.rs".into(), text: text.into() }, &families).len();
    assert_eq!((of("if name == \"gemma3\" {"), of("// \"gemma3\""), of("try gemma-3-4b")), (1, 0, 0));
    assert_eq!(of("#[cfg(test)]\nmod tests;\nlet name = \"gemma3\";"), 1);
    assert_eq!(of("#[cfg(test)]\nmod tests {\nlet name = \"gemma3\";"), 0);
}

// Pairs of names.

fn stems(files: &[File]) -> BTreeSet<&str> {
    files.iter().map(|file| stem(&file.path)).filter(|name| *name != "mod" && *name != "main").collect()
}

/// The twin of a shader: the longest whose name begins the shader's.
fn twin_of<'a>(shader: &str, twins: &BTreeSet<&'a str>) -> Option<&'a str> {
    let begins =
        |twin: &&&str| shader.strip_prefix(**twin).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    twins.iter().filter(begins).max_by_key(|twin| twin.len()).copied()
}

/// Files of engine/kernels/ that serve the twins.
const NO_TWINS: &[&str] = &["case"];

fn pairs(twins: &[File], shaders: &[File], tests: &[File]) -> Vec<String> {
    let (mut names, tested) = (stems(twins), stems(tests));
    names.retain(|name| !NO_TWINS.contains(name));
    let text = |all: &[File], end: &str| all.iter().find(|f| f.path.ends_with(end)).map_or("", |f| &f.text).to_string();
    let (list, main) = (text(twins, "/mod.rs"), text(tests, "/main.rs"));
    let declared = |text: &str, name: &str| {
        text.lines().any(|line| line.trim_end().strip_suffix(&format!("mod {name};")).is_some_and(|v| v.len() < 12))
    };
    let mut complaints = Vec::new();
    let served: BTreeSet<&str> = shaders.iter().filter_map(|s| twin_of(stem(&s.path), &names)).collect();
    for shader in shaders.iter().filter(|s| twin_of(stem(&s.path), &names).is_none()) {
        complaints.push(format!("{}: no twin in engine/kernels/ has a name that begins this one", shader.path));
    }
    for twin in names {
        if !declared(&list, twin) {
            complaints.push(format!("engine/kernels/{twin}.rs: no line in engine/kernels/mod.rs"));
        }
        if !text(twins, &format!("/{twin}.rs")).contains("pub fn cases() -> Vec<Case>") {
            complaints.push(format!("engine/kernels/{twin}.rs: no cases() for self-test and benches"));
        }
        if !list.contains(&format!("{twin}::cases()")) {
            complaints.push(format!("engine/kernels/{twin}.rs: its cases stand not in those of engine/kernels/mod.rs"));
        }
        if !served.contains(twin) {
            complaints.push(format!("engine/kernels/{twin}.rs: no shader bears its name"));
        }
        if !tested.contains(twin) {
            complaints.push(format!("engine/kernels/{twin}.rs: no tests/kernels/{twin}.rs"));
        }
    }
    for name in tested.iter().filter(|name| !declared(&main, name)) {
        complaints.push(format!("tests/kernels/{name}.rs: no line in tests/kernels/main.rs, so it is never run"));
    }
    complaints
}

#[test]
fn shaders_twins_and_tests_come_in_pairs() {
    let mut shaders = files("shaders", &["wgsl"]);
    shaders.retain(|file| !file.path.starts_with("shaders/shared/"));
    assert!(!shaders.is_empty());
    check(pairs(&files("engine/kernels", &["rs"]), &shaders, &files("tests/kernels", &["rs"])));

    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let list = "pub mod rope;\nmod matmul;\nfn cases() { rope::cases() }\n";
    let cases = "pub fn cases() -> Vec<Case> {}";
    let twins = [file("engine/kernels/mod.rs", list), file("engine/kernels/rope.rs", cases)];
    let tests = [file("tests/kernels/main.rs", "mod rope;\n"), file("tests/kernels/rope.rs", "")];
    let shader = [file("shaders/rope_f16.wgsl", "")];
    assert_eq!(pairs(&twins, &shader, &tests), Vec::<String>::new());
    assert_eq!(pairs(&twins, &[file("shaders/ropes.wgsl", "")], &tests).len(), 2);
    assert_eq!(pairs(&twins[1..], &shader, &tests).len(), 2);
    assert_eq!(
        pairs(&[file("engine/kernels/mod.rs", list), file("engine/kernels/rope.rs", "")], &shader, &tests).len(),
        1
    );
    let bare = file("engine/kernels/mod.rs", "pub mod rope;\n");
    assert_eq!(pairs(&[bare, file("engine/kernels/rope.rs", cases)], &shader, &tests).len(), 1);
    assert_eq!(pairs(&twins, &shader, &tests[..1]).len(), 1);
    assert_eq!(pairs(&twins, &shader, &tests[1..]).len(), 1);
}

// Heads of shaders.

/// Name and whether it is written, of each storage buffer and texture, as declared.
fn bindings(shader: &File) -> Vec<(String, bool)> {
    let declared = shader.text.lines().filter(|line| line.starts_with("@group(0) @binding("));
    let buffer = |line: &str| {
        let (access, name) = line.split_once("var<storage, ")?.1.split_once('>')?;
        Some((name.split(':').next()?.trim().to_string(), access == "read_write"))
    };
    let texture = |line: &str| {
        let (name, kind) = line.split_once(" var ")?.1.split_once(": texture_")?;
        Some((name.to_string(), kind.contains("write")))
    };
    declared.filter_map(|line| buffer(line).or_else(|| texture(line))).collect()
}

/// `// name: formula`, a line for each storage buffer and texture with its access at the end or at the end of a part of it
/// (`read`, `write`, `read and write`), `// grid`, `// needs`, in this order.
fn head(shader: &File) -> Vec<String> {
    let head: Vec<&str> = shader.text.lines().map_while(|line| line.strip_prefix("//")).collect();
    let complain = |what: &str| format!("{}: {what} (STYLE: the head of a shader)", shader.path);
    let mut complaints = Vec::new();
    let name = stem(&shader.path);
    let formula = head.first().and_then(|line| line.trim().strip_prefix(&format!("{name}: ")));
    if formula.is_none_or(|formula| formula.len() < 10) {
        complaints.push(complain(&format!("the first line is not `// {name}: formula`")));
    }
    let place = |word: &str| head.iter().position(|line| line.split_whitespace().next() == Some(word));
    let part = |word: &str| place(word).filter(|i| head[*i].split_whitespace().count() > 1);
    let (grid, needs) = (part("grid"), part("needs"));
    if grid.is_none() || needs.is_none() || grid > needs {
        complaints.push(complain("the head lacks `grid` and then `needs`"));
    }
    let bindings = bindings(shader);
    let ends: Vec<usize> = bindings.iter().filter_map(|(name, _)| place(name)).chain(grid).collect();
    for (name, writes) in &bindings {
        let Some(start) = place(name).filter(|start| grid.is_none_or(|grid| *start < grid)) else {
            complaints.push(complain(&format!("no line before `grid` for the binding {name}")));
            continue;
        };
        let end = ends.iter().filter(|end| **end > start).min().copied().unwrap_or(head.len());
        let words: BTreeSet<&str> =
            head[start..end].iter().flat_map(|line| line.split(|c: char| !c.is_alphanumeric())).collect();
        let wanted = if *writes { "write" } else { "read" };
        if !words.contains(wanted) || (!*writes && words.contains("write")) {
            complaints.push(complain(&format!("the line of {name} does not say `{wanted}`")));
        }
    }
    complaints
}

#[test]
fn shaders_have_whole_heads() {
    let shaders = files("shaders", &["wgsl"]);
    check(shaders.iter().filter(|file| !file.path.starts_with("shaders/shared/")).flat_map(head));

    let whole = "// rope: y = x turned by its angle\n//   x  [rows] f32   read\n//   y  [rows] f32   write\n\
        // grid   (rows, 1, 1)\n// needs  nothing optional\n\
        @group(0) @binding(1) var<storage, read> x: array<f32>;\n\
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;\n";
    let of = |text: &str| head(&File { path: "shaders/rope.wgsl".into(), text: text.into() }).len();
    assert_eq!(of(whole), 0);
    for (part, other) in [
        ("rope: ", "turn: "),
        ("   read", ""),
        ("   write", "   read"),
        ("//   x ", "//   z "),
        ("// grid ", "// size "),
        ("// needs  nothing optional", "// needs"),
        ("read> x", "read_write> x"),
        ("read_write> y", "read> y"),
    ] {
        assert!(whole.contains(part) && of(&whole.replace(part, other)) > 0, "{part:?} may be {other:?}");
    }
}

// Files.

#[test]
fn every_file_of_a_test_folder_is_run() {
    let mut complaints = Vec::new();
    let all = files("tests", &["rs"]);
    for main in all.iter().filter(|file| file.path.ends_with("/main.rs")) {
        let folder = main.path.strip_suffix("main.rs").unwrap();
        for file in all.iter().filter(|file| file.path != main.path) {
            let Some(inside) = file.path.strip_prefix(folder).filter(|inside| !inside.contains('/')) else {
                continue;
            };
            if !main.text.contains(&format!("mod {};", stem(inside))) {
                complaints.push(format!("{}: no line in {}, so it is never run", file.path, main.path));
            }
        }
    }
    check(complaints);
}

#[test]
fn files_are_short() {
    let all = ["engine", "app", "shaders"].into_iter().flat_map(|folder| files(folder, &["rs", "wgsl"]));
    let lines = all.map(|file| (file.text.lines().count(), file.path));
    check(
        lines
            .filter(|(n, _)| *n > MOST_LINES)
            .map(|(n, path)| format!("{path}: {n} lines, more than {MOST_LINES}: look for the seam")),
    );
}

/// Nothing shipped knows the folders of one machine. `.ci/run` and the tests' support may.
#[test]
fn nothing_shipped_names_a_folder_of_one_machine() {
    let endings = ["rs", "wgsl", "md", "toml", "yml", "json", "py"];
    let mut shipped: Vec<File> = ["engine", "app", "shaders", "assets", "benches", "tests", "docs"]
        .into_iter()
        .filter(|folder| root().join(folder).is_dir())
        .flat_map(|folder| files(folder, &endings))
        .collect();
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_file() && name != "Cargo.lock" && !name.starts_with(".git") {
            shipped.push(File { path: name, text: String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned() });
        }
    }
    assert!(shipped.len() > 10);
    let words = [concat!("/", "work/"), concat!("/", "tmp/"), concat!("..", "/shared")];
    let support = |file: &File| file.path.ends_with("support.rs") || file.path.starts_with("tests/support/");
    let mut complaints = Vec::new();
    for file in shipped.iter().filter(|file| !support(file)) {
        for (i, line) in file.text.lines().enumerate() {
            complaints.extend(
                words
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{}:{}: {word} is a folder of one machine", file.path, i + 1)),
            );
        }
    }
    check(complaints);
}
