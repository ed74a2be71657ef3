"""The vocabulary: special tokens of the family, 256 bytes to fall back on, and words of this small world."""
import json

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import GemmaTokenizer

import act
import clips
import reason
import sentences
import sounds
import text
import world
from thing_names import NAMES

SPECIALS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<|turn>", "<turn|>", "<|image>", "<|image|>", "<image|>",
            "<|audio>", "<|audio|>", "<audio|>", "<|video|>", "<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>",
            "<|think|>", "<|tool>", "<tool|>", "<|tool_response>", "<tool_response|>", '<|"|>']
NAMED = {"boi_token": "<|image>", "image_token": "<|image|>", "eoi_token": "<image|>", "boa_token": "<|audio>",
         "audio_token": "<|audio|>", "eoa_token": "<audio|>", "sot_token": "<|turn>", "eot_token": "<turn|>"}
VOCAB_SIZE = 2048
# Turns of the family, shorter than the published template: arguments of tools are texts, numbers and booleans. A call, its
# response and what is said of it are one turn. The prompt never opens or closes a thought: the model does, where it needs one.
CHAT_TEMPLATE = r"""{%- macro value(it) -%}
{{ '<|"|>' ~ it ~ '<|"|>' if it is string else ('true' if it else 'false') if it is boolean else it }}
{%- endmacro -%}
{%- macro pairs(them) -%}
{%- for key, it in them | dictsort -%}{{ ',' if not loop.first }}{{ key }}:{{ value(it) }}{%- endfor -%}
{%- endmacro -%}
{%- macro said(content) -%}
{%- if content is string -%}{{ content | trim }}
{%- else -%}{%- for part in content or [] -%}
{{ part['text'] | trim if part['type'] == 'text' else '<|' + part['type'] + '|>' }}
{%- endfor -%}{%- endif -%}
{%- endmacro -%}
{%- macro declared(tool) -%}
<|tool>declaration:{{ tool['name'] }}{description:{{ value(tool['description'] or '') }}
{%- if tool['parameters'] -%},parameters:{
{%- if tool['parameters']['properties'] -%}properties:{
{%- for key, it in tool['parameters']['properties'] | dictsort -%}
{{ ',' if not loop.first }}{{ key }}:{
{%- if it['description'] -%}description:{{ value(it['description']) }},{%- endif -%}
type:{{ value(it['type'] | upper) }}}
{%- endfor -%}},{%- endif -%}
{%- if tool['parameters']['required'] -%}required:[
{%- for key in tool['parameters']['required'] -%}{{ ',' if not loop.first }}{{ value(key) }}{%- endfor -%}],{%- endif -%}
type:{{ value('OBJECT') }}}{%- endif -%}}<tool|>
{%- endmacro -%}
{{- bos_token -}}
{%- set system = messages and messages[0]['role'] in ['system', 'developer'] -%}
{%- set thinks = enable_thinking is defined and enable_thinking -%}
{%- if system or thinks or tools -%}
{{ '<|turn>system\n' }}{{ '<|think|>\n' if thinks }}{{ said(messages[0]['content']) if system }}
{%- for tool in tools or [] -%}{{ declared(tool['function']) }}{%- endfor -%}
{{ '<turn|>\n' }}
{%- endif -%}
{%- set turn = namespace(open=false, called='') -%}
{%- for message in messages -%}
{%- if system and loop.first -%}
{%- elif message['role'] == 'tool' -%}
<|tool_response>response:{{ message['name'] or turn.called }}{
{%- if message['content'] is mapping -%}{{ pairs(message['content']) }}
{%- else -%}value:{{ value(said(message['content'])) }}{%- endif -%}}<tool_response|>
{%- else -%}
{%- set model = message['role'] == 'assistant' -%}
{%- if not (model and turn.open) -%}{{ '<|turn>' + ('model' if model else message['role']) + '\n' }}{%- endif -%}
{%- for call in message['tool_calls'] or [] -%}
{%- set turn.called = call['function']['name'] -%}
<|tool_call>call:{{ turn.called }}{
{%- if call['function']['arguments'] is mapping -%}{{ pairs(call['function']['arguments']) }}
{%- else -%}{{ call['function']['arguments'] }}{%- endif -%}}<tool_call|>
{%- endfor -%}
{%- if model and message['content'] is string -%}{{ message['content'].split('<channel|>')[-1] | trim }}
{%- else -%}{{ said(message['content']) }}{%- endif -%}
{%- set turn.open = model and not loop.last and loop.nextitem['role'] == 'tool' -%}
{{ '<turn|>\n' if not turn.open }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt and not turn.open -%}{{ '<|turn>model\n' }}{%- endif -%}
"""


def corpus():
    rng = np.random.default_rng(1)
    for _ in range(3000):
        things = world.random_scene(rng)
        for q in world.questions(rng, things, 8) + [world.describe(rng, things)]:
            yield f"{q.text}\n{q.answer}"
    for q in text.all_talk():
        yield f"user\n{q.text}\nmodel\n{q.answer}"
    for _ in range(12000):
        q = act.questions(rng)
        yield f"{q.text}\n{q.answer}"
        q = reason.questions(rng)
        yield f"{q.text}\nthought\n{q.thought}{q.answer}"
    for word in act.corpus():  # as in a sentence, and as after a quotation mark
        yield f" {word} {word}"
        yield "\n".join([word] * 12)
    for word in sentences.all_sentences():
        yield f"{world.sentence(word)}"
    for name in NAMES:
        for _ in range(6):
            yield f"Is this {name}?\nIt is {name}. What is on the left? on the right? It says. How many letters are there?"
    for _ in range(600):
        _, _, asked = clips.clip(rng)
        for q in asked:
            yield f"{q.text}\n{q.answer}"
        _, described = sounds.draw(rng)
        for q in sounds.questions(rng, described, 3):
            yield f"{q.text}\n{q.answer}"


def train(cache=None):
    """Byte pairs learned from this world's own sentences, as the tokenizer class of the family; kept in the folder `cache`."""
    if cache and cache.exists():
        return GemmaTokenizer.from_pretrained(cache)
    learner = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    learner.normalizer = normalizers.Replace(" ", "\u2581")
    # No entry reaches over a line's end, a word's begin or a punctuation mark, so text can be encoded piece by piece.
    learner.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex("\n"), "isolated"), pre_tokenizers.Split("\u2581", "merged_with_next"),
        pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Digits(individual_digits=True),
        # Words in capitals are spelled, so that reading them is naming one character after the other. The space before a
        # capital stays alone: no merge then reaches into such a word when the entries are used without this rule.
        pre_tokenizers.Split(Regex("\u2581(?=[A-Z])|[A-Z](?=[A-Z])|(?<=[A-Z])[A-Z]"), "isolated")])
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    printable = [chr(c) for c in range(33, 127)] + ["\n", "\u2581"]
    learner.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, special_tokens=SPECIALS + bytes_, initial_alphabet=printable, show_progress=False))
    learned = json.loads(learner.to_str())["model"]
    made = GemmaTokenizer(
        vocab=learned["vocab"], merges=[tuple(m) for m in learned["merges"]],
        extra_special_tokens=[s for s in SPECIALS[5:] if s not in NAMED.values()], model_specific_special_tokens=NAMED,
        padding_side="left", model_max_length=2048)
    if cache:  # whole or not at all, should this be stopped
        new = cache.with_name(cache.name + ".new")
        made.save_pretrained(new)
        new.replace(cache)
    return made
