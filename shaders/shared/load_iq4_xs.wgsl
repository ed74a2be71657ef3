// iq4_xs: 16 uneven steps, times a six-bit scale less 32, times an f16 for 256. Planes: 4 bits (1 word a group), f16 and
// packed scales (16 groups a word).
//include shared/blocks.wgsl
//include shared/table.wgsl
alias Head = vec2u;
const HAS_OFFSET: bool = false;
// -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113
const CODES: vec4u = vec4u(0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);

fn head(row: u32, groups: u32, run: u32) -> Head {
    let both = words(row, groups + run / 2u);
    return select(both.xy, both.zw, (run & 1u) != 0u);
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let at = g & 7u;
    let low = (head.y >> (4u * at)) & 15u;
    let high = (head.x >> (16u + 2u * at)) & 3u;
    let scale = unpack2x16float(head.x).x * (f32(low | (high << 4u)) - 32.0);
    return Group(nibbles(words(row, g)), vec2f(scale), vec2f(0.0));
}
