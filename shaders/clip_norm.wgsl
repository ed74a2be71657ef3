// clip_norm: y = clamp(rms_norm(clamp(x + bias, -limit, limit)) * weight, low, high), each row by itself.
//   x       [rows, stride] f32, hidden_size of them used   read
//   bias    [hidden_size]  f32                             read
//   weight  [hidden_size]  f32                             read
//   y       [rows, stride] f32, hidden_size of them set    write; never the buffer of x
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional; WG a power of two
//include shared/reduce.wgsl

override WG: u32 = 128u;
struct Params { hidden_size: u32, stride: u32, eps: f32, limit: f32, low: f32, high: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * params.stride;
    var squares = 0.0;
    // A lane reads again below only what it has written itself.
    for (var i = lane; i < params.hidden_size; i += WG) {
        let value = min(max(x[row + i] + bias[i], -params.limit), params.limit);
        y[row + i] = value;
        squares += value * value;
    }
    let scale = inverseSqrt(reduce_sum(squares, lane) / f32(params.hidden_size) + params.eps);
    for (var i = lane; i < params.hidden_size; i += WG) {
        y[row + i] = min(max(y[row + i] * scale * weight[i], params.low), params.high);
    }
}
