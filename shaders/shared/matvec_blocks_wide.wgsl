// A lane two rows of a matrix of blocks times x: matvec_blocks_wide and its sibling differ in how x reaches the lanes.
// Products of both rows' codes with four values, and the sum of these.
fn four(v: vec4f, a: Code, b: Code, sums: vec3f) -> vec3f {
    var plain = sums.z;
    if HAS_OFFSET { plain += v.x + v.y + v.z + v.w; }
    return vec3f(mad(values(a), v, sums.x), mad(values(b), v, sums.y), plain);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = select(16u, 8u, GATED) * workgroup.x + lane;
    let second = row + select(8u, params.rows / 2u, GATED);
    // Rows beyond the last repeat it and are not written.
    let last = params.rows - 1u;
    let start = row_start(min(row, last), params.row_words);
    let other = row_start(min(second, last), params.row_words);
    let groups = params.groups;
    var sums = vec2f(0.0);
    for (var run = 0u; run < (groups + 7u) / 8u; run++) {
        let start_head = head(start, groups, run);
        let other_head = head(other, groups, run);
        let end = min(8u * run + 8u, groups);
        for (var g = 8u * run; g < end; g++) {
            let a = group(start, groups, g, start_head);
            let b = group(other, groups, g, other_head);
            let v = eight(0u, 8u * g, lane);
            var low = four(x0(v), a.codes[0], b.codes[0], vec3f(0.0));
            low = four(x1(v), a.codes[1], b.codes[1], low);
            low = four(x2(v), a.codes[2], b.codes[2], low);
            low = four(x3(v), a.codes[3], b.codes[3], low);
            var high = four(x4(v), a.codes[4], b.codes[4], vec3f(0.0));
            high = four(x5(v), a.codes[5], b.codes[5], high);
            high = four(x6(v), a.codes[6], b.codes[6], high);
            high = four(x7(v), a.codes[7], b.codes[7], high);
            sums += vec2f(a.scale.x, b.scale.x) * low.xy + vec2f(a.scale.y, b.scale.y) * high.xy;
            if HAS_OFFSET {
                sums += vec2f(a.offset.x, b.offset.x) * low.z + vec2f(a.offset.y, b.offset.y) * high.z;
            }
        }
    }
    sums = vec2f(fake_quant(sums.x, params.output_scale), fake_quant(sums.y, params.output_scale));
    if GATED {
        if second <= last { y[params.first + row] = gelu_tanh(sums.x) * sums.y; }
        return;
    }
    if row <= last { y[params.first + row] = sums.x; }
    if second <= last { y[params.first + second] = sums.y; }
}
