"""The spectrum of a frame of sound, which training asks for after the first layers: raw samples say nothing before they are that."""
import numpy as np

BANDS = 40
FRAME, RATE = 640, 16_000


def bank():
    """Triangles evenly spaced on the mel scale, 60 to 7,600 Hz: [bins, BANDS]."""
    to_mel, to_hz = lambda f: 2595 * np.log10(1 + f / 700), lambda m: 700 * (10 ** (m / 2595) - 1)
    edges = to_hz(np.linspace(to_mel(60), to_mel(7600), BANDS + 2))
    hz = np.arange(FRAME // 2 + 1) * RATE / FRAME
    rising = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)


BANK, WINDOW = bank(), np.hanning(FRAME).astype(np.float32)


def spectrum(frames):
    """[n, BANDS] of frames [n, FRAME], in units of about one, whatever their loudness, since the model does not hear it either."""
    frames = frames / np.sqrt((frames ** 2).mean(1, keepdims=True) + 1e-6)
    power = np.abs(np.fft.rfft(frames * WINDOW)) ** 2
    return ((np.log(power @ BANK + 1e-2) - 3) / 3).astype(np.float32)
