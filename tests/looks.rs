//! Where answers look in pictures: against attention computed in f64 from the decoder's states, and nothing else changes.

use percept::gpu::{AdapterChoice, Gpu, GpuOptions, adapters};
use percept::kernels::{norm_rope, rms_norm, stride};
use percept::media::{Audio, Image};
use percept::models::gemma::LayerType;
use percept::models::{LoadOptions, Media, Model};
use percept::session::{Event, Generation, Look, Part, Session, SessionOptions};
use percept::trace::{Case, Trace};
use percept::{Error, Result};
use safetensors::SafeTensors;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

const UNIFIED: &str = "gemma4_unified-tiny-s0";

/// Every adapter, also taken for a GPU, which has other kernels.
fn gpus(as_gpu: &[bool]) -> Vec<Arc<Gpu>> {
    let all = adapters();
    assert!(!all.is_empty(), "no GPU adapter: install mesa-vulkan-drivers and libgl1-mesa-dri");
    let open = |index, as_gpu| {
        Gpu::open(&GpuOptions { adapter: AdapterChoice::Index(index), as_gpu, ..Default::default() }).unwrap()
    };
    all.iter().flat_map(|a| as_gpu.iter().map(move |as_gpu| open(a.index, *as_gpu))).collect()
}

fn load(gpu: &Arc<Gpu>, folder: &Path) -> Arc<Model> {
    Arc::new(Model::load(gpu, folder, &LoadOptions::default()).unwrap())
}

fn first_adapter() -> Arc<Model> {
    load(&Gpu::open(&GpuOptions::default()).unwrap(), &fixture(UNIFIED))
}

fn session(model: &Arc<Model>, context: usize) -> Session {
    Session::new(model, &SessionOptions { context: Some(context), ..Default::default() }, &|_| {}).unwrap()
}

fn picture(name: &str) -> Part {
    Part::Media(Media::Image(Image::open(&fixture(UNIFIED).join(name)).unwrap()))
}

fn greedy(model: &Model, tokens: usize) -> Generation {
    Generation { max_tokens: Some(tokens), stop_ids: vec![], ..Generation::greedy(model.defaults()) }
}

/// Ids of an answer and its positions.
fn answer(session: &mut Session, generation: &Generation) -> (Vec<u32>, Range<usize>) {
    let (mut ids, mut range) = (Vec::new(), 0..0);
    for event in session.generate(generation).unwrap() {
        match event.unwrap() {
            Event::Token { id } => ids.push(id),
            Event::Stop { timings, .. } => range = timings.prompt_tokens..timings.prompt_tokens + timings.tokens,
            Event::Text { .. } => {}
        }
    }
    (ids, range)
}

/// Keys and values of all layers.
fn caches(session: &Session) -> Vec<Vec<u32>> {
    let bits = |array| session.model().gpu().read(array).unwrap().iter().map(|v: &f32| v.to_bits()).collect();
    session.runtime().caches.iter().flat_map(|cache| [&cache.k, &cache.v]).map(bits).collect()
}

/// The greatest difference of two looks, beside the greatest share.
fn difference(a: &[Look], b: &[Look]) -> f32 {
    let all = |looks: &[Look]| looks.iter().flat_map(|look| look.weights.concat()).collect::<Vec<f32>>();
    let greatest = all(b).into_iter().fold(0.0, f32::max);
    assert_eq!(all(a).len(), all(b).len());
    all(a).iter().zip(all(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / greatest
}

/// Attention of full layers in f64, from states and weights as they are on file.
struct Reference<'a> {
    session: &'a Session,
    trace: &'a Trace,
    weights: SafeTensors<'a>,
}

impl Reference<'_> {
    fn weight(&self, layer: usize, name: &str) -> Vec<f32> {
        let name = self.session.model().config().names.layer(layer, name);
        let view = self.weights.tensor(&name).unwrap();
        view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// The weights of a norm as they are used.
    fn norm(&self, layer: usize, name: &str, factor: f32) -> Vec<f32> {
        let offset = self.session.model().config().norm_offset;
        self.weight(layer, name).into_iter().map(|weight| (weight + offset) * factor).collect()
    }

    /// Queries and keys of a row in a layer.
    fn heads(&self, layer: usize, row: usize) -> (Vec<f32>, Vec<f32>) {
        let config = self.session.model().config();
        let (own, width) = (&config.layers[layer], config.hidden_size);
        let before = layer.checked_sub(1).map_or("embeddings".to_string(), |before| format!("layer.{before}"));
        let x = &self.trace.floats(&before).unwrap().1[row * width..(row + 1) * width];
        let h = rms_norm::reference(x, &self.norm(layer, "input_layernorm.weight", 1.0), config.eps);
        let (mut qkv, mut norms) = (Vec::new(), self.norm(layer, "self_attn.q_norm.weight", config.query_scale));
        let mut project = |name: &str| {
            let dot = |w: &[f32]| w.iter().zip(&h).map(|(w, h)| f64::from(*w) * f64::from(*h)).sum::<f64>() as f32;
            qkv.extend(self.weight(layer, name).chunks_exact(width).map(dot));
        };
        project("self_attn.q_proj.weight");
        if own.kv_from.is_none() {
            project("self_attn.k_proj.weight");
            norms.extend(self.norm(layer, "self_attn.k_norm.weight", 1.0));
            if own.heads.values != norm_rope::Values::FromKeys {
                project("self_attn.v_proj.weight");
            }
        }
        let frequencies = &self.session.runtime().angles[own.kind as usize].frequencies;
        let turns: Vec<[f32; 2]> = norm_rope::angles(row, frequencies).collect();
        let (q, k, _) = norm_rope::reference(&own.heads, &qkv, &norms, &turns, config.eps);
        (q, k)
    }

    /// For each of `rows` the shares of all positions up to its own, mean over heads and full layers.
    fn shares(&self, rows: Range<usize>) -> Vec<Vec<f64>> {
        let layers = &self.session.model().config().layers;
        let full: Vec<usize> = (0..layers.len()).filter(|layer| layers[*layer].kind == LayerType::Full).collect();
        let mut sums: Vec<Vec<f64>> = rows.clone().map(|row| vec![0.0; row + 1]).collect();
        for layer in &full {
            let owner = layers[*layer].kv_from.unwrap_or(*layer);
            let keys: Vec<Vec<f32>> = (0..rows.end).map(|row| self.heads(owner, row).1).collect();
            let heads = &layers[*layer].heads;
            for (row, sums) in rows.clone().zip(&mut sums) {
                for (head, q) in self.heads(*layer, row).0.chunks_exact(heads.head_dim).enumerate() {
                    let column = head / (heads.num_heads / heads.num_kv_heads) * heads.head_dim;
                    let score = |k: &Vec<f32>| -> f64 {
                        q.iter().zip(&k[column..]).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum()
                    };
                    let scores: Vec<f64> = keys[..row + 1].iter().map(score).collect();
                    let total: f64 = scores.iter().map(|score| score.exp()).sum();
                    let all = (heads.num_heads * full.len()) as f64;
                    sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score.exp() / total / all);
                }
            }
        }
        sums
    }
}

#[test]
fn looks_are_what_attention_is_in_f64() {
    let mut worst = 0.0f32;
    for (name, case) in [(UNIFIED, "two_images"), ("gemma4-tiny-s0", "image"), ("gemma4_experts-tiny-s0", "image")] {
        let folder = fixture(name);
        let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
        for gpu in gpus(&[false]) {
            let title = format!("{name} on {}", gpu.adapter().title());
            let model = load(&gpu, &folder);
            let path = folder.join(format!("cases/{case}.json"));
            let trace = Trace::run(&model, &Case::open(&path, &folder).unwrap(), &|_| {}).unwrap();
            let mut session = session(&model, 1024);
            let messages: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            for part in messages["messages"][0]["content"].as_array().unwrap() {
                let file = || folder.join(part["path"].as_str().unwrap());
                session
                    .push(match part["type"].as_str().unwrap() {
                        "text" => part["text"].as_str().unwrap().into(),
                        _ => Part::Media(Media::Image(Image::open(&file()).unwrap())),
                    })
                    .unwrap();
            }
            let (_, said) = answer(&mut session, &greedy(&model, 3));
            let ids: Vec<i32> = session.ids()[..said.start].iter().map(|id| *id as i32).collect();
            assert_eq!(ids, trace.integers("input_ids").unwrap().1, "{title}");
            let media = model.config().media_ids;
            let last = session.ids().iter().rposition(|id| *id == media.image_ends[1]).unwrap();
            // From the first token of text behind the last picture to the first of the answer.
            let tokens = last + 1..said.start + 1;
            let looks = session.looks(tokens.clone()).unwrap();
            let reference =
                Reference { session: &session, trace: &trace, weights: SafeTensors::deserialize(&bytes).unwrap() };
            let shares = reference.shares(last..said.start);
            let is_picture = |at: usize| session.ids()[at] == media.image;
            let starts = (1..last).filter(|at| is_picture(*at) && !is_picture(at - 1));
            let expected: Vec<Look> = starts
                .zip(&looks)
                .enumerate()
                .map(|(picture, (start, look))| {
                    let own = start..start + look.columns * look.rows;
                    assert!(
                        is_picture(own.end - 1) && !is_picture(own.end),
                        "{title}: {} × {}",
                        look.columns,
                        look.rows
                    );
                    let weights = shares.iter().map(|all| all[own.clone()].iter().map(|share| *share as f32).collect());
                    Look { picture, weights: weights.collect(), ..*look }
                })
                .collect();
            assert_eq!(
                looks.iter().map(|look| look.picture).collect::<Vec<_>>(),
                (0..expected.len()).collect::<Vec<_>>()
            );
            assert!(looks.iter().all(|look| look.weights.len() == tokens.len()), "{title}");
            let off = difference(&looks, &expected);
            assert!(off < 1e-4, "{title}: {off}");
            worst = worst.max(off);
        }
    }
    println!("worst {worst:e}");
}

#[test]
fn pictures_have_the_columns_and_rows_of_their_shape() {
    let model = first_adapter();
    let mut session = session(&model, 1024);
    session.push(picture("image_0.png")).unwrap();
    session.push(Part::Media(Media::Audio(Audio::open(&fixture(UNIFIED).join("audio_0.wav")).unwrap()))).unwrap();
    session.push(picture("image_1.png")).unwrap();
    let (_, said) = answer(&mut session, &greedy(&model, 2));
    let looks = session.looks(said).unwrap();
    // 90 × 63 and 38 × 71 pixels; sounds do not count.
    let grids: Vec<_> = looks.iter().map(|look| (look.picture, look.columns, look.rows)).collect();
    assert_eq!(grids, [(0, 10, 7), (1, 6, 11)]);
    for look in looks {
        assert!(look.weights.iter().all(|weights| weights.len() == look.columns * look.rows));
        let sums: Vec<f32> = look.weights.iter().map(|weights| weights.iter().sum()).collect();
        assert!(sums.iter().all(|sum| *sum > 0.0 && *sum < 1.0), "{sums:?}");
    }
}

/// A conversation with a picture whose rings went around once.
fn talk(model: &Arc<Model>) -> (Session, Range<usize>) {
    let mut session = session(model, 1500);
    session.push("The quick brown fox jumps over the lazy dog. ".repeat(25).as_str().into()).unwrap();
    session.push(picture("image_0.png")).unwrap();
    session.push("What is it?".into()).unwrap();
    let (_, said) = answer(&mut session, &greedy(model, 20));
    assert!(said.start > session.runtime().ring, "{said:?}");
    (session, said)
}

fn go_on(session: &mut Session) -> Vec<u32> {
    let model = session.model().clone();
    session.push("And now?".into()).unwrap();
    answer(session, &greedy(&model, 24)).0
}

#[test]
fn a_look_changes_nothing() {
    for gpu in gpus(&[false, true]) {
        let model = load(&gpu, &fixture(UNIFIED));
        let ((mut straight, _), (mut looked, said)) = (talk(&model), talk(&model));
        let (ids, before) = (looked.ids().to_vec(), caches(&looked));
        // The last token was said, but is not in the cache.
        assert_eq!(said.end, ids.len() + 1);
        let looks = looked.looks(said.clone()).unwrap();
        let title = gpu.adapter().title();
        assert_eq!(looked.looks(said.clone()).unwrap(), looks, "{title}");
        // Alone, the last row looks at keys as they were decoded.
        let (one, mut last) = (looked.looks(said.end - 1..said.end).unwrap(), looks);
        assert_eq!(last[0].weights.len(), said.len());
        last[0].weights.drain(..said.len() - 1);
        let off = difference(&one, &last);
        assert!(off < 1e-4, "{title}: {off}");
        assert_eq!(looked.ids(), ids);
        assert!(caches(&looked) == before, "another cache on {title}");
        assert_eq!(go_on(&mut looked), go_on(&mut straight), "{title}");
        assert_eq!(looked.ids(), straight.ids(), "{title}");
    }
}

#[test]
fn a_look_far_back_is_the_same_and_changes_nothing() {
    let model = first_adapter();
    let ((mut straight, _), (mut looked, said)) = (talk(&model), talk(&model));
    let near = looked.looks(said.clone()).unwrap();
    for session in [&mut straight, &mut looked] {
        session.push("The quick brown fox jumps over the lazy dog. ".repeat(40).as_str().into()).unwrap();
        session.push(picture("image_1.png")).unwrap();
        assert!(session.len() > said.end + session.runtime().ring);
    }
    let far = looked.looks(said).unwrap();
    let off = difference(&far, &near);
    assert!(far.len() == 1 && off < 1e-4, "{off}");
    assert_eq!(looked.ids(), straight.ids());
    assert_eq!(go_on(&mut looked), go_on(&mut straight));
    assert_eq!(looked.ids(), straight.ids());
}

#[test]
fn a_look_into_an_open_message_leaves_it_open() {
    let model = first_adapter();
    let ((mut straight, _), (mut looked, said)) = (talk(&model), talk(&model));
    let samples = Audio::open(&fixture(UNIFIED).join("audio_0.wav")).unwrap().samples;
    for session in [&mut straight, &mut looked] {
        session.push("Listen:".into()).unwrap();
        session.hear(&samples[..3000]).unwrap();
    }
    let mark = looked.mark();
    assert_eq!(looked.looks(said).unwrap().len(), 1);
    for session in [&mut straight, &mut looked] {
        session.hear(&samples[3000..]).unwrap();
    }
    assert_eq!(go_on(&mut looked), go_on(&mut straight));
    assert_eq!(looked.ids(), straight.ids());
    looked.rollback(&mark).unwrap();
    assert!(looked.len() < straight.len());
}

#[test]
fn tokens_that_looked_at_nothing_are_refused() {
    let model = first_adapter();
    let mut session = session(&model, 600);
    let refused = |session: &mut Session, tokens| match session.looks(tokens).unwrap_err() {
        error @ Error::Argument { .. } => error.to_string(),
        other => panic!("{other}"),
    };
    assert!(refused(&mut session, 0..1).contains("the tokens are 0 to 1, expected tokens between 1 and 0"));
    session.push(picture("image_0.png")).unwrap();
    session.push("What is it?".into()).unwrap();
    let (_, said) = answer(&mut session, &greedy(&model, 4));
    let before = caches(&session);
    assert!(refused(&mut session, said.start..said.end + 1).contains(&format!("between 1 and {}", said.end)));
    assert!(refused(&mut session, 0..2).contains("expected tokens between"));
    let run = session.ids().iter().position(|id| *id == model.config().media_ids.image).unwrap();
    for tokens in [run..run + 2, run + 1..run + 2, run - 1..said.end] {
        assert!(refused(&mut session, tokens).contains("where pictures or sound lie"));
    }
    assert!(caches(&session) == before);
    // No token has no weights, and before the picture there is none to look at.
    assert_eq!(session.looks(said.start..said.start).unwrap()[0].weights, Vec::<Vec<f32>>::new());
    assert_eq!(session.looks(1..run).unwrap(), []);
    assert_eq!(session.looks(said.clone()).unwrap()[0].weights.len(), 4);
    let text = load(model.gpu(), &fixture("gemma3-tiny-s0"));
    let mut session = self::session(&text, 600);
    session.push("What is it?".into()).unwrap();
    let (_, said) = answer(&mut session, &greedy(&text, 4));
    assert_eq!(session.looks(said).unwrap(), []);
}

#[test]
fn an_error_on_the_way_changes_nothing() {
    let with = |limit| {
        let gpu = Gpu::open(&GpuOptions { memory_limit_bytes: limit, ..Default::default() }).unwrap();
        load(&gpu, &fixture(UNIFIED))
    };
    let plenty = with(None);
    for far in [false, true] {
        let make = |model: &Arc<Model>| {
            let (mut session, said) = talk(model);
            if far {
                session.push("The quick brown fox jumps over the lazy dog. ".repeat(40).as_str().into()).unwrap();
            }
            (session, said)
        };
        let (mut straight, _) = make(&plenty);
        // Room for the rows of the cache that are kept, but not for the queries of a chunk.
        let heads = plenty.config().layers[2].heads;
        let queries = straight.runtime().chunk_rows * heads.num_heads * stride(heads.head_dim) * 4;
        let model = with(Some(plenty.gpu().held_bytes() + queries as u64 - 4096));
        let (mut looked, said) = make(&model);
        let before = caches_of_small(&looked);
        let error = looked.looks(said).unwrap_err();
        assert!(matches!(&error, Error::OutOfMemory { what, .. } if what == "readback"), "{error}");
        if !far {
            assert!(caches_of_small(&looked) == before);
        }
        assert_eq!(looked.ids(), straight.ids());
        assert_eq!(go_on(&mut looked), go_on(&mut straight), "far back: {far}");
        assert_eq!(looked.ids(), straight.ids());
        drop((straight, looked));
    }
}

/// As [`caches`] through small buffers.
fn caches_of_small(session: &Session) -> Vec<Vec<f32>> {
    let gpu = session.model().gpu();
    let read = |cache: &percept::models::Cache| -> Result<Vec<Vec<f32>>> {
        (0..cache.slots).step_by(16).map(|at| Ok(cache.read(gpu, at..cache.slots.min(at + 16))?.concat())).collect()
    };
    session.runtime().caches.iter().flat_map(|cache| read(cache).unwrap()).collect()
}

#[test]
fn a_lost_device_is_an_error_and_no_panic() {
    let model = first_adapter();
    let (mut session, said) = talk(&model);
    model.gpu().lose_device();
    let error = session.looks(said).unwrap_err();
    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
}

/// The built-in model looks at the thing whose colour it says.
#[test]
fn answers_look_at_what_they_are_about() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = load(&Gpu::open(&GpuOptions::default()).unwrap(), &root.join("assets/seedling/model"));
    let scene = Image::open(&root.join("assets/samples/scene.png")).unwrap();
    let mut session = session(&model, 512);
    session.push(Part::Media(Media::Image(scene))).unwrap();
    let before = session.mark();
    // Columns and lines of the squares where the thing is.
    for (thing, colour, columns, lines) in
        [("circle", "white", 1..3, 1..2), ("star", "purple", 6..8, 3..6), ("triangle", "yellow", 3..5, 6..8)]
    {
        session.rollback(&before).unwrap();
        session.push(format!("What colour is the {thing}?").as_str().into()).unwrap();
        let (ids, said) = answer(&mut session, &Generation::greedy(model.defaults()));
        let word = |id: &u32| model.tokenizer().decode(&[*id], true).unwrap().trim() == colour;
        let at = ids.iter().position(word).expect("the answer names the colour");
        let looks = session.looks(said).unwrap();
        let [Look { columns: 8, rows: 8, weights, .. }] = &looks[..] else { panic!("{looks:?}") };
        let of = |place: usize| columns.contains(&(place % 8)) && lines.contains(&(place / 8));
        let weights = &weights[at];
        let greatest = (0..64).max_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap();
        let own: f32 = (0..64).filter(|place| of(*place)).map(|place| weights[place]).sum();
        let all: f32 = weights.iter().sum();
        println!("{thing}: {own} of {all}, most at {greatest}");
        assert!(of(greatest) && own > 0.4 * all, "{thing}: {own} of {all}, most at {greatest}");
    }
}
