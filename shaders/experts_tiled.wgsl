// experts_tiled: what experts make of eight of their rows at a time; of a block that holds whole experts, those that are in it.
// GATED: y[slot, n] = gelu_tanh(w[n] . x[slot / top_k]) * (w[outputs + n] . x[slot / top_k]), w the matrix of the tile's expert;
// else   y[slot, n] = shares[slot] * (w[n] . x[slot]).
//   weight  [experts * expert_rows, width4] of four packed values, zero behind the width            read
//   x       [rows, width4] of vec4f if GATED, else [rows * top_k, width4]                           read
//   tiles   [tiles, 9] u32: an expert and eight slots, or none                                      read
//   shares  [rows * top_k] f32; not looked at if GATED                                              read
//   y       [rows * top_k, y_stride] f32, outputs of them set                                       write
// grid   (ceil(n / (WG / LANES)), tiles, 1), n half the outputs if GATED, else a quarter: LANES lanes for four rows of weights
// needs  nothing optional; LANES a power of two that divides WG
//include shared/gelu.wgsl
//include shared/of_experts.wgsl
//include shared/tiled.wgsl
//each load_f32 load_f16 load_bf16 load_f16_native

@group(0) @binding(1) var<storage, read> weight: array<Packed>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> tiles: array<u32>;
@group(0) @binding(4) var<storage, read> shares: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

fn products(weights: vec4u, rows: array<u32, 8>, lane: u32) -> array<vec4f, 8> {
    let starts = weights * params.width4;
    var sums: array<vec4f, 8>;
    for (var i = lane % LANES; i < params.width4; i += LANES) {
        let four = mat4x4f(
            unpack(weight[starts.x + i]), unpack(weight[starts.y + i]),
            unpack(weight[starts.z + i]), unpack(weight[starts.w + i]),
        );
        for (var r = 0u; r < 8u; r++) { sums[r] += x[rows[r] + i] * four; }
    }
    return sums;
}
