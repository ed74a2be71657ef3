"""What a microphone and a room do to a sound, and its cut into frames as the family's processor makes them.

All noises and echoes are made once; a clip then costs about a millisecond, which is less than a training step spends on it.
"""
import numpy as np

RATE = 16_000
FRAME = 640
NOISE_SECONDS = 20
ROOMS = 24
NOISES = {}   # name: samples of mean square 1
SPECTRA = {}  # (room, length of the transform): its spectrum


def frames(rng, samples, hard=True):
    """[n, 640] float32: samples in [-1, 1] as somebody recorded them. `hard`: in noise, with echo, at other speeds, too."""
    level = rng.uniform(-20, 3) if hard else rng.uniform(-6, 0)
    if hard:
        samples = faster(samples, rng.uniform(.93, 1.07))
        if rng.random() < .3:
            samples = echoing(samples, int(rng.integers(ROOMS)))
        if rng.random() < .5:
            samples = tilted(samples, rng.uniform(-.8, .8))
    # A live microphone adds what it heard before it was sure, and the silence by which it knows the end.
    before, after = int(rng.uniform(0, .4) * RATE), int(rng.uniform(.04, .8) * RATE)
    n = before + len(samples) + after
    out = np.zeros(n, np.float32)
    out[before:before + len(samples)] = samples
    if hard and rng.random() < .85:
        loud = float(np.sqrt(np.dot(samples, samples) / max(1, len(samples))))
        out += noise(rng, n) * np.float32(loud * 10 ** (-rng.uniform(0, 30) / 20))
    out *= np.float32(10 ** (level / 20))
    return cut(np.clip(out, -1, 1, out=out))


def cut(samples):
    """[n, 640] as the family's processor gives it: the samples as they are, the last frame filled with zeros."""
    return np.pad(samples, (0, -len(samples) % FRAME)).reshape(-1, FRAME)


def faster(samples, rate):
    """Played faster: higher and shorter, between the samples straight lines."""
    at = np.arange(int((len(samples) - 1) / rate), dtype=np.float32) * np.float32(rate)
    whole = at.astype(np.int32)
    at -= whole
    left = samples[whole]
    return left + at * (samples[whole + 1] - left)


def tilted(samples, amount):
    """Brighter below 0, duller above, about as loud."""
    out = samples * np.float32(1 / (1 + .5 * abs(amount)))
    out[1:] += np.float32(amount / (1 + .5 * abs(amount))) * samples[:-1]
    return out


def echoing(samples, room):
    """In a small room: a short tail of decaying noise behind every sound."""
    n = len(samples) + RATE // 5
    size = min(s for s in (2 ** k * odd for k in range(12, 18) for odd in (1, 3)) if s >= n)
    if (room, size) not in SPECTRA:
        rng = np.random.default_rng(room)
        tail = rng.standard_normal(RATE // 5) * np.exp(-np.arange(RATE // 5) / RATE / rng.uniform(.01, .05))
        tail *= rng.uniform(.02, .12)
        tail[:int(rng.uniform(.001, .008) * RATE)] = 0
        tail[0] = 1
        SPECTRA[room, size] = np.fft.rfft(tail.astype(np.float32), size)
    return np.fft.irfft(np.fft.rfft(samples, size) * SPECTRA[room, size], size)[:n]


def noise(rng, n):
    """n samples of a random noise, its mean square near 1."""
    if not NOISES:
        NOISES.update(coloured())
    kinds = tuple(NOISES)
    bank = NOISES[kinds[rng.integers(len(kinds))]]
    if n >= len(bank):
        return np.resize(bank, n)
    begin = rng.integers(len(bank) - n)
    return bank[begin:begin + n]


def coloured():
    """White, pink and brown noise, the hum of the mains at 50 and 60 Hz."""
    rng = np.random.default_rng(0)
    n = NOISE_SECONDS * RATE
    made = {}
    height = np.fft.rfftfreq(n, 1 / RATE)
    for name, slope in (("white", 0), ("pink", .5), ("brown", 1)):
        spectrum = np.fft.rfft(rng.standard_normal(n)) / np.maximum(height, 40) ** slope
        made[name] = evened(np.fft.irfft(spectrum, n))
    t = np.arange(n) / RATE
    for mains in (50, 60):
        made[f"hum {mains}"] = evened(sum(np.sin(2 * np.pi * (mains * k * t + rng.random())) / k for k in range(1, 9))
                                      + .05 * rng.standard_normal(n))
    return made


def add_babble(rng, pool, talkers=5):
    """Lets others talk in the background from now on: clips of the pool over each other."""
    if not NOISES:
        NOISES.update(coloured())
    for number in range(2):
        mixed = np.zeros(NOISE_SECONDS * RATE, np.float32)
        for _ in range(talkers):
            at = 0
            while at < len(mixed):
                said = pool.any(rng)[:len(mixed) - at]
                mixed[at:at + len(said)] += said * np.float32(rng.uniform(.4, 1))
                at += len(said)
        NOISES[f"babble {number}"] = evened(mixed)


def evened(samples):
    return (samples / np.sqrt(np.mean(np.square(samples)))).astype(np.float32)
