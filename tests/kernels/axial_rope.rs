use crate::support::*;
use percept::kernels::axial_rope::{Arrays, Shape, record, reference};
use percept::kernels::norm_rope::{angles, frequencies};
use percept::kernels::stride;
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // One head of four: the first pair turns by a quarter, (a, b) → (-b, a); the second by a half.
    let y = reference(&[1.0, 1.0, 1.0, 1.0], &[1.0, 2.0, 3.0, 4.0], Some([&[[0.0, 1.0]], &[[-1.0, 0.0]]]), 0.0);
    assert_close("y", &y, &[-2.0, 1.0, -3.0, -4.0], 1e-7);
    assert_close("y", &reference(&[2.0, -2.0], &[1.0, 3.0], None, 0.0), &[1.0, -3.0], 1e-7);
}

#[test]
fn shader_equals_reference() {
    let shapes = (1usize..5, 1usize..40, any::<bool>(), 1usize..7, 1usize..30);
    for_shapes(14, (shapes, any::<u64>()), |gpu, &((heads, quarter, turns, row_count, size), seed)| {
        // Heads that do not turn may have any length.
        let dim = if turns { 4 * quarter } else { 2 * quarter + 1 };
        let shape = Shape { heads, head_dim: dim, positions: turns.then_some(size) };
        let table: Vec<[f32; 2]> = (0..size)
            .flat_map(|place| angles(place, &frequencies(100.0, 2 * quarter, quarter)).collect::<Vec<_>>())
            .collect();
        let (values, norm) = (noise(seed, row_count * heads * dim), noise(seed ^ 1, dim));
        let place = |v: &f32| ((v + 1.0) / 2.0 * size as f32) as u32;
        let places: Vec<u32> = noise(seed ^ 2, 2 * row_count).iter().map(place).collect();
        let y = Output::new(gpu, "y", row_count * heads * stride(dim));
        let arrays = Arrays {
            x: &rows(gpu, "x", &values, heads * dim, stride(heads * dim)),
            norm: &gpu.array_of("norm", &norm).unwrap(),
            angles: &gpu.array_of("angles", &table).unwrap(),
            places: &gpu.array_of("places", &places).unwrap(),
            y: &y.array,
        };
        run(gpu, row_count, |plan| record(plan, shape, 1e-6, row_count, &arrays));
        let of = |place: u32| &table[place as usize * quarter..][..quarter];
        let expected: Vec<f32> = values
            .chunks(heads * dim)
            .zip(places.chunks(2))
            .flat_map(|(row, at)| reference(row, &norm, turns.then(|| [of(at[0]), of(at[1])]), 1e-6))
            .collect();
        assert_close("y", &y.read_rows(gpu, dim, stride(dim)), &expected, 3e-6);
    });
}
