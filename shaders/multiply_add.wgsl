// multiply_add: y[i] = sum over 32 numbers v of v after `rounds` times v = v * factor + addend: how fast f32 is computed.
// The numbers of lane i are (i % 64) / 64 + n / 32 before, for n = 0 .. 31.
//   y  [groups * 64] f32   write
// grid   (groups, 1, 1)
// needs  nothing optional

struct Params { rounds: u32, factor: f32, addend: f32, pad: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = vec4f(f32(lane) / 64.0) + vec4f(0.0, 1.0, 2.0, 3.0) / 32.0;
    let factor = vec4f(params.factor);
    let addend = vec4f(params.addend);
    // Eight chains of four, so that no result is waited for.
    var a = first;
    var b = first + vec4f(4.0 / 32.0);
    var c = first + vec4f(8.0 / 32.0);
    var d = first + vec4f(12.0 / 32.0);
    var e = first + vec4f(16.0 / 32.0);
    var f = first + vec4f(20.0 / 32.0);
    var g = first + vec4f(24.0 / 32.0);
    var h = first + vec4f(28.0 / 32.0);
    for (var round = 0u; round < params.rounds; round++) {
        a = a * factor + addend;
        b = b * factor + addend;
        c = c * factor + addend;
        d = d * factor + addend;
        e = e * factor + addend;
        f = f * factor + addend;
        g = g * factor + addend;
        h = h * factor + addend;
    }
    let sums = ((a + b) + (c + d)) + ((e + f) + (g + h));
    y[id.x] = (sums.x + sums.y) + (sums.z + sums.w);
}
