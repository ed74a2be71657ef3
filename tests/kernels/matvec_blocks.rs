use crate::support::*;
use percept::kernels::{Variant, case, gate, matvec, matvec_blocks, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    assert_eq!(matvec_blocks::reference(&[1.0, 2.0, 3.0, 4.0], &[1.0, 0.5]), [2.0, 5.0]);
}

#[test]
fn shader_equals_reference_in_every_block_format() {
    let shapes = (1usize..70, 1usize..5, 1usize..20, 1usize..70);
    for_shapes(3, (shapes, any::<u64>()), |gpu, &((outputs, large, small, block_rows), seed)| {
        for (format, as_texture) in both_places() {
            let width = if format.block_len() == 32 { 32 * small } else { 256 * large };
            let (weight, values) =
                case::block_matrix(gpu, format, seed, outputs, width, block_rows, as_texture).unwrap();
            let x = noise(seed ^ 1, width);
            let on_gpu = gpu.rows("x", width).unwrap();
            gpu.write(&on_gpu, 0, &x);
            let y = Output::new(gpu, "y", outputs);
            run(gpu, 1, |plan| matvec::record(plan, Variant::best(gpu), &weight, &on_gpu, &y.array));
            assert_close(&format!("{format} {as_texture}"), &y.read(gpu), &matvec_blocks::reference(&values, &x), 4e-6);
        }
    });
}

#[test]
fn a_gate_is_applied_in_the_same_dispatch() {
    let shapes = (1usize..40, 1usize..4, 1usize..70);
    for_shapes(3, (shapes, any::<u64>()), |gpu, &((half, large, block_rows), seed)| {
        for (format, as_texture) in both_places() {
            let width = 256 * large;
            // In one block, and in several, which take a way of their own.
            for block_rows in [2 * half, block_rows] {
                let (weight, values) =
                    case::block_matrix(gpu, format, seed, 2 * half, width, block_rows, as_texture).unwrap();
                let x = noise(seed ^ 1, width);
                let on_gpu = gpu.rows("x", width).unwrap();
                gpu.write(&on_gpu, 0, &x);
                let scratch = gpu.array("gate_up", stride(2 * half)).unwrap();
                let y = Output::new(gpu, "y", half);
                let variant = Variant::best(gpu);
                run(gpu, 1, |plan| matvec::record_gated(plan, variant, &weight, &on_gpu, &scratch, &y.array));
                let expected = gate::reference(&matvec_blocks::reference(&values, &x), half);
                assert_close(&format!("{format} {as_texture}"), &y.read(gpu), &expected, 1e-5);
            }
        }
    });
}
