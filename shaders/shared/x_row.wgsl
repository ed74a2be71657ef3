// Vector `at` of the row of x that begins at `row`, for `eight`; behind the end of a ragged row lies another one.
fn x_at(row: u32, at: u32) -> vec4f {
    if RAGGED && at >= params.width4 { return vec4f(0.0); }
    return x[row + at];
}
