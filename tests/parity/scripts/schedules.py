"""Learning rates over time: warm-up, then cosine; one cycle; on a plateau."""

import torch
from torch.optim import lr_scheduler


def fresh(lr=0.1, **settings):
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    p.grad = torch.ones(1, dtype=torch.float64)
    return p, torch.optim.SGD([p], lr=lr, **settings)


def run(make, steps=20, **settings):
    p, optimizer = fresh(**settings)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return [*rates, p]


def warm_up_then_cosine(optimizer):
    warm_up = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=15, eta_min=1e-3)
    return lr_scheduler.SequentialLR(optimizer, [warm_up, cosine], milestones=[5])


def on_a_plateau():
    _, optimizer = fresh()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    rates = []
    for loss in [1.0, 0.5, 0.5, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4]:
        scheduler.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


results = {
    "warm-up": run(warm_up_then_cosine),
    "lambda": run(lambda opt: lr_scheduler.LambdaLR(opt, lambda step: 1 / (1 + step))),
    "steps": run(lambda opt: lr_scheduler.MultiStepLR(opt, milestones=[3, 9], gamma=0.3)),
    "exponential": run(lambda opt: lr_scheduler.ExponentialLR(opt, gamma=0.9)),
    "one cycle": run(lambda opt: lr_scheduler.OneCycleLR(opt, 0.5, total_steps=21), momentum=0.9),
    "restarts": run(lambda opt: lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=4, T_mult=2)),
    "plateau": on_a_plateau(),
}
