use crate::support::*;
use percept::kernels::matmul::TILE_ROWS;
use percept::kernels::{Format, Variant, case, fake_quant, matmul, matmul_blocks, stride};
use percept::weights::{Ints, Rounding};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    assert_eq!(matmul_blocks::reference(&[1.0, 2.0, 3.0, 4.0], 2, &[1.0, 0.5, 0.0, 1.0]), [2.0, 5.0, 2.0, 4.0]);
}

#[test]
fn shader_equals_reference_in_every_block_format() {
    // Rows too long for a window of eight, of four and of two are among them.
    let shapes = (1usize..70, prop_oneof![1usize..4, Just(9), Just(17), Just(33)], 1usize..20, 1usize..70, 1usize..40);
    for_shapes(2, (shapes, any::<u64>()), |gpu, &((outputs, large, small, block_rows, rows), seed)| {
        for (format, as_texture) in both_places() {
            let width = if format.block_len() == 32 { 32 * small } else { 256 * large };
            let (weight, values) =
                case::block_matrix(gpu, format, seed, outputs, width, block_rows, as_texture).unwrap();
            let x = noise(seed ^ 1, rows * width);
            let capacity = rows.next_multiple_of(TILE_ROWS);
            let on_gpu = gpu.rows("x", capacity * width).unwrap();
            gpu.write(&on_gpu, 0, &x);
            let y = gpu.array::<f32>("y", capacity * stride(outputs)).unwrap();
            run(gpu, rows, |plan| matmul::record(plan, Variant::best(gpu), &weight, rows, &on_gpu, &y));
            let all = gpu.read(&y).unwrap();
            let got: Vec<f32> =
                all.chunks(stride(outputs)).take(rows).flat_map(|row| row[..outputs].iter().copied()).collect();
            assert_close(&format!("{format} {as_texture}"), &got, &matmul_blocks::reference(&values, width, &x), 4e-6);
        }
    });
}

/// The first `count` rows of the product, without gaps.
fn product(
    gpu: &percept::gpu::Gpu,
    variant: Variant,
    weight: &percept::kernels::Matrix,
    x: &[f32],
    count: usize,
) -> Vec<f32> {
    let (width, outputs, capacity) = (weight.width, weight.rows, count.next_multiple_of(TILE_ROWS));
    let on_gpu = gpu.rows("x", capacity * stride(width)).unwrap();
    gpu.write(&on_gpu, 0, &spread(x, width, stride(width)));
    let y = gpu.array::<f32>("y", capacity * stride(outputs)).unwrap();
    run(gpu, count, |plan| matmul::record(plan, variant, weight, count, &on_gpu, &y));
    let all = gpu.read(&y).unwrap();
    all.chunks(stride(outputs)).take(count).flat_map(|row| row[..outputs].iter().copied()).collect()
}

#[test]
fn plain_weights_in_textures_may_have_any_width() {
    let widths = prop_oneof![1usize..600, Just(2205), Just(5003)];
    let shapes = (1usize..70, widths, 1usize..70, 1usize..40);
    for_shapes(4, (shapes, any::<u64>()), |gpu, &((outputs, width, block_rows, count), seed)| {
        for format in Format::PLAIN {
            let (weight, values) = case::block_matrix(gpu, format, seed, outputs, width, block_rows, true).unwrap();
            let x = noise(seed ^ 1, count * width);
            let expected = matmul_blocks::reference(&values, width, &x);
            for variant in Variant::all(gpu).into_iter().filter(|variant| variant.wide) {
                let got = product(gpu, variant, &weight, &x, count);
                assert_close(&format!("{format} {variant:?}"), &got, &expected, 4e-6);
            }
        }
    });
}

#[test]
fn shader_equals_reference_in_every_kind_of_integers() {
    // Rows too long for a window of eight and of four are among them.
    let widths = prop_oneof![1usize..600, Just(2205), Just(5003)];
    let shapes = (1usize..70, widths, 1usize..70, 1usize..40);
    for_shapes(2, (shapes, any::<u64>()), |gpu, &((outputs, width, block_rows, count), seed)| {
        for (ints, as_texture) in ints_in_both_places() {
            let (width, none) = (case::int_width(ints, width), Rounding::NONE);
            let (weight, values) =
                case::int_matrix(gpu, ints, seed, [outputs, width], block_rows, as_texture, none).unwrap();
            let x = noise(seed ^ 1, count * width);
            let got = product(gpu, Variant::best(gpu), &weight, &x, count);
            let expected = matmul_blocks::reference(&values, width, &x);
            assert_close(&format!("{ints:?} {as_texture}"), &got, &expected, 4e-6);
        }
    });
}

/// Inputs and products are rounded as the CPU rounds them, block by block.
#[test]
fn activations_are_rounded() {
    let of = |gpu, ints: Ints, rounding, as_texture| {
        case::int_matrix(gpu, ints, 5, [19, case::int_width(ints, 45)], 8, as_texture, rounding).unwrap().0
    };
    for gpu in gpus() {
        for (ints, as_texture) in ints_in_both_places().into_iter().step_by(5) {
            let x = noise(3, 9 * case::int_width(ints, 45));
            let x: Vec<f32> = x.iter().map(|v| (v * 64.0).round() / 64.0).collect();
            let plain = of(gpu, ints, Rounding::NONE, as_texture);
            let plain = product(gpu, Variant::best(gpu), &plain, &fake_quant::reference(&x, 0.125), 9);
            let rounded = of(gpu, ints, Rounding { input: 0.125, output: 0.031_25 }, as_texture);
            let rounded = product(gpu, Variant::best(gpu), &rounded, &x, 9);
            assert_close(&format!("{ints:?}"), &rounded, &fake_quant::reference(&plain, 0.031_25), 0.0);
        }
    }
}
