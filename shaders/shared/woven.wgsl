// Words of rows in a texture of lines of 8192, eight rows woven into one another, so that eight lanes with a row each read
// neighbouring words.

fn row_start(row: u32, row_words: u32) -> u32 {
    return (row & ~7u) * row_words + (row & 7u);
}

fn words(row: u32, i: u32) -> vec4u {
    let place = row + 8u * i;
    return textureLoad(weight, vec2u(place & 8191u, place >> 13u));
}
