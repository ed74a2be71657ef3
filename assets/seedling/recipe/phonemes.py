"""How sentences sound, as espeak-ng's phonemes: labels for what is heard while training. Sounds are closer to what a causal
model has heard so far than letters are."""
import subprocess
from functools import cache

# espeak-ng's mnemonics, without stress and length.
SOUNDS = ("t s n I l z r k w i E D aI V m p u @2 d h a aU b 3 a# j oU A@ f @ dZ g @L e@ eI v tS N O2 0 O@ t2 t# U T o@ O I2 I# S "
          "r- i@ aa U@ A i@3 aI@ aI3 O: OI Z e i: u: o").split()
LABELS = 1 + len(SOUNDS)  # 0: nothing new is heard


@cache
def of(sentence):
    """Labels of a sentence."""
    said = subprocess.run(["espeak-ng", "-q", "-x", "--sep=_", "-v", "en-us", sentence], capture_output=True, text=True,
                          check=True).stdout
    marks = [mark.strip("',%=:;|") for word in said.split() for mark in word.split("_")]
    return [1 + SOUNDS.index(mark) for mark in marks if mark in SOUNDS]
