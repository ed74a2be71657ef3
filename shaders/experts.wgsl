// experts: what the chosen experts make of a row; of a block that holds whole experts, those that are in it.
// GATED: y[r, j, n] = gelu_tanh(w[n] . x[r]) * (w[outputs + n] . x[r]), w the matrix of expert ids[r, j];
// else   y[r, n] = sum over j of shares[r, j] * (w[n] . x[r, j]), with adds on top of what y was.
//   weight  [experts * expert_rows, width4] of four packed values, zero behind the width            read
//   x       [rows, width4] of vec4f if GATED, else [rows * top_k, width4]                           read
//   ids     [rows, top_k] u32                                                                       read
//   shares  [rows, top_k] f32; not looked at if GATED                                               read
//   y       [rows * top_k, y_stride] f32 if GATED, else [rows, y_stride], outputs of them set       write
// grid   (ceil(outputs / (WG / LANES)), rows, top_k if GATED, else 1): LANES lanes an output
// needs  nothing optional; LANES a power of two that divides WG
//include shared/gelu.wgsl
//include shared/of_experts.wgsl
//include shared/chosen.wgsl
//each load_f32 load_f16 load_bf16 load_f16_native

@group(0) @binding(1) var<storage, read> weight: array<Packed>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> ids: array<u32>;
@group(0) @binding(4) var<storage, read> shares: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

fn product_of(row: u32, x_row: u32, part: u32) -> f32 {
    let start = row * params.width4;
    let from_x = x_row * params.width4;
    var sums = vec4f(0.0);
    for (var i = part; i < params.width4; i += LANES) { sums += unpack(weight[start + i]) * x[from_x + i]; }
    return sums.x + sums.y + sums.z + sums.w;
}
