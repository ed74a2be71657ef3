// experts_tiled_blocks_wide: experts_tiled_blocks for software adapters: weights come out of a texture, which is read faster.
// GATED: y[slot, n] = gelu_tanh(w[n] . x[slot / top_k]) * (w[outputs + n] . x[slot / top_k]), w the matrix of the tile's expert;
// else   y[slot, n] = shares[slot] * (w[n] . x[slot]).
//   weight  texture of vec4u, rows woven: [experts * expert_rows, row_words], planes of groups         read
//   x       [rows, width4] of vec4f if GATED, else [rows * top_k, width4]                           read
//   tiles   [tiles, 9] u32: an expert and eight slots, or none                                      read
//   shares  [rows * top_k] f32; not looked at if GATED                                              read
//   y       [rows * top_k, y_stride] f32, outputs of them set                                       write
// grid   (ceil(n / (WG / LANES)), tiles, 1), n half the outputs if GATED, else a quarter: LANES lanes for four rows of weights
// needs  nothing optional; LANES a power of two that divides WG; whole groups
//include shared/gelu.wgsl
//include shared/group.wgsl
//include shared/woven.wgsl
//include shared/x_uniform.wgsl
//include shared/products.wgsl
//include shared/of_experts.wgsl
//include shared/tiled.wgsl
//each load_f32_group load_f16_group load_bf16_group load_q4_0 load_q4_1 load_q5_0 load_q5_1 load_q8_0 load_q2_k load_q3_k load_q4_k load_q5_k load_q6_k load_iq4_nl load_iq4_xs load_mxfp4

@group(0) @binding(1) var weight: texture_storage_2d<rgba32uint, read>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> tiles: array<u32>;
@group(0) @binding(4) var<storage, read> shares: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
