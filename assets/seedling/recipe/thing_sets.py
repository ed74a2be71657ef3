"""Fetches emoji and icon sets at pinned versions and rasterises their drawings of the things in `thing_names.py`.

Every set is matched to the same names, by code point or by the icon's name, so that one thing is drawn by many hands.
The licence of each is in sources.md and, with package and version, in the things.json that is written.
"""
import io
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import resvg_py
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from thing_names import NAMES, NOT_THESE, THINGS

SIZE = 96  # pixels of a rasterised drawing's side
TEST_SET = "openmoji"  # never trained on: outlined, unlike all others
# Sets in the iconify format, all of one shape: (name, version, kind). A set in colour keeps its colours, one of lines is
# drawn in any colour. Emoji sets are matched by code point, icons by name.
SETS = (
    ("openmoji", "1.2.29", "emoji colour"), ("twemoji", "1.2.5", "emoji colour"), ("noto", "1.2.9", "emoji colour"),
    ("noto-v1", "1.2.5", "emoji colour"), ("emojione", "1.2.3", "emoji colour"), ("fluent-emoji", "1.2.7", "emoji colour"),
    ("fluent-emoji-flat", "1.2.6", "emoji colour"), ("fxemoji", "1.2.2", "emoji colour"),
    ("streamline-emojis", "1.2.4", "emoji colour"), ("fluent-color", "1.2.21", "icons colour"),
    ("icon-park", "1.2.4", "icons colour"), ("flat-color-icons", "1.2.3", "icons colour"),
    ("meteocons", "1.2.4", "icons colour"), ("streamline-ultimate-color", "1.2.2", "icons colour"),
    ("streamline-freehand-color", "1.2.2", "icons colour"), ("fluent-emoji-high-contrast", "1.2.6", "emoji lines"),
    ("emojione-monotone", "1.2.1", "emoji lines"), ("tabler", "1.2.41", "icons lines"), ("lucide", "1.2.137", "icons lines"),
    ("lucide-lab", "1.2.3", "icons lines"), ("ph", "1.2.2", "icons lines"), ("game-icons", "1.2.4", "icons lines"),
    ("mdi", "1.2.3", "icons lines"), ("fa6-solid", "1.2.4", "icons lines"), ("icon-park-solid", "1.2.4", "icons lines"),
    ("icon-park-twotone", "1.2.4", "icons lines"), ("hugeicons", "1.2.35", "icons lines"),
    ("material-symbols", "1.2.98", "icons lines"), ("fluent", "1.2.60", "icons lines"),
    ("streamline-pixel", "1.2.0", "icons lines"), ("streamline-plump", "1.2.0", "icons lines"),
    ("iconoir", "1.2.11", "icons lines"), ("solar", "1.2.13", "icons lines"), ("healthicons", "1.2.13", "icons lines"),
    ("maki", "1.2.5", "icons lines"), ("mingcute", "1.2.8", "icons lines"), ("pixelarticons", "1.2.9", "icons lines"),
    ("la", "1.2.1", "icons lines"), ("ion", "1.2.7", "icons lines"), ("bxs", "1.2.3", "icons lines"),
    ("carbon", "1.2.29", "icons lines"),
)
SHADED = ("@lobehub/fluent-emoji-3d", "1.1.0", "MIT")  # pictures by code point, shaded
SYMBOLA = "/usr/share/fonts/truetype/ancient-scripts/Symbola_hint.ttf"  # Debian's fonts-symbola
SIZED = ("fluent", "fluent-color", "maki")  # draw the same again for several sizes
MOST_OF_A_SET = 4  # icons of one thing in one set
SUFFIX = r"-(\d+|filled|fill|regular|line|linear|outline|bold|duotone|solid|color|negative|twotone)$"
UNWANTED = r"-(thin|light|rounded|sharp|remix|broken|line-duotone|outline-rounded|negative|off)$|^ph.*-bold$"


def download(package, version, folder):
    """Fetches and opens a package of npm; its folder."""
    file = subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True, capture_output=True,
                          text=True).stdout.strip().splitlines()[-1]
    to = Path(folder) / file.removesuffix(".tgz")
    with tarfile.open(Path(folder) / file) as packed:
        packed.extractall(to, filter="data")
    return to / "package"


def opened_json(folder, file):
    return json.loads((folder / file).read_text())


def bare(slug):
    """An icon's name without what says only its style or size."""
    slug = re.sub(r"^(animal|food|vehicle|sport|weather|fruit)-", "", slug)
    while (less := re.sub(SUFFIX, "", slug)) != slug:
        slug = less
    return slug


def matches(thing, icons, called):
    """The icons of a set that show a thing. `called` gives the names of emoji by code point, or is None for other sets."""
    plain = lambda slug: slug.replace("-", "")
    if called:
        emoji = {plain(s) for code in thing.codes for s in called.get(code, ())}
        if found := [i for i in icons if plain(i) in emoji]:
            return found
    own = {plain(s) for s in thing.icons}
    return [i for i in icons if not re.search(UNWANTED, i) and (plain(i) in own or plain(bare(i)) in own)]


def largest(found):
    """Of icons that differ in a number alone the one with the largest: sets that draw the same for several sizes."""
    best = {}
    for i in found:
        key = re.sub(r"-\d+(?=-|$)", "", i)
        size = int((re.findall(r"-(\d+)(?=-|$)", i) or [0])[-1])
        best[key] = max(best.get(key, (0, i)), (size, i))
    return [i for _, i in best.values()]


def trimmed(picture):
    """uint8 [SIZE, SIZE, 4], colours times alpha: what is not transparent, as large as fits."""
    box = picture.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox()
    if box is None:
        return None
    picture = picture.crop(box).convert("RGBa")
    scale = (SIZE - 2) / max(picture.size)
    picture = picture.resize([max(1, round(s * scale)) for s in picture.size], Image.BOX if scale < .6 else Image.BILINEAR)
    out = np.zeros((SIZE, SIZE, 4), np.uint8)
    y, x = (SIZE - picture.height) // 2, (SIZE - picture.width) // 2
    out[y:y + picture.height, x:x + picture.width] = np.asarray(picture)
    return out


def rasterised(body, width, height):
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" '
           f'height="{height}" viewBox="0 0 {width} {height}">{body.replace("currentColor", "#000")}</svg>')
    data = resvg_py.svg_to_bytes(svg_string=svg, width=2 * SIZE, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(data))).convert("RGBA")


def iconify(opened, name, version, kind, called):
    """A set's drawings, (index of the thing, name of the icon, pixels) each, and what is to be known about the set."""
    info, icons = opened_json(opened, "info.json"), opened_json(opened, "icons.json")
    bodies = dict(icons["icons"])
    for alias, of in icons.get("aliases", {}).items():
        if set(of) == {"parent"} and of["parent"] in bodies:
            bodies[alias] = bodies[of["parent"]]
    wrong = NOT_THESE.get(name, "").split()
    made = []
    for index, thing in enumerate(THINGS):
        found = matches(thing, bodies, called if "emoji" in kind else None)
        found = [i for i in found if i not in wrong and re.sub(r"-\d+", "", i) not in wrong]
        for slug in (largest(found) if name in SIZED else found)[:MOST_OF_A_SET]:
            icon = bodies[slug]
            pixels = trimmed(rasterised(icon["body"], icon.get("width", icons.get("width", 16)),
                                        icon.get("height", icons.get("height", 16))))
            if pixels is not None:
                made.append((index, slug, pixels))
    licence = info["license"].get("spdx") or info["license"]["title"]
    return made, dict(name=name, package=f"@iconify-json/{name}", version=version, kind=kind.split()[1], licence=licence,
                      author=info["author"]["name"])


def shaded(opened):
    """The same of emoji that are pictures, one file by code point."""
    made = []
    for index, thing in enumerate(THINGS):
        for code in thing.codes:
            for file in (opened / "assets" / f"{code}.webp", opened / "assets" / f"{code}-fe0f.webp"):
                if file.exists():
                    made.append((index, code, trimmed(Image.open(file).convert("RGBA"))))
                    break
    package, version, licence = SHADED
    return made, dict(name="fluent-3d", package=package, version=version, kind="colour", licence=licence,
                      author="Microsoft Corporation")


def symbola():
    """The same of the font Symbola."""
    font, known = ImageFont.truetype(SYMBOLA, 2 * SIZE), TTFont(SYMBOLA).getBestCmap()
    made = []
    for index, thing in enumerate(THINGS):
        for code in thing.codes:
            if int(code, 16) in known and code not in NOT_THESE["symbola"]:
                sheet = Image.new("RGBA", (6 * SIZE, 6 * SIZE))
                ImageDraw.Draw(sheet).text((SIZE, SIZE), chr(int(code, 16)), font=font, fill=(0, 0, 0, 255))
                made.append((index, code, trimmed(sheet)))
    return made, dict(name="symbola", package="fonts-symbola (Debian)", version="2.60", kind="lines",
                      licence="free for any use", author="George Douros")


def build(folder):
    """Writes things.npz, all drawings, and things.json, the names and sets they are of."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        opened = {name: download(f"@iconify-json/{name}", version, work) for name, version, _ in SETS}
        called = {}
        for at in opened.values():
            if (at / "chars.json").exists():
                for code, slug in opened_json(at, "chars.json").items():
                    called.setdefault(code.replace("-fe0f", ""), set()).add(slug)
        sets = [iconify(opened[name], name, version, kind, called) for name, version, kind in SETS]
        sets.append(shaded(download(*SHADED[:2], work)))
    sets.append(symbola())
    rows = [(index, number, slug, pixels) for number, (made, _) in enumerate(sets) for index, slug, pixels in made]
    names, of, slugs, pixels = zip(*rows)
    np.savez_compressed(folder / "things.npz", pixels=np.stack(pixels), name=np.array(names, np.int16),
                        set=np.array(of, np.int16), slug=np.array(slugs))
    about = {"names": NAMES, "sets": [known | {"drawings": len(made)} for made, known in sets]}
    (folder / "things.json").write_text(json.dumps(about, indent=1))
