"""Short clips, a frame a second: something moves, comes, goes or changes its colour.

    python clips.py OUT.png        a look at some
"""
import sys
from dataclasses import replace

import numpy as np

from pictures import SIDE, background, draw
from world import COLOURS, SHAPES, SIZES, Question, Thing, article, sentence

FRAMES = 4
WAYS = {"to the left": (-1, 0), "to the right": (1, 0), "up": (0, -1), "down": (0, 1)}
ORDER = ("first", "second", "third", "last")


def thing(rng, x, y, taken=()):
    """A thing whose colour and shape no other of the clip has."""
    while True:
        colour, shape = list(COLOURS)[rng.integers(len(COLOURS))], SHAPES[rng.integers(len(SHAPES))]
        if all(t.colour != colour and t.shape != shape for t in taken):
            break
    size = SIZES[rng.integers(2)]
    radius = rng.uniform(.065, .09) if size == "small" else rng.uniform(.12, .15)
    return Thing(colour, shape, size, 4, x, y, radius, rng.uniform(-.35, .35))


def called(t):
    return f"{t.colour} {t.shape}"


def moves(rng):
    """One thing goes one way, sometimes while another rests."""
    way = list(WAYS)[rng.integers(len(WAYS))]
    dx, dy = WAYS[way]
    step, along = rng.uniform(.12, .2), rng.uniform(.2, .8)
    start = rng.uniform(.18, .82 - 3 * step)
    start = start if dx + dy > 0 else 1 - start
    mover = thing(rng, start if dx else along, start if dy else along)
    frames = [[replace(mover, x=mover.x + dx * step * i, y=mover.y + dy * step * i)] for i in range(FRAMES)]
    asked = [Question("watch/motion", f"Which way does the {name} move?", f"It moves {way}.", (way, way.split()[-1]))
             for name in (mover.shape, called(mover))]
    asked.append(Question("watch/motion", "What happens?", f"The {called(mover)} moves {way}.", (f"It moves {way}",)))
    asked.append(Question("watch/motion", "In which direction does it move?", f"It moves {way}.", (way, way.split()[-1])))
    if rng.random() < .5:
        for _ in range(20):
            rest = thing(rng, rng.uniform(.18, .82), rng.uniform(.18, .82), (mover,))
            if all(np.hypot(f[0].x - rest.x, f[0].y - rest.y) > f[0].radius + rest.radius + .02 for f in frames):
                for frame in frames:
                    frame.append(rest)
                asked[-1] = Question("watch/motion", "What moves?", f"The {called(mover)} moves.", (f"The {mover.shape}", called(mover)))
                break
    return frames, asked


def comes_or_goes(rng):
    """Of two or three things one is there only from some frame on, or only until then."""
    cells = rng.permutation(4)[:rng.integers(2, 4)]
    things = []
    for cell in cells:
        things.append(thing(rng, .27 + .46 * (cell % 2) + rng.uniform(-.08, .08), .27 + .46 * (cell // 2) + rng.uniform(-.08, .08), things))
    comes, when = rng.random() < .5, int(rng.integers(1, FRAMES))
    frames = [things if (i >= when) == comes else things[1:] for i in range(FRAMES)]
    name = article(called(things[0]))
    did, other = ("appeared", "vanished") if comes else ("vanished", "appeared")
    asked = [Question("watch/change", f"What {did}?", sentence(name), (called(things[0]), f"The {called(things[0])}")),
             Question("watch/change", f"What {other}?", "Nothing.", (f"Nothing {other}",)),
             Question("watch/change", "What happens?", f"{sentence(name)[:-1]} {'appears' if comes else 'vanishes'}."),
             Question("watch/change", f"Did the {things[0].shape} appear or vanish?", f"It {did}.", (did,))]
    return frames, asked


def changes_colour(rng):
    """One thing has another colour in each frame."""
    one = thing(rng, rng.uniform(.3, .7), rng.uniform(.3, .7))
    colours = [list(COLOURS)[i] for i in rng.permutation(len(COLOURS))[:FRAMES]]
    frames = [[replace(one, colour=c)] for c in colours]
    asked = [Question("watch/order", f"Which colour came {ORDER[i]}?", sentence(colours[i]), (f"It was {colours[i]}",))
             for i in rng.permutation(FRAMES)[:3]]
    i, j = sorted(rng.permutation(FRAMES)[:2])
    swapped = rng.random() < .5
    a, b = (colours[j], colours[i]) if swapped else (colours[i], colours[j])
    asked.append(Question("watch/order", f"Was it {a} before it was {b}?", "No." if swapped else "Yes."))
    return frames, asked


def clip(rng):
    """Pixels [frames, side, side, 3], the things of each frame, and questions."""
    frames, asked = (moves, comes_or_goes, changes_colour)[rng.choice(3, p=(.45, .35, .2))](rng)
    behind = background(rng, SIDE)
    return np.stack([draw(rng, things, SIDE, behind) for things in frames]), frames, [asked[i] for i in rng.permutation(len(asked))]


def main():
    from PIL import Image
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(6):
        pixels, _, asked = clip(rng)
        rows.append(np.concatenate(list(pixels), 1))
        for question in asked:
            print(question.text, question.answer)
        print()
    Image.fromarray(np.concatenate(rows, 0)).save(sys.argv[1])


if __name__ == "__main__":
    main()
