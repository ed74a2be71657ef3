// matvec: y[first + n] = sum over k of weight[n, k] * x[k]; one block of rows of the matrix, one vector.
//   weight  [rows, width4] of four packed values, zero behind the width   read
//   x       [width4] of vec4f, zero behind the width                      read
//   y       [first + rows] f32                                            write
// grid   (gx, gy, 1), gx * gy * WG / LANES >= rows: LANES lanes a row
// needs  nothing optional; WG and LANES powers of two, LANES <= WG
//each load_f32 load_f16 load_bf16 load_f16_native

override WG: u32 = 64u;
override LANES: u32 = 16u;
struct Params { rows: u32, width4: u32, first: u32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<Packed>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = (group.y * groups.x + group.x) * (WG / LANES) + lane / LANES;
    let part = lane % LANES;
    var sums = vec4f(0.0);
    if row < params.rows {
        let start = row * params.width4;
        for (var i = part; i < params.width4; i += LANES) { sums += unpack(weight[start + i]) * x[i]; }
    }
    var total = sums.x + sums.y + sums.z + sums.w;
    if LANES > 1u {
        partial[lane] = total;
        workgroupBarrier();
        for (var half = LANES / 2u; half > 0u; half /= 2u) {
            if part < half { partial[lane] += partial[lane + half]; }
            workgroupBarrier();
        }
        total = partial[lane];
    }
    if part == 0u && row < params.rows { y[params.first + row] = total; }
}
