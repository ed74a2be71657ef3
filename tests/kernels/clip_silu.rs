use crate::support::*;
use percept::kernels::clip_silu::{record, reference};
use percept::kernels::{Bounds, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // silu(1) = 0.7310585786; 9 is cut to 1 before; silu(-2) = -0.2384058440 is cut to -0.1 after.
    let bounds = [Bounds { low: -5.0, high: 1.0 }, Bounds { low: -0.1, high: 5.0 }];
    let y = reference(&[1.0, 9.0, -2.0, 0.0], bounds);
    assert_close("y", &y, &[0.731_058_6, 0.731_058_6, -0.1, 0.0], 1e-7);
}

#[test]
fn shader_equals_reference() {
    let width = prop_oneof![Just(1), Just(511), Just(512), Just(513), 1usize..2000];
    for_shapes(12, (1usize..5, width, any::<u64>()), |gpu, &(row_count, width, seed)| {
        let bounds = [Bounds { low: -6.0, high: 7.0 }, Bounds { low: -0.2, high: 6.5 }];
        let x: Vec<f32> = noise(seed, row_count * width).iter().map(|v| v * 9.0).collect();
        let y = rows(gpu, "y", &x, width, stride(width));
        run(gpu, row_count, |plan| record(plan, width, bounds, row_count, &y));
        let expected = spread(&reference(&x, bounds), width, stride(width));
        assert_close("y", &gpu.read(&y).unwrap(), &expected, 2e-6);
    });
}

#[test]
fn far_values_meet_no_infinity() {
    for gpu in gpus() {
        let x = [-3.0e38, -1e4, -100.0, 100.0, 1e4, 3.0e38];
        let y = rows(gpu, "y", &x, 6, 8);
        run(gpu, 1, |plan| record(plan, 6, [Bounds::NONE; 2], 1, &y));
        let got = gpu.read(&y).unwrap();
        assert!(got.iter().all(|v| v.is_finite()), "{got:?}");
        assert_eq!(got[3..6], x[3..]);
        // exp(-80) of the value is left, which is nothing beside any other.
        assert!(got[1].abs() < 1e-25 && got[2].abs() < 1e-25, "{got:?}");
    }
}
