// Shares of a lane, of LANES, in the products of four rows of groups with eight rows of x; words and row_start are the
// includer's.
fn four_weights(w: Group, c: u32) -> vec4f {
    let high = c > 3u;
    let scale = select(w.scale.x, w.scale.y, high);
    return fma(values(w.codes[c]), vec4f(scale), vec4f(select(w.offset.x, w.offset.y, high)));
}

fn group_at(start: u32, g: u32) -> Group { return group(start, params.groups, g, head(start, params.groups, g / 8u)); }

fn products(weights: vec4u, rows: array<u32, 8>, part: u32) -> array<vec4f, 8> {
    let words = params.row_words;
    let starts = vec4u(
        row_start(weights.x, words), row_start(weights.y, words), row_start(weights.z, words), row_start(weights.w, words));
    var sums: array<vec4f, 8>;
    for (var g = part; g < params.groups; g += LANES) {
        let a = group_at(starts.x, g);
        let b = group_at(starts.y, g);
        let c = group_at(starts.z, g);
        let d = group_at(starts.w, g);
        for (var i = 0u; i < 8u; i++) {
            let four = mat4x4f(four_weights(a, i), four_weights(b, i), four_weights(c, i), four_weights(d, i));
            for (var r = 0u; r < 8u; r++) { sums[r] += x[rows[r] + 8u * g + i] * four; }
        }
    }
    return sums;
}
