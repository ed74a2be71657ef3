"""Every sentence that is spoken while training, one a line, shortest first: python sentences.py > SENTENCES

The simple questions that world.py can ask, a sample of the talk, commands, numbers and short sums. With --things, instead, each
thing that can be seen, with its place; spoken descriptions are made of those.
"""
import sys

import numpy as np

import text
import words
import world

TALK = 250  # of the longer talk; what has at most three words is spoken in full

COMMANDS = {
    "{}": ("stop", "go on", "pause", "start", "cancel", "yes", "no", "repeat that", "louder", "quieter", "next", "back", "undo that",
           "save this", "delete that", "open the door", "close the window", "turn on the light", "turn off the light", "listen",
           "what time is it", "what day is it", "who is there", "wake up", "go to sleep", "read this aloud", "look at this",
           "show me the photo", "close", "open the notes"),
    "{} a photo": ("take", "show me", "delete"),
    "{} a video": ("record", "stop", "play"),
    "take {} photos": ("two", "three", "four", "five"),
    "start a timer for {}": ("one minute", "two minutes", "three minutes", "five minutes", "ten minutes", "twenty minutes",
                             "half an hour", "one hour", "thirty seconds"),
    "set an alarm for {}": ("six", "seven", "eight", "nine thirty", "noon"),
    "stop the {}": ("timer", "alarm", "music", "video"),
    "note: {}": ("buy milk", "call my mother", "water the plants", "pay the bill", "wash the car", "bring the keys", "feed the cat",
                 "post the letter", "bread and butter", "two red apples"),
    "remind me to {}": ("buy bread", "call the doctor", "close the window", "take the bus", "send the mail"),
    "turn {} the light": ("up", "down"),
    "go {}": ("left", "right", "up", "down", "home"),
}


def number(n):
    """0 to 100 in words."""
    return "one hundred" if n == 100 else words.spell(n)


def questions():
    """All that world.py asks about a scene."""
    both = [f"{c} {s}" for c in world.COLOURS for s in world.SHAPES]
    fillings = {
        "colour": world.SHAPES, "shape": world.COLOURS, "size": both, "where": both,
        "at": [world.where(place) for place in range(len(world.PLACES))],
        "count": [world.plural(n) for n in ("object", *world.SHAPES, *(f"{c} object" for c in world.COLOURS))],
        "exists": [world.article(b) for b in both], "caption": [""]}
    return [way.format(filling) for kind, ways in world.ASK.items() if kind in fillings for way in ways for filling in fillings[kind]]


def talk(rng):
    """What is said to be trained on: all that is short and a spread sample of the rest, each sound of it once."""
    train, _ = text.split()
    short, long = {}, {}
    for q in (q for skill in sorted(train) for q in train[skill]):
        (short if len(q.text.split()) <= 3 else long).setdefault(spoken(q.text), q.text)
    rest = list(long.values())
    return list(short.values()) + [rest[i] for i in sorted(rng.permutation(len(rest))[:TALK])]


def sums(rng):
    """Short sums; differences are never negative."""
    ways = ("what is {} {} {}", "{} {} {}", "how much is {} {} {}")
    found = []
    for _ in range(170):
        a, b = int(rng.integers(21)), int(rng.integers(1, 13))
        word = ("plus", "plus", "minus", "times")[rng.integers(4)]
        if word == "minus" and b > a:
            a, b = b, a
        if word == "times":
            a = int(rng.integers(11))
        found.append(ways[rng.integers(len(ways))].format(number(a), word, number(b)))
    return found


def spoken(sentence):
    """What of a sentence can be heard: no capitals, no signs. Equal for all ways of writing the same."""
    kept = "".join(c if c.isalnum() or c == "'" else " " for c in sentence.lower())
    return " ".join(kept.split())


def all_sentences():
    rng = np.random.default_rng(5)
    commands = [way.format(filling) for way, fillings in COMMANDS.items() for filling in fillings]
    different = {}
    for sentence in questions() + talk(rng) + commands + [number(n) for n in range(101)] + sums(rng):
        different.setdefault(spoken(sentence), sentence)
    return sorted(different.values(), key=len)


def things():
    return [f"{world.article(f'{size} {colour} {shape}')} {world.where(place)}" for size in world.SIZES for colour in world.COLOURS
            for shape in world.SHAPES for place in range(len(world.PLACES))]


if __name__ == "__main__":
    print("\n".join(things() if sys.argv[1:] == ["--things"] else all_sentences()))
