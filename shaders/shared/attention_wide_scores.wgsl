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
    var places: array<u32, 8>;
    for (var item = 0u; item < 8u; item++) { places[item] = (from_q + query(item, kv_head)) * params.width4; }
    var sums: array<vec2f, 8>;
    for (var d = 0u; d < width4; d += 8u) {
        var v: array<Eight, 8>;
        for (var item = 0u; item < 8u; item++) { v[item] = eight(places[item], d, lane); }
        var a: vec4f; var b: vec4f;
        a = key_at(start, head_word, d + 0u, width4);
        b = key_at(other, head_word, d + 0u, width4);
        for (var item = 0u; item < 8u; item++) { sums[item] = both(x0(v[item]), a, b, sums[item]); }
        a = key_at(start, head_word, d + 1u, width4);
        b = key_at(other, head_word, d + 1u, width4);
        for (var item = 0u; item < 8u; item++) { sums[item] = both(x1(v[item]), a, b, sums[item]); }
        a = key_at(start, head_word, d + 2u, width4);
        b = key_at(other, head_word, d + 2u, width4);
        for (var item = 0u; item < 8u; item++) { sums[item] = both(x2(v[item]), a, b, sums[item]); }
        a = key_at(start, head_word, d + 3u, width4);
        b = key_at(other, head_word, d + 3u, width4);
        for (var item = 0u; item < 8u; item++) { sums[item] = both(x3(v[item]), a, b, sums[item]); }
        a = key_at(start, head_word, d + 4u, width4);
        b = key_at(other, head_word, d + 4u, width4);
        for (var item = 0u; item < 8u; item++) { sums[item] = both(x4(v[item]), a, b, sums[item]); }
        a = key_at(start, head_word, d + 5u, width4);
        b = key_at(other, head_word, d + 5u, width4);
        for (var item = 0u; item < 8u; item++) { sums[item] = both(x5(v[item]), a, b, sums[item]); }
        a = key_at(start, head_word, d + 6u, width4);
        b = key_at(other, head_word, d + 6u, width4);
        for (var item = 0u; item < 8u; item++) { sums[item] = both(x6(v[item]), a, b, sums[item]); }
        a = key_at(start, head_word, d + 7u, width4);
        b = key_at(other, head_word, d + 7u, width4);
        for (var item = 0u; item < 8u; item++) { sums[item] = both(x7(v[item]), a, b, sums[item]); }
    }
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
