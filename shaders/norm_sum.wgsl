// norm_sum: y = rms_norm(y) * weight + rms_norm(sum of the parts of x) * x_weight, each row by itself.
//   x         [rows, parts, stride] f32, hidden_size of them used   read
//   weight    [hidden_size]  f32                                    read
//   x_weight  [hidden_size]  f32                                    read
//   y         [rows, stride] f32                                    read and write
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional; WG a power of two
//include shared/reduce.wgsl

override WG: u32 = 128u;
struct Params { hidden_size: u32, stride: u32, eps: f32, parts: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> x_weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn other(row: u32, i: u32) -> f32 {
    var sum = 0.0;
    for (var j = 0u; j < params.parts; j++) { sum += x[(row * params.parts + j) * params.stride + i]; }
    return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * params.stride;
    let size = f32(params.hidden_size);
    var squares = vec2f(0.0);
    for (var i = lane; i < params.hidden_size; i += WG) {
        let both = vec2f(y[row + i], other(group.x, i));
        squares += both * both;
    }
    let own = inverseSqrt(reduce_sum(squares.x, lane) / size + params.eps);
    let others = inverseSqrt(reduce_sum(squares.y, lane) / size + params.eps);
    for (var i = lane; i < params.hidden_size; i += WG) {
        y[row + i] = y[row + i] * own * weight[i] + other(group.x, i) * others * x_weight[i];
    }
}
