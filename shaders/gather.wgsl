// gather: y[r] = scale * table[ids[r]], where that row lies in this block of the table; three ids are read as another.
//   weight  [block_rows, width4] of four packed values, zero behind the width   read
//   ids     [rows] u32                                                          read
//   y       [rows, width4] of vec4f, width values set                           write, where the id is of this block
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional
//each load_f32 load_f16 load_bf16 load_f16_native

override WG: u32 = 64u;
struct Params {
    width: u32, width4: u32, first_row: u32, block_rows: u32,
    scale: f32, alias0: u32, alias1: u32, alias2: u32,
    read_as: u32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<Packed>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    var id = ids[group.x];
    if id == params.alias0 || id == params.alias1 || id == params.alias2 { id = params.read_as; }
    // Ids before the block wrap around to large numbers.
    let row = id - params.first_row;
    if row >= params.block_rows { return; }
    let source = row * params.width4;
    let goal = group.x * params.width4;
    for (var i = lane; i < params.width4; i += WG) {
        let values = params.scale * unpack(weight[source + i]);
        let inside = vec4u(0u, 1u, 2u, 3u) + 4u * i < vec4u(params.width);
        if all(inside) { y[goal + i] = values; } else { y[goal + i] = select(y[goal + i], values, inside); }
    }
}
