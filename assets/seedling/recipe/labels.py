"""What the two heads that only training has say: what lies in a patch, and which letters were heard."""
from world import COLOURS, SHAPES, SIZES

NO_THING = 0
FIRST_CHARACTER = 1 + len(COLOURS) * len(SHAPES) * len(SIZES)
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
FIRST_NAME = FIRST_CHARACTER + len(CHARACTERS)
MOST_NAMES = 240
PATCH_LABELS = FIRST_NAME + MOST_NAMES

# For the connectionist temporal classification of what is heard: 0 stands for "nothing new".
HEARD = "abcdefghijklmnopqrstuvwxyz '"
SOUND_LABELS = 1 + len(HEARD)


def thing(colour, shape, size):
    """A patch's label for a thing, by index."""
    return 1 + (colour * len(SHAPES) + shape) * len(SIZES) + size


def spelled(words):
    """Labels of the letters of a spoken sentence."""
    return [1 + HEARD.index(c) for c in words.lower() if c in HEARD]
