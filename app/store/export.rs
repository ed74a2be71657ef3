//! A conversation as Markdown, with its pictures and sounds in a folder beside it.

use super::database::{Database, Trouble};
use super::history::{Conversation, Kind, Media, Message, Part, Role, State};
use super::id::Id;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Letters of a title that a file is called by.
const NAME_LETTERS: usize = 60;

impl Database {
    /// Writes a conversation to a new file in `folder` and returns its place. Nothing that is there is written over.
    ///
    /// # Errors
    /// A refusal if the conversation is not there or the folder cannot be written.
    pub fn export(&self, conversation: Id, folder: &Path) -> Result<PathBuf, Trouble> {
        let conversation = self.conversation(conversation)?;
        let failed = |error: io::Error| {
            Trouble::refused(format!("cannot write to {} ({error}): choose another folder", folder.display()))
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let base = name_of(&conversation.summary.title);
        let name = |number: usize| if number == 1 { base.clone() } else { format!("{base} {number}") };
        let is_free = |name: &String| {
            fs::symlink_metadata(folder.join(format!("{name}.md"))).is_err()
                && fs::symlink_metadata(folder.join(name)).is_err()
        };
        let name = (1..).map(name).find(is_free).unwrap_or(base.clone());
        let mut number = 0;
        let mut linked = Vec::new();
        for media in conversation.messages.iter().flat_map(|message| &message.media) {
            let bytes = self.media(media.id)?;
            number += 1;
            let file = file_name(media, number, &bytes);
            write(&folder.join(&name).join(&file), &bytes).map_err(failed)?;
            linked.push((media.id, format!("{name}/{file}")));
        }
        let link = |media: &Media| linked.iter().find(|(id, _)| *id == media.id).map_or("", |(_, link)| link);
        let path = folder.join(format!("{name}.md"));
        write(&path, markdown(&conversation, link).as_bytes()).map_err(failed)?;
        Ok(path)
    }
}

/// A file that was not there.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)
}

/// The text of the file; `link` says where a picture or sound is.
fn markdown<'a>(conversation: &Conversation, link: impl Fn(&Media) -> &'a str) -> String {
    let title = conversation.summary.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = format!("# {}\n", if title.is_empty() { "Conversation" } else { &title });
    for message in &conversation.messages {
        let who = match message.role {
            Role::User => "You",
            Role::Assistant => conversation.summary.model.as_deref().unwrap_or("Percept"),
        };
        text += &format!("\n**{who}**\n");
        if !message.thinking.trim().is_empty() {
            // A line that ends the block would end it for the reader, too.
            let thinking = message.thinking.trim().replace("</details", "&lt;/details");
            text += &format!("\n<details>\n<summary>Thinking</summary>\n\n{thinking}\n\n</details>\n");
        }
        for part in message.parts() {
            match part {
                Part::Text(part) if part.trim().is_empty() => {}
                Part::Text(part) => text += &format!("\n{}\n", part.trim_matches('\n')),
                Part::Media(media) => text += &format!("\n{}\n", linked(media, link(media))),
            }
        }
        text += &ending(message).map(|ending| format!("\n*{ending}*\n")).unwrap_or_default();
    }
    text
}

fn linked(media: &Media, link: &str) -> String {
    let kind = match media.kind {
        Kind::Image => "picture",
        Kind::Audio => "sound",
        Kind::Video => "film",
    };
    let name = media.name.as_deref().map_or(kind.to_string(), |name| name.replace(['[', ']', '\\', '\n'], " "));
    format!("{}[{name}](<{link}>)", if media.kind == Kind::Image { "!" } else { "" })
}

/// How a message ended, if not as it should.
fn ending(message: &Message) -> Option<String> {
    let ending = match message.state {
        State::Whole => return None,
        State::Open => "Not ended",
        State::Interrupted => "Interrupted",
        State::Failed => "Failed",
    };
    Some(message.why.as_ref().map_or(ending.to_string(), |why| format!("{ending}: {why}")))
}

/// A title as a file can be called on every system.
fn name_of(title: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | ',' | '(' | ')' | '\'' | '!');
    let plain: String = title.chars().map(|c| if is_plain(c) { c } else { ' ' }).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = words.chars().take(NAME_LETTERS).collect();
    let name = short.trim().to_string();
    // Windows keeps a few names for devices.
    let is_device = matches!(name.to_ascii_lowercase().as_str(), "con" | "prn" | "aux" | "nul")
        || (name.len() == 4 && ["com", "lpt"].iter().any(|device| name.to_ascii_lowercase().starts_with(device)));
    match name.is_empty() || is_device {
        true => format!("Conversation {name}").trim_end().to_string(),
        false => name,
    }
}

/// `3 cat.jpg`, from the name that it had or from what is in it.
fn file_name(media: &Media, number: usize, bytes: &[u8]) -> String {
    let path = media.name.as_deref().map(Path::new);
    let stem = path.and_then(|path| path.file_stem()).map(|stem| name_of(&stem.to_string_lossy()));
    let ending = path.and_then(|path| path.extension()).map(|ending| ending.to_string_lossy().to_lowercase());
    let ending = ending.filter(|ending| ending.len() <= 5 && ending.chars().all(|c| c.is_ascii_alphanumeric()));
    let ending = ending.unwrap_or_else(|| ending_of(bytes).into());
    let stem = stem.unwrap_or_else(|| {
        match media.kind {
            Kind::Image => "picture",
            Kind::Audio => "sound",
            Kind::Video => "film",
        }
        .into()
    });
    format!("{number} {stem}.{ending}")
}

/// What a file's first bytes say it is.
fn ending_of(bytes: &[u8]) -> &'static str {
    let at = |place: usize, mark: &[u8]| bytes.get(place..).is_some_and(|rest| rest.starts_with(mark));
    let known: [(usize, &[u8], &str); 10] = [
        (0, b"\x89PNG", "png"),
        (0, b"\xff\xd8\xff", "jpg"),
        (0, b"GIF8", "gif"),
        (8, b"WEBP", "webp"),
        (8, b"WAVE", "wav"),
        (0, b"fLaC", "flac"),
        (0, b"OggS", "ogg"),
        (0, b"ID3", "mp3"),
        (4, b"ftyp", "mp4"),
        (0, b"\x1aE\xdf\xa3", "webm"),
    ];
    known.iter().find(|(place, mark, _)| at(*place, mark)).map_or("bin", |(_, _, ending)| ending)
}

#[cfg(test)]
mod tests {
    use super::super::change::{Change, End, File};
    use super::super::made::{database, file, whole};
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn a_conversation_becomes_text_and_files() {
        let (_folder, mut database) = database();
        let talk = database.begin("What is\nthis: a cat/dog?");
        let asked = database.say(talk, Role::User, "What is ");
        database.show(asked, File { name: Some("my [cat].PNG".into()), ..file(Kind::Image, b"picture") });
        database.make(Change::Append { message: asked, text: "this?".into() });
        database.show(asked, file(Kind::Audio, b"RIFF....WAVE"));
        let answered = database.say(talk, Role::Assistant, "A **cat**.\n\n```\ncode\n```\n");
        database.make(Change::Think { message: answered, text: "Ears.\n</details> \n".into() });
        database.make(Change::Finish { message: answered, end: whole() });
        let last = database.say(talk, Role::Assistant, "And");
        let end = End { state: State::Interrupted, why: Some("stopped".into()), ..whole() };
        database.make(Change::Finish { message: last, end });
        let to = tempfile::tempdir().unwrap();
        let folder = to.path().join("below");
        let path = database.export(talk, &folder).unwrap();
        let name = "What is this a cat dog";
        assert_eq!(path, folder.join(format!("{name}.md")));
        let expected = format!(
            "# What is this: a cat/dog?\n\n**You**\n\nWhat is \n\n![my  cat .PNG](<{name}/1 my cat.png>)\n\nthis?\n\n\
             [sound](<{name}/2 sound.wav>)\n\n**Percept**\n\n<details>\n<summary>Thinking</summary>\n\nEars.\n\
             &lt;/details>\n\n</details>\n\nA **cat**.\n\n```\ncode\n```\n\n**Percept**\n\nAnd\n\n\
             *Interrupted: stopped*\n"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::read(folder.join(name).join("1 my cat.png")).unwrap(), b"picture");
        assert_eq!(fs::read(folder.join(name).join("2 sound.wav")).unwrap(), b"RIFF....WAVE");
        // The second time it stands beside the first.
        fs::write(&path, "mine").unwrap();
        database.export(talk, &folder).unwrap();
        let both = [name.to_string(), format!("{name} 2"), format!("{name} 2.md"), format!("{name}.md")];
        assert_eq!(names(&folder), both);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn what_cannot_be_exported_is_told_of() {
        let (folder, mut database) = database();
        let talk = database.begin("");
        let trouble = database.export(talk, database.path()).unwrap_err();
        assert!(trouble.is_refusal() && trouble.to_string().ends_with(": choose another folder"), "{trouble}");
        let trouble = database.export(Id::fresh(), folder.path()).unwrap_err();
        assert_eq!(trouble.to_string(), "this conversation was deleted: choose another one");
        assert_eq!(database.export(talk, folder.path()).unwrap(), folder.path().join("Conversation.md"));
    }

    #[test]
    fn names_are_those_that_every_system_takes() {
        for (title, name) in [
            ("", "Conversation"),
            ("../..\\etc:*?\"<>|\0", "etc"),
            ("  Grüße, 世界!  ", "Grüße, 世界!"),
            ("con", "Conversation con"),
            ("COM1", "Conversation COM1"),
            ("a\n# b", "a b"),
        ] {
            assert_eq!(name_of(title), name, "{title:?}");
        }
        assert_eq!(name_of(&"ä".repeat(200)).chars().count(), NAME_LETTERS);
    }

    #[test]
    fn files_are_called_by_their_name_or_content() {
        let media = |name: Option<&str>| Media {
            id: Id::fresh(),
            kind: Kind::Image,
            at: 0,
            name: name.map(String::from),
            width: None,
            height: None,
            seconds: None,
            bytes: 0,
        };
        for (name, bytes, expected) in [
            (None, &b"\x89PNG\r\n"[..], "1 picture.png"),
            (None, b"\xff\xd8\xff\xe0", "1 picture.jpg"),
            (None, b"RIFF1234WEBPVP8", "1 picture.webp"),
            (None, b"", "1 picture.bin"),
            (Some("a.b.JPG"), b"", "1 a b.jpg"),
            (Some("../../x"), b"GIF89a", "1 x.gif"),
            (Some("x.p/ng"), b"GIF89a", "1 ng.gif"),
            (Some("x.s\u{202e}h"), b"GIF89a", "1 x.gif"),
        ] {
            assert_eq!(file_name(&media(name), 1, bytes), expected, "{name:?}");
        }
    }
}
