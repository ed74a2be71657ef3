// int8: (q - zero point) times a scale, q signed. Planes: the bytes (2 words a group), the scales, the zero points.
//include shared/blocks.wgsl
//include shared/scales.wgsl
override HAS_OFFSET: bool = ZERO_POINTS;

fn head(row: u32, groups: u32, run: u32) -> Head { return scales_of_run(row, 2u * groups, groups, run); }

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let a = words(row, 2u * g);
    let b = words(row, 2u * g + 1u);
    let q = array<Code, 8>(
        a.x, a.y, a.z, a.w,
        b.x, b.y, b.z, b.w,
    );
    let scale = scale_of(head, g);
    return Group(q, scale.xx, vec2f(-scale.y * scale.x));
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xI8(codes)); }
