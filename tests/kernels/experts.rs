use crate::support::*;
use percept::gpu::{Array, Gpu};
use percept::kernels::experts::{Chosen, record_gated, record_sum, reference_gated, reference_parts, reference_sum};
use percept::kernels::route::Shape;
use percept::kernels::{Format, Matrix, Variant, case, expert_tiles, stride};
use proptest::prelude::*;

#[test]
fn references_by_hand() {
    // Two experts of one gate and one other row each; gelu_tanh(1) = 0.8411919906.
    let shape = Shape { num_experts: 2, top_k: 1 };
    let weight = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 2.0, 0.0];
    let y = reference_gated(&weight, 2, shape, &[0, 1], &[1.0, 5.0, 3.0, 1.0]);
    assert_close("gated", &y, &[5.0 * 0.841_192, 6.0 * 0.841_192], 1e-6);
    let shape = Shape { num_experts: 2, top_k: 2 };
    let parts = reference_parts(&[1.0, 2.0, 10.0, 20.0], 1, shape, &[1, 0], &[0.5, 2.0], &[1.0, 3.0]);
    assert_eq!(parts, [5.0, 10.0, 6.0, 12.0]);
    assert_eq!(reference_sum(2, 2, &parts), [11.0, 22.0]);
}

/// Which of the products.
#[derive(Clone, Copy, Debug)]
struct Work {
    gated: bool,
    tiled: bool,
    shape: Shape,
    seed: u64,
}

impl Work {
    fn all(shape: Shape, seed: u64) -> [Work; 4] {
        [(true, false), (false, false), (true, true), (false, true)].map(|(gated, tiled)| Work {
            gated,
            tiled,
            shape,
            seed,
        })
    }

    fn expert_rows(self, outputs: usize) -> usize {
        if self.gated { 2 * outputs } else { outputs }
    }
}

/// The products of `matrix`, whose values are `values`, against the references.
fn check(gpu: &Gpu, what: &str, variant: Variant, work: Work, matrix: &Matrix, values: &[f32]) {
    let Work { gated, tiled, shape, seed } = work;
    // Rows of some experts fill more than a tile.
    let (width, count) = (matrix.width, 1 + seed as usize % if tiled { 60 } else { 7 });
    let slots = count * shape.top_k;
    let (ids, shares) = (case::picks(seed ^ 2, slots, shape.num_experts), noise(seed ^ 3, slots));
    let outputs = matrix.rows / shape.num_experts / if gated { 2 } else { 1 };
    let tiles: Option<Array<u32>> =
        tiled.then(|| gpu.array_of("tiles", &expert_tiles::reference(&ids, shape, count)).unwrap());
    let (ids_on_gpu, shares_on_gpu) = (gpu.array_of("ids", &ids).unwrap(), gpu.array_of("shares", &shares).unwrap());
    let chosen = Chosen { shape, ids: &ids_on_gpu, shares: &shares_on_gpu, tiles: tiles.as_ref() };
    let (x_rows, y_rows) = if gated { (count, slots) } else { (slots, count * chosen.parts()) };
    let x = noise(seed ^ 1, x_rows * width);
    let on_gpu = rows(gpu, "x", &x, width, stride(width));
    let y = Output::new(gpu, "y", y_rows * stride(outputs));
    run(gpu, count, |plan| match gated {
        true => record_gated(plan, variant, matrix, &chosen, count, &on_gpu, &y.array),
        false => record_sum(plan, variant, matrix, &chosen, count, &on_gpu, &y.array),
    });
    let expected = match gated {
        true => reference_gated(values, width, shape, &ids, &x),
        false => {
            let parts = reference_parts(values, width, shape, &ids, &shares, &x);
            reference_sum(shape.top_k / chosen.parts(), outputs, &parts)
        }
    };
    let got = y.read_rows(gpu, outputs, stride(outputs));
    assert_close(&format!("{what} {variant:?} {work:?}"), &got, &expected, 1e-5);
}

#[test]
fn shaders_equal_references_in_every_plain_format_and_variant() {
    let shapes =
        (1usize..9, 1usize..6, 1usize..80, prop_oneof![Just(1usize), Just(255), Just(257), 1usize..300], 1usize..9);
    for_shapes(6, (shapes, any::<u64>()), |gpu, &((num_experts, top_k, outputs, width, block), seed)| {
        let shape = Shape { num_experts, top_k: top_k.min(num_experts) };
        for work in Work::all(shape, seed) {
            let expert_rows = work.expert_rows(outputs);
            let values = noise(seed, num_experts * expert_rows * width);
            for format in Format::PLAIN {
                let (weight, rounded) = matrix(gpu, format, &values, width, block * expert_rows);
                for variant in Variant::all(gpu) {
                    check(gpu, format.name(), variant, work, &weight, &rounded);
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
            for work in Work::all(shape, seed) {
                let expert_rows = work.expert_rows(outputs);
                let all = num_experts * expert_rows;
                let (weight, values) =
                    case::block_matrix(gpu, format, seed, all, width, block * expert_rows, as_texture).unwrap();
                let what = format!("{format} {as_texture}");
                check(gpu, &what, Variant::best(gpu), work, &weight, &values);
            }
        }
    });
}

#[test]
fn a_block_that_cuts_an_expert_is_refused() {
    let gpu = &gpus()[0];
    let (weight, _) = matrix(gpu, Format::F32, &noise(1, 8 * 4), 4, 3);
    let (x, ids) = (gpu.array("x", 64).unwrap(), gpu.array("ids", 8).unwrap());
    let chosen = Chosen { shape: Shape { num_experts: 4, top_k: 2 }, ids: &ids, shares: &x, tiles: None };
    let mut plan = percept::gpu::PlanBuilder::new(gpu);
    let error = record_sum(&mut plan, Variant::default(), &weight, &chosen, 1, &x, &x).unwrap_err().to_string();
    assert!(error.contains("a block of 3 rows, but experts have 2"), "{error}");
}

/// Kernels of textures look at whole groups: rows that end within one would be multiplied with what lies behind them.
#[test]
fn rows_that_end_within_a_group_are_refused_in_textures() {
    for gpu in gpus() {
        let shape = Shape { num_experts: 2, top_k: 1 };
        let (weight, _) = case::block_matrix(gpu, Format::F32, 1, 16, 36, 16, true).unwrap();
        let (ids, shares) = (gpu.array_of("ids", &[0u32]).unwrap(), gpu.array_of("shares", &[1.0f32]).unwrap());
        let chosen = Chosen { shape, ids: &ids, shares: &shares, tiles: None };
        let (x, y) = (gpu.array::<f32>("x", 36).unwrap(), gpu.array::<f32>("y", 8).unwrap());
        let mut plan = percept::gpu::PlanBuilder::new(gpu);
        let error = record_sum(&mut plan, Variant::best(gpu), &weight, &chosen, 1, &x, &y).unwrap_err().to_string();
        assert!(error.contains("groups of 32, but a row has 36"), "{error}");
    }
}
