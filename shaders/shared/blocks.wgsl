// Codes of block formats, a byte each.
alias Code = u32;

// Four bits a weight in one word: weights 0 to 15 in the low halves of its bytes, 16 to 31 in the high ones.
fn nibbles(w: vec4u) -> array<Code, 8> {
    let low = w & vec4u(0x0f0f0f0fu);
    let high = (w >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
    return array<Code, 8>(
        low.x, low.y, low.z, low.w,
        high.x, high.y, high.z, high.w,
    );
}

// The same with a fifth bit, bit i of `fifth` that of weight i.
fn nibbles_and_bit(w: vec4u, fifth: u32) -> array<Code, 8> {
    let low = w & vec4u(0x0f0f0f0fu);
    let high = (w >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
    return array<Code, 8>(
        low.x | spread(fifth), low.y | spread(fifth >> 4u),
        low.z | spread(fifth >> 8u), low.w | spread(fifth >> 12u),
        high.x | spread(fifth >> 16u), high.y | spread(fifth >> 20u),
        high.z | spread(fifth >> 24u), high.w | spread(fifth >> 28u),
    );
}

// The four lowest bits, each to bit 4 of a byte.
fn spread(bits: u32) -> u32 {
    return (((bits & 15u) * 0x00204081u) & 0x01010101u) << 4u;
}

// Two bits a weight in two words: of weight 4 c + i, bits 2 (c % 4) of byte i of word c / 4.
fn pair_of_bits(w: vec2u, c: u32) -> u32 {
    return (w[c >> 2u] >> (2u * (c & 3u))) & 0x03030303u;
}

// Half word h of a word of eight.
fn half_float(w: vec4u, h: u32) -> f32 {
    return unpack2x16float(w[h >> 1u])[h & 1u];
}
