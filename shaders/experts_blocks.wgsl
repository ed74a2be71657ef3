// experts_blocks: experts for matrices of block formats.
// GATED: y[r, j, n] = gelu_tanh(w[n] . x[r]) * (w[outputs + n] . x[r]), w the matrix of expert ids[r, j];
// else   y[r, n] = sum over j of shares[r, j] * (w[n] . x[r, j]), with adds on top of what y was.
//   weight  [experts * expert_rows, row_words] of vec4u, planes of groups of 32 weights                read
//   x       [rows, width4] of vec4f if GATED, else [rows * top_k, width4]                           read
//   ids     [rows, top_k] u32                                                                       read
//   shares  [rows, top_k] f32; not looked at if GATED                                               read
//   y       [rows * top_k, y_stride] f32 if GATED, else [rows, y_stride], outputs of them set       write
// grid   (ceil(outputs / (WG / LANES)), rows, top_k if GATED, else 1): LANES lanes an output
// needs  nothing optional; LANES a power of two that divides WG; whole groups
//include shared/gelu.wgsl
//include shared/group.wgsl
//include shared/in_rows.wgsl
//include shared/dot.wgsl
//include shared/product.wgsl
//include shared/product_of.wgsl
//include shared/of_experts.wgsl
//include shared/chosen.wgsl
//each load_q4_0 load_q4_1 load_q5_0 load_q5_1 load_q8_0 load_q2_k load_q3_k load_q4_k load_q5_k load_q6_k load_iq4_nl load_iq4_xs load_mxfp4

@group(0) @binding(1) var<storage, read> weight: array<vec4u>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> ids: array<u32>;
@group(0) @binding(4) var<storage, read> shares: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
