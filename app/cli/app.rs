//! `percept app`: the window, which `percept` alone opens, too.

use super::parts::{self, Kind};
use crate::live::{Choice, FedCamera, FedMicrophone, read_sound};
use crate::ui::desk::Options;
use crate::ui::window;
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks into a folder of sounds.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

const EXAMPLES: &str = "\
Examples:
  percept                                      the window
  percept app cat.jpg                          with a picture to ask about
  percept app --model google/gemma-4-12B-it    with another model
  percept app --microphone talk.wav --camera clip.mp4
                                               recordings instead of devices

Conversations are kept in the data folder of this computer (PERCEPT_DATA_DIR names another); nothing
leaves the machine. Without a display use `percept chat`.";

/// Open the window: talk by microphone and camera, type, drop files.
#[derive(clap::Args, Default)]
#[command(after_help = EXAMPLES)]
pub struct AppArgs {
    /// Pictures, sounds, videos or text files that go with the first message.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A GGUF file, a checkpoint folder, or a name of `percept models list`; that of the settings if not given.
    #[arg(long, short, value_name = "MODEL")]
    model: Option<String>,
    #[command(flatten)]
    adapter: super::load::AdapterArgs,
    /// A sound file instead of the microphone, or a folder: each sound that is put into it is heard.
    #[arg(long, value_name = "FILE")]
    microphone: Option<PathBuf>,
    /// A picture, a video or a folder of pictures instead of the camera.
    #[arg(long, value_name = "FILE")]
    camera: Option<PathBuf>,
}

/// Carries it out.
///
/// # Errors
/// If there is no display, or a file is missing.
pub fn run(args: AppArgs) -> Result<()> {
    let options = Options {
        model: args.model,
        adapter: args.adapter.asked(),
        microphone: args.microphone.as_deref().map(microphone).transpose()?.map(Choice::File),
        camera: args.camera.as_deref().map(FedCamera::open).transpose()?.map(Choice::File),
        files: args.files,
        ..Options::default()
    };
    window::run(options)
}

/// A microphone that hears a file, or each one that comes into a folder, by name.
fn microphone(path: &Path) -> Result<FedMicrophone> {
    if !path.is_dir() {
        return FedMicrophone::open(path);
    }
    let (microphone, folder) = (FedMicrophone::default(), path.to_path_buf());
    let heard = microphone.clone();
    std::thread::Builder::new().name("sounds".into()).spawn(move || {
        let mut known = BTreeSet::new();
        loop {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let sounds: BTreeSet<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_sound(path)).collect();
            for sound in sounds.difference(&known) {
                match read_sound(sound) {
                    Ok(samples) => heard.say(&samples),
                    Err(problem) => tracing::warn!("{problem:#}"),
                }
            }
            known.extend(sounds);
            std::thread::sleep(LOOK_AGAIN);
        }
    })?;
    Ok(microphone)
}

fn is_sound(path: &Path) -> bool {
    parts::kind_of(path) == Some(Kind::Audio)
}
