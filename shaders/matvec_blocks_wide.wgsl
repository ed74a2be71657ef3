// matvec_blocks_wide: matvec_blocks for software adapters, a lane two rows: weights come out of a texture and x out of a
// uniform, since both are read several times faster there than storage buffers.
//   weight  texture of vec4u, rows woven: [rows, row_words], planes of groups of 32 weights   read
//   x       [width4] of vec4f, at most 4096                                                  read
//   y       f32, places first .. first + rows set                                            write
// GATED: the first half of the rows is a gate, y[first + n] = gelu_tanh(gate n) * (row rows / 2 + n), rows / 2 of them.
// grid   (ceil(rows / 16), 1, 1): 8 lanes
// needs  nothing optional; rows even if GATED
//include shared/gelu.wgsl
//include shared/group.wgsl
//include shared/woven.wgsl
//include shared/dot.wgsl
//include shared/fake_quant.wgsl
//include shared/x_uniform.wgsl
//include shared/x_row.wgsl
//include shared/matvec_blocks_wide.wgsl
//each load_f32_group load_f16_group load_bf16_group load_q4_0 load_q4_1 load_q5_0 load_q5_1 load_q8_0 load_q2_k load_q3_k load_q4_k load_q5_k load_q6_k load_iq4_nl load_iq4_xs load_mxfp4 load_int2 load_int4 load_int8

override GATED: bool = false;
// The last group of a row is not whole.
override RAGGED: bool = false;
struct Params { rows: u32, groups: u32, row_words: u32, first: u32, width4: u32, output_scale: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var weight: texture_storage_2d<rgba32uint, read>;
@group(0) @binding(2) var<uniform> x: array<vec4f, 4096>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
