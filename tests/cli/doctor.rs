//! `percept doctor`.

use crate::support::{Home, finish, start};
use serde_json::Value;

#[test]
fn the_report_ends_with_a_verdict_for_each_feature() {
    let home = Home::new();
    let text = home.run(&["doctor"]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""));
    let json = home.run(&["doctor", "--json"]);
    assert_eq!(json.code, Some(0), "{}", json.stderr);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    let verdicts = report["verdicts"].as_array().unwrap();
    let features: Vec<&str> = verdicts.iter().map(|verdict| verdict["feature"].as_str().unwrap()).collect();
    let expected = ["text", "pictures", "sound", "video files", "f16", "subgroups", "timestamps", "pipeline cache"];
    assert_eq!(features, expected);
    let verdict_lines: Vec<&str> = text.stdout.split("\nVerdict\n").nth(1).unwrap().lines().collect();
    for (line, verdict) in verdict_lines.iter().zip(verdicts) {
        let (feature, state) = (verdict["feature"].as_str().unwrap(), verdict["state"].as_str().unwrap());
        assert!(line.trim().starts_with(feature) && line.contains(&format!("  {state}")), "{line}: {verdict}");
        // Whatever is missing comes with what to do.
        assert!(state == "ok" || verdict["remedy"].as_str().unwrap().len() > 10, "{verdict}");
    }
    let listed = percept::gpu::adapters();
    assert_eq!(report["adapters"].as_array().unwrap().len(), listed.len());
    for adapter in &listed {
        assert!(text.stdout.contains(&format!("  {}  {}", adapter.index, adapter.name)), "{}", adapter.name);
        assert_eq!(report["adapters"][adapter.index]["backend"], adapter.backend);
    }
    assert_eq!(report["used"]["index"], 0);
    assert!(text.stdout.contains("[HOME]") || text.stdout.contains(home.path("cache").to_str().unwrap()));
}

#[test]
fn the_verdict_is_about_the_adapter_asked_for() {
    let home = Home::new();
    let last = percept::gpu::adapters().pop().unwrap();
    let outcome = home.run(&["doctor", "--json", "--adapter", &last.index.to_string()]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["used"]["index"], last.index);
    let subgroups = &report["verdicts"][5];
    assert_eq!(subgroups["state"] == "ok", last.capabilities.subgroup.is_some(), "{subgroups}");
}

#[test]
fn without_an_adapter_there_is_a_remedy_and_exit_code_1() {
    let home = Home::new();
    let mut command = home.command(&["doctor"]);
    let nowhere = home.path("nowhere");
    for name in ["VK_ICD_FILENAMES", "VK_DRIVER_FILES", "LIBGL_DRIVERS_PATH", "__EGL_VENDOR_LIBRARY_FILENAMES"] {
        command.env(name, &nowhere);
    }
    let outcome = finish(start(&mut command));
    if outcome.stdout.contains("Adapters\n  0  ") {
        eprintln!("skipped: the adapters of this system cannot be hidden by variables");
        return;
    }
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stdout.contains("  text            missing  no GPU adapter was found: install"),
        "{}",
        outcome.stdout
    );
    assert!(outcome.stderr.starts_with("error: no GPU adapter was found: install a Vulkan"), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1);
}

#[test]
fn a_missing_ffmpeg_and_a_folder_that_cannot_be_written_are_told() {
    let home = Home::new();
    let file = home.file("cache", "a file where a folder should be");
    let mut command = home.command(&["doctor"]);
    command.env("PERCEPT_FFMPEG", home.path("no-ffmpeg"));
    let outcome = finish(start(&mut command));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("  video files     missing  the program "), "{}", outcome.stdout);
    let line = format!("{}: cannot be written", file.display());
    assert!(outcome.stdout.contains(&line), "{}", outcome.stdout);
}
