// f32 as it is. One plane: the weights (8 words a group).
alias Code = vec4f;
alias Head = u32;
const HAS_OFFSET: bool = false;

fn head(row: u32, groups: u32, run: u32) -> Head { return 0u; }

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let q = array<Code, 8>(
        four_floats(row, 8u * g), four_floats(row, 8u * g + 1u), four_floats(row, 8u * g + 2u),
        four_floats(row, 8u * g + 3u), four_floats(row, 8u * g + 4u), four_floats(row, 8u * g + 5u),
        four_floats(row, 8u * g + 6u), four_floats(row, 8u * g + 7u),
    );
    return Group(q, vec2f(1.0), vec2f(0.0));
}

fn four_floats(row: u32, i: u32) -> vec4f { return bitcast<vec4f>(words(row, i)); }

fn values(codes: Code) -> vec4f { return codes; }
