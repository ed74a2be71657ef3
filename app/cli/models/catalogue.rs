//! `percept models catalogue`: models to begin with, and whether they fit this machine.

use crate::cli::output::Output;
use crate::hub::Room;
use crate::hub::catalogue::{ENTRIES, Entry};
use anyhow::Result;
use indicatif::DecimalBytes;
use percept::gpu::AdapterSummary;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  percept models catalogue
  percept models pull ggml-org/gemma-3-1b-it-GGUF:Q4_K_M

Marked with * is what fits the memory of this machine's best adapter: its own where the driver tells
how much that is, else three quarters of the machine's. Any other model of a supported family can be
pulled too.";

/// List models to begin with, and which of them fit this machine.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CatalogueArgs {
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Carries it out.
///
/// # Errors
/// If it cannot be written.
pub fn run(args: &CatalogueArgs, output: &Output) -> Result<()> {
    show(args.json, output)
}

/// Which of them fit, and where, in a sentence.
fn told(room: &Room) -> String {
    match (&room.adapter, room.bytes()) {
        (Some(adapter), Some(bytes)) => {
            format!("* fits here: about {} for models on {}", DecimalBytes(bytes), adapter.title())
        }
        (Some(adapter), None) => format!("how much memory {} has is not told to programs", adapter.title()),
        (None, _) => "no adapter was found that models could run on; see `percept doctor`".into(),
    }
}

/// Shows the table.
///
/// # Errors
/// If it cannot be written.
pub fn show(as_json: bool, output: &Output) -> Result<()> {
    let room = Room::of_this_machine(None);
    let entries: Vec<&Entry> = ENTRIES.iter().filter(|entry| entry.is_supported()).collect();
    let fits = |entry: &Entry| room.bytes().is_some_and(|bytes| entry.memory() <= bytes);
    if as_json {
        let row = |entry: &&Entry| {
            json!({
                "id": entry.id,
                "title": entry.title,
                "bytes": entry.bytes,
                "memory_bytes": entry.memory(),
                "senses": entry.senses.split(", ").collect::<Vec<_>>(),
                "fits": fits(entry),
            })
        };
        return output.json(&json!({
            "models": entries.iter().map(row).collect::<Vec<_>>(),
            "adapter": room.adapter.as_ref().map(AdapterSummary::title),
            "memory_bytes": room.bytes(),
        }));
    }
    let mut rows = vec![["", "MODEL", "ID", "DISK", "MEMORY", "TAKES"].map(String::from)];
    rows.extend(entries.iter().map(|entry| {
        let bytes = |bytes| DecimalBytes(bytes).to_string();
        let mark = if fits(entry) { "*" } else { "" };
        [
            mark.into(),
            entry.title.into(),
            entry.id.into(),
            bytes(entry.bytes),
            bytes(entry.memory()),
            entry.senses.into(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    let mut text = String::new();
    for [mark, title, id, disk, memory, senses] in &rows {
        let [a, b, c, d, e] = widths[..] else { break };
        text += &format!("{mark:<a$} {title:<b$}  {id:<c$}  {disk:>d$}  {memory:>e$}  {senses}\n");
    }
    text += &format!("\n{}\n`percept models pull ID` downloads one.\n", told(&room));
    output.write(&text)
}
