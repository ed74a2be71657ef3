//! A checkpoint: a folder with a config and tensors in one file or in shards, or a GGUF file; and the comparison with what
//! a family expects.

use super::fields::Fields;
use super::gguf::GgufFile;
use super::json::{json_object, parse_json, read_limited};
use super::packed::Packed;
use super::safetensors::{Entry, SafetensorsFile, damaged, shorten};
use super::tensor::Tensor;
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

const CONFIG: &str = "config.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Bytes of the longest index read; those of the largest published models have a few megabytes.
const LONGEST_INDEX: u64 = 64 << 20;

/// Names of a kind that an error lists; the rest is counted.
const LISTED: usize = 20;

/// A tensor that a family expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The name of the checkpoint.
    pub name: String,
    /// Row-major, last axis contiguous.
    pub shape: Vec<usize>,
}

impl Expected {
    /// A tensor of that name and shape.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Expected {
        Expected { name: name.into(), shape: shape.into() }
    }
}

/// An open checkpoint: everything about it is checked, nothing of the weights is read yet.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    config: Fields,
    weights: Weights,
    /// What sees and hears for a GGUF file, in a file of its own beside it.
    projector: Option<Box<GgufFile>>,
}

#[derive(Debug)]
enum Weights {
    /// In safetensors files; some matrices may lie packed.
    Safetensors(Shards, Option<Box<Packed>>),
    /// In a GGUF file.
    Gguf(Box<GgufFile>),
}

/// The safetensors files of a folder.
#[derive(Debug)]
pub(super) struct Shards {
    pub(super) folder: PathBuf,
    pub(super) files: Vec<SafetensorsFile>,
    /// Name of a tensor to its file and its place there.
    places: HashMap<String, (usize, usize)>,
}

impl Shards {
    /// The tensor of that name as it is stored.
    pub(super) fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        let (file, place) = *self.places.get(name)?;
        let file = self.files.get(file)?;
        Some(file.tensor(file.entries().get(place)?))
    }
}

impl Checkpoint {
    /// Opens a checkpoint folder, or the folder of its `config.json`, `model.safetensors` or index; or a GGUF file, whatever
    /// its name, or the folder of a single one.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::MissingFile`] if something is not there, [`Error::Json`] for a broken config or index,
    /// [`Error::Damaged`] for weights that contradict themselves or their index.
    pub fn open(path: &Path) -> Result<Checkpoint> {
        if path.is_file() && GgufFile::is_gguf(path) {
            return Checkpoint::of_gguf(path);
        }
        let folder = folder_of(path)?;
        let config = folder.join(CONFIG);
        if !config.exists() {
            return match single_gguf(&folder)? {
                Some(file) => Checkpoint::of_gguf(&file),
                None => Err(Error::MissingFile { folder, file: CONFIG }),
            };
        }
        let config = Fields::open(&config)?;
        let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
        let (files, places) = if single.exists() {
            open_single(&single)?
        } else if index.exists() {
            open_shards(&folder, &index)?
        } else {
            return Err(Error::MissingFile { folder, file: SINGLE });
        };
        let shards = Shards { folder: folder.clone(), files, places };
        let packed = Packed::read(&config, &shards)?.map(Box::new);
        Ok(Checkpoint { folder, config, weights: Weights::Safetensors(shards, packed), projector: None })
    }

    fn of_gguf(path: &Path) -> Result<Checkpoint> {
        let file = GgufFile::open(path)?;
        let config = Fields::new(path, Map::new());
        let projector = match projector_beside(path) {
            Some(beside) => Some(Box::new(GgufFile::open(&beside)?)),
            None => None,
        };
        Ok(Checkpoint { folder: path.into(), config, weights: Weights::Gguf(Box::new(file)), projector })
    }

    /// The folder, or the GGUF file.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The GGUF file, if it is one.
    pub fn gguf(&self) -> Option<&GgufFile> {
        match &self.weights {
            Weights::Gguf(file) => Some(file),
            Weights::Safetensors(..) => None,
        }
    }

    /// The file beside a GGUF file that holds what sees and hears (`mmproj-….gguf`), if there is one.
    pub fn projector(&self) -> Option<&GgufFile> {
        self.projector.as_deref()
    }

    /// `config.json`; empty for a GGUF file, which has [`Metadata`](super::Metadata) instead.
    pub fn config(&self) -> &Fields {
        &self.config
    }

    /// Another JSON file of the folder (`generation_config.json`, `processor_config.json`, …), `None` if it is not there.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Json`] if it is broken.
    pub fn optional_json(&self, file: &str) -> Result<Option<Fields>> {
        let path = self.folder.join(file);
        if self.gguf().is_none() && path.exists() { Fields::open(&path).map(Some) } else { Ok(None) }
    }

    /// The tensor of that name; a matrix that lies packed in several is one.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        match &self.weights {
            Weights::Gguf(file) => file.tensor(name).or_else(|| self.projector.as_ref()?.tensor(name)),
            Weights::Safetensors(shards, Some(packed)) => packed.tensor(name, shards),
            Weights::Safetensors(shards, None) => shards.tensor(name),
        }
    }

    /// All tensors, file by file in the order of their data; a matrix that lies packed is one, in the place of its codes.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        let (shards, packed) = match &self.weights {
            Weights::Safetensors(shards, packed) => (Some(shards), packed.as_ref()),
            Weights::Gguf(_) => (None, None),
        };
        let stored = shards.into_iter().flat_map(move |shards| {
            let seen = move |tensor| match packed {
                Some(packed) => packed.seen(tensor, shards),
                None => Some(tensor),
            };
            shards.files.iter().flat_map(SafetensorsFile::tensors).filter_map(seen)
        });
        stored.chain(self.gguf().into_iter().chain(self.projector()).flat_map(GgufFile::tensors))
    }

    /// Bytes of all tensors.
    pub fn total_bytes(&self) -> u64 {
        self.tensors().map(|tensor| tensor.bytes()).sum()
    }

    /// Compares the tensors with what the config asks for, before anything is uploaded. Tensors for which `ignored` is
    /// true may be there besides.
    ///
    /// # Errors
    /// One [`Error::Tensors`] that names every missing, unexpected and mis-shaped tensor and every one of the wrong dtype.
    pub fn check(&self, expected: &[Expected], ignored: &dyn Fn(&str) -> bool) -> Result<()> {
        let (mut missing, mut shapes, mut dtypes) = (Vec::new(), Vec::new(), Vec::new());
        for Expected { name, shape } in expected {
            let Some(tensor) = self.tensor(name) else {
                missing.push(name.clone());
                continue;
            };
            let packed = match &self.weights {
                Weights::Safetensors(_, packed) => packed.as_ref(),
                Weights::Gguf(_) => None,
            };
            let told = || packed.is_some_and(|packed| packed.tell(name, shape));
            if tensor.shape != shape && !told() {
                shapes.push(format!("{name} has {:?}, expected {shape:?}", tensor.shape));
            }
            if tensor.format().is_none() {
                let blocks = if self.gguf().is_some() { " or a block format" } else { "" };
                dtypes.push(format!("{name} is {}, expected F32, F16 or BF16{blocks}", tensor.dtype));
            }
        }
        let known: HashSet<&str> = expected.iter().map(|expected| expected.name.as_str()).collect();
        let unknown = |name: &str| !known.contains(name) && !ignored(name);
        let extra = self.tensors().map(|tensor| tensor.name).filter(|name| unknown(name)).map(shorten).collect();
        let problems: Vec<String> = [
            ("missing tensors", missing),
            ("unexpected tensors", extra),
            ("wrong shapes", shapes),
            ("wrong dtypes", dtypes),
        ]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", listed(&names)))
        .collect();
        if problems.is_empty() {
            return Ok(());
        }
        let problem = format!(
            "the weights are not those that {} ({}); {}",
            if self.gguf().is_some() { "its metadata describe" } else { "config.json describes" },
            problems.join("; "),
            if self.gguf().is_some() { "use another copy" } else { "use both from the same download" },
        );
        Err(Error::Tensors { path: self.folder.clone(), problem })
    }
}

/// The first names, and how many more.
fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(LISTED)].join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// In the names of files that hold what sees and hears.
const PROJECTOR: &str = "mmproj";

/// The projector in the folder of a GGUF file; of several the one with the finest weights by its name.
fn projector_beside(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?;
    let named = |path: &Path| Some(path.file_name()?.to_string_lossy().to_lowercase());
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|other| {
        let fits = |name: String| name.contains(PROJECTOR) && name.ends_with(".gguf");
        other != path && named(other).is_some_and(fits)
    });
    found.sort();
    let rank = |path: &PathBuf| {
        let name = named(path).unwrap_or_default();
        ["f32", "bf16", "f16"].iter().position(|format| name.contains(format)).unwrap_or(3)
    };
    found.into_iter().min_by_key(rank)
}

/// The GGUF file of a folder that holds one, whole or split, and nothing else of that kind but a projector.
fn single_gguf(folder: &Path) -> Result<Option<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("open", folder))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    files.retain(|path| {
        let is_projector = name(path).to_lowercase().contains(PROJECTOR);
        path.extension().is_some_and(|ending| ending == "gguf") && !is_projector
    });
    files.sort();
    let first = files.iter().find(|path| files.len() == 1 || name(path).contains("-00001-of-")).cloned();
    match first {
        Some(first) => {
            // The other parts of the same file do not count.
            let stem = name(&first).split("-00001-of-").next().unwrap_or_default().to_string();
            let part =
                |name: &str| name.strip_prefix(&stem).is_some_and(|rest| rest.len() == "-00001-of-00002.gguf".len());
            let others = files.iter().filter(|path| !part(&name(path)) && **path != first);
            if others.count() == 0 { Ok(Some(first)) } else { Err(several(folder, &files)) }
        }
        None if files.is_empty() => Ok(None),
        None => Err(several(folder, &files)),
    }
}

fn several(folder: &Path, files: &[PathBuf]) -> Error {
    let names: Vec<String> =
        files.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    let problem = format!("{} holds several models, name one: {}", folder.display(), listed(&names));
    Error::Argument { name: "model", problem }
}

fn folder_of(path: &Path) -> Result<PathBuf> {
    let metadata = path.metadata().map_err(Error::io("open", path))?;
    if metadata.is_dir() {
        return Ok(path.into());
    }
    let known = path.file_name().is_some_and(|name| [CONFIG, SINGLE, INDEX].iter().any(|file| name == *file));
    if !known {
        let problem = format!(
            "{} is neither a GGUF file nor a checkpoint folder nor its {CONFIG}, {SINGLE} or {INDEX}; name one of these",
            path.display()
        );
        return Err(Error::Argument { name: "model", problem });
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => Ok(parent.into()),
        _ => Ok(PathBuf::from(".")),
    }
}

type Opened = (Vec<SafetensorsFile>, HashMap<String, (usize, usize)>);

fn open_single(path: &Path) -> Result<Opened> {
    let file = SafetensorsFile::open(path)?;
    let places = file.entries().iter().enumerate().map(|(place, entry)| (entry.name.clone(), (0, place))).collect();
    Ok((vec![file], places))
}

/// Opens every shard and holds the index against what is in them, both ways.
fn open_shards(folder: &Path, index: &Path) -> Result<Opened> {
    let named = read_index(index)?;
    let shards: BTreeMap<&str, usize> = named.values().map(|shard| (shard.as_str(), 0)).collect();
    let shards: BTreeMap<&str, usize> = shards.into_keys().enumerate().map(|(number, shard)| (shard, number)).collect();
    let mut files = Vec::with_capacity(shards.len());
    let mut places = HashMap::with_capacity(named.len());
    for (shard, number) in &shards {
        let path = folder.join(shard);
        if !path.exists() {
            let lost = named.values().filter(|name| name == shard).count();
            return Err(damaged(index, format!("it names the shard {shard} for {lost} tensors, which is not there")));
        }
        let file = SafetensorsFile::open(&path)?;
        for (place, Entry { name, .. }) in file.entries().iter().enumerate() {
            match named.get(name) {
                None => {
                    return Err(damaged(
                        index,
                        format!("it does not name tensor {}, which {shard} holds", shorten(name)),
                    ));
                }
                Some(other) if other != shard => {
                    let problem = format!("it places tensor {} in {other}, but {shard} holds it too", shorten(name));
                    return Err(damaged(index, problem));
                }
                Some(_) => places.insert(name.clone(), (*number, place)),
            };
        }
        files.push(file);
    }
    match named.iter().find(|(name, _)| !places.contains_key(*name)) {
        Some((name, shard)) => {
            Err(damaged(index, format!("it places tensor {} in {shard}, which does not hold it", shorten(name))))
        }
        None => Ok((files, places)),
    }
}

/// Names of tensors to the file names of their shards.
fn read_index(path: &Path) -> Result<BTreeMap<String, String>> {
    let bytes = read_limited(path, LONGEST_INDEX)?;
    let mut index = json_object(path, parse_json(path, &bytes)?)?;
    let Some(Value::Object(map)) = index.remove("weight_map") else {
        return Err(damaged(path, "it has no weight_map of tensor names to shards"));
    };
    if map.is_empty() {
        return Err(damaged(path, "its weight_map is empty"));
    }
    let mut named = BTreeMap::new();
    for (name, shard) in map {
        let shard = shard
            .as_str()
            .ok_or_else(|| damaged(path, format!("the shard of tensor {} is no string", shorten(&name))))?;
        // A shard lies beside its index: anything that leads elsewhere is refused, on whatever system.
        let mut components = Path::new(shard).components();
        let plain = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
        if !plain || shard.contains(['/', '\\', ':', '\0']) {
            let problem = format!("the shard {} of tensor {} is no plain file name", shorten(shard), shorten(&name));
            return Err(damaged(path, problem));
        }
        named.insert(name, shard.into());
    }
    Ok(named)
}
