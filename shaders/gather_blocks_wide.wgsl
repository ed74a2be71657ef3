// gather_blocks_wide: y[r] = scale * table[ids[r]], where that row lies in this block of a table of a block format; three ids
// are read as another.
//   weight  texture of vec4u, rows woven: [block_rows, row_words], planes of groups of 32 weights   read
//   ids     [rows] u32                                                                  read
//   y       [rows, ceil(width / 4)] of vec4f                                             write, where the id is of this block
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional
//include shared/blocks.wgsl
//include shared/woven.wgsl
//include shared/gather_row.wgsl
//each load_q4_0 load_q4_1 load_q5_0 load_q5_1 load_q8_0 load_q2_k load_q3_k load_q4_k load_q5_k load_q6_k load_iq4_nl load_iq4_xs load_mxfp4 load_int2 load_int4 load_int8

@group(0) @binding(1) var weight: texture_storage_2d<rgba32uint, read>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
