//! Every shader through naga to SPIR-V, MSL, HLSL and GLSL, written as the engine has them written (trusted, overrides
//! set), and through `spirv-val` and `glslangValidator`. What a target cannot have is named in [`REFUSALS`], and an
//! entry there that no longer holds fails as loudly as a shader that does not translate.
//!
//! With `CI` set a missing validator is a failure; elsewhere it is said and passed over.

use naga::back::{PipelineConstants, glsl, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage};
use percept::gpu::Shader;
use std::io::Write;
use std::process::{Command, Stdio};

struct Target {
    name: &'static str,
    translate: fn(&Module, &ModuleInfo) -> Result<Vec<u8>, String>,
    /// A program that reads the translation from its standard input.
    validator: Option<(&'static str, &'static [&'static str])>,
}

const GLSLANG: (&str, &[&str]) = ("glslangValidator", &["--stdin", "-S", "comp"]);

const TARGETS: &[Target] = &[
    Target {
        name: "SPIR-V 1.0",
        translate: |module, info| spirv(module, info, (1, 0)),
        validator: Some(("spirv-val", &["--target-env", "vulkan1.0", "-"])),
    },
    Target {
        name: "SPIR-V 1.3",
        translate: |module, info| spirv(module, info, (1, 3)),
        validator: Some(("spirv-val", &["--target-env", "vulkan1.1", "-"])),
    },
    Target { name: "MSL 2.1", translate: metal, validator: None },
    Target { name: "HLSL 6.2", translate: direct3d, validator: None },
    Target {
        name: "GLSL ES 3.1",
        translate: |module, info| opengl(module, info, glsl::Version::new_gles(310)),
        validator: Some(GLSLANG),
    },
    Target {
        name: "GLSL 4.3",
        translate: |module, info| opengl(module, info, glsl::Version::Desktop(430)),
        validator: Some(GLSLANG),
    },
];

/// What a target cannot have, who refuses it, and a part of what is said then.
struct Refusal {
    what: &'static str,
    applies: fn(&Shader) -> bool,
    target: &'static str,
    by_validator: bool,
    says: &'static [&'static str],
}

const REFUSALS: &[Refusal] = &[
    Refusal {
        what: "f16 has no GLSL",
        applies: |shader| shader.needs_f16,
        target: "GLSL ES 3.1",
        by_validator: false,
        says: &["unsupported width"],
    },
    Refusal {
        what: "f16 has no GLSL",
        applies: |shader| shader.needs_f16,
        target: "GLSL 4.3",
        by_validator: false,
        says: &["unsupported width"],
    },
    Refusal {
        what: "subgroup operations want SPIR-V 1.3",
        applies: |shader| shader.needs_subgroup,
        target: "SPIR-V 1.0",
        by_validator: true,
        // Capability 61 is GroupNonUniform; which of the two sentences comes depends on the order in the module.
        says: &["GroupNonUniform", "capability operand: 61"],
    },
];

#[test]
fn every_shader_translates_to_every_target() {
    let problems: Vec<String> = percept::shaders::ALL.iter().flat_map(|shader| problems(shader)).collect();
    assert!(!percept::shaders::ALL.is_empty() && problems.is_empty(), "\n{}", problems.join("\n"));
}

/// The refusals hold for the plainest shaders that need f16 and subgroups, whether or not the tree has such files.
#[test]
fn refusals_hold_for_the_plainest_shaders() {
    for probe in [&F16, &SUBGROUP] {
        assert_eq!(problems(probe), Vec::<String>::new());
    }
}

/// The harness itself: without the facts that a refusal rests on, each plain variant is a failure where it is refused.
#[test]
fn a_broken_shader_fails() {
    let refused = |probe: &Shader| {
        let unnamed = Shader { needs_f16: false, needs_subgroup: false, ..*probe };
        problems(&unnamed)
    };
    let f16 = refused(&F16);
    assert_eq!(f16.iter().filter(|p| p.contains("GLSL")).count(), 2, "{f16:?}");
    if installed("spirv-val") {
        let subgroup = refused(&SUBGROUP);
        assert!(subgroup.iter().any(|p| p.contains("SPIR-V 1.0")), "{subgroup:?}");
    }
    let untrue = problems(&Shader { needs_f16: true, ..PLAIN });
    assert_eq!(untrue.iter().filter(|p| p.contains("strike it from REFUSALS")).count(), 2, "{untrue:?}");
    let broken = problems(&Shader { wgsl: "@compute @workgroup_size(1) fn main() { y[0] = 1.0; }", ..PLAIN });
    assert!(broken.len() == 1 && broken[0].contains("no definition in scope for identifier: `y`"), "{broken:?}");
    assert_eq!(problems(&PLAIN), Vec::<String>::new());
}

#[test]
fn validators_refuse_nonsense() {
    for target in TARGETS {
        if let Some((program, arguments)) = target.validator.filter(|(program, _)| installed(program)) {
            assert!(validate(program, arguments, b"nonsense").is_err(), "{program} accepts anything");
        }
    }
}

/// A shader that needs nothing optional stays within what every adapter gives.
#[test]
fn baselines_stay_within_the_default_limits() {
    let mut problems = Vec::new();
    for shader in percept::shaders::ALL.iter().filter(|shader| !shader.needs_f16 && !shader.needs_subgroup) {
        let (module, _) = module(shader).unwrap();
        let storage = module.global_variables.iter().filter(|(_, v)| matches!(v.space, AddressSpace::Storage { .. }));
        let shared = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::WorkGroup);
        let shared_bytes: u32 =
            shared.map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()).next_multiple_of(16)).sum();
        let lanes: u32 = module.entry_points[0].workgroup_size.iter().product();
        for (what, found, most) in [
            ("storage buffers", storage.count() as u32, 8),
            ("lanes", lanes, 256),
            ("bytes of workgroup memory", shared_bytes, 16_352),
        ] {
            if found > most {
                problems.push(format!("{}: {found} {what}, a baseline may have {most}", shader.name));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

const PLAIN: Shader = Shader {
    name: "plain",
    wgsl: "@group(0) @binding(0) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) lane: u32) { y[lane] = 1.0; }",
    bindings: &[],
    overrides: &[],
    needs_f16: false,
    needs_subgroup: false,
};
const F16: Shader = Shader {
    name: "f16",
    wgsl: "enable f16; @group(0) @binding(0) var<storage, read_write> y: array<f16>;
        @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) lane: u32) { y[lane] = f16(lane); }",
    needs_f16: true,
    ..PLAIN
};
const SUBGROUP: Shader = Shader {
    name: "subgroup",
    wgsl: "@group(0) @binding(0) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) lane: u32) {
            y[lane] = subgroupAdd(f32(lane));
        }",
    needs_subgroup: true,
    ..PLAIN
};

/// One line for each target where the outcome is not the expected one.
fn problems(shader: &Shader) -> Vec<String> {
    let (module, info) = match module(shader) {
        Ok(valid) => valid,
        Err(problem) => return vec![format!("{}: {problem}", shader.name)],
    };
    TARGETS.iter().filter_map(|target| problem(shader, target, &module, &info)).collect()
}

fn problem(shader: &Shader, target: &Target, module: &Module, info: &ModuleInfo) -> Option<String> {
    let place = format!("{} to {}", shader.name, target.name);
    let refusal = REFUSALS.iter().find(|refusal| refusal.target == target.name && (refusal.applies)(shader));
    let translated = (target.translate)(module, info);
    let by_validator = translated.is_ok();
    let outcome = translated.and_then(|text| match target.validator {
        Some((program, arguments)) if installed(program) => validate(program, arguments, &text),
        _ => Ok(()),
    });
    match (outcome, refusal) {
        (Ok(()), None) => None,
        (Ok(()), Some(refusal)) if refusal.by_validator && !target.validator.is_some_and(|v| installed(v.0)) => None,
        (Ok(()), Some(refusal)) => {
            Some(format!("{place}: expected to be refused ({}) and is not: strike it from REFUSALS", refusal.what))
        }
        (Err(problem), None) => Some(format!("{place}: {problem}")),
        (Err(problem), Some(refusal)) => {
            let as_expected =
                refusal.by_validator == by_validator && refusal.says.iter().any(|part| problem.contains(part));
            (!as_expected).then(|| format!("{place}: refused as expected ({}), but by: {problem}", refusal.what))
        }
    }
}

/// Parsed, validated, with the overrides at their defaults.
fn module(shader: &Shader) -> Result<(Module, ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(shader.wgsl).map_err(|e| e.emit_to_string(shader.wgsl))?;
    let all = Capabilities::SHADER_FLOAT16 | Capabilities::SHADER_FLOAT16_IN_FLOAT32 | Capabilities::SUBGROUP;
    let info =
        Validator::new(ValidationFlags::all(), all).validate(&module).map_err(|e| e.emit_to_string(shader.wgsl))?;
    let main = Some((ShaderStage::Compute, "main"));
    let (module, info) = process_overrides(&module, &info, main, &PipelineConstants::default())
        .map_err(|e| format!("overrides at their defaults: {e}"))?;
    Ok((module.into_owned(), info.into_owned()))
}

const UNCHECKED: BoundsCheckPolicies = BoundsCheckPolicies {
    index: BoundsCheckPolicy::Unchecked,
    buffer: BoundsCheckPolicy::Unchecked,
    image_load: BoundsCheckPolicy::Unchecked,
    binding_array: BoundsCheckPolicy::Unchecked,
};

fn spirv(module: &Module, info: &ModuleInfo, lang_version: (u8, u8)) -> Result<Vec<u8>, String> {
    let options = spv::Options {
        lang_version,
        bounds_check_policies: UNCHECKED,
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: "main".into() };
    let words = spv::write_vec(module, info, &options, Some(&pipeline)).map_err(|e| e.to_string())?;
    Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect())
}

fn metal(module: &Module, info: &ModuleInfo) -> Result<Vec<u8>, String> {
    let options = msl::Options {
        lang_version: (2, 1),
        bounds_check_policies: UNCHECKED,
        zero_initialize_workgroup_memory: false,
        force_loop_bounding: false,
        ..Default::default()
    };
    let pipeline =
        msl::PipelineOptions { entry_point: Some((ShaderStage::Compute, "main".into())), ..Default::default() };
    let (text, reflection) = msl::write_string(module, info, &options, &pipeline).map_err(|e| e.to_string())?;
    // The writer tells of an entry point that it could not write here only.
    reflection.entry_point_names.into_iter().try_for_each(|name| name.map(drop).map_err(|e| e.to_string()))?;
    Ok(text.into_bytes())
}

fn direct3d(module: &Module, info: &ModuleInfo) -> Result<Vec<u8>, String> {
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_2,
        zero_initialize_workgroup_memory: false,
        restrict_indexing: false,
        force_loop_bounding: false,
        ..Default::default()
    };
    let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, "main".into())) };
    let mut text = String::new();
    let reflection =
        hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None).map_err(|e| e.to_string())?;
    reflection.entry_point_names.into_iter().try_for_each(|name| name.map(drop).map_err(|e| e.to_string()))?;
    Ok(text.into_bytes())
}

fn opengl(module: &Module, info: &ModuleInfo, version: glsl::Version) -> Result<Vec<u8>, String> {
    let bound = module.global_variables.iter().filter_map(|(_, v)| v.binding);
    let options = glsl::Options {
        version,
        writer_flags: glsl::WriterFlags::empty(),
        binding_map: bound.map(|b| (b, b.binding as u8)).collect(),
        zero_initialize_workgroup_memory: false,
    };
    let pipeline =
        glsl::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: "main".into(), multiview: None };
    let mut text = String::new();
    glsl::Writer::new(&mut text, module, info, &options, &pipeline, UNCHECKED)
        .and_then(|mut writer| writer.write())
        .map_err(|e| e.to_string())?;
    Ok(text.into_bytes())
}

/// Whether the program is there. One that is missing is said once, and is a failure in CI.
fn installed(program: &str) -> bool {
    static SAID: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join(program).is_file() || folder.join(format!("{program}.exe")).is_file());
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed; ./x test installs it");
        let mut said = SAID.lock().unwrap();
        if !said.iter().any(|name| name == program) {
            // Past the harness, which keeps back what a passing test prints.
            let mut terminal = std::io::stderr();
            writeln!(terminal, "SKIPPED: {program} is not installed, its checks are passed over").unwrap();
            said.push(program.into());
        }
    }
    found
}

fn validate(program: &str, arguments: &[&str], text: &[u8]) -> Result<(), String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{program}: {e}"))?;
    // A program that refuses early may close its end before it has read everything.
    drop(child.stdin.take().unwrap().write_all(text));
    let output = child.wait_with_output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{program}: {}", String::from_utf8_lossy(&said).trim()))
}
