//! `percept doctor`: what this machine has, what works on it, and what to install.

use super::failure::sentence;
use super::load::AdapterArgs;
use super::output::Output;
use anyhow::Result;
use indicatif::BinaryBytes;
use percept::gpu::{AdapterSummary, Capabilities, Gpu, adapters};
use percept::self_test;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  percept doctor
  percept doctor --adapter gl      the verdict for another adapter than the default one
  percept doctor --self-test       every kernel against its reference, on this adapter
  percept doctor --json            for scripts and reports

Ends with exit code 1 if there is no adapter that models can run on.";

/// Tell what works on this machine, what does not, and what to install.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    #[command(flatten)]
    adapter: AdapterArgs,
    /// Compare every kernel, in every variant that the adapter has, with its reference on the CPU.
    #[arg(long)]
    self_test: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Carries it out.
///
/// # Errors
/// If no adapter can be used, or the one asked for is not there.
pub fn run(args: &DoctorArgs, output: &Output) -> Result<()> {
    let list = adapters();
    let opened = args.adapter.open_quietly();
    let tested = match &opened {
        Ok(gpu) if args.self_test => Some(self_test(gpu, output)?),
        _ => None,
    };
    let report = Report {
        tested,
        chosen: opened.as_ref().ok().map(|gpu| gpu.adapter().clone()),
        trouble: opened.as_ref().err().map(sentence),
        asked: args.adapter.asked().is_some(),
        ffmpeg: percept::media::ffmpeg_version(),
        folders: folders(),
        list,
    };
    if args.json {
        output.json(&report.json())?;
    } else {
        output.write(&report.text())?;
    }
    opened.map(|_| ())
}

/// Runs the self-test, a line on standard error for each kernel that is wrong.
fn self_test(gpu: &Gpu, output: &Output) -> Result<self_test::Report> {
    output.note("checking every kernel on this adapter");
    let report = self_test::run(gpu, &mut |outcome| {
        if !outcome.is_right() {
            output.note(&format!(
                "{} ({}, {}) is wrong by {:.1e}, {:.0e} is allowed",
                outcome.kernel,
                outcome.shape,
                outcome.variant.name(),
                outcome.error,
                outcome.allowed
            ));
        }
    })?;
    Ok(report)
}

/// A folder that things are kept in.
struct Folder {
    what: &'static str,
    path: Option<PathBuf>,
    /// Why nothing can be written there.
    trouble: Option<String>,
}

fn folders() -> Vec<Folder> {
    let named = [
        ("compiled shaders", percept::cache_dir()),
        ("conversations", crate::store::conversations_dir()),
        ("line history", crate::store::config_dir()),
    ];
    named
        .into_iter()
        .map(|(what, path)| {
            let trouble = match &path {
                Some(path) => try_write(path).err().map(|e| e.to_string()),
                None => Some("the system names none; set HOME".into()),
            };
            Folder { what, path, trouble }
        })
        .collect()
}

/// Makes the folder and a file in it, and takes the file away again.
fn try_write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join(format!("doctor-{}", std::process::id()));
    let written = std::fs::File::create(&file).and_then(|mut file| file.write_all(&[0; 4096]));
    let removed = std::fs::remove_file(&file);
    written.and(removed)
}

struct Verdict {
    feature: &'static str,
    /// What it works with, or what is missing and what to do.
    outcome: Result<String, String>,
}

struct Report {
    list: Vec<AdapterSummary>,
    /// The adapter that the verdicts are about.
    chosen: Option<AdapterSummary>,
    /// Why there is none.
    trouble: Option<String>,
    asked: bool,
    ffmpeg: Result<String, String>,
    folders: Vec<Folder>,
    tested: Option<self_test::Report>,
}

impl Report {
    fn reason(&self) -> String {
        let Some(chosen) = &self.chosen else { return String::new() };
        if self.asked {
            return "asked for with --adapter or PERCEPT_ADAPTER".into();
        }
        let kinds = "discrete before integrated before virtual before software, and native drivers before OpenGL";
        match self.list.len() {
            1 => "it is the only one".into(),
            _ if chosen.kind == "software" => format!("{kinds}; there is no GPU here, or its driver is not installed"),
            _ => kinds.into(),
        }
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let can = self.chosen.as_ref().map(|adapter| &adapter.capabilities).ok_or(());
        let runs = || match &self.chosen {
            Some(adapter) => Ok(adapter.title()),
            None => Err(String::from("needs an adapter, as text does")),
        };
        // Not one of these is needed; each makes something faster.
        let optional = |feature, has: &dyn Fn(&Capabilities) -> Option<String>, without: &str| {
            let outcome = match can {
                Ok(can) => has(can).ok_or_else(|| without.to_string()),
                Err(()) => Err("needs an adapter, as text does".into()),
            };
            Verdict { feature, outcome }
        };
        let yes = |has: bool| has.then(String::new);
        // A feature with which kernels were found wrong is as good as missing.
        let unsound = self.tested.as_ref().map(|tested| tested.unsound).unwrap_or_default();
        vec![
            Verdict { feature: "text", outcome: runs().map_err(|_| self.trouble.clone().unwrap_or_default()) },
            Verdict { feature: "pictures", outcome: runs().map(|_| "PNG, JPEG, WebP, GIF".into()) },
            Verdict { feature: "sound", outcome: runs().map(|_| "WAV, FLAC, MP3, OGG, M4A, AIFF".into()) },
            Verdict { feature: "video files", outcome: runs().and_then(|_| self.ffmpeg.clone()) },
            optional(
                "f16",
                &|can| yes(can.f16 && !unsound.f16),
                "not needed: weights in 16 bits are unpacked by other means, which is slower; a newer driver may bring it",
            ),
            optional(
                "subgroups",
                &|can| can.subgroup.filter(|_| !unsound.subgroup).map(|(least, most)| lanes(least, most)),
                "not needed: other shaders are used, which are slower; a newer driver, or --adapter vulkan, may bring them",
            ),
            optional("timestamps", &|can| yes(can.timestamps), "not needed: measurements are coarser without"),
            optional(
                "pipeline cache",
                &|can| yes(can.pipeline_cache),
                "not needed: shaders are compiled at each start, unless the driver keeps them itself",
            ),
        ]
    }

    fn text(&self) -> String {
        let (version, os, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
        let mut lines = vec![format!("percept {version} on {os} {arch}"), String::new(), "Adapters".into()];
        for adapter in &self.list {
            let AdapterSummary { index, name, backend, kind, driver, capabilities: can, .. } = adapter;
            lines.push(format!("  {index}  {name}"));
            lines.push(format!("     {kind}, {backend}, driver {driver}"));
            lines.push(format!("     {}", features(can)));
            lines.push(format!("     {}", limits(can)));
        }
        match &self.chosen {
            Some(adapter) => lines.push(format!("  Used: {} {}: {}", adapter.index, adapter.title(), self.reason())),
            None => lines.push("  None can be used; see the verdict".into()),
        }
        lines.extend([String::new(), "Folders".into()]);
        for Folder { what, path, trouble } in &self.folders {
            let path = path.as_ref().map_or("-".into(), |path| path.display().to_string());
            let state = match trouble {
                None => "can be written".into(),
                Some(trouble) => format!("cannot be written ({trouble}): free or allow it, or nothing is kept there"),
            };
            lines.push(format!("  {what:<16}  {path}: {state}"));
        }
        if let Some(tested) = &self.tested {
            lines.extend([String::new(), "Self-test".into()]);
            lines.push(format!("  {}", tested_in_words(tested)));
        }
        lines.extend([String::new(), "Verdict".into()]);
        for Verdict { feature, outcome } in self.verdicts() {
            let (state, more) = match &outcome {
                Ok(more) => ("ok", more),
                Err(more) => ("missing", more),
            };
            lines.push(format!("  {feature:<14}  {state:<7}  {more}").trim_end().into());
        }
        lines.join("\n") + "\n"
    }

    fn json(&self) -> Value {
        let adapters: Vec<Value> = self.list.iter().map(adapter_json).collect();
        let folders: Vec<Value> = self
            .folders
            .iter()
            .map(|f| json!({"what": f.what, "path": f.path, "writable": f.trouble.is_none(), "problem": f.trouble}))
            .collect();
        let verdicts: Vec<Value> = self
            .verdicts()
            .into_iter()
            .map(|Verdict { feature, outcome }| match outcome {
                Ok(with) => json!({"feature": feature, "state": "ok", "with": with}),
                Err(remedy) => json!({"feature": feature, "state": "missing", "remedy": remedy}),
            })
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
            "adapters": adapters,
            "used": self.chosen.as_ref().map(|adapter| json!({"index": adapter.index, "reason": self.reason()})),
            "problem": self.trouble,
            "ffmpeg": self.ffmpeg.as_ref().ok(),
            "folders": folders,
            "self_test": self.tested.as_ref().map(tested_json),
            "verdicts": verdicts,
        })
    }
}

/// How many checks, and the one that came closest to what is allowed.
fn tested_in_words(tested: &self_test::Report) -> String {
    let seconds: f64 = tested.outcomes.iter().map(|outcome| outcome.time.as_secs_f64()).sum();
    let wrong = tested.outcomes.iter().filter(|outcome| !outcome.is_right()).count();
    let closest = tested.outcomes.iter().max_by(|a, b| (a.error / a.allowed).total_cmp(&(b.error / b.allowed)));
    let closest = closest.map_or(String::new(), |o| {
        format!(
            "; nearest to its limit: {} ({}, {}) with {:.1e} of {:.0e}",
            o.kernel,
            o.shape,
            o.variant.name(),
            o.error,
            o.allowed
        )
    });
    format!("{} checks in {seconds:.1} s, {wrong} wrong{closest}", tested.outcomes.len())
}

fn tested_json(tested: &self_test::Report) -> Value {
    let outcomes: Vec<Value> = tested
        .outcomes
        .iter()
        .map(|o| {
            json!({
                "kernel": o.kernel, "shape": o.shape, "variant": o.variant.name(),
                "error": o.error, "allowed": o.allowed, "right": o.is_right(),
            })
        })
        .collect();
    json!({"outcomes": outcomes, "unused": {"subgroup": tested.unsound.subgroup, "f16": tested.unsound.f16}})
}

fn lanes(least: u32, most: u32) -> String {
    if least == most { format!("{least} lanes") } else { format!("{least} to {most} lanes") }
}

fn features(can: &Capabilities) -> String {
    let has = |name: &str, has: bool| format!("{}{name}", if has { "" } else { "no " });
    let subgroups =
        can.subgroup.map_or("no subgroups".into(), |(least, most)| format!("subgroups of {}", lanes(least, most)));
    let [f16, timestamps, cache] =
        [("f16", can.f16), ("timestamps", can.timestamps), ("pipeline cache", can.pipeline_cache)]
            .map(|(n, h)| has(n, h));
    format!("{subgroups}, {f16}, {timestamps}, {cache}")
}

fn limits(can: &Capabilities) -> String {
    format!(
        "buffers of {}, bindings of {}, {} storage buffers in a shader, {} of workgroup memory, {} lanes in a workgroup, {} \
         workgroups along an axis",
        BinaryBytes(can.buffer_bytes),
        BinaryBytes(can.storage_binding_bytes),
        can.storage_buffers,
        BinaryBytes(can.workgroup_bytes.into()),
        can.workgroup_lanes,
        can.workgroups
    )
}

fn adapter_json(adapter: &AdapterSummary) -> Value {
    let can = &adapter.capabilities;
    json!({
        "index": adapter.index,
        "name": adapter.name,
        "backend": adapter.backend,
        "kind": adapter.kind,
        "driver": adapter.driver,
        "id": [adapter.id.0, adapter.id.1],
        "subgroup": can.subgroup.map(|(least, most)| [least, most]),
        "f16": can.f16,
        "timestamps": can.timestamps,
        "pipeline_cache": can.pipeline_cache,
        "software": can.software,
        "storage_binding_bytes": can.storage_binding_bytes,
        "buffer_bytes": can.buffer_bytes,
        "storage_buffers": can.storage_buffers,
        "workgroup_bytes": can.workgroup_bytes,
        "workgroup_lanes": can.workgroup_lanes,
        "workgroups": can.workgroups,
        "uniform_alignment": can.uniform_alignment,
        "storage_alignment": can.storage_alignment,
    })
}
