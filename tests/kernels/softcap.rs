use crate::support::*;
use percept::kernels::softcap;
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // tanh(ln 3) = (3 - 1/3) / (3 + 1/3) = 0.8
    let y = softcap::reference(&[2.0 * 3f32.ln(), 0.0, 1e9], 2.0);
    assert_close("x", &y, &[1.6, 0.0, 2.0], 1e-7);
}

#[test]
fn shader_equals_reference() {
    let lengths = prop_oneof![Just(1), Just(511), Just(512), Just(513), 1usize..3000, Just(300_000)];
    for_shapes(10, (lengths, 0.5f32..60.0, any::<u64>()), |gpu, &(len, cap, seed)| {
        let x: Vec<f32> = noise(seed, len).iter().map(|v| 80.0 * v * v * v).collect();
        let y = Output::new(gpu, "x", len);
        gpu.write(&y.array, 0, &x);
        run(gpu, 1, |plan| softcap::record(plan, len, cap, &y.array));
        for ((got, expected), x) in y.read(gpu).iter().zip(softcap::reference(&x, cap)).zip(x) {
            let allowed = 1e-6 * expected.abs() + 1e-30;
            assert!((got - expected).abs() <= allowed, "{x} capped at {cap}: {got}, expected {expected}");
        }
    });
}

#[test]
fn large_values_reach_the_cap_and_nan_stays() {
    for gpu in gpus() {
        let x = [1e4, -1e4, 3e38, -3e38, 1e9, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        let y = Output::new(gpu, "x", x.len());
        gpu.write(&y.array, 0, &x);
        run(gpu, 1, |plan| softcap::record(plan, x.len(), 30.0, &y.array));
        let y = y.read(gpu);
        assert_eq!(y[..5], [30.0, -30.0, 30.0, -30.0, 30.0]);
        assert!(y[5].is_nan(), "{}", y[5]);
        assert_eq!(y[6..], [30.0, -30.0]);
    }
}
