//! `percept ask`: one message, one answer.

use super::answer::{self, Form, From};
use super::failure::{Told, Usage, exit_code, sentence};
use super::interrupt::{self, INTERRUPTED};
use super::load::LoadArgs;
use super::output::Output;
use super::parts::{self, Kind, PartsArgs, Ready};
use super::sampling::SamplingArgs;
use anyhow::Result;
use percept::models::Media;
use percept::session::{Generation, Part, Session, StopReason};
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  percept ask \"Why is the sky blue?\"
  percept ask \"What is this?\" --image cat.jpg
  percept ask --image before.png \"and\" --image after.png \"What changed?\"
  percept ask --audio question.wav
  percept ask --video clip.mp4 \"What happens here?\" --max-tokens 200
  git diff | percept ask \"Describe this change:\" -
  percept ask \"Three names for a boat\" --json --seed 7

Parts are read in the order given. The answer goes to standard output as it comes. With --json there
is one object a line: {\"event\": \"token\"}, {\"event\": \"text\", \"delta\", \"thinking\"}, at the end
{\"event\": \"stop\", \"reason\": \"end\" | \"max_tokens\" | \"context\" | \"cancelled\", …} or
{\"event\": \"error\", \"message\", \"exit_code\"}. The stop holds \"text\", \"ids\", \"prompt_ids\", and in
\"top_logits\" the 16 best of the first token as [id, logit].";

/// Answer one message about text, pictures, sound and video.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct AskArgs {
    #[command(flatten)]
    parts: PartsArgs,
    /// One JSON object an event instead of text.
    #[arg(long)]
    json: bool,
    /// Continue TEXT as it stands: no chat template, special tokens spelled in it count, and with --max-tokens exactly
    /// that many tokens come, whatever they are.
    #[arg(long, conflicts_with_all = ["system", "think", "image", "audio", "video"])]
    raw: bool,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// Carries it out.
///
/// # Errors
/// Whatever is wrong with the parts, the model or the adapter.
pub fn run(args: &AskArgs, output: &Output) -> Result<()> {
    let outcome = ask(args, output);
    if args.json
        && let Err(error) = &outcome
        && !error.is::<Told>()
    {
        // If this cannot be written either, the first error is the one to report.
        let code = exit_code(error);
        let _ = output.json(&json!({"event": "error", "message": sentence(error), "exit_code": code}));
    }
    outcome
}

fn ask(args: &AskArgs, output: &Output) -> Result<()> {
    args.sampling.check()?;
    let ready = args.parts.read(output)?;
    let form = if args.json { Form::Json } else { Form::Text };
    interrupt::install()?;
    let model = args.load.load(output)?;
    let mut session = args.load.session(&model, args.load.system.as_deref(), output)?;
    let mut generation = args.sampling.generation(model.defaults());
    let from = if args.raw { From::Ids } else { From::Message };
    match from {
        From::Ids => read_raw(&mut session, ready, &mut generation)?,
        From::Message => read_message(&mut session, ready, output)?,
    }
    let said = answer::give(&mut session, from, &generation, form, output)?;
    match said.reason {
        StopReason::Cancelled => Err(Told(INTERRUPTED).into()),
        _ => Ok(()),
    }
}

fn read_message(session: &mut Session, ready: Vec<Ready>, output: &Output) -> Result<()> {
    let model = session.model().clone();
    for part in ready {
        session.push(match part {
            Ready::Text(text) => Part::Text(text),
            Ready::Media(media, path) => {
                parts::remark(&media, &path, &model, output);
                Part::Media(media)
            }
            Ready::Video(path) => {
                let media: Media = parts::read(Kind::Video, &path, parts::most_frames(&model))?;
                parts::remark(&media, &path, &model, output);
                Part::Media(media)
            }
        })?;
    }
    Ok(())
}

fn read_raw(session: &mut Session, ready: Vec<Ready>, generation: &mut Generation) -> Result<()> {
    let mut all = String::new();
    for part in ready {
        match part {
            Ready::Text(text) => all += &text,
            Ready::Media(_, path) | Ready::Video(path) => {
                let problem = format!("--raw takes text alone, so {} cannot be read", path.display());
                return Err(Usage(problem).into());
            }
        }
    }
    if generation.max_tokens.is_some() {
        generation.stop_ids.clear();
    }
    Ok(session.push_raw(&all)?)
}
