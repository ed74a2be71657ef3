//! Conversations with a model that has a spectrogram encoder: sound in snippets, and taken back in its middle.

use crate::support::*;
use percept::models::{LoadOptions, Media, Model};
use percept::session::{Event, Generation, Part, Session, SessionOptions};
use percept::{Audio, Error};
use std::sync::{Arc, OnceLock};

fn session() -> Session {
    static MODEL: OnceLock<Arc<Model>> = OnceLock::new();
    let model = MODEL.get_or_init(|| Arc::new(Model::load(&gpus()[0], &fixture(), &LoadOptions::default()).unwrap()));
    Session::new(model, &SessionOptions { context: Some(600), ..Default::default() }, &|_| {}).unwrap()
}

fn sound() -> Audio {
    Audio::open(&fixture().join("audio_0.wav")).unwrap()
}

fn asked(session: &mut Session) -> Vec<u32> {
    session.push("What do you hear?".into()).unwrap();
    let generation =
        Generation { max_tokens: Some(12), stop_ids: vec![], ..Generation::greedy(session.model().defaults()) };
    let id = |event: percept::Result<Event>| match event.unwrap() {
        Event::Token { id } => Some(id),
        _ => None,
    };
    session.generate(&generation).unwrap().filter_map(id).collect()
}

#[test]
fn sound_heard_in_snippets_is_the_same_as_in_one_piece() {
    let mut whole = session();
    whole.push(Part::Media(Media::Audio(sound()))).unwrap();
    let expected = asked(&mut whole);
    for lens in [vec![1, 639, 641, 100, 3000, 7, 5000], vec![640], vec![1281, 20]] {
        let mut heard = session();
        let sound = sound();
        let mut rest = sound.samples.as_slice();
        for len in lens.into_iter().cycle() {
            let (now, later) = rest.split_at(usize::min(len, rest.len()));
            heard.hear(now).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(asked(&mut heard), expected);
        assert_eq!(heard.ids(), whole.ids());
    }
}

#[test]
fn sound_can_be_taken_back_in_its_middle() {
    let sound = sound();
    let (first, second) = sound.samples.split_at(5000);
    let mut turned = session();
    turned.hear(first).unwrap();
    let mark = turned.mark();
    turned.hear(&second[..3000]).unwrap();
    turned.push("No, wait.".into()).unwrap();
    turned.rollback(&mark).unwrap();
    turned.hear(second).unwrap();
    let mut straight = session();
    straight.push(Part::Media(Media::Audio(sound.clone()))).unwrap();
    assert_eq!(asked(&mut turned), asked(&mut straight));
    assert_eq!(turned.ids(), straight.ids());
}

/// A second of sound is 24 or 25 tokens; less than two hops give none.
#[test]
fn short_sounds() {
    let push = |samples: usize| {
        let audio = Audio { samples: vec![0.1; samples], sample_rate: 16_000 };
        let mut session = session();
        let before = session.len();
        session.push(Part::Media(Media::Audio(audio))).map(|()| session.len() - before)
    };
    assert_eq!(push(16_000).unwrap() - push(161).unwrap(), 24);
    let Err(Error::Media { problem, .. }) = push(160) else { panic!("a sound of 160 samples was taken") };
    assert_eq!(problem, "it holds 160 samples, too few for a token; use a longer recording");
}
