// add_norm: x = (x + rms_norm(y) * weight) * scale, then h = rms_norm(x) * next_weight, each row by itself.
//   y            [rows, stride] f32, hidden_size of them used   read
//   weight       [hidden_size]  f32                             read
//   next_weight  [hidden_size]  f32                             read
//   x            [rows, stride] f32                             read and write
//   h            [rows, stride] f32                             write; never the buffer of y
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional; WG a power of two
//include shared/reduce.wgsl

override WG: u32 = 128u;
struct Params { hidden_size: u32, stride: u32, eps: f32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> next_weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
@group(0) @binding(5) var<storage, read_write> h: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * params.stride;
    let size = f32(params.hidden_size);
    var squares = 0.0;
    for (var i = lane; i < params.hidden_size; i += WG) { squares += y[row + i] * y[row + i]; }
    let branch = inverseSqrt(reduce_sum(squares, lane) / size + params.eps);
    squares = 0.0;
    // A lane reads again below only what it has written itself.
    for (var i = lane; i < params.hidden_size; i += WG) {
        let sum = (x[row + i] + y[row + i] * branch * weight[i]) * params.scale;
        x[row + i] = sum;
        squares += sum * sum;
    }
    let next = inverseSqrt(reduce_sum(squares, lane) / size + params.eps);
    for (var i = lane; i < params.hidden_size; i += WG) { h[row + i] = x[row + i] * next * next_weight[i]; }
}
