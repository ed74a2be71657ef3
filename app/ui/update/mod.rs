//! The only place that changes the state: what a person wants and what engine, devices and disk tell go in, what they shall do
//! comes out. Pure, so that whole conversations are tested without a window.

mod keep;
mod live;
mod shelf;
mod talk;
#[cfg(test)]
mod tests;

use crate::live::{LiveCommand, LiveEvent};
use crate::store::change::Change;
use crate::store::history;
use crate::store::id::Id;
use crate::store::seedling;
use crate::store::thread::{Question, StoreCommand, StoreEvent};
use crate::ui::media::{Encoded, Media};
use crate::ui::state::{Action, Conversation, Fetching, Notice, Page, Pull, State, Tone};
use crate::worker::{self, Past};
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Letters of a title made of a message.
const TITLE: usize = 48;
/// A notice is shown for so long; errors stay until they are read.
const NOTICE: Duration = Duration::from_secs(8);
/// Answers that the engine page remembers.
const ANSWERS: usize = 240;

/// Everything that can happen.
#[derive(Debug)]
pub enum Msg {
    /// A person wants something.
    Action(Action),
    /// Of the engine.
    Worker(worker::Event),
    /// Of camera, microphone, speaker.
    Live(LiveEvent),
    /// Of the disk.
    Store(StoreEvent),
    /// The dialog was closed with these files; `None` if there is no dialog.
    Picked(Option<Vec<PathBuf>>),
    /// Files were read, or a picture was encoded.
    Encoded(Purpose, Result<Encoded, String>),
    /// What the models page shows, but for downloads.
    Found(Box<crate::ui::state::Models>),
    /// Of a download: its name, bytes so far and in all, and how it ended.
    Pulled(String, u64, u64, Option<Ended>),
    /// The model of this name can be loaded, or why not.
    Located(String, Result<(), String>),
    /// A model was taken from the disk, or was not.
    Removed(Result<String, String>),
    /// Devices to choose from.
    Devices(Box<crate::ui::state::Live>),
    /// Something to tell.
    Told(String),
    /// Everything is there: the model loads, the list is read.
    Start,
    /// Time passes.
    Tick,
}

/// How a download ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The model is here.
    Whole,
    /// It was stopped.
    Stopped,
    /// A sentence that says why.
    Failed(String),
}

/// What a file or picture is read for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    /// To go with the next message; the number tells their order.
    Attach(u64),
    /// What the camera showed.
    Frame,
    /// To go with a typed message.
    Ask(String),
    /// A conversation that is opened; the number is the file's.
    Restore(Id),
    /// A file that was put away and is shown again; likewise.
    Fetch(Id),
}

/// What shall be done.
#[derive(Debug)]
pub enum Effect {
    /// By the engine.
    Worker(worker::Command),
    /// The answer that is being generated ends.
    StopAnswer,
    /// By the devices.
    Live(LiveCommand),
    /// By the disk.
    Store(StoreCommand),
    /// A person chooses files.
    PickFiles,
    /// A file is read, or a picture encoded.
    Encode(Purpose, Media),
    /// Devices are looked for.
    ListDevices,
    /// The disk is looked through for models.
    FindModels,
    /// It is looked whether there is a model of this name.
    Locate(String),
    /// A model is fetched.
    Pull(String),
    /// No more of it.
    StopPull(String),
    /// A model is taken from the disk.
    Remove(String),
}

/// What the update remembers beside what is shown.
#[derive(Debug, Default)]
pub struct Memory {
    /// Files of `State::attached`, in the same order.
    attached: Vec<Encoded>,
    /// Files that are being read to be attached, in their order; some may be here before others.
    coming: VecDeque<(u64, Option<Result<Encoded, String>>)>,
    /// Of the last one of them.
    ticket: u64,
    /// The dialog that chooses files is open.
    picking: bool,
    /// The message that is being spoken.
    turn: Option<Turn>,
    /// The answer that is generated or spoken.
    answering: Option<Answering>,
    /// What the camera shows; whoever sends a typed message puts it here before.
    pub preview: Option<Arc<percept::Image>>,
    /// The conversation that is being opened.
    opening: Option<Opening>,
    /// Everything that was said in the open conversation, as the engine takes it.
    past: Vec<Past>,
    /// Tokens of a picture, if the model takes any.
    image_tokens: Option<usize>,
    /// Messages far above whose files were fetched, the last one at the end.
    fetched: VecDeque<i64>,
    /// What was said last is not on the disk yet, for it is full or gone.
    unsaved: bool,
    /// As for `--adapter`.
    adapter: Option<String>,
    seed: u64,
    /// An answer has ended since it was last asked where the time of a token goes.
    unprofiled: bool,
}

impl Memory {
    /// Of a start; `adapter` as for `--adapter`.
    pub fn new(adapter: Option<String>) -> Memory {
        Memory { adapter, ..Memory::default() }
    }
}

/// A message while it is spoken.
#[derive(Debug, Default)]
struct Turn {
    samples: Vec<f32>,
    /// So many of them were said before, as whole turns.
    earlier: usize,
    /// The engine has nothing of it yet: it waits for the camera's picture, since pictures are understood best in front of what is
    /// asked about them.
    held: bool,
    /// That picture is being encoded.
    coming: bool,
    /// All was said; only the picture lacks, or the conversation that is being opened.
    ended: bool,
    parts: Vec<Encoded>,
}

#[derive(Debug)]
struct Answering {
    id: Id,
    /// The engine still makes it.
    generating: bool,
}

#[derive(Debug)]
struct Opening {
    loaded: history::Conversation,
    waiting: usize,
    parts: HashMap<Id, Result<Encoded, String>>,
}

/// Takes what happened into the state; `now` is the time since the start.
pub fn update(state: &mut State, memory: &mut Memory, msg: Msg, now: Duration) -> Vec<Effect> {
    let mut all = Update { state, memory, now, effects: Vec::new() };
    match msg {
        Msg::Action(action) => all.act(action),
        Msg::Worker(event) => all.worker(event),
        Msg::Live(event) => all.live(event),
        Msg::Store(event) => all.store(event),
        Msg::Picked(files) => all.picked(files),
        Msg::Encoded(purpose, outcome) => all.encoded(purpose, outcome),
        Msg::Found(found) => {
            let pulls = std::mem::take(&mut all.state.models.pulls);
            all.state.models = crate::ui::state::Models { pulls, ..*found };
        }
        Msg::Pulled(name, done, total, ended) => all.pulled(name, done, total, ended),
        Msg::Located(name, Ok(())) => {
            let mut settings = all.state.settings.clone();
            settings.model = (name != seedling::NAME).then_some(name);
            all.keep(settings);
            all.load();
        }
        Msg::Located(_, Err(problem)) => all.trouble(problem),
        Msg::Removed(Ok(name)) => {
            all.note(format!("{name} was removed."));
            all.effects.push(Effect::FindModels);
        }
        Msg::Removed(Err(problem)) => all.trouble(problem),
        Msg::Devices(found) => {
            let live = &mut all.state.live;
            (live.microphones, live.speakers) = (found.microphones, found.speakers);
            (live.cameras, live.voices, live.known) = (found.cameras, found.voices, true);
        }
        Msg::Told(text) => all.trouble(text),
        Msg::Start => {
            all.list();
            all.load();
        }
        Msg::Tick => {}
    }
    all.profile();
    all.state.notices.retain(|notice| notice.tone == Tone::Error || notice.at + NOTICE > now);
    all.effects
}

struct Update<'a> {
    state: &'a mut State,
    memory: &'a mut Memory,
    now: Duration,
    effects: Vec<Effect>,
}

impl Update<'_> {
    fn note(&mut self, text: String) {
        self.notice(text, Tone::Done, None);
    }

    fn trouble(&mut self, text: String) {
        self.notice(text, Tone::Error, None);
    }

    /// The same sentence is not told twice at a time.
    fn notice(&mut self, text: String, tone: Tone, undo: Option<Action>) {
        self.state.notices.retain(|notice| notice.text != text);
        self.state.notices.push(Notice { text, tone, undo, at: self.now });
    }

    fn write(&mut self, change: Change) {
        self.effects.push(Effect::Store(StoreCommand::Write(change)));
    }

    fn ask(&mut self, question: Question) {
        self.effects.push(Effect::Store(StoreCommand::Ask(question)));
    }

    fn engine(&mut self, command: worker::Command) {
        self.effects.push(Effect::Worker(command));
    }

    fn devices(&mut self, command: LiveCommand) {
        self.effects.push(Effect::Live(command));
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Show(page) => {
                self.state.page = page;
                match page {
                    Page::Models if self.state.models.lines.is_empty() && !self.state.models.looking => {
                        self.act(Action::Refresh);
                    }
                    Page::Settings => self.effects.push(Effect::ListDevices),
                    _ => {}
                }
            }
            Action::Send(text) => self.send(text),
            Action::Stop => {
                self.forget_turn(|turn| turn.ended);
                self.stop(None);
            }
            Action::Retry => self.retry(),
            Action::Edit(id) if !self.state.conversation.loading => self.state.editing = Some(id),
            Action::Edit(_) => {}
            Action::CancelEdit => self.state.editing = None,
            Action::PickFiles => {
                if !std::mem::replace(&mut self.memory.picking, true) {
                    self.effects.push(Effect::PickFiles);
                }
            }
            Action::Attach(paths) => paths.into_iter().for_each(|path| self.attach(Media::File(path))),
            Action::AttachPicture { image, name } => self.attach(Media::Picture { image, name }),
            Action::Detach(at) => {
                if at < self.state.attached.len() {
                    self.state.attached.remove(at);
                    self.memory.attached.remove(at);
                }
            }
            Action::ForgetFiles => {
                self.memory.coming.clear();
                self.count_coming();
            }
            Action::New => {
                self.leave();
                self.state.conversation = Conversation::default();
                self.begin();
            }
            Action::Open(id) => {
                if self.state.conversation.id != Some(id) {
                    self.open(id, None);
                }
                self.state.page = Page::Conversation;
            }
            Action::OpenAt { conversation, message } => {
                let open = &self.state.conversation;
                let is_shown = open.messages.iter().any(|shown| shown.id == message);
                if open.id != Some(conversation) || !is_shown {
                    self.open(conversation, Some(message));
                }
                self.state.page = Page::Conversation;
            }
            Action::Choose(message) => {
                let generating = self.memory.answering.as_ref().is_some_and(|answering| answering.generating);
                if let Some(id) = self.state.conversation.id
                    && !generating
                    && !self.state.conversation.loading
                {
                    self.open(id, Some(message));
                }
            }
            Action::Rename(id, title) => {
                let title = title.trim().to_string();
                if title.is_empty() {
                    return;
                }
                if self.state.conversation.id == Some(id) {
                    self.state.conversation.title.clone_from(&title);
                }
                self.state.lines.iter_mut().filter(|line| line.id == id).for_each(|line| line.title.clone_from(&title));
                self.write(Change::Rename { conversation: Id::from(id), title });
            }
            Action::Delete(id) => {
                let title = self.state.lines.iter().find(|line| line.id == id).map(|line| line.title.clone());
                self.state.lines.retain(|line| line.id != id);
                self.write(Change::Delete { conversation: Id::from(id) });
                if self.state.conversation.id == Some(id) {
                    self.act(Action::New);
                }
                let text = format!("\"{}\" was deleted.", title.unwrap_or_default());
                self.notice(text, Tone::Done, Some(Action::Restore(id)));
            }
            Action::Restore(id) => {
                self.write(Change::Restore { conversation: Id::from(id) });
                self.list();
            }
            Action::Export(id) => match export_folder() {
                Some(folder) => self.ask(Question::Export { conversation: Id::from(id), folder }),
                None => self.trouble("There is no folder for documents to export into.".into()),
            },
            Action::Search(words) => {
                self.state.search.clone_from(&words);
                self.list();
            }
            Action::Play(samples) => self.devices(LiveCommand::Play(samples.to_vec())),
            Action::Fetch(id) => self.fetch(id),
            Action::Look(id) => self.engine(worker::Command::Look { answer: id }),
            Action::Mute(muted) => {
                self.state.live.muted = muted;
                self.devices(LiveCommand::Mute(muted));
            }
            Action::Talk(held) => {
                self.state.live.talking = held;
                self.devices(LiveCommand::PushToTalk(held));
            }
            Action::Speak(speak) => {
                let mut settings = self.state.settings.clone();
                settings.speak = speak;
                self.set(settings);
            }
            Action::Camera(on) => {
                let mut settings = self.state.settings.clone();
                settings.camera =
                    if on { crate::store::settings::Device::Default } else { crate::store::settings::Device::Off };
                self.set(settings);
            }
            Action::Set(settings) => self.set(*settings),
            // One that is not there shall not take the place of one that answers.
            Action::Load(name) => self.effects.push(Effect::Locate(name)),
            Action::Pull(name) => {
                if !self.state.models.pulls.iter().any(|pull| pull.name == name && pull.is_going()) {
                    self.state.models.pulls.retain(|pull| pull.name != name);
                    self.state.models.pulls.push(Pull {
                        name: name.clone(),
                        done: 0,
                        total: 0,
                        stage: Fetching::Going,
                    });
                    self.effects.push(Effect::Pull(name));
                }
            }
            Action::CancelPull(name) => {
                let going = |pull: &&mut Pull| pull.name == name && pull.stage == Fetching::Going;
                match self.state.models.pulls.iter_mut().find(going) {
                    Some(pull) => {
                        pull.stage = Fetching::Stopping;
                        self.effects.push(Effect::StopPull(name));
                    }
                    None => self.state.models.pulls.retain(|pull| pull.name != name || pull.is_going()),
                }
            }
            Action::Remove(name) => self.effects.push(Effect::Remove(name)),
            Action::Refresh => {
                self.state.models.looking = true;
                self.effects.push(Effect::FindModels);
            }
            Action::Dismiss(at) => {
                if at < self.state.notices.len() {
                    self.state.notices.remove(at);
                }
            }
        }
    }
}

/// Where exports go: the person's documents, or the home folder.
fn export_folder() -> Option<PathBuf> {
    dirs::document_dir().filter(|folder| folder.is_dir()).or_else(dirs::home_dir).map(|folder| folder.join("Percept"))
}
