use crate::support::*;
use percept::kernels::local_attention::{Arrays, MOST, Shape, record, reference};
use percept::kernels::{Bounds, stride};
use proptest::prelude::*;

const PLAIN: Shape =
    Shape { num_heads: 1, head_dim: 1, window: 2, ring: 2, cap: 1e6, queries: Bounds::NONE, result: Bounds::NONE };

#[test]
fn reference_by_hand() {
    // Row 1: scores 1 · (0 + 0) for its own key and 1 · (1 + (ln 3 - 1)) for the one before: weights ¼ and ¾.
    let relative = [0.0, 3f32.ln() - 1.0];
    let out = reference(&PLAIN, &[7.0, 0.5], &[2.0], &[1.0, 0.0], &[8.0, 4.0], &relative);
    assert_close("out", &out, &[8.0, 7.0], 1e-6);
    // A cap of nothing makes all weights equal; the query is cut to 0 by its bounds.
    let capped = Shape { cap: 1e-6, ..PLAIN };
    assert_close(
        "capped",
        &reference(&capped, &[7.0, 0.5], &[2.0], &[1.0, 0.0], &[8.0, 4.0], &relative),
        &[8.0, 6.0],
        1e-5,
    );
    let cut = Shape { queries: Bounds { low: 0.0, high: 0.0 }, result: Bounds { low: 0.0, high: 5.0 }, ..PLAIN };
    assert_close("cut", &reference(&cut, &[7.0, 0.5], &[2.0], &[1.0, 0.0], &[8.0, 4.0], &relative), &[5.0, 5.0], 1e-6);
}

#[test]
fn shader_equals_reference() {
    let dim = prop_oneof![Just(1), Just(64), Just(65), 1usize..140];
    let shapes = (1usize..5, dim, 1usize..70, 1usize..8, 0usize..90, 0usize..3, any::<u64>());
    for_shapes(16, shapes, |gpu, &(num_heads, head_dim, window, row_count, first, spare, seed)| {
        let ring = row_count + window - 1 + spare;
        let shape = Shape {
            num_heads,
            head_dim,
            window,
            ring,
            cap: 3.0,
            queries: Bounds { low: -0.8, high: 0.9 },
            result: Bounds { low: -0.3, high: 0.25 },
        };
        let (width, all) = (num_heads * head_dim, first + row_count);
        let padded = stride(width);
        let [q, k, v] = [0, 1, 2].map(|n| noise(seed ^ n, all * width));
        let scale: Vec<f32> = noise(seed ^ 3, head_dim).iter().map(|s| s * 6.0 / (head_dim as f32).sqrt()).collect();
        let relative = noise(seed ^ 4, window * width);
        let places = |values: &[f32]| {
            let mut places = vec![f32::NAN; ring * padded];
            for (place, row) in values.chunks(width).enumerate() {
                places[place % ring * padded..][..width].copy_from_slice(row);
            }
            gpu.array_of("ring", &places).unwrap()
        };
        let out = Output::new(gpu, "out", row_count * padded);
        let arrays = Arrays {
            q: &rows(gpu, "q", &q[first * width..], width, padded),
            scale: &gpu.array_of("scale", &scale).unwrap(),
            k: &places(&k),
            v: &places(&v),
            relative: &gpu.array_of("relative", &relative).unwrap(),
            span: &gpu.array_of("span", &[first as u32]).unwrap(),
            out: &out.array,
        };
        run(gpu, row_count, |plan| record(plan, &shape, row_count, &arrays));
        let expected = reference(&shape, &q, &scale, &k, &v, &relative);
        assert_close("out", &out.read_rows(gpu, width, padded), &expected[first * width..], 5e-6);
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    let gpu = &gpus()[0];
    let (array, span) = (gpu.array("rows", 1 << 14).unwrap(), gpu.array("span", 1).unwrap());
    let refused = |shape: Shape| {
        let [q, scale, k, v, relative] = [&array; 5];
        let arrays = Arrays { q, scale, k, v, relative, span: &span, out: &array };
        let mut plan = percept::gpu::PlanBuilder::new(gpu);
        record(&mut plan, &shape, 2, &arrays).unwrap_err().to_string()
    };
    for (shape, sizes) in
        [(Shape { head_dim: MOST + 1, ..PLAIN }, "heads of 1025"), (Shape { window: 0, ..PLAIN }, "window of 0")]
    {
        assert!(refused(shape).contains(sizes), "{}", refused(shape));
    }
    assert_eq!(refused(PLAIN), "ring of local_attention holds 2 rows, 3 are needed");
}
