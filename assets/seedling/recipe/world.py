"""What there is to see, and what can be asked and answered about it.

A scene is a list of `Thing`s on a background. Everything said about it, questions, answers and captions, is made here
from the scene alone, so that no sentence can disagree with its picture.
"""
from dataclasses import dataclass

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


def caption(things):
    """All things in reading order."""
    if not things:
        return "Nothing but the background."
    return sentence(", ".join(f"{article(t.called())} {where(t.place)}" for t in things))


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
    """What is asked, the skill that it needs, the best answer, other answers that are as right, and what the model thinks
    before it answers."""
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
    "caption": ("What do you see?", "What is this?", "Describe the picture."),
}


def ask(rng, kind, words=None):
    ways = ASK[kind]
    return ways[rng.integers(len(ways))].format(words)


def questions(rng, things, number):
    """`number` questions about a scene, of kinds as even as the scene allows."""
    kinds = ("colour", "shape", "size", "where", "at", "count", "count", "exists", "absent")
    made = []
    order = rng.permutation(len(kinds)).tolist()
    for i in range(8 * number):
        question = one_question(rng, things, kinds[order[i % len(order)]])
        if question and all(question.text != q.text for q in made):
            made.append(question)
            if len(made) == number:
                break
    return made


def one_question(rng, things, kind):
    """A question of a kind, or None if the scene has nothing to ask it about."""
    def pick(items):
        return items[rng.integers(len(items))]

    def single(key):
        return [t for t in things if sum(key(o) == key(t) for o in things) == 1]
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
        which = rng.random()
        if which < .5:
            noun, number = "object", len(things)
        elif which < .75:
            noun = pick(things).shape if things and rng.random() < .75 else pick(SHAPES)
            number = sum(t.shape == noun for t in things)
        else:
            colour = pick(things).colour if things and rng.random() < .75 else pick(list(COLOURS))
            noun, number = f"{colour} object", sum(t.colour == colour for t in things)
        return Question("see/count", ask(rng, kind, plural(noun)), how_many(number, noun),
                        (NUMBERS[number], str(number)) + (("none", "zero") if number == 0 else ()))
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
            return Question("see/absent", ask(rng, "colour", shape), f"I can't see {article(shape)}.",
                            (f"I do not see {article(shape)}", f"There is no {shape}"))
    return None


def describe(rng, things):
    """A dense caption as a question."""
    return Question("see/caption", ask(rng, "caption"), caption(things))
