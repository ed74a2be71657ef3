// matvec_subgroup: matvec with a workgroup for ROWS rows, its lanes summed by subgroups; each piece of x is read once
// for all ROWS rows.
//   weight  [rows, width4] of four packed values, zero behind the width   read
//   x       [width4] of vec4f, zero behind the width                      read
//   y       [first + rows] f32                                            write
// grid   (gx, gy, 1), gx * gy * ROWS >= rows
// needs  subgroup operations, subgroups of at least 4 lanes; WG a multiple of the subgroup
//each load_f32 load_f16 load_bf16 load_f16_native

override WG: u32 = 64u;
const ROWS: u32 = 4u;
struct Params { rows: u32, width4: u32, first: u32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<Packed>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override PARTIALS: u32 = WG / 4u;
var<workgroup> partial: array<vec4f, PARTIALS>;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) num_subgroups: u32,
) {
    let first_row = (group.y * groups.x + group.x) * ROWS;
    // Rows beyond the last read the last one again, so that every lane walks the same way.
    let last = params.rows - 1u;
    let starts = min(vec4u(first_row, first_row + 1u, first_row + 2u, first_row + 3u), vec4u(last)) * params.width4;
    var sums = vec4f(0.0);
    for (var i = lane; i < params.width4; i += WG) {
        let piece = x[i];
        sums += vec4f(
            dot(unpack(weight[starts.x + i]), piece),
            dot(unpack(weight[starts.y + i]), piece),
            dot(unpack(weight[starts.z + i]), piece),
            dot(unpack(weight[starts.w + i]), piece),
        );
    }
    let added = subgroupAdd(sums);
    if subgroup_lane == 0u { partial[subgroup] = added; }
    workgroupBarrier();
    if lane < ROWS && first_row + lane < params.rows {
        var total = 0.0;
        for (var i = 0u; i < num_subgroups; i++) { total += partial[i][lane]; }
        y[params.first + first_row + lane] = total;
    }
}
