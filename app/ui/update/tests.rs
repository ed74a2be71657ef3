//! Versions of messages and downloads, without window, disk and engine.

use super::*;
use crate::store::history::{Message as Kept, Role as Who, State as Ending, Summary};
use crate::store::search::Hit;
use crate::store::settings::Settings;
use crate::ui::state::{Kernels, Message, Page, Phase, Progress, Role};
use crate::worker::{Event, Piece};
use percept::session::{StopReason, Timings};

struct Desk {
    state: State,
    memory: Memory,
}

impl Desk {
    fn new() -> Desk {
        let settings = Settings { speak: false, ..Settings::default() };
        Desk { state: State::new(settings), memory: Memory::default() }
    }

    fn happen(&mut self, msg: Msg) -> Vec<Effect> {
        update(&mut self.state, &mut self.memory, msg, Duration::ZERO)
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        self.happen(Msg::Action(action))
    }

    fn ask(&mut self, text: &str) {
        self.act(Action::Send(text.into()));
    }

    /// The engine ends the answer that is open.
    fn answered(&mut self, text: &str) {
        let answer = self.last().id;
        self.happen(Msg::Worker(Event::Text { answer, delta: text.into(), thinking: false }));
        let timings = Timings::default();
        self.happen(Msg::Worker(Event::Done { answer, reason: StopReason::End, timings }));
    }

    fn messages(&self) -> &[Message] {
        &self.state.conversation.messages
    }

    fn last(&self) -> &Message {
        self.messages().last().unwrap()
    }
}

/// What is written and asked of the disk.
fn of_disk(effects: &[Effect]) -> Vec<&StoreCommand> {
    effects.iter().filter_map(|effect| if let Effect::Store(command) = effect { Some(command) } else { None }).collect()
}

/// What the engine is told was said.
fn begun(effects: &[Effect]) -> Option<Vec<(i64, String)>> {
    let past = effects.iter().rev().find_map(|effect| match effect {
        Effect::Worker(worker::Command::Begin(past)) => Some(past),
        _ => None,
    })?;
    let text = |past: &Past| match &past.parts[..] {
        [Piece::Text(text)] => text.clone(),
        other => panic!("{other:?}"),
    };
    Some(past.iter().map(|past| (past.id, text(past))).collect())
}

/// How often the engine is asked where the time of a token goes.
fn profiled(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Worker(worker::Command::Profile(_)))).count()
}

fn kept(id: i64, role: Who, text: &str, versions: &[i64]) -> Kept {
    Kept {
        id: Id::from(id),
        role,
        text: text.into(),
        thinking: String::new(),
        state: Ending::Whole,
        why: None,
        tokens: None,
        seconds: None,
        first_seconds: None,
        media: Vec::new(),
        versions: versions.iter().map(|version| Id::from(*version)).collect(),
    }
}

fn loaded(id: i64, messages: Vec<Kept>) -> Msg {
    let summary = Summary { id: Id::from(id), title: "Talk".into(), model: None, created: 0, changed: 0 };
    Msg::Store(StoreEvent::Loaded(history::Conversation { summary, messages }))
}

#[test]
fn answers_and_questions_know_what_stood_at_their_place() {
    let mut desk = Desk::new();
    desk.ask("One?");
    desk.answered("One.");
    let (asked, first) = (desk.messages()[0].id, desk.last().id);
    assert_eq!((desk.messages()[0].versions.clone(), desk.last().versions.clone()), (vec![asked], vec![first]));
    desk.act(Action::Retry);
    let second = desk.last().id;
    assert_eq!(desk.last().versions, [first, second]);
    desk.answered("Two.");
    desk.act(Action::Retry);
    let third = desk.last().id;
    assert_eq!(desk.last().versions, [first, second, third]);
    desk.answered("Three.");
    // An edited question has versions, and its answer is the first one to it.
    desk.act(Action::Edit(asked));
    desk.ask("Another?");
    let (edited, answer) = (desk.messages()[0].id, desk.last().id);
    assert_eq!(
        (desk.messages()[0].versions.clone(), desk.last().versions.clone()),
        (vec![asked, edited], vec![answer])
    );
}

#[test]
fn another_version_is_chosen_on_disk_shown_and_told_to_the_engine() {
    let mut desk = Desk::new();
    desk.ask("One?");
    desk.answered("One.");
    desk.act(Action::Retry);
    desk.answered("Two.");
    let (talk, asked) = (desk.state.conversation.id.unwrap(), desk.messages()[0].id);
    let [first, second] = desk.last().versions[..] else { panic!() };
    let effects = desk.act(Action::Choose(first));
    let expected = [
        StoreCommand::Write(Change::Choose { message: Id::from(first) }),
        StoreCommand::Ask(Question::Load(Id::from(talk))),
    ];
    assert_eq!(of_disk(&effects), expected.iter().collect::<Vec<_>>());
    // Until it is here what was shown stays, and nothing is said into it.
    assert_eq!((desk.last().id, desk.state.conversation.loading), (second, true));
    for action in [Action::Choose(second), Action::Send("Now?".into()), Action::Retry, Action::Edit(asked)] {
        assert!(desk.act(action.clone()).is_empty(), "{action:?}");
    }
    assert_eq!(desk.state.editing, None);
    let effects = desk.happen(loaded(
        talk,
        vec![
            kept(asked, Who::User, "One?", &[asked]),
            kept(first, Who::Assistant, "One.", &[first, second]),
            kept(30, Who::User, "And?", &[30]),
        ],
    ));
    let shown: Vec<_> = desk.messages().iter().map(|message| (message.id, message.text())).collect();
    assert_eq!(shown, [(asked, "One?"), (first, "One."), (30, "And?")]);
    assert_eq!(desk.messages()[1].versions, [first, second]);
    let past = begun(&effects).unwrap();
    assert_eq!(past, [(asked, "One?".into()), (first, "One.".into()), (30, "And?".into())]);
    assert!(!desk.state.conversation.loading);
}

#[test]
fn no_version_is_chosen_while_an_answer_comes() {
    let mut desk = Desk::new();
    desk.ask("One?");
    desk.answered("One.");
    desk.act(Action::Retry);
    let first = desk.last().versions[0];
    assert!(desk.act(Action::Choose(first)).is_empty());
    assert_eq!((desk.last().progress.clone(), desk.last().role), (Progress::Open, Role::Model));
}

#[test]
fn what_a_search_finds_is_shown_although_another_version_was_chosen() {
    let mut desk = Desk::new();
    desk.act(Action::Search("purple".into()));
    let hit = |message: Option<i64>| Hit {
        conversation: Id::from(7),
        title: "Talk".into(),
        message: message.map(Id::from),
        snippet: "purple".into(),
        marked: Vec::new(),
    };
    desk.happen(Msg::Store(StoreEvent::Found("purple".into(), vec![hit(None), hit(Some(9)), hit(Some(12))])));
    let opens: Vec<_> = desk.state.lines.iter().map(crate::ui::state::Line::open).collect();
    let at = |message| Action::OpenAt { conversation: 7, message };
    assert_eq!(opens, [Action::Open(7), at(9), at(12)]);
    let effects = desk.act(at(9));
    let choose = StoreCommand::Write(Change::Choose { message: Id::from(9) });
    let load = StoreCommand::Ask(Question::Load(Id::from(7)));
    assert_eq!(of_disk(&effects), [&choose, &load]);
    assert!(desk.messages().is_empty() && desk.state.conversation.loading);
    desk.happen(loaded(7, vec![kept(9, Who::User, "The purple one?", &[9, 10])]));
    // It is there already.
    assert!(desk.act(at(9)).is_empty());
    // In another version of the conversation that is open.
    assert_eq!(of_disk(&desk.act(at(12)))[1], &load);
}

#[test]
fn a_download_that_is_stopped_says_so_and_can_be_gone_on_with() {
    let mut desk = Desk::new();
    let name = || "acme/tiny".to_string();
    let stage = |desk: &Desk| desk.state.models.pulls.first().map(|pull| pull.stage.clone());
    assert!(matches!(&desk.act(Action::Pull(name()))[..], [Effect::Pull(_)]));
    assert!(matches!(&desk.act(Action::CancelPull(name()))[..], [Effect::StopPull(_)]));
    assert_eq!(stage(&desk), Some(Fetching::Stopping));
    // It has not ended: neither can it be stopped twice nor begun a second time.
    assert!(desk.act(Action::CancelPull(name())).is_empty());
    assert!(desk.act(Action::Pull(name())).is_empty());
    desk.happen(Msg::Pulled(name(), 5, 9, None));
    assert_eq!(stage(&desk), Some(Fetching::Stopping));
    desk.happen(Msg::Pulled(name(), 6, 9, Some(Ended::Stopped)));
    assert_eq!((stage(&desk), desk.state.models.pulls[0].done), (Some(Fetching::Stopped), 6));
    assert!(matches!(&desk.act(Action::Pull(name()))[..], [Effect::Pull(_)]));
    assert_eq!(stage(&desk), Some(Fetching::Going));
    // The last bytes came before the stop.
    desk.act(Action::CancelPull(name()));
    assert!(matches!(&desk.happen(Msg::Pulled(name(), 9, 9, Some(Ended::Whole)))[..], [Effect::FindModels]));
    assert_eq!(stage(&desk), None);
    // One that failed is shown, whatever is found, until it is forgotten.
    desk.act(Action::Pull(name()));
    desk.happen(Msg::Pulled(name(), 1, 9, Some(Ended::Failed("No network.".into()))));
    desk.happen(Msg::Found(Box::default()));
    assert_eq!(stage(&desk), Some(Fetching::Failed("No network.".into())));
    assert!(desk.act(Action::CancelPull(name())).is_empty());
    assert_eq!(stage(&desk), None);
}

#[test]
fn files_are_chosen_in_one_dialog_or_by_their_path() {
    let mut desk = Desk::new();
    assert!(matches!(&desk.act(Action::PickFiles)[..], [Effect::PickFiles]));
    assert!(desk.act(Action::PickFiles).is_empty(), "it is open already");
    assert!(desk.happen(Msg::Picked(Some(Vec::new()))).is_empty());
    assert!(desk.state.notices.is_empty(), "it was closed");
    desk.act(Action::PickFiles);
    let effects = desk.happen(Msg::Picked(Some(vec!["/a.png".into()])));
    assert!(matches!(&effects[..], [Effect::Encode(Purpose::Attach(_), Media::File(path))] if path.ends_with("a.png")));
    desk.act(Action::PickFiles);
    assert!(desk.state.file_dialog);
    assert!(desk.happen(Msg::Picked(None)).is_empty());
    let [notice] = &desk.state.notices[..] else { panic!("{:?}", desk.state.notices) };
    assert!(notice.tone == Tone::Error && notice.text.contains("Drop the file on the window"), "{}", notice.text);
    assert!(!desk.state.file_dialog);
}

#[test]
fn files_are_attached_in_the_order_in_which_they_were_chosen() {
    let mut desk = Desk::new();
    let picture = |side: u8| Arc::new(percept::Image { width: 1, height: 1, rgb: vec![side; 3] });
    let mut effects: Vec<Effect> =
        (1..=3).flat_map(|i| desk.act(Action::AttachPicture { image: picture(i), name: i.to_string() })).collect();
    effects.extend(desk.act(Action::Attach(vec!["/no/such.png".into()])));
    assert_eq!(desk.state.reading, 4);
    // The last one is read first.
    effects.reverse();
    let first = effects.split_off(3);
    encoded(&mut desk, effects);
    assert_eq!((desk.state.reading, desk.state.attached.len(), desk.state.notices.len()), (4, 0, 0));
    encoded(&mut desk, first);
    let names = desk.state.attached.iter().map(|part| match part {
        crate::ui::state::Part::Picture { name, .. } => name.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(names.collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!((desk.state.reading, desk.state.notices.len()), (0, 1));
}

#[test]
fn speeds_are_the_same_when_a_conversation_is_opened_again() {
    let mut desk = Desk::new();
    let mut answer = kept(2, Who::Assistant, "Yes.", &[2]);
    (answer.tokens, answer.seconds, answer.first_seconds) = (Some(21), Some(1.25), Some(0.25));
    // As it was written before the time to the first token was kept.
    let mut old = kept(3, Who::Assistant, "No.", &[3]);
    (old.tokens, old.seconds) = (Some(10), Some(2.0));
    desk.act(Action::Open(7));
    desk.happen(loaded(7, vec![kept(1, Who::User, "So?", &[1]), answer, old]));
    let speeds: Vec<_> = desk.messages().iter().map(|message| message.speed).collect();
    assert_eq!(speeds, [None, Some((21, Some(Duration::from_millis(250)), 20.0)), Some((10, None, 5.0))]);
}

/// 3 MB of picture in each of so many turns.
fn shown(desk: &mut Desk, turns: usize) {
    for turn in 0..turns {
        let image = Arc::new(percept::Image { width: 1000, height: 1000, rgb: vec![turn as u8; 3_000_000] });
        let effects = desk.act(Action::AttachPicture { image, name: format!("{turn}.png") });
        encoded(desk, effects);
        desk.ask("What is it?");
        desk.answered("It is grey.");
    }
}

/// Does what is asked for.
fn encoded(desk: &mut Desk, effects: Vec<Effect>) {
    for effect in effects {
        if let Effect::Encode(purpose, media) = effect {
            desk.happen(Msg::Encoded(purpose, crate::ui::media::encode(media)));
        }
    }
}

fn is_away(message: &Message) -> bool {
    message.away().next().is_some()
}

#[test]
fn pictures_far_above_lie_on_the_disk_until_they_are_seen() {
    let mut desk = Desk::new();
    shown(&mut desk, 8);
    let away: Vec<bool> = desk.messages().iter().filter(|m| m.role == Role::User).map(is_away).collect();
    assert_eq!(away, [true, true, true, false, false, false, false, false]);
    // One that comes onto the screen is asked for once.
    let (id, media) = (desk.messages()[0].id, desk.messages()[0].away().next().unwrap());
    let effects = desk.act(Action::Fetch(id));
    assert_eq!(of_disk(&effects), [&StoreCommand::Ask(Question::Media(Id::from(media)))]);
    assert!(desk.act(Action::Fetch(id)).is_empty());
    let image = Arc::new(percept::Image { width: 1000, height: 1000, rgb: vec![0; 3_000_000] });
    let bytes = match crate::ui::media::encode(Media::Picture { image, name: "0.png".into() }).unwrap().file {
        Some(file) => file.bytes.to_vec(),
        None => panic!("no file"),
    };
    let effects = desk.happen(Msg::Store(StoreEvent::Media(Id::from(media), bytes)));
    encoded(&mut desk, effects);
    assert!(!is_away(&desk.messages()[0]));
    // It stays while more is said.
    shown(&mut desk, 1);
    assert!(!is_away(&desk.messages()[0]) && is_away(&desk.messages()[2]) && is_away(&desk.messages()[6]));
}

#[test]
fn what_is_not_on_the_disk_yet_stays_in_memory() {
    let mut desk = Desk::new();
    desk.happen(Msg::Store(StoreEvent::Unsaved("The disk is full.".into())));
    shown(&mut desk, 7);
    assert!(!desk.messages().iter().any(is_away));
    desk.happen(Msg::Store(StoreEvent::Saved));
    shown(&mut desk, 1);
    assert!(is_away(&desk.messages()[0]));
}

#[test]
fn what_the_model_forgot_is_not_told_again() {
    let mut desk = Desk::new();
    for text in ["One?", "Two?", "Three?"] {
        desk.ask(text);
        desk.answered("Yes.");
    }
    let ids: Vec<i64> = desk.messages().iter().map(|message| message.id).collect();
    desk.happen(Msg::Worker(Event::Forgot { messages: 2 }));
    assert_eq!(desk.state.conversation.known_from, ids[2]);
    let effects = desk.act(Action::Retry);
    assert_eq!(begun(&effects).unwrap().first().unwrap().0, ids[2]);
    // Editing something older than all that it knows leaves it nothing.
    desk.answered("No.");
    desk.act(Action::Edit(ids[0]));
    let effects = desk.act(Action::Send("Once more?".into()));
    assert_eq!(begun(&effects), Some(Vec::new()));
    assert_eq!(desk.messages().len(), 2);
}

#[test]
fn kernels_are_measured_once_an_answer_and_never_beside_one() {
    let mut desk = Desk::new();
    let asks = |desk: &mut Desk, msg| profiled(&desk.happen(msg));
    let ready = || {
        Msg::Worker(Event::Ready(Box::new(worker::Loaded {
            model: "m".into(),
            adapter: "a".into(),
            precision: "bf16".into(),
            weight_bytes: 1,
            context: 512,
            image_tokens: None,
            hears: true,
        })))
    };
    let done = |desk: &Desk| {
        let timings = Timings::default();
        Msg::Worker(Event::Done { answer: desk.last().id, reason: StopReason::End, timings })
    };
    let phase = |phase| Msg::Live(LiveEvent::Phase(phase));
    let show = |page| Msg::Action(Action::Show(page));
    let send = || Msg::Action(Action::Send("Hello".into()));
    assert_eq!([asks(&mut desk, ready()), asks(&mut desk, show(Page::Engine))], [0, 0], "nothing was answered yet");
    assert_eq!(asks(&mut desk, send()), 0);
    assert_eq!(asks(&mut desk, Msg::Tick), 0, "an answer comes");
    let whole = done(&desk);
    assert_eq!([asks(&mut desk, whole), asks(&mut desk, Msg::Tick)], [1, 0]);

    // Another page is in front, then somebody speaks.
    asks(&mut desk, show(Page::Conversation));
    asks(&mut desk, send());
    let whole = done(&desk);
    assert_eq!([asks(&mut desk, whole), asks(&mut desk, Msg::Live(LiveEvent::TurnOpened))], [0, 0]);
    assert_eq!([asks(&mut desk, phase(Phase::Listening)), asks(&mut desk, show(Page::Engine))], [0, 0]);
    assert_eq!([asks(&mut desk, Msg::Live(LiveEvent::TurnForgotten)), asks(&mut desk, phase(Phase::Idle))], [0, 1]);

    // Those of another model are not those of this one.
    asks(&mut desk, Msg::Worker(Event::Kernels(Some(Vec::new()))));
    assert_eq!(desk.state.figures.kernels, Kernels::Told(Vec::new()));
    asks(&mut desk, Msg::Worker(Event::Kernels(None)));
    assert_eq!(desk.state.figures.kernels, Kernels::Untold);
    asks(&mut desk, ready());
    assert_eq!(desk.state.figures.kernels, Kernels::Unknown);
}
