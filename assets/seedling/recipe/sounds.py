"""Sounds that are not speech, made from nothing, and what can be asked and answered about them.

A `Sound` says what is to be heard; samples, questions and answers are all made from it. How loud a sound is can't be asked:
the family divides each frame by its own loudness. Silence is therefore next to nothing, far below any noise.
"""
from dataclasses import dataclass

import numpy as np

from recording import RATE, evened
from world import NUMBERS, Question, article, how_many, sentence

MOST = {"beep": 5, "clap": 4}
KINDS = ("beep", "beep", "clap", "clap", "tone", "sweep", "noise", "silence")
LOW, HIGH = (140, 450), (900, 3000)  # Hz; nothing in between, so that no tone is neither

ASK = {
    "count": ("How many {}s do you hear?", "How many {}s are there?", "Count the {}s."),
    "pitch": ("Is the tone high or low?", "Is it a high or a low tone?"),
    "way": ("Is it rising or falling?", "Is the tone rising or falling?", "Does the tone rise or fall?"),
    "what": ("What do you hear?", "What is this sound?", "What can you hear?"),
    "heard": ("Do you hear {}?", "Can you hear {}?"),
}


@dataclass(frozen=True)
class Sound:
    """`kind` is one of KINDS; `number` of beeps or claps; `manner` is high or low of a tone, rising or falling of a sweep."""
    kind: str
    number: int = 0
    manner: str = ""

    def called(self):
        """"three beeps", "a rising tone", "noise"."""
        if self.kind in MOST:
            return how_many(self.number, self.kind).removeprefix("There is ").removeprefix("There are ")[:-1]
        if self.manner:
            return article(f"{self.manner} tone")
        return self.kind


def draw(rng):
    """A random sound: float32 at 16 kHz, 0.6 to 2 s, within [-1, 1], and its `Sound`."""
    kind = KINDS[rng.integers(len(KINDS))]
    n = int(rng.uniform(.6, 2.) * RATE)
    if kind in MOST:
        sound = Sound(kind, int(rng.integers(1, MOST[kind] + 1)))
        one = beep(rng) if kind == "beep" else None
        parts = []
        for i in range(sound.number):
            parts += [one if kind == "beep" else clap(rng)]
            if i + 1 < sound.number:
                parts.append(np.zeros(int((rng.uniform(.09, .22) if kind == "beep" else rng.uniform(.14, .34)) * RATE)))
        samples = np.concatenate(parts)[:2 * RATE]
        samples = np.pad(samples, (0, max(0, n - len(samples))))
        if len(samples) == n:  # anywhere in the time that is left
            samples = np.roll(samples, rng.integers(n - np.flatnonzero(samples)[-1]))
    elif kind == "tone":
        sound = Sound(kind, manner=("high", "low")[rng.integers(2)])
        samples = tone(rng, np.full(n, pitch(rng, HIGH if sound.manner == "high" else LOW)))
    elif kind == "sweep":
        sound = Sound(kind, manner=("rising", "falling")[rng.integers(2)])
        begin = pitch(rng, (200, 900))
        curve = np.geomspace(begin, begin * rng.uniform(2, 5), n)
        samples = tone(rng, curve if sound.manner == "rising" else curve[::-1])
    elif kind == "noise":
        sound = Sound(kind)
        samples = fade(hiss(rng, n))
    else:
        return (rng.standard_normal(n) * rng.uniform(0, 2e-4)).astype(np.float32), Sound(kind)
    return (samples * (rng.uniform(.3, .95) / np.abs(samples).max())).astype(np.float32), sound


def pitch(rng, span):
    return float(np.exp(rng.uniform(*np.log(span))))


def tone(rng, pitches):
    """A tone whose pitch follows `pitches` (Hz at each sample): pure, or with overtones that fall off in a random way."""
    turn = 2 * np.pi * np.cumsum(pitches) / RATE
    most = max(1, min(6, int(7500 / pitches.max())))
    fall = rng.uniform(1, 3)
    samples = np.sin(turn + rng.uniform(0, 6))
    if rng.random() < .6:
        for k in range(2, most + 1):
            samples += rng.uniform(0, 1) * np.sin(k * turn + rng.uniform(0, 6)) / k ** fall
    return fade(samples)


def beep(rng):
    return tone(rng, np.full(int(rng.uniform(.08, .2) * RATE), pitch(rng, (300, 2800))))


def clap(rng):
    """A crack of noise in a band that dies away within a few hundredths of a second."""
    n = int(.12 * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    height = np.fft.rfftfreq(n, 1 / RATE)
    spectrum *= np.exp(-np.square(np.log(np.maximum(height, 1) / rng.uniform(900, 2200)) / rng.uniform(.4, .8)))
    samples = np.fft.irfft(spectrum, n) * np.exp(-np.arange(n) / RATE / rng.uniform(.008, .025))
    return samples / np.abs(samples).max() * rng.uniform(.7, 1)


def hiss(rng, n):
    """Noise of a colour between white and brown."""
    spectrum = np.fft.rfft(rng.standard_normal(n)) / np.maximum(np.fft.rfftfreq(n, 1 / RATE), 60) ** rng.uniform(0, 1)
    return evened(np.fft.irfft(spectrum, n))


def fade(samples, seconds=.008):
    """Swells and dies away, so that it does not click."""
    n = int(seconds * RATE)
    ramp = np.linspace(0, 1, n)
    samples[:n] *= ramp
    samples[-n:] *= ramp[::-1]
    return samples


def questions(rng, sound, number):
    """Up to `number` different questions about a sound."""
    asked = ["what", "heard", "count", "count", "heard"]
    if sound.kind == "tone":
        asked += ["pitch", "pitch"]
    if sound.kind == "sweep":
        asked += ["way", "way"]
    made = []
    for i in rng.permutation(len(asked)):
        question = one_question(rng, sound, asked[i])
        if all(question.text != q.text for q in made):
            made.append(question)
    return made[:number]


def one_question(rng, sound, kind):
    def ask(words=None):
        return ASK[kind][rng.integers(len(ASK[kind]))].format(words)
    if kind in ("pitch", "way"):
        return Question("hear/sound", ask(), f"It is {sound.manner}.", (sound.manner, f"The tone is {sound.manner}."))
    if kind == "count":
        noun = sound.kind if sound.kind in MOST and rng.random() < .8 else list(MOST)[rng.integers(len(MOST))]
        there = sound.number if noun == sound.kind else 0
        answer = how_many(there, noun)
        heard = "I hear " + answer.split(" ", 2)[2]
        return Question("hear/sound", ask(noun), answer,
                        (NUMBERS[there], str(there), heard) + (("none", "zero") if there == 0 else ()))
    if kind == "heard":
        names = {"beep": "any beeps", "clap": "any claps", "tone": "a tone", "sweep": "a tone", "noise": "noise"}
        others = [name for name in ("any beeps", "any claps", "a tone", "noise")
                  if name != names.get(sound.kind) and (sound.kind, name) != ("beep", "a tone")]  # which a beep is, too
        if sound.kind in names and rng.random() < .5:
            return Question("hear/sound", ask(names[sound.kind]), "Yes.")
        return Question("hear/sound", ask(others[rng.integers(len(others))]), "No.")
    if sound.kind == "silence":
        return Question("hear/sound", ask(), "It is silent.", ("silence", "nothing", "I hear nothing."))
    return Question("hear/sound", ask(), f"I hear {sound.called()}.", (sound.called(), sentence(sound.called())))
