//! What the hub's API says of a repository at a revision: its commit, its files with sizes and checksums, its licence.

use super::http::{About, Client, Trouble, header};
use super::id::{is_commit, is_hex};
use super::{Problem, Result};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use serde_json::Value;
use std::io::Read;
use std::path::{Component, Path};

/// Bytes of the longest answer that is read; repositories of thousands of files have some megabytes.
const LONGEST: u64 = 64 << 20;

/// A repository at one commit.
#[derive(Debug)]
pub struct Repo {
    /// As the hub spells it.
    pub id: String,
    /// The commit.
    pub sha: String,
    /// All files.
    pub files: Vec<Listed>,
    /// The licence in words, with where to read it.
    pub licence: String,
    /// Whether terms must be accepted.
    pub gated: bool,
}

/// A file as the list has it; a hub that leaves something out tells it with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// With `/`, safe to be joined to a folder.
    pub path: String,
    /// Bytes.
    pub size: Option<u64>,
    /// Of its content.
    pub checksum: Option<Checksum>,
}

/// A file of which everything is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// With `/`, safe to be joined to a folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of its content.
    pub checksum: Checksum,
}

/// How content is checked, which is its name in the cache too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Of a large file.
    Sha256(String),
    /// Of a small file as git has it: sha1 of `blob LENGTH\0` and the content.
    Git(String),
}

impl Checksum {
    /// As written in an `ETag`.
    fn parse(tag: &str) -> Option<Checksum> {
        let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
        match tag.len() {
            64 if is_hex(tag) => Some(Checksum::Sha256(tag.into())),
            40 if is_hex(tag) => Some(Checksum::Git(tag.into())),
            _ => None,
        }
    }

    /// The digits.
    pub fn hex(&self) -> &str {
        match self {
            Checksum::Sha256(hex) | Checksum::Git(hex) => hex,
        }
    }

    /// That of other content, of `size` bytes if all is well.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(&self, content: &mut dyn Read, size: u64) -> std::io::Result<String> {
        let mut context = match self {
            Checksum::Sha256(_) => Context::new(&SHA256),
            Checksum::Git(_) => {
                let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
                context.update(format!("blob {size}\0").as_bytes());
                context
            }
        };
        let mut buffer = vec![0; 1 << 20];
        loop {
            match content.read(&mut buffer)? {
                0 => break,
                len => context.update(&buffer[..len]),
            }
        }
        Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// For sentences.
    pub fn kind(&self) -> &'static str {
        match self {
            Checksum::Sha256(_) => "sha256",
            Checksum::Git(_) => "git sha1",
        }
    }
}

impl Repo {
    /// Asks the hub.
    ///
    /// # Errors
    /// If it does not know the repository or revision, or cannot be understood.
    pub fn ask(client: &Client, id: &str, revision: &str) -> Result<Repo> {
        let about = About { id, revision, file: None };
        let (org, name) = id.split_once('/').unwrap_or(("", id));
        let url = client.url(&["api", "models", org, name, "revision", revision]) + "?blobs=true";
        let told = client.persistently(|| {
            let answer = client.get(&url, None, about)?;
            let mut text = Vec::new();
            let read = answer.response.into_body().into_reader().take(LONGEST).read_to_end(&mut text);
            read.map_err(|error| client.lost(&answer.url, &ureq::Error::Io(error)))?;
            Ok(text)
        })?;
        let problem = |what: &str| {
            Problem::Machine(format!("{} answered {what} about {id}; is HF_ENDPOINT a hub?", client.host()))
        };
        let told: Value = serde_json::from_slice(&told).map_err(|_| problem("with no JSON"))?;
        let sha = told["sha"].as_str().filter(|sha| is_commit(sha)).ok_or_else(|| problem("without a commit"))?;
        let siblings = told["siblings"].as_array().ok_or_else(|| problem("without a list of files"))?;
        let known = told["id"].as_str().filter(|known| known.eq_ignore_ascii_case(id)).unwrap_or(id);
        let mut repo = Repo {
            id: known.into(),
            sha: sha.into(),
            files: Vec::with_capacity(siblings.len()),
            licence: licence(&told, &format!("{}/{known}", client.url(&[]))),
            gated: !matches!(told["gated"], Value::Bool(false) | Value::Null),
        };
        for file in siblings {
            let path = file["rfilename"].as_str().ok_or_else(|| problem("with a file without a name"))?;
            if !is_safe(path) {
                return Err(problem(&format!("with {path:?}, which is no name for a file here,")));
            }
            let large = &file["lfs"];
            let digest = large["sha256"].as_str().or(large["oid"].as_str()).or(file["blobId"].as_str());
            let size = large["size"].as_u64().or(file["size"].as_u64());
            repo.files.push(Listed { path: path.into(), size, checksum: digest.and_then(Checksum::parse) });
        }
        Ok(repo)
    }

    /// The address of a file.
    pub fn url(&self, client: &Client, path: &str) -> String {
        let (org, name) = self.id.split_once('/').unwrap_or(("", &self.id));
        let mut parts = vec![org, name, "resolve", &self.sha];
        parts.extend(path.split('/'));
        client.url(&parts)
    }

    /// The file of that name.
    pub fn file(&self, path: &str) -> Option<&Listed> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Everything about a file, asked for where the list left something out.
    ///
    /// # Errors
    /// If the hub does not tell it at all.
    pub fn complete(&self, client: &Client, file: &Listed) -> Result<Remote> {
        if let Listed { path, size: Some(size), checksum: Some(checksum) } = file {
            return Ok(Remote { path: path.clone(), size: *size, checksum: checksum.clone() });
        }
        let about = About { id: &self.id, revision: &self.sha, file: Some(&file.path) };
        let url = self.url(client, &file.path);
        client.persistently(|| {
            let answer = client.get(&url, Some(0..1), about)?;
            let first = |name: &str| header(&answer.first, name);
            let checksum = first("x-linked-etag").or(first("etag")).and_then(Checksum::parse);
            let size = first("x-linked-size").and_then(|size| size.parse().ok());
            match (checksum, size.or_else(|| total(answer.response.headers()))) {
                (Some(checksum), Some(size)) => Ok(Remote { path: file.path.clone(), size, checksum }),
                _ => Err(Trouble::Final(Problem::Machine(format!(
                    "{} tells size and checksum of {} neither in its list nor with the file",
                    client.host(),
                    file.path
                )))),
            }
        })
    }
}

/// Bytes of a whole file: behind the slash of `Content-Range`, else `Content-Length`.
pub fn total(headers: &ureq::http::HeaderMap) -> Option<u64> {
    match header(headers, "content-range") {
        Some(range) => range.rsplit_once('/')?.1.parse().ok(),
        None => header(headers, "content-length")?.parse().ok(),
    }
}

/// Whether a name stays below the folder that it is joined to, on every system.
fn is_safe(path: &str) -> bool {
    let parts = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    !path.is_empty()
        && path.len() < 1024
        && parts(path)
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.contains(['\\', ':', '\0'])
        && !path.chars().any(char::is_control)
}

/// "gemma (terms: https://…)", from the model card.
fn licence(told: &Value, page: &str) -> String {
    let card = &told["cardData"];
    let tagged = told["tags"].as_array().and_then(|tags| {
        let mut tags = tags.iter().filter_map(Value::as_str);
        tags.find_map(|tag| tag.strip_prefix("license:"))
    });
    let listed = match &card["license"] {
        Value::Array(all) => all.first().and_then(Value::as_str),
        one => one.as_str(),
    };
    let Some(mut name) = listed.or(tagged).filter(|name| !name.is_empty()) else {
        return format!("none is named; see {page}");
    };
    if let Some(own) = card["license_name"].as_str().filter(|_| name == "other") {
        name = own;
    }
    let known = [
        ("gemma", "https://ai.google.dev/gemma/terms"),
        ("apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
        ("mit", "https://opensource.org/license/mit"),
    ];
    let known = known.into_iter().find(|(known, _)| *known == name).map(|(_, link)| link.to_string());
    let link = card["license_link"].as_str().map(|link| match link.contains("://") {
        true => link.to_string(),
        // A file of the repository.
        false => format!("{page}/blob/main/{link}"),
    });
    format!("{name} ({})", link.or(known).unwrap_or_else(|| page.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_files_stay_in_their_folder() {
        for path in ["config.json", "a/b.gguf", ".gitattributes", "a..b"] {
            assert!(is_safe(path), "{path}");
        }
        for path in ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/", "C:\\x", "C:x", "a\\b", "a\nb", "a/./b"]
        {
            assert!(!is_safe(path), "{path:?}");
        }
    }

    #[test]
    fn checksums_in_headers() {
        let git = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(Checksum::parse(&format!("\"{git}\"")), Some(Checksum::Git(git.into())));
        assert_eq!(Checksum::parse(&format!("W/\"{git}\"")), Some(Checksum::Git(git.into())));
        let sha = "ab".repeat(32);
        assert_eq!(Checksum::parse(&sha), Some(Checksum::Sha256(sha.clone())));
        for bad in ["", "\"x\"", "../../../../../../../../../../../../../../etc", &"g".repeat(40)] {
            assert_eq!(Checksum::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn checksums_are_those_of_git_and_sha256sum() {
        let of = |checksum: Checksum| checksum.of(&mut &b"hello\n"[..], 6).unwrap();
        // `git hash-object` and `sha256sum`.
        assert_eq!(of(Checksum::Git(String::new())), "ce013625030ba8dba906f756967f9e9ca394464a");
        let sha = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(of(Checksum::Sha256(String::new())), sha);
    }

    #[test]
    fn licences_in_words() {
        let of = |told: Value| licence(&told, "https://hub/acme/tiny");
        assert_eq!(of(json!({"cardData": {"license": "gemma"}})), "gemma (https://ai.google.dev/gemma/terms)");
        assert_eq!(of(json!({"tags": ["gguf", "license:cc0-1.0"]})), "cc0-1.0 (https://hub/acme/tiny)");
        let own = json!({"cardData": {"license": "other", "license_name": "acme", "license_link": "LICENSE"}});
        assert_eq!(of(own), "acme (https://hub/acme/tiny/blob/main/LICENSE)");
        assert_eq!(of(json!({})), "none is named; see https://hub/acme/tiny");
    }
}
