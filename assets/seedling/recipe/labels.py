"""What the head that names patches says, while training."""
from world import COLOURS, SHAPES, SIZES

NO_THING = 0
FIRST_CHARACTER = 1 + len(COLOURS) * len(SHAPES) * len(SIZES)
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
FIRST_NAME = FIRST_CHARACTER + len(CHARACTERS)
MOST_NAMES = 240
PATCH_LABELS = FIRST_NAME + MOST_NAMES


def thing(colour, shape, size):
    """A patch's label for a thing, by index."""
    return 1 + (colour * len(SHAPES) + shape) * len(SIZES) + size
