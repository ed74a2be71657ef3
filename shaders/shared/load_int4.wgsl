// int4: (q - 8 - zero point) times a scale. Planes: 4 bits (1 word a group), the scales, the zero points.
//include shared/blocks.wgsl
//include shared/scales.wgsl
const HAS_OFFSET: bool = true;

fn head(row: u32, groups: u32, run: u32) -> Head { return scales_of_run(row, groups, groups, run); }

fn group(row: u32, groups: u32, g: u32, head: Head) -> Group {
    let scale = scale_of(head, g);
    return Group(nibbles(words(row, g)), scale.xx, vec2f(-(scale.y + 8.0) * scale.x));
}

fn values(codes: u32) -> vec4f { return vec4f(unpack4xU8(codes)); }
