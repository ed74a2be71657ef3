// matmul: y[r, first + n] = sum over k of weight[n, k] * x[r, k]; one block of rows of the matrix, many vectors.
//   weight  [outputs, width4] of four packed values, zero behind the width   read
//   x       [rows, width4] of vec4f, zero behind the width                   read
//   y       [rows, y_stride] f32, places first .. first + outputs set        write
// grid   (ceil(outputs / 64), ceil(rows / 32), 1): a workgroup computes 64 outputs of 32 rows, a lane 4 x 4 of them
// needs  nothing optional; x and y hold a multiple of 32 rows
//each load_f32 load_f16 load_bf16 load_f16_native

struct Params { outputs: u32, width4: u32, first: u32, y_stride: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<Packed>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const TILE_ROWS: u32 = 32u;
const TILE_OUTPUTS: u32 = 64u;
const TILE_K4: u32 = 4u;
// One vec4f of room between rows keeps lanes off one bank.
const PITCH: u32 = 5u;
var<workgroup> x_tile: array<vec4f, 160>;
var<workgroup> weight_tile: array<vec4f, 320>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first_row = group.y * TILE_ROWS;
    let first_output = group.x * TILE_OUTPUTS;
    let load_row = lane / TILE_K4;
    let load_k4 = lane % TILE_K4;
    // A lane computes rows row + 8 i and outputs output + 16 j: neighbours read neighbouring tile rows.
    let row = lane / 16u;
    let output = lane % 16u;
    var sums: array<vec4f, 4>;
    for (var k4 = 0u; k4 < params.width4; k4 += TILE_K4) {
        let inside = k4 + load_k4 < params.width4;
        x_tile[load_row * PITCH + load_k4] =
            select(vec4f(0.0), x[(first_row + load_row) * params.width4 + min(k4 + load_k4, params.width4 - 1u)], inside);
        for (var half = 0u; half < 2u; half++) {
            let n = half * 32u + load_row;
            let from_row = min(first_output + n, params.outputs - 1u);
            let four = unpack(weight[from_row * params.width4 + min(k4 + load_k4, params.width4 - 1u)]);
            weight_tile[n * PITCH + load_k4] = select(vec4f(0.0), four, inside);
        }
        workgroupBarrier();
        for (var i = 0u; i < TILE_K4; i++) {
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
                y[(first_row + row + 8u * i) * params.y_stride + params.first + n] = sums[j][i];
            }
        }
    }
}
