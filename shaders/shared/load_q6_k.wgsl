// q6_k: (q - 32) times a signed byte for 16 weights, times an f16 for 256. Planes: 4 bits (1 word a group), 2 more bits
// (2 groups a word), the bytes (8 groups a word), the f16 (64 groups a word).
//include shared/blocks.wgsl
struct Head { scales: vec4u, d: f32 }
const HAS_OFFSET: bool = true;

fn head(row: u32, groups: u32, run: u32) -> Head {
    let place = groups + groups / 2u;
    let d = words(row, place + groups / 8u + run / 8u);
    return Head(words(row, place + run), half_float(d, run & 7u));
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let w = words(row, g);
    let both = words(row, groups + g / 2u);
    let more = select(both.xy, both.zw, (g & 1u) != 0u);
    let low = w & vec4u(0x0f0f0f0fu);
    let high = (w >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
    let q = array<Code, 8>(
        low.x | (pair_of_bits(more, 0u) << 4u), low.y | (pair_of_bits(more, 1u) << 4u),
        low.z | (pair_of_bits(more, 2u) << 4u), low.w | (pair_of_bits(more, 3u) << 4u),
        high.x | (pair_of_bits(more, 4u) << 4u), high.y | (pair_of_bits(more, 5u) << 4u),
        high.z | (pair_of_bits(more, 6u) << 4u), high.w | (pair_of_bits(more, 7u) << 4u),
    );
    let four = unpack4xI8(head.scales[(g & 7u) >> 1u]);
    let scale = head.d * vec2f(select(four.xy, four.zw, (g & 1u) != 0u));
    return Group(q, scale, -32.0 * scale);
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xU8(codes)); }
