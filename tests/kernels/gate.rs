use crate::support::*;
use percept::kernels::{gate, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // gelu_tanh(1) = 0.5 (1 + tanh(0.7978845608 · 1.044715)) = 0.8411919906
    let y = gate::reference(&[1.0, 0.0, 2.0, 5.0, -1.0, 1e4, 1.0, 0.5], 2);
    assert_close("y", &y, &[1.682_384, 0.0, -0.158_808, 5000.0], 1e-6);
    assert_close("y", &y[..3], &[1.682_384, 0.0, -0.158_808], 1e-6);
}

#[test]
fn shader_equals_reference() {
    let sizes = prop_oneof![Just(1), Just(511), Just(512), Just(513), 1usize..1200];
    for_shapes(12, (1usize..6, sizes, any::<u64>()), |gpu, &(row_count, size, seed)| {
        let gate_up: Vec<f32> = noise(seed, row_count * 2 * size).iter().map(|v| 6.0 * v).collect();
        let on_gpu = rows(gpu, "gate_up", &gate_up, 2 * size, stride(2 * size));
        let y = Output::new(gpu, "y", row_count * stride(size));
        run(gpu, row_count, |plan| gate::record_joint(plan, size, row_count, &on_gpu, &y.array));
        let expected = gate::reference(&gate_up, size);
        assert_close("y", &y.read_rows(gpu, size, stride(size)), &expected, 2e-6);
    });
}

#[test]
fn large_gates_neither_overflow_nor_leak() {
    for gpu in gpus() {
        let gates = [1e4, -1e4, 1e13, -1e13, 1e20, -1e20, 40.0, -40.0, -5.0, -4.0, 0.0];
        let size = gates.len();
        let gate_up: Vec<f32> = gates.into_iter().chain(vec![1.0; size]).collect();
        let on_gpu = rows(gpu, "gate_up", &gate_up, 2 * size, stride(2 * size));
        let y = Output::new(gpu, "y", stride(size));
        run(gpu, 1, |plan| gate::record_joint(plan, size, 1, &on_gpu, &y.array));
        let y = y.read_rows(gpu, size, stride(size));
        for (i, expected) in gate::reference(&gate_up, size).into_iter().enumerate() {
            // Small negative results too are right to a part in 10⁵, where the formula with tanh has lost them.
            let allowed = 1e-5 * expected.abs() + 1e-14;
            assert!((y[i] - expected).abs() <= allowed, "gate {}: {} {expected}", gate_up[i], y[i]);
        }
    }
}

#[test]
fn the_other_branch_may_lie_in_wider_rows() {
    for_shapes(8, (1usize..6, 1usize..300, 0usize..40, any::<u64>()), |gpu, &(row_count, size, start, seed)| {
        let (gate, up_stride) = (noise(seed, row_count * size), start + size + 3);
        let up = noise(seed ^ 1, row_count * up_stride);
        let on_gpu = rows(gpu, "gate", &gate, size, stride(size));
        let up_array = gpu.array_of("up", &up).unwrap();
        let y = Output::new(gpu, "y", row_count * stride(size));
        let arrays =
            gate::Arrays { gate: &on_gpu, gate_stride: stride(size), up: &up_array, up_start: start, up_stride };
        run(gpu, row_count, |plan| gate::record(plan, size, row_count, &arrays, &y.array));
        let joint: Vec<f32> = gate
            .chunks(size)
            .zip(up.chunks(up_stride))
            .flat_map(|(gate, up)| gate.iter().chain(&up[start..start + size]).copied().collect::<Vec<_>>())
            .collect();
        assert_close("y", &y.read_rows(gpu, size, stride(size)), &gate::reference(&joint, size), 2e-6);
    });
}
