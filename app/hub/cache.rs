//! The cache that all programs of the hub share: `models--ORG--NAME` with `blobs` named by checksum, `snapshots` of links
//! to them by commit, and `refs` from names of revisions to commits.

use super::id::is_commit;
use super::stop::Stop;
use super::{Problem, Result, disk, variable};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Endings of what is not finished: data, and which blocks of it are there.
pub const UNFINISHED: &str = "percept-incomplete";
pub const JOURNAL: &str = "percept-journal";
/// Between two looks at a lock that another program has.
const LOOK: Duration = Duration::from_millis(100);

/// `HF_HOME`, or where it is without that.
pub fn home() -> Option<PathBuf> {
    let in_home = |folder: &str| std::env::home_dir().map(|home| home.join(folder));
    match (variable("HF_HOME"), variable("XDG_CACHE_HOME")) {
        (Some(home), _) => Some(home.into()),
        (None, Some(caches)) => Some(PathBuf::from(caches).join("huggingface")),
        (None, None) => in_home(".cache/huggingface"),
    }
}

/// The part of the cache that belongs to one repository.
#[derive(Clone, Debug)]
pub struct Place {
    hub: PathBuf,
    name: String,
}

impl Place {
    /// Of a repository in a cache.
    pub fn new(hub: &Path, id: &str) -> Place {
        Place { hub: hub.into(), name: format!("models--{}", id.replace('/', "--")) }
    }

    /// All of it.
    pub fn folder(&self) -> PathBuf {
        self.hub.join(&self.name)
    }

    /// Content by its checksum.
    pub fn blob(&self, checksum: &str) -> PathBuf {
        self.folder().join("blobs").join(checksum)
    }

    /// The files of a commit.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder().join("snapshots").join(commit)
    }

    /// Files that are held while content is downloaded, as other programs of the hub do it.
    pub fn locks(&self) -> PathBuf {
        self.hub.join(".locks").join(&self.name)
    }

    /// The commit that a revision was when it was last pulled.
    pub fn commit(&self, revision: &str) -> Option<String> {
        let commit = match is_commit(revision) {
            true => revision.to_string(),
            false => fs::read_to_string(self.folder().join("refs").join(revision)).ok()?.trim().to_string(),
        };
        (is_commit(&commit) && self.snapshot(&commit).is_dir()).then_some(commit)
    }

    /// Remembers which commit a revision is.
    pub fn remember(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit {
            return Ok(());
        }
        let path = self.folder().join("refs").join(revision);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            // Whole or not at all, also for those who read meanwhile.
            let new = path.with_extension(format!("percept-{}", std::process::id()));
            fs::write(&new, commit)?;
            fs::rename(&new, &path)
        };
        write().map_err(disk("write", &path))
    }

    /// Whether a file of a commit is there with that length.
    pub fn holds(&self, commit: &str, path: &str, size: u64) -> bool {
        self.snapshot(commit).join(path).metadata().is_ok_and(|file| file.is_file() && file.len() == size)
    }

    /// Puts content that is there under its name into a commit.
    pub fn show(&self, commit: &str, path: &str, checksum: &str) -> Result<()> {
        let (blob, at) = (self.blob(checksum), self.snapshot(commit).join(path));
        let depth = path.matches('/').count() + 2;
        let relative: PathBuf = std::iter::repeat_n("..", depth).chain(["blobs", checksum]).collect();
        let put = || {
            fs::create_dir_all(at.parent().unwrap_or(&at))?;
            place(&blob, &relative, &at, &symlink)
        };
        put().map_err(disk("write", &at))
    }
}

/// A link at `at`, or what does for one: systems without links for everybody have hard links, or else take a copy.
fn place(blob: &Path, relative: &Path, at: &Path, link: &dyn Fn(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
    if fs::read_link(at).is_ok_and(|to| to == relative) {
        return Ok(());
    }
    // Beside it first, so that a file that is there is never missing.
    let name = at.file_name().unwrap_or_default().to_string_lossy();
    let new = at.with_file_name(format!("{name}.percept-{}", std::process::id()));
    let _ = fs::remove_file(&new);
    link(relative, &new).or_else(|_| fs::hard_link(blob, &new)).or_else(|_| fs::copy(blob, &new).map(drop))?;
    fs::rename(&new, at)
}

#[cfg(unix)]
fn symlink(to: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(windows)]
fn symlink(to: &Path, at: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(to, at)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The lock of some content.
pub struct Lock(#[expect(dead_code, reason = "held until dropped")] File);

impl Lock {
    /// Takes it; `waiting` is told once if another program has it.
    pub fn take(place: &Place, checksum: &str, stop: &Stop, waiting: &dyn Fn()) -> Result<Lock> {
        let path = place.locks().join(format!("{checksum}.lock"));
        let open = || {
            fs::create_dir_all(place.locks())?;
            File::options().create(true).truncate(false).write(true).open(&path)
        };
        let file = open().map_err(disk("lock", &path))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(fs::TryLockError::Error(error)) => return Err(disk("lock", &path)(error)),
                Err(fs::TryLockError::WouldBlock) if stop.is_asked() => return Err(Problem::Stopped),
                Err(fs::TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut told, true) {
                        waiting();
                    }
                    // A lock that blocks could not be given up.
                    std::thread::sleep(LOOK);
                }
            }
        }
    }
}

/// Whether another program is downloading something of it.
pub fn is_busy(place: &Place) -> bool {
    let Ok(locks) = fs::read_dir(place.locks()) else { return false };
    let held = |path: PathBuf| {
        File::options()
            .write(true)
            .open(path)
            .is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
    };
    locks.flatten().any(|entry| held(entry.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_links_there_are_hard_links_or_copies() {
        let hub = tempfile::tempdir().unwrap();
        let here = Place::new(hub.path(), "acme/tiny");
        fs::create_dir_all(here.blob("")).unwrap();
        fs::write(here.blob("ab"), "content").unwrap();
        fs::write(here.blob("cd"), "other").unwrap();
        let at = hub.path().join("file");
        place(&here.blob("ab"), Path::new("nowhere"), &at, &|_, _| Err(io::ErrorKind::PermissionDenied.into()))
            .unwrap();
        assert_eq!(fs::read_to_string(&at).unwrap(), "content");
        assert!(!at.is_symlink());
        here.show("0", "a/b.txt", "ab").unwrap();
        let shown = here.snapshot("0").join("a/b.txt");
        assert_eq!(fs::read_to_string(&shown).unwrap(), "content");
        if cfg!(unix) {
            assert_eq!(fs::read_link(&shown).unwrap(), Path::new("../../../blobs/ab"));
        }
        // What is shown under a name is exchanged.
        here.show("0", "a/b.txt", "cd").unwrap();
        assert_eq!(fs::read_to_string(&shown).unwrap(), "other");
        assert!(here.holds("0", "a/b.txt", 5) && !here.holds("0", "a/b.txt", 6));
    }

    #[test]
    fn locks_are_seen() {
        let hub = tempfile::tempdir().unwrap();
        let here = Place::new(hub.path(), "acme/tiny");
        assert!(!is_busy(&here));
        let lock = Lock::take(&here, "ab", &Stop::default(), &|| panic!("nobody has it")).unwrap();
        assert!(is_busy(&here));
        drop(lock);
        assert!(!is_busy(&here));
    }
}
