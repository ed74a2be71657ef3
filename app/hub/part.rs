//! A file while it is downloaded: its data, and a journal of the blocks that are there, so that it can be gone on with
//! after the program was killed.

use super::{Result, disk};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Bytes that count as there together.
pub const BLOCK: u64 = 1 << 20;
const MAGIC: &[u8; 8] = b"percept1";

/// A file that is not finished. `data` may have holes; the journal is the number of its bytes, then a number for each block.
pub struct Part {
    data: PathBuf,
    journal: PathBuf,
    size: u64,
    state: Mutex<State>,
}

struct State {
    there: Vec<bool>,
    journal: File,
}

impl Part {
    /// Goes on with what is there, or begins.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(data: PathBuf, journal: PathBuf, size: u64) -> Result<Part> {
        let there = read(&data, &journal, size).unwrap_or_default();
        let begin = || -> std::io::Result<State> {
            fs::create_dir_all(data.parent().unwrap_or(&data))?;
            let mut file = File::options().create(true).append(true).open(&journal)?;
            if there.is_empty() {
                file.set_len(0)?;
                let fresh = File::options().create(true).write(true).truncate(true).open(&data)?;
                fresh.set_len(size)?;
                file.write_all(MAGIC)?;
                file.write_all(&size.to_le_bytes())?;
            }
            let blocks = size.div_ceil(BLOCK) as usize;
            let there = if there.is_empty() { vec![false; blocks] } else { there };
            Ok(State { there, journal: file })
        };
        let state = begin().map_err(disk("write", &data))?;
        Ok(Part { data, journal, size, state: Mutex::new(state) })
    }

    /// Bytes that another attempt does not have to fetch.
    pub fn bytes_there(data: &Path, journal: &Path, size: u64) -> u64 {
        let there = read(data, journal, size).unwrap_or_default();
        (0..there.len()).filter(|block| there[*block]).map(|block| length(block, size)).sum()
    }

    /// What is missing, in ranges of at most `most` blocks.
    pub fn missing(&self, most: u64) -> Vec<Range<u64>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for block in (0..state.there.len()).filter(|block| !state.there[*block]) {
            let start = block as u64 * BLOCK;
            let end = start + length(block, self.size);
            match ranges.last_mut().filter(|last| last.end == start && start - last.start < most * BLOCK) {
                Some(last) => last.end = end,
                None => ranges.push(start..end),
            }
        }
        ranges
    }

    /// For writing from `at` on.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn writer(&self, at: u64) -> Result<File> {
        let open = || {
            let mut file = File::options().write(true).open(&self.data)?;
            file.seek(SeekFrom::Start(at))?;
            Ok(file)
        };
        open().map_err(disk("write", &self.data))
    }

    /// Where the data is.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Remembers the blocks that end within `from..to`, if `from` is where one begins or what lies before is there.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn record(&self, from: u64, to: u64) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = Vec::new();
        for block in from / BLOCK..to.div_ceil(BLOCK) {
            let end = block * BLOCK + length(block as usize, self.size);
            if end > from && end <= to && !std::mem::replace(&mut state.there[block as usize], true) {
                text.extend((block as u32).to_le_bytes());
            }
        }
        state.journal.write_all(&text).map_err(disk("write", &self.journal))
    }

    /// Forgets everything that is there.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin_anew(self) -> Result<Part> {
        let Part { data, journal, size, state } = self;
        drop(state);
        let _ = fs::remove_file(&journal);
        Part::open(data, journal, size)
    }

    /// Gives the data its name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(&self, blob: &Path) -> Result<()> {
        let name = || {
            // Its name says that it is right, so it must be on the disk before it has it.
            File::options().write(true).open(&self.data)?.sync_all()?;
            fs::rename(&self.data, blob)
        };
        name().map_err(disk("write", blob))?;
        // What is left behind harms nobody.
        let _ = fs::remove_file(&self.journal);
        Ok(())
    }
}

/// Bytes of a block.
fn length(block: usize, size: u64) -> u64 {
    (size - block as u64 * BLOCK).min(BLOCK)
}

/// Which blocks a journal names; `None` if it is of other data.
fn read(data: &Path, journal: &Path, size: u64) -> Option<Vec<bool>> {
    if data.metadata().ok()?.len() != size {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(journal).ok()?.take(16 + 4 * size.div_ceil(BLOCK) * 2).read_to_end(&mut bytes).ok()?;
    let blocks = bytes.strip_prefix(MAGIC)?.strip_prefix(&size.to_le_bytes())?;
    let mut there = vec![false; size.div_ceil(BLOCK) as usize];
    // The last number may be cut off.
    for number in blocks.chunks_exact(4) {
        let block = u32::from_le_bytes(number.try_into().ok()?) as usize;
        *there.get_mut(block)? = true;
    }
    Some(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let (data, journal) = (folder.path().join("d"), folder.path().join("j"));
        let size = 5 * BLOCK + 7;
        let open = || Part::open(data.clone(), journal.clone(), size).unwrap();
        let part = open();
        assert_eq!(part.missing(2), [0..2 * BLOCK, 2 * BLOCK..4 * BLOCK, 4 * BLOCK..size]);
        part.record(BLOCK, 3 * BLOCK - 1).unwrap();
        part.record(3 * BLOCK - 1, 3 * BLOCK).unwrap();
        part.record(5 * BLOCK, size).unwrap();
        let left = [0..BLOCK, 3 * BLOCK..5 * BLOCK];
        assert_eq!(part.missing(9), left);
        drop(part);
        assert_eq!(open().missing(9), left);
        assert_eq!(Part::bytes_there(&data, &journal, size), 2 * BLOCK + 7);
        // Cut off in the middle of a number.
        let len = journal.metadata().unwrap().len();
        File::options().write(true).open(&journal).unwrap().set_len(len - 1).unwrap();
        assert_eq!(open().missing(9), [0..BLOCK, 3 * BLOCK..size]);
        let whole = vec![0..size; 1];
        // A number that no block has, another size, no data: begun anew.
        assert_eq!(Part::bytes_there(&data, &journal, size + 1), 0);
        fs::write(&journal, [&MAGIC[..], &size.to_le_bytes(), &[9, 0, 0, 0]].concat()).unwrap();
        assert_eq!(open().missing(99), whole);
        open().record(0, size).unwrap();
        fs::remove_file(&data).unwrap();
        assert_eq!(open().missing(99), whole);
        // Nothing is missing of an empty file.
        assert_eq!(Part::open(folder.path().join("e"), folder.path().join("f"), 0).unwrap().missing(1), []);
    }
}
