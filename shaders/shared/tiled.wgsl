// What experts make of tiles of eight rows: `products(row, other row, begins of rows of x, part)` of a kernel are the shares of
// a lane in products of two rows of the block, of which LANES make the whole; bindings are the kernel's.
const NONE: u32 = 0xffffffffu;
override PARTS: u32 = WG * 8u;
var<workgroup> places: array<vec2f, PARTS>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group_id: vec3u, @builtin(local_invocation_index) lane: u32) {
    // With a gate a lane computes a row of it and one of the other branch, else rows of both halves of the outputs.
    let half_rows = select((params.outputs + 1u) / 2u, params.outputs, GATED);
    let n = group_id.x * (WG / LANES) + lane / LANES;
    let part = lane % LANES;
    // Outputs beyond the last repeat it and are not written, so that all lanes meet the barriers.
    let output = min(n, half_rows - 1u);
    let tile = group_id.y * 9u;
    // Experts before the block, and none, become large numbers.
    let expert = tiles[tile] - params.first_expert;
    var sums: array<vec2f, 8>;
    if expert < params.experts {
        var rows: array<u32, 8>;
        for (var r = 0u; r < 8u; r++) {
            let slot = tiles[tile + 1u + r];
            rows[r] = select(select(slot, slot / params.top_k, GATED) * params.width4, 0u, slot == NONE);
        }
        let first = expert * params.expert_rows;
        let other = min(output + half_rows, params.expert_rows - 1u);
        sums = products(first + output, first + other, rows, part);
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
    if part > 0u || n >= half_rows || expert >= params.experts { return; }
    for (var r = 0u; r < 8u; r++) {
        let slot = tiles[tile + 1u + r];
        if slot == NONE { break; }
        let place = slot * params.y_stride + n;
        if GATED {
            y[place] = gelu_tanh(sums[r].x) * sums[r].y;
        } else {
            y[place] = shares[slot] * sums[r].x;
            if n + half_rows < params.outputs { y[place + half_rows] = shares[slot] * sums[r].y; }
        }
    }
}
