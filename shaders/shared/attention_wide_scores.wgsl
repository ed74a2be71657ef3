// Eight queries with two keys a lane: attention_wide_scores and its sibling differ in how queries reach the lanes.
fn mad(a: vec4f, b: vec4f, sum: f32) -> f32 {
    return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
}

// What lies behind a head is another's, or of no row.
fn x_at(row: u32, at: u32) -> vec4f {
    if at >= params.width4 { return vec4f(0.0); }
    return q[row + at];
}

fn both(v: vec4f, a: vec4f, b: vec4f, sums: vec2f) -> vec2f {
    return vec2f(mad(a, v, sums.x), mad(b, v, sums.y));
}

// Word `at` of the part of a key that is `width4` long.
fn key_at(start: u32, first: u32, at: u32, width4: u32) -> vec4f {
    if at >= width4 { return vec4f(0.0); }
    return bitcast<vec4f>(words(start, first + at));
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
    let width4 = select(0u, params.width4, any_lane(useful));

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
    for (var d = 0u; d < width4; d += 8u) {
        let e0 = eight(p0, d, lane);
        let e1 = eight(p1, d, lane);
        let e2 = eight(p2, d, lane);
        let e3 = eight(p3, d, lane);
        let e4 = eight(p4, d, lane);
        let e5 = eight(p5, d, lane);
        let e6 = eight(p6, d, lane);
        let e7 = eight(p7, d, lane);
        var a: vec4f; var b: vec4f;
        a = key_at(start, head_word, d + 0u, width4);
        b = key_at(other, head_word, d + 0u, width4);
        s0 = both(x0(e0), a, b, s0);
        s1 = both(x0(e1), a, b, s1);
        s2 = both(x0(e2), a, b, s2);
        s3 = both(x0(e3), a, b, s3);
        s4 = both(x0(e4), a, b, s4);
        s5 = both(x0(e5), a, b, s5);
        s6 = both(x0(e6), a, b, s6);
        s7 = both(x0(e7), a, b, s7);
        a = key_at(start, head_word, d + 1u, width4);
        b = key_at(other, head_word, d + 1u, width4);
        s0 = both(x1(e0), a, b, s0);
        s1 = both(x1(e1), a, b, s1);
        s2 = both(x1(e2), a, b, s2);
        s3 = both(x1(e3), a, b, s3);
        s4 = both(x1(e4), a, b, s4);
        s5 = both(x1(e5), a, b, s5);
        s6 = both(x1(e6), a, b, s6);
        s7 = both(x1(e7), a, b, s7);
        a = key_at(start, head_word, d + 2u, width4);
        b = key_at(other, head_word, d + 2u, width4);
        s0 = both(x2(e0), a, b, s0);
        s1 = both(x2(e1), a, b, s1);
        s2 = both(x2(e2), a, b, s2);
        s3 = both(x2(e3), a, b, s3);
        s4 = both(x2(e4), a, b, s4);
        s5 = both(x2(e5), a, b, s5);
        s6 = both(x2(e6), a, b, s6);
        s7 = both(x2(e7), a, b, s7);
        a = key_at(start, head_word, d + 3u, width4);
        b = key_at(other, head_word, d + 3u, width4);
        s0 = both(x3(e0), a, b, s0);
        s1 = both(x3(e1), a, b, s1);
        s2 = both(x3(e2), a, b, s2);
        s3 = both(x3(e3), a, b, s3);
        s4 = both(x3(e4), a, b, s4);
        s5 = both(x3(e5), a, b, s5);
        s6 = both(x3(e6), a, b, s6);
        s7 = both(x3(e7), a, b, s7);
        a = key_at(start, head_word, d + 4u, width4);
        b = key_at(other, head_word, d + 4u, width4);
        s0 = both(x4(e0), a, b, s0);
        s1 = both(x4(e1), a, b, s1);
        s2 = both(x4(e2), a, b, s2);
        s3 = both(x4(e3), a, b, s3);
        s4 = both(x4(e4), a, b, s4);
        s5 = both(x4(e5), a, b, s5);
        s6 = both(x4(e6), a, b, s6);
        s7 = both(x4(e7), a, b, s7);
        a = key_at(start, head_word, d + 5u, width4);
        b = key_at(other, head_word, d + 5u, width4);
        s0 = both(x5(e0), a, b, s0);
        s1 = both(x5(e1), a, b, s1);
        s2 = both(x5(e2), a, b, s2);
        s3 = both(x5(e3), a, b, s3);
        s4 = both(x5(e4), a, b, s4);
        s5 = both(x5(e5), a, b, s5);
        s6 = both(x5(e6), a, b, s6);
        s7 = both(x5(e7), a, b, s7);
        a = key_at(start, head_word, d + 6u, width4);
        b = key_at(other, head_word, d + 6u, width4);
        s0 = both(x6(e0), a, b, s0);
        s1 = both(x6(e1), a, b, s1);
        s2 = both(x6(e2), a, b, s2);
        s3 = both(x6(e3), a, b, s3);
        s4 = both(x6(e4), a, b, s4);
        s5 = both(x6(e5), a, b, s5);
        s6 = both(x6(e6), a, b, s6);
        s7 = both(x6(e7), a, b, s7);
        a = key_at(start, head_word, d + 7u, width4);
        b = key_at(other, head_word, d + 7u, width4);
        s0 = both(x7(e0), a, b, s0);
        s1 = both(x7(e1), a, b, s1);
        s2 = both(x7(e2), a, b, s2);
        s3 = both(x7(e3), a, b, s3);
        s4 = both(x7(e4), a, b, s4);
        s5 = both(x7(e5), a, b, s5);
        s6 = both(x7(e6), a, b, s6);
        s7 = both(x7(e7), a, b, s7);
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
