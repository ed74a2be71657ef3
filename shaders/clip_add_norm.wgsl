// clip_add_norm: x = x + b, b = clamp(y, y_low, y_high), normed by rms_norm(b) * weight where normed = 1;
// then h = clamp(rms_norm(clamp(x, -limit, limit)) * next_weight, low, high), each row by itself.
//   y            [rows, stride] f32, hidden_size of them used   read
//   weight       [hidden_size]  f32                             read
//   next_weight  [hidden_size]  f32                             read
//   x            [rows, stride] f32                             read and write
//   h            [rows, stride] f32                             write; never the buffer of y
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional; WG a power of two
//include shared/reduce.wgsl

override WG: u32 = 128u;
struct Params {
    hidden_size: u32, stride: u32, normed: u32, eps: f32,
    y_low: f32, y_high: f32, next_eps: f32, limit: f32,
    low: f32, high: f32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> next_weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
@group(0) @binding(5) var<storage, read_write> h: array<f32>;

fn branch(place: u32) -> f32 { return min(max(y[place], params.y_low), params.y_high); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * params.stride;
    let size = f32(params.hidden_size);
    var squares = 0.0;
    for (var i = lane; i < params.hidden_size; i += WG) { squares += branch(row + i) * branch(row + i); }
    let scale = inverseSqrt(reduce_sum(squares, lane) / size + params.eps);
    squares = 0.0;
    // A lane reads again below only what it has written itself.
    for (var i = lane; i < params.hidden_size; i += WG) {
        let sum = x[row + i] + branch(row + i) * select(1.0, scale * weight[i], params.normed == 1u);
        x[row + i] = sum;
        let clipped = min(max(sum, -params.limit), params.limit);
        squares += clipped * clipped;
    }
    let next = inverseSqrt(reduce_sum(squares, lane) / size + params.next_eps);
    for (var i = lane; i < params.hidden_size; i += WG) {
        let clipped = min(max(x[row + i], -params.limit), params.limit);
        h[row + i] = min(max(clipped * next * next_weight[i], params.low), params.high);
    }
}
