use crate::support::*;
use percept::kernels::{Format, Variant, matmul, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    let y = matmul::reference(&[1.0, 2.0, 3.0, 4.0], 2, &[1.0, 0.0, 1.0, 1.0]);
    assert_eq!(y, [1.0, 3.0, 3.0, 7.0]);
}

#[test]
fn shader_equals_reference_in_every_format_and_variant() {
    let sizes = prop_oneof![Just(1usize), Just(63), Just(64), Just(65), 1usize..200];
    let shapes = (prop_oneof![Just(1usize), Just(31), Just(32), Just(33), 1usize..80], sizes, 1usize..300, 1usize..200);
    for_shapes(8, (shapes, any::<u64>()), |gpu, &((row_count, outputs, width, block_rows), seed)| {
        let values = noise(seed, outputs * width);
        let x = noise(seed ^ 1, row_count * width);
        let capacity = row_count.next_multiple_of(matmul::TILE_ROWS);
        let mut padded = spread(&x, width, stride(width));
        padded.resize(capacity * stride(width), f32::NAN);
        let on_gpu = gpu.array_of("x", &padded).unwrap();
        for format in Format::PLAIN {
            let (weight, rounded) = matrix(gpu, format, &values, width, block_rows);
            let expected = matmul::reference(&rounded, width, &x);
            for variant in Variant::all(gpu) {
                let y = Output::new(gpu, "y", capacity * stride(outputs));
                run(gpu, row_count, |plan| matmul::record(plan, variant, &weight, row_count, &on_gpu, &y.array));
                let got = y.read(gpu);
                let got: Vec<f32> = got
                    .chunks(stride(outputs))
                    .take(row_count)
                    .flat_map(|row| {
                        assert!(row[outputs..].iter().all(|v| v.is_nan()), "a value between rows was overwritten");
                        row[..outputs].to_vec()
                    })
                    .collect();
                assert_close(&format!("{format:?} {variant:?}"), &got, &expected, 2e-6);
            }
        }
    });
}
