"""Backgrounds for pictures of things and letters, made of fields computed once, so that each costs a few operations.

A background is two colours mixed by a field, a grey picture of stripes, dots, clouds, halves or light from one side. It is
flipped, rolled and added to another at random, so a few hundred fields are never seen twice alike.
"""
from functools import lru_cache

import numpy as np

from pictures import SIDE

LUMINANCE = np.array([.299, .587, .114], np.float32)
FIELDS = 240


def clouds(rng, cells):
    """Values at `cells` by `cells` points, smooth in between."""
    at = np.linspace(0, cells - 1.001, SIDE)
    i, f = at.astype(int), at % 1
    f = f * f * (3 - 2 * f)
    coarse = rng.normal(0, 1, (cells, cells))
    rows = coarse[i] * (1 - f)[:, None] + coarse[i + 1] * f[:, None]
    return rows[:, i] * (1 - f) + rows[:, i + 1] * f


def field(rng, kind):
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - .5
    a = rng.uniform(0, 2 * np.pi)
    u, v = np.cos(a) * x + np.sin(a) * y, np.cos(a) * y - np.sin(a) * x
    if kind == 0:    # light from one side
        return u
    if kind == 1:    # light from one point
        return -np.hypot(x - rng.uniform(-.4, .4), y - rng.uniform(-.4, .4))
    if kind == 2:    # stripes, soft or hard
        return np.clip(np.sin(rng.uniform(12, 90) * u) * rng.choice([1, 8]), -1, 1)
    if kind == 3:    # squares
        f = rng.uniform(12, 50)
        return np.clip(np.sin(f * u) * np.sin(f * v) * rng.choice([1, 12]), -1, 1)
    if kind == 4:    # dots
        f = rng.uniform(25, 80)
        return np.clip((np.cos(f * u) + np.cos(f * v) - rng.uniform(.6, 1.4)) * 4, -1, 1)
    if kind == 5:    # two halves, such as a wall and a floor
        return np.clip((v + rng.uniform(-.3, .3)) * 80, -1, 1)
    if kind == 6:    # coarse clouds
        return clouds(rng, int(rng.integers(3, 10)))
    return sum(clouds(rng, c) / c ** .5 for c in (3, 6, 12, 24, 48))  # rough, as stone or grass


@lru_cache(1)
def fields():
    """All fields, from 0 to 1: [number, SIDE, SIDE]."""
    rng = np.random.default_rng(1)
    made = np.stack([field(rng, i % 8) for i in range(FIELDS)]).astype(np.float32)
    made -= made.min((1, 2), keepdims=True)
    return made / made.max((1, 2), keepdims=True)


@lru_cache(1)
def planes():
    return np.empty((3, SIDE, SIDE), np.float32)


@lru_cache(1)
def noise():
    return np.random.default_rng(2).normal(0, 1, 1 << 20).astype(np.float32)


def some_field(rng):
    all_of_them = fields()
    out = all_of_them[rng.integers(FIELDS)]
    turn = int(rng.integers(8))
    if turn & 1:
        out = out[::-1]
    if turn & 2:
        out = out[:, ::-1]
    return out.T if turn & 4 else out


def pairs(rng, number):
    """Colours of `number` backgrounds, [number, 2, 3] from 0 to 255: both white, both alike, or of about the same hue."""
    kind = rng.random(number)[:, None]
    first = rng.uniform(0, 255, (number, 1)) + rng.normal(0, 1, (number, 3)) * rng.choice([5, 30, 70], (number, 1))
    first = np.where(kind < .15, 255, np.clip(first, 0, 255))
    second = first + rng.normal(0, 1, (number, 3)) * rng.uniform(3, 40, (number, 1)) + rng.normal(0, 35, (number, 1))
    second = np.where(kind < .3, first, np.clip(second, 0, 255))
    return np.stack([first, second], 1).astype(np.float32)


def wall(rng, colours):
    """Float planes [3, SIDE, SIDE] from 0 to 255 of a background of two colours [2, 3], in memory that the next call uses again
    (fresh memory costs as much as the drawing)."""
    first, second = colours
    out = planes()
    if np.array_equal(first, second):
        out[:] = first[:, None, None]
        return out
    mix = some_field(rng)
    if rng.random() < .3:
        mix = .7 * mix + .3 * some_field(rng)
    for plane, low, high in zip(out, first, second):
        np.multiply(mix, high - low, out=plane)
        plane += low
    return out


def contrasting(rng, colours, margin=80):
    """For each pair of colours [n, 2, 3] a colour [n, 3] whose luminance is by `margin` darker or lighter than both, or as
    different as can be."""
    luminance = colours @ LUMINANCE
    low, high = luminance.min(1), luminance.max(1)
    dark, light = np.maximum(low - margin, 0), np.maximum(255 - high - margin, 0)
    at = rng.uniform(0, 1, len(colours)) * (dark + light)
    want = np.where(at < dark, at, high + margin + at - dark)
    want = np.where(dark + light > 0, want, np.where(low > 255 - high, 0, 255))[:, None]
    colour = rng.uniform(0, 255, (len(colours), 3))
    grey = rng.random(len(colours)) < .3
    colour[grey] = colour[grey, :1]
    # Mixed with black or white until its luminance is the one that is wanted.
    has = (colour @ LUMINANCE)[:, None]
    return np.where(has > want, colour * (want / has), 255 - (255 - colour) * ((255 - want) / (255 - has))).astype(np.float32)


def finish(rng, out):
    """8-bit pixels [SIDE, SIDE, 3] of a picture's planes: light, noise."""
    out *= np.float32(rng.uniform(.85, 1.1))
    if rng.random() < .6:
        start = int(rng.integers(0, noise().size - out.size))
        strength = np.float32(rng.uniform(1, 9))
        for i, plane in enumerate(out):
            grain = noise()[start + i * plane.size:start + (i + 1) * plane.size]
            plane += (grain * strength).reshape(plane.shape)
    out += np.float32(.5)
    np.clip(out, 0, 255, out=out)
    pixels = np.empty((SIDE, SIDE, 3), np.uint8)
    for channel, plane in enumerate(out):
        pixels[..., channel] = plane
    return pixels
