//! A conversation as a file of JSON lines, written as it happens, so that nothing said is lost whatever happens next.

use serde_json::{Map, Value};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The file of one conversation; it is made when the first line is written.
pub struct Conversation {
    path: PathBuf,
    file: Option<File>,
    /// The last line was perhaps written in part.
    torn: bool,
}

impl Conversation {
    /// A new one in `folder`, called by the time and the process.
    pub fn new(folder: &Path) -> Conversation {
        let name = format!("{}-{}.jsonl", now().replace(':', "-"), std::process::id());
        Conversation { path: folder.join(name), file: None, torn: false }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one object with the time in front, and waits until it is on the disk.
    ///
    /// # Errors
    /// What the system says; the next call tries again.
    pub fn append(&mut self, entry: Map<String, Value>) -> io::Result<()> {
        let mut line = Map::from_iter([("time".to_string(), Value::from(now()))]);
        line.extend(entry);
        // A line that was cut by a full disk is ended first.
        let text = format!("{}{}\n", if self.torn { "\n" } else { "" }, Value::Object(line));
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(create(&self.path)?),
        };
        self.torn = true;
        file.write_all(text.as_bytes())?;
        self.torn = false;
        file.sync_data()
    }
}

/// A new file that only its owner can read.
fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The time in UTC: `2026-01-31T23:59:59Z`.
fn now() -> String {
    iso(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

fn iso(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days from 1 March of year 0, so that leap days end a year; 400 years have 146,097 days.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + 400 * era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
        ] {
            assert_eq!(iso(seconds), text);
        }
    }

    #[test]
    fn each_line_is_an_object_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut talk = Conversation::new(folder.path());
        for text in ["a\nb", "c"] {
            talk.append(Map::from_iter([("text".to_string(), Value::from(text))])).unwrap();
        }
        let lines = fs::read_to_string(talk.path()).unwrap();
        let texts: Vec<Value> =
            lines.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["text"].clone()).collect();
        assert_eq!(texts, ["a\nb", "c"]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_of_each_time() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let mut talk = Conversation::new(&folder.path().join("file/below"));
        assert!(talk.append(Map::new()).is_err());
        assert!(talk.append(Map::new()).is_err());
    }
}
