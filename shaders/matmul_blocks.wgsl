// matmul_blocks: y[r, first + n] = sum over k of weight[n, k] * x[r, k]; one block of rows of a matrix of a block format.
//   weight  [outputs, row_words] of vec4u, planes of groups of 32 weights   read
//   x       [rows, width4] of vec4f                                         read
//   y       [rows, y_stride] f32, places first .. first + outputs set       write
// grid   (ceil(outputs / 64), ceil(rows / 32), 1): a workgroup computes 64 outputs of 32 rows, a lane 4 x 4 of them
// needs  nothing optional; x and y hold a multiple of 32 rows
//include shared/group.wgsl
//include shared/in_rows.wgsl
//include shared/fake_quant.wgsl
//each load_q4_0 load_q4_1 load_q5_0 load_q5_1 load_q8_0 load_q2_k load_q3_k load_q4_k load_q5_k load_q6_k load_iq4_nl load_iq4_xs load_mxfp4 load_int2 load_int4 load_int8

// The last group of a row is not whole.
override RAGGED: bool = false;
struct Params {
    outputs: u32, groups: u32, row_words: u32, first: u32,
    y_stride: u32, first_row: u32, width4: u32, output_scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<vec4u>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const TILE_ROWS: u32 = 32u;
const TILE_OUTPUTS: u32 = 64u;
// One vec4f of room between rows keeps lanes off one bank.
const PITCH: u32 = 9u;
var<workgroup> x_tile: array<vec4f, 288>;
var<workgroup> weight_tile: array<vec4f, 576>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group_id: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first_row = group_id.y * TILE_ROWS;
    let first_output = group_id.x * TILE_OUTPUTS;
    let width4 = params.width4;
    // A lane computes rows row + 8 i and outputs output + 16 j: neighbours read neighbouring tile rows.
    let row = lane / 16u;
    let output = lane % 16u;
    var sums: array<vec4f, 4>;
    for (var g = 0u; g < params.groups; g++) {
        for (var i = lane; i < TILE_ROWS * 8u; i += 128u) {
            let column = 8u * g + i % 8u;
            let from_x = (first_row + i / 8u) * width4 + column;
            if RAGGED && column >= width4 {
                x_tile[(i / 8u) * PITCH + i % 8u] = vec4f(0.0);
            } else {
                x_tile[(i / 8u) * PITCH + i % 8u] = x[from_x];
            }
        }
        if lane < TILE_OUTPUTS {
            let start = min(first_output + lane, params.outputs - 1u) * params.row_words;
            let w = group(start, params.groups, g, head(start, params.groups, g / 8u));
            let to = lane * PITCH;
            weight_tile[to] = w.scale.x * values(w.codes[0]) + w.offset.x;
            weight_tile[to + 1u] = w.scale.x * values(w.codes[1]) + w.offset.x;
            weight_tile[to + 2u] = w.scale.x * values(w.codes[2]) + w.offset.x;
            weight_tile[to + 3u] = w.scale.x * values(w.codes[3]) + w.offset.x;
            weight_tile[to + 4u] = w.scale.y * values(w.codes[4]) + w.offset.y;
            weight_tile[to + 5u] = w.scale.y * values(w.codes[5]) + w.offset.y;
            weight_tile[to + 6u] = w.scale.y * values(w.codes[6]) + w.offset.y;
            weight_tile[to + 7u] = w.scale.y * values(w.codes[7]) + w.offset.y;
        }
        workgroupBarrier();
        for (var i = 0u; i < 8u; i++) {
            let a = mat4x4f(
                x_tile[row * PITCH + i], x_tile[(row + 8u) * PITCH + i],
                x_tile[(row + 16u) * PITCH + i], x_tile[(row + 24u) * PITCH + i],
            );
            for (var j = 0u; j < 4u; j++) { sums[j] += weight_tile[(output + 16u * j) * PITCH + i] * a; }
        }
        workgroupBarrier();
    }
    for (var j = 0u; j < 4u; j++) {
        let n = first_output + output + 16u * j;
        if n < params.outputs {
            for (var i = 0u; i < 4u; i++) {
                y[(first_row + row + 8u * i) * params.y_stride + params.first + n] = fake_quant(sums[j][i], params.output_scale);
            }
        }
    }
}
