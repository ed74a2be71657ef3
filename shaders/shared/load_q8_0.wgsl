// q8_0: 32 signed bytes, times an f16. Planes: the bytes (2 words a group), the scales (8 groups a word).
//include shared/blocks.wgsl
alias Head = vec4u;
const HAS_OFFSET: bool = false;

fn head(row: u32, groups: u32, run: u32) -> Head {
    return words(row, 2u * groups + run);
}

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let a = words(row, 2u * g);
    let b = words(row, 2u * g + 1u);
    let q = array<Code, 8>(
        a.x, a.y, a.z, a.w,
        b.x, b.y, b.z, b.w,
    );
    return Group(q, vec2f(half_float(head, g & 7u)), vec2f(0.0));
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xI8(codes)); }
