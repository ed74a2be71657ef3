#!/usr/bin/env python3
"""Percept beside its peers on one machine and one GGUF file: `./x peers`, or

    python3 peers.py --percept PROGRAM --model FILE.gguf --cache FOLDER

Peers: llama.cpp on the CPU, and its Vulkan backend on the same adapter; for Gemma 4 also the crate rullama, on the adapter
that it chooses. What cannot run here is said and left out. A model to measure with is made by random_e2b.py.
"""
import argparse
import datetime
import json
import math
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TEXT = ROOT / "tests" / "fixtures" / "real" / "text.txt"
VERSION = "3.22.1"
# Of the packages that hold llama.cpp built: for the CPU, and for Vulkan where there is one.
BUILDS = {
    ("Linux", "x86_64"): ("linux-x64", "linux-x64-vulkan"),
    ("Linux", "aarch64"): ("linux-arm64", None),
    ("Darwin", "x86_64"): ("mac-x64", None),
    ("Darwin", "arm64"): ("mac-arm64-metal", None),
    ("Windows", "AMD64"): ("win-x64", "win-x64-vulkan"),
}


class Missing(Exception):
    """Why something is left out, in one sentence."""


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="./x peers", description="Speeds of percept and llama.cpp on one GGUF file.")
    parser.add_argument("model", type=Path, nargs="?", metavar="MODEL.gguf", help="Gemma 3 270M, fetched, if not given")
    parser.add_argument("--full", action="store_true",
                        help="the same counts for all; without it, a peer on a software adapter gets 64 and 8 tokens")
    parser.add_argument("--prefill", type=at_least_two, default=512, metavar="N", help="tokens of the prompt (512)")
    parser.add_argument("--decode", type=at_least_two, default=64, metavar="N", help="tokens of the answer (64)")
    parser.add_argument("--speed-only", action="store_true", help="no perplexity, as of a random model")
    parser.add_argument("--windows", type=at_least_two, default=4, metavar="N",
                        help="windows of the text whose perplexity is measured (4)")
    parser.add_argument("--window", type=at_least_two, default=512, metavar="N", help="tokens in a window (512)")
    parser.add_argument("--adapter", default="vulkan", metavar="A", help="percept's adapter (vulkan)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="of llama.cpp on the CPU")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON; benches/results/peers_ADAPTER.json if not given")
    parser.add_argument("--percept", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--fetch", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def at_least_two(text):
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError("expected a whole number from 2")
    return number


def last_json(what, command, **options):
    """The JSON object on the last line of what a program prints."""
    say(what)
    ran = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL, **options)
    lines = ran.stdout.strip().splitlines()
    try:
        if ran.returncode == 0:
            return json.loads(lines[-1])
    except (IndexError, ValueError):
        pass
    said = (ran.stderr.strip() or ran.stdout.strip() or "it said nothing").splitlines()
    # The message of an error of Node stands above its stack.
    told = next((line for line in said if "Error" in line), said[-1]).strip()
    raise Missing(f"{what}: exit code {ran.returncode}: {told}")


def install(cache):
    """The folder with llama.cpp's packages, and whether Vulkan is among them."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise Missing(f"llama.cpp is left out: {program} is missing, install Node.js 20 or newer")
    system = (platform.system(), platform.machine())
    if system not in BUILDS:
        raise Missing(f"llama.cpp is left out: its packages hold no build for {' '.join(system)}")
    builds = [build for build in BUILDS[system] if build]
    folder = cache / "llama_cpp"
    wanted = ["node-llama-cpp", *(f"@node-llama-cpp/{build}" for build in builds)]
    if not all(version_of(folder / "node_modules" / name) == VERSION for name in wanted):
        say(f"fetching {', '.join(wanted)} {VERSION}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        # No package's scripts, and none of the builds that are not asked for.
        command = [shutil.which("npm"), "install", "--ignore-scripts", "--omit=optional", "--omit=peer", "--no-audit",
                   "--no-fund", "--loglevel=error", *(f"{name}@{VERSION}" for name in wanted)]
        if subprocess.run(command, cwd=folder, stdout=sys.stderr).returncode != 0:
            raise Missing("llama.cpp is left out: npm could not install its packages")
    return folder, len(builds) > 1


def version_of(package):
    try:
        return json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError):
        return None


def llama(args, folder, backend, prefill, decode, text):
    ask = {"backend": backend, "model": str(args.model), "packages": str(folder), "threads": args.threads,
           "prefill": prefill, "decode": decode}
    if text:
        ask |= {"text": str(TEXT), "window": args.window, "windows": args.windows}
    # The variable makes llama.cpp take a software adapter, too.
    env = {"GGML_VK_VISIBLE_DEVICES": "0"} | os.environ if backend == "vulkan" else None
    what = f"llama.cpp, {backend}: {prefill} tokens read, {decode} said"
    result = last_json(what, ["node", HERE / "llama_cpp.mjs", json.dumps(ask)], env=env)
    return result | {"name": f"llama.cpp, {backend}"}


def rullama(args, prefill, decode):
    """Reads prompts token by token, so fewer tokens of them tell as much."""
    if not shutil.which("cargo"):
        raise Missing("rullama is left out: cargo is missing, with which it is built")
    say("building rullama 0.4.0")
    target = args.cache / "rullama"
    command = ["cargo", "build", "--release", "--quiet", "--manifest-path", HERE / "rullama" / "Cargo.toml",
               "--target-dir", target]
    if subprocess.run([str(word) for word in command], stdout=sys.stderr).returncode != 0:
        raise Missing("rullama is left out: it could not be built")
    program = target / "release" / "peer-rullama"
    result = last_json(f"rullama: {prefill} tokens read, {decode} said", [program, args.model, prefill, decode])
    return {"adapter": "of its own choice"} | result | {"name": "rullama"}


def architecture(args):
    try:
        return last_json("percept: model", [args.percept, "models", "show", args.model, "--json"]).get("architecture")
    except Missing:
        return None


def percept(args, prefills):
    # The same text of the same length is read by both; several lengths where a peer got a shorter one.
    lens = ",".join(str(prefill) for prefill in sorted(set(prefills)))
    what = f"percept, {args.adapter}: {lens} tokens read, {args.decode} said"
    report = last_json(what, [args.percept, "bench", "--model", args.model, "--adapter", args.adapter, "--prefill", lens,
                              "--decode", args.decode, "--json"])
    result = {"peer": "percept", "name": f"percept, {args.adapter}"}
    result |= {key: report[key] for key in ("version", "profile", "adapter", "kind", "driver", "prefill_tokens",
                                            "prefill_tok_s", "decode_tokens", "decode_tok_s", "load_ms",
                                            "first_token_ms", "bytes_per_token", "share_of_read_bandwidth")}
    result["prefill_tok_s_by_tokens"] = {str(it["tokens"]): it["tokens_per_s"] for it in report["model"]["prefill"]}
    return result


def perplexity(args):
    report = last_json(f"percept, {args.adapter}: perplexity", [
        args.percept, "perplexity", args.model, "--text", TEXT, "--window", args.window, "--windows", args.windows,
        "--adapter", args.adapter, "--json"])
    return {key: report[key] for key in ("nats_per_token", "tokens")}


def attempt(results, notes, work):
    try:
        results.append(work())
    except Missing as reason:
        say(reason)
        notes.append(str(reason))


def is_software(args):
    """Whether percept's adapter is one, as it says itself; a wrong guess costs only time."""
    try:
        report = last_json("percept: adapters", [args.percept, "doctor", "--adapter", args.adapter, "--json"])
        used = report["used"]["index"]
        return next(it["software"] for it in report["adapters"] if it["index"] == used)
    except (Missing, KeyError, TypeError, StopIteration):
        return False


def table(ours, peers):
    """Speeds, and how many times those of a peer ours are."""
    yield f"{'':<22} {'read':>6} {'tok/s':>9} {'ours':>8} {'said':>6} {'tok/s':>9} {'ours':>8}  {'perplexity':>10}"
    for it in [*([ours] if ours else []), *peers]:
        prefill = decode = ""
        if ours and it is not ours:
            same = ours["prefill_tok_s_by_tokens"].get(str(it["prefill_tokens"]), ours["prefill_tok_s"])
            prefill = f"{same / it['prefill_tok_s']:.2f} ×"
            decode = f"{ours['decode_tok_s'] / it['decode_tok_s']:.2f} ×"
        nats = it.get("nats_per_token")
        score = f"{math.exp(nats):10.3f}" if nats is not None else f"{'-':>10}"
        yield (f"{it['name']:<22} {it['prefill_tokens']:>6} {it['prefill_tok_s']:>9.2f} {prefill:>8} "
               f"{it['decode_tokens']:>6} {it['decode_tok_s']:>9.2f} {decode:>8}  {score}")
    yield ""
    for it in [*([ours] if ours else []), *peers]:
        yield f"{it['name']}: {it['adapter']}"


def file_name(adapter, family):
    """As the other results are called: the first word of the adapter's name, and its backend."""
    words = "".join(c if c.isalnum() else " " for c in adapter).lower().split()
    name = f"peers_{words[0]}_{words[-1]}" if words else "peers"
    return f"{name}_{family}.json" if family == "gemma4" else f"{name}.json"


def main():
    args = arguments()
    if args.model is None:
        args.model = args.fetch
    if args.model is None or not args.model.is_file():
        sys.exit(f"peers: {args.model} is no file; expected a GGUF file")
    args.model = args.model.resolve()
    peers, ours, notes = [], [], []
    slow = not args.full and is_software(args)
    short = (min(args.prefill, 64), min(args.decode, 8)) if slow else (args.prefill, args.decode)
    try:
        folder, vulkan = install(args.cache)
        attempt(peers, notes, lambda: llama(args, folder, "cpu", args.prefill, args.decode, not args.speed_only))
        if vulkan:
            attempt(peers, notes, lambda: llama(args, folder, "vulkan", *short, False))
        else:
            raise Missing("llama.cpp's Vulkan backend is left out: its packages hold none for this system")
    except Missing as reason:
        say(reason)
        notes.append(str(reason))
    family = architecture(args)
    if family == "gemma4":
        attempt(peers, notes, lambda: rullama(args, *short))
    attempt(ours, notes, lambda: percept(args, [args.prefill, *(it["prefill_tokens"] for it in peers)]))
    if ours and not args.speed_only:
        attempt(scores := [], notes, lambda: perplexity(args))
        ours[0] |= scores[0] if scores else {}
    ours = ours[0] if ours else None

    print("\n".join(table(ours, peers)))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    if load is not None:
        print(f"load average {load:.1f} on {os.cpu_count()} CPUs; beyond what these programs take, it slows every number")
    if not ours:
        sys.exit("peers: percept itself could not be measured; nothing was written")
    written = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"), "model": args.model.name,
               "model_bytes": args.model.stat().st_size, "cpu_threads": os.cpu_count(), "load_average": load,
               "window": args.window, "windows": args.windows, "percept": ours, "peers": peers, "left_out": notes}
    out = args.out or ROOT / "benches" / "results" / file_name(ours["adapter"], family)
    out.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
