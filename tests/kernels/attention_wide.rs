use crate::attention::{Shape, check_with, pictures};
use crate::support::*;
use percept::gpu::Gpu;
use percept::kernels::Variant;
use percept::kernels::attention::reference;
use percept::kernels::attention_wide::{self, Scratch, fits};
use percept::kernels::norm_rope::{Heads, Values};
use proptest::prelude::*;

fn check(gpu: &Gpu, shape: &Shape) {
    for variant in Variant::all(gpu).into_iter().filter(|variant| variant.wide) {
        check_with(gpu, shape, |plan, heads, reach, slots, rows, arrays| {
            assert!(fits(heads));
            let scratch = Scratch::new(gpu, &[(*heads, slots)], rows).unwrap().unwrap();
            attention_wide::record(plan, variant, heads, reach, [slots, rows], arrays, &scratch)
        });
    }
}

#[test]
fn reference_is_that_of_attention() {
    let heads = Heads { num_heads: 1, num_kv_heads: 1, head_dim: 2, values: Values::Plain };
    let (q, k, v) = ([1.0, 0.0], [0.0, 1.0, 0.0, 2.0], [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(attention_wide::reference(&heads, &q, &k, &v), reference(&heads, &q, &k, &v));
}

#[test]
fn shaders_equal_reference() {
    let window = prop_oneof![Just(None), (1usize..80).prop_map(Some)];
    let group = prop_oneof![Just(1usize), Just(2), Just(4), Just(8)];
    let shapes = (1usize..4, group, 1usize..40, 1usize..20, 0usize..90, window, 0usize..20, 0usize..5, any::<u64>());
    let shapes = shapes.prop_map(|(kv, group, half, rows, position, window, block, spare_slots, seed)| Shape {
        kv,
        group,
        dim: 2 * half,
        rows,
        position,
        window,
        block: block.min(rows),
        picture: None,
        spare_slots,
        seed,
    });
    for_shapes(24, shapes, check);
}

#[test]
fn rows_over_several_tiles() {
    let window = prop_oneof![Just(None), (900usize..1500).prop_map(Some)];
    for_shapes(4, (1500usize..2500, window, any::<u64>()), |gpu, &(position, window, seed)| {
        let shape =
            Shape { kv: 2, group: 4, dim: 6, rows: 9, position, window, block: 0, picture: None, spare_slots: 3, seed };
        check(gpu, &shape);
    });
}

#[test]
fn pictures_do_not_see_each_other() {
    for_shapes(6, pictures(), check);
}

#[test]
fn groups_that_do_not_divide_eight_are_left_to_attention() {
    let heads = |num_heads, num_kv_heads| Heads { num_heads, num_kv_heads, head_dim: 64, values: Values::Plain };
    assert!(!fits(&heads(6, 2)) && !fits(&heads(16, 1)) && fits(&heads(16, 2)));
}
