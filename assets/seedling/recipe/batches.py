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
SHAPES = {"picture": (72, 9, 24), "few": (72, 4, 24), "wide": (72, 3, 88), "text": (8, 6, 52), "long": (8, 3, 104),
          "clip": (304, 4, 32), "crops": (72, 0, 0)}
# Rows of a batch, so that all take about the same time.
ROWS = {"picture": 6, "few": 10, "wide": 5, "text": 5, "long": 5, "clip": 4, "crops": 24}
SHAPE_OF = {"scenes": "picture", "pairs": "picture", "told": "picture", "captions": "wide", "aloud": "wide", "things": "few",
            "letters": "few", "talk": "text", "act": "text", "reason": "long", "spoken": "long", "sounds": "long", "clips": "clip",
            "crops": "crops"}
WRITE_DOWN = ("Write down what you hear.", "What was said?", "What did I say?", "Write this down.")
MATCHES = 16  # pairs of a batch


class Row:
    """One row being made."""

    def __init__(self, shape):
        P, N, S = SHAPES[shape]
        self.shape, length = (P, N, S), P + N * S
        self.ids, self.positions, self.block = np.zeros(length, np.int64), np.zeros(length, np.int64), np.zeros(P, np.int64)
        self.labels = np.full(length, NOTHING)
        self.prefix, self.used, self.skills = 0, 0, []
        self.pictures, self.named, self.sounds, self.spoken = [], [], [], []

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
        """Whether there was room; `said` is what is learned."""
        P, N, S = self.shape
        count = len(asked) + len(said)
        if self.used == N or count > S:
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

    def plain_row(self, shape):
        row = Row(shape)
        row.begin(self.start)
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

    def row_talk(self, rng):
        def question():
            pool = self.talk[self.talk_skills[rng.integers(len(self.talk_skills))]]
            return pool[rng.integers(len(pool))]
        return self.filled(self.plain_row("text"), question)

    def row_act(self, rng):
        return self.filled(self.plain_row("text"), lambda: act.questions(rng))

    def row_reason(self, rng):
        return self.filled(self.plain_row("long"), lambda: reason.questions(rng))

    def filled(self, row, question):
        """A row with all its slots used, if that can be had."""
        for _ in range(3 * row.shape[1]):
            if row.used == row.shape[1]:
                break
            self.ask(row, question())
        return row

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

    def row_spoken(self, rng):
        """Sentences that are heard: their words, if that is asked in writing, or the answer to them."""
        pool = self.banks["speech"]
        row = self.plain_row("long")
        for _ in range(9):
            if row.used == row.shape[1]:
                break
            if self.aloud and rng.random() < .35:
                question = self.aloud[rng.integers(len(self.aloud))]
                self.ask_aloud(row, question, heard(rng, pool, question.text))
            else:
                said = pool.texts[rng.integers(len(pool.texts))]
                question = world.Question("hear/words", said, world.sentence(said))
                self.ask_aloud(row, question, heard(rng, pool, said), WRITE_DOWN[rng.integers(len(WRITE_DOWN))])
        return row

    def row_aloud(self, rng):
        """Spoken questions about a picture."""
        pool = self.banks["speech"]
        scene = world.random_scene(rng)
        row = self.picture_row("wide", draw(rng, scene), patch_labels(scene))
        for question in world.questions(rng, scene, 5):
            if pool.clips_of(question.text):
                self.ask_aloud(row, question, heard(rng, pool, question.text))
        return row

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

    def matches(self, rng, pairs):
        """Pictures, then their written descriptions in the same order, each alone in its row."""
        shown, told = [], []
        while len(shown) < pairs:
            scene = world.random_scene(rng)
            words = self.encoded(world.caption(scene))
            if len(scene) < 2 or len(self.start + words) > SHAPES["crops"][0]:
                continue
            shown.append(self.picture_row("crops", draw(rng, scene), patch_labels(scene)))
            row = Row("crops")
            row.begin(self.start + words)
            told.append(row)
        return shown + told

    def content(self, row):
        """Which tokens of a prefix are what is embedded: patches, or words after the beginning of the turn."""
        out = np.zeros(len(row.block), bool)
        if row.pictures:
            out[row.block > 0] = True
        else:
            out[len(self.start):row.prefix] = True
        return out

    def batch(self, rng, kind):
        """Arrays of a batch, in a dictionary; everything but pictures in 8 bits is int64 or f32."""
        if kind == "matches":
            made = self.matches(rng, MATCHES)
        else:
            made = [getattr(self, "row_" + kind)(rng) for _ in range(ROWS[SHAPE_OF[kind]])]
        out = {key: np.stack([getattr(r, key) for r in made]) for key in ("ids", "labels", "positions", "block")}
        out["prefix"] = np.array([r.prefix for r in made])
        out["shape"] = made[0].shape
        out["skills"] = [r.skills for r in made]
        if kind == "matches":
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
