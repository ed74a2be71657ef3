//! Speeds of rullama, as one line of JSON: `peer-rullama FILE.gguf PREFILL DECODE`. It reads prompts token by token.

use rullama::api::Model;
use rullama::sampling::SamplingOptions;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("usage: peer-rullama FILE.gguf PREFILL DECODE");
    let (path, prefill, decode) = (next()?, next()?.parse::<usize>()?, next()?.parse::<usize>()?);
    let begun = Instant::now();
    let mut model = pollster::block_on(Model::load_native(std::fs::read(path)?)).map_err(|e| format!("{e:?}"))?;
    let load_ms = begun.elapsed().as_secs_f64() * 1e3;
    model.set_sampling_native(SamplingOptions::greedy());
    let mut step = |id: u32| pollster::block_on(model.step_native(id)).map_err(|e| format!("{e:?}"));
    // The first steps compile what the others use.
    let mut token = step(2)?;
    step(token)?;
    let begun = Instant::now();
    for id in 0..prefill as u32 {
        token = step(300 + id)?;
    }
    let read_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    for _ in 0..decode {
        token = step(token)?;
    }
    let said_s = begun.elapsed().as_secs_f64();
    let result = serde_json::json!({
        "peer": "rullama",
        "release": "0.4.0",
        "backend": "wgpu",
        "prefill_tokens": prefill,
        "prefill_tok_s": prefill as f64 / read_s,
        "decode_tokens": decode,
        "decode_tok_s": decode as f64 / said_s,
        "load_ms": load_ms,
    });
    println!("{result}");
    Ok(())
}
