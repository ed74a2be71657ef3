//! Weights from a file to the GPU: every format, odd widths, stacked tensors, blocks that fit small bindings.

use percept::Error;
use percept::gpu::{AdapterChoice, Gpu, GpuOptions, PlanBuilder, adapters};
use percept::kernels::{Format, Matrix, Variant, matvec, stride};
use percept::weights::{Checkpoint, Upload};
use safetensors::{Dtype, tensor::TensorView};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// Name, format, shape, values.
type Stored = (&'static str, Dtype, Vec<usize>, Vec<f32>);

fn noise(seed: u32, len: usize) -> Vec<f32> {
    (0..len as u32)
        .map(|i| ((i.wrapping_mul(2_654_435_761).wrapping_add(seed * 977)) >> 16) as f32 / 32_768.0 - 1.0)
        .collect()
}

fn write(folder: &Path, tensors: &[Stored]) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, dtype, _, values)| match dtype {
            Dtype::F16 => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        })
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, dtype, shape, _), bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    std::fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    std::fs::write(folder.join("config.json"), "{}").unwrap();
}

fn gpus(limit: u64) -> Vec<Arc<Gpu>> {
    adapters()
        .iter()
        .map(|a| {
            let adapter = AdapterChoice::Index(a.index);
            Gpu::open(&GpuOptions { adapter, binding_limit_bytes: Some(limit), ..Default::default() }).unwrap()
        })
        .collect()
}

/// What the GPU makes of the matrix, beside what the file says.
fn check(gpu: &Gpu, matrix: &Matrix, values: &[f32]) {
    let width = matrix.width;
    let mut x = noise(9, width);
    let expected = matvec::reference(values, &x);
    x.resize(stride(width), 0.0);
    let (on_gpu, y) = (gpu.rows("x", x.len()).unwrap(), gpu.array::<f32>("y", matrix.rows).unwrap());
    gpu.write(&on_gpu, 0, &x);
    let mut plan = PlanBuilder::new(gpu);
    matvec::record(&mut plan, Variant::best(gpu), matrix, &on_gpu, &y).unwrap();
    plan.finish(&|_, _| {}).unwrap().run(gpu, 1).unwrap();
    for (i, (got, want)) in gpu.read(&y).unwrap().iter().zip(&expected).enumerate() {
        assert!((got - want).abs() < 1e-4, "row {i} of {}: {got}, expected {want}", expected.len());
    }
}

#[test]
fn stacked_matrices_in_blocks_of_small_bindings() {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = Vec::new();
    for (names, dtype, width) in [
        (["a", "b"], Dtype::F32, 30),
        (["c", "d"], Dtype::BF16, 33),
        (["e", "f"], Dtype::F16, 64),
        (["g", "h"], Dtype::BF16, 5),
    ] {
        for (name, rows) in names.into_iter().zip([37, 90]) {
            // Values that 8 bits of mantissa hold, so that all formats hold the same.
            let values = noise(rows as u32, rows * width).iter().map(|v| (v * 64.0).round() / 64.0).collect();
            tensors.push((name, dtype, vec![rows, width], values));
        }
    }
    write(folder.path(), &tensors);
    let of = |name| &tensors.iter().find(|t| t.0 == name).unwrap().3;
    for gpu in gpus(2048) {
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let told = RefCell::new(Vec::new());
        let progress = |done, total| told.borrow_mut().push((done, total));
        let upload = Upload::new(&gpu, &checkpoint, checkpoint.total_bytes(), &progress);
        for (names, format) in [
            (["a", "b"], Format::F32),
            (["c", "d"], Format::Bf16),
            (["e", "f"], Format::F16),
            (["g", "h"], Format::Bf16),
        ] {
            let matrix = upload.matrix(&names).unwrap();
            assert_eq!((matrix.rows, matrix.blocks[0].format), (127, format));
            assert!(matrix.blocks.iter().all(|b| b.rows * b.row_bytes(matrix.width) <= 2048), "{names:?}");
            assert!(matrix.blocks.len() > 1 || matrix.width == 5, "{names:?} is split");
            check(&gpu, &matrix, &[of(names[0]).as_slice(), of(names[1])].concat());
        }
        let told = told.into_inner();
        assert!(told.is_sorted(), "progress goes forward");
        assert_eq!(told.last().unwrap().0, checkpoint.total_bytes(), "and ends with everything");
    }
}

/// In a buffer matrices of different formats become one of f32; in textures, where software adapters have all rows that
/// begin where a uniform may, each stays as it is.
#[test]
fn matrices_of_different_formats_are_widened_in_buffers() {
    for (width, texture) in [(18, false), (64, true)] {
        let folder = tempfile::tempdir().unwrap();
        let tensors = [("a", Dtype::BF16), ("b", Dtype::F16), ("c", Dtype::F32)].map(|(name, dtype)| {
            let values = noise(3, 9 * width).iter().map(|v| (v * 64.0).round() / 64.0).collect();
            (name, dtype, vec![9, width], values)
        });
        write(folder.path(), &tensors);
        for gpu in gpus(1 << 20) {
            let checkpoint = Checkpoint::open(folder.path()).unwrap();
            let upload = Upload::new(&gpu, &checkpoint, checkpoint.total_bytes(), &|_, _| {});
            let matrix = upload.matrix(&["a", "b", "c"]).unwrap();
            let formats: Vec<Format> = matrix.blocks.iter().map(|block| block.format).collect();
            match texture && gpu.capabilities().software {
                true => assert_eq!(formats, [Format::Bf16, Format::F16, Format::F32]),
                false => assert_eq!(formats, [Format::F32]),
            }
            check(&gpu, &matrix, &tensors.iter().flat_map(|t| t.3.clone()).collect::<Vec<f32>>());
        }
    }
}

#[test]
fn blocks_of_several_matrices_hold_whole_ones() {
    let folder = tempfile::tempdir().unwrap();
    let shapes = [("a", Dtype::F32, 7, 5, 30), ("b", Dtype::BF16, 5, 13, 33), ("c", Dtype::F16, 9, 1, 6)];
    let tensors = shapes.map(|(name, dtype, count, rows, width)| {
        let values = noise(7, count * rows * width).iter().map(|v| (v * 64.0).round() / 64.0).collect();
        (name, dtype, vec![count, rows, width], values)
    });
    write(folder.path(), &tensors);
    for gpu in gpus(2048) {
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let upload = Upload::new(&gpu, &checkpoint, checkpoint.total_bytes(), &|_, _| {});
        for (name, _, shape, values) in &tensors {
            let matrix = upload.matrices(name).unwrap();
            assert_eq!((matrix.rows, matrix.width), (shape[0] * shape[1], shape[2]));
            let whole = |rows: usize| rows.is_multiple_of(shape[1]);
            assert!(matrix.blocks.iter().all(|b| whole(b.first_row) && whole(b.rows)), "{name}");
            assert!(matrix.blocks.iter().all(|b| !b.is_laid()), "{name}: its rows end within a group");
            assert!(matrix.blocks.iter().all(|b| b.data.bytes() <= 2048) && (*name == "c" || matrix.blocks.len() > 1));
            check(&gpu, &matrix, values);
        }
    }
    // One that no binding holds; its rows begin where no uniform may, so that it goes to a buffer everywhere.
    for gpu in gpus(512) {
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let upload = Upload::new(&gpu, &checkpoint, checkpoint.total_bytes(), &|_, _| {});
        assert!(matches!(upload.matrices("b").unwrap_err(), Error::OutOfMemory { bytes: 944, .. }));
        let error = upload.matrix(&["a"]).unwrap_err().to_string();
        assert!(error.contains("tensor a has shape [7, 5, 30], expected a matrix"), "{error}");
    }
}

#[test]
fn what_cannot_be_uploaded_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut broken: Vec<f32> = noise(1, 4000);
    broken[1234] = f32::NAN;
    let tensors = [
        ("good", Dtype::F32, vec![40, 100], noise(2, 4000)),
        ("broken", Dtype::F32, vec![40, 100], broken),
        ("narrow", Dtype::F32, vec![40, 10], noise(3, 400)),
        ("vector", Dtype::F32, vec![400], noise(4, 400)),
    ];
    write(folder.path(), &tensors);
    let gpu = Gpu::open(&GpuOptions { memory_limit_bytes: Some(20_000), ..Default::default() }).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let upload = Upload::new(&gpu, &checkpoint, checkpoint.total_bytes(), &|_, _| {});
    let says = |names: &[&str], part: &str| {
        let error = upload.matrix(names).unwrap_err().to_string();
        assert!(error.contains(part), "{names:?}: {error}");
    };
    says(&["broken"], "tensor broken holds NaN at index 1234");
    says(&["absent"], "tensor absent is missing");
    says(&["good", "narrow"], "tensor narrow has shape [40, 10]");
    says(&["vector"], "tensor vector has shape [400], expected a matrix");
    let held = gpu.held_bytes();
    let kept = upload.matrix(&["good"]).unwrap();
    let error = upload.matrix(&["good"]).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { bytes: 16_000, .. }), "{error}");
    drop(kept);
    assert_eq!(gpu.held_bytes(), held, "what is dropped is given back");
}
