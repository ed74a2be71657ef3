"""Words, number words and choices that the skills of text alone share."""
import zlib

SMALL = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
         "eighteen nineteen twenty").split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
NAMES = ("Anna Ben Clara David Emma Felix Grace Hugo Ida Jack Kim Leo Mary Nina Oscar Paul Rosa Sam Tom Vera Will Zoe Lucy Max "
         "Omar Ali Mia Noah Ella Peter").split()
# Things that can be counted, owned and written down; the plural is regular.
THINGS = ("apple book pencil coin stamp card egg orange banana cookie ball shell flower stone ticket button balloon sweet nut "
          "plum pear cake bottle cup plate key hat sock shirt chair lamp doll kite letter photo pebble marble sticker crayon "
          "muffin lemon carrot onion bean feather").split()
# Short words to copy, spell, measure and print.
WORDS = ("air animal answer apple arm autumn baby bag ball banana bank basket beach bean bear bed bee bell bench bird blue boat "
         "body book bottle box boy bread bridge bright brother brown bus butter button cake camera candle car card carpet cat "
         "chair cheese cherry child circle city clean clock cloud coat coffee cold cook corn country cousin cow cup dance dark "
         "desk dinner doctor dog door dream dress drink drum duck early earth egg engine evening family farm fast father feather "
         "field fire fish flag floor flower forest fork fox fresh friend frog fruit garden gate girl glass gold good grape grass "
         "green guitar hair hammer hand happy hat heart hill home honey horse hotel house ice island jacket juice jump key king "
         "kitchen kite ladder lake lamp large laugh leaf lemon letter light lion list little long lunch magic map market milk "
         "mirror money monkey month moon morning mother mountain mouse mouth music name nest new night north nose nut ocean office "
         "old onion open orange oven paint paper park party peach pen pencil people pepper piano picture pig pilot pizza plane "
         "plant plate pocket pond potato queen quick quiet rabbit radio rain red ribbon rice ring river road robot rock roof room "
         "rose round sand school sea seed ship shirt shoe shop silver sister sky sleep slow small snow soap sock song soup south "
         "spoon spring square stamp star station stone store storm street sugar summer sun sweet table tall tea teacher tent "
         "ticket tiger time tomato tooth tower town toy train tree truck uncle valley village violin voice wall warm watch water "
         "wave wheel white wind window winter wolf wood word yellow young zebra").split()


def pick(rng, items):
    """One of a sequence; `rng` is a numpy generator."""
    return items[int(rng.random() * len(items))]


def between(rng, low, high):
    """A whole number from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))


def spell(number):
    """The words of a number from 0 to 99."""
    if number <= 20:
        return SMALL[number]
    return TENS[number // 10] + ("-" + SMALL[number % 10] if number % 10 else "")


def is_kept_back(*what):
    """Whether something is one of the tenth that is asked in tests alone."""
    return zlib.crc32(" ".join(map(str, what)).encode()) % 10 == 0


def parted(phrasings):
    """Phrasings to train on and those kept back for tests, one at least."""
    kept_back = tuple(p for p in phrasings if is_kept_back(p)) or (min(phrasings, key=lambda p: zlib.crc32(p.encode())),)
    return tuple(p for p in phrasings if p not in kept_back), kept_back


def listed(items):
    """"a, b and c"."""
    items = [str(i) for i in items]
    return ", ".join(items[:-1]) + " and " + items[-1]


def capital(words):
    return words[0].upper() + words[1:]
