//! The cases that the self-test checks and the benches time are themselves right, and know what they cost.

use crate::support::gpus;
use percept::kernels::{Size, Variant, cases};

#[test]
fn odd_cases_are_right_in_every_variant() {
    for gpu in gpus() {
        for case in cases().iter().filter(|case| case.size == Size::Odd && case.suits(gpu)) {
            let prepared = case.prepare(gpu).unwrap();
            for variant in Variant::all(gpu) {
                let plan = prepared.plan(gpu, variant, 1).unwrap();
                let checked = prepared.check(gpu, &plan).unwrap();
                assert!(checked.is_right(), "{case:?} {variant:?} on {}: {checked:?}", gpu.adapter().title());
            }
        }
    }
}

#[test]
fn real_cases_fit_one_binding_and_know_their_cost() {
    // One of its own: what other tests hold meanwhile does not count.
    let gpu = &percept::gpu::Gpu::open(&Default::default()).unwrap();
    let all = cases();
    for case in all.iter().filter(|case| case.size == Size::Real && !case.shape.contains("15360")) {
        let before = gpu.held_bytes();
        let prepared = case.prepare(gpu).unwrap();
        assert!(gpu.held_bytes() - before < 400 << 20, "{case:?} holds {} bytes", gpu.held_bytes() - before);
        let plan = prepared.plan(gpu, Variant::best(gpu), 1).unwrap();
        let cost = prepared.summary(&plan);
        assert!(cost.bytes > 0 || cost.flops > 0, "{case:?} has no floor");
    }
    let twins: std::collections::BTreeSet<_> = all.iter().map(|case| case.kernel).collect();
    for twin in twins {
        for size in [Size::Odd, Size::Real] {
            assert!(all.iter().any(|c| c.kernel == twin && c.size == size), "{twin} has no {size:?} case");
        }
    }
}
