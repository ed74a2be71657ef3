"""Training rows: one picture, then many questions that do not see each other, each where it would stand alone.

    <bos><|turn>user\n [<|image> 64 patches <image|>]  question<turn|>\n<|turn>model\nanswer<turn|>  question …

So a picture is paid for once and asked about many times. Rows have a fixed length, so that compiled code is reused.
"""
import numpy as np

import text
import world
from pictures import GRID, PATCH, draw, patch_labels, patches

NOTHING = -100  # a label that does not count


class Rows:
    """Makes batches for a stage from a numpy generator."""

    def __init__(self, tokenizer, length):
        self.length = length
        encode = lambda words: tokenizer(words, add_special_tokens=False).input_ids
        self.encode = encode
        ident = tokenizer.convert_tokens_to_ids
        self.begin = [ident("<bos>"), ident("<|turn>")] + encode("user\n")
        self.image = ident("<|image|>")
        self.ends = [ident("<|image>")], [ident("<image|>")]
        self.between = [ident("<turn|>")] + encode("\n") + [ident("<|turn>")] + encode("model\n")
        self.end = [ident("<turn|>")]
        self.first = len(self.begin) + 1
        self.known = {}
        self.talk, _ = text.split()
        self.skills = sorted(self.talk)

    def ids(self, words):
        if words not in self.known:
            self.known[words] = self.encode(words)
        return self.known[words]

    def row(self, questions, tokens):
        """ids, labels, positions and the number of the question each token belongs to (0: the picture, -1: padding)."""
        start = list(self.begin)
        if tokens:
            start += self.ends[0] + [self.image] * tokens + self.ends[1]
        n = len(start)
        ids = np.zeros(self.length, np.int64)
        labels = np.full(self.length, NOTHING, np.int64)
        positions = np.zeros(self.length, np.int64)
        owner = np.full(self.length, -1, np.int64)
        ids[:n], positions[:n], owner[:n] = start, np.arange(n), 0
        at = n
        for number, q in enumerate(questions, 1):
            asked = self.ids(q.text) + self.between
            said = self.ids(q.answer) + self.end
            both = asked + said
            if at + len(both) > self.length:
                continue
            here = slice(at, at + len(both))
            ids[here], owner[here], positions[here] = both, number, n + np.arange(len(both))
            labels[at + len(asked) - 1:at + len(both) - 1] = said  # each token foretells the next
            at += len(both)
        return ids, labels, positions, owner

    def talk_row(self, rng):
        chosen = []
        for _ in range(24):
            pool = self.talk[self.skills[rng.integers(len(self.skills))]]
            chosen.append(pool[rng.integers(len(pool))])
        return self.row(chosen, 0)

    def batch(self, rng, stage, rows):
        """Arrays of a batch of the stage, in a dictionary."""
        made, pictures, wheres, named = [], [], [], []
        for _ in range(rows):
            if stage == "talk":
                made.append(self.talk_row(rng))
                continue
            things, pixels, grid, questions = STAGES[stage](rng)
            made.append(self.row(questions, grid * grid))
            pictures.append(patches(pixels))
            y, x = np.divmod(np.arange(grid * grid), grid)
            wheres.append(np.stack([x, y], -1))
            named.append(patch_labels(things, grid))
        ids, labels, positions, owner = map(np.stack, zip(*made))
        out = dict(ids=ids, labels=labels, positions=positions, owner=owner)
        if pictures:
            out.update(pictures=np.stack(pictures), where=np.stack(wheres), named=np.stack(named))
        return out


def scene(rng, most=world.MOST_THINGS):
    things = world.random_scene(rng, most)
    asked = world.questions(rng, things, 9)
    asked.insert(int(rng.integers(0, 2)), world.describe(rng, things))
    return things, draw(rng, things), GRID, asked


def pair(rng):
    return scene(rng, 2)


def crop(rng):
    """One patch, a small picture of its own, and its thing or None: of any place and size, or a part of one."""
    if rng.random() < .12:
        return draw(rng, [], PATCH), None
    size = world.SIZES[rng.integers(2)]
    radius = (rng.uniform(.065, .09) if size == "small" else rng.uniform(.12, .15)) * GRID
    reach = .45 * radius
    thing = world.Thing(list(world.COLOURS)[rng.integers(len(world.COLOURS))], world.SHAPES[rng.integers(len(world.SHAPES))],
                        size, 4, .5 + rng.uniform(-reach, reach), .5 + rng.uniform(-reach, reach), radius,
                        rng.uniform(-.35, .35))
    return draw(rng, [thing], PATCH), thing


# Crops drawn lately: a quarter of a row is new, the rest is drawn from these, since drawing costs more than learning.
RECENT = []
MOST_RECENT = 30_000


def crops(rng):
    """As many patches as a scene has, each a crop of its own."""
    number = GRID * GRID
    fresh = [crop(rng) for _ in range(number // 4 if len(RECENT) >= number else number)]
    for one in fresh:
        if len(RECENT) < MOST_RECENT:
            RECENT.append(one)
        else:
            RECENT[rng.integers(MOST_RECENT)] = one
    shown = fresh + [RECENT[i] for i in rng.integers(0, len(RECENT), number - len(fresh))]
    things, cells = [], []
    for i, (pixels, t) in enumerate(shown):
        cells.append(pixels)
        if t:
            y, x = divmod(i, GRID)
            things.append(world.Thing(t.colour, t.shape, t.size, 4, (x + .5) / GRID, (y + .5) / GRID, .1 / GRID, 0.))
    side = GRID * PATCH
    pixels = np.stack(cells).reshape(GRID, GRID, PATCH, PATCH, 3).transpose(0, 2, 1, 3, 4).reshape(side, side, 3)
    return things, pixels, GRID, []


STAGES = {"crops": crops, "pairs": pair, "scenes": scene}
