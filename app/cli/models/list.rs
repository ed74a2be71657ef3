//! `percept models list`: what other programs have put on this disk.

use crate::cli::output::Output;
use crate::store::models::{Findings, Found, Places, State, Store};
use anyhow::Result;
use indicatif::DecimalBytes;
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  percept models list
  percept ask --model gemma3:270m \"Why is the sky blue?\"
  percept ask --model hf:google/gemma-3-270m-it \"Why is the sky blue?\"

Looked through are the Hugging Face cache (HF_HUB_CACHE, HF_HOME), Ollama's store (OLLAMA_MODELS)
and LM Studio's folders. Models are used where they lie. A part of a name is enough where it is
clear which is meant; hf:, ollama: or lmstudio: before it says whose.";

/// List the models on this disk, whichever program downloaded them.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Carries it out.
///
/// # Errors
/// If it cannot be written.
pub fn run(args: &ListArgs, output: &Output) -> Result<()> {
    let places = Places::of_this_user();
    let findings = places.find();
    for problem in &findings.unreadable {
        output.note(problem);
    }
    if args.json {
        return output.json(&to_json(&places, &findings));
    }
    if findings.models.iter().all(|model| model.store == Store::BuiltIn) {
        let looked: Vec<String> = places.folders().map(|path| path.display().to_string()).collect();
        output.note(&format!(
            "no other models in {}; `percept models catalogue` tells where to begin",
            looked.join(", ")
        ));
    }
    output.write(&table(&findings.models))
}

fn table(models: &[Found]) -> String {
    let mut rows = vec![["NAME", "ARCHITECTURE", "SIZE", "WHERE", ""].map(String::from)];
    rows.extend(models.iter().map(|model| {
        [
            model.name.clone(),
            model.architecture.clone().unwrap_or_else(|| "-".into()),
            if model.bytes > 0 { DecimalBytes(model.bytes).to_string() } else { "-".into() },
            model.store.title().to_string(),
            match (&model.state, model.problem()) {
                (_, Some(problem)) => format!("broken: {problem}"),
                (State::Unsupported, None) => "not supported".into(),
                (_, None) => String::new(),
            },
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    for [name, architecture, size, place, state] in &rows {
        let [a, b, c, d] = widths;
        let line = format!("{name:<a$}  {architecture:<b$}  {size:>c$}  {place:<d$}  {state}");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn to_json(places: &Places, findings: &Findings) -> Value {
    let model = |model: &Found| {
        let state = match &model.state {
            State::Usable => "usable",
            State::Unsupported => "not supported",
            State::Unfinished | State::Broken(_) => "broken",
        };
        json!({
            "name": model.name,
            "architecture": model.architecture,
            "bytes": model.bytes,
            "store": model.store.prefix(),
            "path": model.path,
            "state": state,
            "problem": model.problem(),
        })
    };
    json!({
        "models": findings.models.iter().map(model).collect::<Vec<_>>(),
        "looked_in": places.folders().collect::<Vec<_>>(),
        "unreadable": findings.unreadable,
    })
}
