// attention_wide_scores: scores[row, head, i] = q k of the key in slot first_key + i, for eight queries of a key head.
//   weight  texture of vec4u, 8192 wide, rows woven: keys [slots, num_kv_heads * width4] of vec4f       read
//   q       window of [window_rows, num_heads, width4] of vec4f, at most 4096                           read
//   step    [0] the position of row 0, [1] rows                                                         read
//   ends    [rows] u32: the last position that a row sees where that is later than its own              read
//   scores  [rows, num_heads, tile] f32, hidden keys -3e38                                              write
// grid   (ceil(tile / 16), num_kv_heads, ceil(rows of the window * group / 8)) for each window: 8 lanes, two keys a lane
// needs  nothing optional; group = num_heads / num_kv_heads divides 8
//include shared/seen.wgsl
//include shared/tile.wgsl
//include shared/woven.wgsl

const MASKED: f32 = -3.0e38;
@group(0) @binding(1) var weight: texture_storage_2d<rgba32uint, read>;
@group(0) @binding(2) var<uniform> q: array<vec4f, 4096>;
@group(0) @binding(3) var<storage, read> step: array<u32>;
@group(0) @binding(4) var<storage, read> ends: array<u32>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;

fn mad(a: vec4f, b: vec4f, sum: f32) -> f32 {
    return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
}

fn both(place: u32, a: vec4f, b: vec4f, sums: vec2f) -> vec2f {
    let v = q[place];
    return vec2f(mad(a, v, sums.x), mad(b, v, sums.y));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
    let end = step[0] + step[1];
    let key = 16u * workgroup.x + lane;
    let slot = params.first_key + key;
    if params.first_key + 16u * workgroup.x >= min(end, params.slots) { return; }
    let last = params.slots - 1u;
    let position = vec2u(
        position_in(min(slot, last), params.slots, end), position_in(min(slot + 8u, last), params.slots, end));
    let kv_head = workgroup.y;
    // Keys that no row of the window sees are not multiplied.
    let rows = 8u / params.group;
    let begin = params.first_row + rows * workgroup.z;
    let first_row = min(begin, step[1] - 1u);
    let last_row = min(begin + rows - 1u, step[1] - 1u);
    let by_rows = seen_by_rows(first_row, last_row, params.window, params.sees_ends);
    let useful = any((position >= vec2u(by_rows.first)) & (position < vec2u(by_rows.end)));
    let width4 = select(0u, params.width4, useful);

    let start = row_start(min(slot, last), params.row_words);
    let other = row_start(min(slot + 8u, last), params.row_words);
    let head_word = kv_head * params.width4;
    let from_q = rows * workgroup.z * params.num_heads;
    let p0 = (from_q + query(0u, kv_head)) * params.width4;
    let p1 = (from_q + query(1u, kv_head)) * params.width4;
    let p2 = (from_q + query(2u, kv_head)) * params.width4;
    let p3 = (from_q + query(3u, kv_head)) * params.width4;
    let p4 = (from_q + query(4u, kv_head)) * params.width4;
    let p5 = (from_q + query(5u, kv_head)) * params.width4;
    let p6 = (from_q + query(6u, kv_head)) * params.width4;
    let p7 = (from_q + query(7u, kv_head)) * params.width4;
    var s0 = vec2f(0.0);
    var s1 = vec2f(0.0);
    var s2 = vec2f(0.0);
    var s3 = vec2f(0.0);
    var s4 = vec2f(0.0);
    var s5 = vec2f(0.0);
    var s6 = vec2f(0.0);
    var s7 = vec2f(0.0);
    for (var d = 0u; d < width4; d++) {
        let a = bitcast<vec4f>(words(start, head_word + d));
        let b = bitcast<vec4f>(words(other, head_word + d));
        s0 = both(p0 + d, a, b, s0);
        s1 = both(p1 + d, a, b, s1);
        s2 = both(p2 + d, a, b, s2);
        s3 = both(p3 + d, a, b, s3);
        s4 = both(p4 + d, a, b, s4);
        s5 = both(p5 + d, a, b, s5);
        s6 = both(p6 + d, a, b, s6);
        s7 = both(p7 + d, a, b, s7);
    }
    let sums = array<vec2f, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
    for (var item = 0u; item < 8u; item++) {
        let row = begin + item / params.group;
        if row >= step[1] { return; }
        let seen = seen_by(row, params.window, params.sees_ends);
        let visible = (position >= vec2u(seen.first)) & (position < vec2u(seen.end));
        let place = (begin * params.num_heads + query(item, kv_head)) * params.tile + key;
        if key < params.tile { scores[place] = select(MASKED, sums[item].x, visible.x && slot <= last); }
        if key + 8u < params.tile { scores[place + 8u] = select(MASKED, sums[item].y, visible.y && slot + 8u <= last); }
    }
}
