//! The next token from the logits, on the GPU: repetition penalty (Keskar et al. 2019, section 4.1), temperature, top-k
//! (Fan et al. 2018), top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024), then a draw.
//!
//! In this order, on tokens whose logit `l` is finite:
//! - a token that occurred: `l / repetition_penalty` if `l > 0`, else `l · repetition_penalty`;
//! - temperature 0: the greatest logit, the lowest id of several. Else the mass of a token is `exp((l − max) / temperature)`;
//! - `top_k`: those not below the k-th greatest; `top_p`: of these the fewest of the greatest mass that make up the share
//!   `top_p` of their sum; equal logits stay together;
//! - `min_p`: those of at least `min_p` of the greatest mass;
//! - the first in the order of the vocabulary up to which the share of the kept mass exceeds `random / 2³²`.
//!
//! The shader counts mass in integers of 2⁻³¹ of the greatest, so its result does not depend on the order of work; a
//! probability is off by at most 2⁻³¹ times the number of tokens, beside the error of `exp`. Floor: the logits, once;
//! it reads them twice where `top_k` is 1 to 256, twice if nothing but the temperature or `min_p` is set, four times
//! for another `top_k` or `top_p`, and twelve times at the worst. Shader: `shaders/sample.wgsl`.

use super::case::{Case, Output, Prepared, Size, noise};
use crate::error::Result;
use crate::gpu::{Array, Cost, PlanBuilder};
use crate::shaders;
use bytemuck::{Pod, Zeroable};

/// Uniform of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Number of logits.
    pub vocab_size: u32,
    /// Zero.
    pub pad0: u32,
    /// Zero.
    pub pad1: u32,
    /// Zero.
    pub pad2: u32,
}

/// How tokens are chosen; written by the host before an answer, laid out as in the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Sampling {
    /// Divides the logits; 0 takes the greatest.
    pub temperature: f32,
    /// Number of tokens kept; 0 keeps all.
    pub top_k: u32,
    /// Share of the mass kept; 1 keeps all.
    pub top_p: f32,
    /// Least mass kept, relative to the greatest; 0 keeps all.
    pub min_p: f32,
    /// Above 1 makes tokens that occurred less likely; positive.
    pub repetition_penalty: f32,
    /// Lower half of the seed.
    pub seed_lo: u32,
    /// Upper half of the seed.
    pub seed_hi: u32,
    /// Zero.
    pub pad: u32,
}

impl Sampling {
    /// The greatest logit, whatever occurred.
    pub const GREEDY: Sampling = Sampling {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repetition_penalty: 1.0,
        seed_lo: 0,
        seed_hi: 0,
        pad: 0,
    };

    /// What the array `sampling` holds.
    pub fn words(&self) -> [u32; 8] {
        bytemuck::cast(*self)
    }

    /// The random word at a position: pcg3d of Jarzynski & Olano 2020.
    pub fn random(&self, position: u32) -> u32 {
        let [mut x, mut y, mut z] =
            [self.seed_lo, self.seed_hi, position].map(|v| v.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        let mix = |x: &mut u32, y: &mut u32, z: &mut u32| {
            *x = x.wrapping_add(y.wrapping_mul(*z));
            *y = y.wrapping_add(z.wrapping_mul(*x));
            *z = z.wrapping_add(x.wrapping_mul(*y));
        };
        mix(&mut x, &mut y, &mut z);
        [x, y, z] = [x, y, z].map(|v| v ^ (v >> 16));
        mix(&mut x, &mut y, &mut z);
        x
    }
}

/// What the dispatch reads and writes.
#[derive(Debug)]
pub struct Arrays<'a> {
    /// `[vocab_size]`, left as they are.
    pub logits: &'a Array<f32>,
    /// [`Sampling::words`].
    pub sampling: &'a Array<u32>,
    /// `[ceil(vocab_size / 32)]`: a bit for each token that occurred; the new one's is set.
    pub seen: &'a Array<u32>,
    /// The first is the position, counter of the random numbers; one is added to it.
    pub step: &'a Array<u32>,
    /// The first becomes the token.
    pub ids: &'a Array<u32>,
    /// Becomes the token, and 1 if no logit was finite (the token is 0 then), else 0.
    pub token: &'a Array<u32>,
}

/// Records one dispatch of one workgroup.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if an array is shorter than its shape in the shader.
pub fn record(plan: &mut PlanBuilder<'_>, vocab_size: usize, arrays: &Arrays<'_>) -> Result<()> {
    let binds = [
        arrays.logits.bind("logits", vocab_size)?,
        arrays.sampling.bind("sampling", 8)?,
        arrays.seen.bind("seen", vocab_size.div_ceil(32))?,
        arrays.step.bind("step", 1)?,
        arrays.ids.bind("ids", 1)?,
        arrays.token.bind("token", 2)?,
    ];
    let params = Params { vocab_size: vocab_size as u32, pad0: 0, pad1: 0, pad2: 0 };
    let cost = Cost { fixed_bytes: vocab_size as u64 * 4, ..Cost::default() };
    plan.dispatch(&shaders::SAMPLE, &[], &params, &binds, [1.into(); 3], cost)
}

/// The probability of each token on the CPU in f64, 0 for those cut off; all 0 if no logit is finite.
pub fn probabilities(logits: &[f32], seen: &[u32], sampling: &Sampling) -> Vec<f64> {
    let value = |(token, logit): (usize, &f32)| {
        let occurred = seen[token / 32] >> (token % 32) & 1 == 1;
        let penalised = match occurred {
            true if *logit > 0.0 => logit / sampling.repetition_penalty,
            true => logit * sampling.repetition_penalty,
            false => *logit,
        };
        if penalised.is_finite() { f64::from(penalised) } else { f64::NEG_INFINITY }
    };
    let values: Vec<f64> = logits.iter().enumerate().map(value).collect();
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut masses = vec![0.0; values.len()];
    if greatest == f64::NEG_INFINITY {
        return masses;
    }
    if sampling.temperature <= 0.0 {
        if let Some(first) = values.iter().position(|v| *v == greatest) {
            masses[first] = 1.0;
        }
        return masses;
    }
    let mass = |v: f64| ((v - greatest) / f64::from(sampling.temperature)).exp();
    let mut falling = values.clone();
    falling.sort_by(|a, b| b.total_cmp(a));
    let mut least = f64::MIN;
    if sampling.top_k > 0
        && let Some(kth) = falling.get(sampling.top_k as usize - 1)
    {
        least = least.max(*kth);
    }
    if sampling.top_p < 1.0 {
        let kept: Vec<f64> = falling.into_iter().filter(|v| *v >= least).collect();
        let goal = f64::from(sampling.top_p) * kept.iter().map(|v| mass(*v)).sum::<f64>();
        let mut sum = 0.0;
        let crossing = kept.iter().find(|v| {
            sum += mass(**v);
            sum >= goal
        });
        least = least.max(crossing.copied().unwrap_or(least));
    }
    for (to, v) in masses.iter_mut().zip(values) {
        let mass = mass(v);
        if v >= least && mass >= f64::from(sampling.min_p) {
            *to = mass;
        }
    }
    let total: f64 = masses.iter().sum();
    masses.iter_mut().for_each(|v| *v /= total);
    masses
}

/// The token on the CPU in f64; `None` if no logit is finite.
pub fn reference(logits: &[f32], seen: &[u32], sampling: &Sampling, position: u32) -> Option<u32> {
    let probabilities = probabilities(logits, seen, sampling);
    let chance = f64::from(sampling.random(position)) / 4_294_967_296.0;
    let mut sum = 0.0;
    let hit = probabilities.iter().position(|p| {
        sum += p;
        sum > chance
    });
    // Rounding may leave the sum a little below 1.
    let last = || probabilities.iter().rposition(|p| *p > 0.0);
    hit.or_else(last).map(|token| token as u32)
}

/// What the self-test checks and the benches time.
pub fn cases() -> Vec<Case> {
    let case = |size, name: &str, vocab_size: usize, sampling: Sampling| {
        Case::new("sample", size, format!("{vocab_size}, {name}"), move |gpu| {
            // A few likely tokens above a broad floor, as language models give.
            let values: Vec<f32> = noise(1, vocab_size).iter().map(|v| 12.0 * v * v * v).collect();
            let mut occurred = vec![0u32; vocab_size.div_ceil(32)];
            (0..vocab_size).step_by(77).for_each(|token| occurred[token / 32] |= 1 << (token % 32));
            let position = 41;
            let expected = reference(&values, &occurred, &sampling, position).unwrap_or_default();
            let (logits, on_gpu) = (gpu.array_of("logits", &values)?, gpu.array_of("sampling", &sampling.words())?);
            let seen = gpu.array_of("seen", &occurred)?;
            let [step, ids, token] = [gpu.array("step", 1)?, gpu.array("ids", 1)?, gpu.array("token", 2)?];
            let mut seen_after = occurred.clone();
            seen_after[expected as usize / 32] |= 1 << (expected % 32);
            let outputs = vec![
                Output::exact(&token, vec![u32::MAX; 2], vec![expected, 0]),
                Output::exact(&ids, vec![u32::MAX], vec![expected]),
                Output::exact(&step, vec![position], vec![position + 1]),
                Output::exact(&seen, occurred, seen_after),
            ];
            Ok(Prepared::new(1, outputs, move |plan, _| {
                let arrays =
                    Arrays { logits: &logits, sampling: &on_gpu, seen: &seen, step: &step, ids: &ids, token: &token };
                record(plan, vocab_size, &arrays)
            }))
        })
    };
    let warm = Sampling { temperature: 1.0, seed_lo: 1, ..Sampling::GREEDY };
    let usual = Sampling { top_k: 64, top_p: 0.95, ..warm };
    vec![
        case(Size::Odd, "greedy", 999, Sampling { repetition_penalty: 1.2, ..Sampling::GREEDY }),
        case(Size::Odd, "temperature", 999, warm),
        case(Size::Odd, "top-k 64, top-p 0.95", 999, usual),
        case(Size::Real, "greedy", 262_144, Sampling::GREEDY),
        case(Size::Real, "top-k 64, top-p 0.95", 262_144, usual),
    ]
}
