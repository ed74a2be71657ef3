// clamp: y[r, i] = min(max(factor * x[r, i] + offset, low), high).
//   x  [rows, stride] f32, width of them used   read
//   y  [rows, stride] f32, width of them set    write
// grid   (rows, ceil(width / (WG * EACH)), 1), rows <= 65535
// needs  nothing optional

override WG: u32 = 128u;
override EACH: u32 = 4u;
struct Params { width: u32, stride: u32, low: f32, high: f32, factor: f32, offset: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * params.stride;
    let first = group.y * WG * EACH;
    let end = min(first + WG * EACH, params.width);
    for (var i = first + lane; i < end; i += WG) {
        y[row + i] = min(max(params.factor * x[row + i] + params.offset, params.low), params.high);
    }
}
