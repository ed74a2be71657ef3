//! Every kernel against its CPU reference, on every adapter of the machine, over odd shapes.

mod add_norm;
mod attention;
mod gate;
mod gather;
mod layer_norm;
mod matmul;
mod matvec;
mod norm_rope;
mod patch_position;
mod rms_norm;
mod sample;
mod scatter;
mod softcap;
mod support;
mod take_row;
