"""Draws scenes on the fly: plain, graded, textured and noisy backgrounds, light, rotation, soft edges.

A picture is `SIDE` pixels square, which the processor leaves as it is: `GRID` by `GRID` soft tokens of `PATCH` pixels.
"""
import numpy as np

import labels
from world import COLOURS, SHAPES, SIZES

PATCH = 24  # one soft token: patch_size 8, three by three of them
GRID = 8    # 64 soft tokens; the published processor takes 70 at least
SIDE = PATCH * GRID


def inside(shape, u, v):
    """How far inside a shape of radius 1 the points (u, v) are; negative outside, about in units of the radius."""
    if shape == "circle":
        return 1 - np.sqrt(u * u + v * v)
    if shape == "square":
        return .84 - np.maximum(np.abs(u), np.abs(v))
    if shape == "triangle":
        return np.minimum(.68 - v, (v + 1.05 - 1.75 * np.abs(u)) / 2.02)
    if shape == "cross":
        a, b = np.abs(u), np.abs(v)
        return np.maximum(np.minimum(.95 - a, .33 - b), np.minimum(.95 - b, .33 - a))
    angle = np.arctan2(u, -v)
    r = np.sqrt(u * u + v * v)
    fold = np.abs(np.mod(angle + np.pi / 5, 2 * np.pi / 5) - np.pi / 5)  # 0 at a point, pi/5 between two
    # The straight edge from a point (radius 1.1) to a notch (radius 0.45).
    x, y = r * np.cos(fold), r * np.sin(fold)
    nx, ny = .45 * np.sin(np.pi / 5), 1.1 - .45 * np.cos(np.pi / 5)
    return (nx * (1.1 - x) - ny * y) / np.hypot(nx, ny)


# Noise is expensive to draw and cheap to look up: each use begins at another place and adds up to new patterns.
NOISE = np.random.default_rng(0).normal(0, 1, 1 << 22).astype(np.float32)


def noise(rng, *shape):
    """Standard normal values of a shape of at most four million."""
    count = int(np.prod(shape))
    start = int(rng.integers(NOISE.size - count + 1))
    return NOISE[start:start + count].reshape(shape)


def background(rng, side):
    """Float pixels [side, side, 3] in 0 to 1, never so coloured that a thing could be lost in it."""
    base = (rng.uniform(.35, .75) + rng.uniform(-.06, .06, 3)).astype(np.float32)
    kind = rng.integers(4)
    if kind == 0:
        return np.broadcast_to(base, (side, side, 3)).copy()
    line = np.arange(side, dtype=np.float32) / side
    if kind == 1:    # light from one side
        a, s = rng.uniform(0, 2 * np.pi), rng.uniform(.05, .2)
        shade = (s * np.cos(a) * (line - .5))[None, :] + (s * np.sin(a) * (line - .5))[:, None]
    elif kind == 2:  # stripes: sin(x + y) by the addition theorem, so that only lines of sines are computed
        a, f, s = rng.uniform(0, np.pi), rng.uniform(15, 60), rng.uniform(.02, .06)
        x, y = f * np.cos(a) * line, f * np.sin(a) * line
        shade = s * (np.cos(y)[:, None] * np.sin(x)[None, :] + np.sin(y)[:, None] * np.cos(x)[None, :])
    else:            # cloudy
        n = int(rng.integers(3, 9))
        at = line * (n - 1)
        i, f = at.astype(int), at % 1
        weight = np.zeros((side, n), np.float32)
        weight[np.arange(side), i] = 1 - f
        weight[np.arange(side), np.minimum(i + 1, n - 1)] += f
        shade = .05 * (weight @ rng.normal(0, 1, (n, n)).astype(np.float32) @ weight.T)
    return base + shade.astype(np.float32)[..., None]


def finish(rng, out):
    """Light and the noise of a camera; 8-bit pixels."""
    out *= np.float32(255 * rng.uniform(.85, 1.1))
    if rng.random() < .6:
        out += noise(rng, *out.shape) * np.float32(255 * rng.uniform(.005, .04))
    out += np.float32(.5)
    return np.clip(out, 0, 255, out=out).astype(np.uint8)


def draw(rng, things, side=SIDE, behind=None):
    """8-bit pixels [side, side, 3] of a scene, on the float picture `behind` if it is given."""
    out = background(rng, side) if behind is None else behind.copy()
    for t in things:
        cx, cy, r = t.x * side, t.y * side, t.radius * side
        x0, x1 = max(0, int(cx - 1.3 * r)), min(side, int(cx + 1.3 * r) + 2)
        y0, y1 = max(0, int(cy - 1.3 * r)), min(side, int(cy + 1.3 * r) + 2)
        x = ((np.arange(x0, x1, dtype=np.float32) + .5 - cx) / r)[None, :]
        y = ((np.arange(y0, y1, dtype=np.float32) + .5 - cy) / r)[:, None]
        c, s = np.float32(np.cos(t.angle)), np.float32(np.sin(t.angle))
        cover = np.clip(inside(t.shape, c * x + s * y, c * y - s * x) * r + .5, 0, 1)[..., None]
        colour = np.clip(np.array(COLOURS[t.colour]) / 255 + rng.normal(0, .025, 3), 0, 1).astype(np.float32)
        out[y0:y1, x0:x1] += cover * (colour - out[y0:y1, x0:x1])
    return finish(rng, out)


TABLE = np.array(list(COLOURS.values()), np.float32) / 255


def crops(rng, number):
    """Single patches [number, PATCH * PATCH * 3], each a picture of its own with a thing or a part of one, or nothing, and their
    labels: drawn all at once, since thousands a second are wanted."""
    p = PATCH
    colour, shape, size = rng.integers(len(COLOURS), size=number), rng.integers(len(SHAPES), size=number), rng.integers(2, size=number)
    empty = rng.random(number) < .12
    radius = np.where(size == 0, rng.uniform(.065, .09, number), rng.uniform(.12, .15, number)).astype(np.float32) * SIDE
    column = lambda low, high: rng.uniform(low, high, (number, 1, 1)).astype(np.float32)
    reach = .45 * radius[:, None, None]
    order = np.arange(p, dtype=np.float32) + .5 - p / 2
    x = (order[None, None, :] - column(-1, 1) * reach) / radius[:, None, None]
    y = (order[None, :, None] - column(-1, 1) * reach) / radius[:, None, None]
    angle = column(-.35, .35)
    c, s = np.cos(angle), np.sin(angle)
    u, v = c * x + s * y, c * y - s * x
    cover = np.empty((number, p, p), np.float32)
    for i, name in enumerate(SHAPES):
        these = shape == i
        cover[these] = inside(name, u[these], v[these])
    cover = np.clip(cover * radius[:, None, None] + .5, 0, 1)
    cover[empty] = 0
    base = (rng.uniform(.35, .75, (number, 1)) + rng.uniform(-.06, .06, (number, 3))).astype(np.float32)[:, None, None]
    slope = (column(-.03, .03) * order[None, None, :] / p + column(-.03, .03) * order[None, :, None] / p)[..., None]
    tint = np.clip(TABLE[colour] + noise(rng, number, 3) * .025, 0, 1)[:, None, None]
    out = base + slope
    out = out + cover[..., None] * (tint - out)
    out *= rng.uniform(.85, 1.1, (number, 1, 1, 1)).astype(np.float32) * 255
    out += noise(rng, number, p, p, 3) * (rng.uniform(0, .03, (number, 1, 1, 1)).astype(np.float32) * 255)
    out = np.clip(out + .5, 0, 255).astype(np.uint8)
    return out.reshape(number, -1), np.where(empty, labels.NO_THING, labels.thing(colour, shape, size))


def patches(pixels):
    """Squares in row order, each (row, column, channel): [tokens, PATCH * PATCH * 3], 8 bit."""
    h, w = pixels.shape[0] // PATCH, pixels.shape[1] // PATCH
    return pixels.reshape(h, PATCH, w, PATCH, 3).transpose(0, 2, 1, 3, 4).reshape(h * w, -1)


def patch_labels(things, grid=GRID):
    """[tokens] of what lies in each patch. A patch that merely touches a thing counts as the thing's if its middle is within
    the thing's radius and a quarter of a patch."""
    out = np.full((grid, grid), labels.NO_THING)
    middle = (np.arange(grid) + .5) / grid
    for t in things:
        d = np.hypot(middle[None, :] - t.x, middle[:, None] - t.y)
        label = labels.thing(list(COLOURS).index(t.colour), SHAPES.index(t.shape), SIZES.index(t.size))
        out[d < t.radius + .25 / grid] = label
        out[min(grid - 1, int(t.y * grid)), min(grid - 1, int(t.x * grid))] = label
    return out.reshape(-1)
