// matmul_wide: matmul without workgroup memory, a lane 8 rows x 8 outputs. For software adapters, where each value that
// a lane loads costs as much as ten multiplications, wherever it lies.
//   weight  [outputs, width4] of four packed values, zero behind the width   read
//   x       [rows, width4] of vec4f, zero behind the width                   read
//   y       [rows, y_stride] f32, places first .. first + outputs set        write
// grid   (ceil(outputs / 64), ceil(rows / 8), 1): 8 lanes
// needs  nothing optional; x and y hold a multiple of 8 rows
//each load_f32 load_f16 load_bf16

struct Params { outputs: u32, width4: u32, first: u32, y_stride: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<Packed>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let width4 = params.width4;
    let first_row = group.y * 8u;
    let first_output = group.x * 64u + lane * 8u;
    if first_output >= params.outputs { return; }
    let last = params.outputs - 1u;
    // Outputs beyond the last repeat it and are not written.
    var starts: array<u32, 8>;
    for (var j = 0u; j < 8u; j++) { starts[j] = min(first_output + j, last) * width4; }
    var low: array<vec4f, 8>;
    var high: array<vec4f, 8>;
    for (var k = 0u; k < width4; k++) {
        let from_x = first_row * width4 + k;
        let a = mat4x4f(x[from_x], x[from_x + width4], x[from_x + 2u * width4], x[from_x + 3u * width4]);
        let b = mat4x4f(
            x[from_x + 4u * width4], x[from_x + 5u * width4], x[from_x + 6u * width4], x[from_x + 7u * width4]);
        for (var j = 0u; j < 8u; j++) {
            let w = unpack(weight[starts[j] + k]);
            low[j] += w * a;
            high[j] += w * b;
        }
    }
    for (var j = 0u; j < 8u; j++) {
        if first_output + j <= last {
            let place = first_row * params.y_stride + params.first + first_output + j;
            for (var i = 0u; i < 4u; i++) {
                y[place + i * params.y_stride] = low[j][i];
                y[place + (i + 4u) * params.y_stride] = high[j][i];
            }
        }
    }
}
