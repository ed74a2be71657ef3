//! What the adapter can do at the best: reading memory, arithmetic, dispatches, uploads. Measured, not looked up.

use super::{Effort, Times, repeat, replay};
use crate::error::{Error, Result};
use crate::gpu::{Array, Gpu, Plan, PlanBuilder};
use crate::kernels::case::noise;
use crate::kernels::stream_read::Layout;
use crate::kernels::{multiply_add, softcap, stream_read};
use serde::Serialize;
use std::time::Instant;

/// Vectors of four values in one array of the read: 64 MiB.
const ARRAY_LEN: usize = 4 << 20;
/// Arrays that are read: beyond every cache of a GPU; software adapters share those of the CPU, and are slow.
const ARRAYS: usize = 8;
const ARRAYS_SOFTWARE: usize = 2;
/// Dispatches in one replay of those that do nothing.
const DISPATCHES: usize = 256;
/// Layouts of which the fastest counts.
const LAYOUTS: [Layout; 4] = [
    Layout { lanes: 64, block_bytes: 64 << 10 },
    Layout { lanes: 64, block_bytes: 512 << 10 },
    Layout { lanes: 256, block_bytes: 64 << 10 },
    Layout { lanes: 256, block_bytes: 256 << 10 },
];

/// What was measured; rates are those of the median.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ceilings {
    /// Bytes a second that a shader reads from memory.
    pub read_bytes_per_s: f64,
    /// The same at the best of the repeats.
    pub best_read_bytes_per_s: f64,
    /// Bytes that were read in one go; caches larger than this would be measured instead of memory.
    pub read_set_bytes: u64,
    /// Lanes of a workgroup of the fastest read.
    pub read_lanes: u32,
    /// Bytes of a workgroup of the fastest read.
    pub read_block_bytes: u32,
    /// Operations a second of multiplying and adding in f32, two for each pair.
    pub flops_per_s: f64,
    /// The same at the best of the repeats.
    pub best_flops_per_s: f64,
    /// One more dispatch in a replay.
    pub dispatch_s: f64,
    /// A replay of one dispatch, from the call to its end.
    pub replay_s: f64,
    /// Bytes a second from the CPU's memory to the adapter's.
    pub upload_bytes_per_s: f64,
}

/// Measures them.
///
/// # Errors
/// [`Error::OutOfMemory`] if not even 64 MiB are free, or as [`Gpu::check`].
pub fn measure(gpu: &Gpu, effort: Effort) -> Result<Ceilings> {
    let (arrays, upload) = stream(gpu, effort)?;
    let bytes: u64 = arrays.iter().map(Array::bytes).sum();
    let mut fastest: Option<(Layout, Times)> = None;
    for layout in LAYOUTS {
        let times = read(gpu, effort, layout, &arrays)?;
        if fastest.is_none_or(|(_, other)| times.median_s < other.median_s) {
            fastest = Some((layout, times));
        }
    }
    drop(arrays);
    let (layout, times) = fastest.unwrap_or((LAYOUTS[0], Times::of(Vec::new())));
    let (flops, arithmetic) = arithmetic(gpu, effort)?;
    let (dispatch_s, replay_s) = overhead(gpu, effort)?;
    Ok(Ceilings {
        read_bytes_per_s: bytes as f64 / times.median_s,
        best_read_bytes_per_s: bytes as f64 / times.best_s,
        read_set_bytes: bytes,
        read_lanes: layout.lanes,
        read_block_bytes: layout.block_bytes,
        flops_per_s: flops as f64 / arithmetic.median_s,
        best_flops_per_s: flops as f64 / arithmetic.best_s,
        dispatch_s,
        replay_s,
        upload_bytes_per_s: ARRAY_LEN as f64 * 16.0 / upload.median_s,
    })
}

/// Arrays full of numbers, as many as there is room for, and how long the upload of one takes.
fn stream(gpu: &Gpu, effort: Effort) -> Result<(Vec<Array<[f32; 4]>>, Times)> {
    let wanted = if gpu.capabilities().software { ARRAYS_SOFTWARE } else { ARRAYS };
    // Memory that was never written may be one page of zeros.
    let values: Vec<[f32; 4]> = noise(1, 4 * ARRAY_LEN).chunks_exact(4).map(|v| [v[0], v[1], v[2], v[3]]).collect();
    let mut arrays = Vec::new();
    while arrays.len() < wanted {
        match gpu.array_of("numbers to read", &values) {
            Ok(array) => arrays.push(array),
            Err(Error::OutOfMemory { .. }) if !arrays.is_empty() => break,
            Err(error) => return Err(error),
        }
        gpu.flush_writes("measuring")?;
    }
    let upload = repeat(Effort { most: effort.least, ..effort }, || {
        let started = Instant::now();
        gpu.write(&arrays[0], 0, &values);
        gpu.flush_writes("measuring")?;
        Ok(started.elapsed().as_secs_f64())
    })?;
    Ok((arrays, upload))
}

fn read(gpu: &Gpu, effort: Effort, layout: Layout, arrays: &[Array<[f32; 4]>]) -> Result<Times> {
    let mut plan = PlanBuilder::new(gpu);
    for array in arrays {
        let y = gpu.array("sums", layout.outputs(array.len()))?;
        stream_read::record(&mut plan, layout, array, &y)?;
    }
    warm_and_repeat(gpu, effort, &plan.finish(&|_, _| {})?)
}

/// The first replay compiles and touches what it needs.
fn warm_and_repeat(gpu: &Gpu, effort: Effort, plan: &Plan) -> Result<Times> {
    replay(gpu, plan, 1)?;
    repeat(effort, || replay(gpu, plan, 1))
}

/// Operations of a replay that is long enough, and its times.
fn arithmetic(gpu: &Gpu, effort: Effort) -> Result<(usize, Times)> {
    let groups = if gpu.capabilities().software { 256 } else { 16_384 };
    let y = gpu.array("sums", groups * 64)?;
    let mut rounds = 64;
    loop {
        let params = multiply_add::Params::new(rounds);
        let mut plan = PlanBuilder::new(gpu);
        multiply_add::record(&mut plan, params, groups, &y)?;
        let plan = plan.finish(&|_, _| {})?;
        replay(gpu, &plan, 1)?;
        // So long that the submission does not count.
        if replay(gpu, &plan, 1)? > 0.02 || rounds >= 1 << 20 {
            return Ok((multiply_add::flops(params, groups), repeat(effort, || replay(gpu, &plan, 1))?));
        }
        rounds *= 4;
    }
}

/// Seconds of one more dispatch in a replay, and of a replay of one.
fn overhead(gpu: &Gpu, effort: Effort) -> Result<(f64, f64)> {
    let x = gpu.array("x", 4)?;
    let times = |count: usize| -> Result<Times> {
        let mut plan = PlanBuilder::new(gpu);
        for _ in 0..count {
            softcap::record(&mut plan, 1, 1.0, &x)?;
        }
        warm_and_repeat(gpu, effort, &plan.finish(&|_, _| {})?)
    };
    let (one, many) = (times(1)?, times(1 + DISPATCHES)?);
    Ok(((many.median_s - one.median_s).max(0.0) / DISPATCHES as f64, one.median_s))
}
