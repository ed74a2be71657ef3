use crate::support::*;
use percept::kernels::{Bounds, ring, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    let bounds = Bounds { low: -1.0, high: 2.0 };
    assert_eq!(ring::reference(&[5.0, -5.0, 0.5], 1, 4, bounds, vec![9.0; 4]), [2.0, -1.0, 0.5, 9.0]);
    assert_eq!(ring::reference(&[1.0, 3.0], 1, 7, Bounds::NONE, vec![9.0; 4]), [3.0, 9.0, 9.0, 1.0]);
}

#[test]
fn bounds_one_after_another() {
    let outer = Bounds { low: -3.0, high: f32::MAX };
    assert_eq!(outer.then(Bounds::around_zero(2.0)), Bounds { low: -2.0, high: 2.0 });
    assert_eq!(Bounds { low: 4.0, high: 5.0 }.then(Bounds::around_zero(2.0)), Bounds { low: 2.0, high: 2.0 });
}

#[test]
fn shader_equals_reference() {
    let shapes = (1usize..9, prop_oneof![Just(63), Just(64), 1usize..300], 0usize..9, 0usize..1000, any::<u64>());
    for_shapes(12, shapes, |gpu, &(row_count, width, spare, first, seed)| {
        let places = row_count + spare;
        let (x, old) = (noise(seed, row_count * width), noise(seed ^ 1, places * width));
        let bounds = Bounds { low: -0.5, high: 0.7 };
        let y = rows(gpu, "y", &old, width, stride(width));
        let on_gpu = rows(gpu, "x", &x, width, stride(width));
        let span = gpu.array_of("span", &[first as u32]).unwrap();
        run(gpu, row_count, |plan| ring::record(plan, width, places, bounds, row_count, &on_gpu, &span, &y));
        let expected = ring::reference(&x, width, first, bounds, old);
        assert_eq!(gpu.read(&y).unwrap(), spread(&expected, width, stride(width)));
    });
}

#[test]
fn a_ring_shorter_than_a_replay_is_refused() {
    let gpu = &gpus()[0];
    let (x, span) = (gpu.array("x", 64).unwrap(), gpu.array("span", 1).unwrap());
    let mut plan = percept::gpu::PlanBuilder::new(gpu);
    let error = ring::record(&mut plan, 4, 3, Bounds::NONE, 4, &x, &span, &x).unwrap_err();
    assert_eq!(error.to_string(), "ring of ring holds 3 rows, 4 are needed");
}
