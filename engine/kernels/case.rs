//! A piece of a kernel's work with inputs of its own and the result of its reference: what the self-test checks and the
//! benches time.

use super::{Block, Format, Matrix, Variant, stride};
use crate::error::Result;
use crate::gpu::{Array, Gpu, Plan, PlanBuilder, PlanSummary, Words};
use crate::weights::layout::{WORD, lay_int_rows, lay_rows};
use crate::weights::{Ints, Rounding, ScaleType, quants};

/// What a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Small and odd, so that every edge of the shader is met: for the self-test.
    Odd,
    /// Of Gemma 4 12B, weights cut to what one binding holds everywhere (128 MiB): for the benches.
    Real,
    /// The same, but more operations than a software adapter does in about a second.
    Large,
}

/// Work of one kernel; its inputs are made when it is prepared.
pub struct Case {
    /// The twin.
    pub kernel: &'static str,
    /// Sizes and number format, for reports.
    pub shape: String,
    /// What it is for.
    pub size: Size,
    software: bool,
    prepare: Box<Prepare>,
}

type Prepare = dyn Fn(&Gpu) -> Result<Prepared> + Send + Sync;
type Compare = dyn Fn(&Gpu) -> Result<f64>;
type Record = dyn Fn(&mut PlanBuilder<'_>, Variant) -> Result<()>;

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("kernel", &self.kernel).field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Case {
    /// `prepare` puts the inputs on an adapter.
    pub fn new(
        kernel: &'static str,
        size: Size,
        shape: impl Into<String>,
        prepare: impl Fn(&Gpu) -> Result<Prepared> + Send + Sync + 'static,
    ) -> Case {
        Case { kernel, shape: shape.into(), size, software: false, prepare: Box::new(prepare) }
    }

    /// The same for software adapters alone: on others arrays cannot be read through windows.
    #[must_use]
    pub fn software(self) -> Case {
        Case { software: true, ..self }
    }

    /// Whether the adapter can do it.
    pub fn suits(&self, gpu: &Gpu) -> bool {
        gpu.capabilities().software || !self.software
    }

    /// Its inputs and outputs on `gpu`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub fn prepare(&self, gpu: &Gpu) -> Result<Prepared> {
        (self.prepare)(gpu)
    }
}

/// A case with its inputs on an adapter.
pub struct Prepared {
    rows: usize,
    extra_bytes: u64,
    extra_flops: u64,
    outputs: Vec<Output>,
    record: Box<Record>,
}

/// How far a result is from its reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// Greatest error relative to the greatest value of the reference; infinite for a value that is not a number.
    pub error: f64,
    /// What is allowed.
    pub allowed: f64,
}

impl Checked {
    /// Whether the error is allowed.
    pub fn is_right(&self) -> bool {
        self.error <= self.allowed
    }
}

impl Prepared {
    /// A replay of `rows` rows of what `record` records.
    pub fn new(
        rows: usize,
        outputs: Vec<Output>,
        record: impl Fn(&mut PlanBuilder<'_>, Variant) -> Result<()> + 'static,
    ) -> Prepared {
        Prepared { rows, extra_bytes: 0, extra_flops: 0, outputs, record: Box::new(record) }
    }

    /// The same with what one replay moves and computes beyond what its plan knows of.
    pub fn and(self, extra_bytes: usize, extra_flops: usize) -> Prepared {
        Prepared { extra_bytes: extra_bytes as u64, extra_flops: extra_flops as u64, ..self }
    }

    /// Rows of a replay.
    pub fn rows(&self) -> u32 {
        self.rows as u32
    }

    /// A plan that does the work `times` times, one after another.
    ///
    /// # Errors
    /// As [`PlanBuilder::finish`].
    pub fn plan(&self, gpu: &Gpu, variant: Variant, times: usize) -> Result<Plan> {
        let mut plan = PlanBuilder::new(gpu);
        for _ in 0..times {
            (self.record)(&mut plan, variant)?;
        }
        plan.finish(&|_, _| {})
    }

    /// What `plan`, which does the work once, moves and computes at the least.
    pub fn summary(&self, plan: &Plan) -> PlanSummary {
        let PlanSummary { dispatches, bytes, flops } = plan.summary(self.rows());
        PlanSummary { dispatches, bytes: bytes + self.extra_bytes, flops: flops + self.extra_flops }
    }

    /// Runs `plan`, which does the work once, on fresh outputs and compares with the reference.
    ///
    /// # Errors
    /// As [`Gpu::check`].
    pub fn check(&self, gpu: &Gpu, plan: &Plan) -> Result<Checked> {
        self.outputs.iter().for_each(|output| (output.reset)(gpu));
        plan.run(gpu, self.rows())?;
        let mut worst = Checked { error: 0.0, allowed: f64::INFINITY };
        for output in &self.outputs {
            let here = Checked { error: (output.error)(gpu)?, allowed: output.allowed };
            // Nothing may be off where the result is a choice.
            let share = |c: &Checked| if c.error == 0.0 { 0.0 } else { c.error / c.allowed };
            if worst.allowed == f64::INFINITY || share(&here) > share(&worst) {
                worst = here;
            }
        }
        Ok(worst)
    }
}

/// An array that the work writes, how it was before, and what must be in it after.
pub struct Output {
    allowed: f64,
    reset: Box<dyn Fn(&Gpu)>,
    error: Box<Compare>,
}

impl Output {
    /// Rows of `width` values, [`stride`] apart, NaN before.
    pub fn rows(array: &Array<f32>, width: usize, allowed: f64, expected: impl Fn() -> Vec<f32> + 'static) -> Output {
        Output::in_place(array, width, allowed, |_| f32::NAN, expected)
    }

    /// Rows of `width` values, [`stride`] apart, that were `before` by their place without gaps.
    pub fn in_place(
        array: &Array<f32>,
        width: usize,
        allowed: f64,
        before: impl Fn(usize) -> f32 + 'static,
        expected: impl Fn() -> Vec<f32> + 'static,
    ) -> Output {
        let (to, from) = (array.clone(), array.clone());
        let reset = move |gpu: &Gpu| {
            let rows = to.len() / stride(width);
            let values: Vec<f32> = (0..rows * width).map(&before).collect();
            gpu.write(&to, 0, &spread(&values, width));
        };
        let error = move |gpu: &Gpu| {
            let all = gpu.read(&from)?;
            let got = all.chunks(stride(width)).flat_map(|row| &row[..width.min(row.len())]);
            Ok(relative_error(got.copied(), &expected()))
        };
        Output { allowed, reset: Box::new(reset), error: Box::new(error) }
    }

    /// Whole numbers, all of which must be as expected.
    pub fn exact(array: &Array<u32>, before: Vec<u32>, expected: Vec<u32>) -> Output {
        let (to, from) = (array.clone(), array.clone());
        let reset = move |gpu: &Gpu| gpu.write(&to, 0, &before);
        let error = move |gpu: &Gpu| {
            let got = gpu.read(&from)?;
            Ok(if got.starts_with(&expected) { 0.0 } else { f64::INFINITY })
        };
        Output { allowed: 0.0, reset: Box::new(reset), error: Box::new(error) }
    }
}

/// `max |got - expected| / max |expected|` over the places of `expected`.
fn relative_error(got: impl Iterator<Item = f32>, expected: &[f32]) -> f64 {
    let scale = expected.iter().fold(1e-3f64, |most, v| most.max(f64::from(v.abs())));
    let mut worst = 0f64;
    let mut compared = 0;
    for (got, expected) in got.zip(expected) {
        let gap = (f64::from(got) - f64::from(*expected)).abs();
        // `max` alone would pass over a NaN.
        worst = worst.max(if gap.is_nan() { f64::INFINITY } else { gap });
        compared += 1;
    }
    if compared == expected.len() { worst / scale } else { f64::INFINITY }
}

/// Pseudo-random values in [-1, 1), the same for the same seed (xorshift of Marsaglia 2003).
pub fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32) / ((1u64 << 23) as f32) - 1.0
    };
    (0..len).map(next).collect()
}

/// Pseudo-random numbers below `end`.
pub fn picks(seed: u64, len: usize, end: usize) -> Vec<u32> {
    noise(seed, len).iter().map(|v| ((v + 1.0) / 2.0 * end as f32) as u32).map(|v| v.min(end as u32 - 1)).collect()
}

/// Rows of `width` values [`stride`] apart, zeros between.
pub fn spread(values: &[f32], width: usize) -> Vec<f32> {
    let padded = stride(width);
    if padded == width {
        return values.to_vec();
    }
    let mut all = Vec::with_capacity(values.len() / width * padded);
    for row in values.chunks(width) {
        all.extend_from_slice(row);
        all.resize(all.len() + padded - width, 0.0);
    }
    all
}

/// Rows of `width` values on the GPU, [`stride`] apart.
///
/// # Errors
/// As [`Gpu::array`].
pub fn upload(gpu: &Gpu, name: &str, values: &[f32], width: usize) -> Result<Array<f32>> {
    let values = spread(values, width);
    let array = gpu.rows(name, values.len())?;
    gpu.write(&array, 0, &values);
    Ok(array)
}

/// `values` as `format` holds them.
pub fn rounded(format: Format, values: &[f32]) -> Vec<f32> {
    match format {
        Format::F32 => values.to_vec(),
        Format::F16 => values.iter().map(|v| half::f16::from_f32(*v).to_f32()).collect(),
        Format::Bf16 => values.iter().map(|v| half::bf16::from_f32(*v).to_f32()).collect(),
        _ => Vec::new(),
    }
}

/// A matrix on the GPU in blocks of at most `block_rows` rows.
///
/// # Errors
/// As [`Gpu::array`].
pub fn matrix(gpu: &Gpu, format: Format, values: &[f32], width: usize, block_rows: usize) -> Result<Matrix> {
    let block = |(index, part): (usize, &[f32])| {
        let padded = spread(part, width);
        let words: Vec<u32> = match format {
            Format::F32 => padded.iter().map(|v| v.to_bits()).collect(),
            Format::F16 => pack(&padded, |v| half::f16::from_f32(v).to_bits()),
            Format::Bf16 => pack(&padded, |v| half::bf16::from_f32(v).to_bits()),
            _ => Vec::new(),
        };
        let data = Words::Buffer(gpu.array_of("weight", &words)?);
        Ok(Block { first_row: index * block_rows, rows: part.len() / width, format, data, rounding: Rounding::NONE })
    };
    let blocks = values.chunks(width * block_rows).enumerate().map(block).collect::<Result<_>>()?;
    Ok(Matrix { rows: values.len() / width, width, blocks })
}

/// A matrix of random blocks on the GPU in blocks of at most `block_rows` rows, in textures or buffers, and its values.
///
/// # Errors
/// As [`Gpu::array`].
pub fn block_matrix(
    gpu: &Gpu,
    format: Format,
    seed: u64,
    rows: usize,
    width: usize,
    block_rows: usize,
    as_texture: bool,
) -> Result<(Matrix, Vec<f32>)> {
    let bytes = quants::random_blocks(format, rows * width / format.block_len(), seed);
    let mut values = vec![0.0; rows * width];
    quants::dequantize(format, &bytes, &mut values)?;
    let from = bytes.len() / rows;
    let mut blocks = Vec::new();
    let mut laid = Vec::new();
    for (index, part) in bytes.chunks(block_rows * from).enumerate() {
        lay_rows(format, width, part, as_texture, &mut laid)?;
        let data = gpu.words("weight", laid.len() / WORD, as_texture)?;
        gpu.write_words(&data, 0, &laid);
        blocks.push(Block {
            first_row: index * block_rows,
            rows: part.len() / from,
            format,
            data,
            rounding: Rounding::NONE,
        });
    }
    Ok((Matrix { rows, width, blocks }, values))
}

/// As [`block_matrix`] for integers; every block rounds its products to `output_scale`.
///
/// # Errors
/// As [`Gpu::array`].
pub fn int_matrix(
    gpu: &Gpu,
    ints: Ints,
    seed: u64,
    [rows, width]: [usize; 2],
    block_rows: usize,
    as_texture: bool,
    rounding: Rounding,
) -> Result<(Matrix, Vec<f32>)> {
    let all = quants::random_ints(ints, width, rows, seed);
    let mut values = vec![0.0; rows * width];
    quants::dequantize_ints(ints, width, rows, &all.rows(ints, width, 0, rows), &mut values)?;
    let (mut blocks, mut laid) = (Vec::new(), Vec::new());
    for first_row in (0..rows).step_by(block_rows) {
        let count = block_rows.min(rows - first_row);
        lay_int_rows(ints, width, count, &all.rows(ints, width, first_row, count), as_texture, &mut laid)?;
        let data = gpu.words("weight", laid.len() / WORD, as_texture)?;
        gpu.write_words(&data, 0, &laid);
        blocks.push(Block { first_row, rows: count, format: Format::Ints(ints), data, rounding });
    }
    Ok((Matrix { rows, width, blocks }, values))
}

/// Integers of every number of bits with every way to write scales, for tests: each is met with several of the others.
pub fn all_ints() -> Vec<Ints> {
    let shared = [None, Some(32), Some(64), Some(128)];
    let scales = [ScaleType::F32, ScaleType::Bf16, ScaleType::F16];
    let all = (0..24).map(|i| Ints {
        bits: [2, 4, 8][i / 8],
        shared: shared[i % 4],
        scales: scales[(i + i / 3) % 3],
        zero_points: i % 8 / 4 == 1,
    });
    all.collect()
}

/// One of each number of bits, on software adapters in textures and, named so, in buffers: for the self-test.
pub fn some_ints() -> impl Iterator<Item = (Ints, &'static str)> {
    let all = [
        Ints { bits: 2, shared: None, scales: ScaleType::F32, zero_points: false },
        Ints { bits: 4, shared: Some(32), scales: ScaleType::Bf16, zero_points: true },
        Ints { bits: 8, shared: Some(64), scales: ScaleType::F16, zero_points: false },
    ];
    ["", "buffer of "].into_iter().flat_map(move |place| all.map(|ints| (ints, place)))
}

/// The least width of about `width` that the format can have.
pub fn int_width(ints: Ints, width: usize) -> usize {
    ints.shared.map_or(width, |shared| width.next_multiple_of(shared))
}

fn pack(values: &[f32], bits: impl Fn(f32) -> u16) -> Vec<u32> {
    values.chunks_exact(2).map(|two| u32::from(bits(two[0])) | u32::from(bits(two[1])) << 16).collect()
}
