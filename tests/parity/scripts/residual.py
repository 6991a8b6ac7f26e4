"""A deep residual network with normalizations, and the gradient norm of every layer."""

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(13)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.branch = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(),
            nn.GroupNorm(2, 2 * width), nn.Linear(2 * width, width),
        )  # fmt: skip

    def forward(self, x):
        return x + self.branch(x)


net = nn.Sequential(nn.Linear(5, 8), *[Block(8) for _ in range(10)], nn.RMSNorm(8), nn.Flatten())
net = net.double()
with torch.no_grad():
    for p in net.parameters():
        p.copy_(torch.tensor(rng.normal(0, 0.3, size=p.shape)))

x = torch.tensor(rng.normal(size=(16, 5)))
target = torch.tensor(rng.normal(size=(16, 8)))
optimizer = torch.optim.RAdam(net.parameters(), lr=0.01)
losses = []
for _ in range(6):
    loss = nn.functional.huber_loss(net(x), target)
    optimizer.zero_grad()
    loss.backward()
    norms = {name: p.grad.norm().item() for name, p in net.named_parameters()}
    optimizer.step()
    losses.append(loss.item())

print(net)
results = {"losses": losses, "norms": norms}
