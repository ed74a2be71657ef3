//! What engine and disk tell beside answers, what is opened again, what is set.

use super::shelf::{OPENED, away, read_bytes};
use super::{Effect, Opening, Purpose, Update};
use crate::live::LiveCommand;
use crate::store::change::Change;
use crate::store::history::{self, State as Ended};
use crate::store::id::Id;
use crate::store::seedling;
use crate::store::settings::{Device, Settings};
use crate::store::thread::{Question, StoreCommand, StoreEvent};
use crate::ui::devices;
use crate::ui::media::{Encoded, Media};
use crate::ui::state::{
    Action, Conversation, Engine, Fetching, Kernels, Line, Loaded, Look, Message, Page, Part, Phase, Progress, Role,
};
use crate::worker::{Command, Event, LoadRequest, Past, Piece};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// What a dialog for files needs.
const NEEDS: &str =
    if cfg!(any(windows, target_os = "macos")) { "" } else { " (xdg-desktop-portal or zenity would give one)" };

/// Of prefill times, so much is the last one.
const NEWEST: f64 = 0.3;

impl Update<'_> {
    /// What the engine tells.
    pub(super) fn worker(&mut self, event: Event) {
        match event {
            Event::Loading { model, what, share } => {
                self.state.engine = Engine::Loading { model, what: what.into(), share };
            }
            Event::Ready(loaded) => {
                let budget = LiveCommand::Budget {
                    tokens_per_frame: loaded.image_tokens.unwrap_or(0) as f32,
                    prefill_tokens_per_s: self.state.figures.prefill_per_s as f32,
                };
                self.devices(budget);
                self.state.engine = Engine::Ready(Loaded {
                    model: loaded.model,
                    adapter: loaded.adapter,
                    precision: loaded.precision,
                    weight_bytes: loaded.weight_bytes,
                    held_bytes: 0,
                    context: loaded.context,
                    sees: loaded.image_tokens.is_some(),
                    hears: loaded.hears,
                });
                self.memory.image_tokens = loaded.image_tokens;
                // Those of another model, or of another adapter.
                (self.state.figures.kernels, self.memory.unprofiled) = (Kernels::Unknown, false);
            }
            Event::NotLoaded(problem) => self.state.engine = Engine::Failed(problem),
            Event::Read { tokens, time } => self.read(tokens, time),
            Event::Text { answer, delta, thinking } => self.text(answer, delta, thinking),
            Event::Done { answer, reason, timings } => self.done(answer, reason, timings),
            Event::Failed { answer, problem } => self.failed(answer, problem),
            Event::Forgot { messages } => {
                self.forgot(messages);
                let s = if messages == 1 { "" } else { "s" };
                self.note(format!(
                    "The model's memory was full: it no longer knows the oldest {messages} message{s} here. You still have them."
                ));
            }
            Event::Held { cache_len, context, bytes } => {
                self.state.figures.cache_len = cache_len;
                if let Engine::Ready(loaded) = &mut self.state.engine {
                    (loaded.context, loaded.held_bytes) = (context, bytes);
                }
            }
            Event::Looks { answer, looks } => self.looked(answer, looks),
            Event::Kernels(kernels) => {
                self.state.figures.kernels = kernels.map_or(Kernels::Untold, Kernels::Told);
            }
            // The window draws it; see `Desk::spectrogram`.
            Event::Mel(_) => {}
        }
    }

    /// The model knows so many messages less, so they need not be held for it.
    fn forgot(&mut self, messages: usize) {
        let last = self.memory.past.drain(..messages.min(self.memory.past.len())).next_back();
        let after = last.map_or(self.state.conversation.known_from, |past| past.id + 1);
        self.state.conversation.known_from = self.memory.past.first().map_or(after, |past| past.id);
    }

    fn read(&mut self, tokens: usize, time: Duration) {
        let per_s = tokens as f64 / time.as_secs_f64().max(1e-6);
        let before = self.state.figures.prefill_per_s;
        let mean = if before == 0.0 { per_s } else { before + NEWEST * (per_s - before) };
        self.state.figures.prefill_per_s = mean;
        if let Some(tokens_per_frame) = self.memory.image_tokens {
            self.devices(LiveCommand::Budget {
                tokens_per_frame: tokens_per_frame as f32,
                prefill_tokens_per_s: mean as f32,
            });
        }
    }

    /// Asks where the time of a token goes, once an answer, while the page that shows it is in front and the engine has nothing
    /// better to do.
    pub(super) fn profile(&mut self) {
        let wanted = self.memory.unprofiled && self.state.page == Page::Engine;
        let idle = self.state.live.phase == Phase::Idle && self.memory.turn.is_none() && !self.state.answering();
        if wanted && idle && self.state.loaded().is_some() {
            self.memory.unprofiled = false;
            let sampling = self.sampling();
            self.engine(Command::Profile(sampling));
        }
    }

    fn looked(&mut self, answer: i64, looks: Vec<Look>) {
        if looks.is_empty() {
            self.note("The model remembers no picture of that answer any more.".into());
        }
        let messages = self.state.conversation.messages.iter_mut();
        messages.filter(|message| message.id == answer).for_each(|message| message.looks.clone_from(&looks));
    }

    /// What the disk tells.
    pub(super) fn store(&mut self, event: StoreEvent) {
        match event {
            StoreEvent::Listed(all) => {
                let line = |one: history::Summary| Line {
                    id: one.id.get(),
                    title: if one.title.is_empty() { "New conversation".into() } else { one.title },
                    changed: u64::try_from(one.changed / 1000).unwrap_or(0),
                    snippet: None,
                    message: None,
                };
                if self.state.search.trim().is_empty() {
                    self.state.lines = all.into_iter().map(line).collect();
                    self.state.searching = false;
                }
            }
            StoreEvent::Found(words, hits) => {
                if words == self.state.search.trim() {
                    self.state.lines = hits.into_iter().map(found).collect();
                    self.state.searching = false;
                }
            }
            StoreEvent::Loaded(loaded) => self.loaded(loaded),
            StoreEvent::Media(id, bytes) => {
                let media = self.memory.opening.as_ref().and_then(|opening| {
                    opening.loaded.messages.iter().flat_map(|message| &message.media).find(|media| media.id == id)
                });
                let opened =
                    media.map(|media| (Purpose::Restore(id), media.kind, media.name.clone().unwrap_or_default()));
                if let Some((purpose, kind, name)) = opened.or_else(|| self.away(id)) {
                    self.effects.push(Effect::Encode(purpose, Media::Kept { kind, name, bytes: bytes.into() }));
                }
            }
            StoreEvent::Exported(path) => self.note(format!("Exported to {}.", path.display())),
            StoreEvent::Failed(Question::Load(id), problem) => {
                if self.state.conversation.id == Some(id.get()) {
                    self.state.conversation = Conversation::default();
                    self.begin_with_turn();
                }
                self.trouble(problem);
            }
            StoreEvent::Failed(Question::Media(id), problem) => match self.memory.opening {
                Some(_) => self.restored(id, Err(problem)),
                None => self.fetched(id, Err(problem)),
            },
            StoreEvent::Failed(Question::List | Question::Search(_), problem) => {
                self.state.searching = false;
                self.trouble(problem);
            }
            StoreEvent::Failed(_, problem) | StoreEvent::Refused(problem) => self.trouble(problem),
            StoreEvent::Unsaved(problem) => {
                self.memory.unsaved = true;
                self.trouble(problem);
            }
            StoreEvent::Saved => {
                self.memory.unsaved = false;
                self.note("Everything is saved again.".into());
            }
        }
    }

    /// Reads a conversation from the disk, with this message in the line that is shown. What is shown of it stays until then.
    pub(super) fn open(&mut self, id: i64, message: Option<i64>) {
        self.leave();
        if self.state.conversation.id != Some(id) {
            self.state.conversation = Conversation { id: Some(id), ..Conversation::default() };
        }
        self.state.conversation.loading = true;
        if let Some(message) = message {
            self.write(Change::Choose { message: Id::from(message) });
        }
        self.ask(Question::Load(Id::from(id)));
    }

    fn loaded(&mut self, loaded: history::Conversation) {
        if self.state.conversation.id != Some(loaded.summary.id.get()) {
            return;
        }
        // The newest first: what is far above is neither seen nor known by the model.
        let mut room = OPENED;
        let files = loaded.messages.iter().rev().flat_map(|message| message.media.iter().rev());
        let fitting = files.take_while(|file| {
            let fits = read_bytes(file) <= room;
            room = room.saturating_sub(read_bytes(file));
            fits
        });
        let media: Vec<Id> = fitting.map(|file| file.id).collect();
        self.memory.opening = Some(Opening { loaded, waiting: media.len(), parts: HashMap::new() });
        for id in &media {
            self.ask(Question::Media(*id));
        }
        if media.is_empty() {
            self.opened();
        }
    }

    fn restored(&mut self, id: Id, outcome: Result<Encoded, String>) {
        let Some(opening) = &mut self.memory.opening else { return };
        // What another conversation had, or another version of this one, comes too late.
        if !opening.loaded.messages.iter().flat_map(|message| &message.media).any(|media| media.id == id) {
            return;
        }
        opening.parts.insert(id, outcome);
        if opening.parts.len() >= opening.waiting {
            self.opened();
        }
    }

    /// All of the conversation is here.
    fn opened(&mut self) {
        let Some(opening) = self.memory.opening.take() else { return };
        let summary = &opening.loaded.summary;
        let mut conversation =
            Conversation { id: Some(summary.id.get()), title: summary.title.clone(), ..Conversation::default() };
        for message in &opening.loaded.messages {
            let (shown, given) = parts_of(message, &opening.parts);
            conversation.messages.push(Message { thinking: message.thinking.clone(), ..shown });
            self.memory.past.push(given);
        }
        self.state.conversation = conversation;
        self.put_away();
        self.begin_with_turn();
    }

    /// The dialog that chooses files is closed.
    pub(super) fn picked(&mut self, files: Option<Vec<PathBuf>>) {
        self.memory.picking = false;
        match files {
            Some(files) => self.act(Action::Attach(files)),
            None => {
                self.state.file_dialog = false;
                self.trouble(format!(
                    "This system has no dialog for files{NEEDS}. Drop the file on the window, paste a picture, start with `percept app \
                     FILE`, or attach once more and type its path."
                ));
            }
        }
    }

    /// Reads a file to go with the next message.
    pub(super) fn attach(&mut self, media: Media) {
        self.memory.ticket += 1;
        self.memory.coming.push_back((self.memory.ticket, None));
        self.count_coming();
        self.effects.push(Effect::Encode(Purpose::Attach(self.memory.ticket), media));
    }

    /// One of them is here; they are attached in the order in which they were chosen.
    fn attached(&mut self, ticket: u64, outcome: Result<Encoded, String>) {
        let Some((_, place)) = self.memory.coming.iter_mut().find(|(number, _)| *number == ticket) else { return };
        *place = Some(outcome);
        while let Some((_, Some(outcome))) = self.memory.coming.pop_front_if(|(_, outcome)| outcome.is_some()) {
            match outcome {
                Ok(part) => {
                    self.state.attached.push(part.part.clone());
                    self.memory.attached.push(part);
                }
                Err(problem) => self.trouble(problem),
            }
        }
        self.count_coming();
    }

    /// Tells how many still are to come; what was spoken may have waited for the last one.
    pub(super) fn count_coming(&mut self) {
        self.state.reading = self.memory.coming.len();
        if self.state.reading == 0 {
            self.go_on_with_turn();
        }
    }

    /// A file was read or a picture encoded.
    pub(super) fn encoded(&mut self, purpose: Purpose, outcome: Result<Encoded, String>) {
        match (purpose, outcome) {
            (Purpose::Restore(id), outcome) => self.restored(id, outcome),
            (Purpose::Fetch(id), outcome) => self.fetched(id, outcome),
            (Purpose::Attach(ticket), outcome) => self.attached(ticket, outcome),
            (Purpose::Frame, Ok(frame)) => self.frame(Some(frame)),
            (Purpose::Frame, Err(problem)) => {
                self.trouble(problem);
                self.frame(None);
            }
            (Purpose::Ask(text), Ok(frame)) => {
                self.memory.attached.push(frame);
                self.send(text);
            }
            (Purpose::Ask(text), Err(problem)) => {
                self.trouble(problem);
                self.memory.preview = None;
                self.send(text);
            }
        }
    }

    /// Other settings hold from now on.
    pub(super) fn set(&mut self, settings: Settings) {
        let before = self.state.settings.clone();
        self.keep(settings);
        let after = self.state.settings.clone();
        if before.microphone != after.microphone {
            self.devices(LiveCommand::SetMicrophone(devices::choice(&after.microphone)));
        }
        if before.speaker != after.speaker {
            self.devices(LiveCommand::SetSpeaker(devices::choice(&after.speaker)));
        }
        if before.camera != after.camera {
            self.devices(LiveCommand::SetCamera(devices::choice(&after.camera)));
            self.memory.preview = None;
            self.state.given = None;
        }
        if before.speak != after.speak {
            self.devices(LiveCommand::Speak(after.speak));
        }
        if (&before.voice, before.voice_speed) != (&after.voice, after.voice_speed) {
            self.devices(LiveCommand::SetVoice(devices::voice(&after)));
        }
        self.devices(LiveCommand::SetTurn(devices::turn(&after)));
        if (&before.model, before.context, before.thinking) != (&after.model, after.context, after.thinking) {
            self.load();
        }
    }

    /// Takes settings into the state and to the disk.
    pub(super) fn keep(&mut self, settings: Settings) {
        self.state.live.camera = settings.camera != Device::Off;
        self.state.live.speak = settings.speak;
        self.state.live.push_to_talk = settings.talk == crate::store::settings::Talk::PushToTalk;
        self.effects.push(Effect::Store(StoreCommand::Keep(Box::new(settings.clone()))));
        self.state.settings = settings;
    }

    /// Loads the model that is set.
    pub(super) fn load(&mut self) {
        self.stop(None);
        let settings = &self.state.settings;
        let request = LoadRequest {
            model: settings.model.as_ref().map(Into::into),
            adapter: self.memory.adapter.clone(),
            context: settings.context,
            thinking: settings.thinking,
        };
        let name = settings.model.clone().unwrap_or_else(|| seedling::NAME.into());
        self.state.engine = Engine::Loading { model: name, what: "Waiting".into(), share: 0.0 };
        self.engine(Command::Load(request));
    }

    /// Of a download.
    pub(super) fn pulled(&mut self, name: String, done: u64, total: u64, ended: Option<super::Ended>) {
        let Some(pull) = self.state.models.pulls.iter_mut().find(|pull| pull.name == name) else { return };
        (pull.done, pull.total) = (done, total);
        match ended {
            None => {}
            Some(super::Ended::Whole) => {
                self.state.models.pulls.retain(|pull| pull.name != name);
                self.note(format!("{name} is here."));
                self.effects.push(Effect::FindModels);
            }
            Some(super::Ended::Stopped) => pull.stage = Fetching::Stopped,
            Some(super::Ended::Failed(problem)) => pull.stage = Fetching::Failed(problem),
        }
    }
}

fn found(hit: crate::store::search::Hit) -> Line {
    Line {
        id: hit.conversation.get(),
        title: if hit.title.is_empty() { "New conversation".into() } else { hit.title },
        changed: u64::try_from(hit.message.unwrap_or(hit.conversation).ms() / 1000).unwrap_or(0),
        snippet: Some(hit.snippet),
        message: hit.message.map(Id::get),
    }
}

/// A message as it is shown, and as the engine takes it.
fn parts_of(message: &history::Message, files: &HashMap<Id, Result<Encoded, String>>) -> (Message, Past) {
    let (mut shown, mut given) = (Vec::new(), Vec::new());
    for part in message.parts() {
        match part {
            history::Part::Text(text) => {
                shown.push(Part::Text(text.into()));
                given.push(Piece::Text(text.into()));
            }
            history::Part::Media(media) => match files.get(&media.id) {
                Some(Ok(file)) => {
                    shown.push(file.shown(media.id));
                    given.push(file.given());
                }
                Some(Err(problem)) => shown.push(Part::Text(format!("({problem})"))),
                None => {
                    // As the engine calls what a model has no sense for.
                    given.push(Piece::Text(format!("({})", media.kind.word())));
                    shown.push(away(media));
                }
            },
        }
    }
    let role = match message.role {
        history::Role::User => Role::User,
        history::Role::Assistant => Role::Model,
    };
    if role == Role::Model && shown.is_empty() {
        shown.push(Part::Text(String::new()));
        given.push(Piece::Text(String::new()));
    }
    let progress = match message.state {
        Ended::Whole => Progress::Whole,
        // A program that was killed ended it.
        Ended::Open | Ended::Interrupted => Progress::Interrupted,
        Ended::Failed => Progress::Failed(message.why.clone().unwrap_or_default()),
    };
    let id = message.id.get();
    let speed = message.tokens.zip(message.seconds).map(|(tokens, seconds)| {
        // The first token costs what was read before it.
        let after = message.first_seconds.map_or(tokens, |_| tokens.saturating_sub(1));
        let per_s = f64::from(after) / (seconds - message.first_seconds.unwrap_or(0.0)).max(1e-6);
        (tokens as usize, message.first_seconds.and_then(|first| Duration::try_from_secs_f64(first).ok()), per_s)
    });
    let versions = message.versions.iter().map(|version| version.get()).collect();
    (Message { speed, versions, ..Message::new(id, role, shown, progress) }, Past { id, role, parts: given })
}
