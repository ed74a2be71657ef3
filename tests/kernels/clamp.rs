use crate::support::*;
use percept::kernels::{Bounds, clamp, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    assert_eq!(
        clamp::reference(&[-1.0, 0.0, 1.0, 2.0], Bounds { low: -2.5, high: 3.0 }, [2.0, -1.0]),
        [-2.5, -1.0, 1.0, 3.0]
    );
}

#[test]
fn shader_equals_reference() {
    let widths = prop_oneof![Just(1), Just(511), Just(512), Just(513), 1usize..1200];
    let bound = || prop_oneof![Just(f32::INFINITY), 0.0f32..1.0];
    for_shapes(12, (1usize..6, widths, bound(), bound(), any::<u64>()), |gpu, &(row_count, width, low, high, seed)| {
        let (bounds, line) = (Bounds { low: -low, high }, [1.5, 0.25]);
        let values = noise(seed, row_count * width);
        let x = rows(gpu, "x", &values, width, stride(width));
        let y = Output::new(gpu, "y", row_count * stride(width));
        run(gpu, row_count, |plan| clamp::record(plan, width, bounds, line, row_count, &x, &y.array));
        let expected = clamp::reference(&values, bounds, line);
        assert_close("y", &y.read_rows(gpu, width, stride(width)), &expected, 3e-7);
    });
}
