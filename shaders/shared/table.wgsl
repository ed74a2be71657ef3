// Values of four codes out of a table of 16 signed bytes, `CODES`.
fn values(codes: u32) -> vec4f {
    let place = unpack4xU8(codes);
    let quarter = place >> vec4u(2u);
    let word = vec4u(quarter_of(quarter.x), quarter_of(quarter.y), quarter_of(quarter.z), quarter_of(quarter.w));
    return vec4f(vec4i(word << (vec4u(24u) - 8u * (place & vec4u(3u)))) >> vec4u(24u));
}

// Chosen by comparison: a table in memory would be read lane by lane.
fn quarter_of(quarter: u32) -> u32 {
    let low = select(CODES.x, CODES.y, quarter == 1u);
    let high = select(CODES.z, CODES.w, quarter == 3u);
    return select(low, high, quarter >= 2u);
}
