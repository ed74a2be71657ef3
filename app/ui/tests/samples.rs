//! States of the window for its tests: empty, loading, failed and full.

use crate::store::settings::{Device as Chosen, Settings};
use crate::ui::frames::Times;
use crate::ui::state::*;
use crate::ui::view::{Meters, View};
use crate::ui::widgets::spectrogram::MelImage;
use percept::Image;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The time in all of them: seconds since 1970.
pub const NOW: u64 = 1_800_000_000;
/// The same since the start.
pub const ELAPSED: Duration = Duration::from_secs(100);

/// A program that has just been started for the first time.
pub fn empty() -> State {
    State {
        page: Page::Conversation,
        settings: Settings::default(),
        lines: Vec::new(),
        search: String::new(),
        searching: false,
        conversation: Conversation::default(),
        attached: Vec::new(),
        reading: 0,
        file_dialog: true,
        editing: None,
        engine: Engine::Ready(loaded()),
        figures: Figures::default(),
        live: live(),
        models: Models {
            lines: [model("seedling", "built in", 12_300_000)].into_iter().chain(offers()).collect(),
            room_bytes: Some(8_000_000_000),
            machine_bytes: Some(16_700_000_000),
            ..Models::default()
        },
        notices: Vec::new(),
        given: None,
    }
}

/// The same on a machine without microphone, speaker, camera and voice.
pub fn bare() -> State {
    State { live: Live { speak: true, known: true, ..Live::default() }, ..empty() }
}

/// Everything is on its way.
pub fn loading() -> State {
    let mut state = State { live: Live { speak: true, ..Live::default() }, ..empty() };
    state.engine = Engine::Loading {
        model: "google/gemma-3-4b-it".into(),
        what: "Weights to the adapter: 1.43 of 3.35 GB".into(),
        share: 0.43,
    };
    state.lines = lines();
    state.conversation =
        Conversation { id: Some(2), title: "Shapes in a picture".into(), loading: true, ..Conversation::default() };
    state.models.looking = true;
    state.models.pulls = vec![Pull { name: "google/gemma-3-4b-it".into(), done: 0, total: 0, stage: Fetching::Going }];
    state.models.lines = offers();
    state
}

/// Everything that can fail has failed.
pub fn failed() -> State {
    let mut state = empty();
    state.engine = Engine::Failed(
        "google/gemma-3-4b-it needs 4.10 GB on the adapter and 2.00 GB are free; choose a smaller model.".into(),
    );
    state.lines = lines();
    state.live.lost = vec!["microphone".into(), "camera".into()];
    state.live.microphones.clear();
    state.live.cameras.clear();
    state.settings.microphone = Chosen::Id("alsa:front:CARD=Headset".into());
    state.settings.camera = Chosen::Default;
    state.live.camera = true;
    state.notices = vec![Notice {
        text: "The conversation could not be written: the disk is full. Free some space; it is tried again with the next message.".into(),
        tone: Tone::Error,
        undo: None,
        at: ELAPSED,
    }];
    state.models.lines = offers();
    state.models.lines.insert(
        0,
        ModelLine {
            name: "someone/half-a-model".into(),
            store: "Hugging Face".into(),
            bytes: 0,
            problem: Some("Its download is not finished.".into()),
            offer: None,
            pull: Some("someone/half-a-model".into()),
        },
    );
    state.models.pulls = vec![Pull {
        name: "google/gemma-3-4b-it".into(),
        done: 1_000_000_000,
        total: 3_350_000_000,
        stage: Fetching::Failed("The connection broke off after 1.00 GB; try again and it goes on from there.".into()),
    }];
    state.live.dropped = 1920;
    state
}

/// In the middle of things.
pub fn full() -> State {
    let mut state = empty();
    state.lines = lines();
    state.conversation = Conversation {
        id: Some(1),
        title: "The star and the triangle".into(),
        messages: messages(),
        ..Conversation::default()
    };
    state.live.phase = Phase::Speaking;
    state.live.camera = true;
    state.given = Some((cat(), ELAPSED - Duration::from_millis(400)));
    state.attached = vec![
        Part::Picture { media: None, name: "cat.jpg".into(), image: cat() },
        Part::Sound { media: None, name: "question.wav".into(), samples: speech() },
    ];
    state.models.lines = vec![
        model("seedling", "built in", 9_800_000),
        model("google/gemma-3-1b-it", "Hugging Face", 1_010_000_000),
        model("Qwen/Qwen2.5-Omni-7B", "Hugging Face", 22_400_000_000),
    ];
    state.models.lines.extend(offers());
    state.models.pulls = vec![Pull {
        name: "google/gemma-3-4b-it".into(),
        done: 1_430_000_000,
        total: 3_350_000_000,
        stage: Fetching::Going,
    }];
    state.figures = figures();
    state.settings = settings();
    state
}

/// What goes with [`full`] in the view.
pub fn view() -> View {
    View { now: NOW, elapsed: ELAPSED, ..View::default() }
}

fn loaded() -> Loaded {
    Loaded {
        model: "seedling".into(),
        adapter: "NVIDIA GeForce RTX 3060 (Vulkan)".into(),
        precision: "bf16".into(),
        weight_bytes: 9_800_000,
        held_bytes: 212_000_000,
        context: 4096,
        sees: true,
        hears: true,
    }
}

fn device(id: &str, name: &str) -> Device {
    Device { id: id.into(), name: name.into() }
}

fn live() -> Live {
    Live {
        speak: true,
        known: true,
        microphones: vec![device("1", "Built-in microphone"), device("2", "USB microphone")],
        speakers: vec![device("1", "Built-in speaker"), device("2", "Headphones")],
        cameras: vec![device("1", "Built-in camera")],
        voices: vec![device("en-gb", "English (Great Britain)"), device("en-us", "English (America)")],
        ..Live::default()
    }
}

fn lines() -> Vec<Line> {
    let line =
        |id, title: &str, age| Line { id, title: title.into(), changed: NOW - age, snippet: None, message: None };
    vec![
        line(1, "The star and the triangle", 20),
        line(2, "Shapes in a picture", 40 * 60),
        line(3, "Seven times eight", 5 * 3600),
        line(4, "A recipe for flat bread without yeast, and what to eat with it", 26 * 3600),
        line(5, "Reading a chart", 4 * 86_400),
        line(6, "Birds in the garden", 9 * 86_400),
        line(7, "Sorting in Rust", 30 * 86_400),
    ]
}

fn model(name: &str, store: &str, bytes: u64) -> ModelLine {
    ModelLine { name: name.into(), store: store.into(), bytes, problem: None, offer: None, pull: None }
}

fn offers() -> Vec<ModelLine> {
    let offer = |name: &str, bytes, told: &str| ModelLine {
        offer: Some(told.into()),
        pull: Some(name.into()),
        ..model(name, "catalogue", bytes)
    };
    vec![
        offer("google/gemma-3-4b-it", 3_350_000_000, "Text and pictures. Good answers on a laptop."),
        offer("google/gemma-4-E2B-it", 5_100_000_000, "Text, pictures and sound. Hears and sees."),
    ]
}

fn message(id: i64, role: Role, parts: Vec<Part>) -> Message {
    Message::new(id, role, parts, Progress::Whole)
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn messages() -> Vec<Message> {
    let speed = |tokens, ms, per_s| Some((tokens, Some(Duration::from_millis(ms)), per_s));
    let first = "The star is **purple**. It stands on the right, a little below the middle of the picture.";
    let second = "The triangle is yellow. It lies below the middle, and in Rust its area is one line:\n\n\
        ```rust\n// Half the cross product of two sides.\nfn area(a: [f32; 2], b: [f32; 2]) -> f32 {\n    0.5 * (a[0] * b[1] - a[1] * b[0]).abs()\n}\n```\n\n\
        So it covers about a fiftieth of the picture, and the circle a little more than that.";
    vec![
        message(1, Role::User, vec![Part::Picture { media: None, name: "scene.png".into(), image: scene() }, Part::Sound { media: None, name: "your question".into(), samples: speech() }]),
        Message { speed: speed(21, 214, 41.3), looks: looks(first), ..message(2, Role::Model, vec![text(first)]) },
        Message { versions: vec![3, 5], ..message(3, Role::User, vec![text("And the triangle? Where is it, and how large?")]) },
        Message {
            thinking: "They ask for the place and the size. The picture is 192 by 192; the triangle is about thirty wide and thirty high.".into(),
            spoken_bytes: 60,
            speed: speed(117, 231, 39.8),
            versions: vec![-1, 4, 9],
            ..message(4, Role::Model, vec![text(second)])
        },
    ]
}

/// A little of everything that an answer can hold.
pub const MARKDOWN: &str = "## A day in the garden\n\nFirst the *things to take*:\n\n- a spade\n- seeds of `Beta vulgaris`\n    - a rope\n\n\
    Then the steps:\n\n1. Dig where it is **dry**.\n2. Wait.\n\n> Patience is half of it.\n\n\
    | plant | weeks |\n|---|---|\n| radish | 4 |\n| beet | 9 |\n\nMore [is written here](https://example.org).";

/// One look for each word: the star is looked at where it is, the rest lies all over.
pub fn looks(text: &str) -> Vec<Look> {
    let mut looks = Vec::new();
    for word in text.split_whitespace() {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        let star = ["star", "purple", "right"].iter().any(|known| word.contains(known));
        let centre = if star { (6.8, 4.4) } else { (3.5 + (start % 5) as f32 * 0.6, 2.0 + (start % 7) as f32 * 0.5) };
        let weight = |i: usize| {
            let (x, y) = ((i % 8) as f32 - centre.0, (i / 8) as f32 - centre.1);
            (-(x * x + y * y) / if star { 1.2 } else { 9.0 }).exp() * 0.1
        };
        looks.push(Look {
            bytes: start..start + word.len(),
            picture: 0,
            columns: 8,
            rows: 8,
            weights: (0..64).map(weight).collect(),
        });
    }
    looks
}

fn figures() -> Figures {
    let answer = |i: usize| {
        let wave = (i as f64 * 1.7).sin();
        (i as f64 * 9.0, 40.0 + 3.0 * wave - i as f64 * 0.15, 205.0 + 18.0 * (i as f64 * 2.3).cos() + i as f64)
    };
    let frame = |i: usize| {
        4.0 + 3.0 * ((i * 37 % 101) as f32 / 101.0).powi(2) * 2.0 + if i.is_multiple_of(53) { 15.0 } else { 0.0 }
    };
    let late = |i: usize| 9.0 * ((i * 61 % 97) as f32 / 97.0).powi(3);
    let frames = Frames {
        busy: Times { cost_ms: (0..600).map(frame).collect(), late_ms: (0..580).map(|i| 3.0 * late(i)).collect() },
        quiet: Times { cost_ms: (0..310).map(|i| 0.7 * frame(i)).collect(), late_ms: (0..290).map(late).collect() },
    };
    let kernel = |(shader, dispatches, us)| ShaderTime { shader, dispatches, time: Duration::from_micros(us) };
    let kernels = [
        ("matvec_bf16", 73, 812),
        ("attention_decode", 18, 341),
        ("rms_norm", 37, 96),
        ("gate", 18, 71),
        ("sample", 1, 38),
    ];
    Figures {
        cache_len: 1383,
        answers: (0..14).map(answer).collect(),
        prefill_per_s: 1840.0,
        frames,
        kernels: Kernels::Told(kernels.map(kernel).to_vec()),
    }
}

fn open(name: &str) -> Arc<Image> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/samples").join(name);
    Arc::new(Image::open(&path).unwrap())
}

/// The picture of shapes.
pub fn scene() -> Arc<Image> {
    static SCENE: OnceLock<Arc<Image>> = OnceLock::new();
    SCENE.get_or_init(|| open("scene.png")).clone()
}

/// The photograph.
pub fn cat() -> Arc<Image> {
    static CAT: OnceLock<Arc<Image>> = OnceLock::new();
    CAT.get_or_init(|| open("cat.jpg")).clone()
}

/// Something like speech: syllables of a voice that rises and falls.
pub fn speech() -> Arc<Vec<f32>> {
    static SPEECH: OnceLock<Arc<Vec<f32>>> = OnceLock::new();
    let sample = |i: usize| {
        let t = i as f32 / 16e3;
        let syllable = ((t * 4.3).sin().max(0.0) * (0.4 + 0.6 * (t * 1.9).sin().abs())).powf(1.3);
        syllable * 0.6 * ((t * 900.0).sin() + 0.4 * (t * 2700.0).sin())
    };
    SPEECH.get_or_init(|| Arc::new((0..2 * 16_000).map(sample).collect())).clone()
}

/// What is drawn live, with something to see and hear in it.
pub struct Senses {
    waveform: Vec<(f32, f32)>,
    mel: MelImage,
    preview: Arc<Image>,
}

impl Default for Senses {
    fn default() -> Senses {
        let speech = speech();
        let peak =
            |block: &[f32]| (block.iter().copied().fold(0.0, f32::min), block.iter().copied().fold(0.0, f32::max));
        let waveform = speech.chunks(160).chain(speech.chunks(160)).map(peak).collect::<Vec<_>>();
        let mels = 64;
        let cell = |i: usize| {
            let (frame, mel) = (i / mels, i % mels);
            let loud = waveform[frame].1;
            let harmonic = (mel as f32 * 0.55 + (frame as f32 * 0.05).sin() * 1.5).sin().max(0.0).powi(2);
            -9.0 + 8.0 * loud.sqrt() * (0.35 + 0.65 * harmonic) * (1.0 - mel as f32 / 90.0)
        };
        let mel = MelImage::from_log(mels, (0..waveform.len() * mels).map(cell).collect(), 6.5, 1);
        Senses { waveform, mel, preview: cat() }
    }
}

impl Senses {
    /// As the window has it.
    pub fn meters(&self, camera: bool) -> Meters<'_> {
        let preview = camera.then_some(&self.preview);
        Meters { level: 0.08, voice: 0.9, waveform: &self.waveform, mel: Some(&self.mel), preview }
    }
}

/// Settings that are not the first ones.
fn settings() -> Settings {
    let mut settings = Settings::default();
    (settings.microphone, settings.temperature, settings.thinking) = (Chosen::Id("2".into()), Some(0.7), true);
    settings
}
