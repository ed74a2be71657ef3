//! The state of a conversation in the terminal: the session, what can be taken back, and the file that keeps it.

use super::ChatArgs;
use crate::cli::answer::{Form, From, give_stoppable, reason_name};
use crate::cli::failure::{Usage, exit_code};
use crate::cli::interrupt::Stoppable;
use crate::cli::load::{self, find};
use crate::cli::output::Output;
use crate::cli::parts::{self, Kind};
use crate::store::{self, conversations::Conversation};
use anyhow::{Context, Result};
use percept::models::Model;
use percept::session::{Cancel, Generation, Mark, Part, Session, StopReason};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most tokens at a time of a model that continues text, unless asked for: by itself it hardly ever ends.
const PLAIN_TOKENS: usize = 256;

/// A conversation, or a text that a model without a chat template continues.
pub struct Talk<'a> {
    args: &'a ChatArgs,
    output: &'a Output,
    session: Session,
    system: Option<String>,
    turns: Vec<Turn>,
    /// Files given since the last answer.
    waiting: Vec<Given>,
    kept: Option<Conversation>,
    /// Something was kept.
    begun: bool,
    /// The person knows that the conversation is not kept.
    warned: bool,
    retries: u64,
}

/// A question with its answer.
struct Turn {
    before: Mark,
    before_answer: Mark,
    files: Vec<Given>,
    text: Option<String>,
    /// `None` after a retry that failed.
    answer: Option<String>,
}

/// A file that was read into the conversation.
struct Given {
    before: Mark,
    kind: Kind,
    path: PathBuf,
}

impl<'a> Talk<'a> {
    /// Loads the model and begins.
    ///
    /// # Errors
    /// Whatever is wrong with the model or the adapter.
    pub fn new(args: &'a ChatArgs, output: &'a Output) -> Result<Talk<'a>> {
        let model = args.load.load(output)?;
        let system = args.load.system.clone();
        let asked = [("--system", system.is_some()), ("--think", args.load.think)];
        if let Some((option, _)) = asked.iter().find(|(_, given)| *given && !model.has_template()) {
            let folder = model.folder().display();
            return Err(Usage(format!("{option} needs a chat template, which {folder} does not have")).into());
        }
        let session = args.load.session(&model, system.as_deref(), output)?;
        let kept = store::conversations_dir().filter(|_| !args.no_save).map(|folder| Conversation::new(&folder));
        let (turns, waiting) = (Vec::new(), Vec::new());
        Ok(Talk { args, output, session, system, turns, waiting, kept, begun: false, warned: false, retries: 0 })
    }

    /// For a person who has just come.
    pub fn greeting(&self) -> String {
        let model = self.session.model();
        let kept = match &self.kept {
            Some(file) => format!("kept in {}", file.path().display()),
            None => "not kept".into(),
        };
        format!("{} on {}; {kept}; /help lists commands", model.folder().display(), model.gpu().adapter().title())
    }

    /// Whether the model has no chat template, so that it continues text.
    pub fn is_plain(&self) -> bool {
        !self.session.model().has_template()
    }

    /// Says what to expect of a model that continues text.
    pub fn tell_if_plain(&self) {
        if self.is_plain() {
            self.output.note(&format!(
                "this model has no chat template, so it does not answer: each line is a new line of a text that it continues, by \
                 {} tokens at a time (--max-tokens); an empty line lets it go on",
                self.generation().max_tokens.unwrap_or(PLAIN_TOKENS)
            ));
        }
    }

    /// The system message.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// How full the context is.
    pub fn context(&self) -> String {
        let (len, context) = (self.session.len(), self.session.context());
        let percent = len * 100 / context.max(1);
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let waiting = match self.waiting.len() {
            0 => String::new(),
            files => format!(", {} waiting for a question", count(files, "file")),
        };
        format!("{len} of {context} tokens ({percent} %): {}{waiting}", count(self.turns.len(), "answer"))
    }

    /// Reads a file into the open message.
    ///
    /// # Errors
    /// Whatever is wrong with it; the conversation is then as before.
    pub fn give(&mut self, kind: Kind, path: &Path) -> Result<()> {
        let model = self.session.model().clone();
        let stoppable = Stoppable::new(self.session.cancel_handle());
        let media = parts::read(kind, path, parts::most_frames(&model))?;
        parts::remark(&media, path, &model, self.output);
        let (before, len) = (self.session.mark(), self.session.len());
        self.session.push(Part::Media(media))?;
        if stoppable.is_stopped() {
            self.session.rollback(&before)?;
            return Err(Usage(format!("stopped: {} was not taken in", path.display())).into());
        }
        self.output.note(&format!("{}: {} tokens", path.display(), self.session.len() - len));
        self.keep([("role", "user".into()), (kind.name(), json!(absolute(path)))]);
        self.waiting.push(Given { before, kind, path: path.into() });
        Ok(())
    }

    /// Says something and gives the answer.
    ///
    /// # Errors
    /// Whatever goes wrong; the conversation is then as before.
    pub fn say(&mut self, text: &str) -> Result<()> {
        self.keep([("role", "user".into()), ("text", text.into())]);
        self.turn(Some(text))
    }

    /// Gives an answer to the files alone, if any wait; a text is continued where it ends.
    ///
    /// # Errors
    /// As [`Talk::say`].
    pub fn go_on(&mut self) -> Result<()> {
        let something = if self.is_plain() { !self.session.is_empty() } else { !self.waiting.is_empty() };
        if something { self.turn(None) } else { Ok(()) }
    }

    fn turn(&mut self, text: Option<&str>) -> Result<()> {
        let before = self.session.mark();
        let outcome = self.turn_from_here(text);
        let (before_answer, answer) = match outcome {
            Ok(done) => done,
            Err(error) => return Err(self.as_it_was(&before, error)),
        };
        let files = std::mem::take(&mut self.waiting);
        let before = files.first().map_or(before, |file| file.before.clone());
        self.turns.push(Turn { before, before_answer, files, text: text.map(Into::into), answer: Some(answer) });
        Ok(())
    }

    fn turn_from_here(&mut self, text: Option<&str>) -> Result<(Mark, String)> {
        let stoppable = Stoppable::new(self.session.cancel_handle());
        match text {
            Some(text) if self.is_plain() => self.session.push_raw(&self.as_next_line(text))?,
            Some(text) => self.session.push(Part::Text(text.into()))?,
            None => {}
        }
        let mark = self.session.mark();
        Ok((mark, self.give_answer(&stoppable)?))
    }

    /// A line behind what the text has so far.
    fn as_next_line(&self, line: &str) -> String {
        match self.turns.last().and_then(|turn| turn.answer.as_deref()) {
            Some(before) if !before.ends_with('\n') => format!("\n{line}"),
            _ => line.into(),
        }
    }

    fn generation(&self) -> Generation {
        let generation = self.args.sampling.generation(self.session.model().defaults());
        let usual = self.is_plain().then_some(PLAIN_TOKENS);
        Generation { max_tokens: generation.max_tokens.or(usual), ..generation }
    }

    fn give_answer(&mut self, stoppable: &Stoppable) -> Result<String> {
        let mut generation = self.generation();
        generation.seed = generation.seed.wrapping_add(self.retries);
        let from = if self.is_plain() { From::Ids } else { From::Message };
        let said = give_stoppable(&mut self.session, from, &generation, Form::Text, self.output, stoppable)?;
        if self.is_plain() && said.reason == StopReason::End {
            self.output.note("the text ends here");
        }
        let reason = reason_name(said.reason);
        self.keep([("role", "assistant".into()), ("text", said.text.as_str().into()), ("stop", reason.into())]);
        Ok(said.text)
    }

    /// Takes back what a failed turn has read, and says so.
    fn as_it_was(&mut self, mark: &Mark, error: anyhow::Error) -> anyhow::Error {
        if exit_code(&error) == 0 {
            return error;
        }
        self.keep([("failed", error.to_string().into())]);
        match self.session.rollback(mark) {
            Ok(()) => error.context("no answer; the conversation is as it was before"),
            Err(second) => error.context(format!("no answer, and the conversation cannot go on ({second})")),
        }
    }

    /// Takes the last answer back and gives another one.
    ///
    /// # Errors
    /// If there is none, or whatever goes wrong; the question then stays, for a further retry.
    pub fn retry(&mut self) -> Result<()> {
        if !self.waiting.is_empty() {
            return Err(Usage("a file waits for a question; /undo takes it back, then /retry".into()).into());
        }
        let Some(turn) = self.turns.last_mut() else {
            return Err(Usage("there is no answer yet to be given again".into()).into());
        };
        let mark = turn.before_answer.clone();
        turn.answer = None;
        let stoppable = Stoppable::new(self.session.cancel_handle());
        self.session.rollback(&mark)?;
        self.retries += 1;
        self.keep([("taken_back", "answer".into())]);
        match self.give_answer(&stoppable) {
            Ok(answer) => {
                if let Some(turn) = self.turns.last_mut() {
                    turn.answer = Some(answer);
                }
                Ok(())
            }
            Err(error) => Err(self.as_it_was(&mark, error).context("the answer was taken back; /retry tries again")),
        }
    }

    /// Takes back the last file, or the last question with its answer.
    ///
    /// # Errors
    /// If there is nothing, or it has to be read again and that fails.
    pub fn undo(&mut self) -> Result<()> {
        if let Some(file) = self.waiting.pop() {
            self.session.rollback(&file.before)?;
            self.keep([("taken_back", file.kind.name().into())]);
            self.output.note(&format!("{} is taken back", file.path.display()));
            return Ok(());
        }
        let Some(turn) = self.turns.pop() else {
            return Err(Usage("there is nothing to take back".into()).into());
        };
        self.session.rollback(&turn.before)?;
        self.keep([("taken_back", "turn".into())]);
        let question = turn.text.as_deref().unwrap_or("the files");
        let start: String = question.chars().take(60).collect();
        self.output.note(&format!("taken back: {start}{}", if start.len() < question.len() { "…" } else { "" }));
        Ok(())
    }

    /// Begins anew with another system message.
    ///
    /// # Errors
    /// As [`Session::new`]; the conversation then goes on as it is.
    pub fn begin_with(&mut self, system: Option<String>) -> Result<()> {
        let model = self.session.model().clone();
        if self.is_plain() {
            let problem = "a system message needs a chat template, which this model does not have";
            return Err(Usage(problem.into()).into());
        }
        let session = self.args.load.session(&model, system.as_deref(), self.output)?;
        self.begin_anew(session, system);
        self.output.note("a system message stands before everything else, so the conversation begins anew");
        Ok(())
    }

    /// Begins anew with another model.
    ///
    /// # Errors
    /// Whatever is wrong with it; the conversation then goes on as it is.
    pub fn change_model(&mut self, path: &Path) -> Result<()> {
        let stoppable = Stoppable::new(Cancel::default());
        let folder = find(path)?;
        let (model, session) = self.open_beside(&folder).map_err(|error| match error.downcast_ref() {
            Some(percept::Error::OutOfMemory { .. }) => {
                error.context("both models do not fit side by side; end, and begin with `percept chat --model MODEL`")
            }
            _ => error,
        })?;
        if stoppable.is_stopped() {
            return Err(Usage("stopped: the model stays".into()).into());
        }
        let system = self.system.take();
        self.begin_anew(session, system);
        self.output.note(&format!("{}: the conversation begins anew", model.folder().display()));
        self.tell_if_plain();
        Ok(())
    }

    fn open_beside(&self, folder: &Path) -> Result<(Arc<Model>, Session)> {
        let model = load::load(self.session.model().gpu(), folder, &self.args.load.sight, self.output)?;
        if self.system.is_some() && !model.has_template() {
            let problem = format!("{} has no chat template, which the system message needs", folder.display());
            return Err(Usage(problem).into());
        }
        let session = self.args.load.session(&model, self.system.as_deref(), self.output)?;
        Ok((model, session))
    }

    fn begin_anew(&mut self, session: Session, system: Option<String>) {
        self.session = session;
        self.system = system;
        self.turns.clear();
        self.waiting.clear();
        if let Some(folder) = self.kept.as_ref().and_then(|kept| kept.path().parent()) {
            let next = Conversation::new(folder);
            // Two within a second share a file.
            if self.kept.as_ref().is_some_and(|kept| kept.path() != next.path()) {
                self.kept = Some(next);
            }
        }
        self.begun = false;
    }

    /// Appends to the file of the conversation; a full disk is told of once. Nothing is written before something is said,
    /// but then the model and the system message stand first.
    fn keep<const N: usize>(&mut self, entry: [(&str, Value); N]) {
        if !std::mem::replace(&mut self.begun, true) {
            self.append([("model", json!(absolute(self.session.model().folder())))]);
            if let Some(text) = self.system.clone() {
                self.append([("role", "system".into()), ("text", text.into())]);
            }
        }
        self.append(entry);
    }

    fn append<const N: usize>(&mut self, entry: [(&str, Value); N]) {
        let Some(kept) = &mut self.kept else { return };
        let entry: Map<String, Value> = entry.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        if let Err(problem) = kept.append(entry)
            && !std::mem::replace(&mut self.warned, true)
        {
            self.output.say(&format!(
                "warning: the conversation cannot be kept in {} ({problem}); it goes on, and /save FILE writes it elsewhere",
                kept.path().display()
            ));
        }
    }

    /// Writes the conversation as it stands into a new file.
    ///
    /// # Errors
    /// If there is such a file already, or it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let is_lines =
            path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jsonl") || e.eq_ignore_ascii_case("json"));
        let text = if is_lines { self.json_lines() } else { self.markdown() };
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
        let mut file = file.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                anyhow::Error::new(Usage(format!("{} is there already; name another file", path.display())))
            }
            _ => anyhow::Error::new(Usage(format!("cannot write {}: {error}", path.display()))),
        })?;
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        self.output.note(&format!("saved in {}", path.display()));
        Ok(())
    }

    fn json_lines(&self) -> String {
        let mut lines = Vec::new();
        if let Some(system) = &self.system {
            lines.push(json!({"role": "system", "text": system}));
        }
        for turn in &self.turns {
            for file in &turn.files {
                lines.push(json!({"role": "user", file.kind.name(): absolute(&file.path)}));
            }
            if let Some(text) = &turn.text {
                lines.push(json!({"role": "user", "text": text}));
            }
            if let Some(answer) = &turn.answer {
                lines.push(json!({"role": "assistant", "text": answer}));
            }
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The lines and what continued them, as the model has read them.
    fn text(&self) -> String {
        let mut text = String::new();
        for turn in &self.turns {
            if turn.text.is_some() && !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.extend([&turn.text, &turn.answer].into_iter().flatten().map(String::as_str));
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }

    fn markdown(&self) -> String {
        if self.is_plain() {
            return self.text();
        }
        let mut text = format!("# Conversation with {}\n", self.session.model().folder().display());
        if let Some(system) = &self.system {
            text += &format!("\n## System\n\n{system}\n");
        }
        for turn in &self.turns {
            text += "\n## User\n";
            for file in &turn.files {
                text += &format!("\n[{}]({})\n", file.kind.name(), absolute(&file.path).display());
            }
            if let Some(said) = &turn.text {
                text += &format!("\n{said}\n");
            }
            if let Some(answer) = &turn.answer {
                text += &format!("\n## Model\n\n{}\n", answer.trim_end());
            }
        }
        text
    }
}

/// A path that still means the same from another folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}
