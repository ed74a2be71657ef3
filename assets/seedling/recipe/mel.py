"""The spectrum of a frame of sound, which training asks for after the first layers: raw samples say nothing before."""
import numpy as np

from recording import FRAME, RATE

BANDS = 40


def spaced(low, high, number):
    """Frequencies in Hz, evenly spaced on the mel scale."""
    ends = [2595 * np.log10(1 + hz / 700) for hz in (low, high)]
    return 700 * (10 ** (np.linspace(*ends, number) / 2595) - 1)


def bank():
    """Triangles evenly spaced on the mel scale, 60 to 7,600 Hz: [bins, BANDS]."""
    edges = spaced(60, 7600, BANDS + 2)
    hz = np.arange(FRAME // 2 + 1) * RATE / FRAME
    rising = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)


BANK, WINDOW = bank(), np.hanning(FRAME).astype(np.float32)


def spectrum(frames):
    """[n, BANDS] of frames [n, FRAME], in units of about one, whatever their loudness, which the model does not hear."""
    frames = frames / np.sqrt((frames ** 2).mean(1, keepdims=True) + 1e-6)
    power = np.abs(np.fft.rfft(frames * WINDOW)) ** 2
    return ((np.log(power @ BANK + 1e-2) - 3) / 3).astype(np.float32)
