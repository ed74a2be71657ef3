use crate::support::*;
use percept::kernels::per_layer::{Shape, record, reference};
use percept::kernels::stride;
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // Two layers of two values: n(3, 4) = (3, 4) / √12.5 whatever the factor, if eps is 0.
    let shape = Shape { layers: 2, width: 2, scale: 0.1, eps: 0.0 };
    let y = reference(&[3.0, 4.0, 0.5, -0.5], &[1.0, 2.0], &[1.0, 0.0, 0.0, 1.0], shape);
    let root = std::f32::consts::FRAC_1_SQRT_2;
    let (three, four) = (3.0 / 12.5f32.sqrt(), 4.0 / 12.5f32.sqrt());
    assert_close("y", &y, &[(1.0 + three) * root, 2.0 * four * root, root, -root], 1e-6);
}

#[test]
fn shader_equals_reference() {
    let widths = prop_oneof![Just(1), Just(64), Just(65), 1usize..300];
    for_shapes(12, (1usize..6, 1usize..7, widths, any::<u64>()), |gpu, &(row_count, layers, width, seed)| {
        let shape = Shape { layers, width, scale: 0.05, eps: 1e-5 };
        let all = layers * width;
        let (x, before, norm) =
            (noise(seed, row_count * all), noise(seed ^ 1, row_count * all), noise(seed ^ 2, width));
        let on_gpu = rows(gpu, "x", &x, all, stride(all));
        let weight = gpu.array_of("norm", &norm).unwrap();
        let y = Output::new(gpu, "y", row_count * stride(all));
        for (i, row) in before.chunks(all).enumerate() {
            gpu.write(&y.array, i * stride(all), row);
        }
        run(gpu, row_count, |plan| record(plan, shape, row_count, &on_gpu, &weight, &y.array));
        let expected = reference(&x, &norm, &before, shape);
        assert_close("y", &y.read_rows(gpu, all, stride(all)), &expected, 2e-6);
    });
}
