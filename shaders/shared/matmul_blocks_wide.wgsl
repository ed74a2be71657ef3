// A lane two outputs of ROWS rows, 8, 4 or 2: matmul_blocks_wide and its sibling differ in how x reaches the lanes.
fn weights(codes: Code, scale: f32, offset: f32) -> vec4f {
    return fma(values(codes), vec4f(scale), vec4f(offset));
}

// Both outputs' four weights with four values of a row.
fn both(v: vec4f, a: vec4f, b: vec4f, sums: vec2f) -> vec2f {
    return vec2f(mad(a, v, sums.x), mad(b, v, sums.y));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
    let output = 16u * workgroup.x + lane;
    // Outputs beyond the last repeat it and are not written.
    let last = params.outputs - 1u;
    let start = row_start(min(output, last), params.row_words);
    let other = row_start(min(output + 8u, last), params.row_words);
    let groups = params.groups;
    let width4 = params.width4;
    let first_x = ROWS * workgroup.y * width4;
    let first_row = params.first_row + ROWS * workgroup.y;
    var sums: array<vec2f, 8>;
    for (var g = 0u; g < groups; g++) {
        let a = group(start, groups, g, head(start, groups, g / 8u));
        let b = group(other, groups, g, head(other, groups, g / 8u));
        var v: array<Eight, 8>;
        for (var r = 0u; r < ROWS; r++) { v[r] = eight(first_x + r * width4, 8u * g, lane); }
        var p: vec4f; var q: vec4f;
        p = weights(a.codes[0], a.scale.x, a.offset.x);
        q = weights(b.codes[0], b.scale.x, b.offset.x);
        for (var r = 0u; r < ROWS; r++) { sums[r] = both(x0(v[r]), p, q, sums[r]); }
        p = weights(a.codes[1], a.scale.x, a.offset.x);
        q = weights(b.codes[1], b.scale.x, b.offset.x);
        for (var r = 0u; r < ROWS; r++) { sums[r] = both(x1(v[r]), p, q, sums[r]); }
        p = weights(a.codes[2], a.scale.x, a.offset.x);
        q = weights(b.codes[2], b.scale.x, b.offset.x);
        for (var r = 0u; r < ROWS; r++) { sums[r] = both(x2(v[r]), p, q, sums[r]); }
        p = weights(a.codes[3], a.scale.x, a.offset.x);
        q = weights(b.codes[3], b.scale.x, b.offset.x);
        for (var r = 0u; r < ROWS; r++) { sums[r] = both(x3(v[r]), p, q, sums[r]); }
        p = weights(a.codes[4], a.scale.y, a.offset.y);
        q = weights(b.codes[4], b.scale.y, b.offset.y);
        for (var r = 0u; r < ROWS; r++) { sums[r] = both(x4(v[r]), p, q, sums[r]); }
        p = weights(a.codes[5], a.scale.y, a.offset.y);
        q = weights(b.codes[5], b.scale.y, b.offset.y);
        for (var r = 0u; r < ROWS; r++) { sums[r] = both(x5(v[r]), p, q, sums[r]); }
        p = weights(a.codes[6], a.scale.y, a.offset.y);
        q = weights(b.codes[6], b.scale.y, b.offset.y);
        for (var r = 0u; r < ROWS; r++) { sums[r] = both(x6(v[r]), p, q, sums[r]); }
        p = weights(a.codes[7], a.scale.y, a.offset.y);
        q = weights(b.codes[7], b.scale.y, b.offset.y);
        for (var r = 0u; r < ROWS; r++) { sums[r] = both(x7(v[r]), p, q, sums[r]); }
    }
    let place = first_row * params.y_stride + params.first + output;
    for (var r = 0u; r < ROWS; r++) {
        if output <= last {
            y[place + r * params.y_stride] = fake_quant(sums[r].x, params.output_scale);
        }
        if output + 8u <= last {
            y[place + r * params.y_stride + 8u] = fake_quant(sums[r].y, params.output_scale);
        }
    }
}
