//! What all kernel tests share: the adapters, random shapes from a fixed seed, guarded outputs, comparison.

use bytemuck::Pod;
use percept::gpu::{Array, Gpu, GpuOptions, PlanBuilder, adapters};
use percept::kernels::{Format, stride};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRng, TestRunner};
use std::sync::{Arc, OnceLock};

/// Values behind each output that no kernel may touch.
const GUARD: usize = 64;
const SENTINEL: u32 = 0x7fc0_1234;

/// Every adapter of the machine, opened once a test binary.
pub fn gpus() -> &'static [Arc<Gpu>] {
    static GPUS: OnceLock<Vec<Arc<Gpu>>> = OnceLock::new();
    GPUS.get_or_init(|| {
        let all: Vec<_> = adapters()
            .iter()
            .map(|a| {
                let choice = percept::gpu::AdapterChoice::Index(a.index);
                Gpu::open(&GpuOptions { adapter: choice, ..Default::default() }).unwrap()
            })
            .collect();
        assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
        all
    })
}

/// Runs `check` for `count` random values of `shapes` on every adapter; the seed is fixed and printed on failure.
pub fn for_shapes<S: Strategy>(count: u32, shapes: S, check: impl Fn(&Gpu, &S::Value)) {
    for gpu in gpus() {
        let config = Config { cases: count, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &[7; 32]);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let outcome = runner.run(&shapes, |shape| {
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(gpu, &shape)));
            checked.map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                TestCaseError::fail(
                    text.unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap_or(&"panic").to_string()),
                )
            })
        });
        if let Err(error) = outcome {
            panic!("{} (ChaCha seed [7; 32]): {error}", gpu.adapter().title());
        }
    }
}

/// Pseudo-random values in [-1, 1), the same for the same seed.
pub fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32) / ((1u64 << 23) as f32) - 1.0
        })
        .collect()
}

/// Rows of `width` values on the GPU, `stride` apart, zeros between.
pub fn rows(gpu: &Gpu, name: &str, values: &[f32], width: usize, stride: usize) -> Array<f32> {
    let values = spread(values, width, stride);
    let array = gpu.rows(name, values.len()).unwrap();
    gpu.write(&array, 0, &values);
    array
}

/// The same rows `stride` apart with zeros between.
pub fn spread(values: &[f32], width: usize, stride: usize) -> Vec<f32> {
    let mut all = Vec::with_capacity(values.len() / width.max(1) * stride);
    for row in values.chunks(width) {
        all.extend_from_slice(row);
        all.resize(all.len() + stride - width, 0.0);
    }
    all
}

/// An output: `len` values that are all NaN, followed by guards.
pub struct Output<T> {
    /// The array, guards included.
    pub array: Array<T>,
    len: usize,
}

impl<T: Pod> Output<T> {
    pub fn new(gpu: &Gpu, name: &str, len: usize) -> Output<T> {
        assert_eq!(size_of::<T>(), 4);
        let array = gpu.array(name, len + GUARD).unwrap();
        gpu.write(&array, 0, bytemuck::cast_slice::<u32, T>(&vec![SENTINEL; len + GUARD]));
        Output { array, len }
    }

    /// The values, after checking that the guards are untouched.
    pub fn read(&self, gpu: &Gpu) -> Vec<T> {
        let mut all = gpu.read(&self.array).unwrap();
        let touched = bytemuck::cast_slice::<T, u32>(&all[self.len..]).iter().position(|v| *v != SENTINEL);
        assert!(touched.is_none(), "a guard value was overwritten at {:?} behind the output", touched);
        all.truncate(self.len);
        all
    }
}

impl Output<f32> {
    /// `width` values of each row, after checking that what lies between the rows is untouched.
    pub fn read_rows(&self, gpu: &Gpu, width: usize, stride: usize) -> Vec<f32> {
        let all = self.read(gpu);
        let mut values = Vec::with_capacity(all.len());
        for row in all.chunks(stride) {
            values.extend_from_slice(&row[..width.min(row.len())]);
            assert!(row[width..].iter().all(|v| v.to_bits() == SENTINEL), "a value between rows was overwritten");
        }
        values
    }
}

/// Records with `build`, compiles, and replays once with `rows` rows.
pub fn run(gpu: &Gpu, rows: usize, build: impl FnOnce(&mut PlanBuilder<'_>) -> percept::Result<()>) {
    let mut plan = PlanBuilder::new(gpu);
    build(&mut plan).unwrap();
    plan.finish(&|_, _| {}).unwrap().run(gpu, rows as u32).unwrap();
}

/// Asserts `max|got - expected| <= tolerance * max(max|expected|, 1e-3)`; names the worst place.
#[track_caller]
pub fn assert_close(what: &str, got: &[f32], expected: &[f32], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    let scale = expected.iter().fold(1e-3f64, |m, v| m.max(f64::from(v.abs())));
    let error = |i: &usize| {
        let gap = (f64::from(got[*i]) - f64::from(expected[*i])).abs();
        if gap.is_nan() { f64::INFINITY } else { gap }
    };
    let Some(worst) = (0..got.len()).max_by(|a, b| error(a).total_cmp(&error(b))) else {
        return;
    };
    assert!(
        error(&worst) <= tolerance * scale,
        "{what}: at {worst} of {} expected {} got {}: relative error {:.1e}, allowed {tolerance:.0e}",
        got.len(),
        expected[worst],
        got[worst],
        error(&worst) / scale
    );
}

/// A matrix on the GPU in blocks of at most `block_rows` rows, and the values that the format really holds.
pub fn matrix(
    gpu: &Gpu,
    format: Format,
    values: &[f32],
    width: usize,
    block_rows: usize,
) -> (percept::kernels::Matrix, Vec<f32>) {
    let rounded: Vec<f32> = values
        .iter()
        .map(|v| match format {
            Format::F32 => *v,
            Format::F16 => half::f16::from_f32(*v).to_f32(),
            Format::Bf16 => half::bf16::from_f32(*v).to_f32(),
            other => panic!("{other} has no plain values"),
        })
        .collect();
    let blocks = values.chunks(width * block_rows).enumerate().map(|(i, part)| {
        let padded = spread(part, width, stride(width));
        let words: Vec<u32> = match format {
            Format::F32 => padded.iter().map(|v| v.to_bits()).collect(),
            Format::F16 => pack(&padded, |v| half::f16::from_f32(v).to_bits()),
            Format::Bf16 => pack(&padded, |v| half::bf16::from_f32(v).to_bits()),
            other => panic!("{other} has no plain values"),
        };
        let data = percept::gpu::Words::Buffer(gpu.array_of("weight", &words).unwrap());
        percept::kernels::Block {
            first_row: i * block_rows,
            rows: part.len() / width,
            format,
            data,
            rounding: percept::weights::Rounding::NONE,
        }
    });
    let blocks = blocks.collect();
    (percept::kernels::Matrix { rows: values.len() / width, width, blocks }, rounded)
}

fn pack(values: &[f32], bits: impl Fn(f32) -> u16) -> Vec<u32> {
    values.chunks_exact(2).map(|two| u32::from(bits(two[0])) | u32::from(bits(two[1])) << 16).collect()
}

/// Every block format in a buffer, and these and the plain ones in a texture.
pub fn both_places() -> Vec<(Format, bool)> {
    let blocks = Format::all().filter(|format| !format.is_plain());
    blocks.map(|format| (format, false)).chain(Format::all().map(|format| (format, true))).collect()
}

/// Integers with every way to write their scales, in a buffer and in a texture.
pub fn ints_in_both_places() -> Vec<(percept::weights::Ints, bool)> {
    let all = percept::kernels::case::all_ints;
    all().into_iter().map(|ints| (ints, false)).chain(all().into_iter().map(|ints| (ints, true))).collect()
}
