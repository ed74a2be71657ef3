// fake_quant: y[r, i] = clamp(round((x[r, i] + bias[i]) / scale), -128, 127) * scale, halves to even.
//   x     [rows, stride] f32   read
//   bias  [width] f32          read, if HAS_BIAS
//   y     [rows, stride] f32   write
// grid   (rows, ceil(stride / (WG * EACH)), 1), rows <= 65535
// needs  nothing optional
//include shared/fake_quant.wgsl

override WG: u32 = 128u;
override EACH: u32 = 4u;
override HAS_BIAS: bool = false;
struct Params { stride: u32, width: u32, scale: f32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * params.stride;
    let first = group.y * WG * EACH;
    let end = min(first + WG * EACH, params.stride);
    for (var i = first + lane; i < end; i += WG) {
        var value = x[row + i];
        if HAS_BIAS && i < params.width { value += bias[i]; }
        y[row + i] = fake_quant(value, params.scale);
    }
}
