//! The measurements run on every adapter, and their numbers hang together. How large they are is no test's matter.

use percept::bench::model::{Lens, Loaded};
use percept::bench::report::Report;
use percept::bench::{Effort, ceilings, kernels};
use percept::gpu::{AdapterChoice, Gpu, GpuOptions, adapters};
use std::path::Path;
use std::time::Duration;

#[test]
fn every_adapter_is_measured() {
    let effort = Effort { least: 2, most: 2, time: Duration::ZERO };
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4_unified-tiny-s0");
    let all = adapters();
    assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
    for adapter in all {
        let choice = AdapterChoice::Index(adapter.index);
        let gpu = Gpu::open(&GpuOptions { adapter: choice, ..Default::default() }).unwrap();
        let begun = Loaded::new(&gpu, 0.1, &fixture, &|_| {}).unwrap().begin(&|_| {}).unwrap();
        let held = gpu.held_bytes();
        let ceilings = ceilings::measure(&gpu, effort).unwrap();
        assert_eq!(gpu.held_bytes(), held, "bytes that the ceilings keep");
        let rates = [ceilings.read_bytes_per_s, ceilings.flops_per_s, ceilings.upload_bytes_per_s, ceilings.replay_s];
        assert!(rates.iter().all(|rate| rate.is_finite() && *rate > 0.0), "{ceilings:?}");
        assert!(ceilings.best_read_bytes_per_s >= ceilings.read_bytes_per_s, "{ceilings:?}");

        let mut report = Report::new(gpu.adapter(), true, ceilings);
        let lens = Lens { prefills: vec![40, 5000], caches: vec![0, 100, 5000], answer: 7, shaders: true };
        let model = begun.measure(effort, &ceilings, &lens, &mut |_| {}).unwrap();
        let tells = gpu.capabilities().timestamps;
        let skipped = 2 + usize::from(!tells);
        assert_eq!((model.prefill.len(), model.decode.len(), model.skipped.len()), (1, 2, skipped), "{model:?}");
        assert_eq!(model.by_shader.len(), if tells { model.decode.len() } else { 0 }, "{model:?}");
        for (token, decode) in model.by_shader.iter().zip(&model.decode) {
            let (shares, dispatches) =
                token.shaders.iter().fold((0.0, 0), |(s, d), it| (s + it.share, d + it.dispatches));
            assert!((shares - 1.0).abs() < 1e-6 && token.adapter_s <= token.whole_s, "{token:?}");
            assert_eq!(dispatches, decode.dispatches);
            // The tokens that close the question are not read.
            assert!(token.cache_len < decode.cache_len && token.cache_len + 20 > decode.cache_len, "{token:?}");
        }
        for decode in &model.decode {
            assert_eq!((decode.times.repeats, decode.tokens), (2, 7));
            assert!((decode.tokens_per_s * decode.times.median_s - 1.0).abs() < 1e-9, "{decode:?}");
            assert!(decode.bytes > decode.cache_bytes + model.weight_bytes / 2, "{decode:?}");
        }
        let [short, long] = &model.decode[..] else { panic!("{model:?}") };
        assert_eq!(long.cache_len, short.cache_len + 100);
        // Sliding layers see no more than their window.
        assert!(long.cache_bytes > short.cache_bytes && long.cache_bytes < 3 * short.cache_bytes, "{model:?}");
        assert!(model.first_token_cold_s > 0.0 && model.question_tokens == short.cache_len, "{model:?}");
        report.model = Some(model);

        let mut seen = 0;
        let named = |case: &percept::kernels::Case| kernels::is_named(case, "take_row");
        let (times, skipped) = kernels::measure(&gpu, effort, &ceilings, named, &mut |_| seen += 1).unwrap();
        assert_eq!((times.len(), seen, skipped.len()), (1, 1, 0));
        assert!(times[0].used && times[0].variant == "baseline" && times[0].share > 0.0, "{times:?}");
        report.kernels = times;

        let text = report.text();
        for part in [gpu.adapter().title().as_str(), "take_row", "first token", "not measured", "GB/s"] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        let json = report.json().unwrap();
        assert_eq!(json["kernels"][0]["kernel"], "take_row");
        assert!(json["model"]["decode"][1]["median_s"].as_f64().unwrap() > 0.0);
        assert_eq!(json["driver"], gpu.adapter().driver);
        // What scripts rely on stands in front.
        for (short, long) in [
            ("prefill_tok_s", &json["model"]["prefill"][0]["tokens_per_s"]),
            ("decode_tok_s", &json["model"]["decode"][0]["tokens_per_s"]),
            ("bytes_per_token", &json["model"]["decode"][0]["bytes"]),
            ("share_of_read_bandwidth", &json["model"]["decode"][0]["share_of_bandwidth"]),
            ("peak_rss_bytes", &json["model"]["peak_rss_bytes"]),
        ] {
            assert_eq!(&json[short], long, "{short}");
        }
        let ms = |name: &str| json[name].as_f64().unwrap();
        assert!(ms("load_to_first_token_ms") > ms("load_ms") && ms("load_ms") > 0.0 && ms("first_token_ms") > 0.0);
    }
}
