// axial_rope: y = n(x) per head, turned by the column of its patch in the first half and by the row in the second.
//   n(h) = h / sqrt(mean(h^2) + eps) * w;  in each half, pair (i, i + head_dim / 4) turns by the angle of its table entry
//   x       [rows, x_stride] f32: heads of head_dim                        read
//   norm    [head_dim] f32                                                 read
//   angles  [places, head_dim / 4] of (cos, sin)                           read, if heads turn
//   places  [rows, 2] u32, column and row of the patch                     read, if heads turn
//   y       [rows, heads, padded] f32                                      write
// grid   (rows, heads, 1), rows <= 65535: one workgroup a head
// needs  nothing optional; WG a power of two
//include shared/reduce.wgsl

override WG: u32 = 32u;
struct Params {
    heads: u32, head_dim: u32, padded: u32, x_stride: u32,
    turns: u32, eps: f32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> norm: array<f32>;
@group(0) @binding(3) var<storage, read> angles: array<vec2f>;
@group(0) @binding(4) var<storage, read> places: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let source = group.x * params.x_stride + group.y * params.head_dim;
    let to = (group.x * params.heads + group.y) * params.padded;
    var squares = 0.0;
    for (var i = lane; i < params.head_dim; i += WG) { squares += x[source + i] * x[source + i]; }
    let scale = inverseSqrt(reduce_sum(squares, lane) / f32(params.head_dim) + params.eps);
    if params.turns == 0u {
        for (var i = lane; i < params.head_dim; i += WG) { y[to + i] = x[source + i] * scale * norm[i]; }
        return;
    }
    let quarter = params.head_dim / 4u;
    let place = places[group.x];
    for (var i = lane; i < 2u * quarter; i += WG) {
        let is_row = i >= quarter;
        let pair = select(i, i - quarter, is_row);
        let low = select(pair, 2u * quarter + pair, is_row);
        let high = low + quarter;
        let turn = angles[select(place.x, place.y, is_row) * quarter + pair];
        let a = x[source + low] * scale * norm[low];
        let b = x[source + high] * scale * norm[high];
        y[to + low] = a * turn.x - b * turn.y;
        y[to + high] = b * turn.x + a * turn.y;
    }
}
