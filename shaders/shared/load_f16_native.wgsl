enable f16;
// Four f16 weights in 8 bytes, read as such.
alias Packed = vec4<f16>;
fn unpack(four: Packed) -> vec4f { return vec4f(four); }
