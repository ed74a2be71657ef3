// attention_wide_scores_subgroup: attention_wide_scores with queries loaded once for all lanes of a subgroup.
//   weight  texture of vec4u, lines of 8192, rows woven: keys [slots, num_kv_heads * width4] of vec4f       read
//   q       window of [window_rows, num_heads, width4] of vec4f, at most 4096                           read
//   step    [0] the position of row 0, [1] rows                                                         read
//   ends    [rows, 2] u32: the first position that a row sees, the last where later than its own        read
//   scores  [rows, num_heads, tile] f32, hidden keys -3e38                                              write
// grid   (ceil(tile / 16), num_kv_heads, ceil(rows of the window * group / 8)) for each window: 8 lanes, two keys a lane
// needs  subgroup operations, subgroups of at least 8 lanes; group = num_heads / num_kv_heads divides 8
//include shared/seen.wgsl
//include shared/tile.wgsl
//include shared/woven.wgsl
//include shared/x_lanes.wgsl
//include shared/attention_wide_scores.wgsl

const MASKED: f32 = -3.0e38;
@group(0) @binding(1) var weight: texture_storage_2d<rgba32uint, read>;
@group(0) @binding(2) var<uniform> q: array<vec4f, 4096>;
@group(0) @binding(3) var<storage, read> step: array<u32>;
@group(0) @binding(4) var<storage, read> ends: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;
