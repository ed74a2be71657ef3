//! Carries out what the update asks for: engine, devices, disk, and short-lived threads for what takes longer than a frame.
//! Works without a window, too, so that conversations are tested as they are held.

use super::devices;
use super::media;
use super::state::{Action, Device, Live as LiveState, ModelLine, Models, Page, State, Tone};
use super::update::{Effect, Ended, Memory, Msg, update};
use crate::cli::load::find;
use crate::hub::catalogue::ENTRIES;
use crate::hub::{Problem, Report, Request, Room, Stop, Wanted, pull};
use crate::live::{Listed, Live, LiveOptions, Meters, Voice, cameras, microphones, speakers, voices};
use crate::store::models::{Found, Places, State as Usable, Store as Place};
use crate::store::settings::Settings;
use crate::store::thread::Store;
use crate::worker::Worker;
use anyhow::{Context, Result};
use percept::hearing::{HOP_LENGTH, NUM_MELS};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Connections and tries of a download, as `percept models pull` has them.
const CONNECTIONS: usize = 8;
const RETRIES: u32 = 6;
/// How long a download that is stopped is waited for. Longer take only a name that is looked up and a connection that is made.
const STOPPING: Duration = Duration::from_secs(1);

/// While the page that shows devices is in front, they are looked for so often.
const LISTED: Duration = Duration::from_secs(3);

/// Frames of the spectrogram that is shown: four seconds.
const MEL_FRAMES: usize = 400;
/// Samples that are worth asking for frames, and most of them at a time: a tenth of a second and half of one.
const MEL_SAMPLES: u64 = 1_600;
const MOST_MEL_SAMPLES: u64 = 8_000;

/// Mean square of sound that nobody hears, 66 dB below full scale.
const SILENT: f32 = 2.5e-7;

/// Wakes whoever draws.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What the app is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// As for `--model`; that of the settings if `None`.
    pub model: Option<String>,
    /// As for `--adapter`.
    pub adapter: Option<String>,
    /// Devices instead of those of the settings.
    pub microphone: Option<crate::live::MicrophoneChoice>,
    /// See `microphone`.
    pub speaker: Option<crate::live::SpeakerChoice>,
    /// See `microphone`.
    pub camera: Option<crate::live::CameraChoice>,
    /// Folder of conversations and settings; the person's own if `None`.
    pub data: Option<PathBuf>,
    /// Files to go with the first message.
    pub files: Vec<PathBuf>,
    /// Seconds that pass in one, for devices that are files; 1 if `None`.
    pub pace: Option<f64>,
}

/// The state, and everybody who works for it.
pub struct Desk {
    /// What is shown.
    pub state: State,
    memory: Memory,
    worker: Worker,
    live: Live,
    store: Store,
    sender: Sender<Msg>,
    messages: Receiver<Msg>,
    wake: Wake,
    started: Instant,
    /// Of each model whose download was begun.
    pulls: HashMap<String, Stop>,
    spectrogram: VecDeque<f32>,
    /// Samples that were given to be shown.
    mel_heard: u64,
    mel_asked: bool,
    /// Whoever looks for devices has it, too.
    listing: Arc<()>,
    /// That was wanted once more meanwhile.
    list_again: bool,
    /// When it was begun last.
    listed: Instant,
}

impl Desk {
    /// Starts them all; the model begins to load.
    ///
    /// # Errors
    /// If there is no folder for conversations, or no thread to be had.
    pub fn new(options: Options, wake: Wake) -> Result<Desk> {
        let own = crate::store::database_path();
        let given = options.data.as_ref().zip(own.as_ref().and_then(|path| path.file_name()));
        let path = given
            .map(|(folder, name)| folder.join(name))
            .or(own.clone())
            .context("there is no folder for conversations; set PERCEPT_DATA_DIR to the whole path of one")?;
        let (mut settings, problem) = Settings::load(&path.with_file_name("settings.json"));
        if let Some(model) = &options.model {
            settings.model = Some(model.clone());
        }
        let waking = |wake: &Wake| {
            let wake = wake.clone();
            move || wake()
        };
        let store = Store::start(path, waking(&wake)).context("no thread for the conversations could be started")?;
        let worker = Worker::start(waking(&wake)).context("no thread for the engine could be started")?;
        let live = Live::start(LiveOptions {
            microphone: options.microphone.clone().unwrap_or_else(|| devices::choice(&settings.microphone)),
            speaker: options.speaker.clone().unwrap_or_else(|| devices::choice(&settings.speaker)),
            camera: options.camera.clone().unwrap_or_else(|| devices::choice(&settings.camera)),
            turn: devices::turn(&settings),
            voice: devices::voice(&settings),
            speak: settings.speak,
            pace: options.pace.unwrap_or(1.0),
            wake: wake.clone(),
            ..LiveOptions::default()
        });
        let (sender, messages) = channel();
        let mut state = State::new(settings);
        state.live.camera |= options.camera.is_some();
        let memory = Memory::new(options.adapter.clone());
        let mut desk = Desk {
            state,
            memory,
            worker,
            live,
            store,
            sender,
            messages,
            wake,
            started: Instant::now(),
            pulls: HashMap::new(),
            spectrogram: VecDeque::new(),
            mel_heard: 0,
            mel_asked: false,
            listing: Arc::new(()),
            list_again: false,
            listed: Instant::now(),
        };
        desk.happen(Msg::Start);
        if let Some(problem) = problem {
            desk.happen(Msg::Told(problem));
        }
        if !options.files.is_empty() {
            desk.happen(Msg::Action(Action::Attach(options.files)));
        }
        desk.list_devices();
        Ok(desk)
    }

    /// Time since the start.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Level, waveform and pictures as they are.
    pub fn meters(&self) -> &Meters {
        self.live.meters()
    }

    /// Takes all news into the state; whether there was any.
    pub fn drain(&mut self) -> bool {
        let mut any = false;
        loop {
            let news = self.worker.event().map(Msg::Worker);
            let news = news.or_else(|| self.live.events().try_recv().ok().map(Msg::Live));
            let news = news.or_else(|| self.store.events().try_recv().ok().map(Msg::Store));
            let Some(msg) = news.or_else(|| self.messages.try_recv().ok()) else { break };
            any = true;
            if let Msg::Worker(crate::worker::Event::Mel(frames)) = &msg {
                self.spectrogram.extend(frames);
                self.keep_frames();
                self.mel_asked = false;
                continue;
            }
            self.happen(msg);
        }
        if self.state.notices.iter().any(|notice| notice.tone != Tone::Error) {
            self.happen(Msg::Tick);
        }
        if self.list_again || (self.state.page == Page::Settings && self.listed.elapsed() > LISTED) {
            self.list_devices();
        }
        self.state.live.dropped = self.meters().overruns() + self.meters().underruns();
        any
    }

    /// Log-mel frames of the last seconds, oldest first, and how many samples they were made of so far; the newest samples are
    /// given to the engine, unless it still has some or has better things to do.
    pub fn spectrogram(&mut self) -> (&VecDeque<f32>, u64) {
        let heard = self.meters().heard();
        let new = heard.saturating_sub(self.mel_heard);
        let seen = self.state.page == Page::Conversation && !self.state.live.muted;
        if seen && new >= MEL_SAMPLES && !self.mel_asked && !self.state.answering() && self.state.loaded().is_some() {
            let mut samples = vec![0.0; new.min(MOST_MEL_SAMPLES) as usize];
            self.meters().latest(&mut samples);
            self.mel_heard = heard;
            let silent = samples.iter().map(|sample| sample * sample).sum::<f32>() < SILENT * samples.len() as f32;
            if silent {
                // Dark without being computed: a quiet room is heard most of the time.
                let frames = (new as usize / HOP_LENGTH).min(MEL_FRAMES);
                self.spectrogram.extend(std::iter::repeat_n(f32::NEG_INFINITY, frames * NUM_MELS));
                self.keep_frames();
            } else {
                self.mel_asked = true;
                self.worker.send(crate::worker::Command::Show(samples));
            }
        }
        (&self.spectrogram, self.mel_heard)
    }

    /// Only those that are shown.
    fn keep_frames(&mut self) {
        let old = self.spectrogram.len().saturating_sub(MEL_FRAMES * NUM_MELS);
        self.spectrogram.drain(..old);
    }

    /// Takes something into the state and carries out what follows from it.
    pub fn happen(&mut self, msg: Msg) {
        let now = self.now();
        if let Msg::Action(Action::Send(_)) = &msg {
            self.memory.preview = self.meters().preview();
        }
        for effect in update(&mut self.state, &mut self.memory, msg, now) {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Worker(command) => self.worker.send(command),
            Effect::StopAnswer => self.worker.stop(),
            Effect::Live(command) => self.live.send(command),
            Effect::Store(command) => self.store.send(command),
            Effect::PickFiles => self.apart(|_| Msg::Picked(pick()), Msg::Told),
            Effect::Encode(purpose, media) => {
                let unread = purpose.clone();
                let failed = move |problem| Msg::Encoded(unread.clone(), Err(problem));
                self.apart(move |_| Msg::Encoded(purpose, media::encode(media)), failed);
            }
            Effect::ListDevices => self.list_devices(),
            Effect::FindModels => {
                let adapter = self.state.loaded().map(|loaded| loaded.adapter.clone());
                self.apart(move |_| Msg::Found(Box::new(models(adapter.as_deref()))), Msg::Told);
            }
            Effect::Locate(name) => {
                let located =
                    |name: &str| find(std::path::Path::new(name)).map(drop).map_err(|error| format!("{error:#}"));
                self.apart(move |_| Msg::Located(name.clone(), located(&name)), Msg::Told);
            }
            Effect::Pull(name) => {
                let stop = Stop::default();
                self.pulls.insert(name.clone(), stop.clone());
                let begun = name.clone();
                let failed = move |problem| Msg::Pulled(begun.clone(), 0, 0, Some(Ended::Failed(problem)));
                self.apart(move |tell| fetch(name, stop, tell), failed);
            }
            Effect::StopPull(name) => self.pulls.get(&name).into_iter().for_each(Stop::stop),
            Effect::Remove(name) => self.apart(
                move |_| {
                    let outcome = crate::cli::models::take_away(&name);
                    Msg::Removed(outcome.map(|()| name).map_err(|error| format!("{error:#}")))
                },
                Msg::Told,
            ),
        }
    }

    /// Does something on a thread of its own; what it gives is taken in like all news, also what `failed` makes of a sentence that
    /// says why nothing came of it.
    fn apart(
        &self,
        doing: impl FnOnce(&(dyn Fn(Msg) + Send + Sync)) -> Msg + Send + 'static,
        failed: impl Fn(String) -> Msg + Clone + Send + 'static,
    ) {
        let (sender, wake, never) = (self.sender.clone(), self.wake.clone(), failed.clone());
        let run = move || {
            let tell = move |msg| {
                // Nobody is left to be told when the window is gone.
                let _ = sender.send(msg);
                wake();
            };
            let last = catch_unwind(AssertUnwindSafe(|| doing(&tell)));
            tell(last.unwrap_or_else(|_| failed("It ended by a mistake of this program.".into())));
        };
        if let Err(error) = std::thread::Builder::new().name("errand".into()).spawn(run) {
            let _ =
                self.sender.send(never(format!("The system has no thread for it ({error}); close other programs.")));
        }
    }

    /// Looks for devices, which may take a while.
    fn list_devices(&mut self) {
        // A driver may hang in it; it shall hang there once.
        self.list_again = Arc::strong_count(&self.listing) > 1;
        if self.list_again {
            return;
        }
        self.listed = Instant::now();
        // To ask for voices is a program that is started.
        let (listing, known) = (self.listing.clone(), self.state.live.voices.clone());
        let look = move |_: &(dyn Fn(Msg) + Send + Sync)| {
            let _listing = listing;
            let devices =
                |found: Vec<Listed>| found.into_iter().map(|Listed { id, name, .. }| Device { id, name }).collect();
            let named = |Voice { id, name, language }| Device { id, name: format!("{name} ({language})") };
            let found = || voices().unwrap_or_default().into_iter().map(named).collect();
            Msg::Devices(Box::new(LiveState {
                microphones: devices(microphones()),
                speakers: devices(speakers()),
                cameras: devices(cameras()),
                voices: if known.is_empty() { found() } else { known },
                ..LiveState::default()
            }))
        };
        self.apart(look, Msg::Told);
    }
}

/// Files that a person chooses in the system's dialog: none if it is closed without any, `None` if there is no dialog.
fn pick() -> Option<Vec<PathBuf>> {
    let picked = rfd::FileDialog::new().set_title("Attach files").pick_files();
    // Elsewhere there always is one, and nothing means that it was closed.
    if cfg!(any(windows, target_os = "macos")) { Some(picked.unwrap_or_default()) } else { picked }
}

/// Models on this disk, those of the catalogue that are not, and the memory that there is for them on the adapter of this title, or
/// on the best one.
fn models(adapter: Option<&str>) -> Models {
    let found = Places::of_this_user().find();
    let mut lines: Vec<ModelLine> = found.models.iter().map(on_this_disk).collect();
    for entry in ENTRIES.iter().filter(|entry| entry.is_supported()) {
        if find(std::path::Path::new(entry.id)).is_err() {
            // What was begun of it is gone on with there.
            lines.retain(|line| line.pull.as_deref() != Some(entry.id));
            let offer = Some(format!("{}: {}", entry.title, entry.senses));
            let (name, store, pull) = (entry.id.into(), "Hugging Face".into(), Some(entry.id.into()));
            lines.push(ModelLine { name, store, bytes: entry.bytes, problem: None, offer, pull });
        }
    }
    let room = Room::of_this_machine(adapter);
    Models { lines, room_bytes: room.bytes(), machine_bytes: room.machine, ..Models::default() }
}

fn on_this_disk(model: &Found) -> ModelLine {
    let built_in = model.store == Place::BuiltIn;
    let problem = match &model.state {
        Usable::Usable => None,
        Usable::Unsupported => Some("Its architecture is not supported yet.".into()),
        Usable::Unfinished => Some("Its download is not finished.".into()),
        Usable::Broken(problem) => Some(problem.clone()),
    };
    ModelLine {
        name: if built_in { model.name.clone() } else { format!("{}:{}", model.store.prefix(), model.name) },
        store: model.store.title().into(),
        bytes: model.bytes,
        problem,
        offer: None,
        pull: (model.state == Usable::Unfinished).then(|| model.name.clone()),
    }
}

/// Fetches a model and tells how far it is.
fn fetch(name: String, stop: Stop, tell: &(dyn Fn(Msg) + Send + Sync)) -> Msg {
    let (done, total) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let so_far = || (done.load(Ordering::Relaxed), total.load(Ordering::Relaxed));
    let begin = || -> Result<JoinHandle<Result<(), Problem>>> {
        let wanted = Wanted::parse(&name)?;
        let hub = Places::of_this_user().hub().map(Into::into);
        let hub = hub.context("there is no place for the cache: set HF_HOME to the whole path of a folder")?;
        let stop = stop.clone();
        let request =
            Request { wanted, file: None, force: false, connections: CONNECTIONS, retries: RETRIES, hub, stop };
        let (begun, moved) = (total.clone(), done.clone());
        let report = Report {
            note: Box::new(|text| tracing::info!("{text}")),
            begin: Box::new(move |bytes| begun.store(bytes, Ordering::Relaxed)),
            advance: Box::new(move |bytes| {
                moved.fetch_add(bytes as u64, Ordering::Relaxed);
            }),
        };
        let pulling = std::thread::Builder::new().name("pull".into());
        pulling.spawn(move || pull(&request, report).map(drop)).context("no thread could be started")
    };
    let ended = match begin() {
        Err(error) => Ended::Failed(format!("{error:#}")),
        Ok(pulling) => {
            let mut stopped: Option<Instant> = None;
            loop {
                std::thread::sleep(Duration::from_millis(100));
                if stop.is_asked() && stopped.get_or_insert_with(Instant::now).elapsed() > STOPPING {
                    // It ends by itself, and touches nothing until then.
                    break Ended::Stopped;
                }
                if pulling.is_finished() {
                    break match pulling.join() {
                        Ok(Ok(())) => Ended::Whole,
                        Ok(Err(Problem::Stopped)) => Ended::Stopped,
                        Ok(Err(problem)) => Ended::Failed(problem.to_string()),
                        Err(_) => Ended::Failed("the download stopped by a mistake of this program".into()),
                    };
                }
                let (done, total) = so_far();
                tell(Msg::Pulled(name.clone(), done, total, None));
            }
        }
    };
    let (done, total) = so_far();
    Msg::Pulled(name, done, total, Some(ended))
}
