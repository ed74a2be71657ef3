// Shares of a lane, of LANES, in the products of two rows of groups with eight rows of x; words and row_start are the
// includer's.
fn products(row: u32, other: u32, rows: array<u32, 8>, part: u32) -> array<vec2f, 8> {
    let a = row_start(row, params.row_words);
    let b = row_start(other, params.row_words);
    var sums: array<vec2f, 8>;
    for (var g = part; g < params.groups; g += LANES) {
        let p = group(a, params.groups, g, head(a, params.groups, g / 8u));
        let q = group(b, params.groups, g, head(b, params.groups, g / 8u));
        for (var c = 0u; c < 8u; c++) {
            let scale = select(vec2f(p.scale.x, q.scale.x), vec2f(p.scale.y, q.scale.y), c > 3u);
            let offset = select(vec2f(p.offset.x, q.offset.x), vec2f(p.offset.y, q.offset.y), c > 3u);
            let v = fma(values(p.codes[c]), vec4f(scale.x), vec4f(offset.x));
            let w = fma(values(q.codes[c]), vec4f(scale.y), vec4f(offset.y));
            for (var r = 0u; r < 8u; r++) {
                let four = x[rows[r] + 8u * g + c];
                sums[r] += vec2f(dot(v, four), dot(w, four));
            }
        }
    }
    return sums;
}
