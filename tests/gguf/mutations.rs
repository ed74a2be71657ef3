//! A good file with each byte of its header changed, or cut at each place: whatever is read, nothing panics and nothing large
//! is asked for.

use crate::generator::tiny;
use crate::{memory, open, read_all};
use std::path::Path;
use tempfile::TempDir;

/// Reads a file that may be good or not.
fn survives(path: &Path, bytes: &[u8]) -> bool {
    std::fs::write(path, bytes).unwrap();
    if open(path).is_err() {
        return false;
    }
    let (read, largest) = memory::largest(|| read_all(path));
    assert!(largest <= memory::ALL + memory::READER_TIMES * bytes.len(), "{largest} bytes at once");
    read.is_ok()
}

#[test]
fn every_byte_of_the_header() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.gguf");
    let file = tiny();
    let good = file.bytes();
    assert!(survives(&path, &good));
    let mut read = 0;
    let header = file.header().len();
    for place in 0..header {
        let mut bytes = good.clone();
        bytes[place] ^= [1, 0x80, 0xff][place % 3];
        read += usize::from(survives(&path, &bytes));
    }
    // Names of tokens may change, counts and lengths may not.
    assert!(read > header / 20 && read < header / 2, "{read} of {header} are read as if they were good");
}

#[test]
fn every_length() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.gguf");
    let good = tiny().bytes();
    for len in (0..tiny().header().len()).chain((0..good.len()).step_by(97)) {
        assert!(!survives(&path, &good[..len]), "{len} bytes are read as if they were all");
    }
}
