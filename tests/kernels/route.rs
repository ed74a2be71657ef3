use crate::support::*;
use percept::kernels::route::{Arrays, MOST_EXPERTS, Shape, record, reference};
use percept::kernels::stride;
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    let (ids, shares) = reference(&[0.0, 2f32.ln(), 0.0, 2f32.ln(), -1e30], &[1.0, 2.0, 3.0, 4.0, 5.0], 3);
    assert_eq!(ids, [1, 3, 0]);
    assert_close("shares", &shares, &[0.8, 1.6, 0.2], 1e-6);
}

/// Ids and shares of the shader.
fn routed(gpu: &percept::gpu::Gpu, scores: &[f32], scale: &[f32], top_k: usize) -> (Vec<u32>, Vec<f32>) {
    let (num_experts, row_count) = (scale.len(), scores.len() / scale.len());
    let ids = Output::new(gpu, "ids", row_count * top_k);
    let shares = Output::new(gpu, "shares", row_count * top_k);
    let arrays = Arrays {
        scores: &rows(gpu, "scores", scores, num_experts, stride(num_experts)),
        scale: &gpu.array_of("scale", scale).unwrap(),
        ids: &ids.array,
        shares: &shares.array,
    };
    run(gpu, row_count, |plan| record(plan, Shape { num_experts, top_k }, row_count, &arrays));
    (ids.read(gpu), shares.read(gpu))
}

#[test]
fn shader_equals_reference() {
    let sizes = prop_oneof![Just(1usize), Just(63), Just(64), Just(65), Just(MOST_EXPERTS), 1usize..200];
    for_shapes(12, (1usize..6, sizes, 1usize..40, any::<u64>()), |gpu, &(row_count, num_experts, top_k, seed)| {
        let top_k = top_k.min(num_experts);
        // Rounded, so that there are equal ones.
        let scores: Vec<f32> =
            noise(seed, row_count * num_experts).iter().map(|v| (v * 200.0).round() / 20.0).collect();
        let scale = noise(seed ^ 1, num_experts);
        let (ids, shares) = routed(gpu, &scores, &scale, top_k);
        let (expected_ids, expected) = reference(&scores, &scale, top_k);
        assert_eq!(ids, expected_ids);
        assert_close("shares", &shares, &expected, 3e-6);
    });
}

#[test]
fn far_scores_do_not_overflow_and_bad_ones_choose_some_expert() {
    for gpu in gpus() {
        let (ids, shares) = routed(gpu, &[1e4, -1e4, 3e38, -3e38], &[1.0; 4], 4);
        assert_eq!((ids, shares), (vec![2, 0, 1, 3], vec![1.0, 0.0, 0.0, 0.0]));
        let (ids, _) = routed(gpu, &[f32::NAN; 9], &[1.0; 9], 3);
        assert!(ids.iter().all(|id| *id < 9), "{ids:?}");
    }
}

#[test]
fn more_experts_than_there_is_room_for_are_refused() {
    let gpu = &gpus()[0];
    let (scores, ids) = (gpu.array("scores", 4096).unwrap(), gpu.array("ids", 4096).unwrap());
    let arrays = Arrays { scores: &scores, scale: &scores, ids: &ids, shares: &scores };
    for (num_experts, top_k) in [(MOST_EXPERTS + 1, 1), (4, 5), (4, 0)] {
        let mut plan = percept::gpu::PlanBuilder::new(gpu);
        let error = record(&mut plan, Shape { num_experts, top_k }, 1, &arrays).unwrap_err().to_string();
        assert!(error.contains("num_experts"), "{error}");
    }
}
