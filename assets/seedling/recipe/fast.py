"""A decoder layer of the family, written for training on CPUs: the same mathematics as the reference's class, whose
parameters it uses (`export.py --record` checks the sameness), but

- matrices multiply in bf16 (which some CPUs do ten times faster than f32), everything between them is f32 and fused by
  `torch.compile`;
- rows are a prefix of `P` tokens (a picture, say) and `N` slots of `S` tokens (questions about it), which see the prefix
  and themselves. Their attention is computed as that, not as a square of the row's length most of which is masked.
"""
import torch
import torch.nn.functional as F

BF = torch.bfloat16
EPS = 1e-6


def rms(x, weight=None):
    x = x.float()
    x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS)
    return x if weight is None else x * weight


def turned(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def weights(layer):
    """The tensors of a reference layer in the order that `forward` takes them; no v_proj: values are the raw keys."""
    a, m = layer.self_attn, layer.mlp
    return (layer.input_layernorm.weight, a.q_proj.weight, a.k_proj.weight, None if a.v_proj is None else a.v_proj.weight,
            a.q_norm.weight, a.k_norm.weight, a.o_proj.weight, layer.post_attention_layernorm.weight,
            layer.pre_feedforward_layernorm.weight, m.gate_proj.weight, m.up_proj.weight, m.down_proj.weight,
            layer.post_feedforward_layernorm.weight)


def forward(x, cos, sin, prefix_mask, slot_mask, own_mask, shape, head_dim, w):
    """x [R, P + N * S, hidden] f32; cos, sin [R, L, 1, head_dim / 2]; additive masks: prefix [R, 1, P, P] among the prefix,
    slot [R, 1, 1, 1, 1, P] from slots to it, own [S, S] within a slot; shape (P, N, S)."""
    norm_in, wq, wk, wv, norm_q, norm_k, wo, norm_attn, norm_ff, wg, wu, wd, norm_out = w
    (P, N, S), HD = shape, head_dim
    R, L, D = x.shape
    KV, H = wk.shape[0] // HD, wq.shape[0] // HD
    G = H // KV
    h = rms(x, norm_in).to(BF)
    mats = [wq, wk] + ([] if wv is None else [wv])
    parts = F.linear(h, torch.cat(mats).to(BF)).view(R, L, -1, HD).split([m.shape[0] // HD for m in mats], 2)
    q, k, v = parts[0], parts[1], parts[-1]
    q, k, v = turned(rms(q, norm_q), cos, sin).to(BF), turned(rms(k, norm_k), cos, sin).to(BF), rms(v).to(BF)
    kp = k[:, :P].transpose(1, 2).reshape(R * KV, P, HD)
    vp = v[:, :P].transpose(1, 2).reshape(R * KV, P, HD)
    qp = q[:, :P].reshape(R, P, KV, G, HD).permute(0, 2, 3, 1, 4).reshape(R * KV, G * P, HD)
    share = torch.softmax(torch.bmm(qp, kp.transpose(1, 2)).view(R, H, P, P).float() + prefix_mask, -1).to(BF)
    out = torch.bmm(share.view(R * KV, G * P, P), vp).view(R, KV, G, P, HD).permute(0, 3, 1, 2, 4).reshape(R, P, H * HD)
    if N:
        slots = lambda t, heads: t[:, P:].reshape(R, N, S, heads, HD).permute(0, 3, 1, 2, 4).reshape(R * heads * N, S, HD)
        ks, vs = slots(k, KV), slots(v, KV)
        qs = q[:, P:].reshape(R, N, S, KV, G, HD).permute(0, 3, 1, 4, 2, 5)
        far = torch.bmm(qs.reshape(R * KV, N * G * S, HD), kp.transpose(1, 2)).view(R, KV, N, G, S, P).float() + slot_mask
        near = torch.bmm(qs.reshape(R * KV * N, G * S, HD), ks.transpose(1, 2)).view(R, KV, N, G, S, S).float() + own_mask
        share = torch.softmax(torch.cat((far, near), -1), -1).to(BF)
        told = (torch.bmm(share[..., :P].reshape(R * KV, N * G * S, P), vp).view(R, KV, N, G, S, HD)
                + torch.bmm(share[..., P:].reshape(R * KV * N, G * S, S), vs).view(R, KV, N, G, S, HD))
        out = torch.cat((out, told.permute(0, 2, 4, 1, 3, 5).reshape(R, N * S, H * HD)), 1)
    x = x + rms(F.linear(out, wo.to(BF)), norm_attn)
    h = rms(x, norm_ff).to(BF)
    gate, up = F.linear(h, torch.cat((wg, wu)).to(BF)).chunk(2, -1)
    return x + rms(F.linear(F.gelu(gate, approximate="tanh") * up, wd.to(BF)), norm_out)
