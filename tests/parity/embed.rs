//! Embeddings against the states that the reference recorded: what stands behind a part does not change its own.

use crate::compare::gpus;
use percept::models::{LoadOptions, Media, Model};
use percept::session::{Part, Session, SessionOptions};
use percept::trace::{Case, Trace};
use percept::{Audio, Error, Image};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma4_unified-tiny-s0")
}

fn numbers<T>(file: &SafeTensors<'_>, name: &str, of: fn([u8; 4]) -> T) -> Vec<T> {
    file.tensor(name).unwrap().data().as_chunks().0.iter().map(|bytes| of(*bytes)).collect()
}

/// The mean of the recorded last states over the rows whose token has this type, without the first `skip` and what stands
/// behind `count` of them; brought to length one.
fn recorded(case: &str, token_type: i32, skip: usize, count: usize) -> Vec<f64> {
    let bytes = std::fs::read(folder().join(format!("cases/{case}.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let types = numbers(&file, "mm_token_type_ids", i32::from_le_bytes);
    mean(&types, &numbers(&file, "final_norm", f32::from_le_bytes), token_type, skip, count)
}

/// Of a picture's prompt only the last states are recorded, against which the other tests of this folder hold the trace; the
/// trace has all of them.
fn traced(model: &Arc<Model>, case: &str, token_type: i32) -> Vec<f64> {
    let case = Case::open(&folder().join(format!("cases/{case}.json")), &folder()).unwrap();
    let trace = Trace::run(model, &case, &|_| {}).unwrap();
    let (types, states) = (trace.integers("mm_token_type_ids").unwrap(), trace.floats("final_norm").unwrap());
    mean(types.1, states.1, token_type, 0, usize::MAX)
}

fn mean(types: &[i32], states: &[f32], token_type: i32, skip: usize, count: usize) -> Vec<f64> {
    let width = states.len() / types.len();
    let of_type = states.chunks_exact(width).zip(types).filter(|(_, own)| **own == token_type);
    let mut sum = vec![0.0; width];
    for (state, _) in of_type.skip(skip).take(count) {
        sum.iter_mut().zip(state).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    sum.into_iter().map(|value| value / length).collect()
}

#[test]
fn embeddings_are_means_of_the_references_states() {
    let picture = Part::Media(Media::Image(Image::open(&folder().join("image_0.png")).unwrap()));
    let sound = Part::Media(Media::Audio(Audio::open(&folder().join("audio_0.wav")).unwrap()));
    for gpu in gpus() {
        let model = Arc::new(Model::load(&gpu, &folder(), &LoadOptions::default()).unwrap());
        let tokens = |text: &str| model.tokenizer().encode(text).unwrap().len();
        let before = tokens("<bos><|turn>user\n");
        let question = "What is in the picture?";
        let options = SessionOptions { context: Some(600), ..Default::default() };
        let mut session = Session::new(&model, &options, &|_| {}).unwrap();
        for (name, part, expected) in [
            ("text", question.into(), recorded("text", 0, before, tokens(question))),
            ("image", picture.clone(), traced(&model, "image", 1)),
            ("audio", sound.clone(), recorded("audio", 3, 0, usize::MAX)),
            // White space around a text is no part of it.
            ("text", format!("  {question}\n").as_str().into(), recorded("text", 0, before, tokens(question))),
        ] {
            let embedding = session.embed(&part).unwrap();
            assert!(session.is_empty());
            let pairs = embedding.iter().zip(&expected);
            let worst = pairs.map(|(got, expected)| (f64::from(*got) - expected).abs()).fold(0.0, f64::max);
            println!("{name} on {}: {worst:.1e}", gpu.adapter().title());
            assert!(worst < 1e-4, "{name} on {}: {worst}", gpu.adapter().title());
            assert_eq!(embedding.len(), expected.len());
        }
    }
}

#[test]
fn a_text_longer_than_a_chunk_is_embedded_whole() {
    let model = Arc::new(Model::load(&gpus()[0], &folder(), &LoadOptions::default()).unwrap());
    let session = |context| {
        Session::new(&model, &SessionOptions { context: Some(context), ..Default::default() }, &|_| {}).unwrap()
    };
    let mut large = session(2048);
    let text = "one two three four five six seven ".repeat(40);
    assert!(model.tokenizer().encode(&text).unwrap().len() > large.runtime().chunk_rows);
    let whole = large.embed(&text.as_str().into()).unwrap();
    assert_eq!(whole, large.embed(&text.as_str().into()).unwrap(), "an embedding leaves something behind");
    let length: f32 = whole.iter().map(|value| value * value).sum();
    assert!((length - 1.0).abs() < 1e-5, "{length}");
    let refused = session(64).embed(&text.as_str().into()).unwrap_err();
    assert!(matches!(refused, Error::Context { .. }), "{refused}");
}

#[test]
fn what_has_no_embedding_is_told() {
    let model = Arc::new(Model::load(&gpus()[0], &folder(), &LoadOptions::default()).unwrap());
    let mut session = Session::new(&model, &SessionOptions::default(), &|_| {}).unwrap();
    let refused = |session: &mut Session, text: &str| session.embed(&text.into()).unwrap_err().to_string();
    assert_eq!(refused(&mut session, " \n"), "the text is empty, so it has no embedding");
    session.push("Hi".into()).unwrap();
    assert!(refused(&mut session, "Hi").starts_with("the conversation has begun"));
}
