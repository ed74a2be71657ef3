// stream_read: y[g, lane] = sum of the vectors lane, lane + WG, ... of the g-th block of x: how fast memory is read.
//   x  [len] of vec4f            read
//   y  [ceil(len / block), WG]   write
// grid   (ceil(len / block), 1, 1): a workgroup reads one block from its begin to its end
// needs  nothing optional; block a multiple of 4 * WG

override WG: u32 = 256u;
struct Params { len: u32, block: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let end = min((group.x + 1u) * params.block, params.len);
    var i = group.x * params.block + lane;
    var a = vec4f(0.0);
    var b = vec4f(0.0);
    var c = vec4f(0.0);
    var d = vec4f(0.0);
    // Four loads on their way at a time.
    for (; i + 3u * WG < end; i += 4u * WG) {
        a += x[i];
        b += x[i + WG];
        c += x[i + 2u * WG];
        d += x[i + 3u * WG];
    }
    for (; i < end; i += WG) { a += x[i]; }
    let sums = (a + b) + (c + d);
    y[group.x * WG + lane] = (sums.x + sums.y) + (sums.z + sums.w);
}
