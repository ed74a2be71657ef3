// layer_norm: y = (x + x_bias - mean) / sqrt(variance + eps) * weight + bias, each row by itself.
//   x       [rows, stride] f32, hidden_size of them used   read
//   x_bias  [hidden_size]  f32                             read
//   weight  [hidden_size]  f32                             read
//   bias    [hidden_size]  f32                             read
//   y       [rows, stride] f32, hidden_size of them set    write; never the buffer of x
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional; WG a power of two
//include shared/reduce.wgsl

override WG: u32 = 128u;
struct Params { hidden_size: u32, stride: u32, eps: f32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x_bias: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * params.stride;
    let count = f32(params.hidden_size);
    var sum = 0.0;
    for (var i = lane; i < params.hidden_size; i += WG) { sum += x[row + i] + x_bias[i]; }
    let mean = reduce_sum(sum, lane) / count;
    // The variance from what is left after the mean: a difference of two sums would lose a small one.
    var squares = 0.0;
    for (var i = lane; i < params.hidden_size; i += WG) {
        let centred = x[row + i] + x_bias[i] - mean;
        squares += centred * centred;
    }
    let scale = inverseSqrt(reduce_sum(squares, lane) / count + params.eps);
    for (var i = lane; i < params.hidden_size; i += WG) {
        y[row + i] = (x[row + i] + x_bias[i] - mean) * scale * weight[i] + bias[i];
    }
}
