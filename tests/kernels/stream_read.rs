use crate::support::*;
use percept::kernels::stream_read::{Layout, record, reference};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // Blocks of two vectors, one lane each: (1+2+3+4) + (5+0+0+0), then what is left.
    let x = [[1.0, 2.0, 3.0, 4.0], [5.0, 0.0, 0.0, 0.0], [7.0, 0.0, 0.0, 0.5]];
    assert_eq!(reference(Layout { lanes: 1, block_bytes: 32 }, &x), [15.0, 7.5]);
    assert_eq!(reference(Layout { lanes: 2, block_bytes: 32 }, &x), [10.0, 5.0, 7.5, 0.0]);
}

#[test]
fn shader_equals_reference() {
    for_shapes(12, (1usize..9000, 0u32..3, 0u32..3, any::<u64>()), |gpu, &(len, lanes, block, seed)| {
        let layout = Layout { lanes: 16 << (2 * lanes), block_bytes: 16 << (10 + 2 * block) };
        let x: Vec<[f32; 4]> = noise(seed, 4 * len).chunks_exact(4).map(|v| [v[0], v[1], v[2], v[3]]).collect();
        let on_gpu = gpu.array_of("x", &x).unwrap();
        let y = Output::new(gpu, "y", layout.outputs(len));
        run(gpu, 1, |plan| record(plan, layout, &on_gpu, &y.array));
        assert_close("y", &y.read(gpu), &reference(layout, &x), 1e-5);
    });
}
