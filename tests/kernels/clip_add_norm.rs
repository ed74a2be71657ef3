use crate::support::*;
use percept::kernels::clip_add_norm::{Arrays, Branch, record, reference};
use percept::kernels::clip_norm::Norm;
use percept::kernels::{Bounds, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    let next = Norm { eps: 0.0, limit: 6.0, bounds: Bounds { low: -1.0, high: 1.0 } };
    // As it is: (1, 1) + (2, 4) clipped to 3 is (3, 4); the norm divides by the root of 12.5 and the second is cut.
    let branch = Branch { bounds: Bounds { low: -3.0, high: 3.0 }, eps: None, next };
    let (x, h) = reference(&[1.0, 1.0], &[2.0, 4.0], &[9.0, 9.0], &[1.0, 1.0], branch);
    assert_eq!(x, [3.0, 4.0]);
    assert_close("h", &h, &[3.0 / 12.5f32.sqrt(), 1.0], 1e-7);
    // Normed: (3, 4) becomes (3, 8) over the root of 12.5.
    let branch = Branch { bounds: Bounds::NONE, eps: Some(0.0), next };
    let (x, _) = reference(&[0.0, 0.0], &[3.0, 4.0], &[1.0, 2.0], &[1.0, 1.0], branch);
    assert_close("x", &x, &[3.0 / 12.5f32.sqrt(), 8.0 / 12.5f32.sqrt()], 1e-7);
}

#[test]
fn shader_equals_reference() {
    let width = prop_oneof![Just(1), Just(127), Just(128), Just(129), 1usize..700];
    for_shapes(16, (1usize..6, width, any::<bool>(), any::<u64>()), |gpu, &(row_count, width, normed, seed)| {
        let next = Norm { eps: 1e-5, limit: 1.2, bounds: Bounds { low: -0.9, high: 0.7 } };
        let branch = Branch { bounds: Bounds { low: -0.6, high: 0.5 }, eps: normed.then_some(1e-6), next };
        let [x, y] = [0, 1].map(|n| noise(seed ^ n, row_count * width));
        let [weight, next_weight] = [2, 3].map(|n| noise(seed ^ n, width));
        let on_gpu = rows(gpu, "x", &x, width, stride(width));
        let h = Output::new(gpu, "h", row_count * stride(width));
        let arrays = Arrays {
            y: &rows(gpu, "y", &y, width, stride(width)),
            weight: &gpu.array_of("weight", &weight).unwrap(),
            next_weight: &gpu.array_of("next_weight", &next_weight).unwrap(),
            x: &on_gpu,
            h: &h.array,
        };
        run(gpu, row_count, |plan| record(plan, width, branch, row_count, &arrays));
        let expected = reference(&x, &y, &weight, &next_weight, branch);
        let sums = gpu.read(&on_gpu).unwrap();
        assert_close("x", &sums, &spread(&expected.0, width, stride(width)), 2e-6);
        assert_close("h", &h.read_rows(gpu, width, stride(width)), &expected.1, 3e-6);
    });
}
