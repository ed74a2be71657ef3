// Eight queries with four columns of values a lane: attention_wide_values and its sibling differ in how weights reach the lanes.
fn value(slot: u32, word: u32) -> vec4f {
    let place = slot * params.row_words + word;
    return bitcast<vec4f>(textureLoad(v, vec2u(place & 8191u, place >> 13u)));
}

fn x_at(row: u32, at: u32) -> vec4f { return weights[min(row + at, 4095u)]; }

fn add(w: vec4f, a: vec4f, b: vec4f, c: vec4f, d: vec4f, sum: vec4f) -> vec4f {
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
    for (var i = first4; i < end4; i += 8u) {
        let e0 = eight(p0, i, lane);
        let e1 = eight(p1, i, lane);
        let e2 = eight(p2, i, lane);
        let e3 = eight(p3, i, lane);
        let e4 = eight(p4, i, lane);
        let e5 = eight(p5, i, lane);
        let e6 = eight(p6, i, lane);
        let e7 = eight(p7, i, lane);
        var slot = params.first_key + 4u * i;
        var a: vec4f; var b: vec4f; var c: vec4f; var d: vec4f;
        a = value(slot, word);
        b = value(min(slot + 1u, last), word);
        c = value(min(slot + 2u, last), word);
        d = value(min(slot + 3u, last), word);
        s0 = add(x0(e0), a, b, c, d, s0);
        s1 = add(x0(e1), a, b, c, d, s1);
        s2 = add(x0(e2), a, b, c, d, s2);
        s3 = add(x0(e3), a, b, c, d, s3);
        s4 = add(x0(e4), a, b, c, d, s4);
        s5 = add(x0(e5), a, b, c, d, s5);
        s6 = add(x0(e6), a, b, c, d, s6);
        s7 = add(x0(e7), a, b, c, d, s7);
        if i + 1u >= end4 { break; }
        slot += 4u;
        a = value(slot, word);
        b = value(min(slot + 1u, last), word);
        c = value(min(slot + 2u, last), word);
        d = value(min(slot + 3u, last), word);
        s0 = add(x1(e0), a, b, c, d, s0);
        s1 = add(x1(e1), a, b, c, d, s1);
        s2 = add(x1(e2), a, b, c, d, s2);
        s3 = add(x1(e3), a, b, c, d, s3);
        s4 = add(x1(e4), a, b, c, d, s4);
        s5 = add(x1(e5), a, b, c, d, s5);
        s6 = add(x1(e6), a, b, c, d, s6);
        s7 = add(x1(e7), a, b, c, d, s7);
        if i + 2u >= end4 { break; }
        slot += 4u;
        a = value(slot, word);
        b = value(min(slot + 1u, last), word);
        c = value(min(slot + 2u, last), word);
        d = value(min(slot + 3u, last), word);
        s0 = add(x2(e0), a, b, c, d, s0);
        s1 = add(x2(e1), a, b, c, d, s1);
        s2 = add(x2(e2), a, b, c, d, s2);
        s3 = add(x2(e3), a, b, c, d, s3);
        s4 = add(x2(e4), a, b, c, d, s4);
        s5 = add(x2(e5), a, b, c, d, s5);
        s6 = add(x2(e6), a, b, c, d, s6);
        s7 = add(x2(e7), a, b, c, d, s7);
        if i + 3u >= end4 { break; }
        slot += 4u;
        a = value(slot, word);
        b = value(min(slot + 1u, last), word);
        c = value(min(slot + 2u, last), word);
        d = value(min(slot + 3u, last), word);
        s0 = add(x3(e0), a, b, c, d, s0);
        s1 = add(x3(e1), a, b, c, d, s1);
        s2 = add(x3(e2), a, b, c, d, s2);
        s3 = add(x3(e3), a, b, c, d, s3);
        s4 = add(x3(e4), a, b, c, d, s4);
        s5 = add(x3(e5), a, b, c, d, s5);
        s6 = add(x3(e6), a, b, c, d, s6);
        s7 = add(x3(e7), a, b, c, d, s7);
        if i + 4u >= end4 { break; }
        slot += 4u;
        a = value(slot, word);
        b = value(min(slot + 1u, last), word);
        c = value(min(slot + 2u, last), word);
        d = value(min(slot + 3u, last), word);
        s0 = add(x4(e0), a, b, c, d, s0);
        s1 = add(x4(e1), a, b, c, d, s1);
        s2 = add(x4(e2), a, b, c, d, s2);
        s3 = add(x4(e3), a, b, c, d, s3);
        s4 = add(x4(e4), a, b, c, d, s4);
        s5 = add(x4(e5), a, b, c, d, s5);
        s6 = add(x4(e6), a, b, c, d, s6);
        s7 = add(x4(e7), a, b, c, d, s7);
        if i + 5u >= end4 { break; }
        slot += 4u;
        a = value(slot, word);
        b = value(min(slot + 1u, last), word);
        c = value(min(slot + 2u, last), word);
        d = value(min(slot + 3u, last), word);
        s0 = add(x5(e0), a, b, c, d, s0);
        s1 = add(x5(e1), a, b, c, d, s1);
        s2 = add(x5(e2), a, b, c, d, s2);
        s3 = add(x5(e3), a, b, c, d, s3);
        s4 = add(x5(e4), a, b, c, d, s4);
        s5 = add(x5(e5), a, b, c, d, s5);
        s6 = add(x5(e6), a, b, c, d, s6);
        s7 = add(x5(e7), a, b, c, d, s7);
        if i + 6u >= end4 { break; }
        slot += 4u;
        a = value(slot, word);
        b = value(min(slot + 1u, last), word);
        c = value(min(slot + 2u, last), word);
        d = value(min(slot + 3u, last), word);
        s0 = add(x6(e0), a, b, c, d, s0);
        s1 = add(x6(e1), a, b, c, d, s1);
        s2 = add(x6(e2), a, b, c, d, s2);
        s3 = add(x6(e3), a, b, c, d, s3);
        s4 = add(x6(e4), a, b, c, d, s4);
        s5 = add(x6(e5), a, b, c, d, s5);
        s6 = add(x6(e6), a, b, c, d, s6);
        s7 = add(x6(e7), a, b, c, d, s7);
        if i + 7u >= end4 { break; }
        slot += 4u;
        a = value(slot, word);
        b = value(min(slot + 1u, last), word);
        c = value(min(slot + 2u, last), word);
        d = value(min(slot + 3u, last), word);
        s0 = add(x7(e0), a, b, c, d, s0);
        s1 = add(x7(e1), a, b, c, d, s1);
        s2 = add(x7(e2), a, b, c, d, s2);
        s3 = add(x7(e3), a, b, c, d, s3);
        s4 = add(x7(e4), a, b, c, d, s4);
        s5 = add(x7(e5), a, b, c, d, s5);
        s6 = add(x7(e6), a, b, c, d, s6);
        s7 = add(x7(e7), a, b, c, d, s7);
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
