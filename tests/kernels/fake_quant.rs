use crate::support::*;
use percept::kernels::{fake_quant, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    let x = [0.25, 0.75, -0.25, 1.3, 100.0, -100.0];
    assert_eq!(fake_quant::reference(&x, 0.5), [0.0, 1.0, 0.0, 1.5, 63.5, -64.0]);
    assert_eq!(fake_quant::reference(&x, 0.0), x);
}

#[test]
fn shader_equals_reference() {
    let widths = prop_oneof![Just(1), Just(511), Just(512), Just(513), 1usize..1200];
    // Steps that divide without rounding, so that no value lies between two results.
    let scales = prop_oneof![Just(0.0f32), Just(0.015_625), Just(0.25)];
    let shapes = (1usize..6, widths, scales, any::<bool>());
    for_shapes(16, (shapes, any::<u64>()), |gpu, &((row_count, width, scale, has_bias), seed)| {
        let steps = |seed, len| -> Vec<f32> { noise(seed, len).iter().map(|v| (v * 512.0).round() / 128.0).collect() };
        let (values, biases) = (steps(seed, row_count * width), steps(seed ^ 1, width));
        let on_gpu = gpu.array_of("bias", &biases).unwrap();
        let bias = has_bias.then_some(&on_gpu);
        let x = rows(gpu, "x", &values, width, stride(width));
        let y = Output::new(gpu, "y", row_count * stride(width));
        run(gpu, row_count, |plan| fake_quant::record(plan, width, scale, bias, row_count, &x, &y.array));
        let got = y.read(gpu);
        let sums = values.iter().enumerate().map(|(i, value)| value + if has_bias { biases[i % width] } else { 0.0 });
        let expected = fake_quant::reference(&sums.collect::<Vec<_>>(), scale);
        let expected = spread(&expected, width, stride(width));
        assert_close("y", &got, &expected, 0.0);
    });
}
