//! What a token and a part may cost: dispatches and one submission, and nothing that is made anew.

use percept::gpu::{AdapterChoice, Counts, Gpu, GpuOptions, adapters};
use percept::media::{Audio, Image};
use percept::models::{LoadOptions, Media, Model};
use percept::session::{Event, Generation, Part, Session, SessionOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4_unified-tiny-s0")
}

/// Dispatches of a token: the embedding, its norm, ten a layer (four projections, norm and rotary, attention in parts
/// and their merge, two ends of branches, the gate), the head, its cap, the sampler.
const DISPATCHES_A_LAYER: usize = 10;
const DISPATCHES_BESIDE: usize = 5;

fn models() -> Vec<Arc<Model>> {
    let all = adapters();
    assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
    let open = |index| Gpu::open(&GpuOptions { adapter: AdapterChoice::Index(index), ..Default::default() }).unwrap();
    let load = |gpu| Arc::new(Model::load(&gpu, &fixture(), &LoadOptions::default()).unwrap());
    all.iter().map(|adapter| load(open(adapter.index))).collect()
}

fn session(model: &Arc<Model>) -> Session {
    Session::new(model, &SessionOptions { context: Some(1024), ..Default::default() }, &|_| {}).unwrap()
}

fn generation(model: &Model, tokens: usize) -> Generation {
    let base = Generation::new(model.defaults(), 7);
    Generation { max_tokens: Some(tokens), stop_ids: Vec::new(), ..base }
}

#[track_caller]
fn assert_nothing_made(what: &str, before: Counts, after: Counts, model: &Model) {
    let made = |counts: Counts| (counts.buffers, counts.bind_groups);
    assert_eq!(made(before), made(after), "buffers and bind groups of {what} on {}", model.gpu().adapter().title());
}

#[test]
fn a_token_costs_its_dispatches_and_one_submission() {
    for model in models() {
        let mut session = session(&model);
        let summary = session.runtime().plans.decode.summary(1);
        // In textures, where software adapters have weights, the gate is a part of the matrix's dispatch.
        let a_layer = DISPATCHES_A_LAYER - usize::from(model.gpu().capabilities().software);
        assert_eq!(summary.dispatches, DISPATCHES_BESIDE + a_layer * model.config().layers.len());
        assert!(summary.bytes > model.decode_bytes() && summary.bytes < 2 * model.decode_bytes(), "{summary:?}");
        // Behind a short and a long cache, longer than the rings of sliding layers.
        for text in ["Hello".to_string(), "weather ".repeat(80)] {
            session.push(text.as_str().into()).unwrap();
            let len = session.len();
            let mut counts = Vec::new();
            for event in session.generate(&generation(&model, 60)).unwrap() {
                if let Event::Token { .. } = event.unwrap() {
                    counts.push(model.gpu().counts());
                }
            }
            assert_eq!(counts.len(), 60);
            let (before, after) = (counts[4], counts[54]);
            let title = model.gpu().adapter().title();
            assert_nothing_made("50 tokens", before, after, &model);
            assert_eq!(after.submits - before.submits, 50, "submissions behind {len} tokens on {title}");
            assert_eq!(after.dispatches - before.dispatches, 50 * summary.dispatches as u64, "behind {len} on {title}");
            assert_nothing_made("the whole answer", counts[0], model.gpu().counts(), &model);
        }
        assert_eq!(session.runtime().plans.decode.summary(1), summary);
        assert!(session.len() > 400);
    }
}

#[test]
fn parts_and_answers_make_nothing_anew() {
    let folder = fixture();
    let image = Image::open(&folder.join("image_0.png")).unwrap();
    let other = Image::open(&folder.join("image_1.png")).unwrap();
    let sound = Audio::open(&folder.join("audio_0.wav")).unwrap();
    let samples = vec![0.1; 3000];
    for model in models() {
        let earlier = model.gpu().counts();
        let mut session = session(&model);
        let before = model.gpu().counts();
        // The accounts do tell of what is made.
        assert!(before.buffers > earlier.buffers && before.bind_groups > earlier.bind_groups);
        for round in 0..2 {
            for (what, media) in [
                ("a picture", Media::Image(image.clone())),
                ("another picture", Media::Image(other.clone())),
                ("sound", Media::Audio(sound.clone())),
            ] {
                session.push(Part::Media(media)).unwrap();
                assert_nothing_made(&format!("{what} in round {round}"), before, model.gpu().counts(), &model);
            }
            session.hear(&samples).unwrap();
            assert_nothing_made("heard sound", before, model.gpu().counts(), &model);
            session.push("What is this?".into()).unwrap();
            assert_nothing_made("text", before, model.gpu().counts(), &model);
            session.generate(&generation(&model, 5)).unwrap().for_each(|event| assert!(event.is_ok(), "{event:?}"));
            assert_nothing_made("an answer", before, model.gpu().counts(), &model);
        }
        let mark = session.mark();
        session.push("more".into()).unwrap();
        session.rollback(&mark).unwrap();
        assert_nothing_made("a rollback", before, model.gpu().counts(), &model);
        assert!(model.gpu().counts().dispatches > before.dispatches);
    }
}
