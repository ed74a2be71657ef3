// Four bf16 weights in 8 bytes, the first in the low half: the upper half of an f32 each.
alias Packed = vec2u;
fn unpack(four: Packed) -> vec4f {
    return bitcast<vec4f>(vec4u(four.x << 16u, four.x & 0xffff0000u, four.y << 16u, four.y & 0xffff0000u));
}
