//! `percept embed --eval`: of 64 candidates, how often the nearest is the one that belongs to it.

use super::items::{Item, similarity};
use crate::cli::eval::read_lines;
use crate::cli::eval::score::{Tally, rows, table};
use crate::cli::failure::Usage;
use crate::cli::output::Output;
use crate::cli::parts::Kind;
use anyhow::Result;
use percept::session::Session;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Pairs whose second halves are told apart.
const GROUP: usize = 64;

/// Two that belong together.
pub struct Pair {
    a: Item,
    b: Item,
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    a: Side,
    b: Side,
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Side {
    Text(String),
    Image(PathBuf),
    Audio(PathBuf),
}

/// The pairs of a set.
///
/// # Errors
/// A sentence that names the line.
pub fn read(set: &Path) -> Result<Vec<Pair>> {
    let (path, pairs) = read_lines(set, "pairs.jsonl", "percept embed --help", pair)?;
    if pairs.is_empty() {
        let problem =
            format!("{} holds no pair; `percept embed --help` shows what a line of it looks like", path.display());
        return Err(Usage(problem).into());
    }
    Ok(pairs)
}

fn pair(line: &str, _: usize, folder: &Path) -> Result<Pair, String> {
    let line: Line = serde_json::from_str(line)
        .map_err(|e| format!("is no pair ({e}); expected {{\"a\", \"b\", \"kind\"}}, a and b text, image or audio"))?;
    let item = |side: Side| match side {
        Side::Text(text) => Ok(Item::text(&text)),
        Side::Image(path) => Item::media(Kind::Image, &folder.join(path)),
        Side::Audio(path) => Item::media(Kind::Audio, &folder.join(path)),
    };
    let item = |side| item(side).map_err(|error| error.to_string());
    Ok(Pair { a: item(line.a)?, b: item(line.b)?, kind: line.kind })
}

/// Embeds all of them and tells how often the nearest was the right one, kind by kind.
///
/// # Errors
/// Whatever is wrong with a pair or the adapter; a kind with a single pair, which shows nothing.
pub fn measure(pairs: &[Pair], session: &mut Session, json: bool, output: &Output) -> Result<()> {
    let mut kinds: BTreeMap<&str, Vec<&Pair>> = BTreeMap::new();
    for pair in pairs {
        kinds.entry(&pair.kind).or_default().push(pair);
    }
    for (kind, pairs) in &mut kinds {
        let left = if pairs.len() > GROUP { pairs.len() % GROUP } else { 0 };
        pairs.truncate(pairs.len() - left);
        match pairs.len() {
            1 => return Err(Usage(format!("there is one pair of {kind} alone: nothing to tell it from")).into()),
            count if count < GROUP => {
                output.note(&format!("{kind}: {count} pairs are no group of {GROUP}; chance alone finds 1 in {count}"))
            }
            _ if left > 0 => output.note(&format!("{kind}: the last {left} fill no group of {GROUP} and are left out")),
            _ => {}
        }
    }
    let started = Instant::now();
    let count: usize = kinds.values().map(Vec::len).sum();
    let bar = output.counting(count as u64, "pairs");
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for (kind, pairs) in &kinds {
        let tally = tallies.entry(kind).or_default();
        for group in pairs.chunks(GROUP) {
            let mut sides = (Vec::new(), Vec::new());
            for pair in group {
                sides.0.push(pair.a.embed(session)?);
                sides.1.push(pair.b.embed(session)?);
                bar.inc(1);
            }
            hits(&sides.0, &sides.1).into_iter().for_each(|right| tally.count(right));
        }
    }
    bar.finish_and_clear();
    let rows = rows(&tallies);
    if json {
        let kinds: Vec<_> = rows.iter().map(|row| row.to_json("kind")).collect();
        return output.json(&json!({"kinds": kinds, "seconds": started.elapsed().as_secs_f64(), "group": GROUP}));
    }
    output.write(&table(&rows, "kind"))?;
    let seconds = started.elapsed().as_secs_f64();
    output.figures(&format!("{count} pairs in {seconds:.1} s on {}", session.model().gpu().adapter().title()));
    Ok(())
}

/// For each of `a` whether of all `b` that in its own place is the nearest; another one just as near makes it wrong.
fn hits(a: &[Vec<f32>], b: &[Vec<f32>]) -> Vec<bool> {
    let is_hit = |(place, a): (usize, &Vec<f32>)| {
        let own = similarity(a, &b[place]);
        b.iter().enumerate().all(|(other, b)| other == place || similarity(a, b) < own)
    };
    a.iter().enumerate().map(is_hit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_counts_and_a_tie_does_not() {
        let a = [vec![1.0, 0.0], vec![0.0, 1.0], vec![0.6, 0.8]];
        assert_eq!(hits(&a, &a), [true, true, true]);
        assert_eq!(hits(&a, &[a[1].clone(), a[0].clone(), a[2].clone()]), [false, false, true]);
        assert_eq!(hits(&a, &[a[0].clone(), a[0].clone(), a[2].clone()]), [false, false, true]);
    }
}
