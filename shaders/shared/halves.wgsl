// Weights of two bytes that stand by themselves: 32 in four words.
alias Code = Packed;
alias Head = u32;
const HAS_OFFSET: bool = false;

fn head(row: u32, groups: u32, run: u32) -> Head { return 0u; }

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let a = words(row, 4u * g);
    let b = words(row, 4u * g + 1u);
    let c = words(row, 4u * g + 2u);
    let d = words(row, 4u * g + 3u);
    let q = array<Code, 8>(a.xy, a.zw, b.xy, b.zw, c.xy, c.zw, d.xy, d.zw);
    return Group(q, vec2f(1.0), vec2f(0.0));
}

fn values(codes: Code) -> vec4f { return unpack(codes); }
