// What the scores of a tile of keys and the sums over it have in common.
struct Tile {
    num_heads: u32, group: u32, width4: u32, row_words: u32,
    slots: u32, window: u32, sees_ends: u32, tile: u32,
    first_key: u32, first_row: u32, last: u32, out_stride: u32,
    head_dim: u32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> params: Tile;

// The place of one of the eight queries of a key head among those of its rows.
fn query(item: u32, kv_head: u32) -> u32 {
    return (item / params.group) * params.num_heads + kv_head * params.group + item % params.group;
}
