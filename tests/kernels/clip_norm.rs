use crate::support::*;
use percept::kernels::clip_norm::{Norm, record, reference};
use percept::kernels::{Bounds, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // (3, 9) with bias 0, -5 is (3, 4), mean square 12.5; the second is cut at 1.
    let norm = Norm { eps: 0.0, limit: f32::MAX, bounds: Bounds { low: -1.0, high: 1.0 } };
    let y = reference(&[3.0, 9.0], &[0.0, -5.0], &[1.0, 2.0], norm);
    assert_close("y", &y, &[3.0 / 12.5f32.sqrt(), 1.0], 1e-7);
    // Both inputs become 2, whose mean square is 4.
    let y = reference(&[3.0, 9.0], &[0.0; 2], &[1.0, -2.0], Norm { limit: 2.0, ..norm });
    assert_close("clipped", &y, &[1.0, -1.0], 1e-7);
}

#[test]
fn shader_equals_reference() {
    let shapes = (1usize..6, prop_oneof![Just(1), Just(127), Just(128), Just(129), 1usize..700], any::<u64>());
    for_shapes(12, shapes, |gpu, &(row_count, width, seed)| {
        let norm = Norm { eps: 1e-6, limit: 0.8, bounds: Bounds { low: -0.9, high: 0.6 } };
        let x = noise(seed, row_count * width);
        let (bias, weight) = (noise(seed ^ 1, width), noise(seed ^ 2, width));
        let on_gpu = rows(gpu, "x", &x, width, stride(width));
        let (b, w) = (gpu.array_of("bias", &bias).unwrap(), gpu.array_of("weight", &weight).unwrap());
        let y = Output::new(gpu, "y", row_count * stride(width));
        run(gpu, row_count, |plan| record(plan, width, norm, row_count, &on_gpu, &b, &w, &y.array));
        let expected = reference(&x, &bias, &weight, norm);
        assert_close("y", &y.read_rows(gpu, width, stride(width)), &expected, 2e-6);
    });
}
