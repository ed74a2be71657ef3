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
    let shapes = (1usize..5, 1usize..5, 1usize..4, 1usize..140);
    for_shapes(12, (shapes, any::<u64>()), |gpu, &((across, down, side, width), seed)| {
        let (columns, patches) = (across * side, across * down * side * side);
        let x = noise(seed, patches * width);
        let (bias, scale) = (noise(seed ^ 1, width), noise(seed ^ 2, width));
        let places: Vec<u32> = (0..patches).flat_map(|p| [p % columns, p / columns].map(|n| n as u32)).collect();
        let tokens = across * down;
        let y = Output::new(gpu, "y", tokens * stride(width));
        let arrays = Arrays {
            x: &rows(gpu, "x", &x, width, stride(width)),
            places: &gpu.array_of("places", &places).unwrap(),
            span: &gpu.array_of("span", &[0, patches as u32]).unwrap(),
            bias: &gpu.array_of("bias", &bias).unwrap(),
            scale: &gpu.array_of("scale", &scale).unwrap(),
            y: &y.array,
        };
        run(gpu, tokens, |plan| record(plan, width, side, tokens, &arrays));
        let expected = reference(&x, columns, side, &bias, &scale);
        assert_close("y", &y.read_rows(gpu, width, stride(width)), &expected, 1e-6);
    });
}
