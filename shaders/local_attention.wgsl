// local_attention: out = clamp(softmax(cap * tanh(q' (k[d] + relative[d]) / cap)) v[d]), d < window the rows that a key lies
// behind its query, q' = clamp(q, q_low, q_high) * scale; keys before row 0 are not seen.
//   q         [rows, stride] f32, heads of head_dim one after another           read
//   scale     [head_dim] f32                                                    read
//   k         [ring, stride] f32, row p since the beginning at p % ring         read
//   v         as k                                                              read
//   relative  [window, num_heads * head_dim] f32                                read
//   span      [0] the place of row 0 since the beginning                        read
//   out       [rows, stride] f32, num_heads * head_dim of each row set          write; never the buffer of q
// grid   (rows, num_heads, 1), rows <= 65535: one workgroup a head
// needs  nothing optional; QUERY >= head_dim, WINDOW >= window; rows + window - 1 <= ring

override WG: u32 = 32u;
override QUERY: u32 = 128u;
override WINDOW: u32 = 16u;
struct Params {
    num_heads: u32, head_dim: u32, stride: u32, ring: u32,
    window: u32, cap: f32, q_low: f32, q_high: f32,
    low: f32, high: f32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read> relative: array<f32>;
@group(0) @binding(6) var<storage, read> span: array<u32>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

var<workgroup> query: array<f32, QUERY>;
var<workgroup> scores: array<f32, WINDOW>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = span[0] + group.x;
    let head = group.y * params.head_dim;
    let row = group.x * params.stride + head;
    let count = min(params.window, place + 1u);
    for (var i = lane; i < params.head_dim; i += WG) {
        query[i] = min(max(q[row + i], params.q_low), params.q_high) * scale[i];
    }
    workgroupBarrier();
    for (var d = lane; d < count; d += WG) {
        let key = (place - d) % params.ring * params.stride + head;
        let bias = d * params.num_heads * params.head_dim + head;
        var sum = 0.0;
        for (var i = 0u; i < params.head_dim; i++) { sum += query[i] * (k[key + i] + relative[bias + i]); }
        // Beyond 20 it is 1 in f32, and some drivers meet infinities.
        scores[d] = params.cap * tanh(min(max(sum / params.cap, -20.0), 20.0));
    }
    workgroupBarrier();
    var greatest = scores[0];
    for (var d = 1u; d < count; d++) { greatest = max(greatest, scores[d]); }
    workgroupBarrier();
    for (var d = lane; d < count; d += WG) { scores[d] = exp(scores[d] - greatest); }
    workgroupBarrier();
    var total = 0.0;
    for (var d = 0u; d < count; d++) { total += scores[d]; }
    for (var i = lane; i < params.head_dim; i += WG) {
        var sum = 0.0;
        for (var d = 0u; d < count; d++) { sum += scores[d] * v[(place - d) % params.ring * params.stride + head + i]; }
        out[row + i] = min(max(sum / total, params.low), params.high);
    }
}
