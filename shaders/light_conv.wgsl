// light_conv: c[r] = sum over k < kernel_size of taps[k] * g[r - (kernel_size - 1) + k], channel by channel, rows before the
// first 0; then y = clamp(silu(rms_norm(clamp(c, -limit, limit)) * weight), low, high).
//   g       [ring, stride] f32, row p since the beginning at p % ring   read
//   span    [0] the place of row 0 since the beginning                  read
//   taps    [kernel_size, hidden_size] f32                              read
//   weight  [hidden_size] f32                                           read
//   y       [rows, stride] f32, hidden_size of each row set             write; never the buffer of g
// grid   (rows, 1, 1), rows <= 65535: one workgroup a row
// needs  nothing optional; WG a power of two; rows + kernel_size - 1 <= ring
//include shared/reduce.wgsl

override WG: u32 = 128u;
struct Params {
    hidden_size: u32, stride: u32, ring: u32, kernel_size: u32,
    eps: f32, limit: f32, low: f32, high: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> span: array<u32>;
@group(0) @binding(3) var<storage, read> taps: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = span[0] + group.x;
    let row = group.x * params.stride;
    let last = params.kernel_size - 1u;
    // Taps that meet rows before the first one are left out.
    let first = last - min(last, place);
    var squares = 0.0;
    // A lane reads again below only what it has written itself.
    for (var i = lane; i < params.hidden_size; i += WG) {
        var sum = 0.0;
        for (var k = first; k <= last; k++) {
            sum += taps[k * params.hidden_size + i] * g[(place + k - last) % params.ring * params.stride + i];
        }
        sum = min(max(sum, -params.limit), params.limit);
        y[row + i] = sum;
        squares += sum * sum;
    }
    let scale = inverseSqrt(reduce_sum(squares, lane) / f32(params.hidden_size) + params.eps);
    for (var i = lane; i < params.hidden_size; i += WG) {
        let v = y[row + i] * scale * weight[i];
        // The exponent is cut where the quotient has long been 0, so that no infinity is met.
        y[row + i] = min(max(v / (1.0 + exp(min(-v, 80.0))), params.low), params.high);
    }
}
