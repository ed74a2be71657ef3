// Products of four values, added to a sum.
fn mad(q: vec4f, v: vec4f, sum: f32) -> f32 {
    return fma(q.x, v.x, fma(q.y, v.y, fma(q.z, v.z, fma(q.w, v.w, sum))));
}
