use crate::support::*;
use percept::gpu::{Array, Gpu, Plan, PlanBuilder};
use percept::kernels::sample::{self, Sampling};
use proptest::prelude::*;

const ALL: Sampling = Sampling { temperature: 1.0, ..Sampling::GREEDY };
const UNTOUCHED: u32 = 0xffff_ffff;

/// The arrays around a plan of one sampling dispatch.
struct Bench<'g> {
    gpu: &'g Gpu,
    plan: Plan,
    logits: Array<f32>,
    sampling: Array<u32>,
    seen: Output<u32>,
    step: Output<u32>,
    ids: Output<u32>,
    token: Output<u32>,
}

impl<'g> Bench<'g> {
    fn new(gpu: &'g Gpu, logits: &[f32]) -> Bench<'g> {
        let logits_array = gpu.array_of("logits", logits).unwrap();
        let sampling = gpu.array("sampling", 8).unwrap();
        let seen = Output::new(gpu, "seen", logits.len().div_ceil(32));
        let [step, ids, token] = [2, 2, 2].map(|len| Output::new(gpu, "output", len));
        let mut plan = PlanBuilder::new(gpu);
        let arrays = sample::Arrays {
            logits: &logits_array,
            sampling: &sampling,
            seen: &seen.array,
            step: &step.array,
            ids: &ids.array,
            token: &token.array,
        };
        sample::record(&mut plan, logits.len(), &arrays).unwrap();
        let plan = plan.finish(&|_, _| {}).unwrap();
        let bench = Bench { gpu, plan, logits: logits_array, sampling, seen, step, ids, token };
        bench.set(&ALL, &vec![0; logits.len().div_ceil(32)], 0);
        bench
    }

    fn set(&self, sampling: &Sampling, seen: &[u32], position: u32) {
        self.gpu.write(&self.sampling, 0, &sampling.words());
        self.gpu.write(&self.seen.array, 0, seen);
        self.gpu.write(&self.step.array, 0, &[position, UNTOUCHED]);
        self.gpu.write(&self.ids.array, 0, &[UNTOUCHED; 2]);
    }

    /// Token and flag.
    fn draw(&self) -> (u32, u32) {
        self.plan.run(self.gpu, 1).unwrap();
        let token = self.token.read(self.gpu);
        (token[0], token[1])
    }
}

fn seen_of(tokens: impl IntoIterator<Item = u32>, vocab_size: usize) -> Vec<u32> {
    let mut seen = vec![0; vocab_size.div_ceil(32)];
    tokens.into_iter().for_each(|token| seen[token as usize / 32] |= 1 << (token % 32));
    seen
}

/// The token is the one that the reference draws, or the random number lies at its border, or at a border of what
/// is kept, as near as f32 can tell.
#[track_caller]
fn assert_drawn(gpu: &Gpu, what: &str, token: u32, logits: &[f32], seen: &[u32], sampling: &Sampling, position: u32) {
    if Some(token) == sample::reference(logits, seen, sampling, position) {
        return;
    }
    let chance = f64::from(sampling.random(position)) / 4_294_967_296.0;
    let fits = |sampling: &Sampling| {
        let probabilities = sample::probabilities(logits, seen, sampling);
        let before: f64 = probabilities[..token as usize].iter().sum();
        let own = probabilities[token as usize];
        own > 0.0 && before - 2e-6 <= chance && chance <= before + own + 2e-6
    };
    let near = |top_p: f32, min_p: f32| Sampling {
        top_p: if sampling.top_p < 1.0 { sampling.top_p + top_p } else { 1.0 },
        min_p: sampling.min_p * (1.0 + min_p),
        ..*sampling
    };
    let nearly = [(0.0, 0.0), (1e-6, 0.0), (-1e-6, 0.0), (0.0, 1e-6), (0.0, -1e-6)];
    let expected = sample::reference(logits, seen, sampling, position);
    assert!(
        nearly.into_iter().any(|(p, m)| fits(&near(p, m))),
        "{what}: {token}, expected {expected:?} of {} by {sampling:?} at {position} on {}",
        logits.len(),
        gpu.adapter().title()
    );
}

#[test]
fn reference_by_hand() {
    let logits: Vec<f32> = [1f32, 2.0, 3.0, 4.0].iter().map(|p| p.ln()).collect();
    let close = |sampling: Sampling, seen: u32, expected: [f64; 4]| {
        let got = sample::probabilities(&logits, &[seen], &sampling);
        let as_f32 = |all: &[f64]| all.iter().map(|v| *v as f32).collect::<Vec<_>>();
        assert_close(&format!("{sampling:?}"), &as_f32(&got), &as_f32(&expected), 1e-6);
    };
    close(ALL, 0, [0.1, 0.2, 0.3, 0.4]);
    close(Sampling::GREEDY, 0, [0.0, 0.0, 0.0, 1.0]);
    // Masses at temperature 1/2 are squared: 1, 4, 9, 16.
    close(Sampling { temperature: 0.5, ..ALL }, 0, [1.0, 4.0, 9.0, 16.0].map(|v| v / 30.0));
    close(Sampling { top_k: 2, ..ALL }, 0, [0.0, 0.0, 3.0, 4.0].map(|v| v / 7.0));
    close(Sampling { top_p: 0.39, ..ALL }, 0, [0.0, 0.0, 0.0, 1.0]);
    close(Sampling { top_p: 0.41, ..ALL }, 0, [0.0, 0.0, 3.0, 4.0].map(|v| v / 7.0));
    // Of 2, 3, 4 the share 0.8 is 7.2, of all it would be 8.
    close(Sampling { top_k: 3, top_p: 0.77, ..ALL }, 0, [0.0, 0.0, 3.0, 4.0].map(|v| v / 7.0));
    close(Sampling { top_p: 0.77, ..ALL }, 0, [0.0, 2.0, 3.0, 4.0].map(|v| v / 9.0));
    close(Sampling { min_p: 0.49, ..ALL }, 0, [0.0, 2.0, 3.0, 4.0].map(|v| v / 9.0));
    close(Sampling { min_p: 0.51, ..ALL }, 0, [0.0, 0.0, 3.0, 4.0].map(|v| v / 7.0));
    // ln 4 / 2 = ln 2; ln 1 = 0 stays.
    close(Sampling { repetition_penalty: 2.0, ..ALL }, 0b1001, [1.0, 2.0, 3.0, 2.0].map(|v| v / 8.0));
    let negative =
        sample::probabilities(&[-1.0, -2.0], &[1], &Sampling { repetition_penalty: 4.0, ..Sampling::GREEDY });
    assert_eq!(negative, [0.0, 1.0]);
    assert_eq!(sample::probabilities(&[f32::NAN; 2], &[0], &ALL), [0.0, 0.0]);
}

#[test]
fn random_words_are_those_of_pcg3d() {
    // By the formula of the paper in whole numbers, apart from this code.
    let words = |seed_lo, seed_hi, position| Sampling { seed_lo, seed_hi, ..ALL }.random(position);
    assert_eq!(words(1, 2, 3), 4_204_755_366);
    assert_eq!(words(0, 0, 0), 2_611_992_518);
    assert_eq!(words(u32::MAX, 7, 4096), 2_635_319_440);
}

fn vocab_sizes() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1usize), Just(2), Just(31), Just(255), Just(256), Just(257), Just(608), Just(4096), 3usize..1500]
}

#[test]
fn greedy_is_exact() {
    for_shapes(24, (vocab_sizes(), any::<u64>()), |gpu, &(vocab_size, seed)| {
        // Few different values: the greatest comes more than once.
        let levels = if seed % 2 == 0 { 4.0 } else { 1e6 };
        let logits: Vec<f32> = noise(seed, vocab_size).iter().map(|v| (v * levels).round() / levels - 0.25).collect();
        let bench = Bench::new(gpu, &logits);
        let occurred = noise(seed ^ 1, vocab_size);
        let seen = seen_of((0..vocab_size as u32).filter(|t| occurred[*t as usize] > 0.2), vocab_size);
        for repetition_penalty in [1.0, 2.0, 0.5] {
            let sampling = Sampling { repetition_penalty, top_k: 3, top_p: 0.5, seed_lo: 9, ..Sampling::GREEDY };
            bench.set(&sampling, &seen, 17);
            let (token, flag) = bench.draw();
            let expected = sample::reference(&logits, &seen, &sampling, 17).unwrap();
            assert_eq!((token, flag), (expected, 0), "penalty {repetition_penalty} of {vocab_size}");
        }
    });
}

#[test]
fn draws_equal_the_reference() {
    let numbers = (
        prop_oneof![Just(1.0f32), 0.05f32..3.0],
        prop_oneof![Just(0u32), Just(1), Just(64), 1u32..300, 257u32..3000],
        prop_oneof![Just(1.0f32), 0.01f32..1.0, Just(0.0)],
        prop_oneof![Just(0.0f32), 0.001f32..0.6, Just(1.0)],
        prop_oneof![Just(1.0f32), 0.7f32..1.6],
    );
    let spreads = prop_oneof![Just(0.5f32), Just(12.0)];
    let shapes = (vocab_sizes(), numbers, spreads, any::<u64>());
    for_shapes(60, shapes, |gpu, &(vocab_size, numbers, spread, seed)| {
        let logits: Vec<f32> = noise(seed, vocab_size).iter().map(|v| spread * v + 3.0).collect();
        let occurred = noise(seed ^ 1, vocab_size);
        let seen = seen_of((0..vocab_size as u32).filter(|t| occurred[*t as usize] > 0.5), vocab_size);
        let bench = Bench::new(gpu, &logits);
        let (temperature, top_k, top_p, min_p, repetition_penalty) = numbers;
        for draw in 0..6u32 {
            let sampling = Sampling {
                temperature,
                top_k,
                top_p,
                min_p,
                repetition_penalty,
                seed_lo: seed as u32 ^ draw,
                seed_hi: (seed >> 32) as u32,
                pad: 0,
            };
            bench.set(&sampling, &seen, 1000 * draw);
            let (token, flag) = bench.draw();
            assert_eq!(flag, 0);
            assert_drawn(gpu, "draw", token, &logits, &seen, &sampling, 1000 * draw);
        }
    });
}

/// Draws at `count` positions in a row, or with `count` seeds.
fn counts(bench: &Bench<'_>, sampling: &Sampling, vocab_size: usize, count: u32, by_seed: bool) -> Vec<u32> {
    let mut counts = vec![0; vocab_size];
    let seen = vec![0; vocab_size.div_ceil(32)];
    bench.set(sampling, &seen, 5);
    for draw in 0..count {
        if by_seed {
            bench.set(&Sampling { seed_lo: draw, ..*sampling }, &seen, 5);
        }
        counts[bench.draw().0 as usize] += 1;
    }
    counts
}

#[test]
fn draws_have_the_distribution() {
    const DRAWS: u32 = 2000;
    let logits: Vec<f32> = noise(11, 31).iter().map(|v| 2.0 * v).collect();
    let settings =
        [(ALL, true), (Sampling { temperature: 0.7, top_k: 12, top_p: 0.9, min_p: 0.02, seed_hi: 3, ..ALL }, false)];
    for gpu in gpus() {
        let bench = Bench::new(gpu, &logits);
        for (sampling, by_seed) in settings {
            let expected = sample::probabilities(&logits, &[0], &sampling);
            let counts = counts(&bench, &sampling, logits.len(), DRAWS, by_seed);
            let (mut chi_square, mut freedom) = (0.0, -1.0);
            for (p, count) in expected.iter().zip(&counts) {
                let mean = p * f64::from(DRAWS);
                if mean == 0.0 {
                    assert_eq!(*count, 0, "a token that is cut off was drawn: {sampling:?}");
                    continue;
                }
                freedom += 1.0;
                chi_square += (f64::from(*count) - mean).powi(2) / mean;
            }
            // Four standard deviations above the mean.
            let most: f64 = freedom + 4.0 * (2.0f64 * freedom).sqrt();
            assert!(freedom > 5.0 && chi_square < most, "chi-square {chi_square:.1} of {freedom}: {sampling:?}");
        }
    }
}

#[test]
fn equal_logits_stay_together() {
    // Five second-greatest logits, one of them -0 where the others are 0.
    let mut logits = vec![-9.0; 40];
    logits[33] = 0.5;
    [3, 4, 20, 38].iter().for_each(|i| logits[*i] = 0.0);
    logits[39] = -0.0;
    for gpu in gpus() {
        let bench = Bench::new(gpu, &logits);
        for cut in [Sampling { top_k: 3, ..ALL }, Sampling { top_p: 0.4, ..ALL }] {
            let counts = counts(&bench, &cut, 40, 300, false);
            let drawn: Vec<usize> = (0..40).filter(|i| counts[*i] > 0).collect();
            assert_eq!(drawn, [3, 4, 20, 33, 38, 39], "{cut:?}");
        }
    }
}

#[test]
fn logits_that_are_not_finite_are_never_chosen() {
    let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN, f32::from_bits(0x7f80_0001)];
    let settings = [
        Sampling::GREEDY,
        ALL,
        Sampling { top_k: 5, ..ALL },
        Sampling { top_k: 300, top_p: 0.9, min_p: 0.01, repetition_penalty: 1.5, ..ALL },
    ];
    for gpu in gpus() {
        let mut logits: Vec<f32> = (0..600).map(|i| bad[i % bad.len()]).collect();
        let bench = Bench::new(gpu, &logits);
        let seen = seen_of([1, 2, 77], 600);
        for sampling in settings {
            bench.set(&sampling, &seen, 3);
            assert_eq!(bench.draw(), (0, 1), "{sampling:?}");
        }
        (logits[77], logits[580], logits[581]) = (-2.0, f32::MAX, f32::MIN);
        gpu.write(&bench.logits, 0, &logits);
        for sampling in settings {
            bench.set(&sampling, &seen, 3);
            assert_eq!(bench.draw(), (580, 0), "{sampling:?}");
        }
        // A penalty may carry a logit beyond what is finite.
        logits[580] = f32::NAN;
        gpu.write(&bench.logits, 0, &logits);
        bench.set(&Sampling { repetition_penalty: 2.0, ..ALL }, &seen_of([581], 600), 3);
        assert_eq!(bench.draw(), (77, 0));
    }
}

#[test]
fn the_step_is_advanced_and_the_token_marked() {
    let logits = noise(4, 77);
    for gpu in gpus() {
        let bench = Bench::new(gpu, &logits);
        let mut seen = seen_of([0, 5, 70], 77);
        bench.set(&Sampling { seed_lo: 1, ..ALL }, &seen, 41);
        for position in 41..60 {
            let expected = sample::reference(&logits, &seen, &Sampling { seed_lo: 1, ..ALL }, position).unwrap();
            assert_eq!(bench.draw(), (expected, 0));
            seen[expected as usize / 32] |= 1 << (expected % 32);
            assert_eq!(bench.seen.read(gpu), seen);
            assert_eq!(bench.step.read(gpu), [position + 1, UNTOUCHED]);
            assert_eq!(bench.ids.read(gpu), [expected, UNTOUCHED]);
        }
        assert_eq!(gpu.read(&bench.logits).unwrap(), logits);
    }
}

#[test]
fn large_vocabulary() {
    const VOCAB: usize = 262_144;
    // A few likely tokens above a broad floor, as language models give; and all nearly equal.
    let peaked: Vec<f32> = noise(1, VOCAB).iter().map(|v| 30.0 * v * v * v * v * v).collect();
    let flat: Vec<f32> = noise(2, VOCAB).iter().map(|v| 0.1 * v).collect();
    let settings = [
        Sampling::GREEDY,
        ALL,
        Sampling { top_k: 64, top_p: 0.95, ..ALL },
        Sampling { top_p: 0.9, ..ALL },
        Sampling { top_k: 5000, top_p: 0.5, min_p: 0.1, repetition_penalty: 1.1, ..ALL },
    ];
    for gpu in gpus() {
        for logits in [&peaked, &flat] {
            let bench = Bench::new(gpu, logits);
            let seen = seen_of((0..VOCAB as u32).step_by(1000), VOCAB);
            for (i, sampling) in settings.into_iter().enumerate() {
                let sampling = Sampling { seed_hi: 77 + i as u32, ..sampling };
                bench.set(&sampling, &seen, 3);
                let (token, flag) = bench.draw();
                assert_eq!(flag, 0);
                assert_drawn(gpu, "large", token, logits, &seen, &sampling, 3);
            }
        }
    }
}
