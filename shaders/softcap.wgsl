// softcap: x = cap * tanh(x / cap).
//   x  [len] f32   read and write
// grid   (ceil(len / (WG * EACH)), 1, 1)
// needs  nothing optional

override WG: u32 = 128u;
override EACH: u32 = 4u;
struct Params { len: u32, cap: f32, pad0: u32, pad1: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;

// Of our own: adapters may take tanh to 11 bits. By exp away from 0, where 1 - 2 / (1 + exp(2v)) has lost nothing, by its
// series (Abramowitz & Stegun 4.5.64) near it.
fn exact_tanh(v: f32) -> f32 {
    let a = abs(v);
    let square = a * a;
    let near = a * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 - square * (17.0 / 315.0))));
    let far = 1.0 - 2.0 / (1.0 + exp(min(2.0 * a, 40.0)));
    return sign(v) * select(far, near, a < 0.2);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * WG * EACH;
    let end = min(first + WG * EACH, params.len);
    for (var i = first + lane; i < end; i += WG) {
        let v = x[i];
        // A NaN stays one: the sampler is to see that something went wrong.
        let is_nan = (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
        if !is_nan { x[i] = params.cap * exact_tanh(v / params.cap); }
    }
}
