"""The model: the reference's own `gemma4_unified` classes, built from a configuration, so that what is trained is what is
exported and what every engine loads."""
import math

import torch
from torch import nn
from transformers import Gemma4UnifiedConfig, Gemma4UnifiedForConditionalGeneration

import fast
import mel
import phonemes
from labels import PATCH_LABELS
from pictures import PATCH
from recording import FRAME, RATE

SIZES_OF = {
    # 3.4 million parameters.
    "3m": dict(hidden=192, inter=512, heads=4, kv=2, gkv=1, dim=48, layers="ssfssf"),
    # 6 million: 12 MB in bf16.
    "6m": dict(hidden=256, inter=768, heads=4, kv=2, gkv=2, dim=64, layers="sssssf"),
}
FAR = -1e9
EARLY = 2  # layers behind which the spectrum of sound is asked for


def config(size, ident, vocab_size):
    """`ident` maps a special token to its id."""
    s = SIZES_OF[size]
    kinds = {"s": "sliding_attention", "f": "full_attention"}
    return Gemma4UnifiedConfig(
        text_config=dict(
            vocab_size=vocab_size, hidden_size=s["hidden"], intermediate_size=s["inter"], num_hidden_layers=len(s["layers"]),
            num_attention_heads=s["heads"], num_key_value_heads=s["kv"], num_global_key_value_heads=s["gkv"],
            head_dim=s["dim"], global_head_dim=s["dim"], sliding_window=512, max_position_embeddings=2048,
            layer_types=[kinds[c] for c in s["layers"]], attention_k_eq_v=True, final_logit_softcapping=30.0,
            use_bidirectional_attention="vision", bos_token_id=2, eos_token_id=1, pad_token_id=0,
            rope_parameters={
                "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
                "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.5, "rope_theta": 100_000.0}}),
        vision_config=dict(patch_size=PATCH // 3, pooling_kernel_size=3, mm_embed_dim=s["hidden"], mm_posemb_size=80,
                           output_proj_dims=s["hidden"]),
        audio_config=dict(audio_embed_dim=640),
        boi_token_id=ident("<|image>"), eoi_token_id=ident("<image|>"), image_token_id=ident("<|image|>"),
        boa_token_id=ident("<|audio>"), eoa_token_index=ident("<audio|>"), audio_token_id=ident("<|audio|>"),
        video_token_id=ident("<|video|>"))


def ear(hidden):
    """Where the projection of sound begins [hidden, FRAME]: short waves at pitches evenly spaced on the mel scale, in the first
    and in the second half of the frame, each twice, a quarter of a period apart, so that gates can make loudness of them."""
    hz = torch.from_numpy(mel.spaced(70, 7200, hidden // 4)).float()
    t = torch.arange(FRAME) / RATE
    waves = []
    for half in (.27, .73):
        window = torch.cos(math.pi * ((torch.arange(FRAME) / FRAME - half) / .54).clamp(-.5, .5)) ** 2
        for phase in (0., math.pi / 2):
            waves.append(window * torch.cos(2 * math.pi * hz[:, None] * (t - half * FRAME / RATE) + phase))
    waves = torch.cat(waves)
    return .15 * waves / waves.norm(dim=1, keepdim=True)


class Trainee(nn.Module):
    """The model with what only training needs: heads that read states within the decoder, so that the later layers, those of
    the question, can use what they ask for. In the middle one says what lies in each patch, one which sounds of speech were
    heard so far; before that, one gives the spectrum of each frame of sound."""

    def __init__(self, size, ident, vocab_size):
        super().__init__()
        self.config = config(size, ident, vocab_size)
        self.model = Gemma4UnifiedForConditionalGeneration._from_config(self.config, attn_implementation="sdpa")
        hidden = self.config.text_config.hidden_size
        self.patch_head = nn.Linear(hidden, PATCH_LABELS)
        self.sound_head = nn.Linear(hidden, phonemes.LABELS)
        self.mel_head = nn.Linear(hidden, mel.BANDS)
        self.scale = nn.Parameter(torch.tensor(2.5))  # how sharply pairs are told apart
        self.image, self.audio = ident("<|image|>"), ident("<|audio|>")
        self.start_gently()
        self.middle = len(self.config.text_config.layer_types) // 2
        self.layer = fast.forward

    @torch.no_grad()
    def start_gently(self):
        """Scores of this family are not divided by the root of the head's size, so norms of one would let each token look
        at a single other from the first step on; and branches as large as the stream itself would drown it."""
        for layer in self.model.model.language_model.layers:
            attention = layer.self_attn
            attention.q_norm.weight.fill_(attention.head_dim ** -.25)
            attention.k_norm.weight.fill_(attention.head_dim ** -.25)
            layer.post_attention_layernorm.weight.fill_(.4)
            layer.post_feedforward_layernorm.weight.fill_(.4)
        self.model.model.embed_audio.embedding_projection.weight.copy_(ear(self.config.text_config.hidden_size))

    def embedded(self, ids, pictures, where, sound):
        """Tokens [R, L], with what is seen and heard in its places, in order."""
        inner = self.model.model
        x = inner.language_model.embed_tokens(ids)
        flat = x.view(-1, x.shape[-1])
        marks = ids.view(-1)
        if pictures is not None:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                seen = inner.embed_vision(pictures, where).pooler_output
            flat = flat.index_put(((marks == self.image).nonzero().squeeze(1),), seen.reshape(-1, flat.shape[-1]).float())
        if sound is not None:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                heard = inner.embed_audio(sound)
            flat = flat.index_put(((marks == self.audio).nonzero().squeeze(1),), heard.float())
        return flat.view(x.shape)

    def forward(self, batch, to_the_end=True):
        """States at EARLY, in the middle and at the end [R, L, hidden] (the last None unless run to the end) of a batch of
        `batches.py`."""
        text = self.model.model.language_model
        ids, positions, shape = batch["ids"], batch["positions"], batch["shape"]
        x = self.embedded(ids, batch.get("pictures"), batch.get("where"), batch.get("sound"))
        dim, kinds = text.config.head_dim, text.config.layer_types
        masks = masks_of(batch)
        angles = {}
        for kind in set(kinds):
            cos, sin = text.rotary_emb(x, positions, kind)
            angles[kind] = cos[..., None, :dim // 2].contiguous(), sin[..., None, :dim // 2].contiguous()
        early = middle = None
        for i, layer in enumerate(text.layers):
            if i == EARLY:
                early = x
            if i == self.middle:
                middle = x
                if not to_the_end:
                    return early, middle, None
            kind = kinds[i]
            x = self.layer(x, *angles[kind], masks[kind], masks["slots"], masks["own"], shape, dim, fast.weights(layer))
        return early, middle, fast.rms(x, text.norm.weight)

    def logits(self, hidden):
        cap = self.config.text_config.final_logit_softcapping
        words = nn.functional.linear(hidden.to(fast.BF), self.model.lm_head.weight.to(fast.BF)).float()
        return cap * torch.tanh(words / cap)

    def embedding(self, hidden, content):
        """Of each row the mean of the final states of its content [rows, P], of length 1, as `percept embed` gives it."""
        states = hidden[:, :content.shape[1]] * content[..., None]
        return nn.functional.normalize(states.sum(1) / content.sum(1, keepdim=True), dim=-1)

    def named(self, head, states):
        """What one of the heads says; the state is brought to one scale first."""
        return head(fast.rms(states))


def masks_of(batch):
    """Nothing sees what follows it, except that in sliding layers the patches of one picture see each other both ways, as in
    the family's reference; slots see the prefix (`prefix` tokens of it) and themselves."""
    P, N, S = batch["shape"]
    order = torch.arange(P)
    past = (order[:, None] >= order[None, :])[None]
    block = batch["block"]
    both = past | ((block[:, :, None] == block[:, None, :]) & (block[:, :, None] > 0))
    there = order[None, :] < batch["prefix"][:, None]
    add = lambda m: torch.zeros(m.shape).masked_fill_(~m, FAR)
    slot = torch.arange(S)
    return {"full_attention": add(past.expand(len(block), P, P))[:, None], "sliding_attention": add(both)[:, None],
            "slots": add(there)[:, None, None, None, None, :], "own": add(slot[:, None] >= slot[None, :])}
