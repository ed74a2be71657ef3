//! From messages to the text that the model has to read next: the template is rendered with marks where an answer or
//! the open end of a message stands, and only what is new behind the last mark is read.

use crate::error::{Error, Result};
use crate::text::{Content, Message, PartText, Template};

/// Marks are private-use characters that no template touches.
const MARK: char = '\u{F8F1}';

/// The messages of a conversation and how much of their rendering was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript {
    messages: Vec<Message>,
    /// Answers so far; each is rendered as its own mark.
    answers: usize,
    /// What was read of the rendering behind the last answer.
    read: String,
    /// A user's message is open: parts can be added.
    open: bool,
    extra: serde_json::Map<String, serde_json::Value>,
}

impl Transcript {
    /// A conversation that begins with a system message, if there is one.
    pub(super) fn new(system: Option<&str>, thinking: bool) -> Transcript {
        let messages = system.map(|text| Message { role: "system".into(), content: Content::Text(text.into()) });
        let mut extra = serde_json::Map::new();
        extra.insert("enable_thinking".into(), thinking.into());
        Transcript { messages: messages.into_iter().collect(), extra, ..Transcript::default() }
    }

    /// Adds a part to the user's message, opening one if need be. `kind` as in templates; text is already escaped.
    pub(super) fn push(&mut self, kind: &str, text: &str) {
        if !self.open {
            self.messages.push(Message { role: "user".into(), content: Content::Parts(Vec::new()) });
            self.open = true;
        }
        if let Some(Message { content: Content::Parts(parts), .. }) = self.messages.last_mut() {
            parts.push(PartText { kind: kind.into(), text: text.into() });
        }
    }

    /// Whether a user's message is open.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The text that must be read now that parts were added, up to the open end of the message.
    pub(super) fn advance(&mut self, template: &Template) -> Result<String> {
        let mut messages = self.messages.clone();
        let mark = mark(usize::MAX);
        if let Some(Message { content: Content::Parts(parts), .. }) = messages.last_mut() {
            parts.push(PartText { kind: "text".into(), text: mark.clone() });
        }
        let rendered = self.render(template, messages, false)?;
        let end = rendered.find(&mark).ok_or_else(|| self.unusable(template, "drops a part of a message"))?;
        // White space at the open end waits: a template may trim it, or text that follows may belong to it.
        self.take(template, rendered[..end].trim_end())
    }

    /// Closes the user's message: the text up to where the answer begins.
    pub(super) fn close(&mut self, template: &Template) -> Result<String> {
        self.open = false;
        let rendered = self.render(template, self.messages.clone(), true)?;
        let text = self.take(template, &rendered)?;
        self.messages.push(Message { role: "assistant".into(), content: Content::Text(mark(self.answers)) });
        self.answers += 1;
        self.read.clear();
        Ok(text)
    }

    /// What stands in `rendered` behind the last answer and was not read yet.
    fn take(&mut self, template: &Template, rendered: &str) -> Result<String> {
        let behind = match self.answers.checked_sub(1) {
            None => rendered,
            Some(last) => {
                let mark = mark(last);
                let at = rendered.find(&mark).ok_or_else(|| self.unusable(template, "drops an answer"))?;
                &rendered[at + mark.len()..]
            }
        };
        let new = behind.strip_prefix(self.read.as_str());
        let new =
            new.ok_or_else(|| self.unusable(template, "changes what came before when a part is added"))?.to_string();
        self.read = behind.to_string();
        Ok(new)
    }

    fn render(&self, template: &Template, mut messages: Vec<Message>, prompt: bool) -> Result<String> {
        for message in &mut messages {
            simplify(message);
        }
        template.render(&messages, prompt, &self.extra)
    }

    fn unusable(&self, template: &Template, problem: &str) -> Error {
        Error::Template {
            path: template.path().into(),
            problem: format!("it {problem}, so a conversation cannot be continued with it; use the published one"),
        }
    }
}

fn mark(index: usize) -> String {
    format!("{MARK}{index}{MARK}")
}

/// A message of text alone is given as a string, which every template takes.
fn simplify(message: &mut Message) {
    let Content::Parts(parts) = &message.content else { return };
    // The mark of the open end joins the text before it.
    let texts: Vec<&str> = parts.iter().filter(|p| p.kind == "text").map(|p| p.text.as_str()).collect();
    let marked = texts.last().is_some_and(|t| t.starts_with(MARK));
    if texts.len() == parts.len() && parts.len() <= 1 + usize::from(marked) {
        message.content = Content::Text(texts.concat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;

    const SOURCE: &str = "{%- for m in messages -%}[{{ m.role }}]\
        {%- if m.content is string -%}{{ m.content | trim }}\
        {%- else -%}{%- for p in m.content -%}{{ p.text | trim if p.type == 'text' else '<' + p.type + '>' }}{%- endfor -%}\
        {%- endif -%};{%- endfor -%}{%- if add_generation_prompt -%}[assistant]{%- endif -%}";

    fn template(source: &str) -> Template {
        Template::new(Path::new("chat_template.jinja"), source, BTreeMap::new()).unwrap()
    }

    #[test]
    fn pieces_add_up_to_the_rendering_of_the_whole() {
        let template = template(SOURCE);
        let mut talk = Transcript::new(Some("Be brief."), false);
        talk.push("text", " What is this? ");
        let mut all = talk.advance(&template).unwrap();
        assert_eq!(all, "[system]Be brief.;[user]What is this?");
        talk.push("image", "");
        all += &talk.advance(&template).unwrap();
        all += &talk.close(&template).unwrap();
        assert_eq!(all, "[system]Be brief.;[user]What is this?<image>;[assistant]");
        // The answer itself is never rendered.
        talk.push("text", "And now?");
        let next = talk.advance(&template).unwrap() + &talk.close(&template).unwrap();
        assert_eq!(next, ";[user]And now?;[assistant]");
    }

    #[test]
    fn a_template_that_rewrites_history_is_refused() {
        let template = template("{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}");
        let mut talk = Transcript::new(None, false);
        talk.push("text", "a");
        talk.advance(&template).unwrap();
        talk.close(&template).unwrap();
        let drops = super::tests::template("{{ messages[-1].content }}");
        talk.push("text", "b");
        let error = talk.advance(&drops).unwrap_err().to_string();
        assert!(error.contains("drops an answer"), "{error}");
    }
}
