//! A safetensors file of any bytes: whatever its header says, the tensors of one that is taken lie in the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use percept::weights::parse_header;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(entries) = parse_header(Path::new("a.safetensors"), bytes) else { return };
    let mut end = 0;
    let mut ranges: Vec<_> = entries.iter().map(|entry| entry.range.clone()).collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    for range in ranges {
        assert!(range.start <= range.end && range.end <= bytes.len() && range.start >= end);
        end = range.end;
    }
});
