//! Weights on disk, and their way to the GPU.
