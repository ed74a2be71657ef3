// spectrogram: y = (ln(filters |FFT(window * x)| + floor) - mean) / deviation of each frame, 0 where a frame is not whole.
//   samples  [in_ring, in_stride] f32, row p since the beginning at p % in_ring: samples from p * row_samples on   read
//   span     [0] the first row, [1] rows, [2] samples known                                                        read
//   window   [frame_length] f32                                                                                    read
//   roots    [fft_length] of (|cos|, |sin|) of 2 pi k / fft_length in units of 2^-64, each as (high, low)           read
//   bands    [mels] of (first bin, bins, place of the filter's first weight, 0)                                    read
//   weights  [.., 2 * mels] f32: all filters, then mean and deviation of each band                                 read
//   y        [out_ring, out_stride] f32, mels of frame i at i % out_ring set                                       write
// Frame i covers frame_length samples from i * hop_length - before on; it is whole if the sample behind them is known.
// The transform is one of fft_length / 2 complex numbers (even samples, odd samples) in place, in integers of 64 bits with
// a scale for each frame: in f32 a loud tone would drown bins that the logarithm shows.
// grid   (frames, 1, 1), frames <= 65535: one workgroup a frame
// needs  nothing optional; fft_length even, HALF = fft_length / 2 <= 4 * WG, BINS = HALF + 1
//include shared/wide.wgsl

const WG: u32 = 128u;
override HALF: u32 = 512u;
override BINS: u32 = 513u;
struct Params {
    frame_length: u32, hop_length: u32, before: u32, fft_length: u32,
    row_samples: u32, row_frames: u32, in_ring: u32, in_stride: u32,
    out_ring: u32, out_stride: u32, mels: u32, norms: u32,
    preemphasis_kind: u32, preemphasis: f32, scale: f32, floor: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> samples: array<f32>;
@group(0) @binding(2) var<storage, read> span: array<u32>;
@group(0) @binding(3) var<storage, read> window: array<f32>;
@group(0) @binding(4) var<storage, read> roots: array<vec4u>;
@group(0) @binding(5) var<storage, read> bands: array<vec4u>;
@group(0) @binding(6) var<storage, read> weights: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

// Real part as (high, low), imaginary part as (high, low).
var<workgroup> z: array<vec4u, HALF>;
var<workgroup> magnitudes: array<f32, BINS>;
var<workgroup> greatest: atomic<u32>;

// Sample j of frame i. A row holds the samples behind it that its own frames reach.
fn sample(i: u32, j: u32) -> f32 {
    let place = i * params.hop_length + j;
    if place < params.before { return 0.0; }
    let row = min((place - params.before) / params.row_samples, i / params.row_frames);
    return samples[row % params.in_ring * params.in_stride + place - params.before - row * params.row_samples] * params.scale;
}

fn windowed(i: u32, j: u32) -> f32 {
    if j >= params.frame_length { return 0.0; }
    var value = sample(i, j);
    if params.preemphasis_kind == 1u {
        if j == 0u { value *= 1.0 - params.preemphasis; } else { value -= params.preemphasis * sample(i, j - 1u); }
    } else if params.preemphasis_kind == 2u {
        value = sample(i, j + 1u) - params.preemphasis * value;
    }
    return value * window[j];
}

fn negated(a: vec2u) -> vec2u { return plus(~a, vec2u(0u, 1u)); }

fn negated_if(a: vec2u, condition: bool) -> vec2u { return select(a, negated(a), condition); }

fn is_negative(a: vec2u) -> bool { return (a.x >> 31u) == 1u; }

// a * fraction / 2^64, negated where asked for.
fn part(a: vec2u, fraction: vec2u, negate: bool) -> vec2u {
    let negative = is_negative(a);
    let positive = negated_if(a, negative);
    let product = plus(scaled(positive, fraction.x), vec2u(0u, times(positive.x, fraction.y).x));
    return negated_if(product, negative != negate);
}

// value * power as an integer; |value| * power < 2^31 in units of 2^32
fn fixed(value: f32, power: f32) -> vec2u {
    let whole = abs(value) * power;
    let high = floor(whole);
    return negated_if(vec2u(u32(high), u32((whole - high) * 4294967296.0)), value < 0.0);
}

fn float(a: vec2u) -> f32 {
    let positive = negated_if(a, is_negative(a));
    return f32(positive.x) + f32(positive.y) * 2.3283064365386963e-10;
}

fn sum(a: vec4u, b: vec4u) -> vec4u { return vec4u(plus(a.xy, b.xy), plus(a.zw, b.zw)); }

// v * exp(-2 pi i k / fft_length)
fn turned(v: vec4u, k: u32) -> vec4u {
    let length = params.fft_length;
    if k == 0u { return v; }
    if 4u * k == length { return vec4u(v.zw, negated(v.xy)); }
    if 2u * k == length { return vec4u(negated(v.xy), negated(v.zw)); }
    if 4u * k == 3u * length { return vec4u(negated(v.zw), v.xy); }
    let root = roots[k];
    let left = 4u * k > length && 4u * k < 3u * length;
    let below = 2u * k > length;
    return vec4u(
        plus(part(v.xy, root.xy, left), part(v.zw, root.zw, below)),
        plus(part(v.zw, root.xy, left), part(v.xy, root.zw, !below)),
    );
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let frame = span[0] * params.row_frames + group.x;
    let place = frame % params.out_ring * params.out_stride;
    if frame * params.hop_length + params.frame_length - params.before >= span[2] {
        for (var m = lane; m < params.mels; m += WG) { y[place + m] = 0.0; }
        return;
    }
    let half = params.fft_length / 2u;
    if lane == 0u { atomicStore(&greatest, 0u); }
    workgroupBarrier();
    for (var i = lane; i < half; i += WG) {
        let pair = vec2f(windowed(frame, 2u * i), windowed(frame, 2u * i + 1u));
        // Magnitudes are ordered like their bits.
        let most = max(abs(pair.x), abs(pair.y));
        atomicMax(&greatest, bitcast<u32>(most));
        z[i] = vec4u(bitcast<vec2u>(pair), 0u, 0u);
    }
    workgroupBarrier();
    // The greatest becomes less than 2^49, so that sums of fft_length of them stay within 63 bits.
    let shift = min(143 - i32(atomicLoad(&greatest) >> 23u), 126);
    let power = bitcast<f32>(u32(shift + 127) << 23u);
    for (var i = lane; i < half; i += WG) {
        let pair = bitcast<vec2f>(z[i].xy);
        z[i] = vec4u(fixed(pair.x, power), fixed(pair.y, power));
    }
    // Passes of Stockham's algorithm, one for each prime factor: `done` is the length of the transforms so far.
    var done = 1u;
    while done < half {
        var radix = 2u;
        while half / done % radix != 0u { radix += 1u; }
        let length = done * radix;
        workgroupBarrier();
        var results: array<vec4u, 4>;
        for (var n = 0u; n < 4u; n++) {
            let o = lane + n * WG;
            if o >= half { break; }
            let from_z = o / length * done + o % done;
            let turn = o % length;
            var result = z[from_z];
            for (var q = 1u; q < radix; q++) {
                let k = q * turn % length * (params.fft_length / length);
                result = sum(result, turned(z[from_z + q * (half / radix)], k));
            }
            results[n] = result;
        }
        workgroupBarrier();
        for (var n = 0u; n < 4u; n++) {
            let o = lane + n * WG;
            if o >= half { break; }
            z[o] = results[n];
        }
        done = length;
    }
    workgroupBarrier();
    // The two halves apart again: 2 X[k] = (Z[k] + conj Z[-k]) - i exp(-2 pi i k / fft_length) (Z[k] - conj Z[-k]).
    let unit = 0.5 * bitcast<f32>(u32(127 - shift) << 23u);
    for (var k = lane; k <= half; k += WG) {
        let a = z[k % half];
        let b = z[(half - k) % half];
        let evens = vec4u(plus(a.xy, b.xy), minus(a.zw, b.zw));
        let odds = vec4u(plus(a.zw, b.zw), minus(b.xy, a.xy));
        let x = sum(evens, turned(odds, k));
        let pair = vec2f(float(x.xy), float(x.zw));
        magnitudes[k] = sqrt(dot(pair, pair)) * unit;
    }
    workgroupBarrier();
    for (var m = lane; m < params.mels; m += WG) {
        let band = bands[m];
        var mel = 0.0;
        for (var n = 0u; n < band.y; n++) { mel += weights[band.z + n] * magnitudes[band.x + n]; }
        let mean = weights[params.norms + m];
        y[place + m] = (log(mel + params.floor) - mean) / weights[params.norms + params.mels + m];
    }
}
