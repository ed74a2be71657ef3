use crate::support::*;
use percept::kernels::multiply_add::{Params, record, reference};

#[test]
fn reference_by_hand() {
    // Without a round the numbers of lane 0 are 0/32 … 31/32; a round of 0 · v + 2 makes each of them 2.
    assert_eq!(reference(Params::new(0), 1)[..2], [15.5, 15.5 + 0.5]);
    assert_eq!(reference(Params { rounds: 1, factor: 0.0, addend: 2.0, pad: 0 }, 2), [64.0; 128]);
}

#[test]
fn shader_equals_reference() {
    for_shapes(8, (1usize..7, 0u32..40, -0.9f32..0.9, -1f32..1.0), |gpu, &(groups, rounds, factor, addend)| {
        let params = Params { rounds, factor, addend, pad: 0 };
        let y = Output::new(gpu, "y", groups * 64);
        run(gpu, 1, |plan| record(plan, params, groups, &y.array));
        assert_close("y", &y.read(gpu), &reference(params, groups), 3e-6);
    });
}
