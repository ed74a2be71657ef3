// A lane two outputs of ROWS rows, 8, 4 or 2: matmul_blocks_wide and its sibling differ in how x reaches the lanes.
fn x_at(row: u32, at: u32) -> vec4f {
    if RAGGED && at >= params.width4 { return vec4f(0.0); }
    return x[row + at];
}

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
    var s0 = vec2f(0.0);
    var s1 = vec2f(0.0);
    var s2 = vec2f(0.0);
    var s3 = vec2f(0.0);
    var s4 = vec2f(0.0);
    var s5 = vec2f(0.0);
    var s6 = vec2f(0.0);
    var s7 = vec2f(0.0);
    for (var g = 0u; g < groups; g++) {
        let a = group(start, groups, g, head(start, groups, g / 8u));
        let b = group(other, groups, g, head(other, groups, g / 8u));
        let e0 = eight(first_x + 0u * width4, 8u * g, lane);
        let e1 = eight(first_x + 1u * width4, 8u * g, lane);
        let e2 = eight(first_x + select(0u, 2u * width4, ROWS > 2u), 8u * g, lane);
        let e3 = eight(first_x + select(0u, 3u * width4, ROWS > 3u), 8u * g, lane);
        let e4 = eight(first_x + select(0u, 4u * width4, ROWS > 4u), 8u * g, lane);
        let e5 = eight(first_x + select(0u, 5u * width4, ROWS > 5u), 8u * g, lane);
        let e6 = eight(first_x + select(0u, 6u * width4, ROWS > 6u), 8u * g, lane);
        let e7 = eight(first_x + select(0u, 7u * width4, ROWS > 7u), 8u * g, lane);
        var p: vec4f; var q: vec4f;
        p = weights(a.codes[0], a.scale.x, a.offset.x);
        q = weights(b.codes[0], b.scale.x, b.offset.x);
        s0 = both(x0(e0), p, q, s0);
        s1 = both(x0(e1), p, q, s1);
        if ROWS > 2u {
            s2 = both(x0(e2), p, q, s2);
            s3 = both(x0(e3), p, q, s3);
        }
        if ROWS > 4u {
            s4 = both(x0(e4), p, q, s4);
            s5 = both(x0(e5), p, q, s5);
            s6 = both(x0(e6), p, q, s6);
            s7 = both(x0(e7), p, q, s7);
        }
        p = weights(a.codes[1], a.scale.x, a.offset.x);
        q = weights(b.codes[1], b.scale.x, b.offset.x);
        s0 = both(x1(e0), p, q, s0);
        s1 = both(x1(e1), p, q, s1);
        if ROWS > 2u {
            s2 = both(x1(e2), p, q, s2);
            s3 = both(x1(e3), p, q, s3);
        }
        if ROWS > 4u {
            s4 = both(x1(e4), p, q, s4);
            s5 = both(x1(e5), p, q, s5);
            s6 = both(x1(e6), p, q, s6);
            s7 = both(x1(e7), p, q, s7);
        }
        p = weights(a.codes[2], a.scale.x, a.offset.x);
        q = weights(b.codes[2], b.scale.x, b.offset.x);
        s0 = both(x2(e0), p, q, s0);
        s1 = both(x2(e1), p, q, s1);
        if ROWS > 2u {
            s2 = both(x2(e2), p, q, s2);
            s3 = both(x2(e3), p, q, s3);
        }
        if ROWS > 4u {
            s4 = both(x2(e4), p, q, s4);
            s5 = both(x2(e5), p, q, s5);
            s6 = both(x2(e6), p, q, s6);
            s7 = both(x2(e7), p, q, s7);
        }
        p = weights(a.codes[3], a.scale.x, a.offset.x);
        q = weights(b.codes[3], b.scale.x, b.offset.x);
        s0 = both(x3(e0), p, q, s0);
        s1 = both(x3(e1), p, q, s1);
        if ROWS > 2u {
            s2 = both(x3(e2), p, q, s2);
            s3 = both(x3(e3), p, q, s3);
        }
        if ROWS > 4u {
            s4 = both(x3(e4), p, q, s4);
            s5 = both(x3(e5), p, q, s5);
            s6 = both(x3(e6), p, q, s6);
            s7 = both(x3(e7), p, q, s7);
        }
        p = weights(a.codes[4], a.scale.y, a.offset.y);
        q = weights(b.codes[4], b.scale.y, b.offset.y);
        s0 = both(x4(e0), p, q, s0);
        s1 = both(x4(e1), p, q, s1);
        if ROWS > 2u {
            s2 = both(x4(e2), p, q, s2);
            s3 = both(x4(e3), p, q, s3);
        }
        if ROWS > 4u {
            s4 = both(x4(e4), p, q, s4);
            s5 = both(x4(e5), p, q, s5);
            s6 = both(x4(e6), p, q, s6);
            s7 = both(x4(e7), p, q, s7);
        }
        p = weights(a.codes[5], a.scale.y, a.offset.y);
        q = weights(b.codes[5], b.scale.y, b.offset.y);
        s0 = both(x5(e0), p, q, s0);
        s1 = both(x5(e1), p, q, s1);
        if ROWS > 2u {
            s2 = both(x5(e2), p, q, s2);
            s3 = both(x5(e3), p, q, s3);
        }
        if ROWS > 4u {
            s4 = both(x5(e4), p, q, s4);
            s5 = both(x5(e5), p, q, s5);
            s6 = both(x5(e6), p, q, s6);
            s7 = both(x5(e7), p, q, s7);
        }
        p = weights(a.codes[6], a.scale.y, a.offset.y);
        q = weights(b.codes[6], b.scale.y, b.offset.y);
        s0 = both(x6(e0), p, q, s0);
        s1 = both(x6(e1), p, q, s1);
        if ROWS > 2u {
            s2 = both(x6(e2), p, q, s2);
            s3 = both(x6(e3), p, q, s3);
        }
        if ROWS > 4u {
            s4 = both(x6(e4), p, q, s4);
            s5 = both(x6(e5), p, q, s5);
            s6 = both(x6(e6), p, q, s6);
            s7 = both(x6(e7), p, q, s7);
        }
        p = weights(a.codes[7], a.scale.y, a.offset.y);
        q = weights(b.codes[7], b.scale.y, b.offset.y);
        s0 = both(x7(e0), p, q, s0);
        s1 = both(x7(e1), p, q, s1);
        if ROWS > 2u {
            s2 = both(x7(e2), p, q, s2);
            s3 = both(x7(e3), p, q, s3);
        }
        if ROWS > 4u {
            s4 = both(x7(e4), p, q, s4);
            s5 = both(x7(e5), p, q, s5);
            s6 = both(x7(e6), p, q, s6);
            s7 = both(x7(e7), p, q, s7);
        }
    }
    let place = first_row * params.y_stride + params.first + output;
    let sums = array<vec2f, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
    for (var r = 0u; r < ROWS; r++) {
        if output <= last {
            y[place + r * params.y_stride] = fake_quant(sums[r].x, params.output_scale);
        }
        if output + 8u <= last {
            y[place + r * params.y_stride + 8u] = fake_quant(sums[r].y, params.output_scale);
        }
    }
}
