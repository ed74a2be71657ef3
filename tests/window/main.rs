//! The real program in a window on a virtual display, used as a person uses it: asked by voice about what its camera shows,
//! typed to, interrupted, given a picture by drag and drop, killed, and started again. Microphone and camera are files;
//! nothing else is.
#![cfg(all(feature = "desktop", feature = "embedded-model", target_os = "linux"))]

mod display;
mod drag;
mod program;

use display::{CONTROL, Display, PAGE_DOWN, PAGE_UP, SHIFT, letter};
use drag::drop_file;
use image::RgbImage;
use program::{Place, Program, Said, asset};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How long somebody listens before saying something.
const LISTENING: Duration = Duration::from_millis(1500);
/// And looks at what was found.
const READING: Duration = Duration::from_millis(500);
/// What nothing else in the window has.
const BEIGE: [u8; 3] = [160, 140, 110];

/// The picture before another wall, so that it is seen where it is shown.
fn on_beige(path: &Path) -> RgbImage {
    let mut picture = image::open(path).unwrap().to_rgb8();
    let wall = *picture.get_pixel(0, 0);
    picture.pixels_mut().filter(|pixel| **pixel == wall).for_each(|pixel| pixel.0 = BEIGE);
    picture
}

fn kinds(said: &Said) -> Vec<&str> {
    said.media.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[test]
fn a_person_talks_types_interrupts_drops_a_picture_and_finds_it_all_again() {
    let Some(display) = Display::start() else { return };
    let place = Place::new(display);
    let display = &place.display;
    let mut program = place.start(Some("asked.png"));
    let green = image::open(asset("asked.png")).unwrap().to_rgb8().get_pixel(49, 96).0;

    // By voice, about what the camera shows.
    program.wait("the camera's picture", || display.shows(green).then_some(()));
    program.hear("question.wav");
    let answer = program.answered(2);
    assert!(answer.text.contains("green"), "{:?}", place.said());
    assert_eq!(kinds(&place.said()[0]), ["image", "audio"]);

    // The camera goes off. A long answer to a typed question is interrupted by voice: only what was spoken stays.
    program.press(&[CONTROL, SHIFT], letter('o'));
    program.press(&[CONTROL], letter('n'));
    program.ask("What can you do?");
    let whole = program.answered(4);
    std::thread::sleep(LISTENING);
    program.hear("question.wav");
    let cut = program.wait("the interruption", || {
        place.said().into_iter().find(|said| said.id == whole.id && said.state == "interrupted")
    });
    assert!(whole.text.starts_with(&cut.text) && cut.text.len() < whole.text.len(), "{whole:?}\n{cut:?}");
    assert!(!cut.text.is_empty(), "nothing of it was spoken: {whole:?}");
    let answer = program.answered(6);
    assert!(!answer.text.is_empty());
    let said = place.said();
    assert_eq!((said[2].text.as_str(), kinds(&said[2])), ("What can you do?", vec![]), "the camera is off");
    assert_eq!(kinds(&said[4]), ["audio"]);
    let talk = said[2].conversation;
    assert!(talk != said[0].conversation && said[2..].iter().all(|said| said.conversation == talk), "{said:#?}");

    // A picture is dropped on the window, in another conversation.
    program.press(&[CONTROL], letter('n'));
    let picture = place.path().join("a star & more.png");
    on_beige(&asset("asked.png")).save(&picture).unwrap();
    drop_file(display, &picture, (600, 300));
    program.wait("the picture in the message", || display.shows(BEIGE).then_some(()));
    program.ask("What colour is the square?");
    let answer = program.answered(8);
    assert!(answer.text.contains("yellow") && answer.conversation != talk, "{answer:?}");
    assert_eq!(place.said()[6].media, [("image".to_string(), "a star & more.png".to_string())]);

    let shown = answer.conversation;

    // The one before again, which makes it the last that was talked in.
    program.press(&[CONTROL], PAGE_DOWN);
    program.ask("Who are you?");
    assert_eq!(program.answered(10).conversation, talk);

    // Killed and started again. A word finds what was said, and the talk goes on, by the keyboard alone.
    program.kill();
    let before = format!("{:?}", place.said());
    let mut program = place.start(None);
    program.press(&[CONTROL], letter('k'));
    program.write("square");
    std::thread::sleep(READING);
    // Once more where nothing was found yet; above the first one is none.
    let open = |program: &Program<'_>| program.press(&[CONTROL], PAGE_UP);
    program.tries("the conversation", open, || display.shows(BEIGE).then_some(()));
    assert_eq!(format!("{:?}", place.said()), before);
    program.press(&[CONTROL], letter('l'));
    program.ask("What colour is the star?");
    let answer = program.answered(12);
    assert!(answer.text.contains("green") && answer.conversation == shown, "{answer:?}");
    assert!(format!("{:?}", place.said()).starts_with(before.trim_end_matches(']')));
    program.kill();
}

#[test]
fn without_a_display_there_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_percept"));
    program.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
    program.env("PERCEPT_DATA_DIR", folder.path()).env("XDG_RUNTIME_DIR", folder.path());
    let said = program.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(1), "{text}");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains("percept chat"), "{text}");
}
