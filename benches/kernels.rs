//! `cargo bench --bench kernels -- NAME`: every case of a real size as the engine does it, on the adapter that
//! `PERCEPT_ADAPTER` names (as `--adapter` of the program does), else the best. A case is prepared when it is asked for;
//! `percept bench` compares it with the adapter's ceilings, and with its other variants.

use criterion::{Criterion, criterion_group, criterion_main};
use percept::bench::kernels::{Timed, is_for};
use percept::gpu::{Gpu, GpuOptions};
use percept::kernels::{Variant, cases};
use std::cell::OnceCell;
use std::time::Duration;

fn kernels(criterion: &mut Criterion) {
    let adapter = std::env::var("PERCEPT_ADAPTER").map_or(Default::default(), |name| name.parse().unwrap());
    let gpu = Gpu::open(&GpuOptions { adapter, ..GpuOptions::default() }).unwrap();
    for case in cases().iter().filter(|case| is_for(&gpu, case)) {
        let timed = OnceCell::new();
        criterion.bench_function(&format!("{} {}", case.kernel, case.shape), |bencher| {
            let timed = timed.get_or_init(|| Timed::new(&gpu, case, Variant::best(&gpu)).unwrap());
            bencher.iter_custom(|count| Duration::from_secs_f64(timed.seconds_of(&gpu, count).unwrap()));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = kernels
}
criterion_main!(benches);
