// attention_merge: the parts of a split attention into one: sum of exp(g_s - g) a_s / sum of exp(g_s - g) l_s, g = max g_s.
//   partial  [rows, num_heads, splits, 4 + 4 * width4] f32: g_s, l_s, two unused, a_s   read
//   out      [rows, out_stride] f32, heads of head_dim one after another                write
// grid   (rows, num_heads, 1): one workgroup a head
// needs  nothing optional

override WG: u32 = 64u;
struct Merge { num_heads: u32, head_dim: u32, width4: u32, splits: u32, out_stride: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> params: Merge;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let size = 4u + 4u * params.width4;
    let start = (group.x * params.num_heads + group.y) * params.splits * size;
    var greatest = -3.0e38;
    for (var s = 0u; s < params.splits; s++) { greatest = max(greatest, partial[start + s * size]); }
    var sum = 0.0;
    for (var s = 0u; s < params.splits; s++) {
        sum += exp(partial[start + s * size] - greatest) * partial[start + s * size + 1u];
    }
    let place = group.x * params.out_stride + group.y * params.head_dim;
    for (var d = lane; d < params.head_dim; d += WG) {
        var total = 0.0;
        for (var s = 0u; s < params.splits; s++) {
            total += exp(partial[start + s * size] - greatest) * partial[start + s * size + 4u + d];
        }
        out[place + d] = total / sum;
    }
}
