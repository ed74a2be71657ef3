// patch_position: x[row] += table of the columns [place.x] + table of the rows [place.y], place = places[row].
//   places  [rows, 2] u32, column and row of the patch, each below size   read
//   table   [size, 2, width] or [2, size, width] f32, without gaps        read
//   x       [rows, stride] f32, width of them used                        read and write
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional

override WG: u32 = 128u;
struct Params { width: u32, stride: u32, place_stride: u32, axis_stride: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> places: array<vec2u>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * params.stride;
    let place = places[group.x];
    let across = place.x * params.place_stride;
    let down = place.y * params.place_stride + params.axis_stride;
    for (var i = lane; i < params.width; i += WG) { x[row + i] += table[across + i] + table[down + i]; }
}
