//! Whether a model can be run here, told by its config or by the first bytes of its GGUF file, before its weights are
//! downloaded.

use super::api::{Listed, Remote, Repo, total};
use super::http::{About, Client, Trouble};
use super::{Problem, Result};
use std::io::Read;
use std::path::Path;

/// Bytes of a GGUF file in which its architecture is looked for; writers put it first.
const BEGINNING: u64 = 64 << 10;
/// Bytes of the longest file that is read before anything is kept: a config or an index.
const LONGEST: u64 = 64 << 20;

/// The architecture that a GGUF file names, if its beginning tells.
///
/// # Errors
/// If the beginning cannot be fetched, or is not that of a GGUF file.
pub fn gguf_architecture(client: &Client, repo: &Repo, file: &Listed) -> Result<Option<String>> {
    let about = About { id: &repo.id, revision: &repo.sha, file: Some(&file.path) };
    let url = repo.url(client, &file.path);
    let beginning = client.persistently(|| {
        let most = file.size.unwrap_or(BEGINNING).clamp(1, BEGINNING);
        let answer = client.get(&url, Some(0..most), about)?;
        let expected = total(answer.response.headers()).unwrap_or(most).min(most);
        let mut bytes = Vec::new();
        let read = answer.response.into_body().into_reader().take(most).read_to_end(&mut bytes);
        read.map_err(|error| client.lost(&answer.url, &ureq::Error::Io(error)))?;
        if (bytes.len() as u64) < expected {
            return Err(Trouble::Again { why: format!("{} ended the connection early", client.host()), after: None });
        }
        Ok(bytes)
    })?;
    if !beginning.starts_with(b"GGUF") {
        return Err(Problem::Asked(format!("{} of {} is no GGUF file, whatever its name says", file.path, repo.id)));
    }
    Ok(architecture(&beginning))
}

/// A file that is read before anything is kept.
///
/// # Errors
/// If it cannot be fetched whole and as the hub says it is.
pub fn small_file(client: &Client, repo: &Repo, file: &Remote) -> Result<Vec<u8>> {
    if file.size > LONGEST {
        return Err(Problem::Asked(format!(
            "{} of {} has {} bytes, which is no such file",
            file.path, repo.id, file.size
        )));
    }
    let about = About { id: &repo.id, revision: &repo.sha, file: Some(&file.path) };
    let url = repo.url(client, &file.path);
    client.persistently(|| {
        let answer = client.get(&url, None, about)?;
        let mut bytes = Vec::new();
        let read = answer.response.into_body().into_reader().take(file.size + 1).read_to_end(&mut bytes);
        read.map_err(|error| client.lost(&answer.url, &ureq::Error::Io(error)))?;
        match bytes.len() as u64 == file.size
            && file.checksum.of(&mut &bytes[..], file.size).ok().is_some_and(|sum| sum == file.checksum.hex())
        {
            true => Ok(bytes),
            false => {
                let why = format!("{} answered with damaged bytes of {}", client.host(), file.path);
                Err(Trouble::Again { why, after: None })
            }
        }
    })
}

/// The error for an architecture that cannot be run.
///
/// # Errors
/// That.
pub fn supported(repo: &Repo, file: &str, name: &str, gguf: bool) -> Result<()> {
    let file = format!("{}/{file}", repo.id);
    match percept::models::family_named(Path::new(&file), name, gguf) {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::Asked(format!("{error}; nothing was downloaded, --force does it all the same"))),
    }
}

/// `general.architecture` of a header of which only the beginning is there.
fn architecture(header: &[u8]) -> Option<String> {
    let mut rest = header.get(4..)?;
    let version = u32::from_le_bytes(take(&mut rest)?);
    take::<8>(&mut rest)?;
    let pairs = u64::from_le_bytes(take(&mut rest)?);
    if !(2..=3).contains(&version) {
        return None;
    }
    for _ in 0..pairs {
        let key = string(&mut rest)?;
        let kind = u32::from_le_bytes(take(&mut rest)?);
        if key == b"general.architecture" {
            return (kind == STRING).then(|| string(&mut rest))?.and_then(|name| String::from_utf8(name.to_vec()).ok());
        }
        skip(&mut rest, kind)?;
    }
    None
}

const STRING: u32 = 8;
const ARRAY: u32 = 9;

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(u64::from_le_bytes(take(rest)?)).ok()?;
    let (text, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(text)
}

/// Over a value of a kind; arrays of arrays, which nobody writes, end the search.
fn skip(rest: &mut &[u8], kind: u32) -> Option<()> {
    let size = |kind| match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    };
    match kind {
        STRING => string(rest).map(drop),
        ARRAY => {
            let kind = u32::from_le_bytes(take(rest)?);
            let len = usize::try_from(u64::from_le_bytes(take(rest)?)).ok()?;
            match kind {
                STRING => (0..len).try_for_each(|_| string(rest).map(drop)),
                kind => {
                    *rest = rest.get(len.checked_mul(size(kind)?)?..)?;
                    Some(())
                }
            }
        }
        kind => {
            *rest = rest.get(size(kind)?..)?;
            Some(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    fn header(pairs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.extend((pairs.len() as u64).to_le_bytes());
        bytes.extend(pairs.concat());
        bytes
    }

    fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
        [&text(key)[..], &kind.to_le_bytes(), value].concat()
    }

    #[test]
    fn the_architecture_of_a_beginning() {
        let named = pair("general.architecture", STRING, &text("gemma3"));
        let words = [&STRING.to_le_bytes()[..], &2u64.to_le_bytes(), &text("a"), &text("bc")].concat();
        let numbers = [&4u32.to_le_bytes()[..], &2u64.to_le_bytes(), &[0; 8]].concat();
        let before = [
            pair("a", 4, &[0; 4]),
            pair("b", ARRAY, &words),
            pair("c", ARRAY, &numbers),
            pair("d", 12, &[0; 8]),
            pair("e", 7, &[1]),
            named.clone(),
        ];
        let all = header(&before);
        assert_eq!(architecture(&all).as_deref(), Some("gemma3"));
        for len in 0..all.len() {
            assert_eq!(architecture(&all[..len]), None, "{len}");
        }
        // Lengths that lie end the search.
        let endless = [&4u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
        assert_eq!(architecture(&header(&[pair("a", ARRAY, &endless), named])), None);
        assert_eq!(architecture(&header(&[pair("general.architecture", 4, &[0; 4])])), None);
        assert_eq!(architecture(&header(&[])), None);
    }
}
