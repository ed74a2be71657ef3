//! From a name that somebody typed to one of the models on this disk.

use super::models::{Found, State, Store};
use crate::hub::is_called;

/// Near names that are listed.
const NEAR: usize = 5;

/// What a name stands for.
#[derive(Debug, PartialEq)]
pub enum Meant<'a> {
    /// One model.
    One(&'a Found),
    /// Several.
    Several(Vec<&'a Found>),
    /// None; some are called alike.
    None(Vec<&'a Found>),
}

/// The models that `name` stands for. What fits best decides: the whole name; its end behind a slash; a quantisation behind a colon; its beginning before
/// a slash or colon; the beginning of one of its parts. A store's prefix (`ollama:gemma3`) leaves out the others.
pub fn resolve<'a>(models: &'a [Found], name: &str) -> Meant<'a> {
    let (store, name) = split_store(name);
    let models: Vec<&Found> = models.iter().filter(|model| store.is_none_or(|store| store == model.store)).collect();
    let name = plain(name);
    if !name.is_empty() {
        for fits in [whole, end, quantised, beginning, part] {
            let mut fitting: Vec<&Found> =
                models.iter().copied().filter(|model| fits(&plain(&model.name), &name)).collect();
            // What is broken is meant only if nothing else is.
            if fitting.iter().any(|model| is_whole(model)) {
                fitting.retain(|model| is_whole(model));
            }
            // One file under several names.
            let mut seen = std::collections::HashSet::new();
            fitting.retain(|model| seen.insert(model.path.canonicalize().unwrap_or(model.path.clone())));
            match fitting[..] {
                [] => {}
                [one] => return Meant::One(one),
                _ => return Meant::Several(fitting),
            }
        }
    }
    Meant::None(near(&models, &name))
}

fn is_whole(model: &Found) -> bool {
    !matches!(model.state, State::Unfinished | State::Broken(_))
}

fn split_store(name: &str) -> (Option<Store>, &str) {
    let of = |store: Store| Some((Some(store), name.strip_prefix(store.prefix())?.strip_prefix(':')?));
    Store::ALL.into_iter().find_map(of).unwrap_or((None, name))
}

/// In lower case, without the ending of a file and the tag that needs not be said.
fn plain(name: &str) -> String {
    let name = name.to_lowercase();
    let name = name.trim_end_matches('/');
    let name = name.strip_suffix(".gguf").unwrap_or(name);
    name.strip_suffix(":latest").unwrap_or(name).to_string()
}

fn whole(model: &str, name: &str) -> bool {
    model == name
}

fn end(model: &str, name: &str) -> bool {
    model.strip_suffix(name).is_some_and(|before| before.ends_with('/'))
}

/// `ORG/NAME:Q4_K_M` of `ORG/NAME/NAME-Q4_K_M`.
fn quantised(model: &str, name: &str) -> bool {
    let inside = || {
        let (repository, quantisation) = name.rsplit_once(':')?;
        let at = match model.strip_prefix(repository) {
            Some(_) => 0,
            None => model.find(&format!("/{repository}/"))? + 1,
        };
        let file = model.get(at + repository.len()..)?.strip_prefix('/')?;
        Some(is_called(&format!("{file}.gguf"), quantisation))
    };
    inside() == Some(true)
}

fn beginning(model: &str, name: &str) -> bool {
    let before = |model: &str| model.strip_prefix(name).is_some_and(|behind| behind.starts_with(['/', ':']));
    before(model) || model.match_indices('/').any(|(at, _)| before(&model[at + 1..]))
}

fn part(model: &str, name: &str) -> bool {
    model.starts_with(name) || model.match_indices('/').any(|(at, _)| model[at + 1..].starts_with(name))
}

/// Those called most alike, best first; none that is quite another name.
fn near<'a>(models: &[&'a Found], name: &str) -> Vec<&'a Found> {
    let mut all: Vec<(usize, &Found)> = models
        .iter()
        .filter_map(|model| {
            let known = plain(&model.name);
            let parts = known.split('/').chain([known.as_str(), known.split(':').next().unwrap_or_default()]);
            let far = parts.map(|part| distance(part, name)).min().unwrap_or(usize::MAX);
            let alike = known.contains(name) || far <= name.chars().count() / 2;
            (alike && !name.is_empty()).then_some((far, *model))
        })
        .collect();
    all.sort_by_key(|(far, _)| *far);
    all.into_iter().take(NEAR).map(|(_, model)| model).collect()
}

/// Letters to put in, take out or exchange to make one of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Vec<Found> {
        let of = |store, name: &str, state| Found {
            name: name.into(),
            store,
            path: format!("{store:?}/{name}").into(),
            bytes: 1,
            architecture: None,
            state,
        };
        let (hub, ollama, studio) = (Store::HuggingFace, Store::Ollama, Store::LmStudio);
        vec![
            of(hub, "google/gemma-3-270m", State::Usable),
            of(hub, "google/gemma-3-270m-it", State::Usable),
            of(hub, "acme/tiny-GGUF/tiny-Q4_K_M.gguf", State::Usable),
            of(hub, "acme/tiny-GGUF/tiny-Q8_0.gguf", State::Usable),
            of(hub, "acme/torn", State::Broken("torn".into())),
            of(ollama, "gemma3:270m", State::Usable),
            of(ollama, "phi:latest", State::Unsupported),
            of(studio, "acme/tiny-GGUF/tiny-Q8_0.gguf", State::Usable),
            of(studio, "other/torn/torn.gguf", State::Usable),
        ]
    }

    #[test]
    fn names_are_found_by_what_fits_best() {
        let models = models();
        for (name, at) in [
            ("google/gemma-3-270m", 0),
            ("gemma-3-270m", 0),
            ("GEMMA-3-270M-IT", 1),
            ("google/gemma-3-270m-i", 1),
            ("tiny-Q4_K_M", 2),
            ("tiny-q4_k_m.gguf", 2),
            ("tiny-GGUF/tiny-Q4_K_M", 2),
            ("acme/tiny-GGUF:Q4_K_M", 2),
            ("tiny-GGUF:q4_k_m", 2),
            ("hf:acme/tiny-gguf:Q8_0", 3),
            ("lmstudio:tiny", 7),
            ("gemma3", 5),
            ("gemma3:270m", 5),
            ("ollama:gemma", 5),
            ("phi", 6),
            ("phi:latest", 6),
            // What is broken is not meant where something whole is called so, too.
            ("torn", 8),
            ("hf:torn", 4),
        ] {
            assert_eq!(resolve(&models, name), Meant::One(&models[at]), "{name}");
        }
    }

    #[test]
    fn several_are_listed_and_none_with_those_called_alike() {
        let models = models();
        let places = |meant: Meant| -> (char, Vec<usize>) {
            let place = |found: &Found| models.iter().position(|model| model == found).unwrap();
            match meant {
                Meant::One(model) => ('1', vec![place(model)]),
                Meant::Several(all) => ('+', all.into_iter().map(place).collect()),
                Meant::None(near) => ('0', near.into_iter().map(place).collect()),
            }
        };
        assert_eq!(places(resolve(&models, "google")), ('+', vec![0, 1]));
        assert_eq!(places(resolve(&models, "tiny-Q8_0")), ('+', vec![3, 7]));
        assert_eq!(places(resolve(&models, "hf:tiny")), ('+', vec![2, 3]));
        assert_eq!(places(resolve(&models, "gemna3")), ('0', vec![5]));
        assert_eq!(places(resolve(&models, "270m-it")), ('0', vec![1]));
        for name in ["", "/", "hf:", "something else altogether"] {
            assert_eq!(places(resolve(&models, name)), ('0', vec![]), "{name}");
        }
    }

    #[test]
    fn distances() {
        for (a, b, far) in [("", "", 0), ("abc", "", 3), ("abc", "abc", 0), ("abc", "axc", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (far, far), "{a} {b}");
        }
    }
}
