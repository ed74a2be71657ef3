use crate::support::*;
use percept::kernels::{layer_norm, stride};
use proptest::prelude::*;

#[test]
fn reference_by_hand() {
    // x + x_bias = 1, 5: mean 3, variance 4; with eps 5 the root is 3.
    let y = layer_norm::reference(&[0.0, 6.0], &[1.0, -1.0], &[1.0, 6.0], &[0.5, -1.0], 5.0);
    assert_close("y", &y, &[-2.0 / 3.0 + 0.5, 3.0], 1e-7);
}

#[test]
fn shader_equals_reference() {
    let shapes = (1usize..6, prop_oneof![Just(1), Just(127), Just(128), Just(129), 1usize..700], any::<u64>());
    for_shapes(12, shapes, |gpu, &(row_count, width, seed)| {
        let x = noise(seed, row_count * width);
        let vectors: Vec<Vec<f32>> = (1..4).map(|i| noise(seed ^ i, width)).collect();
        let [x_bias, weight, bias] = &vectors[..] else { unreachable!() };
        let on_gpu = |name, values: &Vec<f32>| gpu.array_of(name, values).unwrap();
        let arrays = (on_gpu("x_bias", x_bias), on_gpu("weight", weight), on_gpu("bias", bias));
        let padded = stride(width);
        let rows_of_x = rows(gpu, "x", &x, width, padded);
        let y = Output::new(gpu, "y", row_count * padded);
        run(gpu, row_count, |plan| {
            layer_norm::record(plan, width, 1e-5, row_count, &rows_of_x, &arrays.0, &arrays.1, &arrays.2, &y.array)
        });
        let expected = layer_norm::reference(&x, x_bias, weight, bias, 1e-5);
        // Few values may lie close together: what rounding does to them is then divided by as little as √eps.
        let tolerance = if width < 8 { 3e-5 } else { 3e-6 };
        assert_close("y", &y.read_rows(gpu, width, padded), &expected, tolerance);
    });
}

#[test]
fn a_small_variance_beside_a_large_mean_survives() {
    for gpu in gpus() {
        let width = 256;
        let x: Vec<f32> = noise(3, width).iter().map(|v| 1000.0 + v).collect();
        let on_gpu = |values: &[f32]| gpu.array_of("values", values).unwrap();
        let (zeros, ones) = (vec![0.0; width], vec![1.0; width]);
        let y = Output::new(gpu, "y", width);
        let (x_array, zeros_array, ones_array) = (on_gpu(&x), on_gpu(&zeros), on_gpu(&ones));
        run(gpu, 1, |plan| {
            layer_norm::record(plan, width, 1e-6, 1, &x_array, &zeros_array, &ones_array, &zeros_array, &y.array)
        });
        let expected = layer_norm::reference(&x, &zeros, &ones, &zeros, 1e-6);
        assert_close("y", &y.read(gpu), &expected, 5e-4);
    }
}
