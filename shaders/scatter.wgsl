// scatter: y[targets[r]] = x[r], rows of width values.
//   x        [rows, width4] of vec4f          read
//   targets  [rows] u32, no two of them equal read
//   y        [.., width4] of vec4f, width values of each target set   write; never the buffer of x
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional

override WG: u32 = 64u;
struct Params { width: u32, width4: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let source = group.x * params.width4;
    let goal = targets[group.x] * params.width4;
    for (var i = lane; i < params.width4; i += WG) {
        let inside = vec4u(0u, 1u, 2u, 3u) + 4u * i < vec4u(params.width);
        if all(inside) { y[goal + i] = x[source + i]; } else { y[goal + i] = select(y[goal + i], x[source + i], inside); }
    }
}
