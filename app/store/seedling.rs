//! Seedling, the model that is part of the program: a checkpoint folder like any other, kept in the binary and written once
//! into the cache folder, from where the engine loads it.

use anyhow::{Context, Result};
use ring::digest::{SHA256, digest};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Its name in `percept models list`.
pub const NAME: &str = "seedling";
/// The `model_type` of its config.
pub const ARCHITECTURE: &str = "gemma4_unified";

/// A file of the folder: name and content.
type Content<'a> = (&'a str, &'a [u8]);

#[cfg(feature = "embedded-model")]
macro_rules! content {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/seedling/model/", $name)))),*]
    };
}

/// The whole folder.
#[cfg(feature = "embedded-model")]
static FILES: &[Content<'static>] = content!(
    "chat_template.jinja" "config.json" "generation_config.json" "model.safetensors" "processor_config.json"
    "tokenizer.json" "tokenizer_config.json"
);
#[cfg(not(feature = "embedded-model"))]
static FILES: &[Content<'static>] = &[];

/// Left by a program that was killed while it wrote, if it is as old.
const STALE: Duration = Duration::from_secs(3600);

/// Whether this program has it.
pub fn is_here() -> bool {
    !FILES.is_empty()
}

/// Bytes of its weights.
pub fn bytes() -> u64 {
    FILES.iter().filter(|(name, _)| name.ends_with(".safetensors")).map(|(_, content)| content.len() as u64).sum()
}

/// Where it is or will be, if the system has a place for caches.
pub fn place() -> Option<PathBuf> {
    // Every look for models asks, and the sum is over all of the weights.
    static FOLDER: LazyLock<String> = LazyLock::new(|| name_of(FILES));
    Some(percept::cache_dir()?.join("models").join(&*FOLDER))
}

/// Its folder, written if it is not there or not whole.
///
/// # Errors
/// If it cannot be written; the sentence names the place and the variable that moves it.
pub fn folder() -> Result<PathBuf> {
    let remedy = "set PERCEPT_CACHE_DIR to a folder that can be written, or name another model with --model";
    let place = place().with_context(|| format!("there is no place for the built-in model: {remedy}"))?;
    // Of the threads of a process one at a time; other processes write folders of their own.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    unpack(FILES, &place)
        .with_context(|| format!("cannot write the built-in model to {}: {remedy}", place.display()))?;
    Ok(place)
}

/// The name and what is in it, so that another version of the program has a folder of its own.
fn name_of(files: &[Content<'_>]) -> String {
    let sums: Vec<u8> = files
        .iter()
        .flat_map(|(name, content)| [digest(&SHA256, name.as_bytes()), digest(&SHA256, content)])
        .flat_map(|sum| sum.as_ref().to_vec())
        .collect();
    let sum = digest(&SHA256, &sums);
    let hex: String = sum.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{NAME}-{hex}")
}

/// Writes the files beside `place` and moves them there at once, unless all of them are there already.
fn unpack(files: &[Content<'_>], place: &Path) -> io::Result<()> {
    if is_whole(files, place) {
        return Ok(());
    }
    let above = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(above)?;
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    remove_stale(above, &format!(".{name}-"));
    let begun = above.join(format!(".{name}-{}", std::process::id()));
    let written = write(files, &begun).and_then(|()| put(files, &begun, place));
    // Nothing is left to remove if it was moved.
    let _ = fs::remove_dir_all(&begun);
    written
}

/// Whether the folder holds these files, byte by byte.
fn is_whole(files: &[Content<'_>], place: &Path) -> bool {
    let same_len = |path: &Path, len| path.metadata().is_ok_and(|metadata| metadata.len() == len as u64);
    files.iter().all(|(name, content)| {
        let path = place.join(name);
        same_len(&path, content.len()) && fs::read(path).is_ok_and(|found| found == *content)
    })
}

fn write(files: &[Content<'_>], folder: &Path) -> io::Result<()> {
    // Of a process that had the same number.
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder)?;
    for (name, content) in files {
        let mut file = File::create(folder.join(name))?;
        file.write_all(content)?;
        file.sync_all()?;
    }
    Ok(())
}

/// Moves what was written to its place; another process may have been faster, and what is damaged is replaced.
fn put(files: &[Content<'_>], begun: &Path, place: &Path) -> io::Result<()> {
    match fs::rename(begun, place) {
        Ok(()) => Ok(()),
        Err(_) if is_whole(files, place) => Ok(()),
        Err(error) if !place.exists() => Err(error),
        Err(_) => {
            match place.is_dir() {
                true => fs::remove_dir_all(place)?,
                false => fs::remove_file(place)?,
            }
            fs::rename(begun, place)
        }
    }
}

/// Removes what earlier processes began and did not end. Whatever stays costs space alone.
fn remove_stale(folder: &Path, beginning: &str) {
    let is_old = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > STALE))
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(beginning) && is_old(&entry) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: &[Content<'static>] = &[("config.json", b"{}"), ("model.safetensors", b"weights")];

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn the_model_is_written_once_and_as_a_whole() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("models").join(name_of(MADE));
        unpack(MADE, &place).unwrap();
        assert_eq!(names(&place), ["config.json", "model.safetensors"]);
        let written = || place.join("model.safetensors").metadata().unwrap().modified().unwrap();
        let first = written();
        unpack(MADE, &place).unwrap();
        assert_eq!(written(), first);
        assert_eq!(names(place.parent().unwrap()), [name_of(MADE)]);
    }

    #[test]
    fn what_is_damaged_is_written_anew() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("model");
        let damages: [&dyn Fn(); 5] = [
            &|| fs::write(place.join("model.safetensors"), "wei").unwrap(),
            &|| fs::write(place.join("model.safetensors"), "weighty").unwrap(),
            &|| fs::remove_file(place.join("config.json")).unwrap(),
            &|| fs::remove_dir_all(&place).unwrap(),
            &|| {
                fs::remove_dir_all(&place).unwrap();
                fs::write(&place, "no folder").unwrap();
            },
        ];
        unpack(MADE, &place).unwrap();
        for (number, damage) in damages.iter().enumerate() {
            damage();
            assert!(!is_whole(MADE, &place), "{number}");
            unpack(MADE, &place).unwrap();
            assert!(is_whole(MADE, &place), "{number}");
            assert_eq!(names(home.path()), ["model"], "{number}");
        }
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("model");
        // The second file cannot be made, as on a full disk.
        let files: &[Content<'_>] = &[MADE[0], ("no/folder", b"")];
        assert!(unpack(files, &place).is_err());
        assert_eq!(names(home.path()), Vec::<String>::new());
        fs::write(home.path().join("file"), "").unwrap();
        assert!(unpack(MADE, &home.path().join("file/model")).is_err());
    }

    #[test]
    fn another_content_has_another_name() {
        let other: &[Content<'_>] = &[MADE[0], ("model.safetensors", b"Weights")];
        assert_ne!(name_of(MADE), name_of(other));
        assert!(name_of(MADE).starts_with("seedling-") && name_of(MADE).len() == 25, "{}", name_of(MADE));
    }
}
