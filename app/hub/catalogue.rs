//! A short list of checkpoints to begin with, by the memory that they need.

/// A published checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As `percept models pull` takes it.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// Its `model_type`, or the architecture of its GGUF file.
    pub architecture: &'static str,
    /// Whether it is a GGUF file.
    pub gguf: bool,
    /// Bytes on the disk, a projector included.
    pub bytes: u64,
    /// What it takes.
    pub senses: &'static str,
}

/// Bytes that a conversation of the usual length, activations and the program itself take beside weights, about and at most.
const BESIDE: u64 = 700_000_000;

/// Bytes of memory that a model with so many bytes of weights needs, about.
pub fn memory(weights: u64) -> u64 {
    // Longer caches and wider layers go with more weights.
    weights + weights / 16 + BESIDE.min(4 * weights)
}

impl Entry {
    /// Bytes of memory that it needs, about.
    pub fn memory(&self) -> u64 {
        memory(self.bytes)
    }

    /// Whether this program runs it.
    pub fn is_supported(&self) -> bool {
        percept::models::family_named(std::path::Path::new(self.id), self.architecture, self.gguf).is_ok()
    }
}

/// Smallest first. Repositories, files and sizes as public pages and other programs' pinned downloads had them until
/// September 2026; the sizes of the 270M and of safetensors are those of their parameters.
pub const ENTRIES: [Entry; 7] = [
    Entry {
        id: "ggml-org/gemma-3-270m-it-GGUF:Q8_0",
        title: "Gemma 3 270M",
        architecture: "gemma3",
        gguf: true,
        bytes: 292_000_000,
        senses: "text",
    },
    Entry {
        id: "ggml-org/gemma-3-1b-it-GGUF:Q4_K_M",
        title: "Gemma 3 1B",
        architecture: "gemma3",
        gguf: true,
        bytes: 806_058_240,
        senses: "text",
    },
    Entry {
        id: "ggml-org/gemma-3-4b-it-GGUF:Q4_K_M",
        title: "Gemma 3 4B",
        architecture: "gemma3",
        gguf: true,
        bytes: 2_489_757_856,
        senses: "text",
    },
    Entry {
        id: "google/gemma-4-E2B-it-qat-q4_0-gguf",
        title: "Gemma 4 E2B",
        architecture: "gemma4",
        gguf: true,
        bytes: 3_349_516_256 + 987_000_000,
        senses: "text, pictures, video, sound",
    },
    Entry {
        id: "google/gemma-4-E4B-it-qat-q4_0-gguf",
        title: "Gemma 4 E4B",
        architecture: "gemma4",
        gguf: true,
        bytes: 5_154_941_280 + 991_552_256,
        senses: "text, pictures, video, sound",
    },
    Entry {
        id: "google/gemma-4-12B-it-qat-q4_0-gguf",
        title: "Gemma 4 12B",
        architecture: "gemma4",
        gguf: true,
        bytes: 6_975_879_296 + 175_115_616,
        senses: "text, pictures, video, sound",
    },
    Entry {
        id: "google/gemma-4-12B-it",
        title: "Gemma 4 12B, bf16",
        architecture: "gemma4_unified",
        gguf: false,
        bytes: 23_900_000_000,
        senses: "text, pictures, video, sound",
    },
];
