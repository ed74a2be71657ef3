// Eight queries with four columns of values a lane: attention_wide_values and its sibling differ in how weights reach the lanes.
fn value(slot: u32, word: u32) -> vec4f {
    let place = slot * params.row_words + word;
    return bitcast<vec4f>(textureLoad(v, vec2u(place & 8191u, place >> 13u)));
}

fn x_at(row: u32, at: u32) -> vec4f { return weights[min(row + at, 4095u)]; }

fn add(w: vec4f, v: mat4x4f, sum: vec4f) -> vec4f {
    return fma(vec4f(w.x), v[0], fma(vec4f(w.y), v[1], fma(vec4f(w.z), v[2], fma(vec4f(w.w), v[3], sum))));
}

// The values in four slots from `slot` on; the weights of slots behind the last are zero.
fn four_values(slot: u32, word: u32) -> mat4x4f {
    let last = params.slots - 1u;
    return mat4x4f(
        value(slot, word), value(min(slot + 1u, last), word), value(min(slot + 2u, last), word),
        value(min(slot + 3u, last), word),
    );
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
    var places: array<u32, 8>;
    for (var item = 0u; item < 8u; item++) { places[item] = (from_weights + query(item, kv_head)) * tile4; }
    var all: array<vec4f, 8>;
    for (var i = first4; i < end4; i += 8u) {
        var w: array<Eight, 8>;
        for (var item = 0u; item < 8u; item++) { w[item] = eight(places[item], i, lane); }
        let slot = params.first_key + 4u * i;
        var v: mat4x4f;
        v = four_values(slot, word);
        for (var item = 0u; item < 8u; item++) { all[item] = add(x0(w[item]), v, all[item]); }
        if i + 1u >= end4 { break; }
        v = four_values(slot + 4u, word);
        for (var item = 0u; item < 8u; item++) { all[item] = add(x1(w[item]), v, all[item]); }
        if i + 2u >= end4 { break; }
        v = four_values(slot + 8u, word);
        for (var item = 0u; item < 8u; item++) { all[item] = add(x2(w[item]), v, all[item]); }
        if i + 3u >= end4 { break; }
        v = four_values(slot + 12u, word);
        for (var item = 0u; item < 8u; item++) { all[item] = add(x3(w[item]), v, all[item]); }
        if i + 4u >= end4 { break; }
        v = four_values(slot + 16u, word);
        for (var item = 0u; item < 8u; item++) { all[item] = add(x4(w[item]), v, all[item]); }
        if i + 5u >= end4 { break; }
        v = four_values(slot + 20u, word);
        for (var item = 0u; item < 8u; item++) { all[item] = add(x5(w[item]), v, all[item]); }
        if i + 6u >= end4 { break; }
        v = four_values(slot + 24u, word);
        for (var item = 0u; item < 8u; item++) { all[item] = add(x6(w[item]), v, all[item]); }
        if i + 7u >= end4 { break; }
        v = four_values(slot + 28u, word);
        for (var item = 0u; item < 8u; item++) { all[item] = add(x7(w[item]), v, all[item]); }
    }
    if 8u * workgroup.x + lane >= params.width4 { return; }
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
