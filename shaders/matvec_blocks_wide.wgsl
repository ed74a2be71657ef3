// matvec_blocks_wide: matvec_blocks for software adapters, a lane two rows: weights come out of a texture and x out of a
// uniform, since both are read several times faster there than storage buffers.
//   weight  texture of vec4u, rows woven: [rows, row_words], planes of groups of 32 weights   read
//   x       [width4] of vec4f, at most 4096                                                  read
//   y       f32, places first .. first + rows set                                            write
// GATED: the first half of the rows is a gate, y[first + n] = gelu_tanh(gate n) * (row rows / 2 + n), rows / 2 of them.
// grid   (ceil(rows / 16), 1, 1): 8 lanes
// needs  nothing optional; rows even if GATED
//include shared/gelu.wgsl
//include shared/blocks.wgsl
//include shared/woven.wgsl
//include shared/dot.wgsl
//include shared/fake_quant.wgsl
//each load_q4_0 load_q4_1 load_q5_0 load_q5_1 load_q8_0 load_q2_k load_q3_k load_q4_k load_q5_k load_q6_k load_iq4_nl load_iq4_xs load_mxfp4 load_int2 load_int4 load_int8

override GATED: bool = false;
// The last group of a row is not whole.
override RAGGED: bool = false;
struct Params { rows: u32, groups: u32, row_words: u32, first: u32, width4: u32, output_scale: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var weight: texture_2d<u32>;
@group(0) @binding(2) var<uniform> x: array<vec4f, 4096>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn x_at(i: u32) -> vec4f {
    if RAGGED && i >= params.width4 { return vec4f(0.0); }
    return x[i];
}

// Products of both rows' codes with four values, and the sum of these.
fn four(place: u32, a: u32, b: u32, sums: vec3f) -> vec3f {
    let v = x_at(place);
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
            let from_x = 8u * g;
            var low = four(from_x, a.codes[0], b.codes[0], vec3f(0.0));
            low = four(from_x + 1u, a.codes[1], b.codes[1], low);
            low = four(from_x + 2u, a.codes[2], b.codes[2], low);
            low = four(from_x + 3u, a.codes[3], b.codes[3], low);
            var high = four(from_x + 4u, a.codes[4], b.codes[4], vec3f(0.0));
            high = four(from_x + 5u, a.codes[5], b.codes[5], high);
            high = four(from_x + 6u, a.codes[6], b.codes[6], high);
            high = four(from_x + 7u, a.codes[7], b.codes[7], high);
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
