//! An answer as it comes: text on standard output and thoughts on standard error, or one JSON object an event.

use super::interrupt::Stoppable;
use super::output::Output;
use anyhow::Result;
use percept::session::{Event, Generation, Session, StopReason, Timings};
use serde_json::{Value, json};

/// Best logits that are told.
const TOP_LOGITS: usize = 16;

/// What became of an answer.
pub struct Said {
    /// Without thoughts.
    pub text: String,
    /// Why it ended.
    pub reason: StopReason,
}

/// What is continued.
#[derive(Clone, Copy, PartialEq)]
pub enum From {
    /// The user's message, which is closed before.
    Message,
    /// The ids in the cache as they are.
    Ids,
}

/// How an answer is written.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    /// As text.
    Text,
    /// As JSON lines.
    Json,
}

/// Gives what follows `from`; Ctrl-C ends it early.
///
/// # Errors
/// As [`Session::generate`] and [`Session::continue_raw`], or if it cannot be written.
pub fn give(session: &mut Session, from: From, generation: &Generation, form: Form, output: &Output) -> Result<Said> {
    let stoppable = Stoppable::new(session.cancel_handle());
    give_stoppable(session, from, generation, form, output, &stoppable)
}

/// As [`give`], where Ctrl-C was already taken over.
///
/// # Errors
/// As [`give`].
pub fn give_stoppable(
    session: &mut Session,
    from: From,
    generation: &Generation,
    form: Form,
    output: &Output,
    stoppable: &Stoppable,
) -> Result<Said> {
    let mut writer = Writer { output, form, text: String::new(), thinking: false };
    let answer = match from {
        From::Message => session.generate(generation)?,
        From::Ids => session.continue_raw(generation)?,
    };
    stoppable.stop_if_pressed();
    let top_logits = match form {
        Form::Json => answer.first_logits()?.map(|logits| top(&logits)),
        Form::Text => None,
    };
    let (mut ids, mut stop) = (Vec::new(), None);
    for event in answer {
        let event = event.inspect_err(|_| writer.break_line())?;
        if let (Form::Json, Some(object)) = (form, to_json(&event)) {
            output.json(&object)?;
        }
        match event {
            Event::Token { id } => ids.push(id),
            Event::Text { delta, thinking } => writer.take(&delta, thinking)?,
            Event::Stop { reason, timings } => stop = Some((reason, timings)),
        }
    }
    // The last event is always a stop.
    let (reason, timings) = stop.unwrap_or((StopReason::Cancelled, Timings::default()));
    writer.end()?;
    if form == Form::Json {
        let prompt_ids = session.ids().get(..timings.prompt_tokens);
        output.json(&json!({
            "event": "stop",
            "reason": reason_name(reason),
            "prompt_tokens": timings.prompt_tokens,
            "tokens": timings.tokens,
            "first_token_ms": timings.first_token.as_secs_f64() * 1e3,
            "decode_ms": timings.decode.as_secs_f64() * 1e3,
            "tokens_per_s": timings.tokens_per_s(),
            "seed": generation.seed,
            "prompt_ids": prompt_ids,
            "ids": ids,
            "text": writer.text,
            "top_logits": top_logits,
        }))?;
    }
    match reason {
        StopReason::Context => output.note("the context is full; a larger one (--context) lets it say more"),
        StopReason::Cancelled => output.note("stopped"),
        StopReason::End | StopReason::MaxTokens => {}
    }
    output.figures(&figures(&timings, generation.seed));
    Ok(Said { text: writer.text, reason })
}

struct Writer<'a> {
    output: &'a Output,
    form: Form,
    text: String,
    thinking: bool,
}

impl Writer<'_> {
    fn take(&mut self, delta: &str, thinking: bool) -> Result<()> {
        let was_thinking = std::mem::replace(&mut self.thinking, thinking);
        if !thinking {
            self.text += delta;
        }
        if self.form == Form::Json {
            return Ok(());
        }
        if thinking {
            self.output.thought(delta);
            return Ok(());
        }
        if was_thinking && self.output.shows_thoughts() {
            self.output.say("");
        }
        self.output.write(delta)
    }

    fn end(&self) -> Result<()> {
        if self.form == Form::Text && !self.text.ends_with('\n') {
            self.output.write("\n")?;
        }
        Ok(())
    }

    /// So that a sentence on an error begins on a line of its own.
    fn break_line(&self) {
        if self.form == Form::Text && self.output.seen && !self.text.is_empty() {
            let _ = self.output.write("\n");
        }
    }
}

/// What is told as it happens; the stop has to wait for the ids.
fn to_json(event: &Event) -> Option<Value> {
    match event {
        Event::Token { id } => Some(json!({"event": "token", "id": id})),
        Event::Text { delta, thinking } => Some(json!({"event": "text", "delta": delta, "thinking": thinking})),
        Event::Stop { .. } => None,
    }
}

/// The best logits with their ids, best first; of equal ones the lower id.
fn top(logits: &[f32]) -> Vec<(usize, f32)> {
    let mut all: Vec<(usize, f32)> = logits.iter().copied().enumerate().collect();
    let better = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if all.len() > TOP_LOGITS {
        all.select_nth_unstable_by(TOP_LOGITS, better);
        all.truncate(TOP_LOGITS);
    }
    all.sort_unstable_by(better);
    all
}

/// As in JSON lines and conversation files.
pub fn reason_name(reason: StopReason) -> &'static str {
    match reason {
        StopReason::End => "end",
        StopReason::MaxTokens => "max_tokens",
        StopReason::Context => "context",
        StopReason::Cancelled => "cancelled",
    }
}

fn figures(timings: &Timings, seed: u64) -> String {
    let speed = timings.tokens_per_s().map_or(String::new(), |speed| format!(", {speed:.1} tokens/s"));
    let first = timings.first_token.as_secs_f64() * 1e3;
    format!(
        "{} tokens{speed}, first token after {first:.0} ms, {} tokens read, seed {seed}",
        timings.tokens, timings.prompt_tokens
    )
}
