// q4_k: q times a scale of six bits, plus an offset of six bits. Planes: 4 bits (1 word a group), the packed scales
// (8 groups a word).
//include shared/blocks.wgsl
//include shared/six_bits.wgsl
alias Head = vec4u;
const HAS_OFFSET: bool = true;

fn head(row: u32, groups: u32, run: u32) -> Head {
    return words(row, groups + run);
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let pair = six_bits(head, g);
    return Group(nibbles(words(row, g)), pair.xx, pair.yy);
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xU8(codes)); }
