//! Every kernel against its reference on the adapter at hand: drivers compute wrongly now and then, and a wrong number
//! is worse than a slow one.
//!
//! [`ensure`] is the quick form, done once for each adapter, driver and set of shaders and remembered: what the engine
//! would use is checked, and a feature with which it is wrong is not used. [`run`] checks all there is.

use crate::error::{Error, Result};
use crate::gpu::{Gpu, Unsound, write_whole};
use crate::kernels::{Case, Checked, Prepared, Size, Variant, cases};
use crate::shaders;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One kernel in one variant, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The twin.
    pub kernel: &'static str,
    /// Sizes and number format.
    pub shape: String,
    /// Features that it used.
    pub variant: Variant,
    /// Greatest error relative to the greatest value; infinite for a value that is not a number, or a shader that the
    /// driver refused.
    pub error: f64,
    /// What is allowed.
    pub allowed: f64,
    /// Compiling, running and comparing.
    pub time: Duration,
}

impl Outcome {
    /// Whether the error is allowed.
    pub fn is_right(&self) -> bool {
        self.error <= self.allowed
    }
}

/// What [`run`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// In the order in which they were checked.
    pub outcomes: Vec<Outcome>,
    /// Features that are not to be used; already set on the adapter.
    pub unsound: Unsound,
}

/// What [`ensure`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Features that are not to be used; already set on the adapter.
    pub unsound: Unsound,
    /// What was found wrong, in words.
    pub findings: Vec<String>,
    /// It was found earlier, with the same adapter, driver and shaders.
    pub remembered: bool,
    /// What it took now.
    pub time: Duration,
}

/// Checks every kernel in every variant that the adapter has, telling `seen` of each. Features found wrong are not used
/// from then on, and that is remembered.
///
/// # Errors
/// [`Error::SelfTest`] if a kernel is wrong without any optional feature, and what running it can meet.
pub fn run(gpu: &Gpu, seen: &mut dyn FnMut(&Outcome)) -> Result<Report> {
    let started = Instant::now();
    let report = run_cases(gpu, &cases(), seen)?;
    let wrong = report.outcomes.iter().filter(|outcome| !outcome.is_right());
    let findings = wrong.map(finding).collect();
    let verdict = Verdict { unsound: report.unsound, findings, remembered: false, time: started.elapsed() };
    remember(gpu, file(gpu).as_deref(), &verdict);
    Ok(report)
}

/// The same with other cases than those of the kernels, and remembering nothing.
#[doc(hidden)]
pub fn run_cases(gpu: &Gpu, cases: &[Case], seen: &mut dyn FnMut(&Outcome)) -> Result<Report> {
    let mut outcomes = Vec::new();
    for case in suitable(gpu, cases) {
        let prepared = case.prepare(gpu)?;
        let mut checked: Vec<Vec<&'static str>> = Vec::new();
        for variant in Variant::all(gpu) {
            let Some(outcome) = check(gpu, case, &prepared, variant, &mut checked)? else { continue };
            seen(&outcome);
            outcomes.push(outcome);
        }
    }
    let unsound = judge(gpu, &outcomes)?;
    gpu.set_unsound(unsound);
    Ok(Report { outcomes, unsound })
}

/// Checks what the engine would use on this adapter unless that was done before; features found wrong are not used from
/// then on. To be called before plans are made.
///
/// # Errors
/// As [`run`].
pub fn ensure(gpu: &Gpu) -> Result<Verdict> {
    // Of the many formats of GGUF files two stand for all, so that the first start stays quick; `run` checks each.
    let stands_for_all =
        |case: &Case| !case.kernel.ends_with("_blocks") || STAND_INS.iter().any(|name| case.shape.starts_with(name));
    let few: Vec<Case> = cases().into_iter().filter(stands_for_all).collect();
    ensure_cases(gpu, &few, file(gpu).as_deref())
}

/// Formats that stand for all block formats: one of small blocks and one of large ones.
const STAND_INS: [&str; 2] = ["q8_0", "q4_k"];

/// The same with other cases than those of the kernels, remembered in `file`.
#[doc(hidden)]
pub fn ensure_cases(gpu: &Gpu, cases: &[Case], file: Option<&Path>) -> Result<Verdict> {
    let started = Instant::now();
    if let Some((unsound, findings)) = file.and_then(remembered) {
        gpu.set_unsound(unsound);
        return Ok(Verdict { unsound, findings, remembered: true, time: started.elapsed() });
    }
    gpu.set_unsound(Unsound::default());
    let mut findings = Vec::new();
    // Without a feature other shaders are used, which are not checked yet.
    while let Some(outcomes) = first_wrong(gpu, cases)? {
        let (found, before) = (judge(gpu, &outcomes)?, gpu.unsound());
        let Some(first) = outcomes.first() else { break };
        findings.push(finding(first));
        let now = Unsound { subgroup: before.subgroup || found.subgroup, f16: before.f16 || found.f16 };
        if now == before {
            // What is wrong uses none of the features that can be left out.
            return Err(failure(gpu, first));
        }
        gpu.set_unsound(now);
    }
    let unsound = gpu.unsound();
    let verdict = Verdict { unsound, findings, remembered: false, time: started.elapsed() };
    remember(gpu, file, &verdict);
    Ok(verdict)
}

/// The first case that is wrong with what the engine would use, and then its variants one by one, so that the feature
/// is found that is to blame. What was wrong once is wrong, whatever a second try gives.
fn first_wrong(gpu: &Gpu, cases: &[Case]) -> Result<Option<Vec<Outcome>>> {
    for case in suitable(gpu, cases) {
        let prepared = case.prepare(gpu)?;
        let used = check(gpu, case, &prepared, Variant::best(gpu), &mut Vec::new())?;
        let Some(used) = used.filter(|outcome| !outcome.is_right()) else { continue };
        let (mut outcomes, mut checked) = (vec![used], Vec::new());
        for variant in Variant::all(gpu) {
            outcomes.extend(check(gpu, case, &prepared, variant, &mut checked)?);
        }
        return Ok(Some(outcomes));
    }
    Ok(None)
}

/// The small cases of kernels that are used on the adapter.
fn suitable<'a>(gpu: &Gpu, cases: &'a [Case]) -> impl Iterator<Item = &'a Case> {
    cases.iter().filter(move |case| case.size == Size::Odd && case.suits(gpu))
}

/// `None` if the variant has no shader here that is not in `checked`.
fn check(
    gpu: &Gpu,
    case: &Case,
    prepared: &Prepared,
    variant: Variant,
    checked: &mut Vec<Vec<&'static str>>,
) -> Result<Option<Outcome>> {
    let started = Instant::now();
    let outcome = |Checked { error, allowed }| Outcome {
        kernel: case.kernel,
        shape: case.shape.clone(),
        variant,
        error,
        allowed,
        time: started.elapsed(),
    };
    let plan = match prepared.plan(gpu, variant, 1) {
        Ok(plan) => plan,
        // An optional shader that the driver cannot compile is as good as wrong.
        Err(Error::Driver { problem, .. }) if variant.subgroup || variant.f16 => {
            tracing::debug!("{} {variant:?}: {problem}", case.kernel);
            return Ok(Some(outcome(Checked { error: f64::INFINITY, allowed: 0.0 })));
        }
        Err(error) => return Err(error),
    };
    let shaders: Vec<&str> = plan.shaders().collect();
    if checked.contains(&shaders) {
        return Ok(None);
    }
    checked.push(shaders);
    Ok(Some(outcome(prepared.check(gpu, &plan)?)))
}

fn failure(gpu: &Gpu, outcome: &Outcome) -> Error {
    Error::SelfTest {
        adapter: gpu.adapter().title(),
        kernel: format!("{} ({})", outcome.kernel, outcome.shape),
        error: outcome.error,
        allowed: outcome.allowed,
    }
}

/// The features that are to blame for what is wrong.
fn judge(gpu: &Gpu, outcomes: &[Outcome]) -> Result<Unsound> {
    let mut unsound = Unsound::default();
    let wrong: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is_right()).collect();
    for outcome in &wrong {
        let Variant { subgroup, f16, wide } = outcome.variant;
        match (subgroup, f16) {
            // Only software adapters use it.
            (false, false) if wide && !gpu.capabilities().software => {}
            (false, false) => {
                return Err(failure(gpu, outcome));
            }
            (true, false) => unsound.subgroup = true,
            (false, true) => unsound.f16 = true,
            (true, true) => {}
        }
    }
    // Wrong with both and right with each: neither is to be trusted with the other, and which is faster is not known.
    let both = wrong.iter().any(|outcome| outcome.variant.subgroup && outcome.variant.f16);
    if both && !unsound.subgroup && !unsound.f16 {
        unsound = Unsound { subgroup: true, f16: true };
    }
    Ok(unsound)
}

fn finding(outcome: &Outcome) -> String {
    let Outcome { kernel, shape, variant, error, allowed, .. } = outcome;
    format!("{kernel} ({shape}) with {}: error {error:.1e}, allowed {allowed:.0e}", variant.name())
}

/// What the file of a verdict holds.
#[derive(Serialize, Deserialize)]
struct Remembered {
    adapter: String,
    driver: String,
    unsound_subgroup: bool,
    unsound_f16: bool,
    findings: Vec<String>,
}

/// Where the verdict about this adapter, driver, version and set of shaders is kept.
fn file(gpu: &Gpu) -> Option<PathBuf> {
    let name = format!("{}_{}_{:016x}.json", gpu.adapter().cache_key(), env!("CARGO_PKG_VERSION"), shader_hash());
    Some(crate::cache_dir()?.join("self_test").join(name))
}

/// FNV-1a over the texts of all shaders.
fn shader_hash() -> u64 {
    let bytes = shaders::ALL.iter().flat_map(|shader| shader.name.bytes().chain(shader.wgsl.bytes()).chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Failing to write it is only logged: the test is then done again.
fn remember(gpu: &Gpu, file: Option<&Path>, verdict: &Verdict) {
    let Some(file) = file else { return };
    let it = Remembered {
        adapter: gpu.adapter().title(),
        driver: gpu.adapter().driver.clone(),
        unsound_subgroup: verdict.unsound.subgroup,
        unsound_f16: verdict.unsound.f16,
        findings: verdict.findings.clone(),
    };
    let written =
        serde_json::to_vec_pretty(&it).map_err(std::io::Error::other).and_then(|data| write_whole(file, &data));
    if let Err(error) = written {
        tracing::warn!("the verdict of the self-test was not written to {}: {error}", file.display());
    }
}

/// What stands in the file of a verdict; a damaged one is none.
fn remembered(file: &Path) -> Option<(Unsound, Vec<String>)> {
    let data = std::fs::read(file).ok()?;
    match serde_json::from_slice::<Remembered>(&data) {
        Ok(it) => Some((Unsound { subgroup: it.unsound_subgroup, f16: it.unsound_f16 }, it.findings)),
        Err(error) => {
            tracing::warn!("{} is no verdict ({error}): the self-test is done again", file.display());
            None
        }
    }
}
