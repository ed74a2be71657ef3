use crate::support::*;
use percept::gpu::{Array, Gpu};
use percept::kernels::experts::{Chosen, record_gated, record_sum, reference_gated, reference_sum};
use percept::kernels::route::Shape;
use percept::kernels::{Format, Matrix, Variant, case, stride};
use proptest::prelude::*;

#[test]
fn references_by_hand() {
    // Two experts of one gate and one other row each; gelu_tanh(1) = 0.8411919906.
    let shape = Shape { num_experts: 2, top_k: 1 };
    let weight = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 2.0, 0.0];
    let y = reference_gated(&weight, 2, shape, &[0, 1], &[1.0, 5.0, 3.0, 1.0]);
    assert_close("gated", &y, &[5.0 * 0.841_192, 6.0 * 0.841_192], 1e-6);
    let shape = Shape { num_experts: 2, top_k: 2 };
    let y = reference_sum(&[1.0, 2.0, 10.0, 20.0], 1, shape, &[1, 0], &[0.5, 2.0], &[1.0, 3.0]);
    assert_eq!(y, [11.0, 22.0]);
}

/// What the experts of each row are.
struct Rows {
    count: usize,
    ids: Vec<u32>,
    shares: Vec<f32>,
}

/// Both products with `weight`, whose values are `values`, against the references.
fn check(
    gpu: &Gpu,
    what: &str,
    variant: Variant,
    gated: bool,
    shape: Shape,
    matrix: &Matrix,
    values: &[f32],
    seed: u64,
) {
    let (width, row_count) = (matrix.width, 1 + seed as usize % 7);
    let mut all = Rows { count: row_count, ids: Vec::new(), shares: noise(seed ^ 3, row_count * shape.top_k) };
    all.ids = case::picks(seed ^ 2, row_count * shape.top_k, shape.num_experts);
    let expert_rows = matrix.rows / shape.num_experts;
    let (x_rows, y_rows, outputs) = match gated {
        true => (all.count, all.count * shape.top_k, expert_rows / 2),
        false => (all.count * shape.top_k, all.count, expert_rows),
    };
    let x = noise(seed ^ 1, x_rows * width);
    let on_gpu = rows(gpu, "x", &x, width, stride(width));
    let (ids, shares): (Array<u32>, Array<f32>) =
        (gpu.array_of("ids", &all.ids).unwrap(), gpu.array_of("shares", &all.shares).unwrap());
    let chosen = Chosen { shape, ids: &ids, shares: &shares };
    let y = Output::new(gpu, "y", y_rows * stride(outputs));
    run(gpu, all.count, |plan| match gated {
        true => record_gated(plan, variant, matrix, &chosen, all.count, &on_gpu, &y.array),
        false => record_sum(plan, variant, matrix, &chosen, all.count, &on_gpu, &y.array),
    });
    let expected = match gated {
        true => reference_gated(values, width, shape, &all.ids, &x),
        false => reference_sum(values, width, shape, &all.ids, &all.shares, &x),
    };
    let got = y.read_rows(gpu, outputs, stride(outputs));
    assert_close(&format!("{what} {variant:?} gated {gated}"), &got, &expected, 1e-5);
}

#[test]
fn shaders_equal_references_in_every_plain_format_and_variant() {
    let shapes =
        (1usize..9, 1usize..6, 1usize..80, prop_oneof![Just(1usize), Just(255), Just(257), 1usize..300], 1usize..9);
    for_shapes(6, (shapes, any::<u64>()), |gpu, &((num_experts, top_k, outputs, width, block), seed)| {
        let shape = Shape { num_experts, top_k: top_k.min(num_experts) };
        for gated in [true, false] {
            let expert_rows = if gated { 2 * outputs } else { outputs };
            let values = noise(seed, num_experts * expert_rows * width);
            for format in Format::PLAIN {
                let (weight, rounded) = matrix(gpu, format, &values, width, block * expert_rows);
                for variant in Variant::all(gpu) {
                    check(gpu, format.name(), variant, gated, shape, &weight, &rounded, seed);
                }
            }
        }
    });
}

#[test]
fn shaders_equal_references_in_every_block_format() {
    let shapes = (1usize..7, 1usize..5, 1usize..40, 1usize..3, 1usize..12, 1usize..7);
    for_shapes(2, (shapes, any::<u64>()), |gpu, &((num_experts, top_k, outputs, large, small, block), seed)| {
        let shape = Shape { num_experts, top_k: top_k.min(num_experts) };
        for (format, as_texture) in both_places() {
            let width = if format.block_len() == 32 { 32 * small } else { 256 * large };
            for gated in [true, false] {
                let expert_rows = if gated { 2 * outputs } else { outputs };
                let all = num_experts * expert_rows;
                let (weight, values) =
                    case::block_matrix(gpu, format, seed, all, width, block * expert_rows, as_texture).unwrap();
                let what = format!("{format} {as_texture}");
                check(gpu, &what, Variant::best(gpu), gated, shape, &weight, &values, seed);
            }
        }
    });
}

#[test]
fn a_block_that_cuts_an_expert_is_refused() {
    let gpu = &gpus()[0];
    let (weight, _) = matrix(gpu, Format::F32, &noise(1, 8 * 4), 4, 3);
    let (x, ids) = (gpu.array("x", 64).unwrap(), gpu.array("ids", 8).unwrap());
    let chosen = Chosen { shape: Shape { num_experts: 4, top_k: 2 }, ids: &ids, shares: &x };
    let mut plan = percept::gpu::PlanBuilder::new(gpu);
    let error = record_sum(&mut plan, Variant::default(), &weight, &chosen, 1, &x, &x).unwrap_err().to_string();
    assert!(error.contains("a block of 3 rows, but experts have 2"), "{error}");
}
