//! One twin a shader family: what it computes, its uniform, its reference on the CPU and how it is recorded.

pub mod rms_norm;

/// Distance between rows of an array of activations or weights: rows begin at multiples of four values, so that they are
/// read as vectors of four. What lies between a row's end and the next row's begin is zero and stays zero.
pub fn stride(width: usize) -> usize {
    width.next_multiple_of(4)
}
