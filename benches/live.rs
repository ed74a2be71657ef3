//! `cargo bench --bench live`: from the end of a spoken question to the first token of its answer, for questions of several
//! lengths, by the model in `PERCEPT_MODEL`, else the built-in one, on the adapter that `PERCEPT_ADAPTER` names, else the best.
//! The sound was read while it was spoken, 40 ms at a time, so the length should not matter: what is left is the rest of a frame,
//! the closing tokens, and one token.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use percept::gpu::{Gpu, GpuOptions};
use percept::models::{LoadOptions, Model};
use percept::session::{Event, Generation, Session, SessionOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Samples of 40 ms.
const FRAME: usize = 640;

fn first_token(criterion: &mut Criterion) {
    let adapter = std::env::var("PERCEPT_ADAPTER").map_or(Default::default(), |name| name.parse().unwrap());
    let gpu = Gpu::open(&GpuOptions { adapter, ..GpuOptions::default() }).unwrap();
    let seedling = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/seedling/model");
    let folder = std::env::var_os("PERCEPT_MODEL").map_or(seedling, PathBuf::from);
    let model = Arc::new(Model::load(&gpu, &folder, &LoadOptions::default()).unwrap());
    let mut session = Session::new(&model, &SessionOptions::default(), &|_| {}).unwrap();
    let greedy = Generation { max_tokens: Some(1), ..Generation::greedy(model.defaults()) };
    let mut group = criterion.benchmark_group("first token after speech");
    let empty = session.mark();
    for seconds in [1, 5, 20, 60] {
        // A hum of changing pitch is as long as speech.
        let sound = |i: usize| 0.1 * (i as f32 * 0.05 + (i as f32 * 2e-4).sin() * 20.0).sin();
        let samples: Vec<f32> = (0..seconds * 16_000 + 300).map(sound).collect();
        for frame in samples.chunks(FRAME) {
            session.hear(frame).unwrap();
        }
        let spoken = session.mark();
        group.bench_function(BenchmarkId::from_parameter(format!("{seconds} s")), |bencher| {
            bencher.iter_custom(|count| {
                let mut time = Duration::ZERO;
                for _ in 0..count {
                    let started = Instant::now();
                    let first =
                        session.generate(&greedy).unwrap().find(|e| matches!(e, Ok(Event::Token { .. }) | Err(_)));
                    time += started.elapsed();
                    if let Some(Err(error)) = first {
                        panic!("{error}");
                    }
                    session.rollback(&spoken).unwrap();
                }
                time
            });
        });
        session.rollback(&empty).unwrap();
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3));
    targets = first_token
}
criterion_main!(benches);
