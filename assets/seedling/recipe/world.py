"""What there is to see, and what can be asked and answered about it.

A scene is a list of `Thing`s on a background. Everything said about it, questions, answers and captions, is made here
from the scene alone, so that no sentence can disagree with its picture.
"""
from dataclasses import dataclass, replace

import numpy as np

COLOURS = {"red": (214, 40, 40), "green": (44, 160, 60), "blue": (40, 80, 200), "yellow": (240, 210, 40),
           "orange": (245, 140, 30), "purple": (130, 60, 170), "black": (20, 20, 20), "white": (250, 250, 250)}
SHAPES = ("circle", "square", "triangle", "star", "cross")
SIZES = ("small", "large")
PLACES = ("top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
MOST_THINGS = 6


@dataclass(frozen=True)
class Thing:
    """One object: names from the tables above, its centre and radius as parts of the picture's side."""
    colour: str
    shape: str
    size: str
    place: int
    x: float
    y: float
    radius: float
    angle: float

    def called(self):
        return f"{self.size} {self.colour} {self.shape}"


def random_scene(rng, most=MOST_THINGS):
    """Up to `most` things in different cells of a 3 by 3 grid, anywhere in their cell; `rng` is a numpy generator."""
    things = []
    for place in sorted(rng.permutation(9)[:rng.integers(0, most + 1)]):
        size = SIZES[rng.integers(2)]
        radius = rng.uniform(.065, .09) if size == "small" else rng.uniform(.12, .15)
        slack = 1 / 6 - radius
        things.append(Thing(
            colour=list(COLOURS)[rng.integers(len(COLOURS))], shape=SHAPES[rng.integers(len(SHAPES))], size=size,
            place=int(place), x=(place % 3) / 3 + 1 / 6 + rng.uniform(-slack, slack),
            y=(place // 3) / 3 + 1 / 6 + rng.uniform(-slack, slack), radius=radius, angle=rng.uniform(-.35, .35)))
    return things


def article(words):
    return ("an " if words[0] in "aeiou" else "a ") + words


def where(place):
    """"at the top left", "on the left", "in the centre"."""
    name = PLACES[place]
    return {"left": "on the left", "right": "on the right", "centre": "in the centre"}.get(name, f"at the {name}")


ANYTHING = Thing("red", "circle", "large", 4, .5, .5, .13, 0.)


def phrases(things):
    """Each of them and its place, in reading order."""
    return [f"{article(t.called())} {where(t.place)}" for t in things]


def caption(things):
    """All things in reading order."""
    return sentence(", ".join(phrases(things))) if things else "Nothing but the background."


def statement(rng, things):
    """A thing that is there, or one of which a single property is not so, and whether it holds."""
    if not things or rng.random() < .15:
        thing = (random_scene(rng, 1) or [ANYTHING])[0]
    else:
        thing = things[rng.integers(len(things))]
        if rng.random() < .55:
            what = ("colour", "shape", "size", "place")[rng.integers(4)]
            other = dict(colour=list(COLOURS), shape=SHAPES, size=SIZES, place=range(9))[what]
            thing = replace(thing, **{what: other[rng.integers(len(other))]})
    says = lambda t: (t.colour, t.shape, t.size, t.place)
    return thing, any(says(t) == says(thing) for t in things)


def sentence(words):
    return words[0].upper() + words[1:] + "."


def how_many(number, noun):
    """"There is one star." """
    if number == 1:
        return f"There is one {noun}."
    return f"There are {NUMBERS[number]} {plural(noun)}."


def plural(noun):
    return {"cross": "crosses"}.get(noun, noun + "s")


@dataclass(frozen=True)
class Question:
    """What is asked, the skill that it needs, the best answer, other answers that are as right, and what is thought before it."""
    skill: str
    text: str
    answer: str
    accepted: tuple = ()
    thought: str = ""


# Several ways of asking the same; every way is seen while training, the scenes are what is new in a test.
ASK = {
    "colour": ("What colour is the {}?", "What is the colour of the {}?", "Which colour has the {}?"),
    "shape": ("What shape is the {} object?", "What is the {} object?", "What shape has the {} object?"),
    "size": ("Is the {} small or large?", "How large is the {}?", "What size is the {}?"),
    "where": ("Where is the {}?", "In which place is the {}?"),
    "at": ("What is {}?", "What do you see {}?", "Which object is {}?"),
    "count": ("How many {} are there?", "How many {} do you see?", "Count the {}."),
    "exists": ("Is there {}?", "Do you see {}?"),
    "relation": ("Is the {} {} the {}?",),
    "beside": ("What is {} the {}?", "Which object is {} the {}?"),
    "more": ("Are there more {} than {}?", "Is the number of {} larger than that of {}?"),
    "left over": ("How many would be left if I took the {} away?", "How many objects are left without the {}?"),
    "together": ("How many {} and {} are there together?",),
    "same": ("Do the {} and the {} have the same colour?",),
    "caption": ("What do you see?", "What is this?", "Describe the picture."),
}


def ask(rng, kind, *words):
    ways = ASK[kind]
    return ways[rng.integers(len(ways))].format(*words)


# How often each kind is asked, of a scene that has something to ask it about.
KINDS = {"colour": 3, "shape": 3, "size": 2, "where": 3, "at": 3, "count": 4, "exists": 2, "absent": .6, "relation": 2,
         "beside": 2, "more": 1, "left over": 1, "together": 1, "same": 1}
SHARES = np.array(list(KINDS.values())) / sum(KINDS.values())
RELATIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}


def questions(rng, things, number):
    """`number` different questions about a scene."""
    names, made, asked = list(KINDS), [], set()
    for kind in rng.choice(len(names), 4 * number, p=SHARES):
        question = one_question(rng, things, names[kind])
        if question and question.text not in asked:
            asked.add(question.text)
            made.append(question)
            if len(made) == number:
                break
    return made


def one_question(rng, things, kind):
    """A question of a kind, or None if the scene has nothing to ask it about."""
    def pick(items):
        return items[int(rng.random() * len(items))]

    def single(key):
        keys = [key(t) for t in things]
        return [t for t, k in zip(things, keys) if keys.count(k) == 1]

    def group():
        """A kind of things by shape or colour, mostly one that is there: its name in the plural and how many."""
        if rng.random() < .5:
            noun = pick(things).shape if things and rng.random() < .75 else pick(SHAPES)
            return noun, plural(noun), sum(t.shape == noun for t in things)
        colour = pick(things).colour if things and rng.random() < .75 else pick(list(COLOURS))
        return f"{colour} object", f"{colour} objects", sum(t.colour == colour for t in things)
    if kind == "colour":
        if found := single(lambda t: t.shape):
            t = pick(found)
            return Question("see/colour", ask(rng, kind, t.shape), f"It is {t.colour}.", (t.colour,))
    elif kind == "shape":
        if found := single(lambda t: t.colour):
            t = pick(found)
            return Question("see/shape", ask(rng, kind, t.colour), f"It is {article(t.shape)}.",
                            (t.shape, article(t.shape)))
    elif kind in ("size", "where"):
        if found := single(lambda t: (t.colour, t.shape)):
            t = pick(found)
            asked = ask(rng, kind, f"{t.colour} {t.shape}")
            if kind == "size":
                return Question("see/size", asked, f"It is {t.size}.", (t.size,))
            return Question("see/position", asked, f"It is {where(t.place)}.", (where(t.place), PLACES[t.place]))
    elif kind == "at":
        place = pick(things).place if things and rng.random() < .8 else int(rng.integers(9))
        asked = ask(rng, kind, where(place))
        found = [t for t in things if t.place == place]
        if not found:
            return Question("see/position", asked, "Nothing is there.", ("nothing",))
        name = article(found[0].called())
        return Question("see/position", asked, sentence(name), (found[0].called(),))
    elif kind == "count":
        noun, many, number = ("object", "objects", len(things)) if rng.random() < .4 else group()
        return Question("see/count", ask(rng, kind, many), how_many(number, noun), number_words(number))
    elif kind == "exists":
        if things and rng.random() < .5:
            t = pick(things)
            name = f"{t.colour} {t.shape}"
        else:
            name = f"{pick(list(COLOURS))} {pick(SHAPES)}"
            if things and rng.random() < .5:
                name = f"{pick(things).colour} {pick(things).shape}"
        there = any(f"{t.colour} {t.shape}" == name for t in things)
        return Question("see/presence", ask(rng, kind, article(name)), "Yes." if there else "No.")
    elif kind == "absent":
        missing = [s for s in SHAPES if all(t.shape != s for t in things)]
        if missing:
            shape = pick(missing)
            if things and rng.random() < .5:  # a colour that is there does not help
                shape = f"{pick(things).colour} {shape}"
                return Question("see/absent", ask(rng, "where", shape), f"I can't see {article(shape)}.",
                                (f"I do not see {article(shape)}", f"There is no {shape}"))
            return Question("see/absent", ask(rng, "colour", shape), f"I can't see {article(shape)}.",
                            (f"I do not see {article(shape)}", f"There is no {shape}"))
    elif kind == "relation":
        found = single(lambda t: (t.colour, t.shape))
        if len(found) > 1:
            first, second = (found[i] for i in rng.permutation(len(found))[:2])
            relation, holds, clear = one_relation(rng, first, second)
            if clear:
                return Question("see/relation", ask(rng, kind, f"{first.colour} {first.shape}", relation,
                                                    f"{second.colour} {second.shape}"), "Yes." if holds else "No.")
    elif kind == "beside":
        # The nearest thing that lies that way in the same row or column.
        found = single(lambda t: (t.colour, t.shape))
        if found:
            t = pick(found)
            here = {o.place: o for o in things}
            row, column = divmod(t.place, 3)
            beside = {}
            for relation, (dx, dy) in RELATIONS.items():
                for step in (2, 1):
                    r, c = row + step * dy, column + step * dx
                    if 0 <= r < 3 and 0 <= c < 3 and 3 * r + c in here:
                        beside[relation] = here[3 * r + c]
            relation = pick(list(beside)) if beside and rng.random() < .8 else pick(list(RELATIONS))
            if other := beside.get(relation):
                name = f"{other.colour} {other.shape}"
                return Question("see/relation", ask(rng, kind, relation, f"{t.colour} {t.shape}"),
                                sentence(article(other.called())), (other.called(), name, article(name)))
            return Question("see/relation", ask(rng, kind, relation, f"{t.colour} {t.shape}"), "Nothing is there.", ("nothing",))
    elif kind in ("more", "together"):
        a, b = group(), group()
        overlap = a[0] == b[0] or ("object" in a[0]) != ("object" in b[0])
        if overlap:  # "red objects and circles" may be the same
            return None
        counted = f"{sentence(counts(a))[:-1]}, {counts(b)}."
        if kind == "more":
            return Question("reason/picture", ask(rng, kind, a[1], b[1]), "Yes." if a[2] > b[2] else "No.", thought=counted)
        return Question("reason/picture", ask(rng, kind, a[1], b[1]), f"There are {NUMBERS[a[2] + b[2]]} together."
                        if a[2] + b[2] != 1 else "There is one together.", number_words(a[2] + b[2]), thought=counted)
    elif kind == "left over":
        a = group()
        left = len(things) - a[2]
        total = f"{NUMBERS[len(things)]} object" + ("" if len(things) == 1 else "s")
        return Question("reason/picture", ask(rng, kind, a[1]), f"{sentence(NUMBERS[left])[:-1] if left else 'None'} would be left.",
                        number_words(left), thought=f"{sentence(total)[:-1]}, {counts(a)}.")
    elif kind == "same":
        found = single(lambda t: t.shape)
        if len(found) > 1:
            one = pick(found)
            alike = [t for t in found if t.shape != one.shape and t.colour == one.colour]
            other = pick(alike) if alike and rng.random() < .7 else pick([t for t in found if t.shape != one.shape])
            thought = f"The {one.shape} is {one.colour}, the {other.shape} is {other.colour}."
            return Question("reason/picture", ask(rng, kind, one.shape, other.shape),
                            "Yes." if one.colour == other.colour else "No.", thought=thought)
    return None


def one_relation(rng, first, second):
    """The name of a relation, whether it holds of two things, and whether that can be said with certainty."""
    name = list(RELATIONS)[rng.integers(len(RELATIONS))]
    dx, dy = RELATIONS[name]
    apart = (first.x - second.x) * dx + (first.y - second.y) * dy
    return name, apart > 0, abs(apart) > .12


def counts(group):
    noun, many, number = group
    return f"{NUMBERS[number]} {noun if number == 1 else many}"


def number_words(number):
    return (NUMBERS[number], str(number)) + (("none", "zero") if number == 0 else ())


def describe(rng, things):
    """A dense caption as a question."""
    return Question("see/caption", ask(rng, "caption"), caption(things))
