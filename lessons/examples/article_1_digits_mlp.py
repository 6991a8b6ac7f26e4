"""Gradient normalization on real digits: a 784-128-10 network, with it and without.

An article about gradient normalization trains this network with an argument
`gradient_normalization=` that its library does not have, and never calls the function that it
defines. There is no need for such an argument: what is to happen to a gradient stands in the loop,
between `backward()` and `step()`. It is the three lines of `train` marked below, or none.

The article: ReLU, softmax, cross-entropy, SGD at rate 0.01, batches of 32, 10 epochs.
Different here: the images. The digits that ship with minigrad are 8x8; each pixel becomes a block
of 3x3 and the image gets a border of 2, which makes 28x28 = 784 inputs and nothing to download.

Run it: python article_1_digits_mlp.py (a few seconds). Then look for three things:
- At rate 0.01 both learn alike: the gradients of both weight matrices have norms near 1 already.
- Rate 0.03 does more for either than normalization does at rate 0.01.
- At rate 0.1 a few batches have a gradient ten times as long as usual. Plain SGD then takes a step
  ten times as long and falls back by epochs (the last column); a normalized step cannot.
"""

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.nn.utils import normalize_grad_
from minigrad.train import accuracy

SEEDS = (0, 1, 2)  # each with its own split, initial weights and order of the batches
RATES = (0.01, 0.03, 0.1)  # first the article's
EPOCHS, BATCH = 10, 32


def split(seed):
    """x_train, x_test, y_train, y_test of 784 inputs; a quarter, 450 images, is for testing."""
    digits = mg.data.load_digits()
    blocks = digits.x.reshape(-1, 8, 8).repeat(3, axis=1).repeat(3, axis=2)  # 24x24
    framed = np.pad(blocks, ((0, 0), (2, 2), (2, 2)))  # 28x28; the border is blank paper, 0
    x, y, generator = framed.reshape(-1, 784), digits.y, mg.Generator(seed).fork("split")
    return mg.data.train_test_split(x, y, test_size=0.25, stratify=y, generator=generator)


def network(seed):
    generator = mg.Generator(seed)
    return nn.Sequential(
        nn.Linear(784, 128, generator=generator.fork("hidden")),
        nn.ReLU(),
        nn.Linear(128, 10, generator=generator.fork("output")),
    )


def train(seed, lr, normalize):
    """Accuracy at the end on training and on test images, and the lowest of the later epochs."""
    x_train, x_test, y_train, y_test = split(seed)
    model = network(seed)
    optimizer = mg.optim.SGD(model.parameters(), lr=lr)
    order = mg.Generator(seed).fork("order")
    loader = mg.data.DataLoader((x_train, y_train), BATCH, shuffle=True, generator=order)
    after_epoch = []
    for _ in range(EPOCHS):
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()  # 1. compute
            if normalize:
                normalize_grad_(model.parameters())  # 2. normalize: each tensor g <- g / ||g||_2
            optimizer.step()  # 3. update
        with mg.no_grad():
            scores_train, scores_test = model(mg.tensor(x_train)), model(mg.tensor(x_test))
        after_epoch.append((accuracy(scores_train, y_train), accuracy(scores_test, y_test)))
    lowest = min(test for _, test in after_epoch[EPOCHS // 2 :])
    return *after_epoch[-1], lowest


def step_by_hand(parameters, x, y, lr):
    """The same three steps on raw arrays: no autograd, no optimizer; the new W1, b1, W2, b2."""
    W1, b1, W2, b2 = parameters
    n = len(x)
    # 1. compute: forward, then the chain rule from the loss back
    z1 = x @ W1.T + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ W2.T + b2
    e = np.exp(z2 - z2.max(axis=1, keepdims=True))  # less the maximum: exp must not overflow
    probabilities = e / e.sum(axis=1, keepdims=True)
    dz2 = (probabilities - np.eye(10, dtype=x.dtype)[y]) / n  # softmax and cross-entropy together
    dz1 = (dz2 @ W2) * (z1 > 0)
    gradients = [dz1.T @ x, dz1.sum(axis=0), dz2.T @ a1, dz2.sum(axis=0)]
    # 2. normalize
    norms = [np.sqrt((g**2).sum()) for g in gradients]
    gradients = [g / norm for g, norm in zip(gradients, norms, strict=True)]
    # 3. update
    return [p - lr * g for p, g in zip(parameters, gradients, strict=True)], norms


def compare_by_hand(lr=0.01):
    """One step by hand and one as in `train`: how far apart they end, and the norms divided by."""
    x_train, _, y_train, _ = split(0)
    x, y = x_train[:BATCH], y_train[:BATCH]
    model = network(0)
    by_hand, norms = step_by_hand([p.data.copy() for p in model.parameters()], x, y, lr)
    F.cross_entropy(model(mg.tensor(x)), mg.tensor(y)).backward()
    normalize_grad_(model.parameters())
    mg.optim.SGD(model.parameters(), lr=lr).step()
    pairs = zip(model.parameters(), by_hand, strict=True)
    return max(float(np.abs(p.data - q).max()) for p, q in pairs), norms


def main():
    """Print the table; return its numbers, one per seed, and those of the step by hand."""
    found = {}
    print(f"784-128-10 on digits, {EPOCHS} epochs: accuracy, mean ± spread of {len(SEEDS)} seeds")
    print(f"{'gradient':<12}{'rate':>4}{'train':>17}{'test':>17}{'lowest, epochs 6-10':>23}")
    for normalize in (False, True):
        for lr in RATES:
            runs = np.array([train(seed, lr, normalize) for seed in SEEDS])
            found[normalize, lr] = dict(zip(("train", "test", "lowest"), runs.T, strict=True))
            cells = zip(runs.mean(axis=0), runs.std(axis=0, ddof=1), strict=True)
            row = "".join(f"{mean:>9.3f} ± {std:.3f}" for mean, std in cells)
            print(f"{'normalized' if normalize else 'as it is':<12}{lr:>4}{row}")
    apart, norms = compare_by_hand()
    print("norms of the first gradients of W1, b1, W2, b2:", *(f"{norm:.2f}" for norm in norms))
    print(f"the normalized step, by hand and by minigrad: apart by at most {apart:.0e}")
    return {"accuracy": found, "apart": apart, "norms": norms}


if __name__ == "__main__":
    main()
