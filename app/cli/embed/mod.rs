//! `percept embed`: texts, pictures and sounds as vectors of the model, and how near they are to each other.

mod items;
mod pairs;

use super::failure::Usage;
use super::interrupt;
use super::load::LoadArgs;
use super::output::Output;
use super::parts::Kind;
use anyhow::Result;
use items::{Item, similarity};
use percept::session::Session;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  percept embed --text \"a red star\" --text \"a blue circle\" star.png
  percept embed --find \"a dog barks\" *.wav                   files, the nearest first
  percept embed --find @cat.jpg notes/*.txt pictures/*.png   nearest to a picture
  percept embed photo.jpg --json                             {\"name\", \"kind\", \"embedding\"}
  percept embed --eval PAIRS                                 how often the nearest is the right one

The embedding of a text is the mean of the decoder's last states, after its norm, over the text's
tokens in a user's message; that of a picture or a sound the mean over its own tokens. It has
length one. Numbers of the table are cosines: 1 for the same, near 0 for what has nothing in common.
A model that was not taught to put like things near each other gives vectors, too, but they say
little across kinds. FILES are pictures and sounds by their endings, else texts.

PAIRS is a folder with pairs.jsonl, or such a file. A line is a pair; paths are beside the file:

  {\"a\": {\"image\": \"1.png\"}, \"b\": {\"text\": \"a red star\"}, \"kind\": \"written from picture\"}

Pairs of a kind are compared in groups of 64 in the order of the file: right is where of all b of the
group a's own is the nearest. The table gives the share that is right with its 95 % interval
(Wilson); by chance it is 1.6 %.";

/// Embed texts, pictures and sounds: how near they are to each other, or which is nearest to a query.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct EmbedArgs {
    /// A text. Can be given several times, as the next two; texts come first, then pictures, sounds and FILES.
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,
    /// A picture: PNG, JPEG, WebP or GIF.
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// A recording: WAV, FLAC, MP3, OGG, M4A or AIFF.
    #[arg(long, value_name = "FILE")]
    audio: Vec<PathBuf>,
    /// Pictures, sounds and texts (UTF-8).
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Lists everything else that is given, the nearest to QUERY first; QUERY is a text, or a file behind an @.
    #[arg(long, value_name = "QUERY")]
    find: Option<String>,
    /// Measures how often the nearest is the right one, on a set of pairs.
    #[arg(long, value_name = "PAIRS", conflicts_with_all = ["text", "image", "audio", "files", "find"])]
    eval: Option<PathBuf>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: LoadArgs,
}

/// Carries it out.
///
/// # Errors
/// Whatever is wrong with what is given, the model or the adapter.
pub fn run(args: &EmbedArgs, output: &Output) -> Result<()> {
    if args.load.system.is_some() || args.load.think {
        return Err(Usage("--system and --think change no embedding; leave them out".into()).into());
    }
    if let Some(set) = &args.eval {
        let pairs = pairs::read(set)?;
        let mut session = open(args, output)?;
        return pairs::measure(&pairs, &mut session, args.json, output);
    }
    let items = items(args)?;
    match &args.find {
        Some(query) => {
            let query = Item::query(query)?;
            let mut session = open(args, output)?;
            find(&query, &items, &mut session, args.json, output)
        }
        None => {
            let mut session = open(args, output)?;
            let embeddings = embed(&items, &mut session, output)?;
            if !args.json {
                return output.write(&table(&items, &embeddings));
            }
            items.iter().zip(&embeddings).try_for_each(|(item, embedding)| {
                output.json(&json!({"name": item.name, "kind": item.kind(), "embedding": embedding}))
            })
        }
    }
}

/// What is given, before a model is loaded, so that a wrong file is told of at once.
fn items(args: &EmbedArgs) -> Result<Vec<Item>> {
    let mut items: Vec<Item> = args.text.iter().map(|text| Item::text(text)).collect();
    for (kind, files) in [(Kind::Image, &args.image), (Kind::Audio, &args.audio)] {
        for file in files {
            items.push(Item::media(kind, file)?);
        }
    }
    for file in &args.files {
        items.push(Item::file(file)?);
    }
    if items.is_empty() {
        let problem = "nothing to embed: give FILES, --text, --image or --audio (`percept embed --help` has examples)";
        return Err(Usage(problem.into()).into());
    }
    Ok(items)
}

fn open(args: &EmbedArgs, output: &Output) -> Result<Session> {
    interrupt::install()?;
    let model = args.load.load(output)?;
    args.load.session(&model, None, output)
}

fn embed(items: &[Item], session: &mut Session, output: &Output) -> Result<Vec<Vec<f32>>> {
    let bar = output.counting(items.len() as u64, "embedding");
    let embed = |item: &Item| {
        bar.inc(1);
        item.embed(session)
    };
    let embeddings = items.iter().map(embed).collect();
    bar.finish_and_clear();
    embeddings
}

/// Cosines of all with all.
fn table(items: &[Item], embeddings: &[Vec<f32>]) -> String {
    let number = items.len().to_string().len();
    let width = items.iter().map(|item| item.name.chars().count()).max().unwrap_or(0);
    let head: String = (1..=items.len()).map(|place| format!("{place:>8}")).collect();
    let mut text = format!("{:number$}  {:width$}{head}\n", "", "");
    for (place, (item, embedding)) in items.iter().zip(embeddings).enumerate() {
        let cosines: String = embeddings.iter().map(|other| format!("{:8.3}", similarity(embedding, other))).collect();
        text += &format!("{:>number$}  {:width$}{cosines}\n", place + 1, item.name);
    }
    text
}

/// The items by their cosines with `query`, the greatest first.
fn find(query: &Item, items: &[Item], session: &mut Session, json: bool, output: &Output) -> Result<()> {
    let wanted = query.embed(session)?;
    let embeddings = embed(items, session, output)?;
    let mut found: Vec<(f64, &Item)> =
        embeddings.iter().map(|embedding| similarity(&wanted, embedding)).zip(items).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.iter().try_for_each(|(cosine, item)| match json {
        true => output.json(&json!({"name": item.name, "kind": item.kind(), "similarity": cosine})),
        false => output.write(&format!("{cosine:6.3}  {}\n", item.name)),
    })
}
