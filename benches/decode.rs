//! `cargo bench --bench decode`: one token of an answer by the model in `PERCEPT_MODEL`, else that of the tests, behind
//! caches of several lengths, on the adapter that `PERCEPT_ADAPTER` names, else the best.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use percept::gpu::{Gpu, GpuOptions};
use percept::models::{LoadOptions, Model};
use percept::session::{Event, Generation, Session, SessionOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn decode(criterion: &mut Criterion) {
    let adapter = std::env::var("PERCEPT_ADAPTER").map_or(Default::default(), |name| name.parse().unwrap());
    let gpu = Gpu::open(&GpuOptions { adapter, ..GpuOptions::default() }).unwrap();
    let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4_unified-tiny-s0");
    let folder = std::env::var_os("PERCEPT_MODEL").map_or(fixture, PathBuf::from);
    let model = Arc::new(Model::load(&gpu, &folder, &LoadOptions::default()).unwrap());
    let mut session = Session::new(&model, &SessionOptions::default(), &|_| {}).unwrap();
    let greedy = Generation { stop_ids: Vec::new(), ..Generation::greedy(model.defaults()) };
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    let context = session.context();
    for len in [0, 512, 2048].into_iter().filter(|len| len + 512 < context) {
        let empty = session.mark();
        while session.len() < len {
            session.push("weather ".repeat(((len - session.len()) / 8).clamp(1, 64)).as_str().into()).unwrap();
        }
        session.push("What?".into()).unwrap();
        let mark = session.mark();
        group.bench_function(BenchmarkId::from_parameter(session.len()), |bencher| {
            bencher.iter_custom(|count| {
                let mut time = Duration::ZERO;
                let mut left = count as usize;
                while left > 0 {
                    // Each answer stays short, so that the cache keeps about its length.
                    let tokens = left.min(64);
                    let answer = Generation { max_tokens: Some(tokens + 1), ..greedy.clone() };
                    let mut first = None;
                    for event in session.generate(&answer).unwrap() {
                        if let Event::Token { .. } = event.unwrap() {
                            first.get_or_insert_with(Instant::now);
                        }
                    }
                    time += first.unwrap().elapsed();
                    session.rollback(&mark).unwrap();
                    left -= tokens;
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
    targets = decode
}
criterion_main!(benches);
