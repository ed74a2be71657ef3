use crate::support::*;
use percept::kernels::{add_norm, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // y / rms(y) = (0.6, 0.8) · √2; x = (1 + 0.6 √2, 0.8 √2) / 2.
    let (x, h) = add_norm::reference(&[1.0, 0.0], &[3.0, 4.0], &[1.0, 1.0], &[1.0, 2.0], 0.0, 0.5);
    let expected = [(1.0 + 0.6 * 2f32.sqrt()) / 2.0, 0.4 * 2f32.sqrt()];
    assert_close("x", &x, &expected, 1e-6);
    let rms = ((expected[0].powi(2) + expected[1].powi(2)) / 2.0).sqrt();
    assert_close("h", &h, &[expected[0] / rms, 2.0 * expected[1] / rms], 1e-6);
}

#[test]
fn shader_equals_reference() {
    let shapes = (1usize..6, prop_oneof![Just(1), Just(127), Just(128), Just(129), 1usize..700], any::<u64>());
    for_shapes(12, shapes, |gpu, &(row_count, size, seed)| {
        let [x, y] = [noise(seed, row_count * size), noise(seed ^ 1, row_count * size)];
        let [weight, next] = [noise(seed ^ 2, size), noise(seed ^ 3, size)];
        let padded = stride(size);
        let on_gpu_x = rows(gpu, "x", &x, size, padded);
        let h = Output::new(gpu, "h", row_count * padded);
        let arrays = add_norm::Arrays {
            y: &rows(gpu, "y", &y, size, padded),
            weight: &gpu.array_of("weight", &weight).unwrap(),
            next_weight: &gpu.array_of("next_weight", &next).unwrap(),
            x: &on_gpu_x,
            h: &h.array,
        };
        run(gpu, row_count, |plan| add_norm::record(plan, size, 1e-6, 0.8, row_count, &arrays));
        let (new_x, new_h) = add_norm::reference(&x, &y, &weight, &next, 1e-6, 0.8);
        assert_close("x", &gpu.read(&on_gpu_x).unwrap(), &spread(&new_x, size, padded), 2e-6);
        assert_close("h", &h.read_rows(gpu, size, padded), &new_h, 3e-6);
    });
}
