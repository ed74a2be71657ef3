use crate::support::*;
use percept::kernels::patch_position::Order;
use percept::kernels::{patch_position, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // Two positions of width 2: columns (1, 2), (5, 6); rows (3, 4), (7, 8).
    let table = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let y = patch_position::reference(&[0.5, 0.5, 0.0, 0.0], &[[1, 0], [0, 1]], &table, 2, Order::PlacesFirst);
    assert_eq!(y, [8.5, 10.5, 8.0, 10.0]);
    // Columns (1, 2), (3, 4); rows (5, 6), (7, 8).
    let y = patch_position::reference(&[0.5, 0.5, 0.0, 0.0], &[[1, 0], [0, 1]], &table, 2, Order::AxesFirst);
    assert_eq!(y, [8.5, 10.5, 8.0, 10.0]);
}

#[test]
fn shader_equals_reference() {
    let widths = prop_oneof![Just(1), Just(127), Just(128), Just(129), 1usize..500];
    let orders = prop_oneof![Just(Order::PlacesFirst), Just(Order::AxesFirst)];
    for_shapes(
        10,
        (1usize..8, widths, 1usize..20, orders, any::<u64>()),
        |gpu, &(row_count, width, size, order, seed)| {
            let (x, table) = (noise(seed, row_count * width), noise(seed ^ 1, size * 2 * width));
            let place = |v: f32| ((v + 1.0) / 2.0 * size as f32) as u32;
            let places: Vec<[u32; 2]> =
                noise(seed ^ 2, 2 * row_count).chunks_exact(2).map(|pair| [place(pair[0]), place(pair[1])]).collect();
            let places_array = gpu.array_of("places", places.as_flattened()).unwrap();
            let table_array = gpu.array_of("table", &table).unwrap();
            let padded = stride(width);
            let y = Output::new(gpu, "x", row_count * padded);
            for (i, row) in x.chunks(width).enumerate() {
                gpu.write(&y.array, i * padded, row);
            }
            run(gpu, row_count, |plan| {
                patch_position::record(plan, width, size, order, row_count, &places_array, &table_array, &y.array)
            });
            let expected = patch_position::reference(&x, &places, &table, width, order);
            assert_close("x", &y.read_rows(gpu, width, padded), &expected, 5e-7);
        },
    );
}
