// Sizes of a product with the experts of rows.
override WG: u32 = 64u;
override LANES: u32 = 16u;
override GATED: bool = false;
struct Params {
    outputs: u32, width4: u32, groups: u32, row_words: u32,
    expert_rows: u32, first_expert: u32, experts: u32, top_k: u32,
    y_stride: u32, adds: u32, pad0: u32, pad1: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
