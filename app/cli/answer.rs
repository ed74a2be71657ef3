//! An answer as it comes: text on standard output and thoughts on standard error, or one JSON object an event.

use super::interrupt::Stoppable;
use super::output::Output;
use anyhow::Result;
use percept::session::{Event, Generation, Session, StopReason, Timings};
use serde_json::json;

/// What became of an answer.
pub struct Said {
    /// Without thoughts.
    pub text: String,
    /// Why it ended.
    pub reason: StopReason,
}

/// How an answer is written.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    /// As text.
    Text,
    /// As JSON lines.
    Json,
}

/// Closes the user's message and gives the answer; Ctrl-C ends it early.
///
/// # Errors
/// As [`Session::generate`], or if it cannot be written.
pub fn give(session: &mut Session, generation: &Generation, form: Form, output: &Output) -> Result<Said> {
    let stoppable = Stoppable::new(session.cancel_handle());
    give_stoppable(session, generation, form, output, &stoppable)
}

/// As [`give`], where Ctrl-C was already taken over.
///
/// # Errors
/// As [`give`].
pub fn give_stoppable(
    session: &mut Session,
    generation: &Generation,
    form: Form,
    output: &Output,
    stoppable: &Stoppable,
) -> Result<Said> {
    let mut writer = Writer { output, form, text: String::new(), thinking: false };
    let answer = session.generate(generation)?;
    stoppable.stop_if_pressed();
    let mut stop = None;
    for event in answer {
        let event = event.inspect_err(|_| writer.break_line())?;
        if form == Form::Json {
            output.json(&to_json(&event, generation.seed))?;
        }
        match event {
            Event::Token { .. } => {}
            Event::Text { delta, thinking } => writer.take(&delta, thinking)?,
            Event::Stop { reason, timings } => stop = Some((reason, timings)),
        }
    }
    // The last event is always a stop.
    let (reason, timings) = stop.unwrap_or((StopReason::Cancelled, Timings::default()));
    writer.end()?;
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

fn to_json(event: &Event, seed: u64) -> serde_json::Value {
    match event {
        Event::Token { id } => json!({"event": "token", "id": id}),
        Event::Text { delta, thinking } => json!({"event": "text", "delta": delta, "thinking": thinking}),
        Event::Stop { reason, timings } => json!({
            "event": "stop",
            "reason": reason_name(*reason),
            "prompt_tokens": timings.prompt_tokens,
            "tokens": timings.tokens,
            "first_token_ms": timings.first_token.as_secs_f64() * 1e3,
            "decode_ms": timings.decode.as_secs_f64() * 1e3,
            "tokens_per_s": timings.tokens_per_s(),
            "seed": seed,
        }),
    }
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
