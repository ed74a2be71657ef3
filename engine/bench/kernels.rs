//! The time of each case of each kernel, beside what the adapter's ceilings would allow.
//!
//! A case is repeated on the same data, so what fits into the caches comes from there: its share of the bandwidth of
//! memory may then exceed 100 %.

use super::ceilings::Ceilings;
use super::{Effort, Times, repeat, replay};
use crate::error::Result;
use crate::gpu::{Gpu, Plan};
use crate::kernels::{Case, Prepared, Size, Variant, cases};
use crate::shaders;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Most times that a case is done in one replay, so that submitting it does not count.
const MOST_IN_A_REPLAY: usize = 256;

/// What bounds a case by its floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Its bytes.
    Memory,
    /// Its operations.
    Arithmetic,
}

/// One case in one variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelTime {
    /// The twin.
    pub kernel: &'static str,
    /// Sizes and number format.
    pub shape: String,
    /// Features that it used.
    pub variant: &'static str,
    /// The engine would use this variant here.
    pub used: bool,
    /// Of the case done once.
    #[serde(flatten)]
    pub times: Times,
    /// Dispatches of the case.
    pub dispatches: usize,
    /// Bytes that it must move.
    pub bytes: u64,
    /// Operations that it must do.
    pub flops: u64,
    /// What it is bound by.
    pub bound: Bound,
    /// Share of the ceiling that bounds it, at the median; 1 is all.
    pub share: f64,
}

/// A case on an adapter in one variant, ready to be timed.
pub struct Timed {
    prepared: Prepared,
    plan: Plan,
    times: usize,
}

impl Timed {
    /// Compiles, warms up, and finds how often the case is done in one replay.
    ///
    /// # Errors
    /// As [`Case::prepare`] and [`Gpu::check`].
    pub fn new(gpu: &Gpu, case: &Case, variant: Variant) -> Result<Timed> {
        let prepared = case.prepare(gpu)?;
        let (plan, times) = long_plan(gpu, &prepared, variant, Duration::from_millis(20))?;
        Ok(Timed { prepared, plan, times })
    }

    /// Seconds of the case done `count` times, submitted ahead as fast as it goes.
    ///
    /// # Errors
    /// As [`Gpu::check`].
    pub fn seconds_of(&self, gpu: &Gpu, count: u64) -> Result<f64> {
        let replays = count.div_ceil(self.times as u64);
        let started = Instant::now();
        for _ in 0..replays {
            self.plan.run(gpu, self.prepared.rows())?;
        }
        gpu.wait("measuring")?;
        Ok(started.elapsed().as_secs_f64() * count as f64 / (replays * self.times as u64) as f64)
    }
}

/// A warm plan that does the case so often that a replay takes about `least`, and how often that is.
fn long_plan(gpu: &Gpu, prepared: &Prepared, variant: Variant, least: Duration) -> Result<(Plan, usize)> {
    let once = prepared.plan(gpu, variant, 1)?;
    // The first replay compiles what drivers leave to it.
    let cold = replay(gpu, &once, prepared.rows())?;
    if cold > 1.0 {
        return Ok((once, 1));
    }
    let seconds = replay(gpu, &once, prepared.rows())?;
    let times = ((least.as_secs_f64() / seconds.max(1e-7)).ceil() as usize).clamp(1, MOST_IN_A_REPLAY);
    let plan = prepared.plan(gpu, variant, times)?;
    replay(gpu, &plan, prepared.rows())?;
    Ok((plan, times))
}

/// What the shaders of a plan need, for reports.
fn needs(plan: &Plan) -> Variant {
    let used: Vec<&str> = plan.shaders().collect();
    let used: Vec<_> = shaders::ALL.iter().filter(|shader| used.contains(&shader.name)).collect();
    Variant {
        subgroup: used.iter().any(|s| s.needs_subgroup),
        f16: used.iter().any(|s| s.needs_f16),
        wide: used.iter().any(|s| s.name.contains("_wide")),
    }
}

/// Whether a case is to be timed on this adapter.
pub fn is_for(gpu: &Gpu, case: &Case) -> bool {
    match case.size {
        _ if !case.suits(gpu) => false,
        Size::Odd => false,
        Size::Real => true,
        Size::Large => !gpu.capabilities().software,
    }
}

/// Whether a case is asked for by `name`: a kernel, or a part of kernel and shape.
pub fn is_named(case: &Case, name: &str) -> bool {
    case.kernel == name || format!("{} {}", case.kernel, case.shape).contains(name)
}

/// Times every case of a real size that `wanted` takes, in every variant, telling `seen` of each. The second list says
/// what was left out, and why.
///
/// # Errors
/// As [`Case::prepare`] and [`Gpu::check`].
pub fn measure(
    gpu: &Gpu,
    effort: Effort,
    ceilings: &Ceilings,
    wanted: impl Fn(&Case) -> bool,
    seen: &mut dyn FnMut(&KernelTime),
) -> Result<(Vec<KernelTime>, Vec<String>)> {
    let (mut all, mut skipped) = (Vec::new(), Vec::new());
    for case in cases().iter().filter(|case| case.size != Size::Odd && wanted(case)) {
        if !is_for(gpu, case) {
            skipped.push(format!("{} {}: takes software adapters too long", case.kernel, case.shape));
            continue;
        }
        let prepared = case.prepare(gpu)?;
        let best = Variant::best(gpu);
        let mut done: Vec<Vec<&str>> = Vec::new();
        for variant in std::iter::once(best).chain(Variant::all(gpu).into_iter().filter(|v| *v != best)) {
            let once = prepared.plan(gpu, variant, 1)?;
            let cost = prepared.summary(&once);
            let shaders = once.shaders().collect();
            if done.contains(&shaders) {
                continue;
            }
            done.push(shaders);
            let needs = needs(&once);
            drop(once);
            let (plan, times) = long_plan(gpu, &prepared, variant, effort.time / 20)?;
            let times = repeat(effort, || Ok(replay(gpu, &plan, prepared.rows())? / times as f64))?;
            let memory_s = cost.bytes as f64 / ceilings.read_bytes_per_s;
            let arithmetic_s = cost.flops as f64 / ceilings.flops_per_s;
            let time = KernelTime {
                kernel: case.kernel,
                shape: case.shape.clone(),
                variant: needs.name(),
                used: done.len() == 1,
                times,
                dispatches: cost.dispatches,
                bytes: cost.bytes,
                flops: cost.flops,
                bound: if memory_s >= arithmetic_s { Bound::Memory } else { Bound::Arithmetic },
                share: memory_s.max(arithmetic_s) / times.median_s,
            };
            seen(&time);
            all.push(time);
        }
    }
    Ok((all, skipped))
}
