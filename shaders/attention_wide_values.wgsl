// attention_wide_values: sums of weight * v over a tile of keys, for eight queries of a key head; after the last tile
// divided by the sum of weights.
//   v        texture of vec4u, 8192 wide: values [slots, row_words] of vec4f                         read
//   weights  window of [window_rows, num_heads, tile] f32 as vec4f, at most 4096                     read
//   step     [0] the position of row 0, [1] rows                                                     read
//   ends     [rows] u32: the last position that a row sees where that is later than its own          read
//   stats    [rows, num_heads] of vec4f: greatest, sum, factor on earlier sums                       read
//   sums     [rows, num_heads, width4] of vec4f                                                      read and write
//   out      [rows, out_stride] f32, heads of head_dim one after another                             write, if last
// grid   (ceil(width4 / 8), num_kv_heads, ceil(rows of the window * group / 8)) for each window: 8 lanes
// needs  nothing optional; group = num_heads / num_kv_heads divides 8
//include shared/seen.wgsl
//include shared/tile.wgsl

@group(0) @binding(1) var v: texture_storage_2d<rgba32uint, read>;
@group(0) @binding(2) var<uniform> weights: array<vec4f, 4096>;
@group(0) @binding(3) var<storage, read> step: array<u32>;
@group(0) @binding(4) var<storage, read> ends: array<u32>;
@group(0) @binding(5) var<storage, read> stats: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> sums: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

fn value(slot: u32, word: u32) -> vec4f {
    let place = slot * params.row_words + word;
    return bitcast<vec4f>(textureLoad(v, vec2u(place & 8191u, place >> 13u)));
}

fn add(place: u32, a: vec4f, b: vec4f, c: vec4f, d: vec4f, sum: vec4f) -> vec4f {
    let w = weights[place];
    return fma(vec4f(w.x), a, fma(vec4f(w.y), b, fma(vec4f(w.z), c, fma(vec4f(w.w), d, sum))));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
    let kv_head = workgroup.y;
    let rows = 8u / params.group;
    let begin = params.first_row + rows * workgroup.z;
    let column = min(8u * workgroup.x + lane, params.width4 - 1u);
    let word = kv_head * params.width4 + column;
    let end = step[0] + step[1];
    let written = min(end, params.slots);
    // Quarters of keys of the tile: those that some row sees, while the ring is not full.
    var first4 = 0u;
    var end4 = (min(params.tile, max(written, params.first_key) - params.first_key) + 3u) / 4u;
    if end <= params.slots {
        let first_row = min(begin, step[1] - 1u);
        let last_row = min(begin + rows - 1u, step[1] - 1u);
        let by_rows = seen_by_rows(first_row, last_row, params.window, params.sees_ends);
        first4 = (max(by_rows.first, params.first_key) - params.first_key) / 4u;
        end4 = min(end4, (max(by_rows.end, params.first_key) - params.first_key + 3u) / 4u);
    }
    let tile4 = params.tile / 4u;
    let from_weights = rows * workgroup.z * params.num_heads;
    let p0 = (from_weights + query(0u, kv_head)) * tile4;
    let p1 = (from_weights + query(1u, kv_head)) * tile4;
    let p2 = (from_weights + query(2u, kv_head)) * tile4;
    let p3 = (from_weights + query(3u, kv_head)) * tile4;
    let p4 = (from_weights + query(4u, kv_head)) * tile4;
    let p5 = (from_weights + query(5u, kv_head)) * tile4;
    let p6 = (from_weights + query(6u, kv_head)) * tile4;
    let p7 = (from_weights + query(7u, kv_head)) * tile4;
    var s0 = vec4f(0.0);
    var s1 = vec4f(0.0);
    var s2 = vec4f(0.0);
    var s3 = vec4f(0.0);
    var s4 = vec4f(0.0);
    var s5 = vec4f(0.0);
    var s6 = vec4f(0.0);
    var s7 = vec4f(0.0);
    let last = params.slots - 1u;
    for (var i = first4; i < end4; i++) {
        let slot = params.first_key + 4u * i;
        let a = value(slot, word);
        let b = value(min(slot + 1u, last), word);
        let c = value(min(slot + 2u, last), word);
        let d = value(min(slot + 3u, last), word);
        s0 = add(p0 + i, a, b, c, d, s0);
        s1 = add(p1 + i, a, b, c, d, s1);
        s2 = add(p2 + i, a, b, c, d, s2);
        s3 = add(p3 + i, a, b, c, d, s3);
        s4 = add(p4 + i, a, b, c, d, s4);
        s5 = add(p5 + i, a, b, c, d, s5);
        s6 = add(p6 + i, a, b, c, d, s6);
        s7 = add(p7 + i, a, b, c, d, s7);
    }
    if 8u * workgroup.x + lane >= params.width4 { return; }
    let all = array<vec4f, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
    for (var item = 0u; item < 8u; item++) {
        if begin + item / params.group >= step[1] { return; }
        let place = begin * params.num_heads + query(item, kv_head);
        var sum = all[item];
        if params.first_key > 0u { sum += stats[place].z * sums[place * params.width4 + column]; }
        if params.last == 0u {
            sums[place * params.width4 + column] = sum;
            continue;
        }
        let total = sum / stats[place].y;
        let row = place / params.num_heads;
        let to = row * params.out_stride + (place % params.num_heads) * params.head_dim;
        for (var c = 0u; c < 4u; c++) {
            if 4u * column + c < params.head_dim { out[to + 4u * column + c] = total[c]; }
        }
    }
}
