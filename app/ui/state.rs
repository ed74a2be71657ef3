//! Everything that the window shows, as plain data. Pages read it and push [`Action`]s; `update.rs` alone changes it.

pub use super::frames::Frames;
pub use crate::live::Phase;
use crate::store::seedling;
pub use crate::worker::{Look, Role};
pub use percept::gpu::ShaderTime;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What of the program is in front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Talking.
    #[default]
    Conversation,
    /// Models on this machine and those that can be fetched.
    Models,
    /// What the engine does and how fast.
    Engine,
    /// Devices, voice, sampling, looks, keys.
    Settings,
}

/// A part of a message, as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text that was typed, or of a file.
    Text(String),
    /// A picture; decoded for the screen. `media` is its number in the database, also below.
    Picture { media: Option<i64>, name: String, image: Arc<percept::Image> },
    /// A sound at 16 kHz that can be played again.
    Sound { media: Option<i64>, name: String, samples: Arc<Vec<f32>> },
    /// A video, by its first frame.
    Video { media: Option<i64>, name: String, image: Arc<percept::Image>, duration: Duration },
    /// One of them that lies on the disk alone, far above, until it comes onto the screen.
    Away { media: i64, name: String, shape: Shape },
}

/// How large a file is on the screen that is not there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// In pixels.
    Picture { width: u32, height: u32 },
    /// At 16 kHz.
    Sound { samples: usize },
    /// See the others.
    Video { width: u32, height: u32, duration: Duration },
}

impl Part {
    /// How large it is, if it is a file.
    pub fn shape(&self) -> Option<Shape> {
        match self {
            Part::Text(_) => None,
            Part::Picture { image, .. } => Some(Shape::Picture { width: image.width, height: image.height }),
            Part::Sound { samples, .. } => Some(Shape::Sound { samples: samples.len() }),
            Part::Video { image, duration, .. } => {
                Some(Shape::Video { width: image.width, height: image.height, duration: *duration })
            }
            Part::Away { shape, .. } => Some(*shape),
        }
    }
}

/// How far a message is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// It is being spoken, typed, or generated.
    Open,
    /// Whole.
    Whole,
    /// The person stopped it or talked over it.
    Interrupted,
    /// It ended with an error, in a sentence.
    Failed(String),
}

/// What is said in one turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Of the database.
    pub id: i64,
    /// Who says it.
    pub role: Role,
    /// What a person says; for an answer one text.
    pub parts: Vec<Part>,
    /// What the model thought before it answered.
    pub thinking: String,
    /// How far it is.
    pub progress: Progress,
    /// Bytes of the answer that were spoken aloud so far.
    pub spoken_bytes: usize,
    /// Tokens of an answer, time to the first one if it is known, tokens a second.
    pub speed: Option<(usize, Option<Duration>, f64)>,
    /// Where the model looked, if that was asked for.
    pub looks: Vec<Look>,
    /// All that stood or stands at this place, oldest first, this one among them.
    pub versions: Vec<i64>,
}

impl Message {
    /// That says so much, for the first time at its place.
    pub fn new(id: i64, role: Role, parts: Vec<Part>, progress: Progress) -> Message {
        let (thinking, looks, versions) = (String::new(), Vec::new(), vec![id]);
        Message { id, role, parts, thinking, progress, spoken_bytes: 0, speed: None, looks, versions }
    }

    /// The text of an answer, or what was typed.
    pub fn text(&self) -> &str {
        self.parts
            .iter()
            .find_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
            .unwrap_or("")
    }

    /// The numbers of its files that are on the disk alone.
    pub fn away(&self) -> impl Iterator<Item = i64> {
        self.parts.iter().filter_map(|part| if let Part::Away { media, .. } = part { Some(*media) } else { None })
    }
}

/// A line of the list of conversations.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Of the database.
    pub id: i64,
    /// By its first words, or as it was renamed.
    pub title: String,
    /// Seconds since 1970 of the last change.
    pub changed: u64,
    /// Where a search found its words.
    pub snippet: Option<String>,
    /// The message with these words; `None` if the title has them.
    pub message: Option<i64>,
}

impl Line {
    /// What opens it: the conversation as it was left, or at the words that were found.
    pub fn open(&self) -> Action {
        match self.message {
            Some(message) => Action::OpenAt { conversation: self.id, message },
            None => Action::Open(self.id),
        }
    }
}

/// The conversation that is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// Of the database; `None` until something is said.
    pub id: Option<i64>,
    /// Its title.
    pub title: String,
    /// Its messages.
    pub messages: Vec<Message>,
    /// The first message that the model still knows: 0 if it knows them all.
    pub known_from: i64,
    /// Its messages are still being read from the disk.
    pub loading: bool,
}

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub enum Engine {
    /// The adapter opens and weights come, as a share from 0 to 1.
    Loading { model: String, what: String, share: f32 },
    /// It answers.
    Ready(Loaded),
    /// It could not be loaded, in a sentence.
    Failed(String),
}

/// A model that answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Its name, the adapter's title, and the checkpoint's precision in words.
    pub model: String,
    /// Of `percept doctor`.
    pub adapter: String,
    /// "bf16", "q4_k" …
    pub precision: String,
    /// Bytes of weights and of everything that is held on the adapter.
    pub weight_bytes: u64,
    /// See `weight_bytes`.
    pub held_bytes: u64,
    /// Positions of the cache.
    pub context: usize,
    /// Whether it takes pictures.
    pub sees: bool,
    /// Whether it takes sound.
    pub hears: bool,
}

/// What the engine page shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Tokens in the cache.
    pub cache_len: usize,
    /// Of each answer: seconds since the start, tokens a second, milliseconds to the first token.
    pub answers: VecDeque<(f64, f64, f64)>,
    /// Tokens a second of the last prefill.
    pub prefill_per_s: f64,
    /// How smooth the window is.
    pub frames: Frames,
    /// Where the time of a token goes.
    pub kernels: Kernels,
}

/// The kernels of one token, by time stamps of the adapter.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Kernels {
    /// Nobody asked yet.
    #[default]
    Unknown,
    /// The adapter has no time stamps.
    Untold,
    /// The slowest first.
    Told(Vec<ShaderTime>),
}

/// A device to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What settings keep.
    pub id: String,
    /// For people.
    pub name: String,
}

/// Camera, microphone, speaker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// What it does.
    pub phase: Phase,
    /// The microphone is off.
    pub muted: bool,
    /// The camera is on.
    pub camera: bool,
    /// Answers are spoken.
    pub speak: bool,
    /// Only while the key is held.
    pub push_to_talk: bool,
    /// The key is held.
    pub talking: bool,
    /// Devices were looked for.
    pub known: bool,
    /// To choose from.
    pub microphones: Vec<Device>,
    /// To choose from.
    pub speakers: Vec<Device>,
    /// To choose from.
    pub cameras: Vec<Device>,
    /// To choose from.
    pub voices: Vec<Device>,
    /// Devices that are gone, by name.
    pub lost: Vec<String>,
    /// Samples that came too late or were not fetched in time.
    pub dropped: u64,
}

/// A model that can be loaded or fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelLine {
    /// As `percept models list` calls it.
    pub name: String,
    /// "built in", "Hugging Face" …
    pub store: String,
    /// Bytes of weights.
    pub bytes: u64,
    /// The reason why it cannot be used.
    pub problem: Option<String>,
    /// What the catalogue says of it; `None` for what is on this disk already.
    pub offer: Option<String>,
    /// As it is fetched, for the first time or to make it whole.
    pub pull: Option<String>,
}

/// A download.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    /// ORG/NAME.
    pub name: String,
    /// Bytes so far and in all.
    pub done: u64,
    /// See `done`.
    pub total: u64,
    /// How far it is.
    pub stage: Fetching,
}

/// How far a download is; one that has ended well is not listed any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetching {
    /// Bytes come.
    Going,
    /// The person wants no more of them; the last ones are on their way.
    Stopping,
    /// It has ended, and what came stays on the disk.
    Stopped,
    /// How it ended badly.
    Failed(String),
}

impl Pull {
    /// It has not ended.
    pub fn is_going(&self) -> bool {
        matches!(self.stage, Fetching::Going | Fetching::Stopping)
    }
}

/// The models page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Models {
    /// On this disk, and of the catalogue.
    pub lines: Vec<ModelLine>,
    /// The disk is being looked through.
    pub looking: bool,
    /// Downloads.
    pub pulls: Vec<Pull>,
    /// Bytes of memory that models may use, if anybody tells, and of the machine.
    pub room_bytes: Option<u64>,
    /// See `room_bytes`.
    pub machine_bytes: Option<u64>,
}

/// How something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It was done.
    Done,
    /// Something lacks that a person may know of already.
    Warning,
    /// It went wrong, and stays until it is read.
    Error,
}

/// Something to be told, once.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// A sentence.
    pub text: String,
    /// How it is told.
    pub tone: Tone,
    /// Something can be undone by it.
    pub undo: Option<Action>,
    /// When it came, since the start.
    pub at: Duration,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct State {
    /// In front.
    pub page: Page,
    /// As they are kept.
    pub settings: crate::store::settings::Settings,
    /// The list on the left, newest first, or what a search found.
    pub lines: Vec<Line>,
    /// What is searched for.
    pub search: String,
    /// The list is not yet what was found.
    pub searching: bool,
    /// The open one.
    pub conversation: Conversation,
    /// Files to go with the next message.
    pub attached: Vec<Part>,
    /// So many more of them are still being read.
    pub reading: usize,
    /// The system has a dialog for files, or it is not known yet that it has none; without one their paths are typed.
    pub file_dialog: bool,
    /// The message that is edited: its text is in the input field.
    pub editing: Option<i64>,
    /// The model.
    pub engine: Engine,
    /// Its speeds.
    pub figures: Figures,
    /// Devices.
    pub live: Live,
    /// Of the models page.
    pub models: Models,
    /// To be told.
    pub notices: Vec<Notice>,
    /// The picture that the model was given last, for the mark in the preview, and when.
    pub given: Option<(Arc<percept::Image>, Duration)>,
}

impl State {
    /// Nothing was said yet, and no model is there.
    pub fn new(settings: crate::store::settings::Settings) -> State {
        let (camera, speak) = (settings.camera != crate::store::settings::Device::Off, settings.speak);
        let push_to_talk = settings.talk == crate::store::settings::Talk::PushToTalk;
        State {
            page: Page::default(),
            settings,
            lines: Vec::new(),
            search: String::new(),
            searching: false,
            conversation: Conversation::default(),
            attached: Vec::new(),
            reading: 0,
            file_dialog: true,
            editing: None,
            engine: Engine::Loading { model: seedling::NAME.into(), what: "Waiting".into(), share: 0.0 },
            figures: Figures::default(),
            live: Live { camera, speak, push_to_talk, ..Live::default() },
            models: Models::default(),
            notices: Vec::new(),
            given: None,
        }
    }

    /// An answer comes or is spoken: there is something to stop.
    pub fn answering(&self) -> bool {
        let open = |m: &Message| m.role == Role::Model && m.progress == Progress::Open;
        self.conversation.messages.last().is_some_and(open)
            || matches!(self.live.phase, Phase::Thinking | Phase::Speaking)
    }

    /// The model that answers, if there is one.
    pub fn loaded(&self) -> Option<&Loaded> {
        if let Engine::Ready(loaded) = &self.engine { Some(loaded) } else { None }
    }
}

/// What a person wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Another page.
    Show(Page),
    /// The typed text and what is attached, as one message.
    Send(String),
    /// Stops answer and speech.
    Stop,
    /// Answers the last message again.
    Retry,
    /// Puts a message of the person back into the input field.
    Edit(i64),
    /// Leaves it as it was.
    CancelEdit,
    /// The dialog that chooses files to go with the next message.
    PickFiles,
    /// Files to go with the next message: dropped or chosen.
    Attach(Vec<PathBuf>),
    /// A picture from the clipboard.
    AttachPicture { image: Arc<percept::Image>, name: String },
    /// Not this one.
    Detach(usize),
    /// None of those that are still being read.
    ForgetFiles,
    /// A new conversation.
    New,
    /// Another one.
    Open(i64),
    /// The same, with this message in the line that is shown.
    OpenAt { conversation: i64, message: i64 },
    /// Another version of a message of the open one, with what follows it.
    Choose(i64),
    /// Gives it another title.
    Rename(i64, String),
    /// Away with it.
    Delete(i64),
    /// Back with it.
    Restore(i64),
    /// As Markdown into a folder.
    Export(i64),
    /// Only those with these words.
    Search(String),
    /// Plays a sound of a message.
    Play(Arc<Vec<f32>>),
    /// Shows where an answer looked.
    Look(i64),
    /// The pictures and sounds of a message that came onto the screen.
    Fetch(i64),
    /// Microphone off or on.
    Mute(bool),
    /// The key is held or let go.
    Talk(bool),
    /// Answers are spoken or not.
    Speak(bool),
    /// Camera on or off.
    Camera(bool),
    /// Other settings.
    Set(Box<crate::store::settings::Settings>),
    /// Another model, by name.
    Load(String),
    /// Fetches one.
    Pull(String),
    /// Not any more; what came stays. One that has ended already is not shown any more.
    CancelPull(String),
    /// Takes one from the disk.
    Remove(String),
    /// Looks the disk through again.
    Refresh,
    /// A notice was read.
    Dismiss(usize),
}
