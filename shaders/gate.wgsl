// gate: y[r, i] = gelu_tanh(gate[r, i]) * up[r, i], gelu_tanh(v) = v / 2 * (1 + tanh(sqrt(2 / pi) * (v + 0.044715 v^3))).
//   gate  [rows, gate_stride] f32                                            read
//   up    [rows, up_stride] f32 from up_start on; may be the same array      read
//   y     [rows, out_stride] f32, width of them set                          write
// grid   (rows, ceil(width / (WG * EACH)), 1), rows <= 65535
// needs  nothing optional
//include shared/gelu.wgsl

override WG: u32 = 128u;
override EACH: u32 = 4u;
struct Params {
    width: u32, gate_stride: u32, up_start: u32, up_stride: u32,
    out_stride: u32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gate: array<f32>;
@group(0) @binding(2) var<storage, read> up: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let from_gate = group.x * params.gate_stride;
    let from_up = params.up_start + group.x * params.up_stride;
    let row = group.x * params.out_stride;
    let first = group.y * WG * EACH;
    let end = min(first + WG * EACH, params.width);
    for (var i = first + lane; i < end; i += WG) { y[row + i] = gelu_tanh(gate[from_gate + i]) * up[from_up + i]; }
}
