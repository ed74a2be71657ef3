// matvec_blocks: y[first + n] = sum over k of weight[n, k] * x[k]; one block of rows of a matrix of a block format.
//   weight  [rows, row_words] of vec4u, planes of groups of 32 weights   read
//   x       [width4] of vec4f                                            read
//   y       f32, places first .. first + rows set                        write
// GATED: the first half of the rows is a gate, y[first + n] = gelu_tanh(gate n) * (row rows / 2 + n), rows / 2 of them.
// grid   (a, b, 1), a * b >= ceil(rows / (WG / LANES)): LANES lanes a row
// needs  nothing optional; LANES a power of two that divides WG; rows even if GATED
//include shared/gelu.wgsl
//include shared/group.wgsl
//include shared/in_rows.wgsl
//include shared/dot.wgsl
//include shared/fake_quant.wgsl
//include shared/product.wgsl
//each load_q4_0 load_q4_1 load_q5_0 load_q5_1 load_q8_0 load_q2_k load_q3_k load_q4_k load_q5_k load_q6_k load_iq4_nl load_iq4_xs load_mxfp4 load_int2 load_int4 load_int8

override WG: u32 = 64u;
override LANES: u32 = 16u;
override GATED: bool = false;
// The last group of a row is not whole.
override RAGGED: bool = false;
struct Params { rows: u32, groups: u32, row_words: u32, first: u32, width4: u32, output_scale: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<vec4u>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> places: array<vec2f, 64>;

fn x_at(i: u32) -> vec4f {
    if RAGGED && i >= params.width4 { return vec4f(0.0); }
    return x[i];
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group_id: vec3u,
    @builtin(num_workgroups) grid: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = (group_id.y * grid.x + group_id.x) * (WG / LANES) + lane / LANES;
    let within = lane % LANES;
    let results = select(params.rows, params.rows / 2u, GATED);
    // Rows beyond the last repeat it and are not written, so that all lanes meet the barriers.
    let start = min(row, results - 1u) * params.row_words;
    var sums = vec2f(product(start, 0u, within), 0.0);
    if GATED { sums.y = product(start + results * params.row_words, 0u, within); }
    places[lane] = sums;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if within < half { places[lane] += places[lane + half]; }
    }
    if within == 0u && row < results {
        var result = fake_quant(places[lane].x, params.output_scale);
        if GATED { result = gelu_tanh(result) * fake_quant(places[lane].y, params.output_scale); }
        y[params.first + row] = result;
    }
}
