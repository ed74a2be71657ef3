"""What each stage of the training shows. Later stages keep some of what came before."""
import letters
import speech
import things

# Data that is built beforehand, by name: how to load it from the data folder.
BANKS = {"things": things.load, "letters": letters.load, "speech": lambda folder: speech.Pool(folder / "speech")}
# Which of it a kind needs.
NEEDS = {"things": "things", "letters": "letters", "spoken": "speech", "aloud": "speech", "heard matches": "speech",
         "after_aloud": "speech"}

# Share of the time, and what batches are drawn from, by weight. Kinds whose data is not there are left out.
PLAN = (
    # Words and the grammar of the world; what a corner is.
    (.03, {"told": 2, "talk": 1, "act": 1, "crops": 2}),
    (.05, {"crops": 3, "told": 1.5, "talk": .5, "act": .5, "spoken": 1}),
    # What crosses the borders of patches; what is heard.
    (.08, {"pairs": 3, "crops": 1.5, "letters": .7, "told": .7, "talk": .3, "act": .5, "spoken": 2}),
    (.20, {"talk": .5, "act": 1.2, "reason": 2, "spoken": 5, "aloud": .5, "scenes": 1.5, "letters": 1.5, "crops": .5, "things": 2,
           "matches": .3}),
    # Everything.
    (1., EVERYTHING := {"talk": .5, "act": 1, "reason": 1.8, "spoken": 4.5, "aloud": 1.5, "scenes": 1.5, "captions": .3,
                        "asked": .6, "letters": 2.6, "crops": .5, "things": 2.6, "clips": .6, "sounds": .5, "matches": .25,
                        "heard matches": .3, "after": 4., "after_aloud": 2.}),
)
# A run that begins with the weights of another needs no stages, and has more of what was behind then: spoken questions about
# pictures.
GO_ON = ((1., {**EVERYTHING, "aloud": 9., "after_aloud": 4.}),)


def mix_at(share, banks, plan=PLAN):
    """Probabilities of the kinds at a share of the time."""
    for part, mix in plan:
        if share < part:
            break
        share -= part
    mix = {k: w for k, w in mix.items() if k not in NEEDS or NEEDS[k] in banks}
    return {k: w / sum(mix.values()) for k, w in mix.items()}
