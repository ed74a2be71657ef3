"""The vocabulary: special tokens of the family, 256 bytes to fall back on, and words of this small world."""
import json

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import GemmaTokenizer

import text
import world

SPECIALS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<|turn>", "<turn|>", "<|image>", "<|image|>", "<image|>",
            "<|audio>", "<|audio|>", "<audio|>", "<|video|>", "<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>",
            "<|think|>"]
NAMED = {"boi_token": "<|image>", "image_token": "<|image|>", "eoi_token": "<image|>", "boa_token": "<|audio>",
         "audio_token": "<|audio|>", "eoa_token": "<audio|>", "sot_token": "<|turn>", "eot_token": "<turn|>"}
VOCAB_SIZE = 1024
# Turns of the family, without the parts for thoughts and tools, which this model has not been taught yet.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\\n' }}"
    "{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] | trim }}{% else %}{{ '<|' + part['type'] + '|>' }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<turn|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn>model\\n' }}{% endif %}")


def corpus():
    rng = np.random.default_rng(1)
    for _ in range(3000):
        things = world.random_scene(rng)
        for q in world.questions(rng, things, 8) + [world.describe(rng, things)]:
            yield f"{q.text}\n{q.answer}"
    for q in text.all_talk():
        yield f"user\n{q.text}\nmodel\n{q.answer}"


def train():
    """Byte pairs learned from this world's own sentences, as the tokenizer class of the family."""
    learner = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    learner.normalizer = normalizers.Replace(" ", "\u2581")
    # No entry reaches over a line's end, a word's begin or a punctuation mark, so text can be encoded piece by piece.
    learner.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex("\n"), "isolated"), pre_tokenizers.Split("\u2581", "merged_with_next"),
        pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Digits(individual_digits=True)])
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    printable = [chr(c) for c in range(33, 127)] + ["\n", "\u2581"]
    learner.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, special_tokens=SPECIALS + bytes_, initial_alphabet=printable, show_progress=False))
    learned = json.loads(learner.to_str())["model"]
    return GemmaTokenizer(
        vocab=learned["vocab"], merges=[tuple(m) for m in learned["merges"]],
        extra_special_tokens=[s for s in SPECIALS[5:] if s not in NAMED.values()], model_specific_special_tokens=NAMED,
        padding_side="left", model_max_length=2048)
