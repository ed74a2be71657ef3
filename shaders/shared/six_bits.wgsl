// Scale and offset of group g of 256 weights, six bits each times an f16, packed in twelve bytes behind the two f16.
fn six_bits(head: vec4u, g: u32) -> vec2f {
    let at = 8u * (g & 3u);
    let a = (head.y >> at) & 255u;
    let b = (head.z >> at) & 255u;
    let c = (head.w >> at) & 255u;
    let low = (g & 4u) == 0u;
    let scale = select((c & 15u) | ((a >> 6u) << 4u), a & 63u, low);
    let least = select((c >> 4u) | ((b >> 6u) << 4u), b & 63u, low);
    return unpack2x16float(head.x) * vec2f(f32(scale), -f32(least));
}
