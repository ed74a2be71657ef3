"""Draws scenes on the fly: plain, graded, textured and noisy backgrounds, light, rotation, soft edges.

A picture is `SIDE` pixels square, which the processor leaves as it is: `GRID` by `GRID` soft tokens of `PATCH` pixels.
"""
import numpy as np

from world import COLOURS, SHAPES, SIZES

PATCH = 24  # one soft token: patch_size 8, three by three of them
GRID = 8    # 64 soft tokens; the published processor takes 70 at least
SIDE = PATCH * GRID
# Labels of a patch while training: nothing, or colour and shape and size of what lies in it, and whether its centre does.
NO_THING = 0


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


def background(rng, side):
    """Float pixels [side, side, 3] in 0 to 1, never so coloured that a thing could be lost in it."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    base = rng.uniform(.35, .75) + rng.uniform(-.06, .06, 3)
    out = np.broadcast_to(base, (side, side, 3)).astype(np.float32)
    kind = rng.integers(4)
    if kind == 1:    # light from one side
        a = rng.uniform(0, 2 * np.pi)
        out = out + (rng.uniform(.05, .2) * (np.cos(a) * (x - .5) + np.sin(a) * (y - .5)))[..., None]
    elif kind == 2:  # stripes
        a, f = rng.uniform(0, np.pi), rng.uniform(15, 60)
        out = out + (rng.uniform(.02, .06) * np.sin(f * (np.cos(a) * x + np.sin(a) * y)))[..., None]
    elif kind == 3:  # cloudy
        n = int(rng.integers(3, 9))
        coarse = rng.normal(0, 1, (n, n)).astype(np.float32)
        at = (np.arange(side) * (n - 1) / side)
        i, f = at.astype(int), (at % 1).astype(np.float32)
        rows = coarse[i] * (1 - f)[:, None] + coarse[i + 1] * f[:, None]
        out = out + (.05 * (rows[:, i] * (1 - f) + rows[:, i + 1] * f))[..., None]
    return out


def draw(rng, things, side=SIDE):
    """8-bit pixels [side, side, 3] of a scene."""
    out = np.array(background(rng, side))
    for t in things:
        cx, cy, r = t.x * side, t.y * side, t.radius * side
        x0, x1 = max(0, int(cx - 1.3 * r)), min(side, int(cx + 1.3 * r) + 2)
        y0, y1 = max(0, int(cy - 1.3 * r)), min(side, int(cy + 1.3 * r) + 2)
        y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        x, y = (x + .5 - cx) / r, (y + .5 - cy) / r
        c, s = np.cos(t.angle), np.sin(t.angle)
        cover = np.clip(inside(t.shape, c * x + s * y, c * y - s * x) * r + .5, 0, 1)[..., None]
        colour = np.clip(np.array(COLOURS[t.colour]) / 255 + rng.normal(0, .025, 3), 0, 1)
        out[y0:y1, x0:x1] += cover * (colour - out[y0:y1, x0:x1])
    out = out * rng.uniform(.85, 1.1)
    if rng.random() < .6:
        out = out + rng.normal(0, rng.uniform(.005, .04), out.shape).astype(np.float32)
    return (np.clip(out, 0, 1) * 255 + .5).astype(np.uint8)


def patches(pixels):
    """Squares in row order, each (row, column, channel): [tokens, PATCH * PATCH * 3], 8 bit."""
    h, w = pixels.shape[0] // PATCH, pixels.shape[1] // PATCH
    return pixels.reshape(h, PATCH, w, PATCH, 3).transpose(0, 2, 1, 3, 4).reshape(h * w, -1)


def patch_labels(things, grid=GRID):
    """[tokens] of what lies in each patch: 0 nothing, else 1 + (colour, shape, size) as one number. A patch that merely
    touches a thing counts as the thing's if its middle is within the thing's radius and a quarter of a patch."""
    out = np.zeros((grid, grid), np.int64)
    middle = (np.arange(grid) + .5) / grid
    for t in things:
        d = np.hypot(middle[None, :] - t.x, middle[:, None] - t.y)
        label = (list(COLOURS).index(t.colour) * len(SHAPES) + SHAPES.index(t.shape)) * len(SIZES) + SIZES.index(t.size)
        out[d < t.radius + .25 / grid] = 1 + label
        out[min(grid - 1, int(t.y * grid)), min(grid - 1, int(t.x * grid))] = 1 + label
    return out.reshape(-1)
