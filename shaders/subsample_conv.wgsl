// subsample_conv: a 3 x 3 convolution with stride 2 and padding 1 over rows and columns, LayerNorm over the channels, ReLU:
//   c[t, f, o] = sum over dt, df < 3 and i of weight[3 dt + df, i, o] * x[2 t + dt - 1, 2 f + df - 1, i]
//   y = max(0, (c - mean) / sqrt(variance + eps) * norm); 0 in rows whose sample is not known
//   x       [in_ring, in_stride] f32, row p since the beginning at p % in_ring: [in_size, in_channels]       read
//   span    [0] the first token row, [1] rows, [2] samples known                                             read
//   weight  [9, in_channels, out_channels] f32                                                               read
//   norm    [out_channels] f32                                                                               read
//   y       [.., out_stride] f32: [out_size, out_channels] of row p at p % out_ring, or from 0 on if that is 0   write
// Row p of y is known as soon as sample p * row_samples + lead is.
// grid   (rows * rows_of_token, out_size, 1), rows * rows_of_token <= 65535: one workgroup a place
// needs  nothing optional; WG a power of two
//include shared/reduce.wgsl

override WG: u32 = 64u;
struct Params {
    in_ring: u32, in_stride: u32, in_size: u32, in_channels: u32,
    out_ring: u32, out_stride: u32, out_channels: u32, rows_of_token: u32,
    row_samples: u32, lead: u32, eps: f32, pad: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> span: array<u32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> norm: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// The convolution at row t, column f, channel o; what lies outside is 0.
fn convolved(t: u32, f: u32, o: u32) -> f32 {
    var sum = 0.0;
    for (var dt = select(0u, 1u, t == 0u); dt < 3u; dt++) {
        let row = (2u * t + dt - 1u) % params.in_ring * params.in_stride;
        for (var df = select(0u, 1u, f == 0u); df < 3u; df++) {
            let column = 2u * f + df - 1u;
            if column >= params.in_size { continue; }
            let from_x = row + column * params.in_channels;
            let from_weight = (3u * dt + df) * params.in_channels * params.out_channels + o;
            for (var i = 0u; i < params.in_channels; i++) {
                sum += weight[from_weight + i * params.out_channels] * x[from_x + i];
            }
        }
    }
    return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let t = span[0] * params.rows_of_token + group.x;
    var goal = group.x;
    if params.out_ring > 0u { goal = t % params.out_ring; }
    let place = goal * params.out_stride + group.y * params.out_channels;
    let known = t * params.row_samples + params.lead < span[2];
    let count = f32(params.out_channels);
    var sum = 0.0;
    // A lane reads again below only what it has written itself.
    if known {
        for (var o = lane; o < params.out_channels; o += WG) {
            let value = convolved(t, group.y, o);
            y[place + o] = value;
            sum += value;
        }
    }
    let mean = reduce_sum(sum, lane) / count;
    var squares = 0.0;
    if known {
        for (var o = lane; o < params.out_channels; o += WG) {
            let centred = y[place + o] - mean;
            squares += centred * centred;
        }
    }
    let scale = inverseSqrt(reduce_sum(squares, lane) / count + params.eps);
    for (var o = lane; o < params.out_channels; o += WG) {
        if known { y[place + o] = max(0.0, (y[place + o] - mean) * scale * norm[o]); } else { y[place + o] = 0.0; }
    }
}
