// A row of a table of a block format by its id, widened: words, head, group and values come from the includer.
override WG: u32 = 64u;
// The last group of a row is not whole.
override RAGGED: bool = false;
struct Params {
    groups: u32, row_words: u32, first_row: u32, block_rows: u32,
    scale: f32, alias0: u32, alias1: u32, alias2: u32,
    read_as: u32, width: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> params: Params;

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
    let start = row_start(row, params.row_words);
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
