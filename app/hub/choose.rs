//! Which files of a repository are needed: a safetensors checkpoint with what belongs to it, or one GGUF model.

use super::api::{Listed, Repo};
use super::id::Wanted;
use super::{Problem, Result};
use indicatif::DecimalBytes;

/// The weights of a checkpoint in one file.
const SINGLE: &str = "model.safetensors";
/// The list of shards otherwise.
pub const INDEX: &str = "model.safetensors.index.json";
pub const CONFIG: &str = "config.json";

/// Files beside safetensors that the program or its peers read.
const COMPANIONS: [&str; 14] = [
    CONFIG,
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "quantization_config.json",
];

/// What is to be pulled of a repository.
#[derive(Debug, PartialEq)]
pub enum Choice<'a> {
    /// A folder: weights in one file, or in the shards that the index lists.
    Checkpoint {
        /// `model.safetensors`, or the index.
        weights: &'a Listed,
        /// What belongs to them.
        companions: Vec<&'a Listed>,
    },
    /// One GGUF model, in several parts if it was split.
    Gguf {
        /// In order.
        parts: Vec<&'a Listed>,
        /// The terms.
        companions: Vec<&'a Listed>,
    },
}

/// Chooses by what was asked for and what is there.
///
/// # Errors
/// A sentence that lists what could be chosen.
pub fn choose<'a>(repo: &'a Repo, wanted: &Wanted, file: Option<&str>) -> Result<Choice<'a>> {
    let models = models(repo);
    let terms = || repo.files.iter().filter(|file| is_terms(&file.path));
    let gguf = |parts: &[&'a Listed]| Choice::Gguf { parts: parts.to_vec(), companions: terms().collect() };
    if let Some(name) = file {
        return match models.iter().find(|parts| parts.iter().any(|part| part.path == name)) {
            Some(parts) => Ok(gguf(parts)),
            None if models.is_empty() => Err(Problem::Asked(format!(
                "{} has no GGUF files, so --file chooses nothing; leave it out for the safetensors checkpoint",
                repo.id
            ))),
            None => Err(Problem::Asked(format!("{} has no GGUF file {name:?}; it has {}", repo.id, list(&models)))),
        };
    }
    if let Some(quantisation) = &wanted.quantisation {
        return match called(&models, |parts| &parts[0].path, quantisation)[..] {
            [parts] => Ok(gguf(parts)),
            [] if models.is_empty() => Err(Problem::Asked(format!(
                "{} has no GGUF files, so there is no {quantisation} to choose; leave it out for the safetensors checkpoint",
                repo.id
            ))),
            [] => Err(Problem::Asked(format!("{} has no {quantisation}; it has {}", repo.id, list(&models)))),
            _ => Err(Problem::Asked(format!(
                "several files of {} are called {quantisation}; choose with --file: {}",
                repo.id,
                list(&models)
            ))),
        };
    }
    let weights = repo.file(SINGLE).or_else(|| repo.file(INDEX));
    if let (Some(weights), Some(_)) = (weights, repo.file(CONFIG)) {
        let belongs = |file: &&Listed| COMPANIONS.contains(&file.path.as_str()) || is_terms(&file.path);
        let mut companions: Vec<_> = repo.files.iter().filter(belongs).collect();
        // Only where there is nothing better.
        if repo.file("tokenizer.json").is_none() {
            companions.extend(repo.file("tokenizer.model"));
        }
        return Ok(Choice::Checkpoint { weights, companions });
    }
    match &models[..] {
        [parts] => Ok(gguf(parts)),
        [] => Err(Problem::Asked(format!(
            "{} has nothing that can be read here, neither config.json with model.safetensors nor GGUF files{}",
            repo.id,
            others(repo)
        ))),
        _ => Err(Problem::Asked(format!(
            "{} has several GGUF models; choose one, as in {}:{}, or with --file NAME: {}",
            repo.id,
            repo.id,
            label(&models[0][0].path),
            list(&models)
        ))),
    }
}

/// The projector that the GGUF model at `path`, of `architecture`, needs for pictures and sound, if there is one. It is
/// looked for beside the model.
pub fn projector<'a>(repo: &'a Repo, path: &str, architecture: &str) -> Option<&'a Listed> {
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_string());
    let beside = folder(path);
    let of = |file: &&Listed| is_gguf(&file.path) && is_projector(&file.path) && folder(&file.path) == beside;
    // Small against the model, so the most faithful is taken; F32 is no more faithful than what it was made of.
    let rank = |file: &&Listed| {
        let order = ["bf16", "f16", "q8_0"];
        order.iter().position(|format| is_called(&file.path, format)).unwrap_or(order.len())
    };
    percept::models::has_projector(architecture).then(|| repo.files.iter().filter(of).min_by_key(rank)).flatten()
}

/// GGUF models of a repository, parts of split ones together.
fn models(repo: &Repo) -> Vec<Vec<&Listed>> {
    let mut models: Vec<Vec<&Listed>> = Vec::new();
    let mut files: Vec<&Listed> = repo.files.iter().filter(|file| is_gguf(&file.path)).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for file in files {
        let name = file.path.to_lowercase();
        if is_projector(&name) || name.contains("imatrix") {
            continue;
        }
        let base = whole(&file.path);
        match models.last_mut().filter(|parts| base.len() < file.path.len() && whole(&parts[0].path) == base) {
            Some(parts) => parts.push(file),
            None => models.push(vec![file]),
        }
    }
    models
}

fn is_gguf(path: &str) -> bool {
    path.to_lowercase().ends_with(".gguf")
}

fn is_projector(path: &str) -> bool {
    path.to_lowercase().contains("mmproj")
}

fn is_terms(path: &str) -> bool {
    let name = path.to_uppercase();
    !path.contains('/') && ["LICENSE", "LICENCE", "NOTICE", "USE_POLICY"].iter().any(|begin| name.starts_with(begin))
}

/// `a/b-Q4_K_M` of `a/b-Q4_K_M-00001-of-00003.gguf`, the whole path of a file that is not split.
fn whole(path: &str) -> &str {
    let stem = &path[..path.len() - ".gguf".len()];
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let split = || {
        let (before, count) = stem.rsplit_once("-of-")?;
        let (base, number) = before.rsplit_once('-')?;
        (digits(count) && digits(number)).then_some(base)
    };
    split().unwrap_or(path)
}

/// Whether a GGUF file's name ends in a quantisation, or its folder is called so.
pub fn is_called(path: &str, quantisation: &str) -> bool {
    let (path, quantisation) = (path.to_lowercase(), quantisation.to_lowercase());
    let stem = whole(&path).trim_end_matches(".gguf");
    let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    let ends = name.strip_suffix(&quantisation).is_some_and(|before| before.is_empty() || before.ends_with(['-', '.']));
    ends || folder.rsplit('/').next() == Some(quantisation.as_str())
}

/// Whether a quantisation stands anywhere in a name: `gemma-4-E2B_q4_0-it`.
fn mentions(path: &str, quantisation: &str) -> bool {
    let (path, quantisation) = (path.to_lowercase(), quantisation.to_lowercase());
    let stem = whole(&path).trim_end_matches(".gguf");
    let apart = |c: Option<char>| c.is_none_or(|c| ['-', '.', '_', '/'].contains(&c));
    let stands = |(at, _)| {
        let end = at + quantisation.len();
        apart(stem[..at].chars().next_back()) && apart(stem[end..].chars().next())
    };
    // A part such as `K_M` is none.
    quantisation.contains(|c: char| c.is_ascii_digit()) && stem.match_indices(&quantisation).any(stands)
}

/// The models that a quantisation stands for: by the end of the name, else by any part of it.
fn called<'a, T>(models: &'a [T], path: impl Fn(&T) -> &str, quantisation: &str) -> Vec<&'a T> {
    let ends: Vec<&T> = models.iter().filter(|model| is_called(path(model), quantisation)).collect();
    match ends.is_empty() {
        false => ends,
        true => models.iter().filter(|model| mentions(path(model), quantisation)).collect(),
    }
}

/// The end of a name that tells it from its neighbours.
fn label(path: &str) -> &str {
    let stem = whole(path);
    let stem = if is_gguf(stem) { &stem[..stem.len() - ".gguf".len()] } else { stem };
    stem.rsplit(['-', '.', '/']).next().unwrap_or(stem)
}

/// Names with sizes.
fn list(models: &[Vec<&Listed>]) -> String {
    let one = |parts: &Vec<&Listed>| {
        let size: Option<u64> = parts.iter().map(|part| part.size).sum();
        let size = size.map_or(String::new(), |size| format!(" ({})", DecimalBytes(size)));
        format!("{}{size}", parts[0].path)
    };
    models.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The kinds of weights that a repository has instead.
fn others(repo: &Repo) -> String {
    let kinds =
        ["safetensors", "bin", "pth", "pt", "onnx", "h5", "msgpack", "ot", "tflite", "litertlm", "task", "mlpackage"];
    let has = |kind: &&&str| repo.files.iter().any(|file| file.path.rsplit_once('.').is_some_and(|(_, e)| e == **kind));
    let found: Vec<String> = kinds.iter().filter(has).map(|kind| format!(".{kind}")).collect();
    match &found[..] {
        [] => String::new(),
        found => format!(" (it has {}); look for a repository whose name ends in -GGUF", found.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(paths: &[&str]) -> Repo {
        let listed = |path: &&str| Listed { path: path.to_string(), size: Some(1000), checksum: None };
        let files = paths.iter().map(listed).collect();
        Repo { id: "acme/tiny".into(), sha: "0".repeat(40), files, licence: String::new(), gated: false }
    }

    fn chosen(paths: &[&str], wanted: &str, file: Option<&str>) -> Result<Vec<String>, String> {
        let repo = repo(paths);
        let names = |first: Vec<&Listed>, then: Vec<&Listed>| {
            first.into_iter().chain(then).map(|file| file.path.clone()).collect::<Vec<_>>()
        };
        match choose(&repo, &Wanted::parse(wanted).unwrap(), file) {
            Ok(Choice::Checkpoint { weights, companions }) => Ok(names(vec![weights], companions)),
            Ok(Choice::Gguf { parts, companions }) => Ok(names(parts, companions)),
            Err(problem) => Err(problem.to_string()),
        }
    }

    #[test]
    fn a_checkpoint_without_what_nobody_reads() {
        let paths = [
            ".gitattributes",
            "README.md",
            "LICENSE",
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer.model",
            "pytorch_model.bin",
            "onnx/model.onnx",
            "original/consolidated.00.pth",
            "consolidated.safetensors",
            "chat_template.jinja",
            "tiny-Q4_0.gguf",
        ];
        let all = chosen(&paths, "acme/tiny", None).unwrap();
        assert_eq!(all, ["model.safetensors", "LICENSE", "config.json", "tokenizer.json", "chat_template.jinja"]);
        assert_eq!(chosen(&paths, "acme/tiny:q4_0", None).unwrap(), ["tiny-Q4_0.gguf", "LICENSE"]);
        let shards =
            ["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "tokenizer.model"];
        let all = chosen(&shards, "acme/tiny", None).unwrap();
        assert_eq!(all, ["model.safetensors.index.json", "config.json", "tokenizer.model"]);
    }

    #[test]
    fn one_of_several_quantisations() {
        let paths = [
            "m-Q4_K_M.gguf",
            "m-UD-Q4_K_XL.gguf",
            "m.Q4_K_S.gguf",
            "m_q5_0.gguf",
            "mmproj-F16.gguf",
            "m-mmproj-f16.gguf",
            "Q8_0/m-Q8_0-00001-of-00002.gguf",
            "Q8_0/m-Q8_0-00002-of-00002.gguf",
            "m.imatrix.gguf",
        ];
        let of = |quantisation: &str| chosen(&paths, &format!("acme/tiny:{quantisation}"), None);
        assert_eq!(of("Q4_K_M").unwrap(), ["m-Q4_K_M.gguf"]);
        assert_eq!(of("q4_k_xl").unwrap(), ["m-UD-Q4_K_XL.gguf"]);
        assert_eq!(of("UD-Q4_K_XL").unwrap(), ["m-UD-Q4_K_XL.gguf"]);
        assert_eq!(of("Q4_K_S").unwrap(), ["m.Q4_K_S.gguf"]);
        assert_eq!(of("Q5_0").unwrap(), ["m_q5_0.gguf"]);
        assert_eq!(of("Q8_0").unwrap(), ["Q8_0/m-Q8_0-00001-of-00002.gguf", "Q8_0/m-Q8_0-00002-of-00002.gguf"]);
        let problem = of("K_M").unwrap_err();
        assert!(problem.contains("has no K_M") && problem.contains("m-Q4_K_M.gguf (1.00 kB)"), "{problem}");
        assert!(!problem.contains("mmproj") && !problem.contains("imatrix"), "{problem}");
        let problem = chosen(&paths, "acme/tiny", None).unwrap_err();
        assert!(problem.contains("choose one, as in acme/tiny:Q8_0") && problem.contains("(2.00 kB)"), "{problem}");
        assert_eq!(chosen(&paths, "acme/tiny", Some("m_q5_0.gguf")).unwrap(), ["m_q5_0.gguf"]);
        assert!(chosen(&paths, "acme/tiny", Some("x.gguf")).unwrap_err().contains("no GGUF file \"x.gguf\""));
        for wanted in ["acme/tiny", "acme/tiny:Q4_0"] {
            let all = chosen(&["gemma-4-E2B_q4_0-it.gguf", "gemma-4-E2B-it-mmproj.gguf"], wanted, None);
            assert_eq!(all.unwrap(), ["gemma-4-E2B_q4_0-it.gguf"], "{wanted}");
        }
    }

    #[test]
    fn nothing_that_can_be_read() {
        let problem = chosen(&["config.json", "pytorch_model.bin", "model.onnx"], "acme/tiny", None).unwrap_err();
        assert!(problem.contains("(it has .bin, .onnx)"), "{problem}");
        assert!(chosen(&["a.bin"], "acme/tiny:Q4_0", None).unwrap_err().contains("no GGUF files"));
        assert!(chosen(&[], "acme/tiny", Some("a.gguf")).is_err());
    }

    #[test]
    fn the_most_faithful_projector() {
        let repo = repo(&["m-Q4_0.gguf", "mmproj-F32.gguf", "mmproj-F16.gguf", "mmproj-BF16.gguf", "mmproj-Q8_0.gguf"]);
        assert_eq!(projector(&repo, "m-Q4_0.gguf", "gemma4").unwrap().path, "mmproj-BF16.gguf");
        assert_eq!(projector(&repo, "m-Q4_0.gguf", "gemma3"), None);
        assert_eq!(projector(&repo, "Q8_0/m-Q8_0.gguf", "gemma4"), None);
    }
}
