// ring: y[(span[0] + r) % ring] = clamp(x[r], low, high), rows of width values: what later rows look back at.
//   x     [rows, x_stride] f32                          read
//   span  [0] the place of row 0 since the beginning    read
//   y     [ring, y_stride] f32, width of each row set   write
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional; rows <= ring

override WG: u32 = 64u;
struct Params { width: u32, x_stride: u32, y_stride: u32, ring: u32, low: f32, high: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> span: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let source = group.x * params.x_stride;
    let goal = (span[0] + group.x) % params.ring * params.y_stride;
    for (var i = lane; i < params.width; i += WG) { y[goal + i] = min(max(x[source + i], params.low), params.high); }
}
