//! The self-test: right adapters pass, wrong numbers are found, features are dropped, verdicts are remembered.

use percept::Error;
use percept::gpu::{AdapterChoice, Gpu, GpuOptions, Unsound, adapters};
use percept::kernels::case::{Output, Prepared, noise};
use percept::kernels::{Case, Size, Variant, cases, softcap};
use percept::self_test::{ensure_cases, run_cases};
use std::sync::Arc;

/// Every adapter; taken for GPUs, what is used only there is checked as well.
fn gpus(as_gpu: bool) -> Vec<Arc<Gpu>> {
    let all = adapters();
    assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
    let options = |index| GpuOptions { adapter: AdapterChoice::Index(index), as_gpu, ..Default::default() };
    all.iter().map(|adapter| Gpu::open(&options(adapter.index)).unwrap()).collect()
}

/// A soft cap that comes out wrong in the variants that `wrong` names, as with a driver that miscompiles them. The
/// shader is made another one by a further dispatch, so that variants are told apart.
fn case(wrong: fn(Variant) -> bool) -> Case {
    Case::new("softcap", Size::Odd, "100", move |gpu| {
        let values: Vec<f32> = noise(1, 100).iter().map(|v| 40.0 * v).collect();
        let x = gpu.array_of("x", &values)?;
        let other = gpu.array_of("other", &values)?;
        let before = values.clone();
        let expected = move || softcap::reference(&values, 30.0);
        let outputs = vec![Output::in_place(&x, 100, 1e-6, move |i| before[i], expected)];
        Ok(Prepared::new(1, outputs, move |plan, variant| {
            let Variant { wide, subgroup, f16 } = variant;
            for _ in 0..4 * usize::from(wide) + 2 * usize::from(subgroup) + usize::from(f16) {
                softcap::record(plan, 100, 1.0, &other)?;
            }
            softcap::record(plan, 100, if wrong(variant) { 29.99 } else { 30.0 }, &x)
        }))
    })
}

#[test]
fn the_adapters_of_this_machine_are_right() {
    for gpu in gpus(false) {
        let mut seen = 0;
        let report = run_cases(&gpu, &cases(), &mut |outcome| {
            seen += 1;
            assert!(outcome.is_right(), "{outcome:?} on {}", gpu.adapter().title());
        })
        .unwrap();
        assert_eq!((report.outcomes.len(), report.unsound), (seen, Unsound::default()));
        let kernels: std::collections::BTreeSet<_> = report.outcomes.iter().map(|o| o.kernel).collect();
        assert_eq!(kernels.len(), 37);
        // What is wide and nothing else has the shaders that every variant takes for textures.
        let wide = Variant { wide: true, ..Variant::default() };
        for variant in Variant::all(&gpu).into_iter().filter(|variant| *variant != wide) {
            let of_matvec = report.outcomes.iter().filter(|o| o.kernel.starts_with("matvec") && o.variant == variant);
            assert!(of_matvec.count() > 0, "{variant:?} of no kind of matvec was checked");
        }
    }
}

/// A GPU passes what comes before the first use of a model, and uses nothing that is made for software adapters.
#[test]
fn adapters_taken_for_gpus_are_right() {
    for gpu in gpus(true) {
        assert!(!gpu.capabilities().software && !Variant::best(&gpu).wide);
        let report = run_cases(&gpu, &cases(), &mut |outcome| {
            assert!(outcome.is_right(), "{outcome:?} on {}", gpu.adapter().title());
        })
        .unwrap();
        assert_eq!(report.unsound, Unsound::default());
        assert!(report.outcomes.iter().any(|outcome| outcome.kernel == "attention"));
        let verdict = ensure_cases(&gpu, &cases(), None).unwrap();
        assert_eq!((verdict.unsound, verdict.findings.len()), (Unsound::default(), 0));
    }
}

#[test]
fn a_wrong_baseline_is_an_error() {
    for gpu in gpus(false) {
        for outcome in [
            run_cases(&gpu, &[case(|_| true)], &mut |_| {}).map(|_| ()),
            ensure_cases(&gpu, &[case(|_| true)], None).map(|_| ()),
        ] {
            let Err(Error::SelfTest { kernel, error, allowed, .. }) = outcome else { panic!("{outcome:?}") };
            assert!(kernel.contains("softcap") && error > allowed && error < 1e-3, "{kernel} {error} {allowed}");
        }
    }
}

#[test]
fn a_feature_with_wrong_numbers_is_dropped() {
    for gpu in gpus(false) {
        let all = Variant::all(&gpu);
        let wrongs: [fn(Variant) -> bool; 4] = [|_| false, |v| v.subgroup, |v| v.f16, |v| v.subgroup && v.f16];
        for wrong in wrongs {
            gpu.set_unsound(Unsound::default());
            let report = run_cases(&gpu, &[case(wrong)], &mut |_| {}).unwrap();
            let bad: Vec<_> = report.outcomes.iter().filter(|o| !o.is_right()).map(|o| o.variant).collect();
            let expected: Vec<_> = all.iter().copied().filter(|v| wrong(*v)).collect();
            assert_eq!(bad, expected);
            let best = Variant::best(&gpu);
            assert!(!wrong(best), "{best:?} is wrong and chosen");
            assert_eq!(report.unsound, gpu.unsound());
            if bad.is_empty() {
                assert_eq!(report.unsound, Unsound::default());
            }
        }
    }
}

#[test]
fn the_quick_form_drops_what_would_have_been_used() {
    for gpu in gpus(false).iter().filter(|gpu| Variant::best(gpu).f16 || Variant::best(gpu).subgroup) {
        let best = Variant::best(gpu);
        let verdict = ensure_cases(gpu, &[case(|_| false), case(|v| v.f16 || v.subgroup)], None).unwrap();
        assert_eq!(verdict.findings.len(), 1, "{verdict:?}");
        assert!(verdict.findings[0].contains("softcap"), "{verdict:?}");
        assert!(!best.f16 || verdict.unsound.f16, "{verdict:?}");
        let best = Variant::best(gpu);
        assert!(!best.f16 && !best.subgroup, "{best:?}");
    }
}

#[test]
fn what_is_used_instead_of_a_dropped_feature_is_checked_too() {
    for gpu in gpus(false).iter().filter(|gpu| Variant::best(gpu).f16) {
        // The first case is right as long as f16 is used, which the second one takes away.
        let outcome = ensure_cases(gpu, &[case(|v| !v.f16), case(|v| v.f16)], None);
        assert!(matches!(outcome, Err(Error::SelfTest { .. })), "{outcome:?}");
    }
}

#[test]
fn a_verdict_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    for (index, gpu) in gpus(false).iter().enumerate() {
        let file = folder.path().join("deep").join(format!("{index}.json"));
        let first = ensure_cases(gpu, &[case(|v| v.f16)], Some(&file)).unwrap();
        assert!(!first.remembered && file.exists());
        assert_eq!(first.unsound.f16, Variant::all(gpu).iter().any(|v| v.f16));
        // The cases of the second time would give an error; they are not run.
        gpu.set_unsound(Unsound { subgroup: true, f16: false });
        let second = ensure_cases(gpu, &[case(|_| true)], Some(&file)).unwrap();
        assert!(second.remembered);
        assert_eq!((second.unsound, &second.findings), (first.unsound, &first.findings));
        assert_eq!(gpu.unsound(), first.unsound);
    }
}

#[test]
fn a_damaged_verdict_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = &gpus(false)[0];
    let file = folder.path().join("verdict.json");
    for damaged in ["", "{", "[]", "{\"unsound_f16\": 3}", "\u{0}\u{0}\u{0}"] {
        std::fs::write(&file, damaged).unwrap();
        assert!(!ensure_cases(gpu, &[case(|_| false)], Some(&file)).unwrap().remembered, "{damaged:?}");
        assert!(ensure_cases(gpu, &[case(|_| false)], Some(&file)).unwrap().remembered, "{damaged:?}");
    }
    // A folder in its place: nothing is remembered, and nothing fails.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(!ensure_cases(gpu, &[case(|_| false)], Some(&file)).unwrap().remembered);
}
