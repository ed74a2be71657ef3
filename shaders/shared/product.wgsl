// The share of a lane, of LANES, in the product of the row of groups that begins at `start` with the values that begin at
// `first`; `x_at(i)` of a kernel reads four values.
fn product(start: u32, first: u32, part: u32) -> f32 {
    var sum = 0.0;
    for (var g = part; g < params.groups; g += LANES) {
        let w = group(start, params.groups, g, head(start, params.groups, g / 8u));
        let from_x = first + 8u * g;
        var halves = vec2f(0.0);
        var sums = vec2f(0.0);
        for (var c = 0u; c < 4u; c++) {
            let low = x_at(from_x + c);
            let high = x_at(from_x + c + 4u);
            halves.x = mad(values(w.codes[c]), low, halves.x);
            halves.y = mad(values(w.codes[c + 4u]), high, halves.y);
            if HAS_OFFSET { sums += vec2f(dot(low, vec4f(1.0)), dot(high, vec4f(1.0))); }
        }
        sum += dot(w.scale, halves);
        if HAS_OFFSET { sum += dot(w.offset, sums); }
    }
    return sum;
}
