// Eight vectors of a row of x from column `at` on, each read where it is needed.
struct Eight { row: u32, at: u32 }

fn eight(row: u32, at: u32, lane: u32) -> Eight { return Eight(row, at); }
fn x0(e: Eight) -> vec4f { return x_at(e.row, e.at + 0u); }
fn x1(e: Eight) -> vec4f { return x_at(e.row, e.at + 1u); }
fn x2(e: Eight) -> vec4f { return x_at(e.row, e.at + 2u); }
fn x3(e: Eight) -> vec4f { return x_at(e.row, e.at + 3u); }
fn x4(e: Eight) -> vec4f { return x_at(e.row, e.at + 4u); }
fn x5(e: Eight) -> vec4f { return x_at(e.row, e.at + 5u); }
fn x6(e: Eight) -> vec4f { return x_at(e.row, e.at + 6u); }
fn x7(e: Eight) -> vec4f { return x_at(e.row, e.at + 7u); }

// What one lane needs; the others go their own way.
fn any_lane(own: bool) -> bool { return own; }
