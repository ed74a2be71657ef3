//! Joins the includes of every shader, validates it with naga, checks its uniforms against the Rust structs of the
//! same name, and writes the embedded table `shaders.rs`. An invalid shader fails the build with file, line and caret.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A kernel file after joining: `matvec_bf16` from `matvec.wgsl` and `load_bf16.wgsl`.
pub struct Joined {
    name: String,
    file: PathBuf,
    text: String,
}

fn main() {
    println!("cargo:rerun-if-changed=shaders");
    println!("cargo:rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap());
    let twins = twins(&root.join("engine/kernels"));
    let mut table = String::from("// Written by build.rs.\nuse crate::gpu::{Binding, Shader};\n");
    let mut checks = String::new();
    let mut names = Vec::new();
    for file in files(&root.join("shaders"), "wgsl") {
        let variants = join(&file).unwrap_or_else(|problem| fail(&problem));
        for (index, joined) in variants.iter().enumerate() {
            let (module, subgroup) = validate(joined).unwrap_or_else(|problem| fail(&problem));
            let twin = twins
                .iter()
                .filter(|t| joined.name == **t || joined.name.starts_with(&format!("{t}_")))
                .max_by_key(|t| t.len())
                .unwrap_or_else(|| {
                    fail(&format!("{}: no twin in engine/kernels has a name that begins this file's", file.display()))
                });
            if index == 0 {
                checks += &uniform_checks(&module, twin, &joined.name);
            }
            table += &entry(joined, &module, subgroup);
            names.push(joined.name.to_uppercase());
        }
    }
    let list = names.join(", &");
    writeln!(table, "/// Every shader.\npub static ALL: &[&Shader] = &[&{list}];").unwrap();
    table += &checks;
    fs::write(PathBuf::from(env::var("OUT_DIR").unwrap()).join("shaders.rs"), table).unwrap();
}

fn fail(problem: &str) -> ! {
    for line in problem.lines() {
        println!("cargo:warning={line}");
    }
    panic!("{problem}");
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    found
}

fn twins(folder: &Path) -> Vec<String> {
    println!("cargo:rerun-if-changed={}", folder.display());
    files(folder, "rs").iter().map(|f| f.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// The file with its snippets behind it, once for each loader of its `//each` line. `enable` lines go to the front of
/// the first line, so that line numbers stay those of the file.
pub fn join(file: &Path) -> Result<Vec<Joined>, String> {
    let body = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
    let mut snippets = String::new();
    let mut loaders = Vec::new();
    for line in body.lines() {
        if let Some(path) = line.strip_prefix("//include ") {
            snippets += &snippet(file, path.trim())?;
        } else if let Some(list) = line.strip_prefix("//each ") {
            loaders = list.split_whitespace().collect();
        }
    }
    if loaders.is_empty() {
        return Ok(vec![Joined { name: stem, file: file.into(), text: hoist(&format!("{body}{snippets}")) }]);
    }
    loaders
        .iter()
        .map(|loader| {
            let format = loader.strip_prefix("load_").ok_or(format!("{}: {loader} is no loader", file.display()))?;
            let mut loads = snippet(file, &format!("shared/{loader}.wgsl"))?;
            for path in loads.clone().lines().filter_map(|line| line.strip_prefix("//include ")) {
                loads += &snippet(file, path.trim())?;
            }
            let text = hoist(&format!("{body}{snippets}{loads}"));
            Ok(Joined { name: format!("{stem}_{format}"), file: file.into(), text })
        })
        .collect()
}

fn snippet(file: &Path, path: &str) -> Result<String, String> {
    let full = file.parent().unwrap().join(path);
    fs::read_to_string(&full).map_err(|e| format!("{}: include {path}: {e}", file.display()))
}

fn hoist(text: &str) -> String {
    let mut enables: Vec<&str> = text.lines().filter(|l| l.starts_with("enable ")).collect();
    enables.dedup();
    let rest: Vec<&str> = text.lines().map(|l| if l.starts_with("enable ") { "" } else { l }).collect();
    let front = enables.iter().map(|l| format!("{l} ")).collect::<String>();
    format!("{front}{}\n", rest.join("\n"))
}

/// The valid module, and whether it needs subgroup operations.
pub fn validate(joined: &Joined) -> Result<(naga::Module, bool), String> {
    let name = joined.file.display().to_string();
    let module = naga::front::wgsl::parse_str(&joined.text)
        .map_err(|e| format!("shader {}:\n{}", joined.name, e.emit_to_string_with_path(&joined.text, &name)))?;
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    let plain = Capabilities::SHADER_FLOAT16 | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    Validator::new(ValidationFlags::all(), plain | Capabilities::SUBGROUP)
        .validate(&module)
        .map_err(|e| format!("shader {}:\n{}", joined.name, e.emit_to_string_with_path(&joined.text, &name)))?;
    if module.entry_points.len() != 1 || module.entry_points[0].name != "main" {
        return Err(format!("{name}: expected one entry point named main"));
    }
    let subgroup = Validator::new(ValidationFlags::all(), plain).validate(&module).is_err();
    Ok((module, subgroup))
}

fn entry(joined: &Joined, module: &naga::Module, subgroup: bool) -> String {
    let mut bindings: Vec<(u32, &str, &str)> = module
        .global_variables
        .iter()
        .filter_map(|(_, v)| {
            let is_array = matches!(module.types[v.ty].inner, naga::TypeInner::Array { .. });
            let kind = match v.space {
                naga::AddressSpace::Uniform if is_array => "Window",
                naga::AddressSpace::Uniform => "Uniform",
                naga::AddressSpace::Handle => match module.types[v.ty].inner {
                    naga::TypeInner::Image { class: naga::ImageClass::Storage { access, .. }, .. }
                        if access.contains(naga::StorageAccess::STORE) =>
                    {
                        "TextureWrite"
                    }
                    _ => "Texture",
                },
                naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => "ReadWrite",
                naga::AddressSpace::Storage { .. } => "Read",
                _ => return None,
            };
            Some((v.binding?.binding, kind, v.name.as_deref().unwrap_or("")))
        })
        .collect();
    bindings.sort();
    for (expected, (found, ..)) in bindings.iter().enumerate() {
        assert!(expected as u32 == *found, "{}: bindings have a gap before {found}", joined.name);
    }
    let list: String =
        bindings.iter().map(|(_, kind, name)| format!("Binding::{kind}({name:?}), ")).collect::<String>();
    let overrides: String =
        module.overrides.iter().map(|(_, o)| format!("{:?}, ", o.name.as_deref().unwrap())).collect();
    let f16 = joined.text.starts_with("enable f16;");
    format!(
        "/// `{}`\npub static {}: Shader = Shader {{ name: {:?}, wgsl: {:?}, bindings: &[{list}], overrides: &[{overrides}], needs_f16: {f16}, needs_subgroup: {subgroup} }};\n",
        joined.file.file_name().unwrap().to_string_lossy(),
        joined.name.to_uppercase(),
        joined.name,
        joined.text,
    )
}

/// Compile-time assertions that each uniform struct of the shader equals the Rust struct of its name in the twin.
fn uniform_checks(module: &naga::Module, twin: &str, shader: &str) -> String {
    let mut out = String::new();
    for (_, variable) in module.global_variables.iter() {
        let ty = &module.types[variable.ty];
        let is_array = matches!(ty.inner, naga::TypeInner::Array { .. });
        if variable.space != naga::AddressSpace::Uniform || is_array {
            continue;
        }
        let naga::TypeInner::Struct { members, span } = &ty.inner else {
            panic!("{shader}: a uniform must be a struct")
        };
        let path = format!("crate::kernels::{twin}::{}", ty.name.as_deref().unwrap());
        writeln!(out, "const _: () = {{").unwrap();
        for member in members {
            let (name, offset) = (member.name.as_deref().unwrap(), member.offset);
            writeln!(out, "    assert!(std::mem::offset_of!({path}, {name}) == {offset}, \"{shader}: {name}\");")
                .unwrap();
        }
        writeln!(out, "    assert!(std::mem::size_of::<{path}>() == {span}, \"{shader}: size\");\n}};").unwrap();
    }
    out
}
