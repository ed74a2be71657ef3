// The gate of gated feed-forward layers.
// (1 + tanh(u)) / 2 = 1 / (1 + exp(-2u)), which keeps small values that 1 + tanh would round away. The exponent is cut
// where the quotient has long been 0, so that no infinity is met.
fn gelu_tanh(v: f32) -> f32 {
    let u = 0.7978845608 * (v + 0.044715 * v * v * v);
    return v / (1.0 + exp(min(-2.0 * u, 80.0)));
}
