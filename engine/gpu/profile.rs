//! Where the time of a replay goes, shader by shader: each dispatch in a pass of its own between two time stamps of the adapter.

use super::{Gpu, Plan};
use crate::error::Result;
use std::time::{Duration, Instant};

/// Time stamps in one query set, the most that WebGPU allows: two for each dispatch.
const STAMPS: usize = wgpu::QUERY_SET_MAX_QUERIES as usize;
/// Passes in one submission, as for ordinary replays.
const SUBMIT_EVERY: usize = 128;

/// What a shader took of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShaderTime {
    /// Its name.
    pub shader: &'static str,
    /// How often it was dispatched.
    pub dispatches: usize,
    /// All of these together, on the adapter.
    pub time: Duration,
}

/// A replay, measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The slowest first.
    pub shaders: Vec<ShaderTime>,
    /// The whole replay from its submission to its end, with what lies between the dispatches. An ordinary replay is
    /// shorter: it has one pass for all of them.
    pub whole: Duration,
}

impl Profile {
    /// What the shaders took together.
    pub fn time(&self) -> Duration {
        self.shaders.iter().map(|shader| shader.time).sum()
    }
}

impl Plan {
    /// Replays every dispatch for `rows` rows between time stamps and waits for them. `None` if the adapter has none, or
    /// such as cannot be: missing ones, an end before its begin, more time than has passed.
    ///
    /// # Errors
    /// [`OutOfMemory`](crate::Error::OutOfMemory) for the buffers of the stamps, or as [`Gpu::check`].
    pub fn profile(&self, gpu: &Gpu, rows: u32) -> Result<Option<Profile>> {
        if !gpu.capabilities().timestamps {
            return Ok(None);
        }
        let places: Vec<(usize, &'static str)> = self.dispatches().collect();
        let sets: Vec<wgpu::QuerySet> =
            places.chunks(STAMPS / 2).map(|places| query_set(gpu, 2 * places.len())).collect();
        let started = Instant::now();
        let mut counts = Vec::with_capacity(places.len());
        for (set, places) in sets.iter().zip(places.chunks(STAMPS / 2)) {
            for (part, places) in places.chunks(SUBMIT_EVERY).enumerate() {
                let mut encoder = gpu.device.create_command_encoder(&Default::default());
                for (at, (place, _)) in places.iter().enumerate() {
                    let stamp = 2 * (part * SUBMIT_EVERY + at) as u32;
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                        label: None,
                        timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                            query_set: set,
                            beginning_of_pass_write_index: Some(stamp),
                            end_of_pass_write_index: Some(stamp + 1),
                        }),
                    });
                    counts.push(self.encode_at(gpu, &mut pass, *place, rows)?);
                }
                gpu.queue.submit([encoder.finish()]);
                gpu.count(|c| &c.submits, 1);
            }
        }
        gpu.wait("measuring the shaders")?;
        let whole = started.elapsed();
        let stamps = read(gpu, &sets, 2 * places.len())?;
        let Some(times) = durations(&stamps, f64::from(gpu.queue.get_timestamp_period()), whole) else {
            tracing::warn!("{} gives time stamps that cannot be: shaders are not measured", gpu.adapter().title());
            return Ok(None);
        };
        let names = places.iter().map(|(_, shader)| *shader);
        Ok(Some(Profile { shaders: by_shader(names.zip(counts).zip(times)), whole }))
    }
}

fn query_set(gpu: &Gpu, stamps: usize) -> wgpu::QuerySet {
    gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
        label: Some("time stamps"),
        ty: wgpu::QueryType::Timestamp,
        count: stamps as u32,
    })
}

/// All stamps of `sets`, which are full but for the last one.
fn read(gpu: &Gpu, sets: &[wgpu::QuerySet], stamps: usize) -> Result<Vec<u64>> {
    let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
    let bytes = (stamps * size_of::<u64>()).max(size_of::<u64>()) as u64;
    let resolved = gpu.buffer("time stamps", bytes, usage)?;
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    for (at, set) in sets.iter().enumerate() {
        let count = STAMPS.min(stamps - at * STAMPS);
        encoder.resolve_query_set(set, 0..count as u32, &resolved.raw, (at * STAMPS * size_of::<u64>()) as u64);
    }
    gpu.read_after(encoder, &resolved, 0, stamps)
}

/// How long each pair of stamps lies apart; `None` if that cannot be.
fn durations(stamps: &[u64], period_ns: f64, whole: Duration) -> Option<Vec<Duration>> {
    let pair = |pair: &[u64]| {
        // What was never written reads as nothing.
        let ticks = pair[1].checked_sub(pair[0]).filter(|_| pair[0] > 0)?;
        Duration::try_from_secs_f64(ticks as f64 * period_ns * 1e-9).ok()
    };
    let all: Vec<Duration> = stamps.chunks_exact(2).map(pair).collect::<Option<_>>()?;
    let sum = all.iter().try_fold(Duration::ZERO, |sum, time| sum.checked_add(*time))?;
    (!sum.is_zero() && sum <= whole).then_some(all)
}

/// Sums by shader, the slowest first.
fn by_shader(dispatches: impl Iterator<Item = ((&'static str, usize), Duration)>) -> Vec<ShaderTime> {
    let mut all: Vec<ShaderTime> = Vec::new();
    for ((shader, dispatches), time) in dispatches {
        match all.iter_mut().find(|known| known.shader == shader) {
            Some(known) => (known.dispatches, known.time) = (known.dispatches + dispatches, known.time + time),
            None => all.push(ShaderTime { shader, dispatches, time }),
        }
    }
    all.sort_by(|a, b| b.time.cmp(&a.time).then(a.shader.cmp(b.shader)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn stamps_that_can_be_are_durations() {
        let [short, long] = [Duration::from_nanos(20), Duration::from_nanos(600)];
        assert_eq!(durations(&[100, 110, 110, 410], 2.0, SECOND), Some(vec![short, long]));
        // One that takes less than a tick is nothing strange.
        assert_eq!(durations(&[7, 7, 8, 18], 2.0, SECOND), Some(vec![Duration::ZERO, short]));
    }

    #[test]
    fn stamps_that_cannot_be_are_refused() {
        for (stamps, period_ns) in [
            (&[0u64, 0, 5, 9][..], 1.0),  // never written
            (&[5, 9, 12, 11], 1.0),       // the end before its begin
            (&[5, 5, 9, 9], 1.0),         // no time at all
            (&[5, 9, 10, u64::MAX], 1.0), // what Metal writes for a mistake
            (&[5, 2_000_000_000], 1.0),   // more than has passed
            (&[5, 9], 0.0),               // no period
            (&[5, 9], f64::NAN),
            (&[5, 9], -1.0),
            (&[], 1.0),
        ] {
            assert_eq!(durations(stamps, period_ns, SECOND), None, "{stamps:?} {period_ns}");
        }
    }

    #[test]
    fn shaders_are_summed_and_sorted() {
        let us = Duration::from_micros;
        let all = by_shader([(("a", 1), us(1)), (("b", 2), us(5)), (("a", 1), us(2))].into_iter());
        assert_eq!(
            all,
            [
                ShaderTime { shader: "b", dispatches: 2, time: us(5) },
                ShaderTime { shader: "a", dispatches: 2, time: us(3) }
            ]
        );
        assert_eq!(Profile { shaders: all, whole: us(9) }.time(), us(8));
    }
}
