// attention_wide_softmax: scores of a tile of keys to exp(score - greatest so far), zeros up to a multiple of four; the
// greatest so far, the sum so far, and the factor by which sums of earlier tiles shrink.
//   step    [0] the position of row 0, [1] rows                        read
//   scores  [rows, num_heads, tile] f32                                read and write
//   stats   [rows, num_heads] of vec4f: greatest, sum, factor, unused  read unless the tile is the first, write
// grid   (rows, num_heads, 1): 8 lanes
// needs  nothing optional

const MASKED: f32 = -3.0e38;
struct Softmax { num_heads: u32, slots: u32, tile: u32, first_key: u32 }
@group(0) @binding(0) var<uniform> params: Softmax;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> scores: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec4f>;

var<workgroup> parts: array<f32, 8>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
    let written = min(step[0] + step[1], params.slots);
    let count = min(params.tile, max(written, params.first_key) - params.first_key);
    let item = workgroup.x * params.num_heads + workgroup.y;
    let start = item * params.tile;
    var greatest = MASKED;
    for (var key = lane; key < count; key += 8u) { greatest = max(greatest, scores[start + key]); }
    parts[lane] = greatest;
    workgroupBarrier();
    var before = vec4f(MASKED, 0.0, 0.0, 0.0);
    if params.first_key > 0u { before = stats[item]; }
    greatest = before.x;
    for (var i = 0u; i < 8u; i++) { greatest = max(greatest, parts[i]); }
    workgroupBarrier();
    var sum = 0.0;
    for (var key = lane; key < (count + 3u) / 4u * 4u; key += 8u) {
        var weight = 0.0;
        if key < count {
            let score = scores[start + key];
            weight = select(exp(score - greatest), 0.0, score == MASKED);
        }
        scores[start + key] = weight;
        sum += weight;
    }
    parts[lane] = sum;
    workgroupBarrier();
    if lane == 0u {
        let factor = exp(before.x - greatest);
        var total = before.y * factor;
        for (var i = 0u; i < 8u; i++) { total += parts[i]; }
        stats[item] = vec4f(greatest, total, factor, 0.0);
    }
}
