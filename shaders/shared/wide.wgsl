// Integers of 64 bits as (high, low).

fn plus(a: vec2u, b: vec2u) -> vec2u {
    let low = a.y + b.y;
    return vec2u(a.x + b.x + select(0u, 1u, low < a.y), low);
}

fn minus(a: vec2u, b: vec2u) -> vec2u { return vec2u(a.x - b.x - select(0u, 1u, a.y < b.y), a.y - b.y); }

fn less(a: vec2u, b: vec2u) -> bool { return a.x < b.x || (a.x == b.x && a.y < b.y); }

fn times(a: u32, b: u32) -> vec2u {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let one = (a & 0xffffu) * (b >> 16u);
    let other = (a >> 16u) * (b & 0xffffu);
    let middle = (low >> 16u) + (one & 0xffffu) + (other & 0xffffu);
    let high = (a >> 16u) * (b >> 16u) + (one >> 16u) + (other >> 16u) + (middle >> 16u);
    return vec2u(high, (middle << 16u) | (low & 0xffffu));
}

// floor(a * fraction / 2^32)
fn scaled(a: vec2u, fraction: u32) -> vec2u { return plus(times(a.x, fraction), vec2u(0u, times(a.y, fraction).x)); }
