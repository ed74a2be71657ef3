"""Writes test sets of seeds that are never trained on, for `percept eval`; or asks the reference the same questions.

    python evaluate.py --write-sets SETS --seed 900001 --cases 100      then: percept eval SETS --model MODEL
    python evaluate.py --write-sets SETS --seed 900001 --reference MODEL      (slow, for comparison)

A set is a folder with `cases.jsonl`, one case a line, {"id", "skill", "question", "media": [{"type", "path"}], "answers"}, and
the pictures beside it. Training draws its scenes from seeds below 900000 and never asks the talk that is kept back.
"""
import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import text
import world
from pictures import draw

SEE = {"colour": "see/colour", "shape": "see/shape", "size": "see/size", "where": "see/position", "at": "see/position",
       "count": "see/count", "exists": "see/presence", "absent": "see/absent"}
LEAST_SEED = 900_000


def write_sets(folder, seed, cases):
    """`cases` of each skill."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    lines = []
    kinds = {}
    for kind, skill in SEE.items():
        kinds.setdefault(skill, []).append(kind)
    for skill, ways in kinds.items():
        for i in range(cases):
            question = None
            while question is None:
                things = world.random_scene(rng)
                question = world.one_question(rng, things, ways[i % len(ways)])
            name = f"{skill.replace('/', '-')}-{i:04}"
            Image.fromarray(draw(rng, things)).save(folder / f"{name}.png")
            lines.append(dict(id=name, skill=skill, question=question.text, media=[dict(type="image", path=f"{name}.png")],
                              answers=[question.answer, *question.accepted]))
    _, kept_back = text.split()
    for skill, questions in sorted(kept_back.items()):
        for i, at in enumerate(rng.permutation(len(questions))[:cases]):
            question = questions[at]
            lines.append(dict(id=f"{skill.replace('/', '-').replace(' ', '-')}-{i:04}", skill=skill, question=question.text,
                              media=[], answers=[question.answer, *question.accepted]))
    (folder / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines


def plain(words):
    """Case, punctuation and spacing do not count, as in `percept eval`."""
    return " ".join("".join(c.lower() if c.isalnum() else " " if c != "'" else "" for c in words).split())


def ask_reference(model_folder, folder, lines):
    import torch
    from transformers import Gemma4UnifiedForConditionalGeneration, Gemma4UnifiedProcessor
    from export import inputs_of
    model = Gemma4UnifiedForConditionalGeneration.from_pretrained(model_folder, dtype=torch.float32).eval()
    proc = Gemma4UnifiedProcessor.from_pretrained(model_folder)
    table = {}
    for case in lines:
        images = [Image.open(folder / m["path"]) for m in case["media"]]
        _, inputs = inputs_of(proc, case["question"], images)
        with torch.no_grad():
            # The static cache asks the class for its own masks: pictures both ways in sliding layers alone.
            out = model.generate(**inputs, max_new_tokens=48, do_sample=False, cache_implementation="static")
        said = proc.tokenizer.decode(out[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True)
        right, asked = table.get(case["skill"], (0, 0))
        table[case["skill"]] = right + (plain(said) in map(plain, case["answers"])), asked + 1
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write-sets", type=Path, required=True, help="the folder to write")
    parser.add_argument("--seed", type=int, default=LEAST_SEED, help=f"from {LEAST_SEED} on")
    parser.add_argument("--cases", type=int, default=100, help="cases of each skill")
    parser.add_argument("--reference", type=Path, help="ask this exported model through transformers")
    args = parser.parse_args()
    if args.seed < LEAST_SEED:
        parser.error(f"--seed {args.seed} may have been trained on; take one from {LEAST_SEED} on")
    lines = write_sets(args.write_sets, args.seed, args.cases)
    print(f"{args.write_sets}: {len(lines)} cases")
    if args.reference:
        for skill, (right, asked) in sorted(ask_reference(args.reference, args.write_sets, lines).items()):
            print(f"{skill:20} {right:4} of {asked:4}  {right / asked:.1%}")


if __name__ == "__main__":
    main()
