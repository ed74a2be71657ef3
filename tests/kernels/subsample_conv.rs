use crate::support::*;
use percept::gpu::Gpu;
use percept::kernels::stride;
use percept::kernels::subsample_conv::{Arrays, Shape, record, reference};
use proptest::prelude::*;

const PLAIN: Shape = Shape {
    in_ring: 9,
    in_size: 2,
    in_channels: 1,
    out_ring: None,
    out_channels: 2,
    rows_of_token: 1,
    row_samples: 10,
    lead: 5,
    eps: 0.0,
};

#[test]
fn reference_by_hand() {
    // The middle tap to channel 0, the one right of it to channel 1; the last row is not known.
    let mut weight = [0.0; 18];
    (weight[4 * 2], weight[5 * 2 + 1]) = (1.0, 1.0);
    let x = [3.0, 1.0, 9.0, 9.0, 2.0, 6.0, 9.0, 9.0, 7.0, 8.0];
    // Two channels are normed to 1 and -1, of which ReLU leaves the first.
    assert_eq!(reference(&PLAIN, &x, &weight, &[1.0, 0.5], 16), [1.0, 0.0, 0.0, 0.5, 0.0, 0.0]);
    // Taps of the row before and the one behind: padding is zero.
    let mut weight = [0.0; 18];
    (weight[2], weight[7 * 2 + 1]) = (1.0, 1.0);
    assert_eq!(reference(&PLAIN, &x, &weight, &[1.0, 1.0], 100)[..4], [0.0, 1.0, 0.0, 0.0]);
}

/// A stream in replays of so many tokens, from a ring into a ring or to rows.
fn check(gpu: &Gpu, shape: &Shape, tokens: usize, chunk: usize, known: usize, seed: u64) {
    let (in_width, out_width) = (shape.in_size * shape.in_channels, shape.out_size() * shape.out_channels);
    let rows_in = 2 * tokens * shape.rows_of_token;
    let x = noise(seed, rows_in * in_width);
    let weight = noise(seed ^ 1, 9 * shape.in_channels * shape.out_channels);
    let norm = noise(seed ^ 2, shape.out_channels);
    let expected = reference(shape, &x, &weight, &norm, known);
    let weights = rows(gpu, "weight", &weight, shape.out_channels, stride(shape.out_channels));
    let norms = gpu.array_of("norm", &norm).unwrap();
    let (in_stride, out_stride) = (stride(in_width), stride(out_width));
    let ring = gpu.array_of("x", &vec![f32::NAN; shape.in_ring * in_stride]).unwrap();
    for first in (0..tokens).step_by(chunk) {
        let now = chunk.min(tokens - first);
        for row in 2 * first * shape.rows_of_token..2 * (first + now) * shape.rows_of_token {
            gpu.write(&ring, row % shape.in_ring * in_stride, &x[row * in_width..][..in_width]);
        }
        let span = gpu.array_of("span", &[first as u32, now as u32, known as u32]).unwrap();
        let places = shape.out_ring.unwrap_or(chunk * shape.rows_of_token);
        let y = Output::new(gpu, "y", places * out_stride);
        let arrays = Arrays { x: &ring, span: &span, weight: &weights, norm: &norms, y: &y.array };
        run(gpu, now, |plan| record(plan, shape, chunk, &arrays));
        let all = y.read_rows(gpu, out_width, out_stride);
        for row in 0..now * shape.rows_of_token {
            let place = first * shape.rows_of_token + row;
            let at = shape.out_ring.map_or(row, |ring| place % ring);
            let (got, wanted) = (&all[at * out_width..][..out_width], &expected[place * out_width..][..out_width]);
            assert_close(&format!("row {place}"), got, wanted, 1e-5);
        }
    }
}

#[test]
fn shader_equals_reference() {
    let sizes = (1usize..12, 1usize..6, prop_oneof![Just(63), Just(65), 2usize..90]);
    let shapes = (1usize..7, 1usize..4, sizes, 1usize..3, any::<bool>(), 0usize..3, any::<u64>());
    for_shapes(
        12,
        shapes,
        |gpu, &(tokens, chunk, (in_size, in_channels, out_channels), rows_of_token, to_ring, spare, seed)| {
            let most = chunk * rows_of_token;
            let shape = Shape {
                in_ring: 2 * most + 1 + spare,
                in_size,
                in_channels,
                out_ring: to_ring.then_some(most + spare),
                out_channels,
                rows_of_token,
                eps: 1e-4,
                ..PLAIN
            };
            // All rows, or all but the last one or two.
            let known = (tokens * rows_of_token * 10 + 1).saturating_sub((seed % 20) as usize);
            check(gpu, &shape, tokens, chunk, known, seed);
        },
    );
}
