"""Losses, as modules and as functions, with their gradients."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(12)
scores = torch.tensor(rng.normal(size=(9, 4)), requires_grad=True)
classes = torch.tensor(rng.integers(0, 4, size=9))
targets = torch.tensor(rng.normal(size=(9, 4)))
bits = torch.tensor(rng.integers(0, 2, size=(9, 4)).astype(np.float64))
weight = torch.tensor(rng.uniform(0.5, 2, size=4))

values = {
    "cross-entropy": nn.CrossEntropyLoss(weight=weight)(scores, classes),
    "ignored": F.cross_entropy(scores, classes, ignore_index=2),
    "probabilities": F.cross_entropy(scores, torch.softmax(targets, dim=1)),
    "nll": F.nll_loss(F.log_softmax(scores, dim=1), classes, reduction="sum"),
    "mse": nn.MSELoss()(scores, targets),
    "l1": F.l1_loss(scores, targets),
    "huber": nn.HuberLoss(delta=0.7)(scores, targets),
    "smooth": nn.SmoothL1Loss()(scores, targets),
    "bce": nn.BCELoss()(torch.sigmoid(scores), bits),
    "logits": F.binary_cross_entropy_with_logits(scores, bits, pos_weight=weight),
    "kl": nn.KLDivLoss(reduction="batchmean")(
        F.log_softmax(scores, dim=1), torch.softmax(targets, dim=1)
    ),
}
sum(values.values()).backward()
results = {"values": values, "grad": scores.grad}
