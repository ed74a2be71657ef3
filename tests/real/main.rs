//! The whole program on real weights against the reference implementation: tokens, logits and perplexity, on every
//! adapter. `./x real` fetches the weights and runs this.

mod compare;

use compare::{Answer, Verdict};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const FOLDER: &str = "tests/fixtures/real";
const RECORDED: &str = "gemma-3-270m-q4_k_m.json";

/// One recorded prompt.
struct Prompt {
    text: String,
    answer: Answer,
    gaps: Vec<f64>,
}

/// What the reference says.
struct Recorded {
    prompts: Vec<Prompt>,
    text: Value,
}

/// The program with the weights, and folders for its caches that last as long as the test.
struct Program {
    model: PathBuf,
    folder: TempDir,
}

#[test]
fn real() {
    let Some(model) = std::env::var_os("PERCEPT_REAL").filter(|path| !path.is_empty()) else {
        say(
            "\nSKIPPED: real weights were NOT compared with the reference. `./x real` fetches them (250 MB) and compares; \
             with a file of one's own: PERCEPT_REAL=gemma-3-270m-q4_k_m.gguf cargo test --test real\n",
        );
        return;
    };
    let program = Program { model: model.into(), folder: tempfile::tempdir().unwrap() };
    assert!(program.model.is_file(), "PERCEPT_REAL: {} is no file", program.model.display());
    let recorded = recorded();
    let mut problems = Vec::new();
    for (number, title) in program.adapters() {
        say(&format!("\n{title}: {}\n", program.model.display()));
        on_adapter(&program, &number, &recorded, &mut |problem| problems.push(format!("{title}: {problem}")));
    }
    assert!(problems.is_empty(), "\n{} failures\n{}\n", problems.len(), problems.join("\n"));
}

fn on_adapter(program: &Program, adapter: &str, recorded: &Recorded, fail: &mut dyn FnMut(String)) {
    say(&format!("{:<40} {:>14} {:>11}\n", "prompt", "equal (due)", "logits off"));
    for prompt in &recorded.prompts {
        let args = ["ask", "--raw", "--temperature", "0", "--repetition-penalty", "1", "--json", "--max-tokens"];
        let most = prompt.answer.ids.len().to_string();
        let model = program.model.display().to_string();
        let rest = [&most, "--model", &model, "--adapter", adapter, "--", &prompt.text];
        let answer = program.json(&[&args[..], &rest[..]].concat());
        let verdict = answer.and_then(|value| Answer::of(&value, "prompt_ids", "ids"));
        let verdict = verdict.map(|said| compare::answers(&said, &prompt.answer, &prompt.gaps));
        say(&row(&prompt.text, &verdict));
        let wrong = verdict.map_or_else(|problem| vec![problem], |verdict| verdict.problems);
        wrong.into_iter().for_each(|problem| fail(format!("{:?}: {problem}", prompt.text)));
    }
    match program.perplexity(adapter, &recorded.text) {
        Ok((line, wrong)) => {
            say(&line);
            wrong.into_iter().for_each(fail);
        }
        Err(problem) => fail(format!("perplexity: {problem}")),
    }
}

fn row(text: &str, verdict: &Result<Verdict, String>) -> String {
    let mut short: String = text.chars().take(38).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    let mut row = format!("{short:<40} ");
    // Writing to a string does not fail.
    let _ = match verdict {
        Ok(it) => {
            let until = format!("{} ({})", it.equal, it.due);
            let mark = if it.problems.is_empty() { "" } else { "  WRONG" };
            writeln!(row, "{until:>14} {:>11.4}{mark}", it.worst)
        }
        Err(_) => writeln!(row, "{:>14} {:>11}  WRONG", "-", "-"),
    };
    row
}

impl Program {
    /// Number and title of each adapter, or of those in `PERCEPT_REAL_ADAPTERS`.
    fn adapters(&self) -> Vec<(String, String)> {
        let asked = std::env::var("PERCEPT_REAL_ADAPTERS").unwrap_or_default();
        if !asked.trim().is_empty() {
            return asked.split_whitespace().map(|name| (name.into(), name.into())).collect();
        }
        let report = self.json(&["doctor", "--json"]).unwrap();
        let adapters = report["adapters"].as_array().unwrap();
        assert!(!adapters.is_empty(), "there is no adapter: {report}");
        let named = |adapter: &Value| {
            let [name, backend] = ["name", "backend"].map(|key| adapter[key].as_str().unwrap());
            (adapter["index"].to_string(), format!("{name} ({backend})"))
        };
        adapters.iter().map(named).collect()
    }

    /// The last line that it prints.
    fn json(&self, args: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_percept"));
        command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        for name in ["PERCEPT_ADAPTER", "PERCEPT_LOG"] {
            command.env_remove(name);
        }
        for (name, folder) in [("PERCEPT_CACHE_DIR", "cache"), ("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "config")]
        {
            command.env(name, self.folder.path().join(folder));
        }
        let output = command.output().map_err(|e| e.to_string())?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            return Err(format!("{}: {}", output.status, stderr.trim()));
        }
        let last = stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).map_err(|e| format!("the last line is no JSON ({e}): {last}"))
    }

    /// A line of the table, and what is wrong.
    fn perplexity(&self, adapter: &str, recorded: &Value) -> Result<(String, Vec<String>), String> {
        let text = Path::new(FOLDER).join(recorded["file"].as_str().unwrap()).display().to_string();
        let model = self.model.display().to_string();
        let window = recorded["window"].to_string();
        // What was recorded are whole windows, of which the first token is not scored.
        let scored = recorded["tokens"].as_u64().unwrap();
        let windows = scored.div_ceil(recorded["window"].as_u64().unwrap() - 1).to_string();
        let args = ["perplexity", &model, "--text", &text, "--window", &window, "--windows", &windows];
        let value = self.json(&[&args[..], &["--adapter", adapter, "--json"]].concat())?;
        let numbers = |value: &Value| value["nats_per_token"].as_f64().zip(value["tokens"].as_u64());
        let said = numbers(&value).ok_or_else(|| format!("no nats_per_token or tokens in {value}"))?;
        let (off, wrong) = compare::perplexities(said, numbers(recorded).unwrap());
        let mark = if wrong.is_empty() { "" } else { "  WRONG" };
        let title = format!("perplexity over {} tokens", said.1);
        let line = format!("{title:<40} {:>14.4} {:>9.3} %{mark}\n", said.0.exp(), 100.0 * off);
        Ok((line, wrong))
    }
}

fn recorded() -> Recorded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(RECORDED);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    let prompt = |value: &Value| Prompt {
        text: value["text"].as_str().unwrap().into(),
        answer: Answer::of(value, "ids", "greedy").unwrap(),
        gaps: value["gaps"].as_array().unwrap().iter().map(|gap| gap.as_f64().unwrap()).collect(),
    };
    Recorded { prompts: value["prompts"].as_array().unwrap().iter().map(prompt).collect(), text: value["text"].clone() }
}

/// What is recorded is what the folder holds, with nothing left to compare forgotten.
#[test]
fn every_prompt_is_recorded() {
    let recorded = recorded();
    let prompts = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join("prompts.txt"));
    let prompts = prompts.unwrap();
    let texts: Vec<&str> = recorded.prompts.iter().map(|prompt| prompt.text.as_str()).collect();
    assert_eq!(texts, prompts.lines().collect::<Vec<_>>());
    assert!(texts.len() >= 20);
    for Prompt { text, answer, gaps } in &recorded.prompts {
        assert_eq!((answer.ids.len(), gaps.len(), answer.top.len()), (48, 48, 16), "{text}");
    }
    assert_eq!((&recorded.text["window"], &recorded.text["tokens"]), (&512.into(), &(4 * 511).into()));
}

/// Not caught by the test harness, which keeps the words of tests that pass to itself.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
