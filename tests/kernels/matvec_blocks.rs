use crate::support::*;
use percept::kernels::{Format, Variant, case, fake_quant, gate, matvec, matvec_blocks, stride};
use percept::weights::Rounding;
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
fn shader_equals_reference_in_every_kind_of_integers() {
    let shapes = (1usize..70, 1usize..600, 1usize..70);
    for_shapes(2, (shapes, any::<u64>()), |gpu, &((outputs, width, block_rows), seed)| {
        for (ints, as_texture) in ints_in_both_places() {
            let (width, none) = (case::int_width(ints, width), Rounding::NONE);
            let (weight, values) =
                case::int_matrix(gpu, ints, seed, [outputs, width], block_rows, as_texture, none).unwrap();
            let x = noise(seed ^ 1, width);
            let on_gpu = rows(gpu, "x", &x, width, stride(width));
            let y = Output::new(gpu, "y", outputs);
            run(gpu, 1, |plan| matvec::record(plan, Variant::best(gpu), &weight, &on_gpu, &y.array));
            let expected = matvec_blocks::reference(&values, &x);
            assert_close(&format!("{ints:?} {as_texture}"), &y.read(gpu), &expected, 4e-6);
        }
    });
}

#[test]
fn plain_weights_in_textures_may_have_any_width() {
    let shapes = (1usize..70, 1usize..600, 1usize..70);
    for_shapes(4, (shapes, any::<u64>()), |gpu, &((outputs, width, block_rows), seed)| {
        for format in Format::PLAIN {
            let (weight, values) = case::block_matrix(gpu, format, seed, outputs, width, block_rows, true).unwrap();
            let x = noise(seed ^ 1, width);
            let on_gpu = rows(gpu, "x", &x, width, stride(width));
            for variant in Variant::all(gpu).into_iter().filter(|variant| variant.wide) {
                let y = Output::new(gpu, "y", outputs);
                run(gpu, 1, |plan| matvec::record(plan, variant, &weight, &on_gpu, &y.array));
                let what = format!("{format} {variant:?}");
                assert_close(&what, &y.read(gpu), &matvec_blocks::reference(&values, &x), 4e-6);
            }
        }
    });
}

/// Inputs and products are rounded as the CPU rounds them, block by block.
#[test]
fn activations_are_rounded() {
    for gpu in gpus() {
        for (ints, as_texture) in ints_in_both_places().into_iter().step_by(5) {
            let (outputs, width) = (19, case::int_width(ints, 45));
            let x: Vec<f32> = noise(3, width).iter().map(|v| (v * 64.0).round() / 64.0).collect();
            let product = |rounding: Rounding, x: &[f32]| {
                let (weight, _) = case::int_matrix(gpu, ints, 5, [outputs, width], 8, as_texture, rounding).unwrap();
                let on_gpu = rows(gpu, "x", x, width, stride(width));
                let y = Output::new(gpu, "y", outputs);
                run(gpu, 1, |plan| matvec::record(plan, Variant::best(gpu), &weight, &on_gpu, &y.array));
                y.read(gpu)
            };
            let plain = product(Rounding::NONE, &fake_quant::reference(&x, 0.125));
            let rounded = product(Rounding { input: 0.125, output: 0.031_25 }, &x);
            assert_close(&format!("{ints:?}"), &rounded, &fake_quant::reference(&plain, 0.031_25), 0.0);
        }
    }
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

/// The gate's halves are rounded before it is applied.
#[test]
fn a_gate_of_integers_is_applied_in_the_same_dispatch() {
    for gpu in gpus() {
        for (ints, as_texture) in ints_in_both_places().into_iter().step_by(7) {
            let (half, width) = (19, case::int_width(ints, 45));
            let x: Vec<f32> = noise(3, width).iter().map(|v| (v * 64.0).round() / 64.0).collect();
            let on_gpu = rows(gpu, "x", &x, width, stride(width));
            let rounding = Rounding { input: 0.125, output: 0.031_25 };
            let gated = |block_rows: usize| {
                let shape = [2 * half, width];
                let (weight, _) = case::int_matrix(gpu, ints, 5, shape, block_rows, as_texture, rounding).unwrap();
                let scratch = gpu.array("gate_up", stride(2 * half)).unwrap();
                let y = Output::new(gpu, "y", half);
                let variant = Variant::best(gpu);
                run(gpu, 1, |plan| matvec::record_gated(plan, variant, &weight, &on_gpu, &scratch, &y.array));
                y.read(gpu)
            };
            assert_close(&format!("{ints:?} {as_texture}"), &gated(2 * half), &gated(half), 1e-6);
        }
    }
}
