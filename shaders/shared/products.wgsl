// Shares of a lane, of LANES, in the products of four rows of groups with eight rows of x; words, row_start and how x reaches
// the lanes are the includer's.
fn x_at(row: u32, at: u32) -> vec4f { return x[row + at]; }

fn four_weights(w: Group, i: u32) -> vec4f {
    let high = i > 3u;
    let scale = select(w.scale.x, w.scale.y, high);
    return fma(values(w.codes[i]), vec4f(scale), vec4f(select(w.offset.x, w.offset.y, high)));
}

fn all_four(a: Group, b: Group, c: Group, d: Group, i: u32) -> mat4x4f {
    return mat4x4f(four_weights(a, i), four_weights(b, i), four_weights(c, i), four_weights(d, i));
}

fn group_at(start: u32, g: u32) -> Group { return group(start, params.groups, g, head(start, params.groups, g / 8u)); }

fn products(weights: vec4u, rows: array<u32, 8>, lane: u32) -> array<vec4f, 8> {
    let words = params.row_words;
    let starts = vec4u(
        row_start(weights.x, words), row_start(weights.y, words), row_start(weights.z, words), row_start(weights.w, words));
    var sums: array<vec4f, 8>;
    for (var g = lane % LANES; g < params.groups; g += LANES) {
        let a = group_at(starts.x, g);
        let b = group_at(starts.y, g);
        let c = group_at(starts.z, g);
        let d = group_at(starts.w, g);
        var v: array<Eight, 8>;
        for (var r = 0u; r < 8u; r++) { v[r] = eight(rows[r], 8u * g, lane); }
        var four: mat4x4f;
        four = all_four(a, b, c, d, 0u);
        for (var r = 0u; r < 8u; r++) { sums[r] += x0(v[r]) * four; }
        four = all_four(a, b, c, d, 1u);
        for (var r = 0u; r < 8u; r++) { sums[r] += x1(v[r]) * four; }
        four = all_four(a, b, c, d, 2u);
        for (var r = 0u; r < 8u; r++) { sums[r] += x2(v[r]) * four; }
        four = all_four(a, b, c, d, 3u);
        for (var r = 0u; r < 8u; r++) { sums[r] += x3(v[r]) * four; }
        four = all_four(a, b, c, d, 4u);
        for (var r = 0u; r < 8u; r++) { sums[r] += x4(v[r]) * four; }
        four = all_four(a, b, c, d, 5u);
        for (var r = 0u; r < 8u; r++) { sums[r] += x5(v[r]) * four; }
        four = all_four(a, b, c, d, 6u);
        for (var r = 0u; r < 8u; r++) { sums[r] += x6(v[r]) * four; }
        four = all_four(a, b, c, d, 7u);
        for (var r = 0u; r < 8u; r++) { sums[r] += x7(v[r]) * four; }
    }
    return sums;
}
