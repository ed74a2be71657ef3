"""The model: the reference's own `gemma4_unified` classes, built from a configuration, so that what is trained is what is
exported and what every engine loads."""
import torch
from torch import nn
from transformers import Gemma4UnifiedConfig, Gemma4UnifiedForConditionalGeneration

from pictures import PATCH
from world import COLOURS, SHAPES, SIZES

PATCH_LABELS = 1 + len(COLOURS) * len(SHAPES) * len(SIZES)
SIZES_OF = {
    # About 3 million parameters: 6 MB in bf16.
    "3m": dict(hidden=192, inter=512, heads=4, kv=2, gkv=1, dim=48, layers="ssfssf"),
    # About 6 million: what the probes used.
    "6m": dict(hidden=256, inter=768, heads=4, kv=2, gkv=1, dim=64, layers="ssfssssf"),
}


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


class Trainee(nn.Module):
    """The model with what only training needs: a head that says, for each patch, what lies in it, read in the middle of
    the decoder so that the later layers of the question can use what it asks for."""

    def __init__(self, size, ident, vocab_size):
        super().__init__()
        self.config = config(size, ident, vocab_size)
        self.model = Gemma4UnifiedForConditionalGeneration._from_config(self.config, attn_implementation="sdpa")
        hidden = self.config.text_config.hidden_size
        self.patch_head = nn.Linear(hidden, PATCH_LABELS)
        self.start_gently()
        self.middle = len(self.config.text_config.layer_types) // 2

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

    def forward(self, ids, positions, pictures, where, masks, first, to_the_end=True):
        """Hidden states at the end, or None unless it is run to the end, and, of the patches, in the middle.

        ids, positions [rows, length]; pictures [rows, tokens, PATCH * PATCH * 3] in 0 to 1 and where [rows, tokens, 2],
        or None; masks additive, by kind of layer; first: where in a row the picture begins."""
        inner = self.model.model
        text = inner.language_model
        x = text.embed_tokens(ids)
        count = 0
        if pictures is not None:
            count = pictures.shape[1]
            seen = inner.embed_vision(pictures, where).pooler_output.view(len(ids), count, -1)
            x = torch.cat([x[:, :first], seen.to(x.dtype), x[:, first + count:]], 1)
        kinds = text.config.layer_types
        angles = {kind: text.rotary_emb(x, positions, kind) for kind in set(kinds)}
        patches = None
        for i, layer in enumerate(text.layers):
            if i == self.middle and count:
                patches = x[:, first:first + count]
                if not to_the_end:
                    return None, patches
            x = layer(x, shared_kv_states={}, position_embeddings=angles[kinds[i]], attention_mask=masks[kinds[i]],
                      position_ids=positions)
        return text.norm(x), patches

    def logits(self, hidden):
        cap = self.config.text_config.final_logit_softcapping
        return cap * torch.tanh(self.model.lm_head(hidden) / cap)

    def name_patches(self, patches):
        """Logits [..., PATCH_LABELS]; the state is brought to one scale first."""
        return self.patch_head(nn.functional.rms_norm(patches, patches.shape[-1:]))
