//! A set of questions with known answers: one JSON object a line.

use super::read_lines;
use crate::cli::failure::Usage;
use crate::cli::parts::Kind;
use anyhow::Result;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A question.
#[derive(Debug)]
pub struct EvalCase {
    /// As the set calls it, or its line.
    pub id: String,
    /// What it takes; `group/skill` counts for the group, too.
    pub skill: String,
    /// Read after the media.
    pub question: String,
    /// Files that exist.
    pub media: Vec<(Kind, PathBuf)>,
    /// Any of them is right.
    pub answers: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    id: Option<String>,
    skill: String,
    #[serde(default)]
    question: String,
    #[serde(default)]
    media: Vec<File>,
    answers: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    r#type: String,
    path: PathBuf,
}

/// The cases whose skill begins with one of `skills` (all if there are none), `limit` of each skill at most.
///
/// # Errors
/// The first line that is no case, with what is wrong; no case left.
pub fn read(set: &Path, skills: &[String], limit: Option<usize>) -> Result<Vec<EvalCase>> {
    let (path, all) = read_lines(set, "cases.jsonl", "percept eval --help", case)?;
    let (mut cases, mut counts, mut known) = (Vec::new(), HashMap::new(), Vec::new());
    for case in all {
        if !known.contains(&case.skill) {
            known.push(case.skill.clone());
        }
        if !skills.is_empty() && !skills.iter().any(|skill| case.skill.starts_with(skill.as_str())) {
            continue;
        }
        let count: &mut usize = counts.entry(case.skill.clone()).or_default();
        *count += 1;
        if limit.is_none_or(|limit| *count <= limit) {
            cases.push(case);
        }
    }
    if cases.is_empty() {
        let problem = match known.is_empty() {
            true => {
                format!("{} holds no case; `percept eval --help` shows what a line of it looks like", path.display())
            }
            false => format!("no skill of {} begins so; it has {}", path.display(), known.join(", ")),
        };
        return Err(Usage(problem).into());
    }
    Ok(cases)
}

fn case(text: &str, number: usize, folder: &Path) -> Result<EvalCase, String> {
    let line: Line = serde_json::from_str(text).map_err(|e| {
        // The place in the line is enough; there is no other.
        format!("is no case ({e}); expected {{\"skill\", \"question\", \"media\", \"answers\"}}")
    })?;
    if line.answers.iter().all(|answer| answer.trim().is_empty()) {
        return Err("\"answers\" holds no answer, so nothing said to it could be right".into());
    }
    let media = line.media.into_iter().map(|file| {
        let kinds = [Kind::Image, Kind::Audio, Kind::Video];
        let kind = kinds.into_iter().find(|kind| kind.name() == file.r#type);
        let kind = kind.ok_or(format!("the type \"{}\" is none of image, audio, video", file.r#type))?;
        let path = folder.join(&file.path);
        match path.exists() {
            true => Ok((kind, path)),
            false => Err(format!("{} does not exist", path.display())),
        }
    });
    let media: Vec<_> = media.collect::<Result<_, String>>()?;
    if media.is_empty() && line.question.trim().is_empty() {
        return Err("asks nothing: both \"question\" and \"media\" are empty".into());
    }
    Ok(EvalCase {
        id: line.id.unwrap_or(format!("line {number}")),
        skill: line.skill,
        question: line.question,
        media,
        answers: line.answers,
    })
}
