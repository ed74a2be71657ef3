//! Models that other programs have put on this disk: the Hugging Face cache, Ollama's store, LM Studio's folders. They are
//! found where they lie and used in place. What is downloaded or removed (`hub`) is in the Hugging Face cache.

use super::seedling;
use crate::hub::cache::UNFINISHED;
use percept::weights::{Checkpoint, Fields};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where Ollama keeps models when it runs as a service of a Linux system.
const OLLAMA_SERVICE: &str = "/usr/share/ollama/.ollama/models";
/// What Ollama does not say of a name.
const OLLAMA_HOSTS: [&str; 2] = ["registry.ollama.ai", "ollama.com"];
const OLLAMA_NAMESPACE: &str = "library";
const OLLAMA_MODEL: &str = "application/vnd.ollama.image.model";
/// Bytes of the longest manifest, ref or settings file that is read; real ones have a few thousand.
const LONGEST: u64 = 1 << 20;
/// Folders below a place are looked through this deep: publisher, model, variant, and one to spare.
const DEPTH: usize = 4;

/// Whose store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// Part of this program; see [`seedling`].
    BuiltIn,
    /// `models--ORG--NAME/snapshots/REVISION`.
    HuggingFace,
    /// Manifests and blobs.
    Ollama,
    /// `PUBLISHER/MODEL/FILE.gguf`.
    LmStudio,
}

impl Store {
    /// All of them.
    pub const ALL: [Store; 4] = [Store::BuiltIn, Store::HuggingFace, Store::Ollama, Store::LmStudio];

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Store::BuiltIn => "built in",
            Store::HuggingFace => "Hugging Face",
            Store::Ollama => "Ollama",
            Store::LmStudio => "LM Studio",
        }
    }

    /// In front of a name: `hf:google/gemma-3-270m`.
    pub fn prefix(self) -> &'static str {
        match self {
            Store::BuiltIn => "percept",
            Store::HuggingFace => "hf",
            Store::Ollama => "ollama",
            Store::LmStudio => "lmstudio",
        }
    }
}

/// A model on this disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// As its store calls it.
    pub name: String,
    /// Whose it is.
    pub store: Store,
    /// The checkpoint folder or GGUF file; of a broken one what should be it.
    pub path: PathBuf,
    /// Bytes of its weights.
    pub bytes: u64,
    /// What the checkpoint calls itself, where that is known.
    pub architecture: Option<String>,
    /// How it can be used.
    pub state: State,
}

/// How a model can be used.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Nothing speaks against it.
    Usable,
    /// It is whole, but of a family that cannot be run.
    Unsupported,
    /// Its download was begun and is not finished.
    Unfinished,
    /// Something is missing or damaged.
    Broken(String),
}

impl Found {
    /// What is wrong with it and what to do.
    pub fn problem(&self) -> Option<String> {
        match &self.state {
            State::Usable | State::Unsupported => None,
            State::Unfinished => {
                Some(format!("its download is not finished; `percept models pull {}` goes on with it", self.name))
            }
            State::Broken(problem) => Some(problem.clone()),
        }
    }
}

/// The folders in which stores are.
#[derive(Clone, Debug, PartialEq)]
pub struct Places(Vec<(Store, PathBuf)>);

/// What was found.
#[derive(Debug)]
pub struct Findings {
    /// In the order of stores, then of names.
    pub models: Vec<Found>,
    /// Places that are there but cannot be read.
    pub unreadable: Vec<String>,
}

impl Places {
    /// As the variables of the stores and the home folder have it.
    pub fn of_this_user() -> Places {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Places::new(&variable, std::env::home_dir().as_deref())
    }

    fn new(variable: &dyn Fn(&str) -> Option<PathBuf>, home: Option<&Path>) -> Places {
        let in_home = |folder: &str| home.map(|home| home.join(folder));
        let hub = variable("HF_HUB_CACHE")
            .or_else(|| variable("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(variable("HF_HOME")?.join("hub")))
            .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("huggingface/hub")))
            .or_else(|| in_home(".cache/huggingface/hub"));
        let mut places: Vec<(Store, PathBuf)> = hub.into_iter().map(|path| (Store::HuggingFace, path)).collect();
        match variable("OLLAMA_MODELS") {
            Some(path) => places.push((Store::Ollama, path)),
            None => {
                places.extend(in_home(".ollama/models").map(|path| (Store::Ollama, path)));
                places.push((Store::Ollama, OLLAMA_SERVICE.into()));
            }
        }
        // LM Studio moves its home, and in its settings the folder of models.
        let pointed = in_home(".lmstudio-home-pointer").and_then(|file| text(&file).ok()).map(|to| to.trim().into());
        let homes: Vec<PathBuf> =
            [pointed, in_home(".lmstudio"), in_home(".cache/lm-studio")].into_iter().flatten().collect();
        for home in homes {
            let settings = json(&home.join("settings.json")).ok();
            let moved = settings.and_then(|settings| Some(PathBuf::from(settings["downloadsFolder"].as_str()?)));
            places.extend([Some(home.join("models")), moved].into_iter().flatten().map(|path| (Store::LmStudio, path)));
        }
        let mut seen = BTreeSet::new();
        places.retain(|(_, path)| path.is_absolute() && seen.insert(path.canonicalize().unwrap_or(path.clone())));
        Places(places)
    }

    /// The Hugging Face cache.
    pub fn hub(&self) -> Option<&Path> {
        self.0.iter().find(|(store, _)| *store == Store::HuggingFace).map(|(_, path)| path.as_path())
    }

    /// Every folder that is looked through.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(_, path)| path.as_path())
    }

    /// Looks through all of them.
    pub fn find(&self) -> Findings {
        let mut findings = Findings { models: built_in().into_iter().collect(), unreadable: Vec::new() };
        for (store, place) in &self.0 {
            let models = match fs::read_dir(place) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => {
                    findings.unreadable.push(format!("{} cannot be read: {e}", place.display()));
                    continue;
                }
                Ok(_) => match store {
                    // It is in no folder until it is used.
                    Store::BuiltIn => Vec::new(),
                    Store::HuggingFace => hub(place),
                    Store::Ollama => ollama(place),
                    Store::LmStudio => {
                        let mut models = Vec::new();
                        scan(*store, place, "", DEPTH, &mut models);
                        models
                    }
                },
            };
            findings.models.extend(models);
        }
        findings.models.sort_by(|a, b| (a.store, &a.name).cmp(&(b.store, &b.name)));
        findings
    }
}

/// The model that is part of this program.
fn built_in() -> Option<Found> {
    let path = seedling::place().filter(|_| seedling::is_here())?;
    Some(Found {
        name: seedling::NAME.into(),
        store: Store::BuiltIn,
        path,
        bytes: seedling::bytes(),
        architecture: Some(seedling::ARCHITECTURE.into()),
        state: State::Usable,
    })
}

/// Names of what is in a folder, sorted; of one that cannot be read nothing.
fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn json(path: &Path) -> Result<Value, String> {
    let text = text(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{} is no JSON: {e}", path.display()))
}

fn broken(store: Store, name: String, path: PathBuf, problem: String) -> Found {
    unusable(store, name, path, State::Broken(problem))
}

fn unusable(store: Store, name: String, path: PathBuf, state: State) -> Found {
    Found { name, store, path, bytes: 0, architecture: None, state }
}

// The Hugging Face cache.

fn hub(place: &Path) -> Vec<Found> {
    let mut models = Vec::new();
    for entry in entries(place) {
        let Some(name) = entry.strip_prefix("models--") else { continue };
        let name = name.replacen("--", "/", 1);
        let folder = place.join(&entry);
        match snapshot(&folder) {
            Err(problem) => {
                let begun = |entry: &String| entry.ends_with(UNFINISHED);
                let state = match entries(&folder.join("blobs")).iter().any(begun) {
                    true => State::Unfinished,
                    false => State::Broken(problem),
                };
                models.push(unusable(Store::HuggingFace, name, folder, state));
            }
            Ok(snapshot) => {
                let before = models.len();
                scan(Store::HuggingFace, &snapshot, &name, DEPTH, &mut models);
                if models.len() == before {
                    let problem =
                        "no weights of a kind that can be read: neither config.json with safetensors nor GGUF";
                    models.push(broken(Store::HuggingFace, name, snapshot, problem.into()));
                }
            }
        }
    }
    models
}

/// The folder of the revision that `main` is, or of the newest one.
fn snapshot(folder: &Path) -> Result<PathBuf, String> {
    let snapshots = folder.join("snapshots");
    match text(&folder.join("refs/main")) {
        Ok(revision) => {
            let revision = revision.trim();
            let plain = !revision.is_empty() && revision.chars().all(|c| c.is_ascii_alphanumeric());
            let snapshot = snapshots.join(revision);
            match plain && snapshot.is_dir() {
                true => Ok(snapshot),
                false => Err(format!("refs/main names {revision:?}, which is not in snapshots; download it again")),
            }
        }
        Err(_) => {
            let all = entries(&snapshots).into_iter().map(|name| snapshots.join(name)).filter(|path| path.is_dir());
            let newest = all.max_by_key(|path| path.metadata().and_then(|metadata| metadata.modified()).ok());
            newest.ok_or_else(|| "no revision was downloaded".into())
        }
    }
}

// Folders of folders and files.

/// Adds the checkpoint that `folder` is, and the checkpoints and GGUF files in it.
fn scan(store: Store, folder: &Path, name: &str, depth: usize, models: &mut Vec<Found>) {
    let names = entries(folder);
    let ends = |name: &str, ending: &str| Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
    if names.iter().any(|name| name == "config.json") && names.iter().any(|name| ends(name, "safetensors")) {
        models.push(checkpoint(store, folder, name.to_string(), &names));
    }
    let below = |entry: &str| if name.is_empty() { entry.to_string() } else { format!("{name}/{entry}") };
    for entry in &names {
        let path = folder.join(entry);
        if ends(entry, "gguf") {
            // Projectors of pictures lie beside their model.
            if !entry.to_lowercase().contains("mmproj") {
                models.extend(gguf(store, &path, below(entry)));
            }
        } else if depth > 0 && !entry.starts_with('.') && path.is_dir() {
            scan(store, &path, &below(entry), depth - 1, models);
        }
    }
}

fn checkpoint(store: Store, folder: &Path, name: String, names: &[String]) -> Found {
    let architecture =
        Fields::open(&folder.join("config.json")).and_then(|config| Ok(config.string("model_type")?.to_string())).ok();
    let weights = names.iter().filter(|name| name.ends_with(".safetensors"));
    let bytes = weights.filter_map(|name| folder.join(name).metadata().ok()).map(|metadata| metadata.len()).sum();
    Found { name, store, path: folder.into(), bytes, architecture, state: state(Checkpoint::open(folder)) }
}

/// How an opened checkpoint can be used.
fn state(opened: percept::Result<Checkpoint>) -> State {
    match opened.and_then(|checkpoint| percept::models::family(&checkpoint)) {
        Ok(_) => State::Usable,
        Err(percept::Error::UnsupportedModel { .. }) => State::Unsupported,
        Err(error) => State::Broken(error.to_string()),
    }
}

/// A GGUF file; of a split one all parts under the name of the first, and nothing for the others.
fn gguf(store: Store, path: &Path, name: String) -> Option<Found> {
    let parts = parts(path)?;
    let mut bytes = 0;
    for part in &parts {
        match gguf_len(part) {
            Ok(len) => bytes += len,
            Err(problem) => return Some(broken(store, name, path.into(), problem)),
        }
    }
    Some(described(store, name, path.into(), bytes))
}

/// A GGUF file as it describes itself.
fn described(store: Store, name: String, path: PathBuf, bytes: u64) -> Found {
    let opened = Checkpoint::open(&path);
    let file = opened.as_ref().ok().and_then(Checkpoint::gguf);
    let architecture = file.and_then(|file| Some(file.architecture().ok()?.to_string()));
    Found { name, store, path, bytes, architecture, state: state(opened) }
}

/// All files of a model: `NAME-00001-of-00003.gguf` has two more. `None` for those that follow a first one.
pub fn parts(path: &Path) -> Option<Vec<PathBuf>> {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let split = || {
        let (before, count) = stem.rsplit_once("-of-")?;
        let (base, index) = before.rsplit_once('-')?;
        let number = |text: &str| text.parse::<usize>().ok().filter(|_| text.len() == 5);
        Some((base, number(index)?, number(count)?))
    };
    match split() {
        None | Some((_, _, 0 | 1)) => Some(vec![path.into()]),
        Some((base, 1, count)) => {
            let part = |index| path.with_file_name(format!("{base}-{index:05}-of-{count:05}.gguf"));
            Some((1..=count).map(part).collect())
        }
        Some(_) => None,
    }
}

/// Length of a file that begins as GGUF files do.
fn gguf_len(path: &Path) -> Result<u64, String> {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| {
        file.read_exact(&mut magic)?;
        Ok(file.metadata()?.len())
    });
    match read {
        Ok(len) if &magic == b"GGUF" => Ok(len),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(format!("{} is missing", path.display())),
        Err(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
            Err(format!("{} cannot be read: {e}", path.display()))
        }
        _ => Err(format!("{} is no GGUF file", path.display())),
    }
}

// Ollama's store.

fn ollama(place: &Path) -> Vec<Found> {
    let mut models: Vec<Found> = Vec::new();
    // Newer versions keep manifests in a second folder.
    for manifests in entries(place).into_iter().filter(|name| name.starts_with("manifest")) {
        let mut folders = vec![(place.join(manifests), Vec::new())];
        while let Some((folder, above)) = folders.pop() {
            for entry in entries(&folder).into_iter().filter(|entry| !entry.starts_with('.')) {
                let path = folder.join(&entry);
                let names: Vec<String> = above.iter().cloned().chain([entry]).collect();
                if path.is_dir() && names.len() <= DEPTH {
                    folders.push((path, names));
                } else if path.is_file()
                    && let Some(name) = ollama_name(&names)
                    && models.iter().all(|model| model.name != name)
                {
                    models.push(manifest(place, &path, name));
                }
            }
        }
    }
    models
}

/// `[NAMESPACE/]MODEL:TAG`, with the host before it if it is not Ollama's own.
fn ollama_name(names: &[String]) -> Option<String> {
    let [host, above @ .., model, tag] = names else { return None };
    let own = OLLAMA_HOSTS.contains(&host.as_str());
    let above: Vec<&str> = match above {
        [namespace] if own && namespace == OLLAMA_NAMESPACE => Vec::new(),
        _ if own => above.iter().map(String::as_str).collect(),
        _ => [host].into_iter().chain(above).map(String::as_str).collect(),
    };
    let above = above.into_iter().map(|name| format!("{name}/")).collect::<String>();
    Some(format!("{above}{model}:{tag}"))
}

fn manifest(place: &Path, path: &Path, name: String) -> Found {
    match blob(place, path) {
        Ok((blob, bytes)) => described(Store::Ollama, name, blob, bytes),
        Err(problem) => broken(Store::Ollama, name, path.into(), problem),
    }
}

/// The file of the model that a manifest names, and its length.
fn blob(place: &Path, path: &Path) -> Result<(PathBuf, u64), String> {
    let manifest = json(path)?;
    let layers = manifest["layers"].as_array().ok_or("its manifest has no layers")?;
    let layer = layers.iter().find(|layer| layer["mediaType"] == OLLAMA_MODEL);
    let layer = layer.ok_or("its manifest names no GGUF model (it may run elsewhere, or be of another kind)")?;
    let digest = layer["digest"].as_str().unwrap_or_default();
    // Nothing else may become part of a path.
    let hash = digest
        .strip_prefix("sha256:")
        .filter(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let hash = hash.ok_or_else(|| format!("its manifest has {digest:?} where a sha256 digest should be"))?;
    let blob = place.join("blobs").join(format!("sha256-{hash}"));
    let bytes = gguf_len(&blob)?;
    match layer["size"].as_u64() {
        Some(size) if size != bytes => {
            Err(format!("{} has {bytes} bytes, its manifest says {size}; pull it again", blob.display()))
        }
        _ => Ok((blob, bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_variables_of_the_stores() {
        let home = std::env::temp_dir().join("nobody");
        let at = |path: &str| home.join(path);
        let of = |set: &[(&str, PathBuf)]| {
            let variable = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, path)| path.clone());
            Places::new(&variable, Some(&home)).0.into_iter().map(|(_, path)| path).collect::<Vec<_>>()
        };
        let usual = of(&[]);
        let rest = [".ollama/models", ".lmstudio/models", ".cache/lm-studio/models"].map(at);
        assert_eq!(usual[..2], [at(".cache/huggingface/hub"), rest[0].clone()]);
        assert!(usual.contains(&rest[1]) && usual.contains(&rest[2]));
        for (name, path, hub) in [
            ("XDG_CACHE_HOME", "xdg", "xdg/huggingface/hub"),
            ("HF_HOME", "hf", "hf/hub"),
            ("HUGGINGFACE_HUB_CACHE", "old", "old"),
            ("HF_HUB_CACHE", "cache", "cache"),
        ] {
            assert_eq!(of(&[(name, at(path))])[0], at(hub), "{name}");
        }
        assert_eq!(of(&[("HF_HUB_CACHE", at("a")), ("HF_HOME", at("b")), ("XDG_CACHE_HOME", at("c"))])[0], at("a"));
        let moved = of(&[("OLLAMA_MODELS", at("elsewhere"))]);
        assert!(moved.contains(&at("elsewhere")) && !moved.contains(&rest[0]) && moved.len() == usual.len() - 1);
    }

    #[test]
    fn parts_of_split_files() {
        let of = |name: &str| {
            let name_of = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
            parts(Path::new(name)).map(|parts| parts.into_iter().map(name_of).collect::<Vec<_>>())
        };
        assert_eq!(of("m.gguf").unwrap(), ["m.gguf"]);
        assert_eq!(of("m-00001-of-00002.gguf").unwrap(), ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]);
        assert_eq!(of("m-00002-of-00002.gguf"), None);
        assert_eq!(of("m-00001-of-00001.gguf").unwrap(), ["m-00001-of-00001.gguf"]);
        assert_eq!(of("one-of-many.gguf").unwrap(), ["one-of-many.gguf"]);
    }

    #[test]
    fn names_of_ollama() {
        let of = |names: &[&str]| ollama_name(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(of(&["registry.ollama.ai", "library", "gemma3", "270m"]).unwrap(), "gemma3:270m");
        assert_eq!(of(&["registry.ollama.ai", "acme", "tiny", "latest"]).unwrap(), "acme/tiny:latest");
        assert_eq!(of(&["hf.co", "acme", "tiny-GGUF", "Q4_K_M"]).unwrap(), "hf.co/acme/tiny-GGUF:Q4_K_M");
        assert_eq!((of(&["registry.ollama.ai", "stray"]), of(&["stray"])), (None, None));
    }
}
