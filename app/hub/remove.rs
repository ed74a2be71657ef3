//! Takes models out of the cache: everything of a repository, one commit of it, or one GGUF model. Content that another
//! commit shows stays.

use super::cache::{Place, is_busy};
use super::{Problem, Result, disk};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What to take out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// All of the repository, also what is not finished.
    Everything,
    /// A commit.
    Commit(String),
    /// Files of a commit, by their paths in it.
    Files(String, Vec<PathBuf>),
}

/// What would be taken out.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// Whole folders.
    folders: Vec<PathBuf>,
    /// Files, and links.
    files: Vec<PathBuf>,
    /// Bytes that this frees.
    pub bytes: u64,
    /// Bytes of content that stays, since another commit shows it.
    pub kept: u64,
}

/// Looks what there is.
///
/// # Errors
/// If it cannot be read, or is being downloaded right now.
pub fn plan(place: &Place, what: &What) -> Result<Plan> {
    if is_busy(place) {
        let folder = place.folder();
        let problem = format!("{} is being downloaded right now; stop that, or wait for its end", folder.display());
        return Err(Problem::Machine(problem));
    }
    let read = || -> io::Result<Plan> {
        let snapshots = place.folder().join("snapshots");
        let others = |commit: &str| -> io::Result<Vec<PathBuf>> {
            let folders = fs::read_dir(&snapshots)?.collect::<io::Result<Vec<_>>>()?;
            let mut files = Vec::new();
            for folder in folders.into_iter().filter(|folder| folder.file_name() != commit) {
                walk(&folder.path(), &mut files)?;
            }
            Ok(files)
        };
        let (commit, gone) = match what {
            What::Everything => return everything(place),
            What::Commit(commit) => (commit, None),
            What::Files(commit, files) => (commit, Some(files)),
        };
        let snapshot = place.snapshot(commit);
        let mut all = Vec::new();
        walk(&snapshot, &mut all)?;
        let (mut gone, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|path| {
            let inside = path.strip_prefix(&snapshot).unwrap_or(path);
            gone.is_none_or(|gone| gone.iter().any(|gone| gone == inside))
        });
        let mut elsewhere = others(commit)?;
        let is_weights =
            |path: &PathBuf| path.extension().is_some_and(|ending| ending == "gguf" || ending == "safetensors");
        let is_projector = |path: &PathBuf| path.to_string_lossy().to_lowercase().contains("mmproj");
        let whole = !left.iter().any(|path| is_weights(path) && !is_projector(path));
        if whole && elsewhere.is_empty() {
            return everything(place);
        }
        if whole {
            gone.extend(left);
        } else {
            elsewhere.extend(left);
        }
        let used: BTreeSet<PathBuf> = elsewhere.iter().filter_map(|path| blob(place, path)).collect();
        let mut plan = Plan { folders: Vec::new(), files: Vec::new(), bytes: 0, kept: 0 };
        let mut seen = BTreeSet::new();
        for path in gone {
            match blob(place, &path) {
                Some(blob) if used.contains(&blob) => plan.kept += blob.metadata().map_or(0, |blob| blob.len()),
                Some(blob) if seen.insert(blob.clone()) => {
                    plan.bytes += blob.metadata().map_or(0, |blob| blob.len());
                    plan.files.push(blob);
                }
                Some(_) => {}
                // A copy; of a link that leads nowhere nothing.
                None => {
                    plan.bytes += path.symlink_metadata().map_or(0, |file| if file.is_file() { file.len() } else { 0 })
                }
            }
            plan.files.push(path);
        }
        if whole {
            plan.folders.push(snapshot);
            plan.files.extend(refs_to(place, commit)?);
        }
        Ok(plan)
    };
    read().map_err(disk("read", &place.folder()))
}

/// Carries it out.
///
/// # Errors
/// If something cannot be removed; what could be is.
pub fn carry_out(plan: &Plan) -> Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    // Links before content, so that nothing is shown that is not there.
    for file in plan.files.iter().rev() {
        gone(fs::remove_file(file)).map_err(disk("remove", file))?;
    }
    for folder in &plan.folders {
        gone(fs::remove_dir_all(folder)).map_err(disk("remove", folder))?;
    }
    Ok(())
}

fn everything(place: &Place) -> io::Result<Plan> {
    let mut files = Vec::new();
    walk(&place.folder(), &mut files)?;
    let length = |path: &PathBuf| path.symlink_metadata().map_or(0, |file| if file.is_file() { file.len() } else { 0 });
    let bytes = files.iter().map(length).sum();
    Ok(Plan { folders: vec![place.folder(), place.locks()], files: Vec::new(), bytes, kept: 0 })
}

/// All files and links below a folder; links are not followed.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => walk(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}

/// The content that a link of a snapshot leads to; nothing outside the repository's own blobs is ever meant.
fn blob(place: &Place, link: &Path) -> Option<PathBuf> {
    let to = fs::read_link(link).ok()?;
    let name = to.file_name()?.to_str()?;
    let blob = place.blob(name);
    (link.parent()?.join(&to).canonicalize().ok()? == blob.canonicalize().ok()?).then_some(blob)
}

/// The refs that name a commit.
fn refs_to(place: &Place, commit: &str) -> io::Result<Vec<PathBuf>> {
    let mut refs = Vec::new();
    let folder = place.folder().join("refs");
    if folder.is_dir() {
        walk(&folder, &mut refs)?;
    }
    refs.retain(|path| fs::read_to_string(path).is_ok_and(|named| named.trim() == commit));
    Ok(refs)
}
