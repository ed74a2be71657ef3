//! `percept models remove`: takes a model out of the Hugging Face cache.

use crate::cli::failure::Usage;
use crate::cli::load::named;
use crate::cli::output::Output;
use crate::hub::Wanted;
use crate::hub::cache::Place;
use crate::hub::remove::{Plan, What, carry_out, plan};
use crate::store::models::{Found, Places, Store};
use anyhow::{Context, Result};
use indicatif::DecimalBytes;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Component, Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  percept models remove google/gemma-4-12B-it                 everything of it, all revisions
  percept models remove google/gemma-4-12B-it@REVISION        one revision
  percept models remove ggml-org/gemma-3-1b-it-GGUF:Q4_K_M    one GGUF model of several

Content that another revision uses stays. Models of Ollama and LM Studio are removed there.";

/// Remove a model from the Hugging Face cache.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RemoveArgs {
    /// A name of `percept models list`.
    #[arg(value_name = "NAME")]
    name: String,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Carries it out.
///
/// # Errors
/// If there is none of that name, it belongs to another program, or nobody agrees.
pub fn run(args: &RemoveArgs, output: &Output) -> Result<()> {
    let (title, planned) = planned(&args.name)?;
    let kept = match planned.kept {
        0 => String::new(),
        kept => format!("; {} stay, which another revision uses", DecimalBytes(kept)),
    };
    if !args.yes {
        let question = format!("remove {title} and free {}{kept}?", DecimalBytes(planned.bytes));
        if !io::stdin().is_terminal() || !output.watched {
            return Err(Usage(format!("{question} Nobody is there to answer; say so with --yes")).into());
        }
        if !agreed(&question)? {
            output.note("nothing was removed");
            return Ok(());
        }
    }
    carry_out(&planned)?;
    output.note(&format!("removed {title}, {} are free again{kept}", DecimalBytes(planned.bytes)));
    Ok(())
}

/// Takes it away; nobody is asked.
///
/// # Errors
/// As [`run`].
#[cfg(feature = "desktop")]
pub fn take_away(name: &str) -> Result<()> {
    Ok(carry_out(&planned(name)?.1)?)
}

/// What would go, in words, and as a plan.
fn planned(name: &str) -> Result<(String, Plan)> {
    let places = Places::of_this_user();
    let hub = places.hub().unwrap_or(Path::new(""));
    let (title, place, what) = match repository(hub, name)? {
        Some(found) => found,
        None => model(&places, hub, name)?,
    };
    Ok((title, plan(&place, &what)?))
}

/// A repository that is named in full, or a revision of it.
fn repository(hub: &Path, name: &str) -> Result<Option<(String, Place, What)>> {
    let wanted = match Wanted::parse(name) {
        Ok(wanted) if wanted.quantisation.is_none() => wanted,
        _ => return Ok(None),
    };
    let place = Place::new(hub, &wanted.id);
    if !place.folder().is_dir() {
        return Ok(None);
    }
    if !name.contains('@') {
        return Ok(Some((format!("{} with all its revisions", wanted.id), place, What::Everything)));
    }
    match place.commit(&wanted.revision) {
        Some(commit) => {
            Ok(Some((format!("{} at revision {}", wanted.id, wanted.revision), place, What::Commit(commit))))
        }
        None => {
            let problem = format!("the cache has no revision {:?} of {}", wanted.revision, wanted.id);
            Err(Usage(problem).into())
        }
    }
}

/// A model as the list calls it.
fn model(places: &Places, hub: &Path, name: &str) -> Result<(String, Place, What)> {
    let findings = places.find();
    let found = named(places, &findings, name)?;
    let problem = match found.store {
        Store::HuggingFace => return in_cache(hub, found),
        Store::BuiltIn => format!("{} is part of this program and cannot be removed", found.name),
        Store::Ollama => format!("{} belongs to Ollama; remove it there: ollama rm {}", found.name, found.name),
        Store::LmStudio => format!(
            "{} belongs to LM Studio; remove it there, in its list of models (My Models), or delete {}",
            found.name,
            found.path.display()
        ),
    };
    Err(Usage(problem).into())
}

fn in_cache(hub: &Path, found: &Found) -> Result<(String, Place, What)> {
    let inside =
        found.path.strip_prefix(hub).with_context(|| format!("{} is not in the cache", found.path.display()))?;
    let parts: Vec<String> = inside
        .components()
        .filter_map(|part| match part {
            Component::Normal(part) => part.to_str().map(String::from),
            _ => None,
        })
        .collect();
    let id =
        parts.first().and_then(|folder| folder.strip_prefix("models--")).unwrap_or_default().replacen("--", "/", 1);
    let place = Place::new(hub, &id);
    Ok(match &parts[..] {
        [_, _, commit, .., file] if parts.len() > 3 && file.to_lowercase().ends_with(".gguf") => {
            let files = match crate::store::models::parts(&found.path) {
                Some(all) => all,
                None => vec![found.path.clone()],
            };
            let snapshot = place.snapshot(commit);
            let files: Vec<PathBuf> =
                files.iter().filter_map(|file| file.strip_prefix(&snapshot).ok().map(Into::into)).collect();
            (found.name.clone(), place, What::Files(commit.clone(), files))
        }
        _ => (format!("{id} with all its revisions"), place, What::Everything),
    })
}

/// Asks on the terminal.
fn agreed(question: &str) -> Result<bool> {
    let mut stderr = io::stderr();
    write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).context("cannot write to standard error")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("cannot read the answer")?;
    Ok(["y", "yes"].contains(&line.trim().to_lowercase().as_str()))
}
