// iq4_nl: 16 uneven steps, times an f16. Planes: 4 bits (1 word a group), the scales (8 groups a word).
//include shared/blocks.wgsl
//include shared/table.wgsl
alias Head = vec4u;
const HAS_OFFSET: bool = false;
// -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113
const CODES: vec4u = vec4u(0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);

fn head(row: u32, groups: u32, run: u32) -> Head {
    return words(row, groups + run);
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    return Group(nibbles(words(row, g)), vec2f(half_float(head, g & 7u)), vec2f(0.0));
}
