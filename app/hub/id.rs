//! What a person asks for: `ORG/NAME[@REVISION][:QUANTISATION]`.

use super::{Problem, Result};

/// The revision that is meant when none is named.
pub const MAIN: &str = "main";

/// A repository, a revision of it, and which of its GGUF files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `ORG/NAME`.
    pub id: String,
    /// A branch, a tag or a commit.
    pub revision: String,
    /// The part of a file name that tells GGUF files apart: `Q4_K_M`.
    pub quantisation: Option<String>,
}

impl Wanted {
    /// Reads it as typed; the address of a model's page is taken too.
    ///
    /// # Errors
    /// A sentence with the form that is expected.
    pub fn parse(text: &str) -> Result<Wanted> {
        let problem = |what: &str| {
            Problem::Asked(format!(
                "{text:?} {what}; expected ORG/NAME, ORG/NAME@REVISION or ORG/NAME:QUANTISATION as on huggingface.co, for example \
                 ggml-org/gemma-3-1b-it-GGUF:Q4_K_M"
            ))
        };
        let mut rest = text.trim();
        for prefix in ["https://", "http://", "hf://", "huggingface.co/", "www.huggingface.co/", "hf.co/", "hf:"] {
            rest = rest.strip_prefix(prefix).unwrap_or(rest);
        }
        let rest = rest.trim_end_matches('/').replacen("/tree/", "@", 1);
        let (rest, quantisation) = match rest.rsplit_once(':') {
            Some((before, quantisation)) => (before, Some(quantisation.to_string())),
            None => (rest.as_str(), None),
        };
        let (id, revision) = rest.split_once('@').unwrap_or((rest, MAIN));
        let letters = |part: &str, others: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        let name = |part: &str| {
            letters(part, "-_.")
                && !part.contains("..")
                && !part.contains("--")
                && !part.starts_with(['-', '.'])
                && !part.ends_with(['-', '.'])
        };
        match id.split_once('/') {
            Some((org, model)) if name(org) && name(model) => {}
            Some(_) => return Err(problem("is no repository of the hub")),
            None => return Err(problem("names no organisation")),
        }
        // It becomes part of a path.
        if !letters(revision, "-_./") || revision.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
            return Err(problem("has no proper revision behind the @"));
        }
        if quantisation.as_deref().is_some_and(|quantisation| !letters(quantisation, "-_.")) {
            return Err(problem("has no proper quantisation behind the colon"));
        }
        Ok(Wanted { id: id.into(), revision: revision.into(), quantisation })
    }
}

/// Whether it is the name of one commit.
pub fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && is_hex(revision)
}

/// Whether it is all hexadecimal digits in lower case.
pub fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed() {
        let of = |text: &str| {
            let wanted = Wanted::parse(text).unwrap();
            (wanted.id, wanted.revision, wanted.quantisation.unwrap_or_default())
        };
        let three = |id: &str, revision: &str, quantisation: &str| (id.into(), revision.into(), quantisation.into());
        assert_eq!(of("acme/tiny"), three("acme/tiny", "main", ""));
        assert_eq!(of("acme/tiny-1.5_b@v1.0"), three("acme/tiny-1.5_b", "v1.0", ""));
        assert_eq!(of("acme/tiny@refs/pr/1:Q4_K_M"), three("acme/tiny", "refs/pr/1", "Q4_K_M"));
        assert_eq!(of("hf:acme/tiny:UD-Q4_K_XL"), three("acme/tiny", "main", "UD-Q4_K_XL"));
        assert_eq!(of("https://huggingface.co/acme/tiny/tree/abc/"), three("acme/tiny", "abc", ""));
        for text in [
            "",
            "tiny",
            "acme/",
            "/tiny",
            "acme/tiny/more",
            "acme/ti ny",
            "../tiny",
            "acme/..",
            "acme/a--b",
            "acme/tiny@",
            "acme/tiny@../x",
            "acme/tiny@a//b",
            "acme/tiny@.git",
            "acme/tiny:",
            "acme/tiny:Q4/0",
            "acme/tiny@a b",
        ] {
            assert!(Wanted::parse(text).is_err(), "{text}");
        }
    }
}
