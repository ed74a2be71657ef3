//! What the devices tell: messages as they are spoken, with what the camera shows; answers as they are heard; devices that come
//! and go.

use super::{Effect, Purpose, Turn, Update};
use crate::live::{LiveCommand, LiveEvent};
use crate::ui::media::{Encoded, Media};
use crate::ui::state::{Part, Tone};
use crate::worker::Command;

/// Sound that waits for a picture of the camera, in samples: a third of a second.
const WAITING: usize = 5_333;

impl Update<'_> {
    /// What the devices tell.
    pub(super) fn live(&mut self, event: LiveEvent) {
        match event {
            LiveEvent::TurnOpened => self.turn_opened(),
            LiveEvent::Heard(samples) => self.heard(samples),
            LiveEvent::TurnForgotten => self.turn_forgotten(),
            LiveEvent::TurnEnded => self.turn_ended(),
            // Whoever asked for it has done what follows, and may have gone on since.
            LiveEvent::Interrupted { asked: true, .. } => {}
            LiveEvent::Interrupted { spoken_bytes, asked: false } => {
                let spoken = self.state.settings.speak.then_some(spoken_bytes);
                // Without speech nothing tells how far it was read; all that is there was seen.
                let seen = self.memory.answering.as_ref().and_then(|answering| {
                    let id = answering.id.get();
                    let message = self.state.conversation.messages.iter().find(|message| message.id == id)?;
                    Some(message.text().len())
                });
                self.stop(spoken.or(seen));
            }
            LiveEvent::SpokenTo { bytes } => {
                if let Some(answering) = &self.memory.answering {
                    let id = answering.id.get();
                    let messages = self.state.conversation.messages.iter_mut();
                    messages.rev().filter(|message| message.id == id).for_each(|message| message.spoken_bytes = bytes);
                }
            }
            LiveEvent::DoneSpeaking => {
                if self.memory.answering.as_ref().is_some_and(|answering| !answering.generating) {
                    self.memory.answering = None;
                }
            }
            LiveEvent::Frame(frame) => {
                if let Some(turn) = &mut self.memory.turn {
                    turn.coming = true;
                }
                let name = "camera".to_string();
                self.effects.push(Effect::Encode(Purpose::Frame, Media::Picture { image: frame, name }));
            }
            other => self.device(other),
        }
    }

    fn turn_opened(&mut self) {
        // What is said one after the other while a conversation is opened or a file is read is one message.
        let waits = self.waits();
        if let Some(turn) = &mut self.memory.turn
            && turn.ended
            && waits
        {
            (turn.ended, turn.earlier) = (false, turn.samples.len());
            return;
        }
        if self.memory.turn.as_ref().is_some_and(|turn| turn.ended) {
            self.frame(None);
        }
        let mut turn = Turn { parts: self.take_attached(), ..Turn::default() };
        for part in &turn.parts {
            self.effects.push(Effect::Worker(Command::Push(part.given())));
        }
        if turn.parts.is_empty() && self.state.live.camera && self.sees() {
            turn.held = true;
        }
        self.memory.turn = Some(turn);
    }

    fn heard(&mut self, samples: Vec<f32>) {
        let Some(turn) = &mut self.memory.turn else { return };
        turn.samples.extend_from_slice(&samples);
        if !turn.held {
            self.engine(Command::Hear(samples));
        } else if turn.samples.len() > WAITING && !turn.coming {
            // However late a busy machine is: a picture that is on its way belongs to what is said.
            self.release();
        }
    }

    /// What waited for a picture waits no longer.
    fn release(&mut self) {
        if let Some(turn) = &mut self.memory.turn
            && std::mem::take(&mut turn.held)
            && !turn.samples.is_empty()
        {
            self.effects.push(Effect::Worker(Command::Hear(turn.samples.clone())));
        }
    }

    /// What the camera shows, encoded, if that could be done: it belongs to the message that is spoken, if that has no picture yet.
    pub(super) fn frame(&mut self, frame: Option<Encoded>) {
        if let Some(Encoded { part: Part::Picture { image, .. }, .. }) = &frame {
            self.state.given = Some((image.clone(), self.now));
        }
        let Some(turn) = &mut self.memory.turn else { return };
        turn.coming = false;
        if turn.held
            && let Some(frame) = frame
        {
            self.effects.push(Effect::Worker(Command::Push(frame.given())));
            turn.parts.push(frame);
            self.release();
        }
        self.go_on_with_turn();
    }

    /// What was spoken cannot be said yet.
    fn waits(&self) -> bool {
        self.state.conversation.loading || !self.memory.coming.is_empty()
    }

    fn turn_ended(&mut self) {
        let waits = self.waits();
        if let Some(turn) = &mut self.memory.turn
            && (turn.coming && turn.held || waits)
        {
            turn.ended = true;
            return;
        }
        self.take_late_files();
        self.release();
        let Some(turn) = self.memory.turn.take() else { return };
        let Turn { samples, mut parts, .. } = turn;
        parts.push(Encoded::spoken(samples));
        let user = self.add_message(parts, String::new(), Vec::new());
        self.answer(user, Vec::new());
    }

    /// What was attached while somebody spoke belongs to what was said, in front of it.
    fn take_late_files(&mut self) {
        if self.memory.turn.is_none() || self.memory.attached.is_empty() {
            return;
        }
        let files = self.take_attached();
        self.engine(Command::Forget);
        if let Some(turn) = &mut self.memory.turn {
            turn.parts.extend(files);
            turn.held = false;
        }
        self.push_turn();
    }

    /// Something is here that what was spoken may have waited for.
    pub(super) fn go_on_with_turn(&mut self) {
        if self.memory.turn.as_ref().is_some_and(|turn| turn.ended) {
            self.turn_ended();
        }
    }

    /// What was spoken is not said, if it is such a turn.
    pub(super) fn forget_turn(&mut self, is_such: impl FnOnce(&mut Turn) -> bool) {
        if self.memory.turn.take_if(is_such).is_some() {
            self.engine(Command::Forget);
            // The devices would wait for the answer to it.
            self.devices(LiveCommand::Stop);
        }
    }

    /// It was a noise.
    fn turn_forgotten(&mut self) {
        let Some(turn) = &mut self.memory.turn else { return };
        self.effects.push(Effect::Worker(Command::Forget));
        if turn.earlier == 0 {
            self.memory.turn = None;
            return;
        }
        // What was said before it counts.
        turn.samples.truncate(turn.earlier);
        turn.ended = true;
        self.push_turn();
        self.turn_ended();
    }

    /// The conversation is open; somebody spoke since that was asked for: what was spoken comes behind it.
    pub(super) fn begin_with_turn(&mut self) {
        self.begin();
        self.push_turn();
        self.go_on_with_turn();
    }

    /// Tells the engine once more what was spoken so far.
    fn push_turn(&mut self) {
        let Some(turn) = &self.memory.turn else { return };
        let parts = turn.parts.iter().map(|part| Command::Push(part.given()));
        let heard = (!turn.held).then(|| Command::Hear(turn.samples.clone()));
        self.effects.extend(parts.chain(heard).map(Effect::Worker));
    }

    fn device(&mut self, event: LiveEvent) {
        match event {
            LiveEvent::Phase(phase) => self.state.live.phase = phase,
            LiveEvent::DeviceLost { which, name, why } => {
                let what = which.name();
                if !self.state.live.lost.iter().any(|lost| lost == what) {
                    self.state.live.lost.push(what.into());
                }
                let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
                let told = format!(
                    "No {what}{name}: {why}. The conversation goes on without it; it is taken as soon as it is there."
                );
                self.notice(told, Tone::Warning, None);
                self.effects.push(Effect::ListDevices);
            }
            LiveEvent::DeviceFound { which, name } => {
                let what = which.name();
                let was_lost = self.state.live.lost.iter().any(|lost| lost == what);
                self.state.live.lost.retain(|lost| lost != what);
                self.state.notices.retain(|notice| !notice.text.starts_with(&format!("No {what}")));
                self.effects.push(Effect::ListDevices);
                if was_lost {
                    self.note(format!("The {what} is back: {name}."));
                }
            }
            LiveEvent::Note(text) => self.notice(text, Tone::Warning, None),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::history::{self, Summary};
    use crate::store::id::Id;
    use crate::store::settings::Settings;
    use crate::store::thread::{Question, StoreEvent};
    use crate::ui::state::{Action, Progress, State};
    use crate::ui::update::{Memory, Msg, update};
    use percept::Image;
    use std::sync::Arc;
    use std::time::Duration;

    /// What the engine is told, in a word each, of what happens one after the other.
    fn told(all: Vec<Msg>) -> Vec<&'static str> {
        let (mut state, mut memory) = (State::new(Settings::default()), Memory::default());
        state.live.camera = true;
        let effects = all.into_iter().flat_map(|msg| update(&mut state, &mut memory, msg, Duration::ZERO));
        let word = |effect| match effect {
            Effect::Worker(Command::Begin(_)) => Some("past"),
            Effect::Worker(Command::Push(_)) => Some("picture"),
            Effect::Worker(Command::Hear(_)) => Some("sound"),
            Effect::Worker(Command::Answer { .. }) => Some("answer"),
            _ => None,
        };
        effects.filter_map(word).collect()
    }

    fn image() -> Arc<Image> {
        Arc::new(Image { width: 1, height: 1, rgb: vec![0; 3] })
    }

    fn opened() -> Msg {
        Msg::Live(LiveEvent::TurnOpened)
    }

    fn ended() -> Msg {
        Msg::Live(LiveEvent::TurnEnded)
    }

    #[test]
    fn what_is_spoken_while_a_conversation_is_opened_waits_for_it() {
        let id = Id::fresh();
        let summary = Summary { id, title: "Cats".into(), model: None, created: 0, changed: 0 };
        let loaded = StoreEvent::Loaded(history::Conversation { summary, messages: Vec::new() });
        // Where it cannot be opened, what was spoken begins a new one.
        let failed = StoreEvent::Failed(Question::Load(id), "a broken disk".into());
        for outcome in [loaded, failed] {
            let heard = LiveEvent::Heard(vec![0.0; WAITING + 1]);
            let spoken = [LiveEvent::TurnOpened, heard, LiveEvent::TurnEnded].map(Msg::Live);
            let open = Msg::Action(Action::Open(id.get()));
            let all = [open].into_iter().chain(spoken).chain([Msg::Store(outcome)]);
            assert_eq!(told(all.collect()), ["sound", "past", "sound", "answer"]);
        }
    }

    #[test]
    fn turns_spoken_while_a_conversation_is_opened_are_one_message() {
        let id = Id::fresh();
        let summary = Summary { id, title: "Cats".into(), model: None, created: 0, changed: 0 };
        for (last, samples) in [(LiveEvent::TurnEnded, 2), (LiveEvent::TurnForgotten, 1)] {
            let (mut state, mut memory) = (State::new(Settings::default()), Memory::default());
            let mut happen = |msg| update(&mut state, &mut memory, msg, Duration::ZERO);
            happen(Msg::Action(Action::Open(id.get())));
            let heard = || LiveEvent::Heard(vec![0.0; WAITING + 1]);
            let turns = [LiveEvent::TurnOpened, heard(), LiveEvent::TurnEnded, LiveEvent::TurnOpened, heard(), last];
            turns.into_iter().for_each(|event| drop(happen(Msg::Live(event))));
            let loaded = history::Conversation { summary: summary.clone(), messages: Vec::new() };
            let effects = happen(Msg::Store(StoreEvent::Loaded(loaded)));
            let heard = effects.iter().find_map(|effect| match effect {
                Effect::Worker(Command::Hear(samples)) => Some(samples.len()),
                _ => None,
            });
            assert_eq!(heard, Some(samples * (WAITING + 1)));
            let [asked, answer] = &state.conversation.messages[..] else { panic!("{:?}", state.conversation) };
            let is_whole =
                |part: &Part| matches!(part, Part::Sound { samples: all, .. } if all.len() == samples * (WAITING + 1));
            assert!(asked.parts.iter().any(is_whole) && answer.progress == Progress::Open);
        }
    }

    #[test]
    fn a_picture_that_is_on_its_way_is_waited_for() {
        let encoded = || crate::ui::media::encode(Media::Picture { image: image(), name: "camera".into() });
        let seen = || Msg::Live(LiveEvent::Frame(image()));
        let heard = || Msg::Live(LiveEvent::Heard(vec![0.0; WAITING]));
        let came = |outcome| Msg::Encoded(Purpose::Frame, outcome);
        assert_eq!(
            told(vec![opened(), seen(), heard(), came(encoded()), heard(), ended()]),
            ["picture", "sound", "sound", "answer"]
        );
        // A window that is slow takes all of it in at once.
        assert_eq!(
            told(vec![opened(), seen(), heard(), heard(), ended(), came(encoded())]),
            ["picture", "sound", "answer"]
        );
        // No picture, or a camera that does not start.
        let problem = || came(Err("a full disk".into()));
        assert_eq!(told(vec![opened(), seen(), heard(), heard(), ended(), problem()]), ["sound", "answer"]);
        assert_eq!(told(vec![opened(), heard(), heard(), seen(), came(encoded()), ended()]), ["sound", "answer"]);
        // Somebody speaks again before it is there.
        assert_eq!(
            told(vec![opened(), seen(), heard(), ended(), opened(), heard(), heard(), ended()]),
            ["sound", "answer", "sound", "answer"]
        );
    }

    #[test]
    fn what_is_dropped_while_somebody_speaks_belongs_to_what_is_said() {
        let drop = || Msg::Action(Action::AttachPicture { image: image(), name: "cat.png".into() });
        let read = |ticket| {
            let file = crate::ui::media::encode(Media::Picture { image: image(), name: "cat.png".into() });
            Msg::Encoded(Purpose::Attach(ticket), file)
        };
        let heard = || Msg::Live(LiveEvent::Heard(vec![0.0; WAITING + 1]));
        let whole = ["sound", "picture", "sound", "answer"];
        assert_eq!(told(vec![opened(), heard(), drop(), read(1), ended()]), whole);
        // It is read after the last word, or somebody speaks on until it is.
        assert_eq!(told(vec![opened(), heard(), drop(), ended(), read(1)]), whole);
        let on = vec![drop(), opened(), heard(), ended(), opened(), heard(), ended(), read(1)];
        assert_eq!(told(on), ["sound", "sound", "picture", "sound", "answer"]);
        // It cannot be read, or nobody waits for it any more.
        let unread = || Msg::Encoded(Purpose::Attach(1), Err("a broken disk".into()));
        assert_eq!(told(vec![opened(), heard(), drop(), ended(), unread()]), ["sound", "answer"]);
        let forget = || Msg::Action(Action::ForgetFiles);
        assert_eq!(told(vec![opened(), heard(), drop(), ended(), forget(), read(1)]), ["sound", "answer"]);
        // Nothing is said any more.
        let stop = || Msg::Action(Action::Stop);
        assert_eq!(told(vec![opened(), heard(), drop(), ended(), stop(), read(1)]), ["sound"]);
    }

    #[test]
    fn devices_do_not_wait_for_the_answer_to_what_was_left() {
        let id = Id::fresh().get();
        let heard = LiveEvent::Heard(vec![0.0; WAITING + 1]);
        let (mut state, mut memory) = (State::new(Settings::default()), Memory::default());
        let mut happen = |msg| update(&mut state, &mut memory, msg, Duration::ZERO);
        happen(Msg::Live(LiveEvent::TurnOpened));
        happen(Msg::Live(heard));
        let effects = happen(Msg::Action(Action::Open(id)));
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Live(LiveCommand::Stop))), "{effects:?}");
    }
}
