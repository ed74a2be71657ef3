// clip_silu: y = clamp(silu(clamp(y, in_low, in_high)), low, high), silu(v) = v / (1 + exp(-v)).
//   y  [rows, stride] f32, width of each row   read and write
// grid   (rows, ceil(width / (WG * EACH)), 1), rows <= 65535
// needs  nothing optional

override WG: u32 = 128u;
override EACH: u32 = 4u;
struct Params { width: u32, stride: u32, in_low: f32, in_high: f32, low: f32, high: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * params.stride;
    let first = group.y * WG * EACH;
    let end = min(first + WG * EACH, params.width);
    for (var i = first + lane; i < end; i += WG) {
        let v = min(max(y[row + i], params.in_low), params.in_high);
        // The exponent is cut where the quotient has long been 0, so that no infinity is met.
        y[row + i] = min(max(v / (1.0 + exp(min(-v, 80.0))), params.low), params.high);
    }
}
