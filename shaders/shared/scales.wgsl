// Scales and zero points of integers, planes of their own behind the codes of a row. What differs between checkpoints is
// known when a pipeline is made: bytes of a scale and whether 16 bits are bf16, how many groups share one (their logarithm;
// 31 for the whole row), and whether there are zero points.
override SCALE_BYTES: u32 = 4u;
override SCALE_BF16: bool = false;
override SCALE_SHIFT: u32 = 31u;
override ZERO_POINTS: bool = false;

// The words that hold what a run of eight groups needs.
struct Head { scales: array<vec4u, 2>, zero_points: vec4u }

// `place` is the word behind the codes.
fn scales_of_run(row: u32, place: u32, groups: u32, run: u32) -> Head {
    let first = (8u * run) >> SCALE_SHIFT;
    let word = place + first * SCALE_BYTES / 16u;
    let end = place + ((((groups - 1u) >> SCALE_SHIFT) + 1u) * SCALE_BYTES + 15u) / 16u;
    var head = Head(array<vec4u, 2>(words(row, word), vec4u(0u)), vec4u(0u));
    if SCALE_SHIFT == 0u && SCALE_BYTES == 4u { head.scales[1] = words(row, min(word + 1u, end - 1u)); }
    if ZERO_POINTS { head.zero_points = words(row, end + first / 16u); }
    return head;
}

// Scale and zero point of group g.
fn scale_of(head: Head, g: u32) -> vec2f {
    let s = g >> SCALE_SHIFT;
    var zero_point = 0.0;
    if ZERO_POINTS { zero_point = f32(unpack4xI8(head.zero_points[(s >> 2u) & 3u])[s & 3u]); }
    if SCALE_BYTES == 4u {
        var word = head.scales[0];
        if SCALE_SHIFT == 0u { word = select(head.scales[0], head.scales[1], (s & 4u) != 0u); }
        return vec2f(bitcast<f32>(word[s & 3u]), zero_point);
    }
    let two = head.scales[0][(s >> 1u) & 3u];
    if SCALE_BF16 { return vec2f(bitcast<f32>(select(two << 16u, two & 0xffff0000u, (s & 1u) != 0u)), zero_point); }
    return vec2f(unpack2x16float(two)[s & 1u], zero_point);
}
