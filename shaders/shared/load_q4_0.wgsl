// q4_0: (q - 8) times an f16. Planes: 4 bits (1 word a group), the scales (8 groups a word).
//include shared/blocks.wgsl
alias Head = vec4u;
const HAS_OFFSET: bool = true;

fn head(row: u32, groups: u32, run: u32) -> Head {
    return words(row, groups + run);
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let scale = half_float(head, g & 7u);
    return Group(nibbles(words(row, g)), vec2f(scale), vec2f(-8.0 * scale));
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xU8(codes)); }
