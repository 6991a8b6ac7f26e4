"""Arithmetic on tensors, without any network."""

import numpy as np
import torch

rng = np.random.default_rng(11)
a = torch.tensor(rng.normal(size=(3, 4)), requires_grad=True)
b = torch.tensor(rng.normal(size=(4,)), requires_grad=True)
c = torch.tensor(rng.normal(size=(2, 3, 4)), requires_grad=True)

parts = [
    (a * b).sum(dim=1, keepdim=True),
    torch.cat([a, a.exp()], dim=0)[1:5, ::2],
    torch.stack([b, b**2]).T,
    c.view(6, 4) @ b,
    c.permute(2, 0, 1).reshape(4, -1).mean(0),
    torch.where(a > 0, a, 0.1 * a),
    torch.einsum("ij,kij->k", a, c),
    a.unsqueeze(0).expand(2, 3, 4) - c,
    torch.softmax(c, dim=-1).log().clamp(min=-3),
    torch.amax(a, dim=1),
    torch.maximum(a, b) / (1 + a.abs().sqrt()),
    c[:, torch.tensor([2, 0]), 1],
    torch.linalg.norm(a, dim=0),
    torch.logsumexp(c, dim=(0, 2)),
]
total = sum((part * torch.arange(part.numel()).reshape(part.shape)).sum() for part in parts)
total.backward()
print([tuple(part.shape) for part in parts], a.ndim, c.shape[-1], c.numel(), a.requires_grad)
results = {"parts": parts, "total": total, "grads": [a.grad, b.grad, c.grad]}
