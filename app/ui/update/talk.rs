//! What is said: messages that are typed, answers as they come, and what stops them.

use super::{Answering, Effect, Purpose, TITLE, Update};
use crate::live::LiveCommand;
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

    pub(super) fn take_attached(&mut self) -> Vec<Encoded> {
        self.state.attached.clear();
        std::mem::take(&mut self.memory.attached)
    }

    /// A model that is still on its way may see.
    pub(super) fn sees(&self) -> bool {
        self.state.loaded().is_none_or(|loaded| loaded.sees)
    }

    /// A whole message of the person, at the end of the conversation, on its way to the disk; `earlier` are the versions whose
    /// place it takes.
    pub(super) fn add_message(&mut self, parts: Vec<Encoded>, text: String, earlier: Vec<i64>) -> Id {
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
    pub(super) fn answer(&mut self, user: Id, earlier: Vec<i64>) {
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
            let end = End { state: Ended::Interrupted, why, tokens: None, seconds: None, first_seconds: None };
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
        let (first, decode) = (timings.first_token, timings.decode);
        let per_s = timings.tokens_per_s().unwrap_or(0.0);
        self.state.figures.answers.push_back((self.now.as_secs_f64(), per_s, first.as_secs_f64() * 1e3));
        if self.state.figures.answers.len() > super::ANSWERS {
            self.state.figures.answers.pop_front();
        }
        self.memory.unprofiled = true;
        let Some(message) = self.open_answer(id) else { return };
        message.speed = Some((timings.tokens, Some(first), per_s));
        let (state, why) = match reason {
            StopReason::End => (Ended::Whole, None),
            StopReason::MaxTokens => (Ended::Whole, Some("it reached the most tokens that the settings allow")),
            StopReason::Context => (Ended::Whole, Some("the model's memory is full")),
            StopReason::Cancelled => (Ended::Interrupted, Some("interrupted")),
        };
        message.progress = if state == Ended::Whole { Progress::Whole } else { Progress::Interrupted };
        let text = message.text().to_string();
        let tokens = u32::try_from(timings.tokens).ok();
        let (seconds, first_seconds) = (Some((first + decode).as_secs_f64()), Some(first.as_secs_f64()));
        let end = End { state, why: why.map(str::to_string), tokens, seconds, first_seconds };
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
            let end = End {
                state: Ended::Failed,
                why: Some(problem.clone()),
                tokens: None,
                seconds: None,
                first_seconds: None,
            };
            self.write(Change::Finish { message: Id::from(id), end });
            self.memory.answering = None;
            self.devices(LiveCommand::AnswerEnded);
        }
        self.trouble(problem);
    }

    /// Nothing of the open conversation goes on.
    pub(super) fn leave(&mut self) {
        self.stop(None);
        self.forget_turn(|_| true);
        self.state.editing = None;
        self.memory.past.clear();
        self.memory.fetched.clear();
        self.memory.opening = None;
    }

    /// The list, or what a search finds.
    pub(super) fn list(&mut self) {
        self.state.searching = true;
        match self.state.search.trim() {
            "" => self.ask(Question::List),
            words => self.ask(Question::Search(words.to_string())),
        }
    }
}
