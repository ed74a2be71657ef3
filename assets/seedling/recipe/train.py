"""Trains the model in stages, from easy to hard. Can be killed at any time and goes on from its last state.

    python train.py --out RUN --steps 20000

Stages, as shares of the steps (see PLAN): `talk` text and the sentences of the world; `crops` single patches, each a picture
of its own, with a label a patch; `pairs` scenes of up to two things, whose edges cross patches; `scenes` everything.
Every stage but the first mixes in some of the earlier ones.
"""
import argparse
import json
import multiprocessing
import os
import queue as queues
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from batches import NOTHING, Rows
from model import Trainee
from tokenizer import VOCAB_SIZE, train as train_tokenizer

# Stage, share of the steps (one of `crops` takes a quarter of the time), what its batches are drawn from.
PLAN = (("talk", .02, {"talk": 1.}),
        ("crops", .38, {"crops": .95, "talk": .05}),
        ("pairs", .15, {"pairs": .75, "crops": .2, "talk": .05}),
        ("scenes", .45, {"scenes": .8, "pairs": .12, "talk": .08}))
FAR = -1e9
# How much a patch's label counts beside a word, by stage.
PATCH_WEIGHT = {"talk": 0., "crops": 1., "pairs": 1., "scenes": .5}


def stage_at(share):
    for name, part, mix in PLAN:
        if share < part:
            return name, mix
        share -= part
    return PLAN[-1][0], PLAN[-1][2]


def make_batches(queue, share, seed, rows, length):
    """In a process of its own: batches of whatever stage the shared clock says."""
    torch.set_num_threads(1)
    makers, rng = Rows(train_tokenizer(), length), np.random.default_rng(seed)
    trainer = multiprocessing.parent_process()
    while trainer.is_alive():
        _, mix = stage_at(share.value)
        kind = rng.choice(list(mix), p=list(mix.values()))
        made = str(kind), makers.batch(rng, kind, rows)
        while trainer.is_alive():  # a killed trainer takes no more
            try:
                queue.put(made, timeout=5)
                break
            except queues.Full:
                pass
    queue.cancel_join_thread()


def masks(owner, tokens, first):
    """Additive masks [rows, 1, length, length] by kind of layer: a question sees the beginning and itself, up to each
    token; in sliding layers the patches of the picture see each other both ways, as in the family's reference."""
    length = owner.shape[1]
    order = torch.arange(length)
    past = order[None, :, None] >= order[None, None, :]
    mine = (owner[:, None, :] == 0) | (owner[:, :, None] == owner[:, None, :])
    seen = past & mine
    patch = (order >= first) & (order < first + tokens)
    both = seen | (patch[None, :, None] & patch[None, None, :])
    return {kind: torch.zeros(m.shape).masked_fill_(~m, FAR)[:, None]
            for kind, m in (("full_attention", seen), ("sliding_attention", both))}


def loss_of(trainee, batch, first):
    """The losses of words and of patch labels, and the share of each that is right."""
    tokens = batch["pictures"].shape[1] if "pictures" in batch else 0
    labels = batch["labels"]
    ids, positions = batch["ids"], batch["positions"]
    owner = batch["owner"]
    asked = bool((labels != NOTHING).any())
    if not asked:  # the picture alone
        cut = first + tokens
        ids, positions, owner, labels = (a[:, :cut] for a in (ids, positions, owner, labels))
    pictures = batch["pictures"].float() / 255 if tokens else None
    hidden, patches = trainee(ids, positions, pictures, batch.get("where"), masks(owner, tokens, first), first, asked)
    out = {}
    if asked:
        chosen = labels.reshape(-1) != NOTHING
        logits = trainee.logits(hidden.reshape(-1, hidden.shape[-1])[chosen]).float()
        wanted = labels.reshape(-1)[chosen]
        out["words"] = F.cross_entropy(logits, wanted), (logits.argmax(-1) == wanted).float().mean().item()
    if tokens:
        logits = trainee.name_patches(patches).flatten(0, 1).float()
        wanted = batch["named"].flatten()
        # Most patches are empty; those with something in them count more.
        weight = torch.where(wanted > 0, 1., .25)
        loss = (F.cross_entropy(logits, wanted, reduction="none") * weight).sum() / weight.sum()
        right = (logits.argmax(-1) == wanted)[wanted > 0].float().mean().item()
        out["patches"] = loss, right
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the state and the log; gone on with if there")
    parser.add_argument("--steps", type=int, default=20000, help="steps of the whole plan")
    parser.add_argument("--begin-with", type=Path, help="state.pt of another run whose weights a new run begins with")
    parser.add_argument("--size", default="3m", help="a size of model.py")
    parser.add_argument("--rows", type=int, default=16, help="rows of a batch")
    parser.add_argument("--length", type=int, default=288, help="tokens of a row")
    parser.add_argument("--rate", type=float, default=1.2e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--pause-file", type=Path, help="sleep between steps while this file exists")
    parser.add_argument("--every", type=int, default=20, help="steps between lines of the log")
    parser.add_argument("--save-every", type=float, default=3, help="minutes between saved states")
    parser.add_argument("--compile", action="store_true", help="compile the decoder's layers (needs a C++ compiler)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tok = train_tokenizer()
    trainee = Trainee(args.size, tok.convert_tokens_to_ids, VOCAB_SIZE)
    matrices = [p for p in trainee.parameters() if p.ndim >= 2]
    others = [p for p in trainee.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([dict(params=matrices, weight_decay=.05), dict(params=others, weight_decay=0.)],
                                  lr=args.rate, betas=(.9, .98), fused=True)
    step, spent, rows_seen = 0, 0., 0
    state = args.out / "state.pt"
    if state.exists():
        saved = torch.load(state)
        trainee.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent, rows_seen = saved["step"], saved["spent"], saved["rows"]
    elif args.begin_with:
        trainee.load_state_dict(torch.load(args.begin_with)["model"])
    first = Rows(tok, args.length).first
    if args.compile:
        for layer in trainee.model.model.language_model.layers:
            layer.compile(dynamic=False)
    share = multiprocessing.Value("d", step / args.steps)
    queue = multiprocessing.Queue(4)
    worker = multiprocessing.Process(
        target=make_batches, args=(queue, share, args.seed * 1000 + step + 1, args.rows, args.length), daemon=True)
    worker.start()
    log = open(args.out / "log.jsonl", "a")
    sums, counts, last_saved, begun, waited = {}, {}, time.time(), time.time(), 0.

    def save():
        torch.save(dict(model=trainee.state_dict(), optimizer=optimizer.state_dict(), step=step, spent=spent,
                        rows=rows_seen, size=args.size), state.with_suffix(".new"))
        state.with_suffix(".new").replace(state)

    while step < args.steps:
        while args.pause_file and args.pause_file.exists():
            time.sleep(1)
        started = time.time()
        kind, arrays = queue.get()
        waited += time.time() - started
        batch = {k: torch.from_numpy(v) for k, v in arrays.items()}
        part = step / args.steps
        name, _ = stage_at(part)
        rate = args.rate * min(1, (step + 1) / 100) * (1 - .97 * part)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses = loss_of(trainee, batch, first)
        total = sum(value * (PATCH_WEIGHT[name] if what == "patches" else 1) for what, (value, _) in losses.items())
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(trainee.parameters(), 1.)
        if torch.isfinite(norm):
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step, rows_seen = step + 1, rows_seen + args.rows
        spent += time.time() - started
        share.value = step / args.steps
        for what, (value, right) in losses.items():
            for key, number in ((f"{kind} {what} loss", value.item()), (f"{kind} {what} right", right)):
                sums[key], counts[key] = sums.get(key, 0) + number, counts.get(key, 0) + 1
        if step % args.every == 0:
            line = dict(step=step, minutes=round(spent / 60, 2), stage=name, rows_per_s=round(
                args.every * args.rows / (time.time() - begun), 1), waited_s=round(waited, 1), rate=round(rate, 6),
                **{k: round(v / counts[k], 4) for k, v in sorted(sums.items())})
            print(json.dumps(line), flush=True)
            log.write(json.dumps(line) + "\n")
            log.flush()
            sums, counts, begun, waited = {}, {}, time.time(), 0.
        if time.time() - last_saved > 60 * args.save_every:
            save()
            last_saved = time.time()
    save()
    worker.terminate()


if __name__ == "__main__":
    main()
