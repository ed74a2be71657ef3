// subsample_conv: a 3 x 3 convolution with stride 2 and padding 1 over rows and columns, LayerNorm over the channels, ReLU:
//   c[t, f, o] = sum over dt, df < 3 and i of weight[3 dt + df, i, o] * x[2 t + dt - 1, 2 f + df - 1, i]
//   then y = max(0, (c - mean) / sqrt(variance + eps) * norm); 0 in rows whose sample is not known
//   x       [in_ring, in_stride] f32, row p since the beginning at p % in_ring: [in_size, in_channels]       read
//   span    [0] the first token row, [1] rows, [2] samples known                                             read
//   weight  [9, in_channels, out_channels / 4 rounded up] of vec4f, zero behind the channels                read
//   norm    [out_channels] f32                                                                               read
//   y       [.., out_stride] f32: [out_size, out_channels] of row p at p % out_ring, or from 0 on if that is 0   write
// Row p of y is known as soon as sample p * row_samples + lead is.
// grid   (rows * rows_of_token, ceil(out_size / 4), 1), rows * rows_of_token <= 65535: a workgroup computes 4 columns of
//        a row, a lane 4 channels of them
// needs  nothing optional

override WG: u32 = 32u;
struct Params {
    in_ring: u32, in_stride: u32, in_size: u32, in_channels: u32,
    out_ring: u32, out_stride: u32, out_channels: u32, rows_of_token: u32,
    row_samples: u32, lead: u32, eps: f32, out_size: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> span: array<u32>;
@group(0) @binding(3) var<storage, read> weight: array<vec4f>;
@group(0) @binding(4) var<storage, read> norm: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

var<workgroup> parts: array<vec4f, WG>;

fn total(value: vec4f, lane: u32) -> vec4f {
    parts[lane] = value;
    workgroupBarrier();
    var sum = vec4f(0.0);
    for (var i = 0u; i < WG; i++) { sum += parts[i]; }
    workgroupBarrier();
    return sum;
}

// The convolution at row t, columns f to f + 3, channels 4 o to 4 o + 3: a column of the result for each. What lies outside
// is 0.
fn convolved(t: u32, f: u32, o: u32) -> mat4x4f {
    let quads = (params.out_channels + 3u) / 4u;
    var sums = mat4x4f();
    for (var dt = select(0u, 1u, t == 0u); dt < 3u; dt++) {
        let row = (2u * t + dt - 1u) % params.in_ring * params.in_stride;
        for (var df = 0u; df < 3u; df++) {
            // One more than the column, so that the one before the first is 0.
            let behind = 2u * (f + vec4u(0u, 1u, 2u, 3u)) + df;
            let inside = behind > vec4u(0u) & behind <= vec4u(params.in_size);
            let from_x = row + (clamp(behind, vec4u(1u), vec4u(params.in_size)) - 1u) * params.in_channels;
            let from_weight = (3u * dt + df) * params.in_channels * quads + o;
            for (var i = 0u; i < params.in_channels; i++) {
                let w = weight[from_weight + i * quads];
                let four = vec4f(x[from_x.x + i], x[from_x.y + i], x[from_x.z + i], x[from_x.w + i]);
                let values = select(vec4f(0.0), four, inside);
                sums[0] += w * values.x;
                sums[1] += w * values.y;
                sums[2] += w * values.z;
                sums[3] += w * values.w;
            }
        }
    }
    return sums;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let t = span[0] * params.rows_of_token + group.x;
    var goal = group.x;
    if params.out_ring > 0u { goal = t % params.out_ring; }
    let f = 4u * group.y;
    let columns = min(4u, params.out_size - f);
    let place = goal * params.out_stride + f * params.out_channels;
    let known = t * params.row_samples + params.lead < span[2];
    let count = f32(params.out_channels);
    var sum = vec4f(0.0);
    // A lane reads again below only what it has written itself.
    if known {
        for (var o = lane; 4u * o < params.out_channels; o += WG) {
            let sums = convolved(t, f, o);
            let end = min(4u * o + 4u, params.out_channels);
            for (var j = 0u; j < columns; j++) {
                for (var c = 4u * o; c < end; c++) {
                    y[place + j * params.out_channels + c] = sums[j][c - 4u * o];
                    sum[j] += sums[j][c - 4u * o];
                }
            }
        }
    }
    let mean = total(sum, lane) / count;
    var squares = vec4f(0.0);
    if known {
        for (var o = lane; 4u * o < params.out_channels; o += WG) {
            let end = min(4u * o + 4u, params.out_channels);
            for (var j = 0u; j < columns; j++) {
                for (var c = 4u * o; c < end; c++) {
                    let centred = y[place + j * params.out_channels + c] - mean[j];
                    squares[j] += centred * centred;
                }
            }
        }
    }
    let scale = inverseSqrt(total(squares, lane) / count + params.eps);
    for (var o = lane; 4u * o < params.out_channels; o += WG) {
        let end = min(4u * o + 4u, params.out_channels);
        for (var j = 0u; j < columns; j++) {
            for (var c = 4u * o; c < end; c++) {
                let at = place + j * params.out_channels + c;
                if known { y[at] = max(0.0, (y[at] - mean[j]) * scale[j] * norm[c]); } else { y[at] = 0.0; }
            }
        }
    }
}
