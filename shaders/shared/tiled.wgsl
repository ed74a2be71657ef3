// What experts make of tiles of eight rows: `products(four rows of the block, begins of eight rows of x, lane)` of a kernel are
// the shares of a lane in their products, of which LANES make the whole; bindings are the kernel's.
const NONE: u32 = 0xffffffffu;
override PARTS: u32 = WG * 8u;
var<workgroup> places: array<vec4f, PARTS>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group_id: vec3u, @builtin(local_invocation_index) lane: u32) {
    // A lane computes outputs of four quarters, or with a gate of two halves for both branches.
    let apart = select((params.outputs + 3u) / 4u, (params.outputs + 1u) / 2u, GATED);
    let n = group_id.x * (WG / LANES) + lane / LANES;
    let part = lane % LANES;
    // Outputs beyond the last repeat it and are not written, so that all lanes meet the barriers.
    let output = min(n, apart - 1u);
    let tile = group_id.y * 9u;
    // Experts before the block, and none, become large numbers.
    let expert = tiles[tile] - params.first_expert;
    var sums: array<vec4f, 8>;
    if expert < params.experts {
        var rows: array<u32, 8>;
        for (var r = 0u; r < 8u; r++) {
            let slot = tiles[tile + 1u + r];
            rows[r] = select(select(slot, slot / params.top_k, GATED) * params.width4, 0u, slot == NONE);
        }
        let last = vec4u(params.outputs - 1u);
        var outputs = min(vec4u(output) + vec4u(0u, apart, 2u * apart, 3u * apart), last);
        if GATED { outputs = outputs.xxyy + vec4u(0u, params.outputs, 0u, params.outputs); }
        sums = products(vec4u(expert * params.expert_rows) + outputs, rows, lane);
    }
    if LANES > 1u {
        for (var r = 0u; r < 8u; r++) { places[r * WG + lane] = sums[r]; }
        for (var half = LANES / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if part < half {
                for (var r = 0u; r < 8u; r++) { places[r * WG + lane] += places[r * WG + lane + half]; }
            }
        }
        for (var r = 0u; r < 8u; r++) { sums[r] = places[r * WG + lane]; }
    }
    if part > 0u || n >= apart || expert >= params.experts { return; }
    for (var r = 0u; r < 8u; r++) {
        let slot = tiles[tile + 1u + r];
        if slot == NONE { break; }
        let place = slot * params.y_stride + n;
        if GATED {
            y[place] = gelu_tanh(sums[r].x) * sums[r].y;
            if n + apart < params.outputs { y[place + apart] = gelu_tanh(sums[r].z) * sums[r].w; }
        } else {
            for (var i = 0u; i < 4u; i++) {
                if n + i * apart < params.outputs { y[place + i * apart] = shares[slot] * sums[r][i]; }
            }
        }
    }
}
