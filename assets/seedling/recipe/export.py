"""Writes the trained model as a published checkpoint folder, which the reference and every engine of the family load.

    python export.py --state RUN/state.pt --out MODEL

Beside it, heads.safetensors: what only training has. With --record, also cases with the reference's own states (prompt,
embeddings, every layer, logits, greedy answer), which `percept trace` reproduces; a test shows that the engine does.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import (Gemma4UnifiedAudioFeatureExtractor, Gemma4UnifiedForConditionalGeneration, Gemma4UnifiedProcessor)
from transformers.models.gemma4_unified.image_processing_gemma4_unified import Gemma4UnifiedImageProcessor
from transformers.models.gemma4_unified.video_processing_gemma4_unified import Gemma4UnifiedVideoProcessor

import world
from model import SIZES_OF, Trainee
from pictures import PATCH, draw
from tokenizer import CHAT_TEMPLATE, VOCAB_SIZE, train as train_tokenizer

TURN_END = "<turn|>"


def processor(tok):
    """The processor of the family with this model's patches; 70 tokens, the fewest it takes, are 8 by 8 of a square."""
    vision = dict(patch_size=PATCH // 3, max_soft_tokens=70, pooling_kernel_size=3)
    return Gemma4UnifiedProcessor(
        feature_extractor=Gemma4UnifiedAudioFeatureExtractor(feature_size=640, audio_samples_per_token=640),
        image_processor=Gemma4UnifiedImageProcessor(**vision), tokenizer=tok,
        video_processor=Gemma4UnifiedVideoProcessor(**vision), chat_template=CHAT_TEMPLATE, image_seq_length=70,
        audio_ms_per_token=40)


def export(state, folder):
    """The checkpoint folder of a saved state, weights in bf16."""
    saved = torch.load(state)
    tok = train_tokenizer(state.parent / "tokenizer")
    trainee = Trainee(saved["size"], tok.convert_tokens_to_ids, VOCAB_SIZE)
    trainee.load_state_dict(saved["model"])
    model = trainee.model.to(torch.bfloat16)
    stop = [1, tok.convert_tokens_to_ids(TURN_END)]
    model.generation_config.update(bos_token_id=2, eos_token_id=stop, pad_token_id=0, do_sample=False)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    # What only training has, so that another run can begin with the exported model.
    heads = {name: value.to(torch.bfloat16) for name, value in trainee.state_dict().items() if not name.startswith("model.")}
    save_file(heads, str(folder.parent / "heads.safetensors"))
    processor(tok).save_pretrained(folder)
    # Heads of full layers under the names that published checkpoints use.
    path = folder / "config.json"
    config = json.loads(path.read_text())
    text = config["text_config"]
    text.pop("per_layer_config", None)
    text.update(global_head_dim=trainee.config.text_config.head_dim,
                num_global_key_value_heads=SIZES_OF[saved["size"]]["gkv"])
    path.write_text(json.dumps(config, indent=2) + "\n")
    return saved


def messages(question, pictures):
    content = [{"type": "image", "path": p} for p in pictures] + [{"type": "text", "text": question}]
    return [{"role": "user", "content": content}]


def inputs_of(proc, question, images):
    """The prompt of a message as the model's inputs."""
    prompt = proc.apply_chat_template(messages(question, ["-"] * len(images)), add_generation_prompt=True, tokenize=False)
    return prompt, proc(text=prompt, images=images or None, return_tensors="pt", add_special_tokens=False)


@torch.no_grad()
def record(folder, name, question, picture=None, new_tokens=12):
    """A case in `folder`/cases with the states that the reference computes in f32 from the exported weights."""
    model = Gemma4UnifiedForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    proc = Gemma4UnifiedProcessor.from_pretrained(folder)
    images = [Image.open(folder / picture)] if picture else []
    prompt, inputs = inputs_of(proc, question, images)
    decoder, out, handles = model.model.language_model, {}, []

    def keep(key, pick=lambda o: o[0] if isinstance(o, tuple) else o):
        return lambda _module, _args, output: out.__setitem__(key, pick(output).detach()[0].clone())
    for i, layer in enumerate(decoder.layers):
        handles.append(layer.register_forward_hook(keep(f"layer.{i}")))
    handles.append(decoder.norm.register_forward_hook(keep("final_norm")))
    ids = inputs["input_ids"]
    types = inputs.get("mm_token_type_ids")
    given = {k: inputs[k] for k in ("pixel_values", "image_position_ids") if k in inputs}

    def masks(length):
        kinds = types if types is not None else torch.zeros_like(ids)
        kinds = torch.nn.functional.pad(kinds, (0, length - kinds.shape[1]))
        order = torch.arange(length)
        past = order[:, None] >= order[None, :]
        patch = kinds[0] == 1
        window = order[:, None] - order[None, :] < model.config.text_config.sliding_window
        far = torch.finfo(torch.float32).min
        return {kind: torch.zeros(length, length).masked_fill(~m, far)[None, None] for kind, m in (
            ("full_attention", past), ("sliding_attention", (past | (patch[:, None] & patch[None, :])) & window))}
    said = ids
    result = model(input_ids=ids, attention_mask=masks(ids.shape[1]), mm_token_type_ids=types, **given)
    states = dict(out)
    for handle in handles:
        handle.remove()
    states["logits"] = result.logits[0]
    tokens = []
    row = result.logits[0, -1]
    for k in range(new_tokens):
        states[f"step.{k}.logits"] = row
        tokens.append(int(row.argmax()))
        said = torch.cat([said, torch.tensor([[tokens[-1]]])], 1)
        if k + 1 < new_tokens:
            kinds = torch.nn.functional.pad(types, (0, k + 1)) if types is not None else None
            row = model(input_ids=said, attention_mask=masks(said.shape[1]), mm_token_type_ids=kinds, **given).logits[0, -1]
    states["input_ids"] = ids[0].int()
    states["tokens"] = torch.tensor(tokens, dtype=torch.int32)
    if "pixel_values" in inputs:
        states["pixel_values"] = inputs["pixel_values"]
        states["image_position_ids"] = inputs["image_position_ids"].int()
    cases = folder / "cases"
    cases.mkdir(exist_ok=True)
    # Long prompts are recorded by their last rows.
    for key, value in states.items():
        if key.startswith("layer.") or key == "final_norm":
            states[key] = value[-40:]
        elif key == "logits":
            states[key] = value[-8:]
    save_file({k: v.contiguous().clone() for k, v in states.items()}, str(cases / f"{name}.safetensors"))
    (cases / f"{name}.json").write_text(json.dumps(dict(
        name=name, messages=messages(question, [picture] if picture else []),
        sampling=dict(method="greedy", max_new_tokens=new_tokens, ignore_eos=True), prompt=prompt,
        input_ids=ids[0].tolist(), new_tokens=tokens, text=proc.tokenizer.decode(tokens)), indent=1) + "\n")
    return proc.tokenizer.decode(tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="state.pt of train.py")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--record", action="store_true", help="also record cases for a comparison with an engine")
    args = parser.parse_args()
    saved = export(args.state, args.out)
    size = (args.out / "model.safetensors").stat().st_size
    print(f"{args.out}: {size / 1e6:.1f} MB after {saved['spent'] / 60:.1f} minutes, {saved['tokens'] / 1e6:.1f} million tokens")
    if args.record:
        rng = np.random.default_rng(77)
        things = world.random_scene(rng)
        while len(things) < 3:
            things = world.random_scene(rng)
        Image.fromarray(draw(rng, things)).save(args.out / "image_0.png")
        Image.fromarray(draw(rng, things, 250)[:170]).save(args.out / "image_1.png")
        print(world.caption(things))
        for name, question, picture in (("text", "Who are you?", None), ("image", "What do you see?", "image_0.png"),
                                        ("resized", "How many objects are there?", "image_1.png")):
            print(f"{name}: {record(args.out, name, question, picture)}")


if __name__ == "__main__":
    main()
