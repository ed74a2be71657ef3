// q5_1: q times an f16, plus an f16. Planes: 4 bits (1 word a group), fifth bits, scale and offset (each 4 groups a word).
//include shared/blocks.wgsl
struct Head { fifths: array<vec4u, 2>, pairs: array<vec4u, 2> }
const HAS_OFFSET: bool = true;

fn head(row: u32, groups: u32, run: u32) -> Head {
    let place = groups + 2u * run;
    let pairs = place + (groups + 3u) / 4u;
    return Head(array<vec4u, 2>(words(row, place), words(row, place + 1u)), array<vec4u, 2>(words(row, pairs), words(row, pairs + 1u)));
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let second = (g & 4u) != 0u;
    let fifth = select(head.fifths[0], head.fifths[1], second)[g & 3u];
    let pair = unpack2x16float(select(head.pairs[0], head.pairs[1], second)[g & 3u]);
    return Group(nibbles_and_bit(words(row, g), fifth), pair.xx, pair.yy);
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xU8(codes)); }
