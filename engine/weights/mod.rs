//! Weights on disk, and their way to the GPU.

mod checkpoint;
mod fields;
mod format;
mod gguf;
mod json;
pub mod layout;
mod matrix;
mod packed;
pub mod quants;
mod safetensors;
mod tensor;
mod upload;

pub use checkpoint::{Checkpoint, Expected};
pub use fields::Fields;
pub use format::{Format, Ints, ScaleType};
pub use gguf::{GgufEntry, GgufFile, Metadata};
pub(crate) use json::{json_object, parse_json, read_limited};
pub use matrix::{Block, Matrix, Rounding, row_bytes, stride};
pub use safetensors::{Entry, SafetensorsFile, parse_header};
pub use tensor::{Dtype, Tensor};
pub use upload::Upload;
