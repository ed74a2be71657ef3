// Four f16 weights in 8 bytes, the first in the low half; needs no f16 in the shader.
alias Packed = vec2u;
fn unpack(four: Packed) -> vec4f { return vec4f(unpack2x16float(four.x), unpack2x16float(four.y)); }
