// matvec_wide: matvec with 8 rows a lane, so that each piece of x is loaded once for them. For software adapters.
//   weight  [rows, width4] of four packed values, zero behind the width   read
//   x       [width4] of vec4f, zero behind the width                      read
//   y       [first + rows] f32                                            write
// grid   (gx, gy, 1), gx * gy * 64 >= rows: 8 lanes
// needs  nothing optional
//each load_f32 load_f16 load_bf16

struct Params { rows: u32, width4: u32, first: u32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<Packed>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let first_row = (group.y * groups.x + group.x) * 64u + lane * 8u;
    if first_row >= params.rows { return; }
    let last = params.rows - 1u;
    // Rows beyond the last repeat it and are not written.
    var starts: array<u32, 8>;
    for (var j = 0u; j < 8u; j++) { starts[j] = min(first_row + j, last) * params.width4; }
    var sums: array<f32, 8>;
    for (var k = 0u; k < params.width4; k++) {
        let piece = x[k];
        for (var j = 0u; j < 8u; j++) { sums[j] += dot(unpack(weight[starts[j] + k]), piece); }
    }
    for (var j = 0u; j < 8u; j++) {
        if first_row + j <= last { y[params.first + first_row + j] = sums[j]; }
    }
}
