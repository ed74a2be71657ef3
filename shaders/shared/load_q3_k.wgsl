// q3_k: (q - 4) times a six-bit scale less 32 for 16 weights, times an f16 for 256. Planes: 2 bits (2 groups a word),
// third bits (4 groups a word), the packed scales and the f16 (8 groups a word).
//include shared/blocks.wgsl
alias Head = vec4u;
const HAS_OFFSET: bool = true;

fn head(row: u32, groups: u32, run: u32) -> Head {
    return words(row, groups / 2u + groups / 4u + run);
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let both = words(row, g / 2u);
    let low = select(both.xy, both.zw, (g & 1u) != 0u);
    let third = words(row, groups / 2u + g / 4u)[g & 3u];
    let q = array<Code, 8>(
        pair_of_bits(low, 0u) | (spread(third) >> 2u), pair_of_bits(low, 1u) | (spread(third >> 4u) >> 2u),
        pair_of_bits(low, 2u) | (spread(third >> 8u) >> 2u), pair_of_bits(low, 3u) | (spread(third >> 12u) >> 2u),
        pair_of_bits(low, 4u) | (spread(third >> 16u) >> 2u), pair_of_bits(low, 5u) | (spread(third >> 20u) >> 2u),
        pair_of_bits(low, 6u) | (spread(third >> 24u) >> 2u), pair_of_bits(low, 7u) | (spread(third >> 28u) >> 2u),
    );
    // Scale s of 16: four bits in half of byte s % 8, two more in byte 8 + s % 4.
    let s = vec2u(2u, 2u) * (g & 7u) + vec2u(0u, 1u);
    let in_word = 8u * (s & vec2u(3u));
    let four = vec2u(head[(s.x >> 2u) & 1u], head[(s.y >> 2u) & 1u]) >> (in_word + 4u * (s >> vec2u(3u)));
    let two = vec2u(head.z) >> (in_word + 2u * (s >> vec2u(2u)));
    let scale = unpack2x16float(head.w).x * (vec2f((four & vec2u(15u)) | ((two & vec2u(3u)) << vec2u(4u))) - 32.0);
    return Group(q, scale, -4.0 * scale);
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xU8(codes)); }
