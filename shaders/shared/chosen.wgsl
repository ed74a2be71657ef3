// What a row's chosen experts make of it: `product_of(row of the block, row of x, part)` of a kernel is the share of a lane in
// a product, of which LANES make the whole; bindings weight, x, ids, shares and y are the kernel's.
var<workgroup> places: array<vec2f, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group_id: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group_id.x * (WG / LANES) + lane / LANES;
    let part = lane % LANES;
    // Outputs beyond the last repeat it and are not written, so that all lanes meet the barriers.
    let output = min(n, params.outputs - 1u);
    // Experts before the block wrap around to large numbers.
    let slot = group_id.y * params.top_k + group_id.z;
    let expert = ids[slot] - params.first_expert;
    var sums = vec2f(0.0);
    if GATED {
        if expert < params.experts {
            let row = expert * params.expert_rows + output;
            sums = vec2f(product_of(row, group_id.y, part), product_of(row + params.outputs, group_id.y, part));
        }
    } else {
        for (var at = slot; at < slot + params.top_k; at++) {
            let other = ids[at] - params.first_expert;
            if other < params.experts {
                sums.x += shares[at] * product_of(other * params.expert_rows + output, at, part);
            }
        }
    }
    if LANES > 1u {
        places[lane] = sums;
        for (var half = LANES / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if part < half { places[lane] += places[lane + half]; }
        }
        sums = places[lane];
    }
    if part > 0u || n >= params.outputs { return; }
    if GATED {
        if expert < params.experts { y[slot * params.y_stride + n] = gelu_tanh(sums.x) * sums.y; }
    } else {
        let place = group_id.y * params.y_stride + n;
        if params.adds == 1u { sums.x += y[place]; }
        y[place] = sums.x;
    }
}
