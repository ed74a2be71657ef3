//! Conversations as they are held: the real engine with the built-in model, the real live loop with devices that are files, the
//! real disk, everything but the window.

use super::desk::{Desk, Options};
use super::state::{Action, Engine, Kernels, Message, Page, Part, Phase, Progress, Role};
use super::update::Msg;
use crate::live::{Choice, FedCamera, FedMicrophone, KeptSpeaker, Room, read_sound};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/samples").join(name)
}

pub struct Table {
    pub desk: Desk,
    pub microphone: FedMicrophone,
    pub speaker: KeptSpeaker,
}

impl Table {
    fn new(data: &TempDir, camera: Option<&str>) -> Table {
        let microphone = FedMicrophone::default();
        microphone.stand_in(Room::new(120, 0.3));
        let speaker = KeptSpeaker::default().heard_by(&microphone);
        Table::with(microphone, speaker, data.path(), |options| {
            options.camera = camera.map(|name| Choice::File(FedCamera::open(&asset(name)).unwrap()));
        })
    }

    pub fn with(
        microphone: FedMicrophone,
        speaker: KeptSpeaker,
        data: &Path,
        change: impl FnOnce(&mut Options),
    ) -> Table {
        let mut options = Options {
            microphone: Some(Choice::File(microphone.clone())),
            speaker: Some(Choice::File(speaker.clone())),
            data: Some(data.to_path_buf()),
            ..Options::default()
        };
        change(&mut options);
        let mut table = Table { desk: Desk::new(options, Arc::new(|| {})).unwrap(), microphone, speaker };
        table.wait("the model", |table| matches!(table.desk.state.engine, Engine::Ready(_)));
        table
    }

    pub fn wait(&mut self, what: &str, is_so: impl Fn(&Table) -> bool) {
        let started = Instant::now();
        while !is_so(self) {
            assert!(started.elapsed() < PATIENCE, "waited too long for {what}: {:#?}", self.desk.state);
            if !self.desk.drain() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, time: Duration) {
        let started = Instant::now();
        while started.elapsed() < time {
            if !self.desk.drain() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    pub fn act(&mut self, action: Action) {
        self.desk.happen(Msg::Action(action));
    }

    pub fn say(&self, name: &str) {
        self.microphone.say(&read_sound(&asset(name)).unwrap());
    }

    pub fn messages(&self) -> &[Message] {
        &self.desk.state.conversation.messages
    }

    /// Waits for the end of the answer that makes so many messages.
    fn answered(&mut self, messages: usize) -> String {
        self.wait("an answer", |table| {
            let all = table.messages();
            all.len() == messages && all.last().is_some_and(|last| last.progress != Progress::Open)
        });
        let last = self.messages().last().unwrap();
        assert_eq!((last.role, &last.progress), (Role::Model, &Progress::Whole), "{last:#?}");
        last.text().to_string()
    }

    fn silent(&mut self) {
        self.wait("silence", |table| table.desk.state.live.phase == Phase::Idle);
    }
}

fn kinds(message: &Message) -> Vec<&'static str> {
    let kind = |part: &Part| match part {
        Part::Text(_) => "text",
        Part::Picture { .. } => "picture",
        Part::Sound { .. } => "sound",
        Part::Video { .. } => "video",
        Part::Away { .. } => "away",
    };
    message.parts.iter().map(kind).collect()
}

/// What was said, by whom and with what.
pub fn said(messages: &[Message]) -> Vec<(Role, Vec<&'static str>, String)> {
    messages.iter().map(|message| (message.role, kinds(message), message.text().to_string())).collect()
}

#[test]
fn asks_by_voice_interrupts_shows_a_picture_and_finds_it_all_again() {
    let data = tempfile::tempdir().unwrap();
    let mut table = Table::new(&data, Some("asked.png"));
    // By voice, about what the camera shows.
    table.say("question.wav");
    let answer = table.answered(2);
    assert!(answer.contains("green"), "{answer}");
    assert_eq!(kinds(&table.messages()[0]), ["picture", "sound"]);
    table.silent();
    assert!(table.speaker.played().iter().any(|sample| sample.abs() > 0.01), "the answer is spoken");

    // A long answer is interrupted by voice: only what was heard stays, and the new question is answered.
    table.act(Action::Camera(false));
    table.act(Action::New);
    table.act(Action::Send("What can you do?".into()));
    table.wait("speech", |table| table.messages().last().is_some_and(|last| last.spoken_bytes > 0));
    let whole = table.messages().last().unwrap().text().len();
    table.say("question.wav");
    table.wait("the interruption", |table| table.messages().len() > 2);
    let cut = table.messages()[1].clone();
    assert_eq!(cut.progress, Progress::Interrupted, "{cut:#?}");
    assert!(cut.text().len() < whole, "of {whole} bytes {:?} is left", cut.text());
    table.answered(4);
    table.silent();

    // A picture is dropped.
    table.act(Action::Attach(vec![asset("asked.png")]));
    table.wait("the picture", |table| !table.desk.state.attached.is_empty());
    table.act(Action::Send("What colour is the star?".into()));
    let answer = table.answered(6);
    assert!(answer.contains("green"), "{answer}");
    assert_eq!(kinds(&table.messages()[4]), ["picture", "text"]);
    // Where it looked.
    let id = table.messages()[5].id;
    table.act(Action::Look(id));
    table.wait("the looks", |table| !table.messages()[5].looks.is_empty());

    // Another start finds all of it, and goes on with it.
    let before = said(table.messages());
    let id = table.desk.state.conversation.id.unwrap();
    drop(table);
    let mut table = Table::new(&data, None);
    table.wait("the list", |table| table.desk.state.lines.iter().any(|line| line.id == id));
    table.act(Action::Open(id));
    table.wait("the conversation", |table| !table.desk.state.conversation.loading);
    assert_eq!(before, said(table.messages()));
    table.act(Action::Send("What colour is the square?".into()));
    let answer = table.answered(8);
    assert!(answer.contains("yellow"), "it still knows the picture: {answer}");
}

#[test]
fn a_message_is_edited_and_an_answer_is_tried_again() {
    let data = tempfile::tempdir().unwrap();
    let mut table = Table::new(&data, None);
    table.act(Action::Send("What can you do?".into()));
    let first = table.answered(2);
    assert!(first.contains("pictures"), "{first}");
    // While it is still spoken.
    table.act(Action::Retry);
    assert_eq!(table.answered(2), first);
    let asked = table.messages()[0].id;
    table.act(Action::Edit(asked));
    table.act(Action::Send("Who are you?".into()));
    let second = table.answered(2);
    assert!(second.contains("Seedling"), "{second}");
    let id = table.desk.state.conversation.id.unwrap();
    drop(table);
    let mut table = Table::new(&data, None);
    table.act(Action::Open(id));
    table.wait("the conversation", |table| table.messages().len() == 2 && !table.desk.state.conversation.loading);
    assert_eq!(table.messages()[1].text(), second);
}

#[test]
fn an_earlier_answer_is_gone_back_to_gone_on_with_and_found_again() {
    let data = tempfile::tempdir().unwrap();
    let mut table = Table::new(&data, None);
    table.act(Action::Speak(false));
    table.act(Action::Send("What can you do?".into()));
    let first = table.answered(2);
    table.act(Action::Retry);
    table.answered(2);
    let versions = table.messages()[1].versions.clone();
    assert_eq!((versions.len(), versions[1]), (2, table.messages()[1].id));
    let shown = |table: &Table| table.messages().iter().map(|message| message.id).collect::<Vec<_>>();
    table.act(Action::Choose(versions[0]));
    table.wait("the earlier answer", |table| !table.desk.state.conversation.loading);
    assert_eq!((table.messages()[1].id, table.messages()[1].text()), (versions[0], first.as_str()));
    assert_eq!(table.messages()[1].versions, versions);
    table.act(Action::Send("Who are you?".into()));
    assert!(!table.answered(4).is_empty());
    let (id, line) = (table.desk.state.conversation.id.unwrap(), shown(&table));
    drop(table);
    let mut table = Table::new(&data, None);
    table.act(Action::Open(id));
    table.wait("the conversation", |table| !table.desk.state.conversation.loading && !table.messages().is_empty());
    assert_eq!((shown(&table), table.messages()[1].versions.clone()), (line.clone(), versions.clone()));
    // Behind the later answer nothing was said; a search still finds what was said behind the earlier one.
    table.act(Action::Choose(versions[1]));
    table.wait("the later answer", |table| !table.desk.state.conversation.loading);
    assert_eq!(shown(&table), [line[0], versions[1]]);
    table.act(Action::Search("who are you".into()));
    table.wait("what is found", |table| table.desk.state.lines.iter().any(|one| one.message == Some(line[2])));
    let found = table.desk.state.lines.iter().find(|one| one.message == Some(line[2])).unwrap().open();
    table.act(found);
    table.wait("the other line", |table| !table.desk.state.conversation.loading);
    assert_eq!(shown(&table), line);
}

#[test]
fn the_engine_page_tells_where_the_time_of_a_token_goes() {
    let data = tempfile::tempdir().unwrap();
    let mut table = Table::new(&data, None);
    table.act(Action::Speak(false));
    table.act(Action::Send("Who are you?".into()));
    let first = table.answered(2);
    assert_eq!(table.desk.state.figures.kernels, Kernels::Unknown, "nobody looks at it");
    table.act(Action::Show(Page::Engine));
    table.wait("the kernels", |table| table.desk.state.figures.kernels != Kernels::Unknown);
    match &table.desk.state.figures.kernels {
        Kernels::Told(kernels) => {
            assert!(kernels.iter().any(|kernel| kernel.shader == "sample" && kernel.dispatches == 1), "{kernels:?}");
            assert!(kernels.iter().any(|kernel| !kernel.time.is_zero()), "{kernels:?}");
        }
        other => {
            let used = &table.desk.state.loaded().unwrap().adapter;
            let adapters = percept::adapters();
            let adapter = adapters.iter().find(|adapter| adapter.title() == *used).unwrap();
            assert!(!adapter.capabilities.timestamps, "{other:?} of {used}");
        }
    }
    // Nothing of it is said, and the conversation goes on.
    assert_eq!(table.messages().len(), 2);
    table.act(Action::Retry);
    assert_eq!(table.answered(2), first);
}

#[test]
fn a_full_memory_forgets_the_oldest_and_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let mut table = Table::new(&data, None);
    let mut settings = table.desk.state.settings.clone();
    (settings.context, settings.speak) = (Some(160), false);
    table.act(Action::Set(Box::new(settings)));
    table.wait("the model", |table| matches!(&table.desk.state.engine, Engine::Ready(loaded) if loaded.context == 160));
    for turn in 1..=12 {
        table.act(Action::Send("Who are you?".into()));
        let answer = table.answered(2 * turn);
        assert!(!answer.is_empty(), "turn {turn}");
        assert!(table.desk.state.figures.cache_len <= 160);
    }
    assert!(table.desk.state.notices.iter().any(|notice| notice.text.contains("memory was full")));
}

#[test]
fn what_a_page_tells_of_this_machine_is_looked_up() {
    let data = tempfile::tempdir().unwrap();
    let mut table = Table::new(&data, None);
    table.act(Action::Show(Page::Models));
    table.wait("models", |table| !table.desk.state.models.lines.is_empty() && !table.desk.state.models.looking);
    let (models, loaded) = (&table.desk.state.models, table.desk.state.loaded().unwrap());
    assert!(models.lines.iter().any(|line| line.name == loaded.model && line.problem.is_none()), "{models:#?}");
    assert!(models.lines.iter().any(|line| line.offer.is_some() && line.pull.is_some()), "{models:#?}");
    assert!(models.machine_bytes.unwrap() > 100_000_000 && models.room_bytes.unwrap() > 100_000_000, "{models:#?}");
    assert!(loaded.held_bytes > loaded.weight_bytes && !loaded.precision.is_empty(), "{loaded:#?}");
    // What is not there does not take the place of what answers.
    let model = |table: &Table| table.desk.state.loaded().map(|loaded| loaded.model.clone());
    let name = loaded.model.clone();
    table.act(Action::Load("/no/such/model".into()));
    table
        .wait("a notice", |table| table.desk.state.notices.iter().any(|notice| notice.text.contains("/no/such/model")));
    assert_eq!((model(&table), &table.desk.state.settings.model), (Some(name.clone()), &None));
    // Another one, and back to the built-in one by its name.
    for (other, kept) in [("percept:seedling", Some("percept:seedling".to_string())), (&name, None)] {
        table.act(Action::Load(other.into()));
        table.wait("the model", |table| model(table).as_deref() == Some(other));
        assert_eq!(table.desk.state.settings.model, kept);
    }
    table.act(Action::Show(Page::Settings));
    table.wait("devices", |table| table.desk.state.live.known);
}
