//! Measurements as a table for people and as JSON for comparison, with what they were measured on.

use super::Times;
use super::ceilings::Ceilings;
use super::kernels::{Bound, KernelTime};
use super::model::{ModelReport, Token};
use crate::gpu::AdapterSummary;
use serde::Serialize;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Everything that was measured in one go.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Of this program.
    pub version: &'static str,
    /// Whether it was built with optimisations for release.
    pub profile: &'static str,
    /// Day in UTC: `2026-01-31`.
    pub date: String,
    /// Name and backend.
    pub adapter: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `unknown`.
    pub kind: &'static str,
    /// Driver and its version.
    pub driver: String,
    /// Threads of the CPU that this process may use.
    pub cpu_threads: usize,
    /// Processes that wanted the CPU in the minute before; beyond this one, they slow everything. `None` where the
    /// system does not tell.
    pub load_average: Option<f64>,
    /// Fewer repeats than for results that are kept.
    pub quick: bool,
    /// What the adapter can do.
    pub ceilings: Ceilings,
    /// Its kernels; data and pipelines warm.
    pub kernels: Vec<KernelTime>,
    /// Kernels that were not measured, and why.
    pub skipped: Vec<String>,
    /// A model on it.
    pub model: Option<ModelReport>,
}

/// The numbers of a model that scripts rely on, at the medians: of the longest prompt, and of the answer behind the
/// emptiest cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Tokens a second of reading.
    pub prefill_tok_s: Option<f64>,
    /// Tokens of that prompt.
    pub prefill_tokens: Option<usize>,
    /// Tokens a second of answering.
    pub decode_tok_s: Option<f64>,
    /// Tokens of that answer.
    pub decode_tokens: Option<usize>,
    /// From a question to the first token of its answer, warm.
    pub first_token_ms: f64,
    /// From the files to weights on the adapter, cold.
    pub load_ms: f64,
    /// From opening the adapter to the first token of a first answer, cold.
    pub load_to_first_token_ms: f64,
    /// Most memory of the process up to that token.
    pub peak_rss_bytes: Option<u64>,
    /// Bytes that a token of the answer must move.
    pub bytes_per_token: Option<u64>,
    /// Share of the measured reading bandwidth that this is.
    pub share_of_read_bandwidth: Option<f64>,
}

impl Summary {
    fn of(model: &ModelReport) -> Summary {
        let prefill = model.prefill.iter().max_by_key(|prefill| prefill.tokens);
        let decode = model.decode.iter().min_by_key(|decode| decode.cache_len);
        let cold_s = model.open_s + model.load_s + model.session_s + model.first_token_cold_s;
        Summary {
            prefill_tok_s: prefill.map(|it| it.tokens_per_s),
            prefill_tokens: prefill.map(|it| it.tokens),
            decode_tok_s: decode.map(|it| it.tokens_per_s),
            decode_tokens: decode.map(|it| it.tokens),
            first_token_ms: model.first_token_warm.median_s * 1e3,
            load_ms: model.load_s * 1e3,
            load_to_first_token_ms: cold_s * 1e3,
            peak_rss_bytes: model.peak_rss_bytes,
            bytes_per_token: decode.map(|it| it.bytes),
            share_of_read_bandwidth: decode.map(|it| it.share_of_bandwidth),
        }
    }
}

/// What is written as JSON.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(flatten)]
    summary: Option<Summary>,
}

impl Report {
    /// Everything as JSON, with the [`Summary`] of the model beside it.
    ///
    /// # Errors
    /// None that numbers and names can meet.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(Written { report: self, summary: self.model.as_ref().map(Summary::of) })
    }

    /// A report without kernels and model, of today.
    pub fn new(adapter: &AdapterSummary, quick: bool, ceilings: Ceilings) -> Report {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Report {
            version: env!("CARGO_PKG_VERSION"),
            profile: if cfg!(debug_assertions) { "dev" } else { "release" },
            date: date(since.as_secs() / 86_400),
            adapter: adapter.title(),
            kind: adapter.kind,
            driver: adapter.driver.clone(),
            cpu_threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
            load_average: load_average(),
            quick,
            ceilings,
            kernels: Vec::new(),
            skipped: Vec::new(),
            model: None,
        }
    }

    /// The table.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Report { version, profile, date, adapter, kind, driver, cpu_threads, quick, .. } = self;
        let load = self.load_average.map_or(String::new(), |load| format!(", load average {load:.1}"));
        writeln!(out, "{adapter}, {kind}, driver {driver}; {cpu_threads} CPU threads{load}")?;
        let quick = if *quick { ", quick: few repeats" } else { "" };
        writeln!(
            out,
            "percept {version} ({profile} build), {date}{quick}; medians, the best of the repeats in brackets"
        )?;
        write_ceilings(out, &self.ceilings)?;
        if !self.kernels.is_empty() {
            write_kernels(out, &self.kernels)?;
        }
        for reason in &self.skipped {
            writeln!(out, "  not measured    {reason}")?;
        }
        match &self.model {
            Some(model) => write_model(out, model),
            None => Ok(()),
        }
    }
}

/// As Linux tells it.
fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

fn write_ceilings(out: &mut String, it: &Ceilings) -> std::fmt::Result {
    writeln!(out, "\nCeilings of the adapter")?;
    let best = [it.best_read_bytes_per_s, it.best_flops_per_s].map(|rate| rate / 1e9);
    let read = it.read_bytes_per_s / 1e9;
    writeln!(out, "  read            {read:8.1} GB/s ({:.1}) of {} MiB", best[0], it.read_set_bytes >> 20)?;
    writeln!(out, "  multiply, add   {:8.1} GFLOP/s ({:.1}) in f32", it.flops_per_s / 1e9, best[1])?;
    writeln!(out, "  dispatch        {:>8} each in a long replay", seconds(it.dispatch_s))?;
    writeln!(out, "  replay          {:>8} of one dispatch, with waiting for it", seconds(it.replay_s))?;
    writeln!(out, "  upload          {:8.1} GB/s", it.upload_bytes_per_s / 1e9)
}

fn write_kernels(out: &mut String, all: &[KernelTime]) -> std::fmt::Result {
    writeln!(out, "\nKernels, repeated on the same data: caches warm; * marks the variant that the engine uses here")?;
    let shape_len = all.iter().map(|k| k.shape.chars().count()).max().unwrap_or(0).max(5);
    writeln!(
        out,
        "  {:<14} {:<shape_len$} {:<14} {:>9} {:>10} {:>8} {:>9} {:>6}",
        "kernel", "shape", "variant", "time", "(best)", "GB/s", "GFLOP/s", "share"
    )?;
    for k in all {
        let Times { median_s, best_s, .. } = k.times;
        let mark = if k.used { "*" } else { " " };
        let bound = if k.bound == Bound::Memory { "of read" } else { "of arithmetic" };
        writeln!(
            out,
            "{mark} {:<14} {:<shape_len$} {:<14} {:>9} {:>10} {:>8.2} {:>9.2} {:>5.0} % {bound}",
            k.kernel,
            k.shape,
            k.variant,
            seconds(median_s),
            format!("({})", seconds(best_s)),
            k.bytes as f64 / median_s / 1e9,
            k.flops as f64 / median_s / 1e9,
            100.0 * k.share,
        )?;
    }
    Ok(())
}

fn write_model(out: &mut String, it: &ModelReport) -> std::fmt::Result {
    writeln!(out, "\n{}, context {}", it.model, it.context)?;
    writeln!(out, "  open adapter    {:>9} cold", seconds(it.open_s))?;
    writeln!(
        out,
        "  load weights    {:>9} cold (file cache as found), {}",
        seconds(it.load_s),
        bytes(it.weight_bytes)
    )?;
    writeln!(out, "  make session    {:>9} cold (driver's shader cache as found)", seconds(it.session_s))?;
    let (cold, warm) = (seconds(it.first_token_cold_s), seconds(it.first_token_warm.median_s));
    writeln!(out, "  first token     {cold:>9} cold, {warm} warm; question of {} tokens", it.question_tokens)?;
    for p in &it.prefill {
        writeln!(
            out,
            "  prefill         {:>9.1} tokens/s over {} tokens ({} each, best {}), {:.0} % of arithmetic",
            p.tokens_per_s,
            p.tokens,
            seconds(p.times.median_s / p.tokens as f64),
            seconds(p.times.best_s / p.tokens as f64),
            100.0 * p.share_of_arithmetic,
        )?;
    }
    for d in &it.decode {
        writeln!(
            out,
            "  decode          {:>9.1} tokens/s behind {} tokens ({} each, best {}): {} dispatches, {} ({} of it keys and \
             values), {:.0} % of read",
            d.tokens_per_s,
            d.cache_len,
            seconds(d.times.median_s),
            seconds(d.times.best_s),
            d.dispatches,
            bytes(d.bytes),
            bytes(d.cache_bytes),
            100.0 * d.share_of_bandwidth,
        )?;
    }
    for token in &it.by_shader {
        write_token(out, token)?;
    }
    for reason in &it.skipped {
        writeln!(out, "  not measured    {reason}")?;
    }
    let rss = it.peak_rss_bytes.map_or("unknown here".into(), bytes);
    writeln!(
        out,
        "  memory          {} on the adapter, at most {rss} of the process up to the first token",
        bytes(it.held_bytes)
    )
}

fn write_token(out: &mut String, it: &Token) -> std::fmt::Result {
    let (adapter, whole) = (seconds(it.adapter_s), seconds(it.whole_s));
    writeln!(
        out,
        "  one token       {adapter:>9} on the adapter behind {} tokens, {whole} with each dispatch in a pass of its own:",
        it.cache_len
    )?;
    let width = it.shaders.iter().map(|it| it.shader.len()).max().unwrap_or(0);
    for it in &it.shaders {
        let (time, each) = (seconds(it.seconds), seconds(it.seconds / it.dispatches.max(1) as f64));
        let share = 100.0 * it.share;
        writeln!(out, "    {:<width$} {:>4} × {each:>8} {time:>9} {share:>5.1} %", it.shader, it.dispatches)?;
    }
    Ok(())
}

/// Three digits and a unit.
fn seconds(s: f64) -> String {
    scaled(s, &[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")])
}

fn bytes(count: u64) -> String {
    scaled(count as f64, &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")])
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let (unit, name) = units.iter().find(|(unit, _)| value >= *unit).or(units.last()).copied().unwrap_or((1.0, ""));
    let value = value / unit;
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {name}")
}

/// The day that begins this many days after 1970-01-01.
fn date(days: u64) -> String {
    let mut year = 1970;
    let mut left = days;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let known =
            [(0, "1970-01-01"), (58, "1970-02-28"), (59, "1970-03-01"), (364, "1970-12-31"), (365, "1971-01-01")];
        let later = [(11_016, "2000-02-29"), (11_017, "2000-03-01"), (20_454, "2026-01-01"), (47_541, "2100-03-01")];
        for (days, expected) in known.into_iter().chain(later) {
            assert_eq!(date(days), expected, "{days}");
        }
    }

    #[test]
    fn units() {
        assert_eq!(
            [seconds(1.5), seconds(0.0123), seconds(4.56e-7), seconds(0.0)],
            ["1.50 s", "12.3 ms", "456 ns", "0.00 ns"]
        );
        assert_eq!([bytes(12), bytes(3_400_000)], ["12.0 B", "3.40 MB"]);
    }
}
