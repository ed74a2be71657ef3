//! What a person has set, as JSON beside the conversations.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Which microphone, speaker or camera.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<String>", into = "Option<String>")]
pub enum Device {
    /// The one that the system chooses.
    #[default]
    Default,
    /// None.
    Off,
    /// The one with this identifier.
    Id(String),
}

impl From<Option<String>> for Device {
    fn from(text: Option<String>) -> Device {
        match text {
            None => Device::Default,
            Some(text) if text == "off" => Device::Off,
            Some(id) => Device::Id(id),
        }
    }
}

impl From<Device> for Option<String> {
    fn from(device: Device) -> Option<String> {
        match device {
            Device::Default => None,
            Device::Off => Some("off".into()),
            Device::Id(id) => Some(id),
        }
    }
}

/// How a person takes the turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Talk {
    /// By speaking.
    #[default]
    HandsFree,
    /// By holding a key.
    PushToTalk,
}

/// The colours of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// As the system has them.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// All that can be set. What a newer program has set besides is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What is listened to.
    pub microphone: Device,
    /// What speaks.
    pub speaker: Device,
    /// What sees; nothing until a person wants it.
    pub camera: Device,
    /// Answers are spoken.
    pub speak: bool,
    /// The voice; the system's if not given.
    pub voice: Option<String>,
    /// 0.5 to 2 times as fast as the voice speaks by itself.
    pub voice_speed: f32,
    /// How a person takes the turn.
    pub talk: Talk,
    /// Silence after which somebody has ended speaking; 100 to 5,000.
    pub hangover_ms: u32,
    /// Voice after which somebody has begun to speak; 10 to 1,000.
    pub onset_ms: u32,
    /// Voice after which an answer is interrupted; 10 to 2,000.
    pub barge_in_ms: u32,
    /// 0 to 100; as the model's publisher gives it if not given, as the next two.
    pub temperature: Option<f32>,
    /// 0 to 1.
    pub top_p: Option<f32>,
    /// The likeliest tokens; 0 for all.
    pub top_k: Option<u32>,
    /// Most tokens of an answer, from 1; as many as the context holds if not given.
    pub max_tokens: Option<usize>,
    /// The model thinks before it answers, if it can.
    pub thinking: bool,
    /// The model; the built-in one if not given.
    pub model: Option<String>,
    /// Tokens that a conversation holds; as the model has it if not given.
    pub context: Option<usize>,
    /// Colours.
    pub theme: Theme,
    /// 0.5 to 3: size of letters and of all else.
    pub zoom: f32,
    /// Keys that are other than those of the program, by the name of what they do.
    pub keys: BTreeMap<String, String>,
    /// What this program does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            microphone: Device::Default,
            speaker: Device::Default,
            camera: Device::Off,
            speak: true,
            voice: None,
            voice_speed: 1.0,
            talk: Talk::HandsFree,
            hangover_ms: 700,
            onset_ms: 100,
            barge_in_ms: 250,
            temperature: None,
            top_p: None,
            top_k: None,
            max_tokens: None,
            thinking: false,
            model: None,
            context: None,
            theme: Theme::System,
            zoom: 1.0,
            keys: BTreeMap::new(),
            other: Map::new(),
        }
    }
}

impl Settings {
    /// Reads the file; without one all is as the program has it. What cannot be understood is put aside in
    /// `settings.broken.json` and told of in the sentence.
    pub fn load(path: &Path) -> (Settings, Option<String>) {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (Settings::default(), None),
            Err(error) => return (Settings::default(), Some(put_aside(path, &error.to_string()))),
        };
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        let fields: Map<String, Value> = match serde_json::from_slice(text) {
            Ok(fields) => fields,
            Err(error) => return (Settings::default(), Some(put_aside(path, &error.to_string()))),
        };
        let (settings, refused) = Settings::of(fields);
        if refused.is_empty() {
            return (settings, None);
        }
        let note = put_aside(path, &format!("not understood: {}; the rest holds", refused.join(", ")));
        // At the next start the rest holds again; if this fails, it holds until then.
        let _ = settings.save(path);
        (settings, Some(note))
    }

    /// Each field by itself, so that one mistake does not take the others along.
    fn of(fields: Map<String, Value>) -> (Settings, Vec<String>) {
        let (mut settings, mut refused) = (Settings::default(), Vec::new());
        let Ok(Value::Object(mut known)) = serde_json::to_value(&settings) else { return (settings, refused) };
        for (name, value) in fields {
            let before = known.insert(name.clone(), value);
            match Settings::deserialize(Value::Object(known.clone())) {
                Ok(read) => settings = read,
                Err(_) => {
                    known.extend(before.map(|before| (name.clone(), before)));
                    refused.push(name);
                }
            }
        }
        settings.limit();
        (settings, refused)
    }

    /// Puts every number into its range.
    fn limit(&mut self) {
        let within = |value: f32, low: f32, high: f32| if value.is_nan() { low } else { value.clamp(low, high) };
        self.voice_speed = within(self.voice_speed, 0.5, 2.0);
        self.zoom = within(self.zoom, 0.5, 3.0);
        self.hangover_ms = self.hangover_ms.clamp(100, 5_000);
        self.onset_ms = self.onset_ms.clamp(10, 1_000);
        self.barge_in_ms = self.barge_in_ms.clamp(10, 2_000);
        self.temperature = self.temperature.map(|value| within(value, 0.0, 100.0));
        self.top_p = self.top_p.map(|value| within(value, 0.0, 1.0));
        self.max_tokens = self.max_tokens.map(|count| count.max(1));
        self.context = self.context.map(|count| count.max(1));
    }

    /// Writes the file as a whole or not at all.
    ///
    /// # Errors
    /// What the system says; the file that was there is as it was.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        // Where the file is a link, the link stays.
        let path = path.canonicalize().unwrap_or(path.into());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut settings = self.clone();
        settings.limit();
        let text = serde_json::to_string_pretty(&settings)? + "\n";
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = write(&beside, text.as_bytes()).and_then(|()| fs::rename(&beside, &path));
        if written.is_err() {
            // It may not be there.
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Moves a file that is not understood out of the way of the next one, and says so.
fn put_aside(path: &Path, problem: &str) -> String {
    let aside = free(path);
    match fs::rename(path, &aside) {
        Ok(()) => format!("{} could not be read ({problem}) and was moved to {}", path.display(), aside.display()),
        Err(error) => {
            format!("{} could not be read ({problem}) nor moved away ({error}): move it by hand", path.display())
        }
    }
}

/// `settings.broken.json`, or with a number if there is one already.
fn free(path: &Path) -> PathBuf {
    let name = |number: usize| match number {
        1 => path.with_extension("broken.json"),
        _ => path.with_extension(format!("broken-{number}.json")),
    };
    (1..).map(name).find(|aside| fs::symlink_metadata(aside).is_err()).unwrap_or(name(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        (folder, path)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    fn some() -> Settings {
        Settings {
            microphone: Device::Id("usb".into()),
            speaker: Device::Off,
            speak: false,
            talk: Talk::PushToTalk,
            temperature: Some(0.5),
            theme: Theme::Dark,
            zoom: 1.25,
            keys: BTreeMap::from([("stop".into(), "Ctrl+S".into())]),
            model: Some("acme/tiny".into()),
            ..Settings::default()
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (folder, path) = place();
        assert_eq!(Settings::load(&path), (Settings::default(), None));
        for settings in [some(), Settings::default()] {
            settings.save(&path).unwrap();
            assert_eq!(Settings::load(&path), (settings, None));
        }
        assert_eq!(names(folder.path()), ["settings.json"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn words_in_the_file_are_plain() {
        let value = serde_json::to_value(some()).unwrap();
        assert_eq!(value["microphone"], "usb");
        assert_eq!(value["speaker"], "off");
        assert_eq!(value["camera"], "off");
        assert_eq!(serde_json::to_value(Device::Default).unwrap(), Value::Null);
        assert_eq!(value["talk"], "push-to-talk");
        assert_eq!(value["theme"], "dark");
        assert_eq!(value.get("other"), None);
    }

    #[test]
    fn what_is_missing_is_as_the_program_has_it_and_what_is_unknown_stays() {
        let (_folder, path) = place();
        fs::write(&path, "\u{feff}{\"speak\": false, \"later\": {\"a\": [1]}}").unwrap();
        let (mut settings, note) = Settings::load(&path);
        assert_eq!(note, None);
        assert!(!settings.speak);
        settings.zoom = 2.0;
        settings.save(&path).unwrap();
        let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(value["later"]["a"][0], 1);
        assert_eq!(value["zoom"], 2.0);
    }

    #[test]
    fn a_broken_file_is_put_aside() {
        let (folder, path) = place();
        for (number, broken) in ["{\"speak\": fal", "", "[]"].into_iter().enumerate() {
            fs::write(&path, broken).unwrap();
            let (settings, note) = Settings::load(&path);
            assert_eq!(settings, Settings::default());
            let end = if number == 0 { String::new() } else { format!("-{}", number + 1) };
            let aside = folder.path().join(format!("settings.broken{end}.json"));
            assert!(note.unwrap().ends_with(&format!(" and was moved to {}", aside.display())));
            assert_eq!(fs::read_to_string(aside).unwrap(), broken);
        }
        let all = ["settings.broken-2.json", "settings.broken-3.json", "settings.broken.json"];
        assert_eq!(names(folder.path()), all);
        assert_eq!(Settings::load(&path), (Settings::default(), None));
    }

    #[test]
    fn one_mistake_leaves_the_other_fields() {
        let (folder, path) = place();
        let text = r#"{"speak": false, "theme": "sepia", "zoom": "big", "voice": "Ada", "later": 1}"#;
        fs::write(&path, text).unwrap();
        let (settings, note) = Settings::load(&path);
        assert_eq!((settings.speak, settings.theme, settings.zoom), (false, Theme::System, 1.0));
        assert_eq!(settings.voice.as_deref(), Some("Ada"));
        let note = note.unwrap();
        assert!(note.contains("(not understood: theme, zoom; the rest holds)"), "{note}");
        assert_eq!(fs::read_to_string(folder.path().join("settings.broken.json")).unwrap(), text);
        // The rest holds at the next start, too, and nothing is told again.
        assert_eq!(Settings::load(&path), (settings, None));
    }

    #[test]
    fn numbers_out_of_range_are_put_into_it() {
        let text =
            r#"{"zoom": 99, "voice_speed": 0, "hangover_ms": 0, "top_p": -1, "max_tokens": 0, "onset_ms": 99999}"#;
        let (settings, refused) = Settings::of(serde_json::from_str(text).unwrap());
        assert_eq!(refused, [""; 0]);
        assert_eq!((settings.zoom, settings.voice_speed, settings.hangover_ms), (3.0, 0.5, 100));
        assert_eq!((settings.top_p, settings.max_tokens, settings.onset_ms), (Some(0.0), Some(1), 1_000));
        let (_folder, path) = place();
        Settings { zoom: f32::NAN, ..Settings::default() }.save(&path).unwrap();
        assert_eq!(Settings::load(&path).0.zoom, 0.5);
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file() {
        let (folder, path) = place();
        some().save(&path).unwrap();
        // A folder stands where the new file would be written.
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        fs::create_dir(&beside).unwrap();
        assert!(Settings::default().save(&path).is_err());
        assert_eq!(Settings::load(&path), (some(), None));
        fs::remove_dir(&beside).unwrap();
        assert_eq!(names(folder.path()), ["settings.json"]);
    }
}
