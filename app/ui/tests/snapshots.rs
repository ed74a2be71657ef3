//! Pictures of every page, as they were looked at and found good. `UPDATE_SNAPSHOTS=1` makes them anew.

use super::*;
use egui_kittest::{SnapshotOptions, SnapshotResults, try_image_snapshot_options};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use std::path::Path;
use std::time::SystemTime;

type Change = Box<dyn FnMut(&mut Harness<'static, Window>)>;

/// Compares what is shown with its picture, or makes that.
fn compare(results: &mut SnapshotResults, harness: &mut Harness<'static, Window>, name: &str) {
    let begun = SystemTime::now();
    results.add(harness.try_snapshot(format!("ui/{name}")));
    let path = Path::new("tests/snapshots/ui").join(format!("{name}.png"));
    let is_new = || std::fs::metadata(&path).is_ok_and(|file| file.modified().is_ok_and(|at| at >= begun));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() && is_new() {
        shrink(&path);
    }
}

/// Flat colours need no filter and no transparency: two thirds of the bytes are enough.
fn shrink(path: &Path) {
    let picture = image::open(path).unwrap().into_rgb8();
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::NoFilter))
        .unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn pages_look_as_they_did() {
    let mut results = SnapshotResults::new();
    for (page_name, page) in PAGES {
        // To the settings, nothing at all is a machine without devices.
        let empty = if page == Page::Settings { samples::bare } else { samples::empty };
        let states: [(&str, Make); 4] =
            [("empty", empty), ("loading", samples::loading), ("error", samples::failed), ("full", samples::full)];
        for (state_name, state) in states {
            for (theme_name, colours) in THEMES {
                for size in [SMALL, MIDDLE, LARGE] {
                    let mut harness = harness(on(page, state()), size, colours);
                    let name = format!("{page_name}-{state_name}-{theme_name}-{}", size.x);
                    compare(&mut results, &mut harness, &name);
                }
            }
        }
    }
}

#[test]
fn what_lies_over_a_page_looks_as_it_did() {
    let mut results = SnapshotResults::new();
    let mut shot = |name: &str, size, colours, mut change: Change| {
        let mut harness = harness(Window::new(samples::full()), size, colours);
        change(&mut harness);
        harness.run_steps(3);
        compare(&mut results, &mut harness, name);
    };
    // The last answer keeps the page at its end, so the one that looked must be the last.
    let looking = |harness: &mut Harness<'static, Window>| {
        let window = harness.state_mut();
        window.state.conversation.messages.truncate(2);
        window.state.live.phase = Phase::Idle;
        window.state.attached.clear();
        window.view.looking = Some((2, None));
        harness.run_steps(6);
        harness.get_by_label("purple.").hover();
    };
    shot("look-dark", MIDDLE, egui::Theme::Dark, Box::new(looking));
    shot(
        "dropping-dark",
        SMALL,
        egui::Theme::Dark,
        Box::new(|harness| {
            harness.input_mut().hovered_files = vec![egui::HoveredFile::default(); 2];
        }),
    );
    shot(
        "notices-light",
        SMALL,
        egui::Theme::Light,
        Box::new(|harness| {
            harness.state_mut().state.notices = vec![
                Notice {
                    text: "\u{201c}Birds in the garden\u{201d} is deleted.".into(),
                    tone: Tone::Done,
                    undo: Some(Action::Restore(6)),
                    at: samples::ELAPSED,
                },
                Notice {
                    text: "The USB microphone is gone; the built-in one is used.".into(),
                    tone: Tone::Warning,
                    undo: None,
                    at: samples::ELAPSED,
                },
            ];
        }),
    );
    shot(
        "enlarged-dark",
        SMALL,
        egui::Theme::Dark,
        Box::new(|harness| {
            harness.state_mut().view.enlarged = Some(("scene.png".into(), samples::scene()));
        }),
    );
    shot(
        "attach-light",
        SMALL,
        egui::Theme::Light,
        Box::new(|harness| harness.state_mut().view.path = Some("~/pictures/cat.jpg".into())),
    );
    shot(
        "editing-dark",
        SMALL,
        egui::Theme::Dark,
        Box::new(|harness| {
            let state = &mut harness.state_mut().state;
            (state.editing, state.live.phase, state.live.muted) = (Some(3), Phase::Idle, true);
            state.conversation.messages[3].progress = Progress::Interrupted;
            state.attached.clear();
        }),
    );
    shot(
        "stopped-dark",
        MIDDLE,
        egui::Theme::Dark,
        Box::new(|harness| {
            let state = &mut harness.state_mut().state;
            state.page = Page::Models;
            state.models.lines.drain(..3);
            state.models.pulls[0].stage = Fetching::Stopped;
            let other = "google/gemma-4-E2B-it".into();
            let stage = Fetching::Stopping;
            state.models.pulls.push(Pull { name: other, done: 2_000_000_000, total: 5_100_000_000, stage });
        }),
    );
    shot(
        "markdown-light",
        MIDDLE,
        egui::Theme::Light,
        Box::new(|harness| {
            let state = &mut harness.state_mut().state;
            state.conversation.messages.drain(..3);
            state.conversation.messages[0].parts = vec![Part::Text(samples::MARKDOWN.into())];
            (state.live.phase, state.live.camera) = (Phase::Idle, false);
            state.attached.clear();
        }),
    );
    shot(
        "search-light",
        SMALL,
        egui::Theme::Light,
        Box::new(|harness| {
            harness.state_mut().view.list = Some(true);
            let window = harness.state_mut();
            window.state.lines.retain(|line| line.id < 3);
            window.state.lines[0].snippet = Some("\u{2026} the star is purple \u{2026}".into());
            window.state.lines[1].snippet = Some("\u{2026} a purple square \u{2026}".into());
            (window.view.search, window.state.search) = ("purple".into(), "purple".into());
        }),
    );
}

#[test]
fn a_changed_word_is_seen() {
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        return;
    }
    let picture = |title: &str| {
        let mut state = samples::full();
        state.conversation.title = title.into();
        harness(Window::new(state), MIDDLE, egui::Theme::Dark).render().unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    picture("The star and the triangle").save(folder.path().join("word.png")).unwrap();
    let options = SnapshotOptions::new().output_path(folder.path());
    assert!(try_image_snapshot_options(&picture("The star and the triangle"), "word", &options).is_ok());
    assert!(try_image_snapshot_options(&picture("The star and the square"), "word", &options).is_err());
}
