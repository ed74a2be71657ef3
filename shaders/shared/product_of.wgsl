// The product of a row of the block with a row of x, for `chosen`.
fn x_at(i: u32) -> vec4f { return x[i]; }

fn product_of(row: u32, x_row: u32, part: u32) -> f32 {
    return product(row_start(row, params.row_words), x_row * params.width4, part);
}
