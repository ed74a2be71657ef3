"""Small sums, comparisons, word problems, series, opposites and odd ones out, with a thought where steps are needed.

A thought first writes the sum in digits, however it was asked, then goes column by column from the right. A column's last
digit is written down, what is before it is carried, so every step looks at a few digits near by:
345+278: 5+8=13, 4+7+1=12, 3+2+1=6.

    python reason.py        prints examples
"""
from words import NAMES, THINGS, between, capital, is_kept_back, listed, pick, spell
from world import Question, article

SUMS = ("What is {a} + {b}?", "What is {a} plus {b}?", "How much is {a} + {b}?", "How much is {a} plus {b}?",
        "How much is {a} and {b}?", "Add {a} and {b}.", "Add {b} to {a}.", "{a} + {b}", "{a}+{b}", "{a} + {b} =", "{a}+{b}=?",
        "{a} plus {b}", "{a} plus {b}?", "Calculate {a} + {b}.", "What do {a} and {b} make?", "What is the sum of {a} and {b}?",
        "Tell me {a} + {b}.", "Can you add {a} and {b}?", "Please add {b} to {a}.", "What's {a} + {b}?", "Work out {a} + {b}.",
        "What does {a} + {b} equal?", "What is {a} and {b} together?", "{a} and {b} makes what?", "what is {a}+{b}",
        "Solve {a} + {b}.", "Give me the sum of {a} and {b}.", "Find {a} + {b}.", "How many are {a} and {b}?")
DIFFERENCES = ("What is {a} - {b}?", "What is {a} minus {b}?", "How much is {a} - {b}?", "How much is {a} minus {b}?",
               "Subtract {b} from {a}.", "Take {b} from {a}.", "Take {b} away from {a}.", "{a} - {b}", "{a}-{b}", "{a} - {b} =",
               "{a}-{b}=?", "{a} minus {b}", "{a} minus {b}?", "Calculate {a} - {b}.", "What is {a} less {b}?",
               "What is left of {a} without {b}?", "What's {a} - {b}?", "What's {a} minus {b}?", "Work out {a} - {b}.",
               "What does {a} - {b} equal?", "Can you subtract {b} from {a}?", "Please take {b} from {a}.", "what is {a}-{b}",
               "Solve {a} - {b}.", "Tell me {a} minus {b}.", "Find {a} - {b}.", "What remains if I take {b} from {a}?")
PRODUCTS = ("What is {a} * {b}?", "What is {a} times {b}?", "How much is {a} times {b}?", "How much is {a} * {b}?",
            "What is {a} x {b}?", "Multiply {a} by {b}.", "Multiply {a} and {b}.", "{a} * {b}", "{a}*{b}", "{a} x {b}",
            "{a} times {b}", "{a} times {b}?", "{a} * {b} =", "{a}*{b}=?", "Calculate {a} times {b}.", "Calculate {a} * {b}.",
            "What is the product of {a} and {b}?", "What's {a} times {b}?", "Work out {a} * {b}.",
            "Can you multiply {a} by {b}?", "What does {a} times {b} equal?", "what is {a}*{b}", "Solve {a} x {b}.",
            "Tell me {a} times {b}.", "Find {a} times {b}.", "What is {a} multiplied by {b}?")
SYMBOLS = ("+", "-", "*", "=", " x ")  # beside these numbers stand in digits

# Word problems: what is asked, the answer, and the sum that it takes.
STORIES = (
    ("{n} has {a} {s} and gets {b} more. How many {s} does {n} have now?", "{n} has {c} now.", "+"),
    ("{n} has {a} {s}. {m} gives {n} {b} more. How many {s} does {n} have?", "{n} has {c}.", "+"),
    ("{n} has {a} {s} and {m} has {b}. How many {s} do they have together?", "They have {c}.", "+"),
    ("There are {a} {s} in a box and {b} in a bag. How many {s} are there in all?", "There are {c}.", "+"),
    ("{n} finds {a} {s} and then {b} more. How many {s} did {n} find?", "{n} found {c}.", "+"),
    ("{n} buys {a} {s} on Monday and {b} on Tuesday. How many {s} is that?", "That is {c}.", "+"),
    ("I have {a} {s} and I buy {b} more. How many do I have?", "You have {c}.", "+"),
    ("I had {a} {s} and you gave me {b}. How many {s} do I have now?", "You have {c} now.", "+"),
    ("{n} has {a} {s} and gives {b} to {m}. How many {s} are left?", "There are {c} left.", "-"),
    ("{n} had {a} {s} and lost {b}. How many {s} does {n} have now?", "{n} has {c} now.", "-"),
    ("There are {a} {s} on the table. {n} takes {b}. How many {s} are left?", "There are {c} left.", "-"),
    ("I have {a} {s} and sell {b}. How many do I still have?", "You have {c}.", "-"),
    ("{n} has {a} {s}, {m} has {b}. How many more does {n} have?", "{n} has {c} more.", "-"),
    ("A shop has {a} {s} and sells {b}. How many {s} remain?", "There are {c} left.", "-"),
    ("{n} wants {a} {s} and has {b}. How many more does {n} need?", "{n} needs {c} more.", "-"),
    ("Of {a} {s}, {b} are broken. How many {s} are not broken?", "There are {c} left.", "-"),
    ("There are {a} boxes with {b} {s} each. How many {s} are there?", "There are {c}.", "*"),
    ("{n} buys {a} bags of {b} {s}. How many {s} is that?", "That is {c}.", "*"),
    ("{a} children have {b} {s} each. How many {s} do they have?", "They have {c}.", "*"),
    ("{n} eats {b} {s} a day. How many {s} does {n} eat in {a} days?", "{n} eats {c}.", "*"),
    ("One ticket costs {b} coins. How many coins do {a} tickets cost?", "They cost {c}.", "*"),
    ("I put {b} {s} on each of {a} plates. How many {s} do I need?", "You need {c}.", "*"),
)

LARGER = ("Which is larger, {a} or {b}?", "Which number is larger, {a} or {b}?", "Which is more, {a} or {b}?",
          "What is larger, {a} or {b}?", "Which is bigger: {a} or {b}?", "Which number is bigger, {a} or {b}?",
          "Is {a} or {b} larger?", "Is {a} or {b} the bigger number?", "{a} or {b}, which is larger?",
          "Tell me the larger of {a} and {b}.", "What is the larger of {a} and {b}?", "Which of {a} and {b} is greater?",
          "Which is greater, {a} or {b}?")
SMALLER = ("Which is smaller, {a} or {b}?", "Which number is smaller, {a} or {b}?", "Which is less, {a} or {b}?",
           "What is smaller, {a} or {b}?", "Which number is lower, {a} or {b}?", "Is {a} or {b} smaller?",
           "{a} or {b}, which is smaller?", "Tell me the smaller of {a} and {b}.", "What is the smaller of {a} and {b}?",
           "Which of {a} and {b} is less?", "Is {a} or {b} the smaller number?")
IS_IT = (("Is {a} larger than {b}?", ">"), ("Is {a} bigger than {b}?", ">"), ("Is {a} more than {b}?", ">"),
         ("Is {a} greater than {b}?", ">"), ("Is {a} smaller than {b}?", "<"), ("Is {a} less than {b}?", "<"),
         ("Is {a} under {b}?", "<"), ("Is {a} over {b}?", ">"))

NEXT = ("What comes next: {s}?", "What is the next number: {s}?", "{s}, what comes next?", "Which number comes next: {s}?",
        "Continue: {s}", "Go on: {s}", "{s}, ?", "Next number: {s}", "What number follows {s}?", "Complete the series {s}.",
        "What is next in {s}?", "Tell me the next number: {s}", "How does it go on: {s}?", "{s}, ...")

# From small to large, steps wide enough that neighbours of neighbours can be compared without doubt.
BY_SIZE = (("ant", "grain of sand", "flea"), ("bee", "coin", "pea"), ("mouse", "egg", "plum"), ("cat", "shoe", "loaf of bread"),
           ("dog", "chair", "suitcase"), ("horse", "door", "bed"), ("elephant", "car", "lorry"), ("house", "whale", "plane"),
           ("mountain", "city", "lake"), ("planet", "moon", "sun"))
SIZE_ASKED = ("Which is {w}, {a} or {b}?", "What is {w}, {a} or {b}?", "Is {a} or {b} {w}?", "{a} or {b}, which is {w}?",
              "Tell me which is {w}: {a} or {b}.", "Which one is {w}: {a} or {b}?")

OPPOSITES = [pair.split("/") for pair in (
    "hot/cold big/small large/little up/down left/right day/night black/white open/closed full/empty fast/slow old/young "
    "new/used high/low long/short wet/dry hard/soft heavy/light rich/poor happy/sad good/bad near/far early/late first/last "
    "clean/dirty strong/weak loud/quiet thick/thin wide/narrow in/out on/off yes/no true/false right/wrong love/hate win/lose "
    "buy/sell give/take push/pull come/go start/stop begin/end inside/outside above/below before/after always/never more/less "
    "many/few all/none easy/difficult safe/dangerous cheap/expensive sweet/sour awake/asleep alive/dead brave/afraid "
    "friend/enemy north/south east/west summer/winter front/back top/bottom deep/shallow smooth/rough sharp/blunt "
    "bright/dark tall/short warm/cool laugh/cry remember/forget find/lose ask/answer rise/fall sit/stand sunrise/sunset "
    "question/answer beautiful/ugly polite/rude tight/loose").split()]
OPPOSITE_ASKED = ("What is the opposite of {}?", "What's the opposite of {}?", "Opposite of {}?", "The opposite of {} is what?",
                  "Tell me the opposite of {}.", "Give me the opposite of {}.", "Which word is the opposite of {}?",
                  "Say the opposite of {}.", "What word means the opposite of {}?", "Do you know the opposite of {}?")

KINDS = {
    "animal": "cat dog cow horse pig sheep lion tiger bear mouse rabbit duck frog monkey wolf fox goat zebra".split(),
    "fruit": "apple pear banana orange grape cherry plum lemon peach melon mango kiwi".split(),
    "colour": "red blue green yellow black white brown pink purple grey".split(),
    "tool": "hammer saw drill spanner axe screwdriver spade rake".split(),
    "piece of clothing": "hat coat shirt sock glove scarf dress jacket skirt".split(),
    "vehicle": "car bus train lorry bicycle plane boat tram taxi".split(),
    "piece of furniture": "table chair bed sofa desk shelf wardrobe bench".split(),
    "instrument": "piano guitar violin drum flute trumpet harp cello".split(),
    "number": "one two three four five six seven eight nine ten".split(),
    "part of the body": "arm leg head hand foot nose ear eye knee".split(),
    "drink": "water milk tea coffee juice lemonade cocoa".split(),
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
}
PLURALS = {"animal": "animals", "fruit": "fruits", "colour": "colours", "tool": "tools", "piece of clothing": "clothes",
           "vehicle": "vehicles", "piece of furniture": "furniture", "instrument": "instruments", "number": "numbers",
           "part of the body": "parts of the body", "drink": "drinks", "day": "days"}
ODD_ASKED = ("Which one is the odd one out: {}?", "Which word does not belong: {}?", "Odd one out: {}?",
             "Which of these does not fit: {}?", "What is the odd one out: {}?", "Find the odd one out: {}.",
             "Which is different: {}?", "Which word does not fit: {}?", "One of these does not belong: {}. Which?",
             "{}: which does not belong?")


def add_steps(a, b):
    """345+278: 5+8=13, 4+7+1=12, 3+2+1=6"""
    if a < 10 and b < 10:
        return f"{a}+{b}={a + b}"
    steps, carry, x, y = [], 0, a, b
    while x or y:
        terms = ([x % 10] if x else []) + ([y % 10] if y else []) + ([1] if carry else [])
        total = sum(terms)
        steps.append("+".join(map(str, terms)) + f"={total}" if len(terms) > 1 else str(total))
        carry, x, y = total // 10, x // 10, y // 10
    return f"{a}+{b}: {', '.join(steps)}"


def subtract_steps(a, b):
    """523-278: 13-8=5, 12-7-1=4, 5-2-1=2; a column that is too small takes ten, which the next one gives back."""
    if b > a:
        return f"{a}-{b}=-({b}-{a}), {subtract_steps(b, a)}"
    if a < 10:
        return f"{a}-{b}={a - b}"
    steps, borrow, x, y = [], 0, a, b
    while x:
        high, less = x % 10, ([y % 10] if y else []) + ([1] if borrow else [])
        borrow = sum(less) > high
        high += 10 * borrow
        steps.append("-".join(map(str, [high, *less])) + f"={high - sum(less)}" if less else str(high))
        x, y = x // 10, y // 10
    return f"{a}-{b}: {', '.join(steps)}"


def multiply_steps(a, b):
    """47*6: 7*6=42, 4*6=24, 24+4=28; the answer is the last of these, then the last digit of the first."""
    if a < b:
        a, b = b, a
    if a < 10 or b == 10:
        return f"{a}*{b}={a * b}"
    if b > 10:
        return f"{a}*{b}: {a}*10={a * 10}, {a}*{b - 10}={a * (b - 10)}, {a * 10}+{a * (b - 10)}={a * b}"
    low, high = a % 10 * b, a // 10 * b
    carried = f", {high}+{low // 10}={high + low // 10}" if low >= 10 else ""
    return f"{a}*{b}: {a % 10}*{b}={low}, {a // 10}*{b}={high}{carried}"


STEPS = {"+": add_steps, "-": subtract_steps, "*": multiply_steps}
RESULT = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}


def compare_steps(a, b):
    """045,345: 0<3, the first digits from the left that differ."""
    width = max(len(str(a)), len(str(b)))
    x, y = str(a).zfill(width), str(b).zfill(width)
    steps = []
    for d, e in zip(x, y):
        steps.append(d + ("=" if d == e else "<" if d < e else ">") + e)
        if d != e:
            break
    return f"{x},{y}: {', '.join(steps)}"


def operand(rng):
    """As many numbers of one, two and three digits."""
    return between(rng, *pick(rng, ((0, 9), (10, 99), (10, 99), (100, 999), (100, 999))))


def operands(rng, sign):
    """Two numbers whose sum, difference or product is within reach."""
    a, b = operand(rng), operand(rng)
    if sign == "-" and b > a and rng.random() < .9:
        a, b = b, a
    if sign == "*":
        if rng.random() < .6:
            a, b = between(rng, 0, 12), between(rng, 0, 12)
        else:
            a, b = between(rng, 10, 99), between(rng, 2, 9)
            if rng.random() < .3:
                a, b = b, a
    return a, b


def shown(rng, phrasing, a, b):
    """A phrasing filled with digits or, unless symbols stand beside them, sometimes with words."""
    plain, most = phrasing.replace("{a}", "").replace("{b}", ""), max(a, b)
    bare = not any(sign in plain for sign in SYMBOLS)
    if bare and most < 100 and rng.random() < (.3 if most <= 20 else .1):
        return capital(phrasing.format(a=spell(a), b=spell(b)))
    return phrasing.format(a=a, b=b)


def kept_operands(sign, a, b):
    return is_kept_back(sign, min(a, b), max(a, b))


def said_number(number):
    """The words of a small number beside its digits."""
    return (str(number), spell(number)) if 0 <= number < 100 else (str(number),)


def arithmetic(rng, skill, sign, phrasings, test):
    while True:
        a, b = operands(rng, sign)
        if kept_operands(sign, a, b) == test:
            break
    result = RESULT[sign](a, b)
    return Question(f"reason/{skill}", shown(rng, pick(rng, phrasings), a, b), f"It is {result}.", said_number(result),
                    STEPS[sign](a, b))


def sums(rng, test):
    return arithmetic(rng, "add", "+", SUMS, test)


def differences(rng, test):
    return arithmetic(rng, "subtract", "-", DIFFERENCES, test)


def products(rng, test):
    return arithmetic(rng, "multiply", "*", PRODUCTS, test)


def stories(rng, test):
    asked, said, sign = pick(rng, STORIES)
    while True:
        a, b = (between(rng, 2, 12), between(rng, 2, 9)) if sign == "*" else (between(rng, 2, 20), between(rng, 2, 20))
        if sign != "*" and rng.random() < .3:
            a, b = between(rng, 10, 99), between(rng, 2, 99)
        if sign == "-" and a <= b:
            a, b = b + 1, a
        if kept_operands(sign + "story", a, b) == test:
            break
    n = pick(rng, NAMES)
    m = pick(rng, [name for name in NAMES if name != n])
    thing = "coin" if "costs" in asked else pick(rng, THINGS)
    result = RESULT[sign](a, b)
    count = f"{result} {thing}{'s' if result != 1 else ''}"
    words = rng.random() < .25 and max(a, b) <= 20
    filled = asked.format(n=n, m=m, s=thing + "s", a=spell(a) if words else a, b=spell(b) if words else b)
    answer = said.format(n=n, m=m, c=count)
    if result == 1:
        answer = answer.replace("There are", "There is")
    if answer.endswith(" more."):
        answer = answer.replace(f"{count} more", f"{result} more {thing}{'s' if result != 1 else ''}")
    return Question("reason/story", capital(filled), answer, (*said_number(result), count), STEPS[sign](a, b))


def comparisons(rng, test):
    while True:
        a, b = operand(rng), operand(rng)
        if rng.random() < .4:  # near each other, or the same digits
            b = pick(rng, (int(str(a)[::-1]), a + between(rng, 1, 9), max(0, a - between(rng, 1, 9))))
        if a != b and kept_operands("<", a, b) == test:
            break
    thought = compare_steps(a, b)
    way = rng.random()
    if way < .25:
        asked, sign = pick(rng, IS_IT)
        right = (a > b) == (sign == ">")
        return Question("reason/compare", asked.format(a=a, b=b), "Yes." if right else "No.", (), thought)
    asked, best, word = (LARGER, max(a, b), "larger") if way < .65 else (SMALLER, min(a, b), "smaller")
    return Question("reason/compare", pick(rng, asked).format(a=a, b=b), f"{best} is {word}.", (str(best), f"It is {best}."),
                    thought)


def sizes(rng, test):
    while True:
        i, j = between(rng, 0, len(BY_SIZE) - 1), between(rng, 0, len(BY_SIZE) - 1)
        if abs(i - j) < 2:
            continue
        a, b = pick(rng, BY_SIZE[i]), pick(rng, BY_SIZE[j])
        if is_kept_back(*sorted((a, b))) == test:
            break
    word = pick(rng, ("larger", "bigger", "smaller", "larger", "smaller"))
    best = (a if i > j else b) if word != "smaller" else (a if i < j else b)
    the = lambda thing: f"the {thing}" if thing in ("moon", "sun") else article(thing)
    asked = pick(rng, SIZE_ASKED).format(w=word, a=the(a), b=the(b))
    return Question("reason/size", capital(asked), f"{capital(the(best))} is {word}.", (best, the(best)))


def series(rng, test):
    while True:
        start, step, count = between(rng, 0, 40), between(rng, 1, 10), between(rng, 3, 5)
        falling = rng.random() < .3
        if falling:
            start += step * count
        if is_kept_back("series", start, step, falling) == test:
            break
    sign = "-" if falling else "+"
    shown = [start + (-step if falling else step) * i for i in range(count)]
    result = RESULT[sign](shown[-1], step)
    return Question("reason/series", pick(rng, NEXT).format(s=", ".join(map(str, shown))), f"It is {result}.",
                    said_number(result), f"{sign}{step} each. {STEPS[sign](shown[-1], step)}")


def opposites(rng, test):
    """All words are trained on; what is kept back is words together with ways of asking."""
    while True:
        pair, back, asked = pick(rng, OPPOSITES), rng.random() < .5, pick(rng, OPPOSITE_ASKED)
        word, other = pair[::-1] if back else pair
        answers = OPPOSITE_OF[word]
        if is_kept_back(asked, word) == test:
            return Question("reason/opposite", asked.format(word), f"It is {answers[0]}.", answers)


def opposites_of():
    """Each word's opposites; some words have two."""
    out = {}
    for a, b in OPPOSITES:
        out.setdefault(a, []).append(b)
        out.setdefault(b, []).append(a)
    return {word: tuple(others) for word, others in out.items()}


OPPOSITE_OF = opposites_of()


def odd_ones(rng, test):
    while True:
        kind, other = pick(rng, list(KINDS)), pick(rng, list(KINDS))
        if kind == other:
            continue
        words = list(KINDS[kind])
        same = [words.pop(int(rng.random() * len(words))) for _ in range(3)]
        odd = pick(rng, KINDS[other])
        if odd in same or {kind, other} == {"fruit", "colour"} or is_kept_back(*sorted(same), odd) != test:
            continue
        at = between(rng, 0, 3)
        shown = ", ".join(same[:at] + [odd] + same[at:])
        return Question("reason/odd", capital(pick(rng, ODD_ASKED).format(shown)), f"{capital(odd)} is not {article(kind)}.",
                        (odd, f"It is {odd}.", f"The {odd}."), f"{listed(same)} are {PLURALS[kind]}.")


MAKERS = (sums, sums, differences, differences, products, products, stories, stories, comparisons, series, sizes, opposites,
          odd_ones)


SKILLS = ("reason/add", "reason/subtract", "reason/multiply", "reason/story", "reason/compare", "reason/series", "reason/size",
          "reason/opposite", "reason/odd")


def questions(rng, test=False):
    """One question; the operands or words of a tenth are asked in tests alone."""
    return pick(rng, MAKERS)(rng, test)


def main():
    import numpy as np
    rng = np.random.default_rng()
    for _ in range(30):
        q = questions(rng)
        print(f"{q.skill:16} {q.text}\n{'':16} [{q.thought}] {q.answer}   {q.accepted}")


if __name__ == "__main__":
    main()
