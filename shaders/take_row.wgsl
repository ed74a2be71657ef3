// take_row: y = x[step[2]], one row out of many.
//   x     [rows, stride] f32   read
//   step  [2] the row          read
//   y     [stride] f32         write
// grid   (1, 1, 1)
// needs  nothing optional

override WG: u32 = 128u;
struct Params { stride: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
    for (var i = lane; i < params.stride; i += WG) { y[i] = x[step[2] * params.stride + i]; }
}
