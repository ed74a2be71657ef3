// norm_rope: q and k normalised per head and turned by their position, v normalised or not; k and v go into the cache.
//   n(h) = h / sqrt(mean(h^2) + eps) * w;  pair (i, i + head_dim / 2) of n(h) turns by the angle of its table entry
//   qkv      [rows, qkv_stride] f32: num_heads q, num_kv_heads k, and as many v (none if from keys)  read
//   norms    [2, head_dim] f32: q_norm, k_norm; v has no weight                                      read
//   angles   [positions, pairs] of (cos, sin); pairs from `pairs` on do not turn                     read
//   step     [0] the position of row 0                                                               read
//   q        [rows, num_heads, padded] f32                                                           write
//   k_cache  [slots, num_kv_heads, padded] f32, slot = position % slots                              write
//   v_cache  as k_cache                                                                              write
// grid   (rows, num_heads + 2 * num_kv_heads, 1): one workgroup a head; (rows, num_heads, 1) for queries alone
// needs  nothing optional; WG a power of two
//include shared/reduce.wgsl

override WG: u32 = 32u;
const FROM_KEYS: u32 = 1u;
const PLAIN: u32 = 2u;
struct Params {
    num_heads: u32, num_kv_heads: u32, head_dim: u32, padded: u32,
    qkv_stride: u32, slots: u32, pairs: u32, values: u32,
    eps: f32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> norms: array<f32>;
@group(0) @binding(3) var<storage, read> angles: array<vec2f>;
@group(0) @binding(4) var<storage, read> step: array<u32>;
@group(0) @binding(5) var<storage, read_write> q: array<f32>;
@group(0) @binding(6) var<storage, read_write> k_cache: array<f32>;
@group(0) @binding(7) var<storage, read_write> v_cache: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    let kv_end = params.num_heads + params.num_kv_heads;
    let is_v = group.y >= kv_end;
    let head = group.y - select(0u, params.num_kv_heads, is_v && params.values == FROM_KEYS);
    let source = row * params.qkv_stride + head * params.head_dim;
    var squares = 0.0;
    for (var i = lane; i < params.head_dim; i += WG) { squares += qkv[source + i] * qkv[source + i]; }
    let scale = inverseSqrt(reduce_sum(squares, lane) / f32(params.head_dim) + params.eps);

    let position = step[0] + row;
    let slot = (position % params.slots) * params.num_kv_heads;
    if is_v {
        let place = (slot + group.y - kv_end) * params.padded;
        let factor = select(scale, 1.0, params.values == PLAIN);
        for (var i = lane; i < params.head_dim; i += WG) { v_cache[place + i] = qkv[source + i] * factor; }
        return;
    }
    let half = params.head_dim / 2u;
    let is_q = head < params.num_heads;
    let norm = select(params.head_dim, 0u, is_q);
    for (var i = lane; i < half; i += WG) {
        let a = qkv[source + i] * scale * norms[norm + i];
        let b = qkv[source + i + half] * scale * norms[norm + i + half];
        var turn = vec2f(1.0, 0.0);
        if i < params.pairs { turn = angles[position * params.pairs + i]; }
        let low = a * turn.x - b * turn.y;
        let high = b * turn.x + a * turn.y;
        if is_q {
            let place = (row * params.num_heads + head) * params.padded + i;
            q[place] = low;
            q[place + half] = high;
        } else {
            let place = (slot + head - params.num_heads) * params.padded + i;
            k_cache[place] = low;
            k_cache[place + half] = high;
        }
    }
}
