use crate::support::*;
use percept::kernels::{stride, take_row};
use proptest::prelude::*;

#[test]
fn shader_equals_reference() {
    for_shapes(8, (1usize..9, 1usize..300, any::<u64>()), |gpu, &(row_count, width, seed)| {
        let x = noise(seed, row_count * width);
        let row = seed as usize % row_count;
        let on_gpu = rows(gpu, "x", &x, width, stride(width));
        let step = gpu.array_of("step", &[7u32, 9, row as u32]).unwrap();
        let y = Output::new(gpu, "y", stride(width));
        run(gpu, 1, |plan| take_row::record(plan, width, row_count, &on_gpu, &step, &y.array));
        let expected = take_row::reference(&x, width, row);
        assert_eq!(y.read(gpu)[..width], expected[..]);
    });
}
