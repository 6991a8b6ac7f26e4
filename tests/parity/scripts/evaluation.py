"""Training and evaluation differ: batch normalization, dropout, no_grad."""

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(5)
net = nn.Sequential(
    nn.Linear(6, 10), nn.BatchNorm1d(10), nn.ReLU(), nn.Dropout(p=0.0), nn.Linear(10, 4)
).double()
with torch.no_grad():
    for p in net.parameters():
        p.copy_(torch.tensor(rng.normal(size=p.shape)))

optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
x, y = torch.tensor(rng.normal(1, 2, size=(48, 6))), torch.tensor(rng.integers(0, 4, size=48))
history = []
for _ in range(5):
    net.train()
    for rows in torch.arange(48).reshape(4, 12):
        loss = criterion(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        scores = net(x)
        accuracy = (scores.argmax(dim=-1) == y).double().mean().item()
        history.append([criterion(scores, y).item(), accuracy, scores.requires_grad])

dropout = nn.Dropout(0.5).eval()
results = {
    "history": history,
    "probabilities": torch.softmax(scores, dim=-1),
    "running": [net[1].running_mean, net[1].running_var, net[1].num_batches_tracked],
    "untouched": dropout(x),
}
