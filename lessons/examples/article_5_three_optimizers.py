"""Three optimizers on one problem: a 20-10-10-1 network that has something to learn.

An article about learning rates compares SGD, RMSprop and Adam on this network, and the comparison
never happens: the inputs x and the targets y are drawn anew in every epoch and have nothing to do
with each other, the arguments of RMSprop are swapped, and a chain of if/elif always ends at the
first optimizer. Here is the comparison that was meant, and beside it what such data can give.

- Something to learn: y is what a fixed random network (`mg.data.teacher`) answers to x. 500
  examples are drawn once to train on, and 500 to test on. The best constant answer has the loss
  var(y), so all losses are given as loss / var(y): 1 is what one gets for knowing nothing.
- Nothing to learn: 500 new x and y in every epoch, all independent N(0, 1). If the network answers
  f(x), the loss is on average var(y) + mean f(x)^2: not below var(y), whatever the optimizer.

Both: ReLU, mean squared error, 1000 epochs, one update with all examples per epoch; and for every
optimizer the same initial weights and the same data. The learnable problem is tried at three rates,
because one rate for all would only show whom it suits.

Run it: python article_5_three_optimizers.py (some seconds). Then look for three things:
- Rate 0.1 is the best of the three for SGD, and the worst for RMSprop.
- So who is first depends on the rate: at 0.01 SGD is last, at 0.1 it is before RMSprop.
- Adam at 0.01 has the lowest training loss of all, and yet a higher test loss than SGD at 0.1.
"""

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

SEEDS = (0, 1, 2)
RATES = (0.001, 0.01, 0.1)
EXAMPLES, EPOCHS = 500, 1000
NOISE_RATE, LATE = 0.01, 200  # where there is nothing to learn; the last 200 epochs count
OPTIMIZERS = {"SGD": mg.optim.SGD, "RMSprop": mg.optim.RMSprop, "Adam": mg.optim.Adam}


def network(seed):
    """20-10-10-1 with ReLU; one seed, one set of initial weights."""
    generator = mg.Generator(seed)
    return nn.Sequential(
        nn.Linear(20, 10, generator=generator.fork("layer1")),
        nn.ReLU(),
        nn.Linear(10, 10, generator=generator.fork("layer2")),
        nn.ReLU(),
        nn.Linear(10, 1, generator=generator.fork("layer3")),
    )


def update(model, optimizer, x, y):
    """One step of training; returns the loss before it."""
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def learnable(seed, name, lr):
    """loss / var(y): before training, and after it on the training and on the test data."""
    generator = mg.Generator(seed).fork("teacher")
    x, y = mg.data.teacher(2 * EXAMPLES, in_features=20, generator=generator)
    x_train, y_train = mg.tensor(x[:EXAMPLES]), mg.tensor(y[:EXAMPLES])
    x_test, y_test = mg.tensor(x[EXAMPLES:]), mg.tensor(y[EXAMPLES:])
    model = network(seed)
    optimizer = OPTIMIZERS[name](model.parameters(), lr=lr)
    losses = [update(model, optimizer, x_train, y_train) for _ in range(EPOCHS)]
    with mg.no_grad():
        last = F.mse_loss(model(x_train), y_train).item()
        test = F.mse_loss(model(x_test), y_test).item()
    variance, variance_test = float(y_train.data.var()), float(y_test.data.var())
    return losses[0] / variance, last / variance, test / variance_test


def unrelated(seed, name, lr):
    """loss / var(y) where x and y are drawn anew in every epoch, mean over the last epochs."""
    generator = mg.Generator(seed).fork("noise")
    model = network(seed)
    optimizer = OPTIMIZERS[name](model.parameters(), lr=lr)
    losses, squares = [], []
    for _ in range(EPOCHS):
        x = mg.tensor(generator.normal((EXAMPLES, 20)).astype(np.float32))
        y = mg.tensor(generator.normal((EXAMPLES, 1)).astype(np.float32))
        losses.append(update(model, optimizer, x, y))
        squares.append(float((y.data**2).mean()))  # var(y) in this sample: the mean of y is 0
    return np.mean(losses[-LATE:]) / np.mean(squares[-LATE:])


def show(title, runs, rates):
    """One row per optimizer, one column per rate: mean and spread over the seeds."""
    print(f"{title}, mean ± spread of {len(SEEDS)} seeds")
    print(f"  {'rate':<8}" + "".join(f"{lr:>17}" for lr in rates))
    for name in OPTIMIZERS:
        cells = [runs[name, lr] for lr in rates]
        row = "".join(f"{np.mean(c):>9.3f} ± {np.std(c, ddof=1):.3f}" for c in cells)
        print(f"  {name:<8}{row}")


def main():
    """Print the tables; return {what: {(optimizer, rate): array with a number per seed}}."""
    first, train, test, noise = {}, {}, {}, {}
    for name in OPTIMIZERS:
        for lr in RATES:
            runs = np.array([learnable(seed, name, lr) for seed in SEEDS])
            first[name, lr], train[name, lr], test[name, lr] = runs.T
        noise[name, NOISE_RATE] = np.array([unrelated(seed, name, NOISE_RATE) for seed in SEEDS])
    print(f"20-10-10-1 after {EPOCHS} epochs: loss / var(y), so 1 is for knowing nothing")
    show("a teacher's answers, training data", train, RATES)
    show("a teacher's answers, test data", test, RATES)
    show(f"unrelated x and y, new in every epoch, last {LATE} epochs", noise, [NOISE_RATE])
    return {"first": first, "train": train, "test": test, "unrelated": noise}


if __name__ == "__main__":
    main()
