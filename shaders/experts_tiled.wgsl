// experts_tiled: what experts make of eight of their rows at a time; of a block that holds whole experts, those that are in it.
// GATED: y[slot, n] = gelu_tanh(w[n] . x[slot / top_k]) * (w[outputs + n] . x[slot / top_k]), w the matrix of the tile's expert;
// else   y[slot, n] = shares[slot] * (w[n] . x[slot]).
//   weight  [experts * expert_rows, width4] of four packed values, zero behind the width            read
//   x       [rows, width4] of vec4f if GATED, else [rows * top_k, width4]                           read
//   tiles   [tiles, 9] u32: an expert and eight slots, or none                                      read
//   shares  [rows * top_k] f32; not looked at if GATED                                              read
//   y       [rows * top_k, y_stride] f32, outputs of them set                                       write
// grid   (ceil(outputs / (WG / LANES)), tiles, 1), half as many along the first axis if not GATED: LANES lanes an output
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

fn products(row: u32, other: u32, rows: array<u32, 8>, part: u32) -> array<vec2f, 8> {
    var sums: array<vec2f, 8>;
    for (var i = part; i < params.width4; i += LANES) {
        let v = unpack(weight[row * params.width4 + i]);
        let w = unpack(weight[other * params.width4 + i]);
        for (var r = 0u; r < 8u; r++) {
            let four = x[rows[r] + i];
            sums[r] += vec2f(dot(v, four), dot(w, four));
        }
    }
    return sums;
}
