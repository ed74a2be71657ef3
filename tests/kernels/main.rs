//! Every kernel against its CPU reference, on every adapter of the machine, over odd shapes.

mod add_norm;
mod attention;
mod matmul;
mod matvec;
mod norm_rope;
mod rms_norm;
mod support;
mod take_row;
