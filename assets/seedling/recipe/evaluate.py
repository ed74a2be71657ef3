"""Writes test sets of seeds that are never trained on, for `percept eval`; or asks the reference the same questions.

    python evaluate.py --write-sets SETS --seed 900001 --cases 100      then: percept eval SETS --model MODEL
    python evaluate.py --write-sets SETS --seed 900001 --reference MODEL      (pictures and text alone; slow, for comparison)

A set is a folder with `cases.jsonl`, one case a line, {"id", "skill", "question", "media": [{"type", "path"}], "answers"}, and
the pictures beside it. Training draws its scenes from seeds below 900000 and never asks the talk that is kept back.
"""
import argparse
import json
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import act
import clips
import letters
import reason
import sounds
import speech
import text
import things
import world
from batches import SAID_TWICE, described, spoken_alone
from pictures import draw

SEE = {"see/colour": ("colour",), "see/shape": ("shape",), "see/size": ("size",), "see/position": ("where", "at"),
       "see/count": ("count",), "see/presence": ("exists",), "see/absent": ("absent",), "see/relation": ("relation", "beside"),
       "reason/picture": ("more", "left over", "together", "same")}
LEAST_SEED = 900_000


class Sets:
    """Cases being written to a folder."""

    def __init__(self, folder, seed):
        self.folder, self.rng, self.lines, self.counts = folder, np.random.default_rng(seed), [], {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, question, pixels=None, samples=None, typed=None, frames=None):
        """A case with a picture, a sound or both, or the frames of a clip, one a second; `typed` is what is written if the
        question itself is spoken."""
        skill = question.skill
        number = self.counts[skill] = self.counts.get(skill, 0) + 1
        name = f"{skill.replace('/', '-').replace(' ', '-')}-{number:04}"
        media = []
        if pixels is not None:
            Image.fromarray(pixels).save(self.folder / f"{name}.png")
            media.append(dict(type="image", path=f"{name}.png"))
        if frames is not None:
            (self.folder / name).mkdir(exist_ok=True)
            for i, frame in enumerate(frames):
                Image.fromarray(frame).save(self.folder / name / f"frame_{i:03}.png")
            (self.folder / name / "video.json").write_text(json.dumps(dict(fps=1.0, frames=len(frames))))
            media.append(dict(type="video", path=name))
        if samples is not None:
            write_wav(self.folder / f"{name}.wav", samples)
            media.append(dict(type="audio", path=f"{name}.wav"))
        answers = list(dict.fromkeys([question.answer, *question.accepted]))
        asked = question.text if typed is None else typed
        self.lines.append(dict(id=name, skill=skill, question=asked, media=media, answers=answers))

    def drawn(self, cases, skills, make):
        """Cases of each of the skills, from questions as they come; make() gives a question and its media."""
        want = {skill: cases for skill in skills}
        for _ in range(400 * cases * len(skills)):
            if not any(want.values()):
                break
            question, media = make()
            if want.get(question.skill, 0) > 0:
                want[question.skill] -= 1
                self.add(question, **media)

    def write(self):
        (self.folder / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in self.lines))
        return self.lines


def scene_question(rng, kinds):
    while True:
        scene = world.random_scene(rng)
        if question := world.one_question(rng, scene, kinds[rng.integers(len(kinds))]):
            return scene, question


def write_sets(folder, seed, cases, data):
    """`cases` of each skill: scenes, styles, fonts, voices, sums and talk that training never had."""
    sets = Sets(folder, seed)
    rng = sets.rng
    for skill, kinds in SEE.items():
        for _ in range(cases):
            scene, question = scene_question(rng, kinds)
            sets.add(question, pixels=draw(rng, scene))
    _, kept_back = text.split()
    for skill, questions in sorted(kept_back.items()):
        for at in rng.permutation(len(questions))[:cases]:
            sets.add(questions[at])
    sets.drawn(cases, act.SKILLS, lambda: (act.questions(rng, test=True), {}))
    sets.drawn(cases, reason.SKILLS, lambda: (reason.questions(rng, test=True), {}))
    pictures = things.load(data)

    def named():
        pixels, placed = things.draw(rng, pictures, test=True)
        return things.questions(rng, placed, 1)[0], dict(pixels=pixels)
    sets.drawn(cases, ("name/thing", "name/both", "name/check", "name/where"), named)
    glyphs = letters.load(data)

    def read():
        pixels, written, _ = letters.draw(rng, glyphs, test=True)
        return letters.questions(rng, written, 1)[0], dict(pixels=pixels)
    sets.drawn(cases, ("read/word", "read/number", "read/letter", "read/length"), read)

    def heard():
        samples, described = sounds.draw(rng)
        return sounds.questions(rng, described, 1)[0], dict(samples=samples)
    sets.drawn(cases, ("hear/sound",), heard)

    def watched():
        pixels, _, asked = clips.clip(rng)
        return asked[0], dict(frames=pixels)
    sets.drawn(cases, ("watch/motion", "watch/change", "watch/order"), watched)
    if (data / "speech").exists():
        spoken_sets(sets, rng, cases, speech.Pool(data / "speech"))
    return sets.write()


def spoken_sets(sets, rng, cases, pool):
    """The sentences of the training from voices that it never had: a voice is what is new. As recorded in a quiet room."""
    by_sound = {speech.spoken(q.text): q for q in spoken_alone(pool, rng)}
    for name, natural in (("formant voice", False), ("natural voice", True)):
        clips = [(text, clip) for text, found in sorted(pool.clips["test"].items()) for clip in found
                 if clip[2].startswith("kokoro") == natural]
        if not clips:
            continue

        def samples(clip):
            return speech.frames(rng, pool.samples_of(clip), hard=False).reshape(-1)
        order = rng.permutation(len(clips))
        for at in order[:cases]:
            text, clip = clips[at]
            sets.add(world.Question(f"hear/words, {name}", text, world.sentence(text)), samples=samples(clip),
                     typed="Write down what you hear.")
        alone = [(by_sound[text], clip) for text, clip in clips if text in by_sound]
        for at in rng.permutation(len(alone))[:cases]:
            question, clip = alone[at]
            sets.add(replace(question, skill=f"hear/intent, {name}"), samples=samples(clip), typed="")
        about = {}
        for text, clip in clips:
            about.setdefault(text, []).append(clip)
        made = 0
        for _ in range(4000):
            if made == cases:
                break
            scene, question = scene_question(rng, [k for kinds in SEE.values() for k in kinds])
            if found := about.get(speech.spoken(question.text)):
                sets.add(replace(question, skill=f"join/asked aloud, {name}"), pixels=draw(rng, scene),
                         samples=samples(found[rng.integers(len(found))]), typed="")
                made += 1
        if any(clip[2].startswith("kokoro") == natural for clip in pool.clips_of(*world.phrases([world.ANYTHING]), "test")):
            for _ in range(cases):
                scene = world.random_scene(rng)
                thing, holds = world.statement(rng, scene)
                phrase, = world.phrases([thing])
                question = world.Question(f"join/match, {name}", phrase, "Yes." if holds else "No.")
                found = [clip for clip in pool.clips_of(phrase, "test") if clip[2].startswith("kokoro") == natural]
                sets.add(question, pixels=draw(rng, scene), samples=samples(found[rng.integers(len(found))]),
                         typed=SAID_TWICE[rng.integers(len(SAID_TWICE))])


def word_errors(lines):
    """Words wrong and words said, of the transcriptions in the lines of `percept eval --json`, by skill."""
    table = {}
    for line in lines:
        case = json.loads(line)
        if case.get("event") == "case" and case["skill"].startswith("hear/words"):
            wanted, said = plain(case["answers"][0]).split(), plain(case["said"]).split()
            row = list(range(len(said) + 1))
            for i, word in enumerate(wanted, 1):
                before, row[0] = row[0], i
                for j, other in enumerate(said, 1):
                    before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
            wrong, asked = table.get(case["skill"], (0, 0))
            table[case["skill"]] = wrong + row[-1], asked + len(wanted)
    return table


def write_pairs(folder, seed, data, groups=4):
    """For `percept embed --eval`: descriptions of scenes, written, and spoken by voices that are never trained on, and the
    pictures that they shall find, each among 64. Spoken are scenes of two and three things."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, lines = np.random.default_rng(seed), []

    def picture(scene):
        name = f"{len(lines):04}.png"
        Image.fromarray(draw(rng, scene)).save(folder / name)
        return dict(image=name)
    while len(lines) < 64 * groups:
        scene = world.random_scene(rng)
        if len(scene) > 1:
            lines.append(dict(kind="picture from written", a=dict(text=world.caption(scene)), b=picture(scene)))
    pool = speech.Pool(data / "speech") if (data / "speech").exists() else None
    while pool and len(lines) < 2 * 64 * groups:
        scene = world.random_scene(rng, 3)
        samples = described(rng, pool, scene, "test") if len(scene) > 1 else None
        if samples is not None:
            name = f"{len(lines):04}.wav"
            write_wav(folder / name, speech.frames(rng, samples, hard=False).reshape(-1))
            lines.append(dict(kind="picture from spoken", a=dict(audio=name), b=picture(scene)))
    (folder / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_wav(path, samples):
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(16_000)
        out.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


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
    parser.add_argument("--write-sets", type=Path, help="the folder to write")
    parser.add_argument("--seed", type=int, default=LEAST_SEED, help=f"from {LEAST_SEED} on")
    parser.add_argument("--cases", type=int, default=100, help="cases of each skill")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of what things.py, letters.py and speech.py build")
    parser.add_argument("--reference", type=Path, help="ask this exported model through transformers")
    parser.add_argument("--word-errors", type=Path, help="what `percept eval --json` wrote: print its share of wrong words")
    args = parser.parse_args()
    if args.word_errors:
        for skill, (wrong, asked) in sorted(word_errors(args.word_errors.open()).items()):
            print(f"{skill:32} {wrong} of {asked} words wrong, {wrong / asked:.1%}")
        return
    if not args.write_sets:
        parser.error("name the folder to write with --write-sets")
    if args.seed < LEAST_SEED:
        parser.error(f"--seed {args.seed} may have been trained on; take one from {LEAST_SEED} on")
    write_pairs(args.write_sets / "pairs", args.seed, args.data)
    lines = write_sets(args.write_sets, args.seed, args.cases, args.data)
    print(f"{args.write_sets}: {len(lines)} cases")
    if args.reference:
        for skill, (right, asked) in sorted(ask_reference(args.reference, args.write_sets, lines).items()):
            print(f"{skill:32} {right:4} of {asked:4}  {right / asked:.1%}")


if __name__ == "__main__":
    main()
