use crate::support::*;
use percept::kernels::pool_patches::{Arrays, record, reference};
use percept::kernels::stride;
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // Two tokens beside each other, of 2 × 2 patches with one value: means 3.5 and 5.5, √1 = 1.
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    assert_eq!(reference(&x, 4, 2, &[0.5], &[2.0]), [6.0, 10.0]);
}

#[test]
fn shader_equals_reference() {
    // One to three pictures, tokens across and down.
    let pictures = proptest::collection::vec((1usize..5, 1usize..5), 1..4);
    for_shapes(12, (pictures, 1usize..4, 1usize..140, any::<u64>()), |gpu, (pictures, side, width, seed)| {
        let (side, width, seed) = (*side, *width, *seed);
        let tokens: usize = pictures.iter().map(|(across, down)| across * down).sum();
        let x = noise(seed, tokens * side * side * width);
        let (bias, scale) = (noise(seed ^ 1, width), noise(seed ^ 2, width));
        let (mut places, mut ends, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for (across, down) in pictures {
            let (columns, patches, first) = (across * side, across * down * side * side, ends.len());
            places.extend((0..patches).flat_map(|p| [p % columns, p / columns].map(|n| n as u32)));
            ends.extend(vec![[first as u32, (first + patches) as u32 - 1]; patches]);
            expected.extend(reference(&x[first * width..][..patches * width], columns, side, &bias, &scale));
        }
        let y = Output::new(gpu, "y", tokens * stride(width));
        let arrays = Arrays {
            x: &rows(gpu, "x", &x, width, stride(width)),
            places: &gpu.array_of("places", &places).unwrap(),
            ends: &gpu.array_of("ends", &ends).unwrap(),
            bias: &gpu.array_of("bias", &bias).unwrap(),
            scale: &gpu.array_of("scale", &scale).unwrap(),
            y: &y.array,
        };
        run(gpu, tokens, |plan| record(plan, width, side, tokens, &arrays));
        assert_close("y", &y.read_rows(gpu, width, stride(width)), &expected, 1e-6);
    });
}
