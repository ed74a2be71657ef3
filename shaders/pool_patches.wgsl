// pool_patches: y[t, i] = (factor * sum(x[p, i] over the side * side patches p of token t) - bias[i]) * scale[i].
//   x       [patches, stride] f32, pictures one after another, each row by row        read
//   places  [patches, 2] u32, column and row of the patch in its picture              read
//   ends    [patches, 2] u32, the first and the last patch of its picture             read
//   bias    [width] f32                                                               read
//   scale   [width] f32                                                               read
//   y       [tokens, stride] f32                                                      write
// grid   (tokens, ceil(width / WG), 1), tokens <= 65535
// needs  nothing optional

override WG: u32 = 64u;
struct Params { width: u32, stride: u32, side: u32, factor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> places: array<vec2u>;
@group(0) @binding(3) var<storage, read> ends: array<vec2u>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group.y * WG + lane;
    if i >= params.width { return; }
    // A token has as many patches as any other, so that this one is of its picture.
    let square = params.side * params.side;
    let picture = ends[group.x * square];
    let columns = places[picture.y].x + 1u;
    let across = columns / params.side;
    let token = group.x - picture.x / square;
    let first = picture.x + (token / across) * params.side * columns + (token % across) * params.side;
    var sum = 0.0;
    for (var row = 0u; row < params.side; row++) {
        for (var column = 0u; column < params.side; column++) {
            sum += x[(first + row * columns + column) * params.stride + i];
        }
    }
    y[group.x * params.stride + i] = (params.factor * sum - bias[i]) * scale[i];
}
