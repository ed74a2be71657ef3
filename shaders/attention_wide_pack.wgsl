// attention_wide_pack: keys and values of the cache into textures, keys woven by eight slots.
//   k_cache  [slots, row_words] of vec4u                                     read
//   v_cache  as k_cache                                                      read
//   step     [0] the position of row 0, [1] rows                             read
//   k        texture of vec4u, lines of 8192, rows woven: [slots, row_words]     write, as far as positions have come
//   v        texture of vec4u, lines of 8192: [slots, row_words]                 write, as far as positions have come
// grid   (a, b, 1), a * b >= ceil(slots * row_words / 64)
// needs  nothing optional

struct Pack { slots: u32, row_words: u32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Pack;
@group(0) @binding(1) var<storage, read> k_cache: array<vec4u>;
@group(0) @binding(2) var<storage, read> v_cache: array<vec4u>;
@group(0) @binding(3) var<storage, read> step: array<u32>;
@group(0) @binding(4) var k: texture_storage_2d<rgba32uint, write>;
@group(0) @binding(5) var v: texture_storage_2d<rgba32uint, write>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) grid: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = (workgroup.y * grid.x + workgroup.x) * 64u + lane;
    let slot = place / params.row_words;
    if slot >= min(step[0] + step[1], params.slots) { return; }
    let woven = (slot & ~7u) * params.row_words + 8u * (place % params.row_words) + (slot & 7u);
    textureStore(k, vec2u(woven & 8191u, woven >> 13u), k_cache[place]);
    textureStore(v, vec2u(place & 8191u, place >> 13u), v_cache[place]);
}
