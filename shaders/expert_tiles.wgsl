// expert_tiles: tiles[t] = (expert e, eight slots s with ids[s] = e), the tiles of one expert behind those of another; a last
// tile is filled with none, 0xffffffff, which is also the expert of the tiles that are not needed.
//   ids    [rows * top_k] u32                                    read
//   step   [2] u32, the second one the rows                      read
//   tiles  [most_tiles, 9] u32                                   write
// grid   (1, 1, 1)
// needs  nothing optional; experts <= 1024, most_tiles >= the tiles of any choice: rows * top_k, or rows * top_k / 8 + experts if that is less

override WG: u32 = 128u;
struct Params { experts: u32, top_k: u32, most_tiles: u32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read_write> tiles: array<u32>;

const NONE: u32 = 0xffffffffu;
// Tiles of an expert, then where they begin; behind the experts, where all end.
var<workgroup> begins: array<u32, 1025>;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
    let slots = step[1] * params.top_k;
    for (var e = lane; e < params.experts; e += WG) {
        var count = 0u;
        for (var s = 0u; s < slots; s++) { count += select(0u, 1u, ids[s] == e); }
        begins[e] = (count + 7u) / 8u;
    }
    workgroupBarrier();
    if lane == 0u {
        var end = 0u;
        for (var e = 0u; e < params.experts; e++) {
            let count = begins[e];
            begins[e] = end;
            end += count;
        }
        begins[params.experts] = end;
    }
    workgroupBarrier();
    for (var e = lane; e < params.experts; e += WG) {
        var tile = begins[e] * 9u;
        var filled = 0u;
        for (var s = 0u; s < slots; s++) {
            if ids[s] == e {
                if filled == 8u {
                    tile += 9u;
                    filled = 0u;
                }
                tiles[tile] = e;
                filled++;
                tiles[tile + filled] = s;
            }
        }
        if filled > 0u {
            for (var i = filled + 1u; i < 9u; i++) { tiles[tile + i] = NONE; }
        }
    }
    for (var t = begins[params.experts] + lane; t < params.most_tiles; t += WG) { tiles[9u * t] = NONE; }
}
