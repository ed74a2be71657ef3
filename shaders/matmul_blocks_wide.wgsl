// matmul_blocks_wide: matmul_blocks for software adapters, a lane two outputs of eight rows; see matvec_blocks_wide.
//   weight  texture of vec4u, rows woven: [outputs, row_words], planes of groups of 32 weights   read
//   x       window of [window_rows, width4] of vec4f, at most 4096                              read
//   y       [rows, y_stride] f32, places first .. first + outputs of eight rows set             write
// grid   (ceil(outputs / 16), ceil(rows of the window / 8), 1) for each window: 8 lanes
// needs  nothing optional; x and y hold a multiple of 8 rows, so does a window
//include shared/blocks.wgsl
//include shared/woven.wgsl
//include shared/dot.wgsl
//include shared/fake_quant.wgsl
//each load_q4_0 load_q4_1 load_q5_0 load_q5_1 load_q8_0 load_q2_k load_q3_k load_q4_k load_q5_k load_q6_k load_iq4_nl load_iq4_xs load_mxfp4 load_int2 load_int4 load_int8

// The last group of a row is not whole.
override RAGGED: bool = false;
struct Params {
    outputs: u32, groups: u32, row_words: u32, first: u32,
    y_stride: u32, first_row: u32, width4: u32, output_scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<uniform> x: array<vec4f, 4096>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;


fn weights(codes: u32, scale: f32, offset: f32) -> vec4f {
    return fma(values(codes), vec4f(scale), vec4f(offset));
}

// Both weights with the four values of column `at` in the row that begins at `row`.
fn both(row: u32, at: u32, a: vec4f, b: vec4f, sums: vec2f) -> vec2f {
    if RAGGED && at >= params.width4 { return sums; }
    let v = x[row + at];
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
    let first_x = 8u * workgroup.y * width4;
    let first_row = params.first_row + 8u * workgroup.y;
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
        let from_x = 8u * g;
        var p: vec4f; var q: vec4f;
        p = weights(a.codes[0], a.scale.x, a.offset.x);
        q = weights(b.codes[0], b.scale.x, b.offset.x);
        s0 = both(first_x + 0u * width4, from_x + 0u, p, q, s0);
        s1 = both(first_x + 1u * width4, from_x + 0u, p, q, s1);
        s2 = both(first_x + 2u * width4, from_x + 0u, p, q, s2);
        s3 = both(first_x + 3u * width4, from_x + 0u, p, q, s3);
        s4 = both(first_x + 4u * width4, from_x + 0u, p, q, s4);
        s5 = both(first_x + 5u * width4, from_x + 0u, p, q, s5);
        s6 = both(first_x + 6u * width4, from_x + 0u, p, q, s6);
        s7 = both(first_x + 7u * width4, from_x + 0u, p, q, s7);
        p = weights(a.codes[1], a.scale.x, a.offset.x);
        q = weights(b.codes[1], b.scale.x, b.offset.x);
        s0 = both(first_x + 0u * width4, from_x + 1u, p, q, s0);
        s1 = both(first_x + 1u * width4, from_x + 1u, p, q, s1);
        s2 = both(first_x + 2u * width4, from_x + 1u, p, q, s2);
        s3 = both(first_x + 3u * width4, from_x + 1u, p, q, s3);
        s4 = both(first_x + 4u * width4, from_x + 1u, p, q, s4);
        s5 = both(first_x + 5u * width4, from_x + 1u, p, q, s5);
        s6 = both(first_x + 6u * width4, from_x + 1u, p, q, s6);
        s7 = both(first_x + 7u * width4, from_x + 1u, p, q, s7);
        p = weights(a.codes[2], a.scale.x, a.offset.x);
        q = weights(b.codes[2], b.scale.x, b.offset.x);
        s0 = both(first_x + 0u * width4, from_x + 2u, p, q, s0);
        s1 = both(first_x + 1u * width4, from_x + 2u, p, q, s1);
        s2 = both(first_x + 2u * width4, from_x + 2u, p, q, s2);
        s3 = both(first_x + 3u * width4, from_x + 2u, p, q, s3);
        s4 = both(first_x + 4u * width4, from_x + 2u, p, q, s4);
        s5 = both(first_x + 5u * width4, from_x + 2u, p, q, s5);
        s6 = both(first_x + 6u * width4, from_x + 2u, p, q, s6);
        s7 = both(first_x + 7u * width4, from_x + 2u, p, q, s7);
        p = weights(a.codes[3], a.scale.x, a.offset.x);
        q = weights(b.codes[3], b.scale.x, b.offset.x);
        s0 = both(first_x + 0u * width4, from_x + 3u, p, q, s0);
        s1 = both(first_x + 1u * width4, from_x + 3u, p, q, s1);
        s2 = both(first_x + 2u * width4, from_x + 3u, p, q, s2);
        s3 = both(first_x + 3u * width4, from_x + 3u, p, q, s3);
        s4 = both(first_x + 4u * width4, from_x + 3u, p, q, s4);
        s5 = both(first_x + 5u * width4, from_x + 3u, p, q, s5);
        s6 = both(first_x + 6u * width4, from_x + 3u, p, q, s6);
        s7 = both(first_x + 7u * width4, from_x + 3u, p, q, s7);
        p = weights(a.codes[4], a.scale.y, a.offset.y);
        q = weights(b.codes[4], b.scale.y, b.offset.y);
        s0 = both(first_x + 0u * width4, from_x + 4u, p, q, s0);
        s1 = both(first_x + 1u * width4, from_x + 4u, p, q, s1);
        s2 = both(first_x + 2u * width4, from_x + 4u, p, q, s2);
        s3 = both(first_x + 3u * width4, from_x + 4u, p, q, s3);
        s4 = both(first_x + 4u * width4, from_x + 4u, p, q, s4);
        s5 = both(first_x + 5u * width4, from_x + 4u, p, q, s5);
        s6 = both(first_x + 6u * width4, from_x + 4u, p, q, s6);
        s7 = both(first_x + 7u * width4, from_x + 4u, p, q, s7);
        p = weights(a.codes[5], a.scale.y, a.offset.y);
        q = weights(b.codes[5], b.scale.y, b.offset.y);
        s0 = both(first_x + 0u * width4, from_x + 5u, p, q, s0);
        s1 = both(first_x + 1u * width4, from_x + 5u, p, q, s1);
        s2 = both(first_x + 2u * width4, from_x + 5u, p, q, s2);
        s3 = both(first_x + 3u * width4, from_x + 5u, p, q, s3);
        s4 = both(first_x + 4u * width4, from_x + 5u, p, q, s4);
        s5 = both(first_x + 5u * width4, from_x + 5u, p, q, s5);
        s6 = both(first_x + 6u * width4, from_x + 5u, p, q, s6);
        s7 = both(first_x + 7u * width4, from_x + 5u, p, q, s7);
        p = weights(a.codes[6], a.scale.y, a.offset.y);
        q = weights(b.codes[6], b.scale.y, b.offset.y);
        s0 = both(first_x + 0u * width4, from_x + 6u, p, q, s0);
        s1 = both(first_x + 1u * width4, from_x + 6u, p, q, s1);
        s2 = both(first_x + 2u * width4, from_x + 6u, p, q, s2);
        s3 = both(first_x + 3u * width4, from_x + 6u, p, q, s3);
        s4 = both(first_x + 4u * width4, from_x + 6u, p, q, s4);
        s5 = both(first_x + 5u * width4, from_x + 6u, p, q, s5);
        s6 = both(first_x + 6u * width4, from_x + 6u, p, q, s6);
        s7 = both(first_x + 7u * width4, from_x + 6u, p, q, s7);
        p = weights(a.codes[7], a.scale.y, a.offset.y);
        q = weights(b.codes[7], b.scale.y, b.offset.y);
        s0 = both(first_x + 0u * width4, from_x + 7u, p, q, s0);
        s1 = both(first_x + 1u * width4, from_x + 7u, p, q, s1);
        s2 = both(first_x + 2u * width4, from_x + 7u, p, q, s2);
        s3 = both(first_x + 3u * width4, from_x + 7u, p, q, s3);
        s4 = both(first_x + 4u * width4, from_x + 7u, p, q, s4);
        s5 = both(first_x + 5u * width4, from_x + 7u, p, q, s5);
        s6 = both(first_x + 6u * width4, from_x + 7u, p, q, s6);
        s7 = both(first_x + 7u * width4, from_x + 7u, p, q, s7);
    }
    let place = first_row * params.y_stride + params.first + output;
    let sums = array<vec2f, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
    for (var r = 0u; r < 8u; r++) {
        if output <= last {
            y[place + r * params.y_stride] = fake_quant(sums[r].x, params.output_scale);
        }
        if output + 8u <= last {
            y[place + r * params.y_stride + 8u] = fake_quant(sums[r].y, params.output_scale);
        }
    }
}
