// Rounded to a step within 8 bits of them, halves to even; a step of 0 rounds nothing.
fn fake_quant(value: f32, scale: f32) -> f32 {
    if scale == 0.0 { return value; }
    return clamp(round(value / scale), -128.0, 127.0) * scale;
}
