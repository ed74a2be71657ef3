//! The largest piece of memory that a thread asks for while something runs, and how much it holds at once.

use super::generator::{Gguf, Value};
use percept::text::Tokenizer;
use percept::weights::GgufFile;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What opening a file may ask for at once: a constant and so many times the length of the file, since the smallest
/// entries take more room as keys of a table than in the file.
pub const READER: usize = 16 << 10;
pub const READER_TIMES: usize = 32;

/// The same for everything that is read of a file, tokenizer and template with it.
pub const ALL: usize = 4 << 20;

/// The same for a prompt that its template builds: as much as the work allowed to it lets it.
pub const PROMPT: usize = 256 << 20;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    /// Bytes held; below 0 where a thread frees what another one asked for.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static MOST_LIVE: Cell<isize> = const { Cell::new(0) };
}

/// Counts a piece that was of `before` bytes, 0 if it is new, and is of `bytes`.
fn note(before: usize, bytes: usize) {
    // Threads that are ending have none left.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes as isize - before as isize);
        MOST_LIVE.try_with(|most| most.set(most.get().max(live.get())))
    });
}

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(0, layout.size());
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(0, layout.size());
        // SAFETY: the caller keeps the promises of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(layout.size(), size);
        // SAFETY: the caller keeps the promises of `realloc`.
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        note(layout.size(), 0);
        // SAFETY: the caller keeps the promises of `dealloc`.
        unsafe { System.dealloc(place, layout) }
    }
}

/// What `run` gives, and the bytes of the largest allocation on this thread meanwhile.
pub fn largest<T>(run: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let result = run();
    (result, LARGEST.get())
}

/// What `run` gives, the bytes that it holds, and the most that this thread held meanwhile.
pub fn held<T>(run: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = LIVE.get();
    MOST_LIVE.set(before);
    let result = run();
    (result, (LIVE.get() - before).max(0) as usize, (MOST_LIVE.get() - before) as usize)
}

/// Vocabularies of 262,144 tokens belong to models of 250 MB: room for each token is what a small model pays first.
#[test]
fn a_vocabulary_takes_little_more_than_its_text() {
    const TOKENS: usize = 100_000;
    for (architecture, most) in [("gemma3", 32), ("llama", 36)] {
        let mut file = Gguf::new();
        file.set("general.architecture", architecture);
        file.set("tokenizer.ggml.model", "llama");
        file.set("tokenizer.ggml.tokens", Value::Strings((0..TOKENS).map(|id| format!("t{id}")).collect()));
        file.set("tokenizer.ggml.scores", Value::F32s((0..TOKENS).map(|id| -(id as f32)).collect()));
        file.set("tokenizer.ggml.token_type", Value::I32s(vec![1; TOKENS]));
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, file.bytes()).unwrap();
        let file = GgufFile::open(&path).unwrap();
        let (tokenizer, live, peak) = held(|| Tokenizer::from_gguf(&file).unwrap());
        assert!(live < most * TOKENS, "{architecture}: {live} bytes for {TOKENS} tokens");
        assert!(peak < 100 * TOKENS, "{architecture}: {peak} bytes at once for {TOKENS} tokens");
        let (greatest, _, peak) = held(|| tokenizer.greatest_plain_id());
        assert!(greatest == TOKENS as u32 - 1 && peak < TOKENS, "{architecture}: {peak} bytes to look for {greatest}");
    }
}

#[test]
fn large_allocations_are_seen() {
    assert!(largest(|| vec![1u8; 12_345]).1 >= 12_345);
    assert!(largest(|| vec![0u8; 12_345]).1 >= 12_345);
    let grown = || (0..20_000u32).fold(Vec::new(), |mut all, byte| (all.push(byte as u8), all).1);
    assert!(largest(grown).1 >= 20_000);
    assert!(largest(|| Box::new(7u64)).1 < 1000);
}
