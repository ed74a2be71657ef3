//! Every kernel against its CPU reference, on every adapter of the machine, over odd shapes.

mod rms_norm;
mod support;
