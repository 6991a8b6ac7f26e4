"""A small language model: embedding, GRU, a shared set of symbols."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(14)
symbols = torch.tensor(rng.integers(0, 7, size=(4, 11)))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 5, padding_idx=0)
        self.rnn = nn.GRU(5, 6, batch_first=True)
        self.head = nn.Linear(6, 7)

    def forward(self, tokens, state=None):
        out, state = self.rnn(self.embed(tokens), state)
        return self.head(out), state


model = Model().double()
with torch.no_grad():
    for p in model.parameters():
        p.copy_(torch.tensor(rng.normal(0, 0.5, size=p.shape)))
optimizer = torch.optim.Adamax(model.parameters(), lr=0.02)
losses = []
for _ in range(6):
    logits, state = model(symbols[:, :-1])
    loss = F.cross_entropy(logits.reshape(-1, 7), symbols[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

print(model)
results = {"losses": losses, "state": state, "embedding": model.embed.weight,
           "grad": model.embed.weight.grad}  # fmt: skip
