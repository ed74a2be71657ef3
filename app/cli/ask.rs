//! `percept ask`: one message, one answer.

use super::answer::{self, Form};
use super::failure::{Told, exit_code, sentence};
use super::interrupt::{self, INTERRUPTED};
use super::load::LoadArgs;
use super::output::Output;
use super::parts::{self, Kind, PartsArgs, Ready};
use super::sampling::SamplingArgs;
use anyhow::Result;
use percept::models::Media;
use percept::session::{Part, StopReason};
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
{\"event\": \"error\", \"message\", \"exit_code\"}.";

/// Answer one message about text, pictures, sound and video.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct AskArgs {
    #[command(flatten)]
    parts: PartsArgs,
    /// One JSON object an event instead of text.
    #[arg(long)]
    json: bool,
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
    interrupt::install()?;
    let model = args.load.load(output)?;
    let mut session = args.load.session(&model, args.load.system.as_deref(), output)?;
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
    let generation = args.sampling.generation(model.defaults());
    let form = if args.json { Form::Json } else { Form::Text };
    let said = answer::give(&mut session, &generation, form, output)?;
    match said.reason {
        StopReason::Cancelled => Err(Told(INTERRUPTED).into()),
        _ => Ok(()),
    }
}
