// per_layer: y[r, l] = (y[r, l] + n(scale * x[r, l]) * norm) / sqrt(2), n(v) = v / sqrt(mean(v^2) + eps), l a layer.
//   x     [rows, stride] f32: layers of width values                    read
//   norm  [width] f32                                                   read
//   y     [rows, stride] f32 as x                                       read and write
// grid   (rows, layers, 1), rows <= 65535
// needs  nothing optional; WG a power of two
//include shared/reduce.wgsl

override WG: u32 = 64u;
struct Params { width: u32, stride: u32, scale: f32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> norm: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * params.stride + group.y * params.width;
    var squares = 0.0;
    for (var i = lane; i < params.width; i += WG) {
        let v = params.scale * x[start + i];
        squares += v * v;
    }
    let factor = params.scale * inverseSqrt(reduce_sum(squares, lane) / f32(params.width) + params.eps);
    for (var i = lane; i < params.width; i += WG) {
        y[start + i] = (y[start + i] + x[start + i] * factor * norm[i]) * 0.7071067812;
    }
}
