"""Pictures of printed words and numbers in many fonts, single patches that show one character, and questions about them.

    python letters.py --build FOLDER        # rasterises the fonts of Debian's packages: FOLDER/glyphs.npz

Characters are rasterised once, at a few sizes; a picture is a line of them, scaled and turned. Fonts of `TEST_FONTS` are never
trained on, nor any font that was made from them.
"""
import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from backgrounds import contrasting, fields, finish, noise, pairs, wall
from pictures import GRID, PATCH, SIDE
from world import NUMBERS, Question

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SIZES = (20, 24, 28, 34, 40, 48)  # heights of a capital, in pixels
LINE_SIZES = (24, 34, 48)         # those that lines of text are made of
CROP_SIZES = SIZES[:5]
HIGH, WIDE, ABOVE, LEFT = 1.5, 1.9, 1.2, .2  # a character's cell and where its origin lies, in heights of a capital

# Packages of Debian and which of their fonts are taken.
FONTS = {
    "fonts-dejavu-core": "DejaVuSans DejaVuSans-Bold DejaVuSansMono-Bold DejaVuSerif DejaVuSerif-Bold",
    "fonts-dejavu-extra": "DejaVuSansCondensed DejaVuSansCondensed-Bold DejaVuSans-Oblique DejaVuSerif-Italic",
    "fonts-liberation": "LiberationSans-Regular LiberationSans-Bold LiberationSans-BoldItalic LiberationSerif-Regular "
                        "LiberationSerif-Bold LiberationSerif-Italic LiberationMono-Regular LiberationMono-Bold "
                        "LiberationSansNarrow-Regular LiberationSansNarrow-Bold",
    "fonts-freefont-ttf": "FreeSansBold FreeSerif FreeSerifBold FreeMonoBold",
    "fonts-roboto-unhinted": "Roboto-Regular Roboto-Bold Roboto-Light Roboto-Black RobotoCondensed-Regular "
                             "RobotoCondensed-Bold",
    "fonts-roboto-slab": "RobotoSlab-Regular RobotoSlab-Bold",
    "fonts-open-sans": "OpenSans-Regular OpenSans-Bold OpenSans-Italic OpenSans-CondBold OpenSans-ExtraBold",
    "fonts-inter": "Inter-Regular Inter-Bold Inter-Black", "fonts-cantarell": "Cantarell-Regular Cantarell-ExtraBold",
    "fonts-quicksand": "Quicksand-Medium Quicksand-Bold", "fonts-comfortaa": "Comfortaa-Bold",
    "fonts-dosis": "Dosis-Medium Dosis-ExtraBold", "fonts-yanone-kaffeesatz": "YanoneKaffeesatz-Bold",
    "fonts-bebas-neue": "BebasNeue-Regular", "fonts-league-spartan": "LeagueSpartan-Bold",
    "fonts-comic-neue": "ComicNeue-Regular ComicNeue-Bold", "fonts-humor-sans": "Humor-Sans", "fonts-cabin": "Cabin-Bold",
    "fonts-karla": "Karla-Regular", "fonts-manrope": "Manrope-ExtraBold", "fonts-sora": "Sora-SemiBold",
    "fonts-b612": "B612-Regular", "fonts-opendin": "OSP-DIN", "fonts-play": "Play-Bold", "fonts-jura": "Jura-SemiBold",
    "fonts-paratype": "PTS55F PTN77F PTF55F PTM75F", "fonts-oxygen": "Oxygen-Sans",
    "fonts-averia-sans-gwf": "AveriaSansGWF-Bold", "fonts-averia-serif-gwf": "AveriaSerifGWF-Bold",
    "fonts-crosextra-caladea": "Caladea-Regular", "fonts-ebgaramond": "EBGaramond12-Regular", "fonts-vollkorn": "Vollkorn-Bold",
    "fonts-quattrocento": "Quattrocento-Regular", "fonts-oldstandard": "OldStandard-Regular", "fonts-stix": "STIX-Bold",
    "fonts-urw-base35": "C059-Bold P052-Roman URWBookman-Demi URWGothic-Demi", "fonts-junicode": "JunicodeTwoBeta-Bold",
    "fonts-courier-prime": "Courier_Prime_Bold", "fonts-go": "Go-Bold Go-Mono-Bold", "fonts-hack": "Hack-Regular",
    "fonts-jetbrains-mono": "JetBrainsMono-Bold", "fonts-firacode": "FiraCode-Medium", "fonts-inconsolata": "Inconsolata",
    "fonts-lobstertwo": "LobsterTwo-Bold", "fonts-atarismall": "AtariSmall",
    "fonts-lato": "Lato-Regular Lato-Bold", "fonts-linuxlibertine": "LinLibertine_R LinLibertine_RB",
}
TEST_FONTS = ("Lato-Regular", "Lato-Bold", "LinLibertine_R", "LinLibertine_RB")  # not Carlito and Biolinum, their kin

WORDS = """AM AN AS AT BE BY DO GO HE HI IF IN IS IT ME MY NO OF OK ON OR SO TO UP US WE ACE ADD AGE AIR ALL AND ANT ANY
APP ARE ARM ART ASK BAD BAG BAR BED BEE BIG BOX BOY BUS BUT BUY CAR CAT COW CUP CUT DAY DOG DRY EAR EAT EGG END EYE FAR FAT
FEW FLY FOX FUN GAS GET GUN HAT HEN HIT HOT ICE INK JAM JOB JOY KEY KID LEG LOW MAN MAP MAX MIX NEW NOT NOW NUT OFF OIL OLD
ONE OPEN OUT OWL PAY PEN PIG PUT RED RUN SAD SEA SEE SIX SKY SUN TAX TEA TEN THE TOP TOY TWO USE VAN WAR WAY WET WHO WHY WIN
YES YOU ZOO AREA AWAY BABY BACK BALL BANK BATH BEAR BEER BELL BEST BIRD BLUE BOAT BODY BOOK CAKE CALL CARD CITY CLUB COAT
COLD COOK DARK DATE DEEP DESK DOOR DOWN DRAW DUCK EAST EASY EXIT FACE FALL FARM FAST FIRE FISH FIVE FOOD FOOT FOUR FREE GAME
GATE GIFT GIRL GOLD GOOD GREY HAIR HALF HAND HELP HERE HIGH HOME HOPE HOUR IDEA JULY JUMP JUNE KEEP KING KISS KNEE LADY LAKE
LAST LEFT LIFE LION LOVE LUCK MAIL MAKE MEAL MILK MOON NAME NECK NEWS NEXT NICE NOON NOSE NOTE PAGE PARK PLAY POOL PULL PUSH
QUIZ RAIN READ RICE RING ROAD ROOF ROOM ROSE SALE SALT SAVE SHIP SHOE SHOP SLOW SNOW SOAP SOFT SONG SOUP STAR STOP TALK TAXI
TEAM TENT TIME TOWN TREE TRUE VERY WALK WALL WARM WEEK WEST WIND WINE WISH WOLF WOOD WORK YEAR ZERO ZONE APPLE BEACH BLACK
BREAD BROWN CHAIR CHEAP CLEAN CLOCK CLOSE CLOUD COFFEE DANGER DOCTOR DREAM DRINK EARTH EIGHT FLOOR FRUIT GLASS GRASS GREEN
HAPPY HEART HELLO HORSE HOTEL HOUSE JUICE KNIFE LARGE LEMON LIGHT LUNCH MARCH METAL MONEY MOUSE MUSIC NIGHT NORTH OCEAN
OFFICE ORANGE PAPER PARTY PHONE PIANO PIZZA PLANT PLATE POLICE POWER PRICE QUEEN QUICK QUIET RADIO RIGHT RIVER ROBOT SCHOOL
SEVEN SHEEP SHIRT SMALL SMILE SNAKE SOUTH SPOON STONE STORE STREET SUGAR SUMMER SWEET TABLE THANKS THREE TIGER TODAY TRAIN
TRUCK WATER WHEEL WHITE WINDOW WINTER WOMAN WORLD YELLOW YOUNG ZEBRA""".split()
ORDER = ("first", "second", "third", "fourth", "fifth", "sixth")


def font_file(package, name):
    """Where Debian's package puts a font."""
    for file in Path("/usr/share/fonts").rglob("*.[ot]tf"):
        if file.stem.replace(" ", "_") == name:
            return file
    raise SystemExit(f"{name} is missing: apt install {package}")


def rasterised(file, height):
    """uint8 cells [36, high, wide] of a font at a height of capitals, and advances [36]."""
    points = 200
    box = ImageFont.truetype(file, points).getbbox("H", anchor="ls")
    font = ImageFont.truetype(file, points * height / (box[3] - box[1]))
    cells = np.zeros((len(CHARACTERS), round(HIGH * height), round(WIDE * height)), np.uint8)
    for i, character in enumerate(CHARACTERS):
        sheet = Image.new("L", cells.shape[:0:-1])
        ImageDraw.Draw(sheet).text((round(LEFT * height), round(ABOVE * height)), character, font=font, fill=255, anchor="ls")
        cells[i] = np.asarray(sheet)
    return cells, [font.getlength(c) for c in CHARACTERS]


def build(folder):
    folder.mkdir(parents=True, exist_ok=True)
    names = [(package, name) for package, fonts in FONTS.items() for name in fonts.split()]
    stored = {}
    for height in SIZES:
        cells, advances = zip(*(rasterised(str(font_file(*n)), height) for n in names))
        stored[f"cells{height}"], stored[f"advance{height}"] = np.stack(cells), np.array(advances, np.float32)
    np.savez_compressed(folder / "glyphs.npz", fonts=np.array([name for _, name in names]), **stored)


class Bank:
    """The fonts' characters by size, and which fonts are for training and for the test."""

    def __init__(self, folder):
        stored = np.load(Path(folder) / "glyphs.npz")
        self.fonts = stored["fonts"].tolist()
        self.cells = {h: stored[f"cells{h}"] for h in SIZES}
        self.advance = {h: stored[f"advance{h}"] for h in SIZES}
        self.test = [i for i, name in enumerate(self.fonts) if name in TEST_FONTS]
        self.train = [i for i, name in enumerate(self.fonts) if name not in TEST_FONTS]
        self.ink = {h: [ink_boxes(cells) for cells in self.cells[h]] for h in LINE_SIZES}
        # For crops: each cell of a font for training with a patch's width of nothing around, as a view of all its patches.
        self.patches, self.middle = {}, {}
        for h in CROP_SIZES:
            cells = self.cells[h][self.train].reshape(-1, *self.cells[h].shape[2:])
            self.middle[h] = np.array([((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in ink_boxes(cells)]) + PATCH
            around = np.pad(cells, ((0, 0), (PATCH, PATCH), (PATCH, PATCH)))
            self.patches[h] = np.lib.stride_tricks.sliding_window_view(around, (PATCH, PATCH), (1, 2))


def ink_boxes(cells):
    """Left, top, right, bottom of what is drawn in each cell."""
    boxes = []
    for cell in cells > 60:
        x, y = np.flatnonzero(cell.any(0)), np.flatnonzero(cell.any(1))
        boxes.append((x[0], y[0], x[-1] + 1, y[-1] + 1))
    return boxes


def load(folder):
    return Bank(folder)


def some_text(rng, most=6):
    """Random capitals, a word or a number."""
    kind = rng.random()
    if kind < .2:
        words = WORDS if most >= 6 else [w for w in WORDS if len(w) <= most]
        return words[rng.integers(len(words))]
    of = CHARACTERS[:26] if kind < .7 else CHARACTERS[26:]
    while True:
        text = "".join(of[i] for i in rng.integers(0, len(of), rng.integers(1, most + 1)))
        if text not in ("O", "I", "0", "1") and not (len(text) > 1 and text[0] == "0"):  # alone they look alike
            return text


def line(bank, font, text, height, gap):
    """A line of text: uint8 [high, wide], and the box of each character in it."""
    cells, advance, ink = bank.cells[height][font], bank.advance[height][font], bank.ink[height][font]
    codes = [CHARACTERS.index(c) for c in text]
    starts = np.concatenate([[0], np.cumsum([advance[c] + gap for c in codes])]).round().astype(int)
    out = np.zeros((cells.shape[1], starts[-2] + cells.shape[2]), np.uint8)
    boxes = []
    for c, x in zip(codes, starts):
        here = out[:, x:x + cells.shape[2]]
        np.maximum(here, cells[c], out=here)
        left, top, right, bottom = ink[c]
        boxes.append((x + left, top, x + right, bottom))
    boxes = np.array(boxes)
    x0, y0, x1, y1 = boxes[:, 0].min(), boxes[:, 1].min(), boxes[:, 2].max(), boxes[:, 3].max()
    return np.ascontiguousarray(out[y0:y1, x0:x1]), boxes - [x0, y0, x0, y0]


def draw(rng, bank, test=False, most=6):
    """8-bit pixels [SIDE, SIDE, 3], the text on them and the box of each character: (left, top, right, bottom) in parts of
    the side."""
    text = some_text(rng, most)
    pool = bank.test if test else bank.train
    font = pool[rng.integers(len(pool))]
    stored = LINE_SIZES[1]
    angle = rng.uniform(-.2, .2) if rng.random() < 1 / 3 else 0.
    c, s = np.cos(angle), np.sin(angle)
    gap = rng.uniform(-.02, .12)
    strip, boxes = line(bank, font, text, stored, gap * stored)
    # As high as fits: the turned line is as wide and high as this, for capitals one pixel high.
    wide = (strip.shape[1] * abs(c) + strip.shape[0] * abs(s)) / stored
    high = (strip.shape[1] * abs(s) + strip.shape[0] * abs(c)) / stored
    room = SIDE - 6
    largest = min(60., room / wide, room / high)
    height = rng.uniform(max(24., .55 * largest), largest) if largest > 24 else largest
    nearest = min(LINE_SIZES, key=lambda h: abs(h - height))
    if nearest != stored:
        stored = nearest
        strip, boxes = line(bank, font, text, stored, gap * stored)
    wide, high = wide * height, high * height
    cx, cy = SIDE / 2 + rng.uniform(-1, 1) * max(0, room - wide) / 2, SIDE / 2 + rng.uniform(-1, 1) * max(0, room - high) / 2
    x0, x1 = max(0, int(cx - wide / 2 - 1)), min(SIDE, int(cx + wide / 2) + 2)
    y0, y1 = max(0, int(cy - high / 2 - 1)), min(SIDE, int(cy + high / 2) + 2)
    scale, mx, my = stored / height, strip.shape[1] / 2, strip.shape[0] / 2
    a, b, dx, dy = scale * c, scale * s, x0 - cx, y0 - cy
    cover = np.asarray(Image.fromarray(strip).transform(
        (x1 - x0, y1 - y0), Image.AFFINE, (a, b, a * dx + b * dy + mx, -b, a, a * dy - b * dx + my), Image.BILINEAR))
    colours = pairs(rng, 1)
    out = wall(rng, colours[0])
    cover = cover * np.float32(1 / 255)
    for plane, paint in zip(out, contrasting(rng, colours)[0]):
        here = plane[y0:y1, x0:x1]
        here += cover * (paint - here)
    return finish(rng, out), text, turned_boxes((boxes - [mx, my, mx, my]) / scale, c, s, cx, cy)


def turned_boxes(boxes, c, s, cx, cy):
    """Upright boxes, in parts of the side, around boxes that are turned about the origin and moved to (cx, cy)."""
    mx, my = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    hx, hy = (boxes[:, 2] - boxes[:, 0]) / 2, (boxes[:, 3] - boxes[:, 1]) / 2
    x, y = cx + c * mx - s * my, cy + s * mx + c * my
    wide, high = abs(c) * hx + abs(s) * hy, abs(s) * hx + abs(c) * hy
    return [tuple(b) for b in (np.stack([x - wide, y - high, x + wide, y + high], 1) / SIDE).tolist()]


def patch_labels(text, boxes, grid=GRID):
    """[tokens]: 0 nothing, else 1 + the index of the character whose box covers the patch's middle; of two the nearer."""
    middle = (np.arange(grid) + .5) / grid
    out = np.zeros((grid, grid), np.int64)
    best = np.full((grid, grid), np.inf)
    for character, (x0, y0, x1, y1) in zip(text, boxes):
        far = np.abs(middle[None, :] - (x0 + x1) / 2) + 0 * middle[:, None]
        inside = ((middle >= y0) & (middle <= y1))[:, None] & ((middle >= x0) & (middle <= x1))[None, :] & (far < best)
        out[inside] = 1 + CHARACTERS.index(character)
        best[inside] = far[inside]
    return out.reshape(-1)


def crops(rng, bank, number):
    """Single patches, uint8 [number, PATCH, PATCH, 3], and what they show [number]: 0 nothing, else 1 + the character's index.
    The character's middle lies in the patch; most have neighbours, as in a word."""
    kinds = len(CHARACTERS)
    cover = np.zeros((number, PATCH, PATCH), np.uint8)
    labels = rng.integers(1, kinds + 1, number)
    fonts = rng.integers(0, len(bank.train), number)
    sizes = rng.integers(0, len(CROP_SIZES), number)
    empty = rng.random(number) < .1
    for i, h in enumerate(CROP_SIZES):
        at = np.flatnonzero((sizes == i) & ~empty)
        glyph = fonts[at] * kinds + labels[at] - 1
        patches = bank.patches[h]
        # The patch's left upper corner in the cell, so that the middle is anywhere but at the very edge.
        corner = np.round(bank.middle[h][glyph] - rng.uniform(2, PATCH - 2, (len(at), 2))).astype(int)
        x = np.clip(corner[:, 0], 0, patches.shape[2] - 1)
        y = np.clip(corner[:, 1], 0, patches.shape[1] - 1)
        seen = patches[glyph, y, x]
        advance = bank.advance[h][bank.train].reshape(-1)
        gap = rng.uniform(0, .12 * h, len(at))
        for side in (-1, 1):
            there = rng.random(len(at)) < .6
            beside = fonts[at] * kinds + rng.integers(0, kinds, len(at))
            step = advance[glyph] + gap if side == 1 else -(advance[beside] + gap)
            x2 = np.clip(np.round(x - step).astype(int), 0, patches.shape[2] - 1)
            np.maximum(seen, patches[beside, y, x2] * there[:, None, None], out=seen)
        cover[at] = seen
    labels[empty] = 0
    colours = pairs(rng, number)
    paint = contrasting(rng, colours)
    spots = rng.integers(0, SIDE - PATCH + 1, (2, number))
    every = np.lib.stride_tricks.sliding_window_view(fields(), (PATCH, PATCH), (1, 2))
    mix = every[rng.integers(0, len(every), number), spots[0], spots[1]][..., None]
    alpha = cover.astype(np.float32)[..., None] * np.float32(1 / 255)
    out = mix * (colours[:, 1] - colours[:, 0])[:, None, None] + colours[:, 0][:, None, None]
    out += alpha * (paint[:, None, None] - out)
    out *= rng.uniform(.85, 1.1, (number, 1, 1, 1)).astype(np.float32)
    start = int(rng.integers(0, noise().size // 2))
    if out.size < noise().size // 2:
        grain = np.maximum(rng.uniform(-6, 9, (number, 1, 1, 1)), 0).astype(np.float32)
        out += noise()[start:start + out.size].reshape(out.shape) * grain
    out += .5
    return np.clip(out, 0, 255, out=out).astype(np.uint8), labels


def questions(rng, text, number):
    """Up to `number` different questions about a text, most of them for the whole of it."""
    made = []
    noun = "digit" if text.isdigit() else "letter"
    skill = "read/number" if text.isdigit() else "read/word"
    whole = ["What does it say?", "Read this.", "What is written here?"]
    if text.isdigit():
        whole.append("Which number is this?")
    elif text in WORDS:
        whole.append("Which word is this?")
    for i in range(6 * number):
        way = (0, 1, 0, 2)[i % 4]
        if way == 0:
            question = Question(skill, whole[rng.integers(len(whole))], f"It says {text}.", (text,))
        elif way == 1:
            at = int(rng.integers(len(text)))
            last = at == len(text) - 1 and rng.random() < .7
            question = Question("read/letter", f"What is the {'last' if last else ORDER[at]} {noun}?", f"{text[at]}.",
                                (f"It is {text[at]}", f"The {'last' if last else ORDER[at]} {noun} is {text[at]}"))
        else:
            count = NUMBERS[len(text)]
            question = Question("read/length", f"How many {noun}s are there?", count[0].upper() + count[1:] + ".",
                                (str(len(text)), f"There {'is' if len(text) == 1 else 'are'} {count}"))
        if all(question.text != q.text for q in made):
            made.append(question)
            if len(made) == number:
                break
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    build(parser.parse_args().build)
