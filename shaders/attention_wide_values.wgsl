// attention_wide_values: sums of weight * v over a tile of keys, for eight queries of a key head; after the last tile
// divided by the sum of weights.
//   v        texture of vec4u, lines of 8192: values [slots, row_words] of vec4f                         read
//   weights  window of [window_rows, num_heads, tile] f32 as vec4f, at most 4096                     read
//   step     [0] the position of row 0, [1] rows                                                     read
//   ends     [rows, 2] u32: the first position that a row sees, the last where later than its own    read
//   stats    [rows, num_heads] of vec4f: greatest, sum, factor on earlier sums                       read
//   sums     [rows, num_heads, width4] of vec4f                                                      read and write
//   out      [rows, out_stride] f32, heads of head_dim one after another                             write, if last
// grid   (ceil(width4 / 8), num_kv_heads, ceil(rows of the window * group / 8)) for each window: 8 lanes
// needs  nothing optional; group = num_heads / num_kv_heads divides 8
//include shared/seen.wgsl
//include shared/tile.wgsl
//include shared/x_uniform.wgsl
//include shared/attention_wide_values.wgsl

@group(0) @binding(1) var v: texture_storage_2d<rgba32uint, read>;
@group(0) @binding(2) var<uniform> weights: array<vec4f, 4096>;
@group(0) @binding(3) var<storage, read> step: array<u32>;
@group(0) @binding(4) var<storage, read> ends: array<vec2u>;
@group(0) @binding(5) var<storage, read> stats: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> sums: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;
