"""A module of one's own, with a parameter and a buffer, under Adam."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

rng = np.random.default_rng(1)


class Net(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.first = nn.Linear(1, width)
        self.body = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.last = nn.Linear(width, 1, bias=False)
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        x = torch.tanh(self.first(x))
        for layer in self.body:
            x = x + F.relu(layer(x))
        return self.scale * self.last(x)


net = Net(6, 3).double()
with torch.no_grad():
    for _, p in net.named_parameters():
        p.copy_(torch.tensor(rng.normal(0, 0.3, size=p.shape)))

x = torch.tensor(np.linspace(-2, 2, 32).reshape(32, 1))
y = torch.sin(2 * x)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
loss_fn = nn.MSELoss()
losses = []
for _ in range(30):
    loss = loss_fn(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

print(net)
print([(name, tuple(p.shape)) for name, p in net.named_parameters()])
print(sum(p.numel() for p in net.parameters() if p.requires_grad))
results = {"losses": losses, "calls": net.calls, "first": net.first.weight, "scale": net.scale}
