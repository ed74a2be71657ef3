use crate::support::*;
use percept::kernels::case::picks;
use percept::kernels::expert_tiles::{NONE, most_tiles, record, reference, tiles_len};
use percept::kernels::route::Shape;
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    let shape = Shape { num_experts: 3, top_k: 2 };
    let tiles = reference(&[2, 0, 2, 1, 2, 0], shape, 3);
    let n = NONE;
    assert_eq!(tiles[..9], [0, 1, 5, n, n, n, n, n, n]);
    assert_eq!(tiles[9..27], [1, 3, n, n, n, n, n, n, n, 2, 0, 2, 4, n, n, n, n, n]);
    assert_eq!((most_tiles(shape, 3), most_tiles(shape, 100)), (3, 28));
}

#[test]
fn shader_equals_reference() {
    let shapes = (1usize..300, prop_oneof![Just(1usize), Just(127), Just(129), Just(1024), 1usize..40], 1usize..9);
    for_shapes(10, (shapes, 0usize..9, any::<u64>()), |gpu, &((row_count, num_experts, top_k), spare, seed)| {
        let shape = Shape { num_experts, top_k };
        let values = picks(seed, row_count * top_k, num_experts);
        // Room for more rows than the replay has.
        let most_rows = row_count + spare;
        let mut held = values.clone();
        held.resize(most_rows * top_k, 0);
        let (ids, step) =
            (gpu.array_of("ids", &held).unwrap(), gpu.array_of("step", &[5, row_count as u32, 0]).unwrap());
        let tiles = Output::<u32>::new(gpu, "tiles", tiles_len(shape, most_rows));
        run(gpu, row_count, |plan| record(plan, shape, most_rows, &ids, &step, &tiles.array));
        let expected = reference(&values, shape, most_rows);
        for (place, (got, wanted)) in tiles.read(gpu).chunks(9).zip(expected.chunks(9)).enumerate() {
            assert_eq!(got[0], wanted[0], "tile {place}");
            assert!(wanted[0] == NONE || got == wanted, "tile {place}: {got:?}, expected {wanted:?}");
        }
    });
}
