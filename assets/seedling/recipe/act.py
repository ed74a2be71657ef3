"""Tools called in the family's own format, and one-line programs in Python and JavaScript.

    <|tool_call>call:timer{minutes:5}<tool_call|>        strings stand between <|"|>

The model calls a tool for what it cannot know or work out: the time, the date, larger calculations, timers, notes, photos.
What a caller answers comes back in the same turn, `<|tool_response>response:NAME{value:…}<tool_response|>`, and the model
says it: `follow_up`.

    python act.py        prints examples
"""
from reason import RESULT, STEPS
from words import NAMES, THINGS, WORDS, between, capital, is_kept_back, listed, parted, pick, spell
from world import Question

QUOTE = '<|"|>'
# A response's end; the model goes on behind it in the same turn.
RESPONSE_END = "<tool_response|>"


def parameter(kind, description):
    return {"type": kind, "description": description}


def tool(name, description, **parameters):
    """A declaration as chat templates take it."""
    return {"type": "function", "function": {"name": name, "description": description, "parameters": {
        "type": "object", "properties": parameters}}}


TOOLS = (
    tool("time", "The time now"), tool("date", "The date today"),
    tool("calculate", "The value of an expression", expression=parameter("string", "Numbers, + - * / ^ and sqrt()")),
    tool("timer", "Rings after a while", hours=parameter("number", "Hours"), minutes=parameter("number", "Minutes"),
         seconds=parameter("number", "Seconds")),
    tool("note", "Keeps a note", text=parameter("string", "What to keep")), tool("photo", "Takes a photo"))

TIME = parted((
    "What time is it?", "What is the time?", "What's the time?", "Tell me the time.", "Can you tell me the time?",
    "Do you know what time it is?", "Do you have the time?", "What time is it now?", "What is the time now?", "How late is it?",
    "Give me the time.", "The time, please.", "Time?", "what time is it", "Please tell me what time it is.", "Is it late?",
    "What hour is it?", "Could you check the clock?", "Check the time.", "What does the clock say?", "Look at the clock.",
    "Is it noon yet?", "Is it already midnight?", "Show me the time.", "Say the time.", "Have you got the time?",
    "May I know the time?", "I need to know the time.", "I want to know what time it is.", "Which time is it?",
    "What time do we have?", "How late is it now?", "What is the current time?", "Current time?", "Read the clock for me.",
    "Is it morning or evening?", "Let me know the time.", "Time please", "Would you tell me the time?",
               "What is the exact time?",
    "Is it past five yet?", "Clock?", "Can you look at the clock for me?", "Any idea what time it is?"))
DATE = parted((
    "What is the date?", "What day is it?", "What day is today?", "What is today's date?", "What's the date today?",
    "Which day is it today?", "Tell me the date.", "Can you tell me the date?", "What date is it?", "What date is it today?",
    "Give me today's date.", "The date, please.", "Date?", "what day is it", "What month is it?", "Which month is it?",
    "What year is it?", "Which year is it?", "Do you know what day it is?", "Is it Monday today?", "Is it Friday?",
    "What day of the week is it?", "Which weekday is it?", "Today's date?", "What is the date today?", "Check the date.",
    "Look at the calendar.", "What does the calendar say?", "Is it the weekend?", "What month do we have?",
               "What is the day today?",
    "Show me the date.", "I forgot what day it is.", "I need today's date.", "Please tell me today's date.",
               "Is it Sunday today?",
    "Which day do we have today?", "Say the date.", "What is the current date?", "Current date?", "What year do we have?",
    "May I know the date?", "Is it summer or winter now?", "Which date is it?", "Can you check what day it is?"))
PHOTO = parted((
    "Take a photo.", "Take a picture.", "Take a photo of me.", "Take a picture of this.", "Can you take a photo?",
    "Could you take a picture?", "Please take a photo.", "Please take a picture.", "Make a photo.", "Make a picture of us.",
    "Shoot a photo.", "Snap a picture.", "Snap a photo of the room.", "Use the camera.", "Open the camera.",
                "Turn on the camera.",
    "Use your camera to see me.", "Take a selfie.", "Photograph this.", "Photograph the table.", "I want a photo.",
    "I want you to take a picture.", "Photo, please.", "Picture, please.", "take a photo", "Get a picture from the camera.",
    "Get a photo.", "Take one photo now.", "Take a snapshot.", "Camera!", "Capture a picture.", "Capture an image.",
    "Take another photo.", "Take another picture, please.", "Let us take a photo.", "Now take a picture.",
    "Take a photo of what is in front of you.", "Would you take a photo of us?", "Do take a picture.", "Smile! Take a photo.",
    "Take a look with the camera.", "Look through the camera.", "Grab a photo.", "Grab a picture from the webcam.",
    "Take a picture of my {thing}.", "Take a photo of the {thing}.", "Can you take a picture of this {thing}?"))
TIMER = parted((
    "Set a timer for {d}.", "Set a timer of {d}.", "Set the timer to {d}.", "Start a timer for {d}.", "Start a timer of {d}.",
    "Timer for {d}.", "Timer {d}", "Timer: {d}", "Please set a timer for {d}.", "Can you set a timer for {d}?",
    "Could you start a timer for {d}?", "Wake me in {d}.", "Let me know after {d}.", "Ring in {d}.", "Ring after {d}.",
    "Count down {d}.", "Countdown of {d}, please.", "Let me know in {d}.", "Remind me in {d}.", "I need a timer for {d}.",
    "Give me a timer of {d}.", "Set an alarm in {d}.", "Beep in {d}.", "Call me in {d}.", "Wait {d}, then ring.",
    "Measure {d}.", "Put on a timer for {d}.", "Put {d} on the clock.", "set a timer for {d}", "I want a timer of {d}.",
    "My eggs need {d}.", "The tea needs {d}.", "The cake must bake for {d}.", "Time {d} for me.", "Run a timer for {d}.",
    "Make the timer {d}.", "A timer for {d}, please.", "{d}, then ring.", "Notify me in {d}.", "In {d}, ring.",
    "Stop me after {d}.", "I will nap for {d}, wake me.", "Set {d} on the timer."))
NOTE = parted((
    "Note: {t}", "Note {t}.", "Make a note: {t}.", "Make a note: {t}", "Take a note: {t}.", "Take note: {t}",
               "Write down: {t}.",
    "Write down {t}.", "Write this down: {t}", "Note down: {t}.", "Please note: {t}.", "Please write down: {t}",
               "Remember: {t}.",
    "Remember this: {t}", "Remind me: {t}.", "Save a note: {t}.", "Save this: {t}", "Save the note {t}.", "Keep a note: {t}.",
    "Keep this in mind: {t}", "Add a note: {t}.", "Add to my notes: {t}", "Put in my notes: {t}.", "Put {t} in my notes.",
    "Put {t} on my list.", "Add {t} to my list.", "Add {t} to my notes.", "New note: {t}", "New note, {t}.", "Note for me: {t}",
    "Can you note {t}?", "Could you write down {t}?", "Jot down {t}.", "Jot this down: {t}", "I must not forget: {t}.",
    "Do not let me forget: {t}.", "Write a note that says {t}.", "Make a note saying {t}.", "A note: {t}", "note: {t}",
    "For my notes: {t}", "Store this: {t}.", "Memo: {t}", "To do: {t}", "On my list: {t}."))
NOTE_TO = parted(("Remind me to {t}.", "Remember to {t}.", "Note that I have to {t}.", "Write down that I must {t}.",
                  "Do not let me forget to {t}.", "Make a note to {t}.", "I have to {t}, please note it."))
CALCULATE = parted((
    "What is {e}?", "How much is {e}?", "Calculate {e}.", "Compute {e}.", "{e}", "{e}?", "What's {e}?", "Work out {e}.",
    "Please calculate {e}.", "Can you calculate {e}?", "Tell me {e}.", "Solve {e}.", "What does {e} make?", "Find {e}.",
    "I need {e}.", "Give me {e}.", "How much does {e} make?", "what is {e}", "{e} = ?", "{e} =", "Evaluate {e}.",
                    "Do you know {e}?",
    "What is the value of {e}?", "What is the result of {e}?", "Could you work out {e}?", "{e} is how much?", "Figure out {e}.",
    "Use a calculator: {e}", "Please compute {e}.", "Can you tell me what {e} is?", "What do I get for {e}?", "calculate {e}",
    "Quick, how much is {e}?", "The result of {e}, please.", "What comes out of {e}?"))

VERBS = ("buy", "get", "bring", "find", "clean", "wash", "sell", "paint", "fix", "take back", "order", "look for", "pack",
         "move")
JOBS = ("call {n}", "write to {n}", "visit {n}", "ask {n} about the {w}", "meet {n} at {h}", "pay the rent", "water the plants",
        "feed the {w}", "send the letter to {n}", "pay {n} {k} coins", "pick up {n} at {h}", "close the {w}", "lock the door",
        "call the doctor on {d}", "go to the {w} on {d}", "bake a cake for {n}", "return the book", "thank {n}",
        "book a table for {k}")
FACTS = ("the key is under the {w}", "{n} likes {s}", "the {w} is in the {v}", "room {k}", "the code is {k}",
         "{n} comes on {d}", "dinner with {n} at {h}", "{k} {s} and a {w}", "the {w} costs {k} coins", "{n} has my {w}",
         "meeting on {d} at {h}")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def call(name, **arguments):
    """The call and, without the special tokens that readers of plain text leave out, what also counts as right."""
    inner = ",".join(f"{key}:{QUOTE + value + QUOTE if isinstance(value, str) else value}" for key,
                     value in sorted(arguments.items()))
    body = f"call:{name}{{{inner}}}"
    return f"<|tool_call>{body}<tool_call|>", (body.replace(QUOTE, ""),)


def choose(rng, phrasings, test):
    """A phrasing to train on; in tests as often one that is kept back."""
    return pick(rng, phrasings[test and rng.random() < .5])


def fresh(rng, make, test):
    """Something to fill a phrasing with that is, or is not, kept back for tests."""
    while True:
        made = make(rng)
        if is_kept_back(*made) == test:
            return made


def put_in(phrasing, place, words):
    """A phrasing with words in their place, with a capital letter where they come first."""
    return phrasing.replace(place, capital(words) if phrasing.startswith(place) else words)


def fixed(rng, name, phrasings, test):
    """A tool without arguments: tests ask with kept-back phrasings alone."""
    asked = pick(rng, phrasings[test]).format(thing=pick(rng, THINGS))
    return Question(f"act/{name}", asked, *call(name))


def time(rng, test):
    return fixed(rng, "time", TIME, test)


def date(rng, test):
    return fixed(rng, "date", DATE, test)


def photo(rng, test):
    return fixed(rng, "photo", PHOTO, test)


FIXED_SPANS = (("half an hour", "minutes", 30), ("a quarter of an hour", "minutes", 15), ("an hour", "hours", 1),
               ("one hour", "hours", 1), ("a minute", "minutes", 1), ("one minute", "minutes", 1),
               ("half a minute", "seconds", 30), ("an hour and a half", "minutes", 90), ("a minute and a half", "seconds", 90))


def span(rng):
    """The words of a span of time and a timer's arguments; nothing has to be worked out."""
    if rng.random() < .1:
        words, unit, number = pick(rng, FIXED_SPANS)
        return words, ((unit, number),)
    unit = pick(rng, ("seconds", "minutes", "minutes", "hours"))
    number = between(rng, 2, 12 if unit == "hours" else 99)
    if rng.random() < .4:
        number = pick(rng, (2, 3, 4, 5, 6, 8, 10, 12))
    parts = [(unit, number)]
    if rng.random() < .15 and unit != "seconds":
        parts.append(("minutes" if unit == "hours" else "seconds", pick(rng, (5, 10, 15, 20, 30, 40, 45, between(rng, 2, 59)))))
    in_words = rng.random() < .4
    short = not in_words and rng.random() < .1
    said = [f"{n} {u[:3] if short and u != 'hours' else u}" if not in_words else f"{spell(n)} {u}" for u, n in parts]
    return " and ".join(said), tuple(parts)


def timer(rng, test):
    words, parts = fresh(rng, span, test)
    return Question("act/timer", put_in(choose(rng, TIMER, test), "{d}", words), *call("timer", **dict(parts)))


def some_words(rng):
    """Two to five words that mean nothing together: to copy them, each must be looked at."""
    return " ".join(pick(rng, WORDS) for _ in range(between(rng, 2, 5)))


def filled(rng, pattern):
    return pattern.format(n=pick(rng, NAMES), w=pick(rng, WORDS), v=pick(rng, WORDS), s=pick(rng, THINGS) + "s",
                          d=pick(rng, DAYS), h=pick(rng, ("noon", spell(between(rng, 1, 12)), between(rng, 1, 12))),
                          k=between(rng, 2, 999))


def job(rng):
    if rng.random() < .5:
        return filled(rng, pick(rng, JOBS)),
    what = pick(rng, (pick(rng, WORDS), pick(rng, THINGS) + "s", f"{spell(between(rng, 2, 12))} {pick(rng, THINGS)}s",
                      f"the {pick(rng, WORDS)}", f"{pick(rng, WORDS)} and {pick(rng, WORDS)}"))
    return f"{pick(rng, VERBS)} {what}",


def content(rng):
    which = rng.random()
    if which < .4:
        return some_words(rng),
    return job(rng) if which < .7 else (filled(rng, pick(rng, FACTS)),)


def note(rng, test):
    to = rng.random() < .2
    words, = fresh(rng, job if to else content, test)
    return Question("act/note", choose(rng, NOTE_TO if to else NOTE, test).format(t=words), *call("note", text=words))


def long_number(rng):
    return between(rng, *pick(rng, ((1000, 9999), (1000, 9999), (10_000, 99_999), (100_000, 999_999))))


def decimal(rng):
    return f"{between(rng, 0, 99)}.{pick(rng, (between(rng, 1, 9), between(rng, 1, 9), str(between(rng, 1, 99)).zfill(2)))}"


def expression(rng):
    """What is said of a calculation that is out of reach, and the expression for it."""
    kind = between(rng, 0, 9)
    small = between(rng, 2, 999)
    if kind < 3:  # a long number in a sum, difference or product
        a, b = pick(rng, ((long_number(rng), small), (small, long_number(rng)),
                          (between(rng, 1000, 9999), between(rng, 1000, 9999))))
        sign, words = pick(rng, (("+", "plus"), ("-", "minus"), ("*", "times")))
    elif kind == 3:
        a, b = between(rng, 13, 999), between(rng, 13, 999)
        sign, words = "*", "times"
    elif kind < 6:
        a, b = pick(rng, (small, between(rng, 2, 100), long_number(rng))), between(rng, 2, pick(rng, (12, 99)))
        sign, words = "/", "divided by"
        if rng.random() < .15 and a <= 20 >= b:
            return f"{spell(a)} divided by {spell(b)}", f"{a}/{b}"
    elif kind == 6:
        a, b = between(rng, 2, 99), between(rng, 2, 12)
        way = rng.random()
        if way < .15:
            return f"{a} squared", f"{a}^2"
        if way < .25:
            return f"{a} cubed", f"{a}^3"
        if way < .45:
            return f"the square root of {small}", f"sqrt({small})"
        sign, words = "^", "to the power of"
    elif kind == 7:
        a, b = pick(rng, ((decimal(rng), decimal(rng)), (decimal(rng), small), (small, decimal(rng))))
        sign, words = pick(rng, (("+", "plus"), ("-", "minus"), ("*", "times"), ("/", "divided by")))
    elif kind == 8:
        a, b, c = between(rng, 2, 99), between(rng, 2, 99), between(rng, 2, 99)
        first, second = pick(rng, "+-*"), pick(rng, "+-*")
        space = pick(rng, ("", " "))
        return f"{a}{space}{first}{space}{b}{space}{second}{space}{c}", f"{a}{first}{b}{second}{c}"
    else:
        a, b = between(rng, 1, 99), pick(rng, (small, long_number(rng)))
        return f"{a}{pick(rng, ('%', ' %', ' percent'))} of {b}", f"{a}/100*{b}"
    said = pick(rng, (f"{a} {sign} {b}", f"{a}{sign}{b}", f"{a} {words} {b}", f"{a} {words} {b}"))
    return said, f"{a}{sign}{b}"


def calculate(rng, test):
    said, exact = fresh(rng, expression, test)
    return Question("act/calculate", put_in(choose(rng, CALCULATE, test), "{e}", said), *call("calculate", expression=exact))


# One-line programs: what is printed in words, in Python, in JavaScript.
PROGRAMS = (
    (("the sum of {a} and {b}", "{a} plus {b}", "{a} + {b}"), "print({a} + {b})", "console.log({a} + {b})"),
    (("the difference of {a} and {b}", "{a} minus {b}", "{a} - {b}"), "print({a} - {b})", "console.log({a} - {b})"),
    (("the product of {a} and {b}", "{a} times {b}", "{a} * {b}"), "print({a} * {b})", "console.log({a} * {b})"),
    (("{a} divided by {b}", "the quotient of {a} and {b}", "{a} / {b}"), "print({a} / {b})", "console.log({a} / {b})"),
    (("the remainder of {a} divided by {b}", "{a} modulo {b}"), "print({a} % {b})", "console.log({a} % {b})"),
    (("{a} squared", "the square of {a}"), "print({a} ** 2)", "console.log({a} ** 2)"),
    (("the largest of {l}", "the maximum of {l}", "the biggest of {l}"), "print(max({c}))", "console.log(Math.max({c}))"),
    (("the smallest of {l}", "the minimum of {l}", "the least of {l}"), "print(min({c}))", "console.log(Math.min({c}))"),
    (("the length of {w}", "how long the word {w} is", "the number of letters in {w}"), 'print(len("{w}"))',
     'console.log("{w}".length)'),
    (("{w} {k} times", "the word {w} {k} times"), 'print("{w}" * {k})', 'console.log("{w}".repeat({k}))'),
    (("{w} in upper case", "{w} in capital letters", "the word {w} in capitals"), 'print("{w}".upper())',
     'console.log("{w}".toUpperCase())'),
    (("{w}", "the word {w}", "{w} {v}", "the text {w} {v}"), 'print("{w}")', 'console.log("{w}")'),
    (("the numbers from 1 to {k}", "all numbers from 1 to {k}"), "for i in range({k}): print(i + 1)",
     "for (let i = 1; i <= {k}; i++) console.log(i)"),
)
LANGUAGES = ("Python", "JavaScript")
ASK_PROGRAM = parted((
    "Write {p} that prints {x}.", "Write {p} code that prints {x}.", "Write {p} to print {x}.",
                      "Write a line of {p} that prints {x}.",
    "Write one line of {p} that prints {x}.", "Give me {p} that prints {x}.", "Give me {p} code to print {x}.",
    "Show me {p} that prints {x}.", "Show me how to print {x} in {p}.", "How do I print {x} in {p}?",
                      "How can I print {x} in {p}?",
    "How do you print {x} in {p}?", "In {p}, print {x}.", "{p}: print {x}", "{p} code to print {x}", "Print {x} with {p}.",
    "Print {x} in {p}.", "Please write {p} that prints {x}.", "Can you write {p} that prints {x}?",
                      "Could you print {x} in {p}?",
    "I need {p} that prints {x}.", "Make a {p} program that prints {x}.", "A {p} program that prints {x}, please.",
    "Write a program in {p} that prints {x}.", "Write a {p} one-liner that prints {x}.", "Code in {p}: print {x}",
    "Which {p} code prints {x}?", "What is the {p} code for printing {x}?", "Use {p} to print {x}.",
                      "Write {p} which shows {x}.",
    "Program {p} to print {x}.", "In {p}, how do I print {x}?"))
OTHER_LANGUAGES = "Rust Java Ruby Perl Go Swift Kotlin Haskell Pascal Lisp PHP Lua Scala Fortran".split()
OTHER_LANGUAGE = "Sorry, I only write Python and JavaScript."
READ_PROGRAM = parted((
    "What does {x} print?", "What will {x} print?", "What is printed by {x}?", "What is the output of {x}?",
                       "What does {x} show?",
    "What does this print: {x}", "What does this code print? {x}", "What is the result of {x}?", "{x} prints what?",
    "What do I see after {x}?", "What comes out of {x}?", "Tell me what {x} prints.", "Tell me the output of {x}.", "Run {x}",
    "If I run {x}, what is printed?", "What would {x} print?", "Output of {x}?", "what does {x} print",
                       "What appears when I run {x}?",
    "Read this code: {x} What does it print?", "Which output has {x}?", "What is shown by {x}?", "{x} - what does it print?",
    "What happens when I run {x}?", "Explain {x}"))


def few(rng):
    """Two or three different numbers."""
    most = pick(rng, (9, 20, 99))
    numbers = list(dict.fromkeys(between(rng, 0, most) for _ in range(3)))
    return numbers if len(numbers) > 1 else [numbers[0], numbers[0] + 1]


def program(rng):
    """What a program prints in words, and the program in both languages."""
    asked, python, javascript = pick(rng, PROGRAMS)
    said = pick(rng, asked)
    numbers, w = few(rng), pick(rng, WORDS)
    most = pick(rng, (9, 99, 999))
    fill = dict(a=between(rng, 1, most), b=between(rng, 1, most), k=between(rng, 2, 12), w=w, v=pick(rng, WORDS),
                l=listed(numbers), c=", ".join(map(str, numbers)))
    if "{v}" in said:
        python, javascript = (code.replace("{w}", "{w} {v}") for code in (python, javascript))
    return tuple(s.format(**fill) for s in (said, python, javascript))


def write(rng, test):
    said, *codes = fresh(rng, program, test)
    at = int(rng.random() * 2)
    asked = choose(rng, ASK_PROGRAM, test)
    if rng.random() < .06:
        return Question("act/write code", asked.format(p=pick(rng, OTHER_LANGUAGES), x=said), OTHER_LANGUAGE)
    language = LANGUAGES[at] if rng.random() > .05 else LANGUAGES[at].lower()
    return Question("act/write code", asked.format(p=language, x=said), codes[at])


SHORT_WORDS = tuple(word for word in WORDS if len(word) <= 6)


def spelled(word):
    return " ".join(f"{letter}{i}" for i, letter in enumerate(word, 1))


def larger_steps(numbers, sign):
    """3<9, 9>4: the best so far and each that follows; the last comparison decides."""
    best, steps = numbers[0], []
    for n in numbers[1:]:
        steps.append(f"{best}{'<' if best < n else '>'}{n}")
        best = max(best, n) if sign == "max" else min(best, n)
    return best, ", ".join(steps)


def readable(rng):
    """A program in both languages, what it prints, and the steps there."""
    kind = between(rng, 0, 6)
    if kind < 3:
        sign = "+-*"[kind]
        a, b = between(rng, 2, 12 if sign == "*" else pick(rng, (9, 99))), between(rng, 2,
                                                                                   9 if sign == "*" else pick(rng, (9, 99)))
        if sign == "-" and b > a:
            a, b = b, a
        return f"print({a} {sign} {b})", f"console.log({a} {sign} {b})", RESULT[sign](a, b), STEPS[sign](a, b)
    if kind == 3:
        best, numbers = pick(rng, ("max", "min")), few(rng)
        value, steps = larger_steps(numbers, best)
        inner = ", ".join(map(str, numbers))
        return f"print({best}({inner}))", f"console.log(Math.{best}({inner}))", value, steps
    w = pick(rng, SHORT_WORDS)
    if kind == 4:
        return f'print(len("{w}"))', f'console.log("{w}".length)', len(w), spelled(w)
    if kind == 5:
        w, n = pick(rng, (w, pick(rng, "abcdefghijklmnopqrstuvwxyz"))), between(rng, 2, 5)
        return f'print("{w}" * {n})', f'console.log("{w}".repeat({n}))', w * n, ""
    return f'print("{w}".upper())', f'console.log("{w}".toUpperCase())', w.upper(), ""


def read(rng, test):
    python, javascript, printed, thought = fresh(rng, readable, test)
    code = python if rng.random() < .5 else javascript
    return Question("act/read code", choose(rng, READ_PROGRAM, test).format(x=code), f"It prints {printed}.", (str(printed),),
                    thought)


MAKERS = (time, date, photo, timer, timer, note, note, note, calculate, calculate, calculate, write, write, write, read, read)


SKILLS = ("act/time", "act/date", "act/photo", "act/timer", "act/note", "act/calculate", "act/write code", "act/read code")


def questions(rng, test=False):
    """One question; tests have contents that are never trained on and, half of the time, such phrasings."""
    return pick(rng, MAKERS)(rng, test)


def response(rng, name):
    """What a tool answers and what the model then says."""
    if name == "time":
        value = f"{between(rng, 0, 23):02}:{between(rng, 0, 59):02}"
        return value, f"It is {value}."
    if name == "date":
        value = f"{pick(rng, DAYS)}, {between(rng, 1, 28)} {pick(rng, MONTHS)} {between(rng, 2024, 2040)}"
        return value, f"It is {value}."
    if name == "calculate":
        value = pick(rng, (str(long_number(rng)), str(between(rng, 0, 999)), decimal(rng), f"-{between(rng, 1, 9999)}"))
        return value, f"It is {value}."
    return {"timer": ("set", "The timer is set."), "note": ("saved", "I have noted it."),
            "photo": ("taken", "Here is the photo.")}[name]


MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")
CALLERS = (time, date, calculate, calculate, timer, note, photo)
FAILED = ("error", "Sorry, that did not work.")


def follow_up(rng, test=False):
    """A question whose text holds the question, the call and its response: the answer follows at once, in the same turn."""
    make = pick(rng, CALLERS)
    asked = make(rng, test)
    value, said = response(rng, make.__name__) if rng.random() > .06 else FAILED
    text = (f"{asked.text}<turn|>\n<|turn>model\n{asked.answer}<|tool_response>response:{make.__name__}"
            f"{{value:{QUOTE}{value}{QUOTE}}}{RESPONSE_END}")
    return Question("act/response", text, said, (value,))


def corpus():
    """Words that calls need whole."""
    return WORDS + THINGS


def main():
    import numpy as np
    rng = np.random.default_rng()
    for i in range(40):
        q = questions(rng) if i < 36 else follow_up(rng)
        print(f"{q.skill:14} {q.text}\n{'':14} {'[' + q.thought + '] ' if q.thought else ''}{q.answer}")


if __name__ == "__main__":
    main()
