use crate::support::*;
use percept::kernels::{scatter, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    let mut y = [0.0; 6];
    scatter::reference(&[1.0, 2.0, 3.0, 4.0], 2, &[2, 0], &mut y);
    assert_eq!(y, [3.0, 4.0, 0.0, 0.0, 1.0, 2.0]);
}

#[test]
fn shader_equals_reference() {
    let widths = prop_oneof![Just(1), Just(255), Just(256), Just(257), 1usize..600];
    for_shapes(10, (1usize..20, 0usize..20, widths, any::<u64>()), |gpu, &(row_count, others, width, seed)| {
        let most = row_count + others;
        let x = noise(seed, row_count * width);
        let mut padded = x.clone();
        padded.resize(most * width, 0.5);
        // The first rows of a random order of all places.
        let mut order: Vec<u32> = (0..most as u32).collect();
        let keys = noise(seed ^ 1, most);
        order.sort_by(|a, b| keys[*a as usize].total_cmp(&keys[*b as usize]));
        let x_array = rows(gpu, "x", &padded, width, stride(width));
        let targets = gpu.array_of("targets", &order).unwrap();
        let y = Output::new(gpu, "y", most * stride(width));
        let mut expected = noise(seed ^ 2, most * width);
        for (i, row) in expected.chunks(width).enumerate() {
            gpu.write(&y.array, i * stride(width), row);
        }
        run(gpu, row_count, |plan| scatter::record(plan, width, most, &x_array, &targets, &y.array));
        scatter::reference(&x, width, &order, &mut expected);
        assert_eq!(y.read_rows(gpu, width, stride(width)), expected);
    });
}
