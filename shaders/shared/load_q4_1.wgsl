// q4_1: q times an f16, plus an f16. Planes: 4 bits (1 word a group), scale and offset (4 groups a word).
//include shared/blocks.wgsl
alias Head = array<vec4u, 2>;
const HAS_OFFSET: bool = true;

fn head(row: u32, groups: u32, run: u32) -> Head {
    let place = groups + 2u * run;
    return Head(words(row, place), words(row, place + 1u));
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let word = select(head[0], head[1], (g & 4u) != 0u);
    let pair = unpack2x16float(word[g & 3u]);
    return Group(nibbles(words(row, g)), pair.xx, pair.yy);
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xU8(codes)); }
