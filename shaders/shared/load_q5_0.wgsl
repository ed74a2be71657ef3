// q5_0: (q - 16) times an f16. Planes: 4 bits (1 word a group), fifth bits (4 groups a word), the scales (8 groups a word).
//include shared/blocks.wgsl
struct Head { fifths: array<vec4u, 2>, scales: vec4u }
const HAS_OFFSET: bool = true;

fn head(row: u32, groups: u32, run: u32) -> Head {
    let place = groups;
    return Head(
        array<vec4u, 2>(words(row, place + 2u * run), words(row, place + 2u * run + 1u)), words(row, place + (groups + 3u) / 4u + run));
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let fifth = select(head.fifths[0], head.fifths[1], (g & 4u) != 0u)[g & 3u];
    let scale = half_float(head.scales, g & 7u);
    return Group(nibbles_and_bit(words(row, g), fifth), vec2f(scale), vec2f(-16.0 * scale));
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xU8(codes)); }
