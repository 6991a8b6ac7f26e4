"""Looking inside: hooks on modules and on tensors."""

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(6)
layers = []
for _ in range(6):
    layers += [nn.Linear(12, 12), nn.Tanh()]
net = nn.Sequential(*layers).double()
with torch.no_grad():
    for p in net.parameters():
        p.copy_(torch.tensor(rng.normal(0, 0.2, size=p.shape)))

spread, inputs, gradients = {}, {}, {}


def watch(name):
    def forward(module, args, out):
        spread[name] = out.pow(2).mean().sqrt().item()
        inputs[name] = args[0].abs().max().item()
        out.register_hook(lambda grad: gradients.__setitem__(name, grad.norm().item()))

    return forward


handles = [
    module.register_forward_hook(watch(name))
    for name, module in net.named_modules()
    if isinstance(module, nn.Tanh)
]
x = torch.tensor(rng.normal(size=(20, 12)), requires_grad=True)
halved = x.register_hook(lambda grad: grad / 2)
net(x).pow(2).sum().backward()
first = x.grad.clone()
for handle in [*handles, halved]:
    handle.remove()
x.grad = None
net(x).pow(2).sum().backward()

hidden = net[0](x)
hidden.retain_grad()
hidden.sum().backward()
results = {
    "spread": spread, "inputs": inputs, "gradients": gradients, "x": first, "twice": x.grad,
    "kept": hidden.grad, "count": len(gradients),
}  # fmt: skip
