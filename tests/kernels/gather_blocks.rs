use crate::support::*;
use percept::kernels::gather::{self, Aliases};
use percept::kernels::{Format, Variant, case, gather_blocks, stride};
use percept::weights::Rounding;
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    let table = [1.0, 2.0, 3.0, 4.0];
    assert_eq!(gather_blocks::reference(&table, 2, &[1, 0], 2.0, Aliases::NONE), [6.0, 8.0, 2.0, 4.0]);
}

#[test]
fn shader_equals_reference_in_every_block_format() {
    let shapes = (1usize..70, 1usize..4, 1usize..20, 1usize..70, 1usize..9);
    for_shapes(2, (shapes, any::<u64>()), |gpu, &((words, large, small, block_rows, rows), seed)| {
        for (format, as_texture) in both_places() {
            let width = if format.block_len() == 32 { 32 * small } else { 256 * large };
            let (table, values) = case::block_matrix(gpu, format, seed, words, width, block_rows, as_texture).unwrap();
            let ids = case::picks(seed, rows, words);
            let on_gpu = gpu.array_of("ids", &ids).unwrap();
            let y = Output::new(gpu, "y", rows * width);
            run(gpu, rows, |plan| {
                gather::record(plan, Variant::best(gpu), &table, 3.5, Aliases::NONE, rows, &on_gpu, &y.array)
            });
            let expected = gather_blocks::reference(&values, width, &ids, 3.5, Aliases::NONE);
            assert_close(&format!("{format} {as_texture}"), &y.read(gpu), &expected, 1e-6);
        }
    });
}

#[test]
fn plain_rows_in_textures_may_have_any_width() {
    let shapes = (1usize..70, 1usize..600, 1usize..70, 1usize..9);
    for_shapes(4, (shapes, any::<u64>()), |gpu, &((words, width, block_rows, count), seed)| {
        for format in Format::PLAIN {
            let (table, values) = case::block_matrix(gpu, format, seed, words, width, block_rows, true).unwrap();
            let ids = case::picks(seed, count, words);
            let on_gpu = gpu.array_of("ids", &ids).unwrap();
            let y = Output::new(gpu, "y", count * stride(width));
            run(gpu, count, |plan| {
                gather::record(plan, Variant::best(gpu), &table, 3.5, Aliases::NONE, count, &on_gpu, &y.array)
            });
            // Zeros lie between the rows.
            let expected = gather_blocks::reference(&values, width, &ids, 3.5, Aliases::NONE);
            let expected = spread(&expected, width, stride(width));
            assert_close(format.name(), &y.read(gpu), &expected, 1e-6);
        }
    });
}

#[test]
fn shader_equals_reference_in_every_kind_of_integers() {
    let shapes = (1usize..70, 1usize..600, 1usize..70, 1usize..9);
    for_shapes(2, (shapes, any::<u64>()), |gpu, &((words, width, block_rows, count), seed)| {
        for (ints, as_texture) in ints_in_both_places() {
            let (width, none) = (case::int_width(ints, width), Rounding::NONE);
            let (table, values) =
                case::int_matrix(gpu, ints, seed, [words, width], block_rows, as_texture, none).unwrap();
            let ids = case::picks(seed, count, words);
            let on_gpu = gpu.array_of("ids", &ids).unwrap();
            let y = Output::new(gpu, "y", count * stride(width));
            run(gpu, count, |plan| {
                gather::record(plan, Variant::best(gpu), &table, 3.5, Aliases::NONE, count, &on_gpu, &y.array)
            });
            // Zeros lie between the rows.
            let expected = gather_blocks::reference(&values, width, &ids, 3.5, Aliases::NONE);
            let expected = spread(&expected, width, stride(width));
            assert_close(&format!("{ints:?} {as_texture}"), &y.read(gpu), &expected, 1e-6);
        }
    });
}
