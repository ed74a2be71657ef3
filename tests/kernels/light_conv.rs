use crate::support::*;
use percept::kernels::clip_norm::Norm;
use percept::kernels::light_conv::{Arrays, Shape, glu_reference, record, record_glu, reference};
use percept::kernels::{Bounds, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // 2 sigmoid(0) = 1, and 8 cut to 4 times sigmoid(0).
    assert_eq!(glu_reference(&[2.0, 8.0, 0.0, 0.0], 2, Bounds { low: -4.0, high: 4.0 }), [1.0, 2.0]);
    // One channel is normed to 1 or -1 whatever it is: rows 1, 2·1 + 1·3 and -9 become 1, 1 and -1.
    let norm = Norm { eps: 0.0, limit: 4.0, bounds: Bounds::NONE };
    let y = reference(&[1.0, 3.0, -15.0], &[2.0, 1.0], &[1.0], norm);
    assert_close("y", &y, &[0.731_058_6, 0.731_058_6, -0.268_941_4], 1e-6);
}

#[test]
fn shaders_equal_reference_row_by_row_and_at_once() {
    let width = prop_oneof![Just(1), Just(64), Just(129), 1usize..300];
    let shapes = (2usize..12, width, 1usize..7, 0usize..4, 1usize..5, any::<u64>());
    for_shapes(12, shapes, |gpu, &(row_count, width, kernel_size, spare, chunk, seed)| {
        let norm = Norm { eps: 1e-6, limit: 1.3, bounds: Bounds { low: -0.25, high: 1.5 } };
        let halves = Bounds { low: -0.7, high: 0.8 };
        let x = noise(seed, row_count * 2 * width);
        let (taps, weight) = (noise(seed ^ 1, kernel_size * width), noise(seed ^ 2, width));
        let shape = Shape { hidden_size: width, kernel_size, ring: chunk + kernel_size - 1 + spare, most_rows: chunk };
        // What was there before is of no consequence.
        let g = gpu.array_of("g", &vec![f32::NAN; shape.ring * stride(width)]).unwrap();
        let [taps_on_gpu, weight_on_gpu] = [&taps, &weight].map(|v| gpu.array_of("weights", v).unwrap());
        let mut got = Vec::new();
        for first in (0..row_count).step_by(chunk) {
            let now = chunk.min(row_count - first);
            let mut part = x[first * 2 * width..(first + now) * 2 * width].to_vec();
            part.resize(chunk * 2 * width, 0.0);
            let on_gpu = rows(gpu, "x", &part, 2 * width, stride(2 * width));
            let span = gpu.array_of("span", &[first as u32]).unwrap();
            let y = Output::new(gpu, "y", chunk * stride(width));
            run(gpu, now, |plan| {
                record_glu(plan, shape, halves, &on_gpu, &span, &g)?;
                let arrays = Arrays { g: &g, span: &span, taps: &taps_on_gpu, weight: &weight_on_gpu, y: &y.array };
                record(plan, shape, norm, &arrays)
            });
            got.extend_from_slice(&y.read_rows(gpu, width, stride(width))[..now * width]);
        }
        let expected = reference(&glu_reference(&x, width, halves), &taps, &weight, norm);
        assert_close("y", &got, &expected, 5e-6);
    });
}
