// mxfp4: fp4 (E2M1) times a power of two. Planes: 4 bits (1 word a group), the exponents (16 groups a word).
//include shared/blocks.wgsl
//include shared/table.wgsl
alias Head = vec2u;
const HAS_OFFSET: bool = false;
// Twice the values: 0 1 2 3 4 6 8 12 and their negatives.
const CODES: vec4u = vec4u(0x03020100u, 0x0c080604u, 0xfdfeff00u, 0xf4f8fafcu);

fn head(row: u32, groups: u32, run: u32) -> Head {
    let both = words(row, groups + run / 2u);
    return select(both.xy, both.zw, (run & 1u) != 0u);
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let e = (head[(g & 4u) >> 2u] >> (8u * (g & 3u))) & 255u;
    // 2^(e - 128), below 2 not normalised.
    let scale = bitcast<f32>(select(0x00200000u << e, (e - 1u) << 23u, e >= 2u));
    return Group(nibbles(words(row, g)), vec2f(scale), vec2f(0.0));
}
