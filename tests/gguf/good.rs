//! Files that are as they should be.

use crate::generator::tiny;
use crate::{open, read_all, render};
use tempfile::TempDir;

#[test]
fn both_versions_whatever_their_name() {
    let folder = TempDir::new().unwrap();
    for (version, name) in [(2u32, "a.gguf"), (3, "sha256-0123")] {
        let path = folder.path().join(name);
        let mut file = tiny();
        file.version = version.to_le_bytes();
        std::fs::write(&path, file.bytes()).unwrap();
        assert_eq!(open(&path).unwrap().version(), version);
        assert_eq!(render(&read_all(&path).unwrap().unwrap()).unwrap(), "<bos>ab");
    }
}
