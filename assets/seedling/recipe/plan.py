"""What each stage of the training shows. Later stages keep some of what came before."""
import letters
import speech
import things

# Data that is built beforehand, by name: how to load it from the data folder.
BANKS = {"things": things.load, "letters": letters.load, "speech": lambda folder: speech.Pool(folder / "speech")}
# Which of it a kind needs.
NEEDS = {"things": "things", "letters": "letters", "spoken": "speech", "aloud": "speech"}

# Share of the time, and what batches are drawn from, by weight. Kinds whose data is not there are left out.
PLAN = (
    # Words, characters, names and sounds, for a model that has learned to see (FIRST).
    (.06, {"told": 1, "talk": 1.2, "act": 1.5, "reason": 1, "spoken": 3, "crops": 1, "things": 2, "letters": 2, "scenes": .7}),
    # Everything.
    (.50, {"scenes": 2, "captions": .5, "letters": 3, "things": 4, "crops": .6, "spoken": 4.5, "aloud": .7, "sounds": .4, "clips": .8,
           "told": .3, "talk": .5, "act": .8, "reason": 1.5, "matches": .5}),
    # Together: what is asked aloud about what is seen.
    (1., {"scenes": 2, "captions": .5, "letters": 2.5, "things": 3.5, "spoken": 4, "aloud": 2, "sounds": .3, "clips": .8, "talk": .4,
          "act": .7, "reason": 1.5, "matches": .5}),
)


def mix_at(share, banks):
    """Probabilities of the kinds at a share of the time."""
    for part, mix in PLAN:
        if share < part:
            break
        share -= part
    mix = {k: w for k, w in mix.items() if k not in NEEDS or NEEDS[k] in banks}
    return {k: w / sum(mix.values()) for k, w in mix.items()}
