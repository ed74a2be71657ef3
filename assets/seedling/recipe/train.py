"""Trains the model in stages, from easy to hard. Can be killed at any time and goes on from its last state.

    python train.py --out RUN --minutes 90

PLAN says what each stage shows. Two processes of one thread each make their own data and share their gradients: on two
cores that is faster than two threads, which wait for each other at every operation.
"""
import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import Gemma4UnifiedForConditionalGeneration, GemmaTokenizer

from batches import NOTHING, Rows
from model import Trainee
from plan import BANKS, GO_ON, PLAN, mix_at
from tokenizer import VOCAB_SIZE, train as train_tokenizer

# How much the labels in the middle count beside a word.
MIDDLE_WEIGHT = .5
SPECTRUM_WEIGHT = 3.  # and that of the mean square error of a frame's spectrum
OUTSIDE = .5  # the rate of embeddings and projections beside that of the matrices in layers


def tensors(arrays):
    return {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in arrays.items()}


def losses_of(trainee, batch):
    """Losses by name, and what was right: (skill or label, right, asked)."""
    P, N, S = batch["shape"]
    early, middle, hidden = trainee(batch, N > 0 or "content" in batch)
    losses, right = {}, []
    flat = batch["ids"].flatten()
    if N:
        wanted = batch["labels"].flatten()
        chosen = (wanted != NOTHING).nonzero().squeeze(1)
        logits = trainee.logits(hidden.reshape(-1, hidden.shape[-1])[chosen])
        losses["words"] = F.cross_entropy(logits, wanted[chosen])
        hit = torch.zeros(len(wanted), dtype=torch.bool)
        hit[chosen] = logits.argmax(-1) == wanted[chosen]
        # An answer is right if each of its tokens would have been said.
        slots = (hit | (wanted == NOTHING)).view(len(batch["ids"]), -1)[:, P:].reshape(-1, N, S).all(-1)
        for row, skills in zip(slots.tolist(), batch["skills"]):
            right += [(skill, int(ok), 1) for skill, ok in zip(skills, row)]
    if "content" in batch:
        shown, told = trainee.embedding(hidden, batch["content"]).chunk(2)
        alike = trainee.scale.exp().clamp(max=50) * shown @ told.T
        own = torch.arange(len(shown))
        losses["matches"] = (F.cross_entropy(alike, own) + F.cross_entropy(alike.T, own)) / 2
        right.append(("match/picture of " + ("sound" if "sound" in batch else "words"), int((alike.argmax(0) == own).sum()), len(own)))
    states = middle.reshape(-1, middle.shape[-1])
    if "pictures" in batch:
        named = batch["named"].flatten()
        logits = trainee.named(trainee.patch_head, states[flat == trainee.image])
        weight = torch.where(named > 0, 1., .25)  # most patches are empty; the others count more
        losses["patches"] = MIDDLE_WEIGHT * (F.cross_entropy(logits, named, reduction="none") * weight).sum() / weight.sum()
        full = named > 0
        right.append(("patches", int((logits.argmax(-1) == named)[full].sum()), int(full.sum())))
    if "sound" in batch:
        seen = trainee.named(trainee.mel_head, early.reshape(-1, early.shape[-1])[flat == trainee.audio])
        losses["spectrum"] = SPECTRUM_WEIGHT * F.mse_loss(seen, batch["spectrum"])
    if "sound" in batch and any(batch["spoken"]):
        heard = trainee.named(trainee.sound_head, states[flat == trainee.audio]).log_softmax(-1)
        clips = heard.split(batch["lengths"].tolist())
        kept = [i for i, s in enumerate(batch["spoken"]) if s]
        padded = torch.nn.utils.rnn.pad_sequence([clips[i] for i in kept])
        losses["sounds"] = MIDDLE_WEIGHT * F.ctc_loss(
            padded, torch.tensor([c for i in kept for c in batch["spoken"][i]]), batch["lengths"][kept],
            torch.tensor([len(batch["spoken"][i]) for i in kept]), zero_infinity=True)
    return losses, right


def known_of(path):
    """Tensors and vocabulary of a run's state.pt, or of an exported folder with the heads that only training has beside it."""
    if path.is_dir():
        known = {f"model.{name}": value for name, value in Gemma4UnifiedForConditionalGeneration.from_pretrained(
            path, dtype=torch.float32).state_dict().items()}
        heads = path.parent / "heads.safetensors"
        known.update({name: tensor.float() for name, tensor in load_file(heads).items()} if heads.exists() else {})
        return known, GemmaTokenizer.from_pretrained(path)
    return torch.load(path)["model"], train_tokenizer(path.parent / "tokenizer")


@torch.no_grad()
def begin_with(trainee, known, old, new, anew):
    """Takes over the weights of another run. Its vocabulary may be another: entries that are spelled alike keep their meaning,
    others begin anew; so does every tensor of another shape, and those whose names begin as in `anew`."""
    table = "model.model.language_model.embed_tokens.weight"
    own = trainee.state_dict()
    fitting = {k: v for k, v in known.items() if v.shape == own[k].shape and not k.endswith(("embed_tokens.weight", "lm_head.weight"))
               and not (anew and k.startswith(tuple(anew)))}
    embedded = own[table].clone()
    was = old.get_vocab()
    for entry, at in new.get_vocab().items():
        if entry in was:
            embedded[at] = known[table][was[entry]]
    trainee.load_state_dict({**fitting, table: embedded}, strict=False)


def optimizers(trainee, rate):
    """Muon for the matrices inside layers, AdamW for the rest; their rates are scaled together."""
    inside, outside, vectors = [], [], []
    for name, p in trainee.named_parameters():
        (vectors if p.ndim < 2 else inside if ".layers." in name else outside).append(p)
    return [torch.optim.Muon(inside, lr=rate, weight_decay=.05, momentum=.95, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW([dict(params=outside, weight_decay=.02), dict(params=vectors, weight_decay=0.)],
                              lr=rate * OUTSIDE, betas=(.9, .98), fused=True)]


def rate_at(share):
    """Up in the first hundredth, then down to nothing, linearly: what several skills need waits for small steps."""
    return min(1., share / .01) * (1.01 - share)


def work(rank, args):
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port))
    dist.init_process_group("gloo", rank=rank, world_size=args.workers)
    torch.manual_seed(args.seed)
    tok = train_tokenizer(args.out / "tokenizer")
    trainee = Trainee(args.size, tok.convert_tokens_to_ids, VOCAB_SIZE)
    if args.compile:
        torch._dynamo.config.recompile_limit = 64  # one for each shape of rows and kind of layer
        trainee.layer = torch.compile(trainee.layer, dynamic=False)
    parameters = [p for p in trainee.parameters() if p.requires_grad]
    made = optimizers(trainee, args.rate)
    step, spent, seen = 0, 0., 0
    state = args.out / "state.pt"
    if state.exists():
        saved = torch.load(state)
        trainee.load_state_dict(saved["model"])
        for optimizer, kept in zip(made, saved["optimizers"]):
            optimizer.load_state_dict(kept)
        step, spent, seen = saved["step"], saved["spent"], saved["tokens"]
    elif args.begin_with:
        begin_with(trainee, *known_of(args.begin_with), tok, args.anew)
    rows = Rows(tok, {name: load(args.data) for name, load in BANKS.items() if name in args.banks})
    rng = np.random.default_rng([args.seed, rank, step])
    log = open(args.out / "log.jsonl", "a") if rank == 0 else None
    sums, table, begun, last_saved, making = {}, {}, time.time(), time.time(), 0.
    seen_before = seen
    # All gradients are parts of one tensor, so that the processes add them up at once.
    flat = torch.zeros(sum(p.numel() for p in parameters))
    for p, part in zip(parameters, flat.split([p.numel() for p in parameters])):
        p.grad = part.view(p.shape)
    while True:
        share = torch.tensor([spent / 60 / args.minutes])
        dist.broadcast(share, 0)  # all end together
        share = share.item()
        if share >= 1:
            break
        while args.pause_file and args.pause_file.exists():
            time.sleep(1)
        started = time.time()
        if step % 200 == 199:
            rows.refresh()
        mix = mix_at(share, rows.banks, GO_ON if args.begin_with else PLAN)
        flat.zero_()
        for _ in range(args.parts):
            kind = str(rng.choice(list(mix), p=list(mix.values())))
            at = time.time()
            batch = tensors(rows.batch(rng, kind))
            if "pictures" in batch:
                batch["pictures"] = batch["pictures"].float() / 255
            making += time.time() - at
            losses, right = losses_of(trainee, batch)
            (sum(losses.values()) / args.parts).backward()
            seen += batch["ids"].numel() * args.workers
            for what, value in losses.items():
                total, count = sums.get(f"{kind} {what}", (0., 0))
                sums[f"{kind} {what}"] = total + value.item(), count + 1
            for skill, ok, asked in right:
                key = f"{kind} {skill}" if skill == "patches" else skill
                was = table.get(key, (0, 0))
                table[key] = was[0] + ok, was[1] + asked
        dist.all_reduce(flat)
        flat /= args.workers
        norm = flat.norm()
        flat *= min(1., 1. / (norm.item() + 1e-6))
        if math.isfinite(norm.item()):
            for optimizer in made:
                for group in optimizer.param_groups:
                    group["lr"] = args.rate * rate_at(share) * (OUTSIDE if isinstance(optimizer, torch.optim.AdamW) else 1)
                optimizer.step()
        step += 1
        spent += time.time() - started
        if rank == 0 and step % args.every == 0:
            took = time.time() - begun
            line = dict(step=step, minutes=round(spent / 60, 2), tokens=seen, tokens_per_s=round((seen - seen_before) / took),
                        making=round(making / took, 3), norm=round(norm.item(), 3),
                        loss={k: round(v / n, 4) for k, (v, n) in sorted(sums.items())},
                        right={k: [round(ok / max(1, n), 3), n] for k, (ok, n) in sorted(table.items())})
            print(f"{step} {line['minutes']:.1f} min {line['tokens_per_s']} tok/s making {line['making']}\n  "
                  + " ".join(f"{k}={v}" for k, v in line["loss"].items()) + "\n  "
                  + " ".join(f"{k}={v[0]:.2f}" for k, v in line["right"].items()), flush=True)
            log.write(json.dumps(line) + "\n")
            log.flush()
            sums, table, begun, making, seen_before = {}, {}, time.time(), 0., seen
        if rank == 0 and time.time() - last_saved > 60 * args.save_every:
            save(state, trainee, made, args, step, spent, seen)
            last_saved = time.time()
    if rank == 0:
        save(state, trainee, made, args, step, spent, seen)
    dist.destroy_process_group()


def save(state, trainee, made, args, step, spent, seen):
    """Whole or not at all."""
    torch.save(dict(model=trainee.state_dict(), optimizers=[o.state_dict() for o in made], step=step, spent=spent, tokens=seen,
                    size=args.size), state.with_suffix(".new"))
    state.with_suffix(".new").replace(state)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the state and the log; gone on with if there")
    parser.add_argument("--minutes", type=float, default=90, help="time of the whole plan")
    parser.add_argument("--begin-with", type=Path, help="state.pt of another run, or an exported folder, to take weights from")
    parser.add_argument("--anew", nargs="*", default=[], help="beginnings of names of tensors that --begin-with does not take over")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of what things.py, letters.py and speech.py build")
    parser.add_argument("--banks", nargs="*", default=list(BANKS), help="which of them to use")
    parser.add_argument("--size", default="6m", help="a size of model.py")
    parser.add_argument("--parts", type=int, default=3, help="parts of a batch in each process, each of a kind of its own")
    parser.add_argument("--rate", type=float, default=1.2e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--port", type=int, default=29511)
    parser.add_argument("--pause-file", type=Path, help="sleep between steps while this file exists")
    parser.add_argument("--every", type=int, default=50, help="steps between lines of the log")
    parser.add_argument("--save-every", type=float, default=4, help="minutes between saved states")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="do without compiled layers (they need g++)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train_tokenizer(args.out / "tokenizer")  # once, before the processes ask for it
    multiprocessing.spawn(work, (args,), nprocs=args.workers)


if __name__ == "__main__":
    main()
