// gather_blocks: y[r] = scale * table[ids[r]], where that row lies in this block of a table of a block format; three ids
// are read as another.
//   weight  vec4u [block_rows, row_words], planes of groups of 32 weights   read
//   ids     [rows] u32                                                                  read
//   y       [rows, ceil(width / 4)] of vec4f                                             write, where the id is of this block
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional
//include shared/blocks.wgsl
//each load_q4_0 load_q4_1 load_q5_0 load_q5_1 load_q8_0 load_q2_k load_q3_k load_q4_k load_q5_k load_q6_k load_iq4_nl load_iq4_xs load_mxfp4 load_int2 load_int4 load_int8

override WG: u32 = 64u;
// The last group of a row is not whole.
override RAGGED: bool = false;
struct Params {
    groups: u32, row_words: u32, first_row: u32, block_rows: u32,
    scale: f32, alias0: u32, alias1: u32, alias2: u32,
    read_as: u32, width: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<vec4u>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

fn words(row: u32, i: u32) -> vec4u { return weight[row + i]; }

// What lies behind the last weight of a row becomes zero.
fn put(row: u32, at: u32, four: vec4f) {
    if RAGGED {
        let behind = vec4u(4u * at) + vec4u(0u, 1u, 2u, 3u) >= vec4u(params.width);
        if !behind.x { y[row + at] = select(four, vec4f(0.0), behind); }
    } else {
        y[row + at] = four;
    }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group_id: vec3u, @builtin(local_invocation_index) lane: u32) {
    var id = ids[group_id.x];
    if id == params.alias0 || id == params.alias1 || id == params.alias2 { id = params.read_as; }
    // Ids before the block wrap around to large numbers.
    let row = id - params.first_row;
    if row >= params.block_rows { return; }
    let start = row * params.row_words;
    let start_y = group_id.x * ((params.width + 3u) / 4u);
    for (var g = lane; g < params.groups; g += WG) {
        let w = group(start, params.groups, g, head(start, params.groups, g / 8u));
        let scale = params.scale * w.scale;
        let offset = params.scale * w.offset;
        put(start_y, 8u * g + 0u, scale.x * values(w.codes[0]) + offset.x);
        put(start_y, 8u * g + 1u, scale.x * values(w.codes[1]) + offset.x);
        put(start_y, 8u * g + 2u, scale.x * values(w.codes[2]) + offset.x);
        put(start_y, 8u * g + 3u, scale.x * values(w.codes[3]) + offset.x);
        put(start_y, 8u * g + 4u, scale.y * values(w.codes[4]) + offset.y);
        put(start_y, 8u * g + 5u, scale.y * values(w.codes[5]) + offset.y);
        put(start_y, 8u * g + 6u, scale.y * values(w.codes[6]) + offset.y);
        put(start_y, 8u * g + 7u, scale.y * values(w.codes[7]) + offset.y);
    }
}
