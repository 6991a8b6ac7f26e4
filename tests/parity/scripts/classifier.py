"""A classifier with clipping, momentum and a schedule."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(0)
x = torch.tensor(rng.normal(size=(60, 8)))
y = torch.tensor(rng.integers(0, 3, size=60))

net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
net = net.double()
with torch.no_grad():
    for p in net.parameters():
        p.copy_(torch.tensor(rng.normal(0, 0.4, size=p.shape)))

optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)

losses, norms, rates = [], [], []
for _ in range(10):
    for start in range(0, 60, 20):
        batch = slice(start, start + 20)
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x[batch]), y[batch])
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=0.5).item())
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()
    rates.append(scheduler.get_last_lr()[0])

print(net)
correct = (net(x).argmax(dim=1) == y).sum().item()
results = {"losses": losses, "norms": norms, "rates": rates, "correct": correct}
