//! `percept eval`: questions with known answers, put to a model through the engine.

pub mod score;
mod set;

use super::failure::Usage;
use super::interrupt;
use super::load::{LoadArgs, existing};
use super::output::Output;
use super::parts::{self, most_frames};
use super::sampling::at_least_one;
use anyhow::{Context, Result};
use percept::session::{Event, Generation, Mark, Part, Session};
use score::{Tally, is_right, table};
use serde_json::{Value, json};
use set::EvalCase;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  percept eval SET --model MODEL                          a table of all skills
  percept eval SET --model MODEL --skill see --limit 20   20 cases of each skill that begins so
  percept eval SET --model MODEL --worst wrong            files of wrong answers, the surest first
  percept eval SET --model MODEL --json

SET is a folder with cases.jsonl, or such a file. A line is a case:

  {\"skill\": \"see/colour\", \"question\": \"What colour is the star?\",
   \"media\": [{\"type\": \"image\", \"path\": \"0001.png\"}], \"answers\": [\"It is red.\", \"red\"]}

\"media\" (image, audio, video; paths beside the file) come before the question; they and \"id\" may be
missing. Each case is a conversation of its own, answered by the likeliest tokens. It is right if
what the model says is one of \"answers\"; capitals, punctuation and spacing do not count. The table
gives the share that is right with its 95 % interval (Wilson), for each skill, for what stands
before its slash, and for all. With --json there is one object a case and {\"event\": \"result\"} last.";

/// Measure how often a model answers rightly, skill by skill.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct EvalArgs {
    /// The folder with cases.jsonl, or such a file.
    #[arg(value_name = "SET")]
    set: PathBuf,
    /// Only skills that begin so; can be given several times.
    #[arg(long, value_name = "SKILL")]
    skill: Vec<String>,
    /// Only the first N cases of each skill.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// Most tokens of an answer.
    #[arg(long, value_name = "N", default_value = "64", value_parser = at_least_one)]
    max_tokens: usize,
    /// Copies the files of wrong answers into this folder, which is made, with a line for each in worst.jsonl.
    #[arg(long, value_name = "DIR")]
    worst: Option<PathBuf>,
    /// Most wrong answers of a skill that are copied.
    #[arg(long, value_name = "N", default_value = "8", value_parser = at_least_one, requires = "worst")]
    worst_count: usize,
    /// One JSON object a case instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: LoadArgs,
}

/// An answer that is wrong.
struct Wrong<'a> {
    case: &'a EvalCase,
    said: String,
    /// Probability of the first token.
    sure: f64,
}

/// Carries it out.
///
/// # Errors
/// Whatever is wrong with the set, the model or the adapter.
pub fn run(args: &EvalArgs, output: &Output) -> Result<()> {
    let cases = set::read(&args.set, &args.skill, args.limit)?;
    if let Some(folder) = &args.worst {
        std::fs::create_dir_all(folder)
            .map_err(|e| Usage(format!("cannot make the folder {} for --worst: {e}", folder.display())))?;
    }
    interrupt::install()?;
    let model = args.load.load(output)?;
    let mut session = args.load.session(&model, args.load.system.as_deref(), output)?;
    let generation = Generation { max_tokens: Some(args.max_tokens), ..Generation::greedy(model.defaults()) };
    let begin = session.mark();
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut wrong = Vec::new();
    let started = Instant::now();
    let bar = output.counting(cases.len() as u64, "cases");
    for case in &cases {
        let (said, sure) = answer(&mut session, &begin, case, &generation)
            .with_context(|| format!("case {} was not answered", case.id))?;
        let right = is_right(&said, &case.answers);
        tallies.entry(&case.skill).or_default().count(right);
        if args.json {
            output.json(&json!({
                "event": "case", "id": case.id, "skill": case.skill, "question": case.question, "said": said,
                "right": right, "answers": case.answers, "sure": sure,
            }))?;
        }
        if !right {
            wrong.push(Wrong { case, said, sure });
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    let rows = score::rows(&tallies);
    if args.json {
        let skills: Vec<Value> = rows.iter().map(|row| row.to_json("skill")).collect();
        output.json(&json!({
            "event": "result", "skills": skills, "seconds": seconds, "adapter": model.gpu().adapter().title(),
            "model": model.folder(), "set": args.set,
        }))?;
    } else {
        output.write(&table(&rows, "skill"))?;
        output.figures(&format!("{} cases in {seconds:.1} s on {}", cases.len(), model.gpu().adapter().title()));
    }
    if let Some(folder) = &args.worst {
        let kept = keep_worst(folder, wrong, args.worst_count)?;
        output.note(&match kept {
            0 => format!("no answer was wrong, so {} holds none", folder.display()),
            kept => format!("{kept} wrong answers, the surest of each skill first, are in {}", folder.display()),
        });
    }
    Ok(())
}

/// What is said to a case in a conversation of its own, and the probability of its first token.
fn answer(session: &mut Session, begin: &Mark, case: &EvalCase, generation: &Generation) -> Result<(String, f64)> {
    session.rollback(begin)?;
    let most_frames = most_frames(session.model());
    for (kind, path) in &case.media {
        session.push(Part::Media(parts::read(*kind, path, most_frames)?))?;
    }
    session.push(Part::Text(case.question.clone()))?;
    let answer = session.generate(generation)?;
    let sure = answer.first_logits()?.map_or(0.0, |logits| likeliest(&logits));
    let mut said = String::new();
    for event in answer {
        if let Event::Text { delta, thinking: false } = event? {
            said += &delta;
        }
    }
    Ok((said, sure))
}

/// The greatest probability.
fn likeliest(logits: &[f32]) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    1.0 / logits.iter().map(|logit| f64::from(logit - most).exp()).sum::<f64>()
}

/// Copies the files of the surest wrong answers of each skill and says what was wrong with each in `worst.jsonl`.
fn keep_worst(folder: &Path, mut wrong: Vec<Wrong>, most: usize) -> Result<usize> {
    wrong.sort_by(|a, b| a.case.skill.cmp(&b.case.skill).then(b.sure.total_cmp(&a.sure)));
    let mut lines = String::new();
    let (mut kept, mut of_skill) = (0, ("", 0));
    for Wrong { case, said, sure } in &wrong {
        if of_skill.0 != case.skill {
            of_skill = (&case.skill, 0);
        }
        of_skill.1 += 1;
        if of_skill.1 > most {
            continue;
        }
        kept += 1;
        let mut media = Vec::new();
        for (place, (kind, path)) in case.media.iter().enumerate() {
            let name = format!("{kept:03}-{place}-{}", path.file_name().unwrap_or_default().to_string_lossy());
            copy(path, &folder.join(&name))
                .with_context(|| format!("cannot copy {} into {}", path.display(), folder.display()))?;
            media.push(json!({"type": kind.name(), "path": name}));
        }
        // Itself a set, so that the same questions can be asked again.
        let line = json!({
            "id": case.id, "skill": case.skill, "question": case.question, "media": media, "answers": case.answers,
            "said": said, "sure": sure,
        });
        lines += &format!("{line}\n");
    }
    let path = folder.join("worst.jsonl");
    std::fs::write(&path, lines).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(kept)
}

/// A file, or a folder of frames.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return std::fs::copy(from, to).map(|_| ());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// What `parse` makes of each line of a set that is not empty, given its number and the folder that paths in it start from.
/// The set is a file, or a folder with one called `name`; `help` shows what is in it.
///
/// # Errors
/// If nothing is there; the first line that `parse` has a sentence against, by its number.
pub fn read_lines<T>(
    set: &Path,
    name: &str,
    help: &str,
    parse: impl Fn(&str, usize, &Path) -> Result<T, String>,
) -> Result<(PathBuf, Vec<T>)> {
    let path = set_file(set, name, help)?;
    let text = std::fs::read_to_string(&path).map_err(|e| Usage(format!("cannot read {}: {e}", path.display())))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(index, line)| {
        parse(line, index + 1, folder)
            .map_err(|problem| Usage(format!("{}, line {}: {problem}", path.display(), index + 1)).into())
    });
    let parsed = lines.collect::<Result<Vec<T>>>()?;
    Ok((path, parsed))
}

fn set_file(set: &Path, name: &str, help: &str) -> Result<PathBuf> {
    let set = existing(set, &format!("a folder with {name}, or such a file"))?;
    if !set.is_dir() {
        return Ok(set);
    }
    let file = set.join(name);
    if file.is_file() {
        return Ok(file);
    }
    let problem = format!("{} holds no {name}; `{help}` shows what a line of it looks like", set.display());
    Err(Usage(problem).into())
}
