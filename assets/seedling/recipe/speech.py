"""A pool of spoken sentences on disk, and what a recording does to them before the model hears them.

    python sentences.py > SENTENCES
    python speech.py --build POOL --sentences SENTENCES --clips-each 15 --seed 1
    python speech.py --build POOL --sentences SENTENCES --clips-each 1 --seed 2 --voices kokoro --minutes 25
    python speech.py --build POOL --sentences SENTENCES --clips-each 2 --seed 3 --set test

POOL/speech.bin holds the clips one after the other (int16, 16 kHz, silence cut away, all equally loud at their loudest sample),
POOL/speech.jsonl a line for each. A line is written after its samples, so a pool can be read while it grows; a build that was
stopped goes on with the same command, and several may run at once.
"""
import argparse
import fcntl
import json
import multiprocessing
import os
import signal
import sys
import time
import zlib

import numpy as np

import voices
from recording import add_babble, frames  # noqa: F401  (what a trainer calls next)
from sentences import spoken
from voices import RATE

KEPT_SILENCE = RATE * 60 // 1000
SHORTEST, LONGEST = int(.15 * RATE), 6 * RATE
PEAK = 29_000


class Pool:
    """The clips of a folder. Sentences are found by their sound: capitals and signs do not matter."""

    def __init__(self, folder):
        self.folder = folder
        self.clips = {"train": {}, "test": {}}
        self.read = 0
        self.refresh()

    def refresh(self):
        """Takes in what was appended since."""
        with open(os.path.join(self.folder, "speech.jsonl"), "rb") as f:
            f.seek(self.read)
            new = f.read()
        new = new[:new.rfind(b"\n") + 1]
        self.read += len(new)
        for line in new.splitlines():
            clip = json.loads(line)
            self.clips[clip["set"]].setdefault(spoken(clip["text"]), []).append((clip["offset"], clip["length"], clip["voice"]))
        path = os.path.join(self.folder, "speech.bin")
        self.samples = np.memmap(path, np.int16, "r", shape=(os.path.getsize(path) // 2,))  # a last sample may be half written
        self.texts = sorted(self.clips["train"])

    def clips_of(self, text, set="train"):
        """(offset, length, voice) of each clip in which the text is spoken."""
        return self.clips[set].get(spoken(text), [])

    def pick(self, rng, text, set="train"):
        """Samples of a random clip of the text, float32 within [-1, 1]; None if it was never spoken."""
        clips = self.clips_of(text, set)
        return self.samples_of(clips[rng.integers(len(clips))]) if clips else None

    def samples_of(self, clip):
        """float32 within [-1, 1]."""
        offset, length, _ = clip
        return self.samples[offset:offset + length].astype(np.float32) / 32768

    def any(self, rng, set="train"):
        """Samples of a random clip of any text."""
        return self.pick(rng, self.texts[rng.integers(len(self.texts))], set)


def tidy(samples):
    """int16 without silence at the ends, its peak the same for all; None if hardly anything is there."""
    if samples is None or not len(samples):
        return None
    loud = np.abs(samples)
    peak = loud.max()
    if not np.isfinite(peak) or peak < 1e-3:
        return None
    heard = np.flatnonzero(loud > .015 * peak)
    samples = samples[max(0, heard[0] - KEPT_SILENCE):heard[-1] + KEPT_SILENCE]
    if not SHORTEST <= len(samples) <= LONGEST:
        return None
    return (samples * (PEAK / peak)).astype(np.int16)


class Writer:
    """Appends clips; a lock lets several builds share a pool."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.samples = open(os.path.join(folder, "speech.bin"), "ab")
        self.index = open(os.path.join(folder, "speech.jsonl"), "a+b")
        fcntl.flock(self.index, fcntl.LOCK_EX)
        self.index.seek(0)
        known = self.index.read()
        self.index.truncate(known.rfind(b"\n") + 1)  # a line that a stopped build did not end
        fcntl.flock(self.index, fcntl.LOCK_UN)
        self.done = {json.loads(line)["job"] for line in known[:known.rfind(b"\n") + 1].splitlines()}

    def append(self, samples, **clip):
        fcntl.flock(self.index, fcntl.LOCK_EX)
        end = self.samples.seek(0, os.SEEK_END)
        if end % 2:
            self.samples.write(b"\0")
            end += 1
        self.samples.write(samples.tobytes())
        self.samples.flush()
        self.index.write(json.dumps({"offset": end // 2, "length": len(samples), **clip}).encode() + b"\n")
        self.index.flush()
        fcntl.flock(self.index, fcntl.LOCK_UN)


def plan(sentences, clips_each, seed, engines, kept, done):
    """(job, text, voice) of each clip that is still missing: once through all sentences, then again."""
    for n in range(clips_each):
        for words in sentences:
            job = f"{seed}.{n}.{zlib.crc32(words.encode()):08x}"
            if job not in done:
                rng = np.random.default_rng([seed, n, zlib.crc32(words.encode())])
                yield job, words, voices.draw(rng, engines, kept)


def speak_part(part):
    said = voices.speak([(words, voice) for _, words, voice in part])
    return [(job, words, voice, tidy(samples)) for (job, words, voice), samples in zip(part, said)]


def build(args):
    with open(args.sentences) as f:
        sentences = [line.strip() for line in f if line.strip()]
    writer = Writer(args.build)
    jobs = list(plan(sentences, args.clips_each, args.seed, args.voices.split(","), args.set == "test", writer.done))
    parts = [jobs[i:i + args.part] for i in range(0, len(jobs), args.part)]
    begin, made, failed = time.time(), 0, 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaves the block below, which ends the workers
    with multiprocessing.Pool(args.processes, signal.signal, (signal.SIGTERM, signal.SIG_DFL)) as workers:
        for part in workers.imap(speak_part, parts):
            for job, words, voice, samples in part:
                if samples is None:
                    failed += 1
                    continue
                writer.append(samples, text=words, voice=voice.label(), set=args.set, job=job)
                made += 1
            if args.minutes and time.time() - begin > 60 * args.minutes:
                workers.terminate()
                break
    print(f"{made} clips in {time.time() - begin:.0f} s, {failed} gave nothing, {len(jobs) - made - failed} left")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, metavar="POOL")
    parser.add_argument("--sentences", required=True)
    parser.add_argument("--clips-each", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--voices", default="espeak,flite,festival", help="engines; also kokoro")
    parser.add_argument("--set", choices=("train", "test"), default="train", help="test: only voices that are never trained")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--part", type=int, default=160, help="clips that a process speaks at a time")
    parser.add_argument("--minutes", type=float, help="stop after these")
    build(parser.parse_args())


if __name__ == "__main__":
    main()
