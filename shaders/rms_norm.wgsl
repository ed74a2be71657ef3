// rms_norm: y = x / sqrt(mean(x^2) + eps) * weight, each row by itself.
//   x       [rows, stride] f32, hidden_size of them used   read
//   weight  [hidden_size]  f32                             read
//   y       [rows, stride] f32, hidden_size of them set    write; never the buffer of x
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional; WG a power of two
//include shared/reduce.wgsl

override WG: u32 = 128u;
struct Params { hidden_size: u32, stride: u32, eps: f32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * params.stride;
    var squares = 0.0;
    for (var i = lane; i < params.hidden_size; i += WG) { squares += x[row + i] * x[row + i]; }
    let mean = reduce_sum(squares, lane) / f32(params.hidden_size);
    let scale = inverseSqrt(mean + params.eps);
    for (var i = lane; i < params.hidden_size; i += WG) {
        y[row + i] = x[row + i] * scale * weight[i];
    }
}
