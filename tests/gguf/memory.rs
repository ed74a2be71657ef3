//! The largest piece of memory that a thread asks for while something runs.

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
}

fn note(bytes: usize) {
    // Threads that are ending have none left.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the promises of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller keeps the promises of `realloc`.
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
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

#[test]
fn large_allocations_are_seen() {
    assert!(largest(|| vec![1u8; 12_345]).1 >= 12_345);
    assert!(largest(|| vec![0u8; 12_345]).1 >= 12_345);
    let grown = || (0..20_000u32).fold(Vec::new(), |mut all, byte| (all.push(byte as u8), all).1);
    assert!(largest(grown).1 >= 20_000);
    assert!(largest(|| Box::new(7u64)).1 < 1000);
}
