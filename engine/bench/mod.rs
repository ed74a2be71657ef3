//! How fast the adapter, the kernels and a model are, and how fast they could be.
//!
//! Times are of the whole: from recording to the end on the adapter, as the engine does it. Work is repeated; medians
//! are what is reported first, the best of the repeats beside them.

pub mod ceilings;
pub mod kernels;
pub mod model;
pub mod report;

use crate::error::Result;
use crate::gpu::{Gpu, Plan};
use serde::Serialize;
use std::time::{Duration, Instant};

/// How much time is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Fewest repeats of a measurement.
    pub least: usize,
    /// Most of them.
    pub most: usize,
    /// No further repeat is begun after this time.
    pub time: Duration,
}

impl Effort {
    /// For results that are kept.
    pub const WHOLE: Effort = Effort { least: 5, most: 25, time: Duration::from_millis(1000) };
    /// For a look.
    pub const QUICK: Effort = Effort { least: 3, most: 5, time: Duration::from_millis(200) };
}

/// Seconds of one measurement that was repeated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Times {
    /// Half of the repeats took no longer.
    pub median_s: f64,
    /// The shortest.
    pub best_s: f64,
    /// How many there were.
    pub repeats: usize,
}

impl Times {
    /// Of at least one repeat.
    fn of(mut seconds: Vec<f64>) -> Times {
        seconds.sort_by(f64::total_cmp);
        let (n, at) = (seconds.len(), |i: usize| seconds.get(i).copied().unwrap_or(f64::NAN));
        let median_s = if n.is_multiple_of(2) { (at((n / 2).wrapping_sub(1)) + at(n / 2)) / 2.0 } else { at(n / 2) };
        Times { median_s, best_s: at(0), repeats: n }
    }
}

/// Repeats `measure`, which returns its own seconds.
fn repeat(effort: Effort, mut measure: impl FnMut() -> Result<f64>) -> Result<Times> {
    let started = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < effort.least || (seconds.len() < effort.most && started.elapsed() < effort.time) {
        seconds.push(measure()?);
    }
    Ok(Times::of(seconds))
}

/// Seconds of one replay, from its submission to its end.
fn replay(gpu: &Gpu, plan: &Plan, rows: u32) -> Result<f64> {
    let started = Instant::now();
    plan.run(gpu, rows)?;
    gpu.wait("measuring")?;
    Ok(started.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let of = |seconds: &[f64]| Times::of(seconds.to_vec());
        assert_eq!(of(&[3.0, 1.0, 2.0]), Times { median_s: 2.0, best_s: 1.0, repeats: 3 });
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]).median_s, 2.5);
        assert_eq!(of(&[7.0]), Times { median_s: 7.0, best_s: 7.0, repeats: 1 });
    }

    #[test]
    fn repeats_end() {
        let mut count = 0;
        let effort = Effort { least: 2, most: 4, time: Duration::from_secs(3600) };
        assert_eq!(repeat(effort, || Ok(1.0)).unwrap().repeats, 4);
        let effort = Effort { time: Duration::ZERO, ..effort };
        let times = repeat(effort, || {
            count += 1;
            Ok(f64::from(count))
        });
        assert_eq!(times.unwrap(), Times { median_s: 1.5, best_s: 1.0, repeats: 2 });
    }
}
