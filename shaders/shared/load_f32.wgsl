// Four f32 weights in 16 bytes.
alias Packed = vec4f;
fn unpack(four: Packed) -> vec4f { return four; }
