"""Doing: calls of a tool, in the family's own form, where the model alone could not help, and one-line programs.

A call is `<|tool_call>call:timer{minutes:5}<tool_call|>`; texts in it stand between `<|"|>` (the form of the published chat
template). Read as plain text, as a test does, only the words count.

    python act.py        prints examples
"""
from words import THINGS, WORDS, between, capital, parted, pick, spell
from world import Question

TIME = ("What time is it?", "What's the time?", "Tell me the time.", "Do you know what time it is?", "What time is it now?",
        "Can you tell me the time?", "How late is it?", "What does the clock say?", "Give me the time, please.", "The time, please.",
        "Is it late?", "what time is it", "What hour is it?", "Please tell me the time.", "Look at the clock.", "time?",
        "I need to know the time.", "What is the time?", "Could you say what time it is?", "Check the time for me.",
        "What is the current time?", "Hey, what time is it?", "Do you have the time?", "Tell me how late it is.", "the time?")
DATE = ("What day is it?", "What is the date?", "What's today's date?", "Which day is it today?", "Tell me the date.",
        "What day is today?", "What is the date today?", "what day is it", "Is it Monday today?", "Which month is it?",
        "What year is it?", "Can you tell me the date?", "The date, please.", "What's the date?", "Give me today's date.",
        "Do you know what day it is?", "Which date is it?", "Please tell me the date.", "What is today?", "Which year is it?",
        "I need today's date.", "Check the date for me.", "What day of the week is it?", "today's date?", "Is it the weekend?")
PHOTO = ("Take a photo.", "Take a picture.", "Make a photo.", "Can you take a photo?", "Please take a picture.", "Use the camera.",
         "Take a photo of me.", "Take a picture of this.", "Photograph this.", "Snap a picture.", "take a photo", "Shoot a photo.",
         "I want a photo.", "Take a photo now.", "Could you take a picture?", "Make a picture of this.", "Capture this.",
         "Take one photo, please.", "Take my picture.", "Get a photo of that.", "Turn on the camera and take a photo.",
         "Photo, please.", "Take a snapshot.", "Would you take a photo?", "Take a photo of the room.")
TIMER = ("Set a timer for {}.", "Start a timer for {}.", "Timer for {}.", "Set a {} timer.", "Start a {} timer.", "Wake me in {}.",
         "Tell me when {} are over.", "Remind me in {}.", "Count down {}.", "Please set a timer for {}.", "Can you set a timer for {}?",
         "start a timer for {}", "set the timer to {}", "{} on the timer, please.", "I need a timer for {}.", "Give me {}.",
         "Make a timer of {}.", "Run a timer for {}.", "Let me know in {}.", "Could you start a timer for {}?", "Time {} for me.",
         "Put {} on the clock.", "Beep in {}.", "Ring in {}.", "A timer for {}, please.", "Alarm in {}.")
NOTE = ("Note: {}.", "Note {}.", "Write down {}.", "Make a note: {}.", "Take a note: {}.", "Please note {}.", "Remember {}.",
        "Write this down: {}.", "Save a note: {}.", "Put {} on my list.", "Add {} to my notes.", "note: {}", "Note down {}.",
        "Can you note {}?", "Keep a note: {}.", "Add a note that says {}.", "Don't forget {}.", "Please write down {}.",
        "New note: {}.", "Write a note: {}.", "Could you write down {}?", "Jot down {}.", "Add {} to the list.", "Store this: {}.",
        "Put down {}.", "Memo: {}.")
CALCULATE = ("What is {}?", "How much is {}?", "Calculate {}.", "Work out {}.", "What's {}?", "Compute {}.", "{}", "{} =", "{}=?",
             "Please calculate {}.", "Can you work out {}?", "What does {} make?", "Solve {}.", "Tell me {}.", "what is {}",
             "I need to know {}.", "Find {}.", "Give me {}.", "What do you get for {}?", "Could you compute {}?", "How much does {} make?",
             "Calculate {} for me.", "Do the sum {}.", "Evaluate {}.", "What is the result of {}?")
UNITS = (("second", 90), ("minute", 60), ("hour", 12))
DEEDS = ("buy", "call", "clean", "find", "bring", "wash", "fix", "send", "paint", "sell", "cook", "open", "move", "pay for", "ask for",
         "look for", "pick up", "put away", "give back", "water", "feed", "order", "return", "take")
LANGUAGES = (("Python", 'print({})'), ("JavaScript", "console.log({})"))


def call(name, **arguments):
    inside = ",".join(f'{key}:{value}' if isinstance(value, int) else f'{key}:<|"|>{value}<|"|>' for key, value in arguments.items())
    return f"<|tool_call>call:{name}{{{inside}}}<tool_call|>"


def way(rng, phrasings, test):
    return pick(rng, PARTED[phrasings][test])


def time(rng, test):
    return Question("act/time", way(rng, TIME, test), call("time"))


def date(rng, test):
    return Question("act/date", way(rng, DATE, test), call("date"))


def photo(rng, test):
    return Question("act/photo", way(rng, PHOTO, test), call("photo"))


def timer(rng, test):
    unit, most = UNITS[between(rng, 0, 2)]
    number = between(rng, 1, most)
    said = spell(number) if rng.random() < .5 else str(number)
    if number == 1 and rng.random() < .5:
        said = "an" if unit == "hour" else "a"
    phrasing = way(rng, TIMER, test)
    many = number > 1 and "{} timer" not in phrasing
    return Question("act/timer", capital(phrasing.format(f"{said} {unit}{'s' if many else ''}")), call("timer", **{unit + "s": number}))


def note(rng, test):
    kind = rng.random()
    if kind < .5:
        words = f"{pick(rng, DEEDS)} {pick(rng, ('the', 'my', 'some', 'two', 'three', 'a'))} {pick(rng, WORDS)}"
    elif kind < .8:
        words = " ".join(pick(rng, WORDS) for _ in range(between(rng, 1, 4)))
    else:
        words = f"{pick(rng, WORDS)} and {pick(rng, WORDS)}"
    return Question("act/note", way(rng, NOTE, test).format(words), call("note", text=words))


def calculate(rng, test):
    """What is beyond sums in the head: long numbers, division, powers, decimals, three terms."""
    digits = lambda n: between(rng, 10 ** (n - 1), 10 ** n - 1)
    kind = between(rng, 0, 4)
    if kind == 0:
        words = f"{digits(between(rng, 4, 6))} {pick(rng, '+-*')} {digits(between(rng, 2, 6))}"
    elif kind == 1:
        words = f"{digits(between(rng, 2, 5))} / {digits(between(rng, 1, 3))}"
    elif kind == 2:
        words = f"{digits(between(rng, 1, 3))}.{digits(between(rng, 1, 2))} {pick(rng, '+-*')} {digits(between(rng, 1, 2))}.{digits(1)}"
    elif kind == 3:
        words = f"{digits(3)} * {digits(between(rng, 2, 3))}"
    else:
        words = f"{digits(between(rng, 2, 3))} {pick(rng, '+-')} {digits(between(rng, 2, 3))} {pick(rng, '+-')} {digits(2)}"
    return Question("act/calculate", way(rng, CALCULATE, test).format(words), call("calculate", expression=words))


WRITE = ("Write {l} that prints {x}.", "Write {l} to print {x}.", "Give me one line of {l} that prints {x}.", "Print {x} in {l}.",
         "How do I print {x} in {l}?", "Show me {l} code that prints {x}.", "{l}: print {x}.", "Write a line of {l} that shows {x}.",
         "In {l}, print {x}.", "I need {l} that prints {x}.")
READ = ("What does {c} print?", "What is printed by {c}?", "What will {c} show?", "Read this: {c}", "What is the output of {c}?",
        "Tell me what {c} prints.", "{c} prints what?", "What comes out of {c}?", "Run {c} in your head.", "What do I see after {c}?")


def program(rng, language):
    """What is to be printed, in words, and the expression for it, and what it gives."""
    python = language == "Python"
    word, kind = pick(rng, WORDS), between(rng, 0, 5)
    a, b, c = between(rng, 1, 20), between(rng, 1, 12), between(rng, 1, 50)
    if kind == 0:
        return f"the sum of {a} and {b}", f"{a} + {b}", a + b
    if kind == 1:
        return f"the product of {a % 10} and {b}", f"{a % 10} * {b}", a % 10 * b
    if kind == 2:
        return f"{a + b} minus {b}", f"{a + b} - {b}", a
    if kind == 3:
        inside = ", ".join(map(str, (a, b, c)))
        return f"the largest of {a}, {b} and {c}", f"max({inside})" if python else f"Math.max({inside})", max(a, b, c)
    if kind == 4:
        return f"the length of {word}", f'len("{word}")' if python else f'"{word}".length', len(word)
    return f"{word} in capitals", f'"{word}".upper()' if python else f'"{word}".toUpperCase()', word.upper()


def write_code(rng, test):
    language, form = LANGUAGES[between(rng, 0, 1)]
    words, expression, _ = program(rng, language)
    return Question("act/write code", way(rng, WRITE, test).format(l=language, x=words), form.format(expression))


def read_code(rng, test):
    language, form = LANGUAGES[between(rng, 0, 1)]
    _, expression, gives = program(rng, language)
    return Question("act/read code", way(rng, READ, test).format(c=form.format(expression)), f"It prints {gives}.", (str(gives),))


PARTED = {phrasings: parted(phrasings) for phrasings in (TIME, DATE, PHOTO, TIMER, NOTE, CALCULATE, WRITE, READ)}
KINDS = (time, date, photo, timer, timer, note, note, calculate, calculate, write_code, write_code, read_code)
SKILLS = ("act/time", "act/date", "act/photo", "act/timer", "act/note", "act/calculate", "act/write code", "act/read code")


def questions(rng, test=False):
    """One question; phrasings that are kept back if `test`."""
    return pick(rng, KINDS)(rng, test)


def corpus():
    """Words that calls need whole."""
    return WORDS + THINGS


def main():
    import numpy as np
    rng = np.random.default_rng()
    for _ in range(30):
        q = questions(rng)
        print(f"{q.skill:16} {q.text}\n                 {q.answer}  {q.accepted}")


if __name__ == "__main__":
    main()
