use crate::support::*;
use percept::kernels::{rms_norm, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // mean(3², 4²) = 12.5
    let y = rms_norm::reference(&[3.0, 4.0], &[1.0, 2.0], 0.0);
    assert_close("y", &y, &[3.0 / 12.5f32.sqrt(), 8.0 / 12.5f32.sqrt()], 1e-7);
}

#[test]
fn shader_equals_reference() {
    let shapes = (1usize..6, prop_oneof![Just(1), Just(127), Just(128), Just(129), 1usize..700], any::<u64>());
    for_shapes(12, shapes, |gpu, &(row_count, hidden_size, seed)| {
        let x = noise(seed, row_count * hidden_size);
        let weight = noise(seed ^ 1, hidden_size);
        let padded = stride(hidden_size);
        let (on_gpu, on_gpu_weight) =
            (rows(gpu, "x", &x, hidden_size, padded), gpu.array_of("weight", &weight).unwrap());
        let y = Output::new(gpu, "y", row_count * padded);
        run(gpu, row_count, |plan| {
            rms_norm::record(plan, hidden_size, 1e-6, row_count, &on_gpu, &on_gpu_weight, &y.array)
        });
        let expected = rms_norm::reference(&x, &weight, 1e-6);
        assert_close("y", &y.read_rows(gpu, hidden_size, padded), &expected, 2e-6);
    });
}
