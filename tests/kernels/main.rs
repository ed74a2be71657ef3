//! Every kernel against its CPU reference, on every adapter of the machine, over odd shapes.

mod add_norm;
mod attention;
mod attention_wide;
mod axial_rope;
mod cases;
mod clamp;
mod gate;
mod gather;
mod gather_blocks;
mod layer_norm;
mod matmul;
mod matmul_blocks;
mod matvec;
mod matvec_blocks;
mod multiply_add;
mod norm_rope;
mod patch_position;
mod per_layer;
mod pool_patches;
mod rms_norm;
mod sample;
mod scatter;
mod softcap;
mod stream_read;
mod support;
mod take_row;
