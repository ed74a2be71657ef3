"""Training rows. A row is a prefix, often a picture, and slots that do not see each other: questions with their answers.

    <bos><|turn>user\n [<|image> 64 patches <image|>] | question<turn|>\n<|turn>model\n[thought] answer<turn|> | question …

So a picture is paid for once and asked about many times. Prefix and slots have fixed lengths, so that compiled code is reused.
"""
import numpy as np

import act
import clips
import labels
import letters
import mel
import phonemes
import reason
import recording
import sounds
import speech
import text
import things
import world
from pictures import GRID, crops, draw, patch_labels, patches

NOTHING = -100  # a label that does not count
PICTURE = GRID * GRID
# Lengths of the prefix, number of slots and their length.
SHAPES = {"picture": (72, 9, 24), "few": (72, 4, 24), "wide": (72, 3, 88),
          "short": (8, 11, 28), "text": (8, 7, 44), "longer": (8, 5, 66), "long": (8, 3, 104), "clip": (304, 4, 32), "crops": (72, 0, 0), "asked": (96, 1, 24), "told": (168, 0, 0),
          "after": (176, 4, 44), "after aloud": (176, 3, 88)}
# Rows of a batch, so that all take about the same time.
ROWS = {"picture": 6, "few": 10, "wide": 5, "short": 5, "text": 5, "longer": 5, "long": 5, "clip": 4, "crops": 24, "asked": 14,
        "after": 5, "after aloud": 4}
SHAPE_OF = {"scenes": "picture", "pairs": "picture", "told": "picture", "captions": "wide", "aloud": "wide", "things": "few",
            "letters": "few", "sounds": "long", "clips": "clip", "crops": "crops", "asked": "asked", "after": "after",
            "after_aloud": "after aloud"}
WRITE_DOWN = ("Write down what you hear.", "What was said?", "What did I say?", "Write this down.")
# Kinds without a picture: a batch has slots as long as its first question asks for, and only questions that want such.
TEXT_SHAPES = ("short", "text", "longer", "long")
LENGTHS = {"talk": TEXT_SHAPES, "act": TEXT_SHAPES, "reason": TEXT_SHAPES, "spoken": TEXT_SHAPES[1:]}
MATCHES = {"matches": 16, "heard matches": 12}  # pairs of a batch
SAID_TWICE = ("Is that so?", "Is that right?", "Is that true?")


class Row:
    """One row being made."""

    def __init__(self, shape):
        P, N, S = SHAPES[shape]
        self.shape, length = (P, N, S), P + N * S
        self.ids, self.positions, self.block = np.zeros(length, np.int64), np.zeros(length, np.int64), np.zeros(P, np.int64)
        self.labels = np.full(length, NOTHING)
        self.prefix, self.used, self.skills = 0, 0, []
        self.pictures, self.named, self.sounds, self.spoken = [], [], [], []
        self.least = 0  # slots that need no more tokens are refused

    def begin(self, ids):
        self.ids[self.prefix:self.prefix + len(ids)] = ids
        self.prefix += len(ids)
        self.positions[:self.prefix] = np.arange(self.prefix)

    def see(self, pixels, named):
        """The picture whose tokens are the last of the prefix."""
        self.block[self.prefix - PICTURE:self.prefix] = len(self.pictures) + 1
        self.pictures.append(patches(pixels))
        self.named.append(named)

    def slot(self, asked, said, skill, sound=None, spoken=None):
        """Whether there was room, and the slot is not far too long; `said` is what is learned."""
        P, N, S = self.shape
        count = len(asked) + len(said)
        if self.used == N or not self.least < count <= S:
            return False
        at = P + self.used * S
        self.ids[at:at + count] = asked + said
        self.positions[at:at + S] = self.prefix + np.arange(S)
        first = at + len(asked) - 1
        self.labels[first:first + len(said)] = said  # each token foretells the next
        if sound is not None:
            self.sounds.append(sound)
            self.spoken.append(spoken)
        self.used += 1
        self.skills.append(skill)
        return True


def heard(rng, pool, sentence):
    """Frames of a sentence in a random voice, in a quarter of cases as recorded in a bad room."""
    return speech.frames(rng, pool.pick(rng, sentence), hard=rng.random() < .25)


def spoken_alone(pool, rng):
    """Questions without a picture that a pool can speak, with their answers."""
    talk, _ = text.split()
    found = {q.text: q for qs in talk.values() for q in qs if pool.clips_of(q.text)}
    for _ in range(6000):
        for q in (act.questions(rng), reason.questions(rng)):
            if pool.clips_of(q.text):
                found.setdefault(q.text, q)
    return list(found.values())


def described(rng, pool, scene, set="train"):
    """Samples of the things of a scene as somebody names them one after the other, all by one voice if it said all of them;
    None if one was never said."""
    clips = [pool.clips_of(phrase, set) for phrase in world.phrases(scene)]
    if not clips or not all(clips):
        return None
    voice = clips[0][rng.integers(len(clips[0]))][2]
    said = []
    for found in clips:
        own = [c for c in found if c[2] == voice] or found
        said += [pool.samples_of(own[rng.integers(len(own))]), np.zeros(int(rng.uniform(.02, .15) * recording.RATE), np.float32)]
    return np.concatenate(said[:-1])


class Rows:
    """Makes batches of the kinds of `KINDS` from a numpy generator."""

    def __init__(self, tokenizer, banks):
        self.banks = banks
        self.encode = lambda words: tokenizer(words, add_special_tokens=False).input_ids
        ident = self.ident = tokenizer.convert_tokens_to_ids
        self.start = [ident("<bos>"), ident("<|turn>")] + self.encode("user\n")
        self.image = [ident("<|image>")] + [ident("<|image|>")] * PICTURE
        self.image_end = [ident("<image|>")]
        self.audio = ident("<|audio>"), ident("<|audio|>"), ident("<audio|>")
        self.between = [ident("<turn|>")] + self.encode("\n") + [ident("<|turn>")] + self.encode("model\n")
        self.end = [ident("<turn|>")]
        self.again = self.encode("\n") + [ident("<|turn>")] + self.encode("user\n")
        self.think = [ident("<|channel>")] + self.encode("thought\n"), [ident("<channel|>")]
        self.known = {}
        self.talk, _ = text.split()
        self.talk_skills = sorted(self.talk)
        if "speech" in banks:
            self.aloud = spoken_alone(banks["speech"], np.random.default_rng(0))

    def refresh(self):
        """Takes in what was spoken into the pool since."""
        if "speech" in self.banks:
            self.banks["speech"].refresh()
            self.aloud = spoken_alone(self.banks["speech"], np.random.default_rng(0))

    def encoded(self, words):
        """Of what is said again and again, tokens are kept."""
        if words not in self.known:
            if len(self.known) > 200_000:
                self.known.clear()
            self.known[words] = self.encode(words)
        return self.known[words]

    def answer(self, question):
        said = self.encoded(question.answer) + self.end
        if question.thought:
            said = self.think[0] + self.encoded(question.thought) + self.think[1] + said
        return said

    def ask(self, row, question):
        return row.slot(self.encoded(question.text) + self.between, self.answer(question), question.skill)

    def ask_aloud(self, row, question, frames, words=""):
        """A question that is heard (frames [n, 640]); typed `words` may follow."""
        asked = self.sound(frames) + (self.encoded(words) if words else []) + self.between
        spoken = phonemes.of(speech.spoken(question.text))
        # What is asked aloud is counted apart from the same in writing.
        skill = question.skill if words else "aloud " + question.skill.split("/")[0]
        return row.slot(asked, self.answer(question), skill, frames, spoken if len(spoken) < len(frames) else [])

    def sound(self, frames):
        begin, soft, end = self.audio
        return [begin] + [soft] * len(frames) + [end]

    def picture_row(self, shape, pixels, named):
        row = Row(shape)
        row.begin(self.start + self.image)
        row.see(pixels, named)
        row.begin(self.image_end)
        return row

    def plain_row(self, shape, least=0):
        row = Row(shape)
        row.begin(self.start)
        row.least = least
        return row

    # One method a kind: a row of it.

    def row_scenes(self, rng, most=world.MOST_THINGS):
        things = world.random_scene(rng, most)
        row = self.picture_row("picture", draw(rng, things), patch_labels(things))
        for question in world.questions(rng, things, 9) + [world.describe(rng, things)]:
            self.ask(row, question)
        return row

    def row_pairs(self, rng):
        return self.row_scenes(rng, 2)

    def row_captions(self, rng):
        things = world.random_scene(rng)
        row = self.picture_row("wide", draw(rng, things), patch_labels(things))
        for question in [world.describe(rng, things)] + [q for q in world.questions(rng, things, 6) if q.thought]:
            self.ask(row, question)
        return row

    def row_told(self, rng):
        """Questions about a scene that is told, not shown: the grammar of the world, cheap to learn from."""
        things = world.random_scene(rng, 4)
        row = Row("picture")
        told = self.start + self.encode(world.caption(things) + " ")
        if len(told) > row.shape[0]:
            return self.row_told(rng)
        row.begin(told)
        for question in world.questions(rng, things, 9):
            self.ask(row, question)
        return row

    def row_clips(self, rng):
        """A video as the processor of the family writes it: the time of each frame, then the frame."""
        pixels, scenes, asked = clips.clip(rng)
        row = Row("clip")
        row.begin(self.start)
        for i, frame in enumerate(pixels):
            row.begin(self.encoded(f"{' ' if i else ''}00:{i:02} ") + self.image)
            row.see(frame, patch_labels(scenes[i]))
            row.begin(self.image_end)
        for question in asked:
            self.ask(row, question)
        return row

    # Kinds of `LENGTHS`: one question is asked in the row, if it fits.

    def ask_talk(self, rng, row):
        pool = self.talk[self.talk_skills[rng.integers(len(self.talk_skills))]]
        return self.ask(row, pool[rng.integers(len(pool))])

    def ask_act(self, rng, row):
        return self.ask(row, act.questions(rng))

    def ask_reason(self, rng, row):
        return self.ask(row, reason.questions(rng))

    def ask_spoken(self, rng, row):
        """Sentences that are heard: their words, if that is asked in writing, or the answer to them."""
        pool = self.banks["speech"]
        if self.aloud and rng.random() < .35:
            question = self.aloud[rng.integers(len(self.aloud))]
            return self.ask_aloud(row, question, heard(rng, pool, question.text))
        said = pool.texts[rng.integers(len(pool.texts))]
        question = world.Question("hear/words", said, world.sentence(said))
        return self.ask_aloud(row, question, heard(rng, pool, said), WRITE_DOWN[rng.integers(len(WRITE_DOWN))])

    def plain_rows(self, rng, kind):
        """Rows without a picture. How long their slots are is chosen as often as questions want such."""
        ask, shapes = getattr(self, "ask_" + kind), LENGTHS[kind]
        sizes = [0] + [SHAPES[shape][2] for shape in shapes]
        at = len(shapes) - 1
        trial = self.plain_row(shapes[-1])
        if ask(rng, trial):
            used = int((trial.labels != NOTHING).nonzero()[0][-1]) + 2 - SHAPES[shapes[-1]][0]
            at = next(i for i, size in enumerate(sizes[1:]) if used <= size)
        rows = []
        for _ in range(ROWS[shapes[at]]):
            row = self.plain_row(shapes[at], sizes[at])
            for _ in range(6 * row.shape[1]):
                if row.used == row.shape[1]:
                    break
                ask(rng, row)
            rows.append(row)
        return rows

    def row_things(self, rng):
        bank = self.banks["things"]
        pixels, placed = things.draw(rng, bank)
        named = things.patch_labels(placed)
        row = self.picture_row("few", pixels, np.where(named > 0, named - 1 + labels.FIRST_NAME, labels.NO_THING))
        for question in things.questions(rng, placed, 4):
            self.ask(row, question)
        return row

    def row_letters(self, rng):
        pixels, written, boxes = letters.draw(rng, self.banks["letters"])
        named = letters.patch_labels(written, boxes)
        row = self.picture_row("few", pixels, np.where(named > 0, named - 1 + labels.FIRST_CHARACTER, labels.NO_THING))
        for question in letters.questions(rng, written, 4):
            self.ask(row, question)
        return row

    def row_aloud(self, rng):
        """Spoken questions about a picture."""
        pool = self.banks["speech"]
        scene = world.random_scene(rng)
        row = self.picture_row("wide", draw(rng, scene), patch_labels(scene))
        if rng.random() < .4:
            self.state_aloud(row, rng, pool, scene)
        for question in world.questions(rng, scene, 5):
            if pool.clips_of(question.text):
                self.ask_aloud(row, question, heard(rng, pool, question.text))
        return row

    def state_aloud(self, row, rng, pool, scene):
        """Something is said of the picture: does it match?"""
        thing, holds = world.statement(rng, scene)
        phrase, = world.phrases([thing])
        if pool.clips_of(phrase):
            question = world.Question("join/match", phrase, "Yes." if holds else "No.")
            self.ask_aloud(row, question, heard(rng, pool, phrase), SAID_TWICE[rng.integers(len(SAID_TWICE))])

    # Later turns of a conversation: what was shown, asked and answered before stands in the prefix.

    def shown(self, rng):
        """A picture, its labels, and a way to ask about it."""
        what = ("scenes", "scenes", "things", "letters")[rng.integers(4)]
        if what == "things" and what in self.banks:
            pixels, placed = things.draw(rng, self.banks["things"])
            named = things.patch_labels(placed)
            return pixels, np.where(named > 0, named - 1 + labels.FIRST_NAME, labels.NO_THING), \
                lambda n: things.questions(rng, placed, n)
        if what == "letters" and what in self.banks:
            pixels, written, boxes = letters.draw(rng, self.banks["letters"])
            named = letters.patch_labels(written, boxes)
            return pixels, np.where(named > 0, named - 1 + labels.FIRST_CHARACTER, labels.NO_THING), \
                lambda n: letters.questions(rng, written, n)
        scene = world.random_scene(rng)
        return draw(rng, scene), patch_labels(scene), \
            lambda n: world.questions(rng, scene, n) + [world.describe(rng, scene)] * (rng.random() < .2)

    def unseen(self, rng):
        """A question that asks about no picture."""
        kind = rng.integers(5)
        if kind < 2:
            pool = self.talk[self.talk_skills[rng.integers(len(self.talk_skills))]]
            return pool[rng.integers(len(pool))]
        return act.questions(rng) if kind == 2 else reason.questions(rng)

    def begin_later(self, rng, shape):
        """A row that begins with one to three turns, the last picture of which can be asked about: it, and how."""
        row = self.plain_row(shape)
        about = None
        for turn in range(int(rng.integers(1, 4))):
            room = row.shape[0] - row.prefix
            if rng.random() < (.6 if about is None else .25) and room > PICTURE + 50:
                pixels, named, about = self.shown(rng)
                row.begin(self.image)
                row.see(pixels, named)
                row.begin(self.image_end)
            question = next(iter(about(1)), None) if about and rng.random() < .7 else None
            question = question or self.unseen(rng)
            if question.skill.startswith("talk/no"):
                continue  # not true where there is a picture
            tokens = self.encoded(question.text) + self.between + self.answer(question) + self.again
            if row.prefix + len(tokens) <= row.shape[0]:
                row.begin(tokens)
        if about and rng.random() < .4 and row.shape[0] - row.prefix > PICTURE + 2:
            pixels, named, about = self.shown(rng)  # the camera shows another one with each message
            row.begin(self.image)
            row.see(pixels, named)
            row.begin(self.image_end)
        return row, about

    def row_after(self, rng):
        row, about = self.begin_later(rng, "after")
        for _ in range(12):
            if row.used == row.shape[1]:
                break
            if about and rng.random() < .65:
                for question in about(1):
                    self.ask(row, question)
            else:
                question = self.unseen(rng)
                if not question.skill.startswith("talk/no"):
                    self.ask(row, question)
        return row

    def row_after_aloud(self, rng):
        pool = self.banks["speech"]
        row, about = self.begin_later(rng, "after aloud")
        for _ in range(12):
            if row.used == row.shape[1]:
                break
            if about and rng.random() < .6:
                found = [q for q in about(4) if pool.clips_of(q.text)][:1]
            else:
                found = [self.aloud[rng.integers(len(self.aloud))]]
            for question in found:
                self.ask_aloud(row, question, heard(rng, pool, question.text))
        return row

    def row_asked(self, rng):
        """One question, asked before its picture is shown."""
        what = ("scenes", "things", "letters")[rng.integers(3)]
        if what in self.banks or what == "scenes":
            if what == "things":
                pixels, placed = things.draw(rng, self.banks["things"])
                named, asked = things.patch_labels(placed), things.questions(rng, placed, 1)
                named = np.where(named > 0, named - 1 + labels.FIRST_NAME, labels.NO_THING)
            elif what == "letters":
                pixels, written, boxes = letters.draw(rng, self.banks["letters"])
                named, asked = letters.patch_labels(written, boxes), letters.questions(rng, written, 1)
                named = np.where(named > 0, named - 1 + labels.FIRST_CHARACTER, labels.NO_THING)
            else:
                scene = world.random_scene(rng)
                pixels, named = draw(rng, scene), patch_labels(scene)
                asked = [q for q in world.questions(rng, scene, 2) if not q.thought]
            begin = self.start + self.encoded(asked[0].text) + self.image if asked else []
            if asked and len(begin) < SHAPES["asked"][0]:
                row = Row("asked")
                row.begin(begin)
                row.see(pixels, named)
                row.begin(self.image_end)
                if row.slot(self.between, self.answer(asked[0]), asked[0].skill):
                    return row
        return self.row_asked(rng)

    def row_sounds(self, rng):
        row = self.plain_row("long")
        while row.used < row.shape[1]:
            samples, described = sounds.draw(rng)
            question = sounds.questions(rng, described, 1)[0]
            frames = recording.cut(samples)
            asked = self.sound(frames) + self.encoded(question.text) + self.between
            if not row.slot(asked, self.answer(question), question.skill, frames, []):
                break
        return row

    def row_crops(self, rng):
        if "letters" in self.banks and rng.random() < .4:
            pixels, named = letters.crops(rng, self.banks["letters"], PICTURE)
            pixels = pixels.reshape(PICTURE, -1)
            named = np.where(named > 0, named - 1 + labels.FIRST_CHARACTER, labels.NO_THING)
        else:
            pixels, named = crops(rng, PICTURE)
        row = Row("crops")
        row.begin(self.start + self.image)
        row.block[row.prefix - PICTURE:row.prefix] = 1 + np.arange(PICTURE)  # none sees its neighbours
        row.pictures, row.named = [pixels], [named]
        row.begin(self.image_end)
        return row

    def matches(self, rng, pairs, aloud):
        """Pictures, then their descriptions, written or heard, in the same order, each alone in its row."""
        shape = "told" if aloud else "crops"
        shown, told = [], []
        for _ in range(100 * pairs):
            if len(shown) == pairs:
                return shown + told
            scene = world.random_scene(rng, 3) if aloud else world.random_scene(rng)
            if len(scene) < 2:
                continue
            row = Row(shape)
            if aloud:
                samples = described(rng, self.banks["speech"], scene)
                if samples is None:
                    continue
                frames = speech.frames(rng, samples, hard=rng.random() < .15)
                words = self.sound(frames)
                spoken = phonemes.of(" ".join(world.phrases(scene)))
                row.sounds, row.spoken = [frames], [spoken if len(spoken) < len(frames) else []]
            else:
                words = self.encode(world.caption(scene))
            if len(self.start + words) > row.shape[0]:
                continue
            row.begin(self.start + words)
            shown.append(self.picture_row(shape, draw(rng, scene), patch_labels(scene)))
            told.append(row)
        raise LookupError("nobody in the pool describes what can be seen; README.md says how that is spoken")

    def content(self, row):
        """Which tokens of a prefix are what is embedded: patches, frames of sound, or words after the beginning of the turn."""
        out = np.zeros(len(row.block), bool)
        if row.pictures:
            out[row.block > 0] = True
        elif row.sounds:
            out[row.ids == self.audio[1]] = True
        else:
            out[len(self.start):row.prefix] = True
        return out

    def batch(self, rng, kind):
        """Arrays of a batch, in a dictionary; everything but pictures in 8 bits is int64 or f32."""
        if kind in MATCHES:
            made = self.matches(rng, MATCHES[kind], kind == "heard matches")
        elif kind in LENGTHS:
            made = self.plain_rows(rng, kind)
        else:
            made = [getattr(self, "row_" + kind)(rng) for _ in range(ROWS[SHAPE_OF[kind]])]
        out = {key: np.stack([getattr(r, key) for r in made]) for key in ("ids", "labels", "positions", "block")}
        out["prefix"] = np.array([r.prefix for r in made])
        out["shape"] = made[0].shape
        out["skills"] = [r.skills for r in made]
        if kind in MATCHES:
            out["content"] = np.stack([self.content(r) for r in made])
        pictures = [p for r in made for p in r.pictures]
        if pictures:
            y, x = np.divmod(np.arange(PICTURE), GRID)
            out["pictures"] = np.stack(pictures)
            out["where"] = np.broadcast_to(np.stack([x, y], -1), (len(pictures), PICTURE, 2)).copy()
            out["named"] = np.stack([n for r in made for n in r.named])
        sounds = [s for r in made for s in r.sounds]
        if sounds:
            out["sound"] = np.concatenate(sounds).astype(np.float32)
            out["spectrum"] = mel.spectrum(out["sound"])
            out["lengths"] = np.array([len(s) for s in sounds])
            out["spoken"] = [s for r in made for s in r.spoken]
        return out
