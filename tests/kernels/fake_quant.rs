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
    for_shapes(12, (1usize..6, widths, scales, any::<u64>()), |gpu, &(row_count, width, scale, seed)| {
        let values: Vec<f32> = noise(seed, row_count * width).iter().map(|v| (v * 512.0).round() / 128.0).collect();
        let x = rows(gpu, "x", &values, width, stride(width));
        let y = Output::new(gpu, "y", row_count * stride(width));
        run(gpu, row_count, |plan| fake_quant::record(plan, width, scale, row_count, &x, &y.array));
        let got = y.read(gpu);
        let expected = spread(&fake_quant::reference(&values, scale), width, stride(width));
        assert_close("y", &got, &expected, 0.0);
    });
}
