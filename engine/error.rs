//! Every failure a caller of the library can meet.
//!
//! A variant carries facts; its message says what, where, what was expected and found, and what to do next.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Result of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of remedy a failure has; the app turns it into an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The input (file, argument, prompt) is at fault.
    Input,
    /// The machine (adapter, driver, memory, disk) is at fault.
    Machine,
}

/// Every failure a caller of the library can meet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The verb: "open", "read", "map", "write".
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A checkpoint folder lacks a file that it needs.
    #[error("{} has no {file}; a checkpoint folder holds config.json, tokenizer.json and model.safetensors (or its index)", folder.display())]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The name of the file.
        file: &'static str,
    },
    /// A JSON file could not be understood.
    #[error("{}: {problem}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        problem: String,
    },
    /// A safetensors or GGUF file contradicts itself.
    #[error("{} is damaged: {problem}; download or copy it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A field of a config is missing, mistyped or out of range.
    #[error("{}: {field} {problem}", path.display())]
    Config {
        /// The config file.
        path: PathBuf,
        /// The field, with dots: `text_config.hidden_size`.
        field: String,
        /// For example "is missing" or "is 0, expected at least 1".
        problem: String,
    },
    /// The architecture is not one that we run.
    #[error("{}: {} \"{found}\" is not supported; supported: {supported}", path.display(), kind_of(path, found))]
    UnsupportedModel {
        /// The config or GGUF file.
        path: PathBuf,
        /// The `model_type` or architecture found.
        found: String,
        /// What is supported, comma-separated.
        supported: String,
    },
    /// Tensors that the config asks for are missing, or unknown ones are there.
    #[error("{}: {problem}", path.display())]
    Tensors {
        /// The checkpoint folder or file.
        path: PathBuf,
        /// Every missing, extra or mis-shaped tensor by name.
        problem: String,
    },
    /// A weight is not a finite number.
    #[error("{}: tensor {tensor} holds {found} at index {index}; the file is damaged or the training diverged: use another copy", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Index of the first such value.
        index: usize,
        /// "NaN" or "infinity".
        found: &'static str,
    },
    /// The tokenizer could not be read or failed.
    #[error("{}: {problem}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The chat template failed.
    #[error("{}: {problem}", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A model without a chat template cannot answer messages.
    #[error(
        "{} has no chat template, which says how messages are written to a model; continue text as it stands with --raw",
        model.display()
    )]
    NoTemplate {
        /// The checkpoint folder or file.
        model: PathBuf,
    },
    /// A picture, sound or video cannot be used.
    #[error("{} cannot be used as {kind}: {problem}", path.display())]
    Media {
        /// The file, or a name for data that came from elsewhere.
        path: PathBuf,
        /// "a picture", "sound" or "video".
        kind: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The model has no way to take this kind of part.
    #[error("{model} takes no {kind}; it takes {supported}")]
    UnsupportedPart {
        /// The family.
        model: String,
        /// "picture", "sound", "video".
        kind: &'static str,
        /// What it takes.
        supported: String,
    },
    /// The conversation no longer fits.
    #[error(
        "{needed} tokens do not fit into the context of {capacity}; shorten the input, or raise --context (this model's limit is {limit})"
    )]
    Context {
        /// Tokens needed in all.
        needed: usize,
        /// Tokens that the cache holds.
        capacity: usize,
        /// `max_position_embeddings` of the model.
        limit: usize,
    },
    /// An argument of a call is out of range.
    #[error("{name} {problem}")]
    Argument {
        /// The argument.
        name: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// An array is not as long as its shape asks; a mistake in the engine or in a caller's own kernels.
    #[error("array {name} holds {found} values, its shape asks for {expected}")]
    Length {
        /// The array.
        name: String,
        /// Values that the shape asks for.
        expected: usize,
        /// Values there.
        found: usize,
    },
    /// No adapter fits what was asked for.
    #[error("no GPU adapter {problem}")]
    NoAdapter {
        /// Why, and what to install or choose.
        problem: String,
    },
    /// The adapter is there but would not open or lacks a limit that is needed.
    #[error("adapter {adapter}: {problem}")]
    Adapter {
        /// Its name and backend.
        adapter: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// GPU memory is used up.
    #[error(
        "GPU memory is used up: {bytes} bytes for {what} did not fit beside the {held} bytes already held; close other programs, choose a smaller model or a smaller --context"
    )]
    OutOfMemory {
        /// What was to be stored.
        what: String,
        /// Bytes asked for.
        bytes: u64,
        /// Bytes held by this process on the adapter.
        held: u64,
    },
    /// The driver reset, or the adapter was pulled.
    #[error(
        "the adapter {adapter} was lost while {during}: {reason}; start again, or choose another one with --adapter"
    )]
    DeviceLost {
        /// Its name and backend.
        adapter: String,
        /// What was going on.
        during: String,
        /// What the driver said.
        reason: String,
    },
    /// The driver refused a shader or a command.
    #[error("the driver of {adapter} refused {what}: {problem}; report this with the output of `percept doctor`")]
    Driver {
        /// The adapter.
        adapter: String,
        /// The shader or command.
        what: String,
        /// What it said.
        problem: String,
    },
    /// No logit is a finite number.
    #[error("{} computed no finite logits for token {position} on {adapter}: the weights are damaged, or the adapter computes wrongly; try `percept doctor --self-test`, another copy or another adapter", model.display())]
    NoLogits {
        /// The checkpoint folder.
        model: PathBuf,
        /// Its name and backend.
        adapter: String,
        /// Position of the token that was to come.
        position: usize,
    },
    /// A kernel computed wrong numbers on this adapter.
    #[error(
        "adapter {adapter} computes {kernel} wrongly (largest error {error:.1e}, allowed {allowed:.0e}); update its driver or choose another one with --adapter"
    )]
    SelfTest {
        /// The adapter.
        adapter: String,
        /// The kernel.
        kernel: String,
        /// Largest relative error found.
        error: f64,
        /// Largest error allowed.
        allowed: f64,
    },
}

/// What an unsupported kind of model is called where it is named.
fn kind_of(path: &Path, found: &str) -> &'static str {
    match path.extension() {
        Some(ending) if ending == "json" => "model_type",
        _ if found == "clip" => "this is what sees and hears for the GGUF file beside it, name that one; architecture",
        _ => "architecture",
    }
}

impl Error {
    /// Whether the input or the machine is at fault.
    pub fn blame(&self) -> Blame {
        match self {
            // Whoever cannot read a file named the wrong one; whoever cannot write has a disk that is full or not theirs.
            Error::Io { doing: "write", .. } => Blame::Machine,
            Error::Io { source, .. } => match source.kind() {
                ErrorKind::NotFound
                | ErrorKind::PermissionDenied
                | ErrorKind::IsADirectory
                | ErrorKind::NotADirectory
                | ErrorKind::InvalidFilename
                | ErrorKind::InvalidInput => Blame::Input,
                _ => Blame::Machine,
            },
            Error::Length { .. }
            | Error::NoAdapter { .. }
            | Error::Adapter { .. }
            | Error::OutOfMemory { .. }
            | Error::DeviceLost { .. }
            | Error::Driver { .. }
            | Error::NoLogits { .. }
            | Error::SelfTest { .. } => Blame::Machine,
            _ => Blame::Input,
        }
    }

    /// For `map_err` on file operations.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { path, doing, source }
    }
}
