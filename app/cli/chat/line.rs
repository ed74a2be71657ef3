//! A line of a conversation: something said, or a command.

use crate::cli::failure::Usage;
use crate::cli::parts::Kind;
use std::path::PathBuf;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// An empty one: an answer to the files given so far.
    Nothing,
    /// Something said.
    Say(String),
    /// `/image`, `/audio`, `/video`.
    File(Kind, PathBuf),
    /// `/system`, with a new one or without.
    System(Option<String>),
    /// `/save`.
    Save(PathBuf),
    /// `/model`.
    Model(PathBuf),
    /// `/retry`.
    Retry,
    /// `/undo`.
    Undo,
    /// `/context`.
    Context,
    /// `/help`.
    Help,
    /// `/quit`.
    Quit,
}

/// Commands with what follows them and what they do.
pub const COMMANDS: [(&str, &str, &str); 11] = [
    ("/image", "FILE", "show a picture"),
    ("/audio", "FILE", "let it hear a recording"),
    ("/video", "FILE", "show a video"),
    ("/retry", "", "take the last answer back and give another one"),
    ("/undo", "", "take back the last file, or the last question with its answer"),
    ("/system", "TEXT", "begin anew with this system message; without TEXT, tell the present one"),
    ("/model", "MODEL", "begin anew with another model"),
    ("/context", "", "how full the context is"),
    ("/save", "FILE", "write the conversation as Markdown, or JSON lines if FILE ends in .jsonl"),
    ("/help", "", "this list"),
    ("/quit", "", "end; so does Ctrl-D"),
];

/// # Errors
/// An unknown command, or one with too little or too much behind it.
pub fn parse(line: &str) -> Result<Line, Usage> {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Ok(Line::Nothing);
    }
    if let Some(said) = trimmed.strip_prefix("//") {
        return Ok(Line::Say(format!("/{said}")));
    }
    if !trimmed.starts_with('/') {
        return Ok(Line::Say(trimmed.into()));
    }
    let (name, rest) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
    let rest = rest.trim();
    let path = || match rest {
        "" => Err(Usage(format!("{name} needs a {}: {name} {}", argument(name).to_lowercase(), argument(name)))),
        _ => Ok(path_of(rest)),
    };
    let alone = |line: Line| match rest {
        "" => Ok(line),
        _ => Err(Usage(format!("{name} takes nothing behind it, found \"{rest}\""))),
    };
    match name {
        "/image" => Ok(Line::File(Kind::Image, path()?)),
        "/audio" => Ok(Line::File(Kind::Audio, path()?)),
        "/video" => Ok(Line::File(Kind::Video, path()?)),
        "/system" => Ok(Line::System((!rest.is_empty()).then(|| rest.to_string()))),
        "/save" => Ok(Line::Save(path()?)),
        "/model" => Ok(Line::Model(path()?)),
        "/retry" => alone(Line::Retry),
        "/undo" => alone(Line::Undo),
        "/context" => alone(Line::Context),
        "/help" => alone(Line::Help),
        "/quit" | "/exit" => alone(Line::Quit),
        _ => Err(Usage(format!(
            "{name} is no command; /help lists them, and // at the front says a line that begins with /"
        ))),
    }
}

fn argument(name: &str) -> &'static str {
    COMMANDS.iter().find(|(command, ..)| *command == name).map_or("FILE", |(_, argument, _)| argument)
}

/// A path as people type it, paste it or drop it into a terminal: in quotes, with `\ ` for a space, or from `~`.
fn path_of(text: &str) -> PathBuf {
    let quoted = ['"', '\''].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q));
    let plain = match quoted {
        Some(inside) => inside.to_string(),
        None if cfg!(windows) => text.to_string(),
        None => unescaped(text),
    };
    match (plain.strip_prefix("~/"), dirs::home_dir()) {
        (Some(rest), Some(home)) if quoted.is_none() => home.join(rest),
        _ => PathBuf::from(plain),
    }
}

/// Without the backslashes that shells put before signs.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let file = |path: &str| Line::File(Kind::Image, path.into());
        for (text, line) in [
            ("", Line::Nothing),
            ("  ", Line::Nothing),
            (" hello  there ", Line::Say("hello  there".into())),
            ("//etc is a folder", Line::Say("/etc is a folder".into())),
            ("/image a b.png", file("a b.png")),
            ("/image 'a b.png'", file("a b.png")),
            ("/image \"it's.png\"", file("it's.png")),
            ("/image /x/a\\ b\\'.png ", file("/x/a b'.png")),
            ("/system", Line::System(None)),
            ("/system Be brief.", Line::System(Some("Be brief.".into()))),
            ("/undo", Line::Undo),
        ] {
            assert_eq!(parse(text).unwrap(), line, "{text}");
        }
        let home = dirs::home_dir().unwrap();
        assert_eq!(parse("/image ~/a.png").unwrap(), Line::File(Kind::Image, home.join("a.png")));
    }

    #[test]
    fn wrong_commands_are_explained() {
        for (text, part) in [
            ("/imge a.png", "/imge is no command"),
            ("/image", "/image needs a file: /image FILE"),
            ("/model", "/model needs a model: /model MODEL"),
            ("/undo 3", "/undo takes nothing behind it"),
        ] {
            let problem = parse(text).unwrap_err().to_string();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }

    #[test]
    fn every_command_of_the_list_is_known() {
        for (name, argument, _) in COMMANDS {
            let line = format!("{name} {argument}");
            assert!(parse(&line).is_ok(), "{line}");
        }
    }
}
