//! Where a token's time goes: every shader of the step is there, the times can be, and the conversation does not notice.

use percept::Error;
use percept::gpu::{AdapterChoice, Gpu, GpuOptions, PlanBuilder, adapters};
use percept::kernels::softcap;
use percept::models::{LoadOptions, Model};
use percept::session::{Event, Generation, Session, SessionOptions};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn gpus() -> Vec<Arc<Gpu>> {
    let all = adapters();
    assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
    let open = |index| Gpu::open(&GpuOptions { adapter: AdapterChoice::Index(index), ..Default::default() }).unwrap();
    all.iter().map(|adapter| open(adapter.index)).collect()
}

fn model(gpu: &Arc<Gpu>) -> Arc<Model> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4_unified-tiny-s0");
    Arc::new(Model::load(gpu, &folder, &LoadOptions::default()).unwrap())
}

fn session(model: &Arc<Model>, context: usize) -> Session {
    Session::new(model, &SessionOptions { context: Some(context), ..Default::default() }, &|_| {}).unwrap()
}

fn sampled(model: &Model, tokens: usize) -> Generation {
    Generation { max_tokens: Some(tokens), stop_ids: Vec::new(), ..Generation::new(model.defaults(), 7) }
}

fn answer(session: &mut Session, generation: &Generation) -> Vec<u32> {
    let events = session.generate(generation).unwrap();
    events.filter_map(|event| if let Event::Token { id } = event.unwrap() { Some(id) } else { None }).collect()
}

#[test]
fn the_times_are_those_of_the_steps_shaders() {
    for gpu in gpus() {
        let model = model(&gpu);
        let mut session = session(&model, 600);
        session.push("What is in the picture?".into()).unwrap();
        answer(&mut session, &sampled(&model, 5));
        let held = gpu.held_bytes();
        let told = session.profile(&sampled(&model, 5)).unwrap();
        let title = gpu.adapter().title();
        // An adapter says before whether it has time stamps; those of the software adapters of Mesa can be.
        assert_eq!(told.is_some(), gpu.capabilities().timestamps, "{title}");
        assert_eq!(gpu.held_bytes(), held, "bytes that are kept on {title}");
        let Some(profile) = told else { continue };
        let mut expected = BTreeMap::new();
        session.runtime().plans.decode.shaders().for_each(|shader| *expected.entry(shader).or_insert(0) += 1);
        let found: BTreeMap<_, _> = profile.shaders.iter().map(|it| (it.shader, it.dispatches)).collect();
        assert_eq!(found, expected, "{title}");
        assert_eq!(profile.shaders.len(), expected.len(), "each shader stands there once on {title}");
        assert!(profile.shaders.is_sorted_by(|a, b| a.time >= b.time), "{profile:?}");
        let time = profile.time();
        assert!(time > Duration::ZERO && time <= profile.whole, "{time:?} of {:?} on {title}", profile.whole);
    }
}

#[test]
fn a_conversation_does_not_notice_it() {
    for gpu in gpus() {
        let model = model(&gpu);
        let (mut watched, mut other) = (session(&model, 700), session(&model, 700));
        // One answer is longer than the rings of the sliding layers.
        for (text, tokens) in [("Hello".to_string(), 9), ("weather ".repeat(40), 60), ("And now?".into(), 12)] {
            for session in [&mut watched, &mut other] {
                session.push(text.as_str().into()).unwrap();
            }
            watched.profile(&Generation::greedy(model.defaults())).unwrap();
            let generation = sampled(&model, tokens);
            let said = answer(&mut watched, &generation);
            assert_eq!(said, answer(&mut other, &generation), "{}", gpu.adapter().title());
            let (len, mark) = (watched.len(), watched.mark());
            watched.profile(&generation).unwrap();
            watched.rollback(&mark).unwrap();
            assert_eq!((watched.len(), watched.ids()), (len, other.ids()));
        }
        // While sound is heard.
        let samples = vec![0.1; 3000];
        for session in [&mut watched, &mut other] {
            session.hear(&samples).unwrap();
        }
        watched.profile(&sampled(&model, 1)).unwrap();
        for session in [&mut watched, &mut other] {
            session.hear(&samples).unwrap();
        }
        assert_eq!(answer(&mut watched, &sampled(&model, 9)), answer(&mut other, &sampled(&model, 9)));
        assert_eq!(watched.ids(), other.ids());
    }
}

#[test]
fn a_full_cache_has_no_room_for_it() {
    for gpu in gpus().into_iter().filter(|gpu| gpu.capabilities().timestamps) {
        let model = model(&gpu);
        let mut session = session(&model, 40);
        session.push("Hello".into()).unwrap();
        answer(&mut session, &sampled(&model, 100));
        assert_eq!(session.len(), session.context());
        assert!(matches!(session.profile(&sampled(&model, 1)), Err(Error::Context { .. })));
        let bad = Generation { temperature: -1.0, ..sampled(&model, 1) };
        assert!(matches!(session.profile(&bad), Err(Error::Argument { name: "temperature", .. })));
    }
}

#[test]
fn more_dispatches_than_a_set_of_queries_holds_are_measured_too() {
    const DISPATCHES: usize = 2 * 2048 + 5;
    for gpu in gpus() {
        let x = gpu.array("x", 4).unwrap();
        let mut plan = PlanBuilder::new(&gpu);
        for _ in 0..DISPATCHES {
            softcap::record(&mut plan, 1, 1.0, &x).unwrap();
        }
        let plan = plan.finish(&|_, _| {}).unwrap();
        plan.run(&gpu, 1).unwrap();
        let Some(profile) = plan.profile(&gpu, 1).unwrap() else {
            assert!(!gpu.capabilities().timestamps, "{}", gpu.adapter().title());
            continue;
        };
        assert_eq!(profile.shaders.iter().map(|it| it.dispatches).sum::<usize>(), DISPATCHES, "{profile:?}");
        assert!(profile.time() > Duration::ZERO && profile.time() <= profile.whole, "{profile:?}");
    }
}
