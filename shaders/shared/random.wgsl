// A random word of three: the hash pcg3d of Jarzynski & Olano 2020, "Hash Functions for GPU Rendering".

fn random(seed_lo: u32, seed_hi: u32, counter: u32) -> u32 {
    var v = vec3u(seed_lo, seed_hi, counter) * 1664525u + 1013904223u;
    v.x += v.y * v.z;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v ^= v >> vec3u(16u);
    v.x += v.y * v.z;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    return v.x;
}
