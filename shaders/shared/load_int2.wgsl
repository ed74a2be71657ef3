// int2: (q - 2 - zero point) times a scale. Planes: 2 bits (2 groups a word), the scales, the zero points.
//include shared/blocks.wgsl
//include shared/scales.wgsl
const HAS_OFFSET: bool = true;

fn head(row: u32, groups: u32, run: u32) -> Head { return scales_of_run(row, (groups + 1u) / 2u, groups, run); }

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let both = words(row, g / 2u);
    let low = select(both.xy, both.zw, (g & 1u) != 0u);
    let q = array<Code, 8>(
        pair_of_bits(low, 0u), pair_of_bits(low, 1u), pair_of_bits(low, 2u), pair_of_bits(low, 3u),
        pair_of_bits(low, 4u), pair_of_bits(low, 5u), pair_of_bits(low, 6u), pair_of_bits(low, 7u),
    );
    let scale = scale_of(head, g);
    return Group(q, scale.xx, vec2f(-(scale.y + 2.0) * scale.x));
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xU8(codes)); }
