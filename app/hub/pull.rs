//! From what a person asks for to a model in the cache: the repository is asked, files are chosen, what cannot be run is
//! refused before its weights are fetched, and what is missing is downloaded.

use super::api::{Remote, Repo};
use super::cache::Place;
use super::choose::{CONFIG, Choice, INDEX, choose, projector};
use super::http::Client;
use super::id::Wanted;
use super::stop::Stop;
use super::token::Token;
use super::{Problem, Result, check, download, is_on};
use indicatif::DecimalBytes;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Bytes that a download leaves free.
const SPARE: u64 = 64 << 20;

/// What to pull, and how.
pub struct Request {
    /// The repository.
    pub wanted: Wanted,
    /// One GGUF file by its path in the repository.
    pub file: Option<String>,
    /// Also what cannot be run.
    pub force: bool,
    /// At once.
    pub connections: usize,
    /// Of a request that fails, in a row.
    pub retries: u32,
    /// The cache.
    pub hub: PathBuf,
    /// Ends it.
    pub stop: Stop,
}

/// Who is told what goes on.
pub struct Report {
    /// Something that a person should know.
    pub note: Box<dyn Fn(&str) + Sync + Send>,
    /// Bytes to be fetched are known.
    pub begin: Box<dyn Fn(u64) + Sync + Send>,
    /// Bytes came, or have to be fetched again.
    pub advance: Box<dyn Fn(i64) + Sync + Send>,
}

/// A model that is in the cache now.
#[derive(Debug)]
pub struct Pulled {
    /// As the hub spells it.
    pub id: String,
    /// The commit.
    pub commit: String,
    /// The checkpoint folder or GGUF file.
    pub path: PathBuf,
    /// By which `--model` finds it.
    pub name: String,
    /// The licence in words.
    pub licence: String,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Bytes of them that were fetched now.
    pub fetched: u64,
}

/// Carries it out. What was fetched of a download that fails or is stopped stays, and the next one goes on with it.
///
/// # Errors
/// What is in the way, and what to do.
pub fn pull(request: &Request, report: Report) -> Result<Pulled> {
    match fetch(request, report) {
        // An answer that was cut off by the stop may have looked like anything.
        Err(_) if request.stop.is_asked() => Err(Problem::Stopped),
        outcome => outcome,
    }
}

fn fetch(request: &Request, report: Report) -> Result<Pulled> {
    let Report { note, begin, advance } = report;
    let Wanted { id, revision, .. } = &request.wanted;
    let place = Place::new(&request.hub, id);
    if is_on("HF_HUB_OFFLINE") {
        let has = match place.commit(revision) {
            Some(commit) => format!("the cache has it at commit {commit}"),
            None => format!("the cache has no {id} at revision {revision:?}"),
        };
        let problem = format!("HF_HUB_OFFLINE is set, so nothing can be pulled; {has}; unset it to pull");
        return Err(Problem::Asked(problem));
    }
    let note: std::sync::Arc<dyn Fn(&str) + Sync + Send> = note.into();
    let of_client = note.clone();
    let client = Client::new(Token::find(), request.retries, &request.stop, Box::new(move |text| of_client(text)))?;
    let repo = Repo::ask(&client, id, revision)?;
    // Other programs look for it as the hub spells it.
    let place = if repo.id == *id { place } else { Place::new(&request.hub, &repo.id) };
    let choice = choose(&repo, &request.wanted, request.file.as_deref())?;
    note(&format!("licence: {}", repo.licence));
    if repo.gated && !client.has_token() {
        return Err(client.gated(&repo.id));
    }
    let mut files = Vec::new();
    let complete = |file| repo.complete(&client, file);
    let name = match &choice {
        Choice::Checkpoint { weights, companions } => {
            for file in companions {
                files.push(complete(file)?);
            }
            if !request.force {
                let config = files.iter().find(|file| file.path == CONFIG);
                check_config(&repo, &config.map_or(Ok(Value::Null), |config| json(&client, &repo, config))?)?;
            }
            if weights.path == INDEX {
                let index = complete(weights)?;
                for shard in shards(&repo, &json(&client, &repo, &index)?)? {
                    let listed = repo.file(&shard).ok_or_else(|| {
                        Problem::Asked(format!("{} is incomplete on the hub: {INDEX} names {shard}", repo.id))
                    })?;
                    files.push(complete(listed)?);
                }
                files.push(index);
            } else {
                files.push(complete(weights)?);
            }
            repo.id.clone()
        }
        Choice::Gguf { parts, companions } => {
            let architecture = check::gguf_architecture(&client, &repo, parts[0])?;
            if let Some(name) = architecture.as_deref().filter(|_| !request.force) {
                check::supported(&repo, &parts[0].path, name, true)?;
            }
            let projector = architecture.and_then(|architecture| projector(&repo, &parts[0].path, &architecture));
            for file in parts.iter().chain(companions).copied().chain(projector) {
                files.push(complete(file)?);
            }
            format!("{}/{}", repo.id, parts[0].path)
        }
    };
    let missing: u64 = files.iter().map(|file| download::bytes_missing(&place, file)).sum();
    check_space(&request.hub, missing)?;
    if missing > 0 {
        let count = files.iter().filter(|file| !download::is_there(&place, file)).count();
        let what = if count == 1 { "file" } else { "files" };
        note(&format!("downloading {} in {count} {what} from {}", DecimalBytes(missing), client.host()));
        begin(missing);
    }
    let waiting = || note("another program is downloading this; waiting for it");
    download::download(&client, &repo, &place, &files, request.connections, &*advance, &waiting)?;
    for file in &files {
        if !place.holds(&repo.sha, &file.path, file.size) {
            place.show(&repo.sha, &file.path, file.checksum.hex())?;
        }
    }
    // Last, so that an older commit stays what the revision is until this one is whole.
    place.remember(revision, &repo.sha)?;
    let snapshot = place.snapshot(&repo.sha);
    Ok(Pulled {
        path: match &choice {
            Choice::Checkpoint { .. } => snapshot,
            Choice::Gguf { parts, .. } => snapshot.join(&parts[0].path),
        },
        name,
        licence: repo.licence.clone(),
        bytes: files.iter().map(|file| file.size).sum(),
        fetched: missing,
        commit: repo.sha,
        id: repo.id,
    })
}

/// A JSON file on which the rest depends.
fn json(client: &Client, repo: &Repo, file: &Remote) -> Result<Value> {
    let text = check::small_file(client, repo, file)?;
    let problem = |error| {
        Problem::Asked(format!("{} of {} is no JSON ({error}); its publisher must mend it", file.path, repo.id))
    };
    serde_json::from_slice(&text).map_err(problem)
}

/// Refuses a `model_type` that cannot be run.
fn check_config(repo: &Repo, config: &Value) -> Result<()> {
    match config["model_type"].as_str() {
        Some(name) => check::supported(repo, CONFIG, name, false),
        None => Err(Problem::Asked(format!(
            "{CONFIG} of {} has no model_type, so it is no model that can be run here; nothing was downloaded, --force does it all the \
             same",
            repo.id
        ))),
    }
}

/// The shards that an index names.
fn shards(repo: &Repo, index: &Value) -> Result<BTreeSet<String>> {
    let named: Option<BTreeSet<String>> = index["weight_map"]
        .as_object()
        .and_then(|map| map.values().map(|shard| Some(shard.as_str()?.into())).collect());
    named.filter(|named| !named.is_empty()).ok_or_else(|| {
        Problem::Asked(format!(
            "{INDEX} of {} has no weight_map of tensors to shards; its publisher must mend it",
            repo.id
        ))
    })
}

/// Whether the disk has room.
fn check_space(hub: &Path, missing: u64) -> Result<()> {
    let there = hub.ancestors().find(|folder| folder.is_dir()).unwrap_or(hub);
    // A system that does not tell is found out about when it is full.
    let Ok(free) = fs4::available_space(there) else { return Ok(()) };
    if missing > 0 && missing.saturating_add(SPARE) > free {
        return Err(Problem::Machine(format!(
            "{} must be fetched, but the disk of {} has {} free; make room (`percept models list`, `percept models remove NAME`), or move \
             the cache with HF_HOME",
            DecimalBytes(missing),
            hub.display(),
            DecimalBytes(free)
        )));
    }
    Ok(())
}
