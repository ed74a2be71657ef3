//! Downloads files of a repository by several connections at once, goes on where one broke, and checks every byte.

use super::api::{Remote, Repo, total};
use super::cache::{JOURNAL, Lock, Place, UNFINISHED};
use super::http::{About, Answer, Client, Tries, Trouble};
use super::part::{BLOCK, Part};
use super::stop::Stop;
use super::{Problem, Result, disk};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Blocks that one request asks for: enough to be worth one, few enough to give every connection some.
const FEWEST: u64 = 4;
const MOST: u64 = 32;
/// Bytes read at once.
const BUFFER: usize = 128 << 10;
/// How often wrong content is fetched before it is believed to be the hub's.
const ATTEMPTS: u32 = 2;

/// Where a file is while and after it is downloaded.
struct Paths {
    blob: PathBuf,
    data: PathBuf,
    journal: PathBuf,
}

impl Paths {
    fn of(place: &Place, file: &Remote) -> Paths {
        let blob = place.blob(file.checksum.hex());
        let beside = |ending: &str| blob.with_file_name(format!("{}.{ending}", file.checksum.hex()));
        Paths { data: beside(UNFINISHED), journal: beside(JOURNAL), blob }
    }
}

/// Whether the content is in the cache already.
pub fn is_there(place: &Place, file: &Remote) -> bool {
    place.blob(file.checksum.hex()).metadata().is_ok_and(|blob| blob.is_file() && blob.len() == file.size)
}

/// Bytes that must be fetched.
pub fn bytes_missing(place: &Place, file: &Remote) -> u64 {
    let Paths { data, journal, .. } = Paths::of(place, file);
    if is_there(place, file) { 0 } else { file.size - Part::bytes_there(&data, &journal, file.size) }
}

/// A file that is being downloaded.
struct Running<'a> {
    file: &'a Remote,
    paths: Paths,
    part: Mutex<Option<Part>>,
    /// Blocks that one request asks for.
    request: u64,
    /// Requests that are not done.
    open: AtomicUsize,
    attempts: AtomicUsize,
    /// The address behind the hub's redirections, until it expires.
    direct: Mutex<Option<String>>,
}

/// What all connections share.
struct Shared<'a> {
    client: &'a Client,
    repo: &'a Repo,
    running: Vec<Running<'a>>,
    queue: Mutex<VecDeque<(usize, Range<u64>)>>,
    stop: &'a Stop,
    /// There is a problem, which ends all of it.
    failed: AtomicBool,
    problem: Mutex<Option<Problem>>,
    advance: &'a (dyn Fn(i64) + Sync),
}

/// Downloads what is missing of `files` by up to `connections` connections. `advance` is told of bytes, fewer than none if
/// some have to be fetched again; `waiting` that another program has begun.
///
/// # Errors
/// The first problem, or that it was stopped; what is there then stays.
pub fn download(
    client: &Client,
    repo: &Repo,
    place: &Place,
    files: &[Remote],
    connections: usize,
    advance: &(dyn Fn(i64) + Sync),
    waiting: &dyn Fn(),
) -> Result<()> {
    let stop = client.stop();
    // Everybody takes them in the same order, so nobody waits in a circle.
    let mut sorted: Vec<&Remote> = files.iter().collect();
    sorted.sort_by(|a, b| a.checksum.hex().cmp(b.checksum.hex()));
    sorted.dedup_by(|a, b| a.checksum == b.checksum);
    let mut locks = Vec::new();
    for file in sorted.iter().filter(|file| !is_there(place, file)) {
        let missing = bytes_missing(place, file);
        locks.push(Lock::take(place, file.checksum.hex(), stop, waiting)?);
        // What the other program fetched meanwhile.
        advance((missing - bytes_missing(place, file)) as i64);
    }
    let mut shared = Shared {
        client,
        repo,
        running: Vec::new(),
        queue: Mutex::default(),
        stop,
        failed: AtomicBool::new(false),
        problem: Mutex::new(None),
        advance,
    };
    // Small ones first: what is wrong is found out early.
    sorted.retain(|file| !is_there(place, file));
    sorted.sort_by_key(|file| file.size);
    for file in sorted {
        let paths = Paths::of(place, file);
        let part = Part::open(paths.data.clone(), paths.journal.clone(), file.size)?;
        let request = (file.size / BLOCK / (2 * connections.max(1) as u64)).clamp(FEWEST, MOST);
        let ranges = part.missing(request);
        let whole = ranges.is_empty();
        let running = Running {
            file,
            paths,
            part: Mutex::new(Some(part)),
            request,
            open: AtomicUsize::new(ranges.len().max(1)),
            attempts: AtomicUsize::new(1),
            direct: Mutex::new(None),
        };
        let index = shared.running.len();
        let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.extend(ranges.into_iter().map(|range| (index, range)));
        if whole {
            queue.push_back((index, file.size..file.size));
        }
        drop(queue);
        shared.running.push(running);
    }
    let jobs = shared.queue.lock().unwrap_or_else(PoisonError::into_inner).len();
    std::thread::scope(|scope| {
        for _ in 0..connections.clamp(1, jobs.max(1)) {
            scope.spawn(|| shared.work());
        }
    });
    drop(locks);
    match shared.problem.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(problem) => Err(problem),
        None if stop.is_asked() => Err(Problem::Stopped),
        None => Ok(()),
    }
}

impl Shared<'_> {
    fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.stop.is_asked()
    }

    fn work(&self) {
        while !self.is_over() {
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((index, range)) = next else { return };
            if let Err(problem) = self.job(index, range) {
                self.failed.store(true, Ordering::Relaxed);
                self.problem.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
            }
        }
    }

    fn job(&self, index: usize, range: Range<u64>) -> Result<()> {
        let running = &self.running[index];
        let (mut at, mut tries) = (range.start, Tries::default());
        while at < range.end {
            if self.is_over() {
                return Ok(());
            }
            let before = at;
            if let Err(trouble) = self.fetch(running, &mut at, range.end) {
                if at > before {
                    tries.forget();
                }
                tries.wait(self.client, trouble, &self.failed)?;
            }
        }
        // Whoever ends the last request of a file checks it.
        if running.open.fetch_sub(1, Ordering::AcqRel) > 1 || self.is_over() {
            return Ok(());
        }
        self.finish(index)
    }

    /// One request for `at..end`; `at` follows what is written.
    fn fetch(&self, running: &Running<'_>, at: &mut u64, end: u64) -> Result<(), Trouble> {
        let file = running.file;
        let answer = self.ask(running, *at..end)?;
        let url = answer.url;
        // A server that does not know ranges sends everything.
        let mut skip = if answer.response.status().as_u16() == 200 { *at } else { 0 };
        if let Some(found) = total(answer.response.headers()).filter(|found| *found != file.size) {
            let expected = file.size;
            return Err(Trouble::Final(Problem::Machine(format!(
                "{} sends {found} bytes of {}, the hub says {expected}; it is being changed or was damaged there, try again later",
                self.client.host(),
                file.path
            ))));
        }
        let mut body = answer.response.into_body().into_reader();
        let mut writer = self.part(running, |part| part.writer(*at)).map_err(Trouble::Final)?;
        let mut buffer = vec![0; BUFFER];
        while *at < end {
            let most = ((end - *at).saturating_add(skip)).min(BUFFER as u64) as usize;
            let read = match body.read(&mut buffer[..most]) {
                Ok(0) => {
                    let why = format!("{} ended the connection early", self.client.host());
                    return Err(Trouble::Again { why, after: None });
                }
                Ok(read) => read,
                Err(error) => return Err(self.client.lost(&url, &body_error(error))),
            };
            let skipped = skip.min(read as u64);
            skip -= skipped;
            let fresh = &buffer[skipped as usize..read];
            writer.write_all(fresh).map_err(|e| Trouble::Final(disk("write", &running.paths.data)(e)))?;
            let to = *at + fresh.len() as u64;
            self.part(running, |part| part.record(*at, to)).map_err(Trouble::Final)?;
            *at = to;
            (self.advance)(fresh.len() as i64);
            if self.is_over() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Asks where the file was found last, and the hub if it is there no longer.
    fn ask(&self, running: &Running<'_>, range: Range<u64>) -> Result<Answer, Trouble> {
        let about = About { id: &self.repo.id, revision: &self.repo.sha, file: Some(&running.file.path) };
        let direct = running.direct.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(direct) = direct {
            match self.client.get(&direct, Some(range.clone()), about) {
                Err(Trouble::Final(_)) => *running.direct.lock().unwrap_or_else(PoisonError::into_inner) = None,
                other => return other,
            }
        }
        let url = self.repo.url(self.client, &running.file.path);
        let answer = self.client.get(&url, Some(range), about)?;
        if answer.url != url {
            *running.direct.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.url.clone());
        }
        Ok(answer)
    }

    fn part<T>(&self, running: &Running<'_>, act: impl FnOnce(&Part) -> Result<T>) -> Result<T> {
        let part = running.part.lock().unwrap_or_else(PoisonError::into_inner);
        match &*part {
            Some(part) => act(part),
            None => Err(Problem::Machine(format!("{} could not be begun anew", running.file.path))),
        }
    }

    /// Checks a whole file and gives it its name, or has it fetched again.
    fn finish(&self, index: usize) -> Result<()> {
        let running = &self.running[index];
        let file = running.file;
        let found = self.part(running, |part| {
            let sum =
                || file.checksum.of(&mut Stoppable { file: File::open(part.data())?, stop: self.stop }, file.size);
            sum()
                .map_err(|error| if self.stop.is_asked() { Problem::Stopped } else { disk("read", part.data())(error) })
        })?;
        if found == file.checksum.hex() {
            return self.part(running, |part| part.finish(&running.paths.blob));
        }
        let mut slot = running.part.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = slot.take() {
            let fresh = part.begin_anew()?;
            if running.attempts.fetch_add(1, Ordering::Relaxed) < ATTEMPTS as usize {
                (self.advance)(-(file.size as i64));
                let ranges = fresh.missing(running.request);
                running.open.store(ranges.len(), Ordering::Release);
                *slot = Some(fresh);
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                queue.extend(ranges.into_iter().map(|range| (index, range)));
                return Ok(());
            }
        }
        Err(Problem::Machine(format!(
            "{} arrived with the {} {found}, expected {}, {ATTEMPTS} times: it is damaged at {} or by something in between; nothing of it \
             was kept, try again later or over another network",
            file.path,
            file.checksum.kind(),
            file.checksum.hex(),
            self.client.host()
        )))
    }
}

/// A file whose reading ends early when the download is stopped.
struct Stoppable<'a> {
    file: File,
    stop: &'a Stop,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.stop.is_asked() {
            return Err(std::io::Error::other("stopped"));
        }
        self.file.read(buffer)
    }
}

/// What ureq puts into errors of reading.
fn body_error(error: std::io::Error) -> ureq::Error {
    match error.downcast::<ureq::Error>() {
        Ok(error) => error,
        Err(error) => ureq::Error::Io(error),
    }
}
