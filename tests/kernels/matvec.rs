use crate::support::*;
use percept::kernels::{Format, Variant, matvec, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    assert_eq!(matvec::reference(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1.0, 0.5]), [2.0, 5.0, 8.0]);
}

#[test]
fn shader_equals_reference_in_every_format_and_variant() {
    let shapes = (1usize..150, prop_oneof![Just(1), Just(255), Just(256), Just(257), 1usize..600], 1usize..150);
    for_shapes(8, (shapes, any::<u64>()), |gpu, &((outputs, width, block_rows), seed)| {
        let values = noise(seed, outputs * width);
        let x = noise(seed ^ 1, width);
        let on_gpu = rows(gpu, "x", &x, width, stride(width));
        for format in Format::PLAIN {
            let (weight, rounded) = matrix(gpu, format, &values, width, block_rows);
            let expected = matvec::reference(&rounded, &x);
            for variant in Variant::all(gpu) {
                let y = Output::new(gpu, "y", outputs);
                run(gpu, 1, |plan| matvec::record(plan, variant, &weight, &on_gpu, &y.array));
                assert_close(&format!("{format:?} {variant:?}"), &y.read(gpu), &expected, 2e-6);
            }
        }
    });
}

#[test]
fn more_rows_than_workgroups_along_one_axis() {
    let outputs = 32_768 * 4 + 77;
    for gpu in gpus() {
        let (values, x) = (noise(5, outputs * 4), noise(6, 4));
        let (weight, rounded) = matrix(gpu, Format::F32, &values, 4, outputs);
        let on_gpu = gpu.array_of("x", &x).unwrap();
        for variant in Variant::all(gpu) {
            let y = Output::new(gpu, "y", outputs);
            run(gpu, 1, |plan| matvec::record(plan, variant, &weight, &on_gpu, &y.array));
            assert_close(&format!("{variant:?}"), &y.read(gpu), &matvec::reference(&rounded, &x), 2e-6);
        }
    }
}
