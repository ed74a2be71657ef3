use crate::support::*;
use percept::kernels::{norm_sum, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // (3, 4) / rms = (0.6, 0.8) · √2; (1, 1) / rms = (1, 1).
    let y = norm_sum::reference(&[1.0, 1.0], &[3.0, 4.0], &[1.0, 2.0], &[0.5, -1.0], 0.0);
    assert_close("y", &y, &[0.6 * 2f32.sqrt() + 0.5, 1.6 * 2f32.sqrt() - 1.0], 1e-6);
    let parts = norm_sum::reference(&[0.5, 2.0, 0.5, -1.0], &[3.0, 4.0], &[1.0, 2.0], &[0.5, -1.0], 0.0);
    assert_eq!(parts, y);
}

#[test]
fn shader_equals_reference() {
    let sizes = prop_oneof![Just(1), Just(127), Just(128), Just(129), 1usize..700];
    for_shapes(12, (1usize..6, 1usize..4, sizes, any::<u64>()), |gpu, &(row_count, parts, size, seed)| {
        let [x, y] = [noise(seed, row_count * parts * size), noise(seed ^ 1, row_count * size)];
        let [weight, x_weight] = [noise(seed ^ 2, size), noise(seed ^ 3, size)];
        let padded = stride(size);
        let on_gpu = rows(gpu, "y", &y, size, padded);
        let arrays = norm_sum::Arrays {
            x: &rows(gpu, "x", &x, size, padded),
            weight: &gpu.array_of("weight", &weight).unwrap(),
            x_weight: &gpu.array_of("x_weight", &x_weight).unwrap(),
            y: &on_gpu,
        };
        run(gpu, row_count, |plan| norm_sum::record(plan, size, 1e-6, parts, row_count, &arrays));
        let expected = norm_sum::reference(&x, &y, &weight, &x_weight, 1e-6);
        assert_close("y", &gpu.read(&on_gpu).unwrap(), &spread(&expected, size, padded), 2e-6);
    });
}
