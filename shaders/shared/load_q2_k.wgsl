// q2_k: q times four bits, less four bits, for 16 weights; both times an f16 for 256. Planes: 2 bits (2 groups a word),
// the bytes of both (8 groups a word), the two f16 (32 groups a word).
//include shared/blocks.wgsl
struct Head { scales: vec4u, d: vec2f }
const HAS_OFFSET: bool = true;

fn head(row: u32, groups: u32, run: u32) -> Head {
    let place = groups / 2u;
    let d = words(row, place + groups / 8u + run / 4u);
    return Head(words(row, place + run), unpack2x16float(d[run & 3u]));
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let both = words(row, g / 2u);
    let odd = (g & 1u) != 0u;
    let low = select(both.xy, both.zw, odd);
    let q = array<Code, 8>(
        pair_of_bits(low, 0u), pair_of_bits(low, 1u), pair_of_bits(low, 2u), pair_of_bits(low, 3u),
        pair_of_bits(low, 4u), pair_of_bits(low, 5u), pair_of_bits(low, 6u), pair_of_bits(low, 7u),
    );
    let four = unpack4xU8(head.scales[(g & 7u) >> 1u]);
    let two = select(four.xy, four.zw, odd);
    return Group(q, head.d.x * vec2f(two & vec2u(15u)), -head.d.y * vec2f(two >> vec2u(4u)));
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xU8(codes)); }
