//! The chat template of a checkpoint, rendered as Hugging Face's `apply_chat_template` renders it.

use super::special::special_tokens;
use super::{Tokenizer, python};
use crate::error::{Error, Result};
use crate::weights::{Fields, GgufFile, read_limited};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes of the longest template read; published ones have up to 20 kB.
const LONGEST_TEMPLATE: u64 = 4 << 20;

/// Work allowed to a rendering: about as many instructions, or 64 times as many bytes.
const FUEL: u64 = 4_000_000;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// "system", "user", "assistant", …
    pub role: String,
    /// What is said.
    pub content: Content,
}

/// What a message holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text alone.
    Text(String),
    /// Text and media in the order given.
    Parts(Vec<PartText>),
}

/// A part of a message as a template sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartText {
    /// "text", "image", "audio" or "video".
    pub kind: String,
    /// The text of a "text" part; the others have none.
    pub text: String,
}

/// A chat template, compiled.
pub struct Template {
    path: PathBuf,
    environment: Environment<'static>,
    special_tokens: BTreeMap<String, String>,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Template {
    /// Reads the template of a checkpoint folder: `chat_template.jinja`, else `chat_template.json`, else `chat_template`
    /// in `tokenizer_config.json`; of several named ones the one called "default". `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Template`] if it cannot be compiled; [`Error::Json`] and [`Error::Config`] for the files around it.
    pub fn open(folder: &Path) -> Result<Option<Template>> {
        let Some((path, source)) = find(folder)? else {
            return Ok(None);
        };
        Template::new(&path, &source, special_tokens(folder)?).map(Some)
    }

    /// The `tokenizer.chat_template` of a GGUF file, if it has one; `tokenizer` is that of the file.
    ///
    /// # Errors
    /// [`Error::Config`] if it is no text or cannot be compiled.
    pub fn from_gguf(file: &GgufFile, tokenizer: &Tokenizer) -> Result<Option<Template>> {
        let key = "tokenizer.chat_template";
        let Some(source) = file.metadata().optional_string(key)? else {
            return Ok(None);
        };
        let template = Template::new(file.path(), source, tokenizer.special_tokens().clone());
        template.map(Some).map_err(|e| match e {
            Error::Template { problem, .. } => file.metadata().error(key, format!("cannot be used: {problem}")),
            other => other,
        })
    }

    /// Compiles a template that is already in memory; `path` is named in errors, `special_tokens` are in its scope.
    ///
    /// # Errors
    /// [`Error::Template`] if it cannot be compiled.
    pub fn new(path: &Path, source: &str, special_tokens: BTreeMap<String, String>) -> Result<Template> {
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let syntax = syntax.map_err(|e| describe(path, &e))?;
        let mut environment = Environment::new();
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(false);
        python::add_to(&mut environment);
        environment
            .add_template_owned(NAME, python::without_generation_tags(source))
            .map_err(|e| describe(path, &e))?;
        Ok(Template { path: path.into(), environment, special_tokens })
    }

    /// The file it comes from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The prompt of a conversation. `extra` are further variables of the template (`enable_thinking`, `tools`, …); they
    /// win over the special tokens, which are in scope under their roles.
    ///
    /// # Errors
    /// [`Error::Template`] if the template fails, refuses the conversation, or does not come to an end.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        extra: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<String> {
        self.render_values(messages.iter().map(message_value).collect(), add_generation_prompt, extra)
    }

    /// As [`Template::render`] for messages as JSON, which may carry tool calls and whatever else the template reads.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_json(
        &self,
        messages: &[serde_json::Value],
        add_generation_prompt: bool,
        extra: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<String> {
        self.render_values(messages.iter().map(python::to_value).collect(), add_generation_prompt, extra)
    }

    fn render_values(
        &self,
        messages: Value,
        add_generation_prompt: bool,
        extra: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<String> {
        let mut scope: BTreeMap<&str, Value> = BTreeMap::new();
        for absent in ["tools", "documents"] {
            scope.insert(absent, Value::from(()));
        }
        for (role, token) in &self.special_tokens {
            scope.insert(role, Value::from(token.as_str()));
        }
        for (name, value) in extra {
            scope.insert(name, python::to_value(value));
        }
        scope.insert("messages", messages);
        scope.insert("add_generation_prompt", Value::from(add_generation_prompt));
        let scope = Value::from_pairs(scope);
        let template = self.environment.get_template(NAME).map_err(|e| describe(&self.path, &e))?;
        template.render(scope).map_err(|e| describe(&self.path, &e))
    }
}

/// The name under which the environment knows the template.
const NAME: &str = "chat";

fn message_value(message: &Message) -> Value {
    let content = match &message.content {
        Content::Text(text) => Value::from(text.as_str()),
        Content::Parts(parts) => parts.iter().map(part_value).collect(),
    };
    Value::from_pairs([("role", Value::from(message.role.as_str())), ("content", content)])
}

fn part_value(part: &PartText) -> Value {
    let kind = ("type", Value::from(part.kind.as_str()));
    match part.kind.as_str() {
        "text" => Value::from_pairs([kind, ("text", Value::from(part.text.as_str()))]),
        _ => Value::from_pairs([kind]),
    }
}

fn find(folder: &Path) -> Result<Option<(PathBuf, String)>> {
    let path = folder.join("chat_template.jinja");
    if path.exists() {
        let bytes = read_limited(&path, LONGEST_TEMPLATE)?;
        let source = String::from_utf8(bytes).map_err(|e| Error::Template {
            path: path.clone(),
            problem: format!("no text: byte {} is not UTF-8", e.utf8_error().valid_up_to()),
        })?;
        return Ok(Some((path, source)));
    }
    for file in ["chat_template.json", "tokenizer_config.json"] {
        let path = folder.join(file);
        if !path.exists() {
            continue;
        }
        let fields = Fields::open(&path)?;
        let source = match fields.value("chat_template") {
            None => continue,
            Some(serde_json::Value::String(source)) => source.clone(),
            Some(serde_json::Value::Array(named)) => {
                let default = named.iter().find(|one| one["name"] == "default");
                let source = default.and_then(|one| one["template"].as_str());
                source.ok_or_else(|| fields.error("chat_template", "names no template \"default\""))?.into()
            }
            Some(_) => return Err(fields.error("chat_template", "is neither a string nor a list of named templates")),
        };
        return Ok(Some((path, source)));
    }
    Ok(None)
}

/// What went wrong in one sentence.
fn describe(path: &Path, error: &minijinja::Error) -> Error {
    let refuse = |problem: String| Error::Template { path: path.into(), problem };
    let mut innermost = error;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(at) = cause {
        if let Some(python::Raised(message)) = at.downcast_ref() {
            return refuse(format!("the template refuses this conversation: {message}"));
        }
        if let Some(inner) = at.downcast_ref::<minijinja::Error>() {
            innermost = inner;
        }
        cause = at.source();
    }
    let at = innermost.line().or(error.line()).map(|line| format!(" in line {line}")).unwrap_or_default();
    if innermost.kind() == ErrorKind::OutOfFuel {
        return refuse(format!(
            "the template did not come to an end{at}: it loops or builds too long a text; use the published one"
        ));
    }
    let detail = innermost.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    refuse(format!("the template fails{at}: {}{detail}", innermost.kind()))
}
