// Words of rows in a storage buffer, one row behind another.
fn row_start(row: u32, row_words: u32) -> u32 { return row * row_words; }

fn words(row: u32, i: u32) -> vec4u { return weight[row + i]; }
