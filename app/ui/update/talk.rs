//! What is said: messages that are typed or spoken, answers as they come, and what interrupts them.

use super::{Answering, Effect, Purpose, TITLE, Turn, Update, WAITING};
use crate::live::{LiveCommand, LiveEvent};
use crate::store::change::{Change, End};
use crate::store::history::{self, State as Ended};
use crate::store::id::Id;
use crate::store::thread::Question;
use crate::ui::media::{Encoded, Media};
use crate::ui::state::{Message, Part, Progress, Role};
use crate::worker::{Command, Past, Piece, Sampling};
use percept::session::{StopReason, Timings};

impl Update<'_> {
    /// The typed text and what is attached, or shown by the camera, as one message.
    pub(super) fn send(&mut self, text: String) {
        let text = text.trim().to_string();
        // What is not open yet would be written behind what is not shown.
        if (text.is_empty() && self.memory.attached.is_empty()) || self.state.conversation.loading {
            return;
        }
        if self.memory.attached.is_empty()
            && self.state.live.camera
            && self.sees()
            && let Some(image) = self.memory.preview.take()
        {
            // What is asked in writing is asked about what the camera shows, too.
            self.state.given = Some((image.clone(), self.now));
            let picture = Media::Picture { image, name: "camera".into() };
            self.effects.push(Effect::Encode(Purpose::Ask(text), picture));
            return;
        }
        self.stop(None);
        let earlier = self.state.editing.take().map_or(Vec::new(), |id| self.replace_from(id));
        let parts = self.take_attached();
        for part in &parts {
            self.engine(Command::Push(part.given()));
        }
        if !text.is_empty() {
            self.engine(Command::Push(Piece::Text(text.clone())));
        }
        let user = self.add_message(parts, text, earlier);
        self.answer(user, Vec::new());
    }

    fn take_attached(&mut self) -> Vec<Encoded> {
        self.state.attached.clear();
        std::mem::take(&mut self.memory.attached)
    }

    /// A model that is still on its way may see.
    fn sees(&self) -> bool {
        self.state.loaded().is_none_or(|loaded| loaded.sees)
    }

    /// A whole message of the person, at the end of the conversation, on its way to the disk; `earlier` are the versions whose
    /// place it takes.
    fn add_message(&mut self, parts: Vec<Encoded>, text: String, earlier: Vec<i64>) -> Id {
        let conversation = self.conversation(&text);
        let message = Id::fresh();
        self.write(Change::Add { message, conversation, role: history::Role::User, text: String::new() });
        let mut shown = Vec::with_capacity(parts.len() + 1);
        for part in &parts {
            let media = Id::fresh();
            match (&part.file, &part.part) {
                (Some(file), _) => self.write(Change::Attach { media, message, file: file.clone() }),
                (None, Part::Text(text)) => self.write(Change::Append { message, text: format!("{text}\n") }),
                (None, _) => {}
            }
            shown.push(part.shown(media));
        }
        if !text.is_empty() {
            self.write(Change::Append { message, text: text.clone() });
        }
        let mut given: Vec<Piece> = parts.iter().map(Encoded::given).collect();
        if !text.is_empty() {
            given.push(Piece::Text(text.clone()));
            shown.push(Part::Text(text));
        }
        self.memory.past.push(Past { id: message.get(), role: Role::User, parts: given });
        self.say(Message::new(message.get(), Role::User, shown, Progress::Whole), earlier);
        message
    }

    /// Shows a message at the end.
    fn say(&mut self, message: Message, earlier: Vec<i64>) {
        let versions = earlier.into_iter().chain([message.id]).collect();
        self.state.conversation.messages.push(Message { versions, ..message });
    }

    /// The number of the open conversation, which is begun if need be, called by the words said first.
    fn conversation(&mut self, words: &str) -> Id {
        if let Some(id) = self.state.conversation.id {
            let id = Id::from(id);
            if self.state.conversation.title.is_empty() && !words.is_empty() {
                self.call(id, words);
            }
            return id;
        }
        let id = Id::fresh();
        self.state.conversation.id = Some(id.get());
        self.write(Change::Create { conversation: id, title: String::new(), model: self.state.settings.model.clone() });
        if !words.is_empty() {
            self.call(id, words);
        }
        self.list();
        id
    }

    fn call(&mut self, conversation: Id, words: &str) {
        let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let title = match line.char_indices().nth(TITLE) {
            Some((end, _)) => format!("{}…", line[..end].trim_end()),
            None => line,
        };
        self.state.conversation.title.clone_from(&title);
        self.write(Change::Rename { conversation, title });
        self.list();
    }

    /// Asks for the answer to the last message; `earlier` are those that it was given before.
    fn answer(&mut self, user: Id, earlier: Vec<i64>) {
        let Some(conversation) = self.state.conversation.id.map(Id::from) else { return };
        let answer = Id::fresh();
        self.write(Change::Add { message: answer, conversation, role: history::Role::Assistant, text: String::new() });
        let text = vec![Part::Text(String::new())];
        self.say(Message::new(answer.get(), Role::Model, text, Progress::Open), earlier);
        self.memory.seed = self.memory.seed.wrapping_add(1);
        let sampling = self.sampling();
        self.memory.answering = Some(Answering { id: answer, generating: true });
        self.engine(Command::Answer { user: user.get(), answer: answer.get(), sampling });
        self.devices(LiveCommand::AnswerBegun);
    }

    /// As the settings have it.
    pub(super) fn sampling(&self) -> Sampling {
        let settings = &self.state.settings;
        Sampling {
            temperature: settings.temperature,
            top_p: settings.top_p,
            top_k: settings.top_k,
            max_tokens: settings.max_tokens,
            seed: self.memory.seed,
        }
    }

    /// Ends answer and speech. With `spoken` only so many bytes of the answer were heard, and only those count.
    pub(super) fn stop(&mut self, spoken: Option<usize>) {
        let Some(answering) = self.memory.answering.take() else { return };
        if answering.generating {
            self.effects.push(Effect::StopAnswer);
        }
        if spoken.is_none() {
            self.devices(LiveCommand::Stop);
        }
        let id = answering.id.get();
        let Some(message) = self.state.conversation.messages.iter_mut().find(|message| message.id == id) else {
            return;
        };
        let Some(Part::Text(text)) = message.parts.first_mut() else { return };
        let whole = text.len();
        let kept = spoken.map_or(whole, |bytes| text.floor_char_boundary(bytes));
        text.truncate(kept);
        message.spoken_bytes = message.spoken_bytes.min(kept);
        if !answering.generating && kept == whole {
            return;
        }
        message.progress = Progress::Interrupted;
        let text = text.clone();
        let why = Some("interrupted".to_string());
        if kept < whole {
            self.write(Change::Cut { message: answering.id, bytes: kept, why });
        } else {
            let end = End { state: Ended::Interrupted, why, tokens: None, seconds: None };
            self.write(Change::Finish { message: answering.id, end });
        }
        self.memory.past.retain(|past| past.id != id);
        self.memory.past.push(Past { id, role: Role::Model, parts: vec![Piece::Text(text)] });
        self.begin();
    }

    /// Answers the last message of the person again.
    pub(super) fn retry(&mut self) {
        if self.state.conversation.loading {
            return;
        }
        self.stop(None);
        let messages = &self.state.conversation.messages;
        let Some(at) = messages.iter().rposition(|message| message.role == Role::User) else { return };
        let user = messages[at].id;
        let answer = messages.get(at + 1).map(|message| (message.id, message.versions.clone()));
        if let Some((answer, _)) = answer {
            self.write(Change::ReplaceFrom { message: Id::from(answer) });
        }
        self.state.conversation.messages.truncate(at + 1);
        let Some(place) = self.memory.past.iter().position(|past| past.id == user) else { return };
        self.memory.past.truncate(place + 1);
        let Some(asked) = self.memory.past.pop() else { return };
        self.begin();
        for part in &asked.parts {
            self.engine(Command::Push(part.clone()));
        }
        self.memory.past.push(asked);
        self.answer(Id::from(user), answer.map_or(Vec::new(), |(_, versions)| versions));
    }

    /// This message and all behind it make room for another one; what stood at its place until now.
    fn replace_from(&mut self, id: i64) -> Vec<i64> {
        let messages = &mut self.state.conversation.messages;
        let Some(at) = messages.iter().position(|message| message.id == id) else { return Vec::new() };
        let versions = std::mem::take(&mut messages[at].versions);
        messages.truncate(at);
        // What the model has forgotten is older than all that it knows.
        let place = self.memory.past.iter().position(|past| past.id == id).unwrap_or(0);
        self.memory.past.truncate(place);
        self.write(Change::ReplaceFrom { message: Id::from(id) });
        self.begin();
        versions
    }

    /// Tells the engine what was said.
    pub(super) fn begin(&mut self) {
        let past = self.memory.past.clone();
        self.engine(Command::Begin(past));
    }

    /// What the engine tells of an answer.
    pub(super) fn text(&mut self, id: i64, delta: String, thinking: bool) {
        let Some(message) = self.open_answer(id) else { return };
        if thinking {
            message.thinking += &delta;
            self.write(Change::Think { message: Id::from(id), text: delta });
            return;
        }
        if let Some(Part::Text(text)) = message.parts.first_mut() {
            *text += &delta;
        }
        self.write(Change::Append { message: Id::from(id), text: delta.clone() });
        if self.state.settings.speak {
            self.devices(LiveCommand::Say { delta });
        }
    }

    fn open_answer(&mut self, id: i64) -> Option<&mut Message> {
        let open = |message: &&mut Message| message.id == id && message.progress == Progress::Open;
        self.state.conversation.messages.iter_mut().rev().find(open)
    }

    /// The answer is complete.
    pub(super) fn done(&mut self, id: i64, reason: StopReason, timings: Timings) {
        let seconds = (timings.first_token + timings.decode).as_secs_f64();
        let per_s = timings.tokens_per_s().unwrap_or(0.0);
        self.state.figures.answers.push_back((self.now.as_secs_f64(), per_s, timings.first_token.as_secs_f64() * 1e3));
        if self.state.figures.answers.len() > super::ANSWERS {
            self.state.figures.answers.pop_front();
        }
        self.memory.unprofiled = true;
        let Some(message) = self.open_answer(id) else { return };
        message.speed = Some((timings.tokens, timings.first_token, per_s));
        let (state, why) = match reason {
            StopReason::End => (Ended::Whole, None),
            StopReason::MaxTokens => (Ended::Whole, Some("it reached the most tokens that the settings allow")),
            StopReason::Context => (Ended::Whole, Some("the model's memory is full")),
            StopReason::Cancelled => (Ended::Interrupted, Some("interrupted")),
        };
        message.progress = if state == Ended::Whole { Progress::Whole } else { Progress::Interrupted };
        let text = message.text().to_string();
        let tokens = u32::try_from(timings.tokens).ok();
        let end = End { state, why: why.map(str::to_string), tokens, seconds: Some(seconds) };
        self.write(Change::Finish { message: Id::from(id), end });
        self.memory.past.push(Past { id, role: Role::Model, parts: vec![Piece::Text(text.clone())] });
        if let Some(answering) = &mut self.memory.answering {
            answering.generating = false;
        }
        self.devices(LiveCommand::AnswerEnded);
        if !self.state.settings.speak {
            self.memory.answering = None;
        }
        self.put_away();
        // A conversation that began aloud is called by what was answered.
        if self.state.conversation.title.is_empty()
            && let Some(conversation) = self.state.conversation.id.map(Id::from)
        {
            self.call(conversation, &text);
        }
    }

    /// The message could not be read or answered.
    pub(super) fn failed(&mut self, answer: Option<i64>, problem: String) {
        if let Some(id) = answer
            && let Some(message) = self.open_answer(id)
        {
            message.progress = Progress::Failed(problem.clone());
            let end = End { state: Ended::Failed, why: Some(problem.clone()), tokens: None, seconds: None };
            self.write(Change::Finish { message: Id::from(id), end });
            self.memory.answering = None;
            self.devices(LiveCommand::AnswerEnded);
        }
        self.trouble(problem);
    }

    /// What the devices tell.
    pub(super) fn live(&mut self, event: LiveEvent) {
        match event {
            LiveEvent::TurnOpened => self.turn_opened(),
            LiveEvent::Heard(samples) => self.heard(samples),
            LiveEvent::TurnForgotten => {
                if self.memory.turn.take().is_some() {
                    self.engine(Command::Forget);
                }
            }
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
        if self.memory.turn.as_ref().is_some_and(|turn| turn.ended) {
            self.frame(None);
        }
        let mut turn = Turn { parts: self.take_attached(), ..Turn::default() };
        for part in &turn.parts {
            self.effects.push(Effect::Worker(Command::Push(part.given())));
        }
        if turn.parts.is_empty() && self.state.live.camera && self.sees() {
            turn.held = Some(Vec::new());
        }
        self.memory.turn = Some(turn);
    }

    fn heard(&mut self, samples: Vec<f32>) {
        let Some(turn) = &mut self.memory.turn else { return };
        turn.samples.extend_from_slice(&samples);
        match &mut turn.held {
            Some(held) => {
                held.extend_from_slice(&samples);
                // However late a busy machine is: a picture that is on its way belongs to what is said.
                if held.len() > WAITING && !turn.coming {
                    self.release();
                }
            }
            None => self.engine(Command::Hear(samples)),
        }
    }

    /// What waited for a picture waits no longer.
    fn release(&mut self) {
        if let Some(held) = self.memory.turn.as_mut().and_then(|turn| turn.held.take())
            && !held.is_empty()
        {
            self.engine(Command::Hear(held));
        }
    }

    /// What the camera shows, encoded, if that could be done: it belongs to the message that is spoken, if that has no picture yet.
    pub(super) fn frame(&mut self, frame: Option<Encoded>) {
        if let Some(Encoded { part: Part::Picture { image, .. }, .. }) = &frame {
            self.state.given = Some((image.clone(), self.now));
        }
        let Some(turn) = &mut self.memory.turn else { return };
        turn.coming = false;
        let ended = turn.ended;
        if turn.held.is_some()
            && let Some(frame) = frame
        {
            self.effects.push(Effect::Worker(Command::Push(frame.given())));
            turn.parts.push(frame);
            self.release();
        }
        if ended {
            self.turn_ended();
        }
    }

    fn turn_ended(&mut self) {
        if let Some(turn) = &mut self.memory.turn
            && (turn.coming && turn.held.is_some() || self.state.conversation.loading)
        {
            turn.ended = true;
            return;
        }
        self.release();
        let Some(turn) = self.memory.turn.take() else { return };
        let Turn { samples, mut parts, .. } = turn;
        parts.push(Encoded::spoken(samples));
        let user = self.add_message(parts, String::new(), Vec::new());
        self.answer(user, Vec::new());
    }

    /// The conversation was opened while somebody spoke already: what was spoken comes behind it.
    pub(super) fn begin_with_turn(&mut self) {
        self.begin();
        let Some(turn) = &self.memory.turn else { return };
        let parts = turn.parts.iter().map(|part| Command::Push(part.given()));
        let heard = turn.held.is_none().then(|| Command::Hear(turn.samples.clone()));
        self.effects.extend(parts.chain(heard).map(Effect::Worker));
        if turn.ended {
            self.turn_ended();
        }
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
                self.note(format!(
                    "No {what}{name}: {why}. The conversation goes on without it; it is taken as soon as it is there."
                ));
            }
            LiveEvent::DeviceFound { which, name } => {
                let what = which.name();
                let was_lost = self.state.live.lost.iter().any(|lost| lost == what);
                self.state.live.lost.retain(|lost| lost != what);
                self.state.notices.retain(|notice| !notice.text.starts_with(&format!("No {what}")));
                if was_lost {
                    self.note(format!("The {what} is back: {name}."));
                }
            }
            LiveEvent::Note(text) => self.note(text),
            _ => {}
        }
    }

    /// Nothing of the open conversation goes on.
    pub(super) fn leave(&mut self) {
        self.stop(None);
        if self.memory.turn.take().is_some() {
            self.engine(Command::Forget);
        }
        self.state.editing = None;
        self.memory.past.clear();
        self.memory.fetched.clear();
        self.memory.opening = None;
    }

    /// The list, or what a search finds.
    pub(super) fn list(&mut self) {
        match self.state.search.trim() {
            "" => self.ask(Question::List),
            words => self.ask(Question::Search(words.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::history::Summary;
    use crate::store::settings::Settings;
    use crate::store::thread::StoreEvent;
    use crate::ui::state::{Action, State};
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
    fn a_picture_that_is_on_its_way_is_waited_for() {
        let image = || Arc::new(Image { width: 1, height: 1, rgb: vec![0; 3] });
        let encoded = || crate::ui::media::encode(Media::Picture { image: image(), name: "camera".into() });
        let opened = || Msg::Live(LiveEvent::TurnOpened);
        let seen = || Msg::Live(LiveEvent::Frame(image()));
        let heard = || Msg::Live(LiveEvent::Heard(vec![0.0; WAITING]));
        let ended = || Msg::Live(LiveEvent::TurnEnded);
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
}
