use crate::support::*;
use percept::kernels::matmul::TILE_ROWS;
use percept::kernels::{Variant, case, matmul, matmul_blocks, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    assert_eq!(matmul_blocks::reference(&[1.0, 2.0, 3.0, 4.0], 2, &[1.0, 0.5, 0.0, 1.0]), [2.0, 5.0, 2.0, 4.0]);
}

#[test]
fn shader_equals_reference_in_every_block_format() {
    // Rows too long for a window of eight are among them.
    let shapes = (1usize..70, prop_oneof![1usize..4, Just(9)], 1usize..20, 1usize..70, 1usize..40);
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
