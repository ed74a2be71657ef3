#!/usr/bin/env python3
"""A GGUF file of the shapes of Gemma 4 E2B with random weights in the mix of Q4_K_M, to measure speeds with; needs numpy.

    python3 random_e2b.py OUT.gguf [--layers 35]

Fewer layers make a smaller file for adapters with little memory: as in E2B four of seven of them share keys and values, every
fifth sees everything, and the vocabulary is whole. What such a model says means nothing.
"""
import argparse
import struct

import numpy as np

HIDDEN, INNER, HEADS, KV_HEADS, HEAD_DIM, FULL_DIM, PER_LAYER, WORDS = 1536, 6144, 8, 1, 256, 512, 256, 262_144
F32, Q4_K, Q6_K = 0, 12, 14
U32, FLOAT, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
ALIGNMENT = 32
TEMPLATE = """{{ bos_token }}{% for message in messages %}<|turn>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% elif part['type'] == 'image' %}<|image|>{% elif part['type'] == 'audio' %}<|audio|>{% elif part['type'] == 'video' %}<|video|>{% endif %}{% endfor %}{% endif %}<turn|>
{% endfor %}{% if add_generation_prompt %}<|turn>model
{% endif %}"""


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, it):
    pack = {U32: "<I", I32: "<i", FLOAT: "<f", BOOL: "<?"}
    if kind == STRING:
        return string(it)
    return struct.pack(pack[kind], it)


def entry(key, kind, it):
    if isinstance(it, list):
        body = struct.pack("<IIQ", ARRAY, kind, len(it)) + b"".join(value(kind, one) for one in it)
    else:
        body = struct.pack("<I", kind) + value(kind, it)
    return string(key) + body


def vocabulary():
    """Special tokens, bytes, printable characters, and as many made-up words as are missing."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<|turn>", "<turn|>", "<|image>", "<|image|>", "<image|>",
               "<|audio>", "<|audio|>", "<audio|>", "<|video|>"]
    tokens = special + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [3] * len(special) + [6] * 256
    plain = ["\u2581"] + [chr(code) for code in range(33, 127)]
    plain += [f"w{number}" for number in range(WORDS - len(tokens) - len(plain))]
    return tokens + plain, kinds + [1] * len(plain)


def metadata(layers, shared, sliding):
    tokens, kinds = vocabulary()
    inner = [INNER] * (layers - shared) + [2 * INNER] * shared
    key = "gemma4."
    return [
        ("general.architecture", STRING, "gemma4"), ("general.name", STRING, f"random E2B of {layers} layers"),
        ("general.file_type", U32, 15), (key + "block_count", U32, layers), (key + "context_length", U32, 131_072),
        (key + "embedding_length", U32, HIDDEN), (key + "feed_forward_length", I32, inner),
        (key + "attention.head_count", U32, HEADS), (key + "attention.head_count_kv", U32, KV_HEADS),
        (key + "rope.freq_base", FLOAT, 1e6), (key + "rope.freq_base_swa", FLOAT, 1e4),
        (key + "attention.layer_norm_rms_epsilon", FLOAT, 1e-6), (key + "attention.key_length", U32, FULL_DIM),
        (key + "attention.value_length", U32, FULL_DIM), (key + "attention.key_length_swa", U32, HEAD_DIM),
        (key + "attention.value_length_swa", U32, HEAD_DIM), (key + "final_logit_softcapping", FLOAT, 30.0),
        (key + "attention.sliding_window", U32, 512), (key + "attention.shared_kv_layers", U32, shared),
        (key + "embedding_length_per_layer_input", U32, PER_LAYER),
        (key + "attention.sliding_window_pattern", BOOL, sliding), (key + "rope.dimension_count", U32, FULL_DIM),
        (key + "rope.dimension_count_swa", U32, HEAD_DIM), ("tokenizer.ggml.model", STRING, "gemma4"),
        ("tokenizer.ggml.tokens", STRING, tokens), ("tokenizer.ggml.scores", FLOAT, [-1000.0] * len(tokens)),
        ("tokenizer.ggml.token_type", I32, kinds), ("tokenizer.ggml.merges", STRING, ["w 1"]),
        ("tokenizer.ggml.bos_token_id", U32, 2), ("tokenizer.ggml.eos_token_id", U32, 1),
        ("tokenizer.ggml.unknown_token_id", U32, 3), ("tokenizer.ggml.padding_token_id", U32, 0),
        ("tokenizer.ggml.add_bos_token", BOOL, True), ("tokenizer.ggml.add_space_prefix", BOOL, False),
        ("tokenizer.chat_template", STRING, TEMPLATE),
    ]


def tensors(layers, shared, sliding):
    """Name, shape with the longest stride first, format."""
    yield "token_embd.weight", (WORDS, HIDDEN), Q6_K
    yield "per_layer_token_embd.weight", (WORDS, layers * PER_LAYER), Q4_K
    yield "per_layer_model_proj.weight", (layers * PER_LAYER, HIDDEN), Q4_K
    yield "per_layer_proj_norm.weight", (PER_LAYER,), F32
    yield "output_norm.weight", (HIDDEN,), F32
    yield "rope_freqs.weight", (FULL_DIM // 2,), F32
    for layer in range(layers):
        dim, own = HEAD_DIM if sliding[layer] else FULL_DIM, layer < layers - shared
        inner = INNER if own else 2 * INNER
        block = f"blk.{layer}."
        for norm in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm", "post_norm"):
            yield f"{block}{norm}.weight", (HIDDEN,), F32
        yield f"{block}layer_output_scale.weight", (1,), F32
        yield f"{block}attn_q_norm.weight", (dim,), F32
        yield f"{block}attn_q.weight", (HEADS * dim, HIDDEN), Q4_K
        if own:
            yield f"{block}attn_k_norm.weight", (dim,), F32
            yield f"{block}attn_k.weight", (KV_HEADS * dim, HIDDEN), Q4_K
            yield f"{block}attn_v.weight", (KV_HEADS * dim, HIDDEN), Q6_K
        yield f"{block}attn_output.weight", (HIDDEN, HEADS * dim), Q4_K
        yield f"{block}ffn_gate.weight", (inner, HIDDEN), Q4_K
        yield f"{block}ffn_up.weight", (inner, HIDDEN), Q4_K
        yield f"{block}ffn_down.weight", (HIDDEN, inner), Q6_K if layer % 2 else Q4_K
        yield f"{block}inp_gate.weight", (PER_LAYER, HIDDEN), F32
        yield f"{block}proj.weight", (HIDDEN, PER_LAYER), F32


def size(shape, format):
    count = int(np.prod(shape))
    return {F32: 4 * count, Q4_K: count // 256 * 144, Q6_K: count // 256 * 210}[format]


def data(name, shape, format, random):
    """Bytes in pieces; weights of a matrix are about as large as makes its outputs as large as its inputs."""
    count, scale = int(np.prod(shape)), 1 / np.sqrt(shape[-1])
    if format == F32:
        if name == "rope_freqs.weight":
            turning = shape[0] // 4
            yield np.where(np.arange(shape[0]) < turning, 1.0, 1e30).astype("<f4").tobytes()
        elif len(shape) == 1:
            yield np.full(shape, 1.0, "<f4").tobytes()
        else:
            yield (random.standard_normal(count, "f4") * scale).astype("<f4").tobytes()
        return
    blocks, block = count // 256, 144 if format == Q4_K else 210
    for first in range(0, blocks, 1 << 16):
        many = min(1 << 16, blocks - first)
        piece = random.integers(0, 256, (many, block), np.uint8)
        # Scales of eight groups have 6 bits, about 32 of 64; weights are 0 to 15 of them, less as many times the least.
        factor = scale / (32 * 4.6) if format == Q4_K else scale / (64 * 18)
        halves = np.full(many, factor, "<f2").view(np.uint8).reshape(many, 2)
        if format == Q4_K:
            piece[:, 0:2] = halves
            piece[:, 2:4] = np.full(many, 7.5 * factor, "<f2").view(np.uint8).reshape(many, 2)
        else:
            piece[:, 208:210] = halves
        yield piece.tobytes()


def main():
    parser = argparse.ArgumentParser(description="A random model of the shapes of Gemma 4 E2B, as a GGUF file.")
    parser.add_argument("out")
    parser.add_argument("--layers", type=int, default=35, metavar="N", help="of 35, at least 10 and a multiple of 5")
    args = parser.parse_args()
    if args.layers < 10 or args.layers % 5:
        parser.error("--layers: expected a multiple of 5 from 10")
    layers, shared = args.layers, args.layers * 4 // 7 // 5 * 5
    sliding = [(layer + 1) % 5 != 0 for layer in range(layers)]
    entries, all_tensors = metadata(layers, shared, sliding), list(tensors(layers, shared, sliding))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(all_tensors), len(entries))
    head += b"".join(entry(*it) for it in entries)
    offset = 0
    for name, shape, format in all_tensors:
        head += string(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in reversed(shape))
        head += struct.pack("<IQ", format, offset)
        offset += -(-size(shape, format) // ALIGNMENT) * ALIGNMENT
    random = np.random.default_rng(0)
    with open(args.out, "wb") as file:
        file.write(head)
        file.write(bytes(-file.tell() % ALIGNMENT))
        for name, shape, format in all_tensors:
            for piece in data(name, shape, format, random):
                file.write(piece)
            file.write(bytes(-size(shape, format) % ALIGNMENT))
    print(f"{args.out}: {layers} layers, {shared} of them share keys and values, {offset / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
