"""Pictures of everyday things, drawn by emoji and icon sets in many styles, and questions about what they show.

    python things.py --build FOLDER        # fetches the sets and writes FOLDER/things.npz and things.json

A model that knows a thing only as one set draws it knows a drawing, not the thing. So most sets are for training and one
whole set of another hand, `TEST_SET`, is only for the test. Pictures are put together while training from what was
rasterised once, fast enough for that: see `draw`.
"""
import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from backgrounds import LUMINANCE, contrasting, finish, pairs, wall
from pictures import GRID, SIDE
from thing_names import ALIKE, NAMES, SAME, THINGS
from world import Question

TEST_SET = "openmoji"
INDEX = {name: i for i, name in enumerate(NAMES)}
COLOURED = .65  # how often a thing is drawn by a set in colour rather than by one of lines


class Bank:
    """All drawings, and which of them may be shown of each thing."""

    def __init__(self, folder):
        stored = np.load(Path(folder) / "things.npz")
        about = json.loads((Path(folder) / "things.json").read_text())
        assert about["names"] == NAMES, "built from other names: build again"
        self.pixels = stored["pixels"]  # [number, side, side, 4], colours times alpha
        sets = about["sets"]
        test = np.array([s["name"] == TEST_SET for s in sets])[stored["set"]]
        self.coloured = np.array([s["kind"] == "colour" for s in sets])[stored["set"]]
        sums = np.stack([p.sum((0, 1), dtype=np.int64) for p in self.pixels]).astype(np.float32)
        self.mean = 255 * sums[:, :3] / sums[:, 3:]
        name = stored["name"]
        self.test = [np.flatnonzero(test & (name == i)) for i in range(len(NAMES))]
        self.coloured_of = [np.flatnonzero(~test & self.coloured & (name == i)) for i in range(len(NAMES))]
        self.lines_of = [np.flatnonzero(~test & ~self.coloured & (name == i)) for i in range(len(NAMES))]
        self.known = [i for i in range(len(NAMES)) if len(self.test[i]) and len(self.coloured_of[i]) > 2]

    def one(self, rng, name, test):
        """The number of a drawing of a thing."""
        if test:
            pool = self.test[name]
        elif rng.random() < COLOURED or not len(self.lines_of[name]):
            pool = self.coloured_of[name]
        else:
            pool = self.lines_of[name]
        return int(pool[rng.integers(len(pool))])


def load(folder):
    return Bank(folder)


def places(rng):
    """Centre and side, in parts of the picture, of one thing, or of two beside each other."""
    if rng.random() < .25:
        sides = rng.uniform(.35, .5, 2)
        return [(half / 2 + rng.uniform(s / 2, .5 - s / 2 + 1e-9), rng.uniform(s / 2, 1 - s / 2), s)
                for half, s in enumerate(sides)]
    s = rng.uniform(.35, 1)
    return [(rng.uniform(s / 2, 1 - s / 2), rng.uniform(s / 2, 1 - s / 2), s)]


def turned(rng, icon, x, y, side):
    """A drawing scaled, turned a little and at times mirrored: its pixels and the part of the picture they belong to."""
    angle = float(np.clip(rng.normal(0, .13), -.35, .35)) if rng.random() < .7 else 0.
    c, s = np.cos(angle), np.sin(angle)
    half = side * SIDE / 2
    reach = half * (abs(c) + abs(s))
    cx, cy = x * SIDE, y * SIDE
    x0, x1 = max(0, int(cx - reach)), min(SIDE, int(cx + reach) + 1)
    y0, y1 = max(0, int(cy - reach)), min(SIDE, int(cy + reach) + 1)
    middle = icon.shape[0] / 2
    scale = middle / half
    a, b, d, e = scale * c, scale * s, -scale * s, scale * c
    if rng.random() < .3:
        a, b = -a, -b
    dx, dy = x0 - cx, y0 - cy
    mode = "RGBa" if icon.ndim == 3 else "L"
    picture = Image.frombuffer(mode, icon.shape[:2], icon, "raw", mode, 0, 1).transform(
        (x1 - x0, y1 - y0), Image.AFFINE, (a, b, a * dx + b * dy + middle, d, e, d * dx + e * dy + middle), Image.BILINEAR)
    return np.asarray(picture), (slice(y0, y1), slice(x0, x1))


def draw(rng, bank, test=False):
    """8-bit pixels [SIDE, SIDE, 3] and what is on them: (name, x, y, radius) in parts of the side, from left to right.
    With `test` the drawings are those of `TEST_SET`."""
    spots = places(rng)
    names = [bank.known[i] for i in rng.choice(len(bank.known), len(spots), replace=False)]
    icons = [bank.one(rng, name, test) for name in names]
    means = [bank.mean[i] for i in icons if bank.coloured[i]]
    for colours in pairs(rng, 8):  # not a background of the very colour of a thing, if one of the eight is not
        if all(np.abs(colours - mean).sum(1).min() > 180 for mean in means):
            break
    out = wall(rng, colours)
    for i, spot in zip(icons, spots):
        icon = bank.pixels[i]
        if bank.coloured[i]:
            pixels, part = turned(rng, lit(rng, icon), *spot)
            alpha, paint = pixels[..., 3], np.moveaxis(pixels[..., :3], 2, 0)
        else:
            alpha, part = turned(rng, np.ascontiguousarray(icon[..., 3]), *spot)
            paint = contrasting(rng, colours[None])[0][:, None, None] * (alpha * np.float32(1 / 255))
        through = 1 - alpha * np.float32(1 / 255)
        for plane, colour in zip(out, paint):
            here = plane[part]
            here *= through
            here += colour
    return finish(rng, out), [(NAMES[name], x, y, side / 2) for name, (x, y, side) in zip(names, spots)]


def lit(rng, icon):
    """A drawing in a somewhat different light, or without colours at all."""
    out = icon * (*(rng.uniform(.8, 1.05) + rng.normal(0, .04, 3)), 1)
    if rng.random() < .08:
        out[..., :3] = (out[..., :3] @ LUMINANCE)[..., None]
    return np.minimum(out, 255, out=out).astype(np.uint8)


def patch_labels(placed, grid=GRID):
    """[tokens]: 0 nothing, else 1 + the index of the thing whose circle covers the patch's middle."""
    out = np.zeros((grid, grid), np.int64)
    middle = (np.arange(grid) + .5) / grid
    for name, x, y, radius in placed:
        out[np.hypot(middle[None, :] - x, middle[:, None] - y) < .85 * radius] = 1 + INDEX[name]
    return out.reshape(-1)


def is_a(name):
    """"It is a dog.", "They are scissors." """
    thing = THINGS[INDEX[name]]
    return f"{'They are' if thing.many() else 'It is'} {thing.called()}."


def also(name):
    """Other right answers: the bare name, its article, other words for the same."""
    thing = THINGS[INDEX[name]]
    return tuple(dict.fromkeys((name, thing.called()))) + SAME.get(name, ())


def other(rng, placed):
    """The name of something that is not there, nor much like what is."""
    there = [name for name, *_ in placed]
    while True:
        name = NAMES[rng.integers(len(NAMES))]
        if name not in there and not any(name in group and t in group for t in there for group in ALIKE):
            return name


def questions(rng, placed, number):
    """Up to `number` different questions about a picture, about half of them whether it shows a thing."""
    made = []
    for i in range(6 * number):
        question = (about_one if len(placed) == 1 else about_two)(rng, placed, i % 2 == 0)
        if all(question.text != q.text for q in made):
            made.append(question)
            if len(made) == number:
                break
    return made


def pick(rng, ways):
    return ways[rng.integers(len(ways))]


def about_one(rng, placed, naming):
    name = placed[0][0]
    if naming:
        return Question("name/thing", pick(rng, ("What is this?", "What do you see?", "What is it?")), is_a(name), also(name))
    right = rng.random() < .5
    asked = THINGS[INDEX[name if right else other(rng, placed)]]
    answer = is_a(name)
    # Two ways, so that yes can be asked for as often as no.
    way = pick(rng, ("Are these", "Are they") if asked.many() else ("Is this", "Is it"))
    return Question("name/check", f"{way} {asked.called()}?",
                    ("Yes, " if right else "No, ") + answer[0].lower() + answer[1:])


def about_two(rng, placed, naming):
    at = int(rng.integers(2))
    name, side = placed[at][0], ("left", "right")[at]
    thing = THINGS[INDEX[name]]
    way = rng.random()
    if naming and way < .75:
        return Question("name/thing", pick(rng, ("What is on the {}?", "What do you see on the {}?")).format(side), is_a(name),
                        also(name))
    if naming:
        first, second = (THINGS[INDEX[n]].called() for n, *_ in placed)
        both = f"{first} and {second}"
        return Question("name/both", "What do you see?", both[0].upper() + both[1:] + ".", (f"{second} and {first}",))
    if way < .4:
        return Question("name/where", f"Where {'are' if thing.many() else 'is'} the {name}?",
                        f"{'They are' if thing.many() else 'It is'} on the {side}.", (f"on the {side}", side))
    right = way < .7
    asked = thing if right else THINGS[INDEX[other(rng, placed)]]
    return Question("name/check", f"{'Are' if asked.many() else 'Is'} there {asked.called()}?", "Yes." if right else "No.")


if __name__ == "__main__":
    from thing_sets import build
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    build(parser.parse_args().build)
