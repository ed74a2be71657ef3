//! Every family against the recorded outputs of its reference implementation, layer by layer, on every adapter.

mod compare;
mod gemma3;
mod gemma4;
mod gemma4_unified;
#[path = "../support/variant.rs"]
mod variant;
