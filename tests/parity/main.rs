//! Every family against the recorded outputs of its reference implementation, layer by layer, on every adapter.

mod compare;
mod embed;
mod gemma3;
mod gemma4;
mod gemma4_unified;
mod seedling;
#[path = "../support/variant.rs"]
mod variant;
