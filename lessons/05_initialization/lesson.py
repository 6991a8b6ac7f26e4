# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · Initialization: the first numbers decide
#
# **Question.** Two networks have the same 30 layers, the same data and the same optimizer. One
# learns the digits, the other one never moves. The only difference is one factor in front of the
# random numbers they start with: $\sqrt2$. How can so little decide so much, and where does the
# factor come from?
#
# In this lesson you write eight initializations by hand, from all zeros to LSUV, and see what each
# does to a deep network. Then you send a signal through 10,000 layers, and repair a network of 30
# layers that does not learn, one change after another.
#
# Time: about 85 minutes. You need: the matrix product, the chain rule, mean and variance. Lessons 3
# and 4 come before this one, but the lesson stands alone. It downloads nothing.
#
# | symbol | meaning | in the code |
# |---|---|---|
# | $l$, depth | number of a layer, counted from the input; number of layers | `l`, `depth` |
# | $n_{in}$, $n_{out}$ | units that enter a layer, that leave it; $n$ if equal | `n_in`, `n_out` |
# | $W_l$ | weights of layer $l$, shape $(n_{out}, n_{in})$ | `W[l]` |
# | $\sigma$ | standard deviation of the weights | `std` |
# | $\varphi$, $\varphi'$ | the activation and its slope | `phi`, `slope` |
# | $z_l = W_l\,a_{l-1}$, $a_l = \varphi(z_l)$ | before and after the activation | `z`, `a` |
# | $\overline{z^2}$ | mean square of all entries of $z$; its root is the rms | `rms(z)` |
# | $L$, $\partial L/\partial z_l$, $\partial L/\partial W_l$ | loss, its gradients | `loss`, `dz` |
# | $f$ | factor on the rms, per layer | `factor` |

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad.course import Claim, full_or_fast, record
from minigrad.data import load_digits, standardize
from minigrad.diagnostics import DecayConfig, Probe, measure_decay, plots, theory
from minigrad.models import deep_mlp
from minigrad.nn import init
from minigrad.nn.functional import cross_entropy

SEEDS = range(full_or_fast(5, fast=3))  # for laws: cheap
TRAINING_SEEDS = range(full_or_fast(3, fast=2))  # training takes longer

BLUE, ORANGE, GREEN, RED, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
plt.rcParams["figure.dpi"] = 95

digits = load_digits()
x_all, y_all = standardize(digits.x), digits.y
chosen = mg.Generator(0).permutation(len(x_all))[:256]
x, y = x_all[chosen].astype(np.float64), y_all[chosen]


def rms(v):
    return np.sqrt(np.mean(v**2))


# %% [markdown]
# ## 1 · What we want from the first numbers
#
# One unit computes $z = \sum_j W_j a_j$, a sum of $n_{in}$ terms. If the weights are independent
# and have mean 0 and standard deviation $\sigma$, the squares simply add up:
#
# $$\overline{z^2} = n_{in}\,\sigma^2\,\overline{a^2} .$$
#
# Backward, the message reaches a unit from the $n_{out}$ units above it:
#
# $$\overline{\left(\frac{\partial L}{\partial a}\right)^2}
# = n_{out}\,\sigma^2\,\overline{\left(\frac{\partial L}{\partial z}\right)^2} .$$
#
# Two wishes follow, and almost everything in this lesson with them. The signal keeps its size if
# $n_{in}\sigma^2 = 1$, the message if $n_{out}\sigma^2 = 1$, where we have left out the activation
# for the moment. If a layer multiplies by $f \neq 1$ instead, then 30 layers multiply by $f^{30}$.
#
# ## 2 · Predict
#
# 1. A ReLU network of width 128, weights normal with $\sigma = 0.01$ (still found in many scripts).
#    By which factor does the rms of $\partial L/\partial z$ change, per layer towards the input?
# 2. A ReLU network with Xavier's initialization, made for tanh. Does it learn with 22 layers? And
#    with 30?
# 3. Is there an initialization with which a plain network carries a signal through 10,000 layers?
#
# Replace `None`. Nobody grades it.

# %%
guess_factor = None  # for example 0.5
guess_22_learns = None  # True or False
guess_30_learns = None
guess_10000 = None

if guess_factor is None:
    print("factor: no guess yet")
else:
    print(f"factor: {guess_factor}, so {guess_factor**28:.1e} over 28 layers")
print("22 layers:", guess_22_learns, " 30 layers:", guess_30_learns, " 10,000:", guess_10000)

# %% [markdown]
# ## 3 · Build by hand
#
# ### Zero, constant: the trap of symmetry
#
# Why random numbers at all? Suppose that in every layer all weights are equal. Then the units of a
# hidden layer all compute the same, get the same gradient, make the same step, and are equal again.
# For ever: the layer is one unit, copied. All zeros is a special case. We train a network of two
# layers, 64 → 32 → 10, tanh, on raw arrays, and count how many *different* units its first layer
# has afterwards.


# %%
def zeros(n_out, n_in):
    return np.zeros((n_out, n_in))


def constant(n_out, n_in, value=0.1):
    return np.full((n_out, n_in), value)


def train_two_layers(W1, W2, steps=100, lr=0.5):
    """Plain gradient descent on all of x by hand; the loss before the last step, and W1."""
    W1, W2, right = W1.copy(), W2.copy(), np.eye(10)[y]
    for _ in range(steps):
        a = np.tanh(x @ W1.T)
        scores = np.exp(a @ W2.T)
        probabilities = scores / scores.sum(axis=1, keepdims=True)
        loss = -np.mean(np.log(np.sum(probabilities * right, axis=1)))
        dz2 = (probabilities - right) / len(x)
        dz1 = (dz2 @ W2) * (1 - a**2)
        W2 -= lr * dz2.T @ a
        W1 -= lr * dz1.T @ x
    return loss, W1


generator = mg.Generator(0)
distinct = {}
print("initialization    loss after 100 steps   different units in layer 1, of 32")
for name, W1, W2 in (
    ("zeros", zeros(32, 64), zeros(10, 32)),
    ("constant 0.1", constant(32, 64), constant(10, 32)),
    ("random, std 0.1", generator.normal((32, 64), 0, 0.1), generator.normal((10, 32), 0, 0.1)),
):
    loss, W1 = train_two_layers(W1, W2)
    distinct[name] = len(np.unique(W1.round(9), axis=0))
    print(f"{name:<16}{loss:>16.3f}{distinct[name]:>22}")

# %% [markdown]
# Constant weights leave one unit of 32: a network of width 1, and its loss stands accordingly.
# Zeros are worse: every signal and every message has to pass through weights, so all of them are 0,
# and so are all gradients. Nothing moves at all; the loss is $\ln 10$, a blind guess. So randomness
# is there to make units *different*. What remains is the question how large the random numbers
# should be.
#
# ### Four normal distributions
#
# | name | standard deviation $\sigma$ | wish |
# |---|---|---|
# | small | 0.01 | none; a number from old scripts |
# | LeCun (1998) | $\sqrt{1/n_{in}}$ | keep the signal of a linear layer |
# | Xavier (Glorot & Bengio 2010) | $\sqrt{2/(n_{in} + n_{out})}$ | between signal and message |
# | He (2015) | $\sqrt{2/n_{in}}$ | keep the signal of a ReLU layer |


# %%
def small(n_out, n_in, generator):
    return generator.normal((n_out, n_in), 0, 0.01)


def lecun(n_out, n_in, generator):
    return generator.normal((n_out, n_in), 0, np.sqrt(1 / n_in))


def xavier(n_out, n_in, generator):
    return generator.normal((n_out, n_in), 0, np.sqrt(2 / (n_in + n_out)))


def he(n_out, n_in, generator):
    return generator.normal((n_out, n_in), 0, np.sqrt(2 / n_in))


# %% [markdown]
# minigrad's own stand in `mg.nn.init`; a name that ends in `_` writes into the tensor that it gets.
# We compare on a layer that is not square, so that a mix-up of $n_{in}$ and $n_{out}$ would show.

# %%
N_OUT, N_IN = 300, 200
pairs = {
    "small": (small, lambda w, g: init.normal_(w, 0, 0.01, g), 0.01),
    "LeCun": (lecun, lambda w, g: init.lecun_normal_(w, g), np.sqrt(1 / N_IN)),
    "Xavier": (
        xavier,
        lambda w, g: init.xavier_normal_(w, generator=g),
        np.sqrt(2 / (N_IN + N_OUT)),
    ),
    "He": (he, lambda w, g: init.kaiming_normal_(w, generator=g), np.sqrt(2 / N_IN)),
}
worst_moment, worst_difference = 0.0, 0.0
print("          formula    by hand   minigrad   largest relative difference, same seed")
for name, (ours, theirs, wanted) in pairs.items():
    W = ours(N_OUT, N_IN, mg.Generator(1))
    V = theirs(mg.zeros(N_OUT, N_IN, dtype=mg.float64), mg.Generator(1)).data
    difference = np.max(np.abs(W - V) / np.abs(W))
    worst_difference = max(worst_difference, difference)
    worst_moment = max(worst_moment, abs(W.std() / wanted - 1), abs(V.std() / wanted - 1))
    print(f"{name:<8}{wanted:>9.4f}{W.std():>11.4f}{V.std():>11.4f}{difference:>15.0e}")

# %% [markdown]
# ### Orthogonal
#
# An orthogonal matrix keeps the length of *every* vector, not only on average: $W^\top W = I$.
# To draw one, decompose a Gaussian matrix $G = QR$ into an orthogonal $Q$ and an upper triangular
# $R$ and keep $Q$. The signs that the decomposition happens to choose are not random; those of the
# diagonal of $R$ make up for it (Mezzadri 2007). A wide matrix cannot keep all lengths, so it gets
# orthonormal rows instead.


# %%
def orthogonal(n_out, n_in, generator):
    G = generator.normal((max(n_out, n_in), min(n_out, n_in)))
    Q, R = np.linalg.qr(G)
    Q = Q * np.sign(np.diag(R))
    return Q if n_out >= n_in else Q.T


W = orthogonal(128, 128, mg.Generator(2))
V = init.orthogonal_(mg.zeros(128, 128, dtype=mg.float64), generator=mg.Generator(2)).data
orthogonality = max(np.max(np.abs(W.T @ W - np.eye(128))), np.max(np.abs(V.T @ V - np.eye(128))))
worst_difference = max(worst_difference, np.max(np.abs(W - V) / np.abs(W)))
print(f"largest entry of W^T W - I: {orthogonality:.0e}")
print(f"by hand against minigrad, same seed: {np.max(np.abs(W - V)):.0e}")

# %% [markdown]
# Its entries have the standard deviation $1/\sqrt n$, just as LeCun's. So what is the difference?
# Look at the **singular values**: the factors by which a matrix stretches the different directions.
# A Gaussian matrix keeps lengths on average, but stretches some directions by 2 and flattens others
# to almost 0. Multiply many of them, and the directions part ways.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True)
for ax, (name, draw) in zip(axes, (("Gaussian", lecun), ("orthogonal", orthogonal)), strict=True):
    generator, product = mg.Generator(3), np.eye(64)
    for layer in range(1, 31):
        product = draw(64, 64, generator) @ product
        if layer in (1, 5, 30):
            singular = np.linalg.svd(product, compute_uv=False)
            style = {1: "o", 5: "s", 30: "^"}[layer]
            colour = {1: BLUE, 5: ORANGE, 30: RED}[layer]
            ax.plot(range(1, 65), np.log10(singular), style, color=colour, ms=3,
                    label=f"{layer} layer{'s' * (layer > 1)}")  # fmt: skip
    ax.set(title=f"product of {name} layers, n = 64", xlabel="direction, by size")
    ax.grid(alpha=0.25)
    ax.legend(loc="lower left")
axes[0].set_ylabel("log10 of the singular value")
axes[0].set_ylim(-20, 2)
plt.show()

# %% [markdown]
# Right: all 64 directions keep their size, however many layers (the three markers lie on each
# other). Left: after 30 layers most directions are shrunk by many powers of ten, and what gets
# through are the few that are left. (The last few, below $10^{-15}$, are rounding: float64 has 16
# digits, and the true values are smaller still.) Section 6 shows what that means at 10,000 layers.
#
# ### LSUV: look at the data
#
# All the formulas so far assume something about the signal. Mishkin and Matas (2016) do not assume,
# they measure: start with orthogonal weights, send a batch through, and divide the weights of each
# layer by the standard deviation of its output, one layer after the other (*layer-sequential unit
# variance*).


# %%
def lsuv(weights, x, phi):
    """Scale a list of weights so that every z has standard deviation 1 on the batch x."""
    scaled, a = [], x
    for W in weights:
        z = a @ W.T
        scaled.append(W / z.std())
        a = phi(z / z.std())
    return scaled


def relu(z):
    return np.maximum(z, 0)


model = deep_mlp(30, 64, "relu", dtype=np.float64, generator=mg.Generator(0))
layers = {path: m for path, m in model.named_modules() if isinstance(m, mg.nn.Linear)}
# lsuv_ draws the weights of a layer from generator.fork(path); so do we.
start = [orthogonal(*m.weight.shape, mg.Generator(4).fork(path)) for path, m in layers.items()]
ours = lsuv(start, x, relu)
init.lsuv_(model, mg.tensor(x), generator=mg.Generator(4))
lsuv_difference = max(
    np.max(np.abs(W - m.weight.data)) / rms(W) for W, m in zip(ours, layers.values(), strict=True)
)
print(f"by hand against minigrad: largest difference / rms of the weights {lsuv_difference:.0e}")
factors = [rms(W) / rms(before) for W, before in zip(ours, start, strict=True)][1:29]
print(f"LSUV multiplied the weights of layers 2 to 29 by {min(factors):.2f} to {max(factors):.2f}, "
      f"in the (geometric) mean {np.exp(np.mean(np.log(factors))):.3f}")  # fmt: skip

# %% [markdown]
# Nobody told it, but for this ReLU network LSUV finds factors around $\sqrt2 = 1.414$ by itself.
# They scatter, because among 64 units it is never exactly half of the signal that ReLU lets
# through. LSUV makes up for that, too, layer by layer.

# %% [markdown]
# ## 4 · Measure: the decay plot of four starts
#
# 30 layers of ReLU, width 128. The same network, four initializations, several seeds. The biases
# are 0, except in the second: $U(\pm1/\sqrt n)$ is how PyTorch's `nn.Linear` starts
# ($\sigma^2 = 1/(3n)$), and it draws the biases, too. Solid: dL/dz. Dashed: dL/dW. Thinly dotted:
# what theory says of dL/dz. Remember your guess.

# %%
STARTS = {"normal:0.01": "N(0, 0.01²)", "default": "U(±1/√n)", "xavier": "Xavier", "he": "He"}
results = {
    start: measure_decay(
        DecayConfig(30, 128, "relu", init=start, seeds=tuple(TRAINING_SEEDS), dtype="float64")
    )
    for start in STARTS
}
figure, ax = plt.subplots(figsize=(10, 4.6), layout="constrained")
plots.decay(list(results.values()), ax=ax, labels=list(STARTS.values()))
ax.set_title("ReLU, 30 layers, width 128")
plt.show()

LAW = {"normal:0.01": 0.01 * np.sqrt(128 / 2), "default": np.sqrt(1 / 6), "xavier": np.sqrt(1 / 2)}
LAW["he"] = 1.0
print("rms of dL/dz, per layer to the input     measured   law    over 28 layers")
for start, result in results.items():
    factor = result.factor_per_layer
    print(f"  {STARTS[start]:<38}{factor:>9.4f}{LAW[start]:>9.4f}{factor**28:>12.0e}")
print("your guess for N(0, 0.01²):", guess_factor)

# %% [markdown]
# ### The law behind it
#
# Section 1 left out the activation. ReLU lets half of a symmetric signal through,
# $\overline{a^2} = \frac12\overline{z^2}$, and backward its slope is 1 for that half and 0 for the
# other, again $\frac12$. So in a square ReLU layer, both ways,
#
# $$f = \sigma\sqrt{n/2} .$$
#
# Put in $\sigma$: 0.01 gives 0.08 at width 128. Xavier, $\sigma = \sqrt{1/n}$, gives
# $\sqrt{1/2} = 0.707$. To make $f = 1$ you need $\sigma = \sqrt{2/n}$, and that is He. **The 2
# makes up for the half that ReLU throws away.**
#
# The dashed lines of Xavier, He and N(0, 0.01²) are flat: on the way to the input the message
# gets smaller, but the signal gets larger by the same factor, and dL/dW is their product. One is
# flat at the right height, the others far below. Do not judge a network by dL/dW alone. (The
# second one is not flat: biases keep the signal alive, so dL/dW falls with dL/dz. Lesson 3 says
# more.)
#
# ## 5 · Does it matter? He's two curves
#
# He and others (2015) asked this of two networks, one of 22 layers and one of 30. We repeat it on a
# small scale: digits, plain ReLU layers of width 64, momentum 0.9. First the training, which the
# rest of the lesson uses, too.


# %%
def batches(seed, size=64):
    generator = mg.Generator(seed).fork("batches")
    while True:
        yield generator.integers((size,), 0, len(x_all))


def train(model, steps, seed, lr=0.005, momentum=0.9, weight_decay=0.0):
    """The loss of every step, and in the end that of all digits; NaN where it ran away."""
    optimizer = mg.optim.SGD(model.parameters(), lr, momentum, weight_decay=weight_decay)
    dtype = next(iter(model.parameters())).dtype
    x, losses = x_all.astype(dtype), []
    with np.errstate(over="ignore", invalid="ignore"):  # to run away is one of the answers
        for _, chosen in zip(range(steps), batches(seed), strict=False):
            scores = model(mg.tensor(x[chosen]))
            loss = cross_entropy(scores, mg.tensor(y_all[chosen]))
            losses.append(loss.item())
            if not np.isfinite(losses[-1]):
                return [*losses, np.nan]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with mg.no_grad():
            final = cross_entropy(model(mg.tensor(x)), mg.tensor(y_all)).item()
    return [*losses, final]


def late(losses):
    """The median of the last 50 steps: a single batch that jumps does not count."""
    return np.median(losses[-50:]) if np.isfinite(losses[-1]) else np.nan


# %%
STEPS = full_or_fast(500, fast=450)
curves = {
    (depth, start): np.array([
        train(deep_mlp(depth, 64, "relu", start, generator=mg.Generator(seed)), STEPS, seed)
        for seed in TRAINING_SEEDS
    ])
    for depth in (22, 30)
    for start in ("xavier", "he")
}  # fmt: skip


def smooth(losses, window=20):
    kernel = np.ones(window) / window
    return np.array([np.convolve(run, kernel, mode="valid") for run in losses])


figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
for ax, depth in zip(axes, (22, 30), strict=True):
    for start, colour, style in (("xavier", ORANGE, "--"), ("he", BLUE, "-")):
        lines = smooth(curves[depth, start][:, :-1])
        steps = np.arange(20, 20 + lines.shape[1])
        ax.plot(steps, lines.mean(axis=0), style, color=colour, label=STARTS[start], lw=2)
        ax.fill_between(steps, lines.min(axis=0), lines.max(axis=0), color=colour, alpha=0.2, lw=0)
    ax.axhline(np.log(10), ls=":", color="black", label="blind guess: ln 10", zorder=1, lw=1)
    ax.set(title=f"{depth} layers", xlabel="step", ylim=(0, 3.6))
    ax.grid(alpha=0.25)
    ax.legend(loc="upper right")
axes[0].set_ylabel("training loss, mean of 20 steps")
plt.show()

# %%
first_gradient = {}
for depth, start in curves:
    sizes = []
    for seed in TRAINING_SEEDS:
        model = deep_mlp(depth, 64, "relu", start, generator=mg.Generator(seed))
        with Probe(model) as probe:
            cross_entropy(model(mg.tensor(x_all[:256])), mg.tensor(y_all[:256])).backward()
        sizes.append(probe.series("dw_rms")[0, 0])
    first_gradient[depth, start] = np.mean(sizes)
print("layers  start     rms dL/dW of layer 1   loss in the end, per seed")
for (depth, start), losses in curves.items():
    print(f"{depth:>6}  {STARTS[start]:<8}{first_gradient[depth, start]:>17.1e}      "
          f"{losses[:, -1].round(3)}")  # fmt: skip
print(f"your guesses for Xavier: 22 layers learn: {guess_22_learns}, 30 layers: {guess_30_learns}")

# %% [markdown]
# With 22 layers both learn, and He's start earlier. With 30 layers Xavier does not begin at all: it
# stays at $\ln 10 = 2.303$, the loss of a blind guess. This is what He and others reported. (Where
# He's curve bumps up, some steps were too long; lesson 12 clips them.)
#
# Look at the gradients in the table. Under Xavier dL/dz loses a factor of 0.707 a layer, so dL/dW
# of layer 1 is smaller than He's by $0.707^{\text{depth}-1}$: about $7\cdot10^{-4}$ at 22 layers
# and $4\cdot10^{-5}$ at 30. Only a factor of 16 between the two. Why is the edge so sharp, then?
# Because the gradient of each layer is a product over all the others. As long as they are small,
# all creep. As soon as they have grown a little, each makes the others grow faster, and the network
# takes off, as you see on the left. With gradients 16 times smaller the creeping takes many times
# longer.

# %% [markdown]
# ## 6 · Ten thousand layers
#
# Now tanh, width 32, no biases, and $\sigma = 1/\sqrt n$: the signal neither grows nor dies
# quickly. Once with Gaussian and once with orthogonal weights, through 10,000 layers
# and back. In float64, so that even absurdly small numbers have digits.

# %%
DEEP, NARROW = 10_000, 32


def there_and_back(kind, seed):
    """rms of z and of dL/dz in each of 10,000 tanh layers."""
    generator = mg.Generator(seed)
    W = generator.normal((DEEP, NARROW, NARROW))
    if kind == "orthogonal":
        Q, R = np.linalg.qr(W)
        W = Q * np.sign(np.diagonal(R, axis1=1, axis2=2))[:, None, :]
    else:
        W /= np.sqrt(NARROW)
    a, z_rms, slopes = generator.normal((16, NARROW)), [], []
    for layer in W:
        z = a @ layer.T
        a = np.tanh(z)
        z_rms.append(rms(z))
        slopes.append(1 - a**2)
    dz, dz_rms = generator.normal((16, NARROW)), []
    for layer, slope in zip(W[:0:-1], slopes[-2::-1], strict=True):
        dz_rms.append(rms(dz))
        dz = (dz @ layer) * slope
    return np.array(z_rms), np.array([*dz_rms, rms(dz)][::-1])


deep = {
    kind: np.array([there_and_back(kind, seed) for seed in TRAINING_SEEDS])
    for kind in ("Gaussian", "orthogonal")
}
print("log10 over the seeds       rms z, layer 10,000     rms dL/dz, layer 1 / layer 10,000")
for kind, runs in deep.items():
    z_end = np.log10(runs[:, 0, -1])
    dz_ratio = np.log10(runs[:, 1, 0] / runs[:, 1, -1])
    print(f"{kind:<24}{z_end.mean():>10.2f} [{z_end.min():.1f}, {z_end.max():.1f}]"
          f"{dz_ratio.mean():>20.2f} [{dz_ratio.min():.1f}, {dz_ratio.max():.1f}]")  # fmt: skip

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
for ax, which, title in ((axes[0], 0, "signal z"), (axes[1], 1, "message dL/dz")):
    for kind, colour, style in (("Gaussian", RED, "--"), ("orthogonal", BLUE, "-")):
        logs = np.log10(deep[kind][:, which])[:, ::25]
        where = np.arange(1, DEEP + 1)[::25]
        ax.plot(where, logs.mean(axis=0), style, color=colour, label=kind, lw=2)
        ax.fill_between(where, logs.min(axis=0), logs.max(axis=0), color=colour, alpha=0.2, lw=0)
    ax.axhline(-37.9, ls=":", color="black", label="float32 loses its digits below")
    ax.set(title=title, xlabel="layer (1 = nearest the input)")
    ax.grid(alpha=0.25)
axes[0].set_ylabel("log10 of the rms")
axes[0].legend(loc="lower left")
plt.show()

# %% [markdown]
# The orthogonal network carries both through ten thousand layers (Xiao and others, 2018, trained
# convolutional networks of that depth with this idea). The Gaussian one loses some 65 powers of
# ten, give or take ten, although its $\sigma$ is the same; in float32 nothing would be left. Two
# laws explain the two curves:
#
# - **Orthogonal.** Lengths are kept, so only tanh shrinks the signal, and it does so ever more
#   gently: $\overline{z^2}$ goes from $q$ to about $q - 2q^2$ a layer, and that falls as
#   $\frac{1}{2l}$ (lesson 4). At $l = 10{,}000$ that is an rms of $1/\sqrt{20{,}000} = 0.0071$.
#   (For wide layers. In a vector of fixed length the largest entries are a little smaller than
#   among Gaussian numbers, so tanh bites less, by $1 + \frac2n$ in the mean square: 0.0073 at
#   width 32.) The message meets the mean squared slope of tanh, about
#   $1 - 2\overline{z^2} = 1 - \frac1l$ in layer $l$. The product of these falls as $\frac1l$, too.
# - **Gaussian.** In addition there is luck: each layer multiplies the length of a vector by a
#   random factor, which is 1 in the mean square, but whose *logarithm* is negative in the mean, by
#   $\frac{1}{2n}$ per layer for wide layers. Ten thousand layers of width 32 make
#   $e^{-10000/64} = 10^{-68}$. (tanh adds one power of ten at most: once the signal is small, tanh
#   is a straight line.) Luck differs from seed to seed, hence the broad band. At depth 30 you
#   would hardly notice.

# %% [markdown]
# ## 7 · Loss log: repair a network, one change after another
#
# Back to 30 layers of ReLU. We begin with the worst start and change one thing at a time. Each row
# is a network after the next repair: how strong is the signal in layer 29, how strong the message
# in layer 1, and what is the loss at the end of a short training (the median of its last 50 steps;
# a blind guess has 2.303)?

# %%
LOG_STEPS = full_or_fast(160, fast=130)
REPAIRS = {
    "zeros": {"init": "zeros"},
    "constant 1/64": {"init": f"constant:{1 / 64}"},
    "random: N(0, 0.01²)": {"init": "normal:0.01"},
    "size from the width: LeCun": {"init": "lecun"},
    "both directions: Xavier": {"init": "xavier"},
    "ReLU's half: He": {"init": "he"},
    "orthogonal × √2": {"init": "orthogonal", "gain": np.sqrt(2)},
    "measured: LSUV": {"init": "orthogonal", "lsuv": True},
}


def started(seed, lsuv=False, **how):
    model = deep_mlp(30, 64, "relu", generator=mg.Generator(seed), **how)
    if lsuv:
        init.lsuv_(model, mg.tensor(x_all[:256]), generator=mg.Generator(seed))
    return model


log = {}
print(f"{'start':<28}{'rms z, layer 29':>16}{'rms dL/dz, layer 1':>20}   loss, per seed")
for name, how in REPAIRS.items():
    signals, messages, losses = [], [], []
    for seed in TRAINING_SEEDS:
        model = started(seed, **how)
        with Probe(model) as probe:
            cross_entropy(model(mg.tensor(x_all[:256])), mg.tensor(y_all[:256])).backward()
        signals.append(probe.series("z_rms")[0, 28])
        messages.append(probe.series("dz_rms")[0, 0])
        losses.append(late(train(started(seed, **how), LOG_STEPS, seed, lr=0.003)))
    log[name] = np.array(losses)
    print(f"{name:<28}{np.mean(signals):>16.1e}{np.mean(messages):>20.1e}   {log[name].round(2)}")

# %% [markdown]
# Read the last column from top to bottom.
#
# - Zeros, constant, small: no signal, no message, or no difference between the units. The loss
#   stays at a blind guess (the constant, a network of width 1, gets hardly below it).
# - LeCun and Xavier are the same in a square layer, and here only the last layer is not square.
#   Signal and message are far larger than in the row above, and still too small for 30 layers: the
#   loss does not move.
# - He is the repair that counts. The message in layer 1 rises by more than four powers of ten,
#   and the loss falls.
# - Orthogonal weights and LSUV have the sizes of He's, and learn as well. LSUV, with which no layer
#   is off by chance, is usually ahead in so short a training.

# %% [markdown]
# ## 8 · Claim court
#
# ### "Small random weights may make the gradient vanish"
#
# (row 4.3 of the table in `lessons/README.md`.) When exactly? We sweep $\sigma$ from 0.005 to 0.3
# in networks of 20 layers and width 128, ReLU and tanh, on raw arrays. ReLU's law is
# $\sigma\sqrt{n/2}$ from section 4. For tanh it is $\sqrt{\chi_1}$ of lesson 4: $\chi_1$ is
# $n\sigma^2$ times the mean squared slope, where the signal has settled (`theory.chi_1`).


# %%
def tanh_slope(z):
    return 1 - np.tanh(z) ** 2


def relu_slope(z):
    return (z > 0).astype(float)


FUNCTIONS = {"relu": (relu, relu_slope), "tanh": (np.tanh, tanh_slope)}


def factor_of(activation, std, seed, width=128, depth=20, skip=5):
    """Factor on the rms of dL/dz, per layer towards the input, `skip` layers off both ends."""
    phi, slope = FUNCTIONS[activation]
    generator = mg.Generator(seed)
    W = [generator.normal((width, width), 0, std) for _ in range(depth)]
    z = [generator.normal((64, width))]
    for layer in W:
        z.append(phi(z[-1]) @ layer.T)
    dz = [generator.normal((64, width))]
    for layer, below in zip(W[::-1], z[-2::-1], strict=True):
        dz.append((dz[-1] @ layer) * slope(below))
    return (rms(dz[depth - skip]) / rms(dz[skip])) ** (1 / (depth - 2 * skip))


STDS = np.array([0.005, 0.01, 0.02, 0.04, 0.07, 0.0884, 0.125, 0.18, 0.3])
swept = {
    activation: np.array([[factor_of(activation, s, seed) for s in STDS] for seed in SEEDS])
    for activation in FUNCTIONS
}
WIDTHS = np.array([32, 128, 512])
by_width = np.array([
    [factor_of("relu", 0.01, seed, w, depth=8, skip=2) for w in WIDTHS] for seed in TRAINING_SEEDS
])  # fmt: skip

# %%
laws = {
    "relu": STDS * np.sqrt(128 / 2),
    "tanh": np.sqrt([theory.chi_1(128 * s**2, 0.0, "tanh") for s in STDS]),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
for activation, colour, marker in (("relu", GREEN, "^"), ("tanh", ORANGE, "o")):
    left.plot(STDS, swept[activation].mean(axis=0), marker, color=colour, label=activation)
    left.fill_between(STDS, swept[activation].min(axis=0), swept[activation].max(axis=0),
                      color=colour, alpha=0.2, lw=0)  # fmt: skip
    left.plot(STDS, laws[activation], ":", color=colour, lw=1.5, label=f"law for {activation}")
left.set_title("width 128")
left.set(xlabel="standard deviation of the weights", ylabel="factor on rms dL/dz per layer")
widths = np.geomspace(16, 60_000, 50)
right.plot(widths, 0.01 * np.sqrt(widths / 2), ":", color="black", label="law: 0.01 √(n/2)")
right.plot(WIDTHS, by_width.mean(axis=0), "^", color=GREEN, label="relu, measured")
right.plot(20_000, 1, "*", color=RED, ms=12, label="n = 20,000: factor 1")
right.set(title="standard deviation 0.01", xlabel="width n")
for ax in (left, right):
    ax.set(xscale="log", yscale="log")
    ax.axhline(1, color="0.6", lw=1)
    ax.grid(alpha=0.25)
    ax.legend()
plt.show()

sweep_ratio = swept["relu"].mean(axis=0) / laws["relu"]
print("std    " + "".join(f"{s:>8}" for s in STDS))
for activation, factors in swept.items():
    print(f"{activation:<7}" + "".join(f"{f:>8.3f}" for f in factors.mean(axis=0)))

# %% [markdown]
# **Verdict: it holds, and can be said exactly.** ReLU: the gradient vanishes where
# $\sigma\sqrt{n/2} < 1$. tanh: where $\sigma\sqrt n < 1$; above, it explodes, but more gently than
# ReLU, since saturated units pass little on. (Right on the border, at 0.0884, the signal has not
# settled: in layer $l$ the message loses $\frac1l$ of its mean square, as in section 6. Hence 0.95
# instead of 1.) At width 128 and $\sigma = 0.01$ only 8 percent of a ReLU layer's message survive.
# But "small" is no property of $\sigma$ alone. In a layer of 20,000 units 0.01 is exactly He's
# number. That is why a fixed number is never the right answer, and why the formulas have an $n$ in
# them.
#
# ### "Xavier: the standard deviation is the root of inputs over outputs"
#
# (row 4.4.) As written: $\sigma = \sqrt{n_{in}/n_{out}}$. As published (Glorot & Bengio 2010,
# eq. 12): $\sigma^2 = 2/(n_{in} + n_{out})$. In a square layer the first is 1, at any width.


# %%
def as_written(n_out, n_in):
    return np.sqrt(n_in / n_out)


def as_published(n_out, n_in):
    return np.sqrt(2 / (n_in + n_out))


def signal(rule, width, seed, phi, depth=10):
    """rms of z in every layer, and the last a."""
    generator, a, found = mg.Generator(seed), x, []
    for _ in range(depth):
        std = rule(width, a.shape[1])
        z = a @ generator.normal((width, a.shape[1]), 0, std).T
        a = phi(z)
        found.append(rms(z))
    return np.array(found), a


RULES = {"as written": (as_written, RED, "-"), "as published": (as_published, BLUE, "--")}
growth = {}
figure, ax = plt.subplots(figsize=(10, 3.8), layout="constrained")
for name, (rule, colour, style) in RULES.items():
    for width, marker in zip(WIDTHS, "osv", strict=True):
        runs = np.array([signal(rule, width, seed, lambda z: z)[0] for seed in SEEDS])
        growth[name, width] = np.mean((runs[:, -1] / runs[:, 1]) ** (1 / 8))
        logs = np.log10(runs)
        ax.plot(range(1, 11), logs.mean(axis=0), marker + style, color=colour, ms=5,
                label=f"{name}, width {width}")  # fmt: skip
        ax.fill_between(range(1, 11), logs.min(axis=0), logs.max(axis=0), color=colour,
                        alpha=0.2, lw=0)  # fmt: skip
ax.set(xlabel="layer (1 = nearest the input)", ylabel="log10 of rms z")
ax.set_title("linear layers, Xavier by two rules")
ax.grid(alpha=0.25)
ax.legend(ncols=2)
plt.show()

for width in WIDTHS:
    wild, tame = growth["as written", width], growth["as published", width]
    print(f"width {width:>4}: rms z per layer as written x {wild:.2f} (√width = {width**0.5:.2f}), "
          f"as published x {tame:.3f}")  # fmt: skip

# %% [markdown]
# The signal grows by $\sqrt n$ a layer, as section 1 says: $n_{in}\sigma^2 = n$ instead of 1. What
# does that do to a network of ten layers? For tanh, count the units that are saturated
# ($|a| > 0.99$: they pass on less than 2 percent of a message). Then train both, tanh and ReLU.

# %%
saturated = {
    name: np.mean([np.mean(np.abs(signal(rule, 128, seed, np.tanh)[1]) > 0.99) for seed in SEEDS])
    for name, (rule, _, _) in RULES.items()
}
xavier_losses = {}
for name, (rule, _, _) in RULES.items():
    print(f"{name:<13} saturated units in layer 10 (tanh): {saturated[name]:.0%}")
    for activation in ("tanh", "relu"):
        runs = []
        for seed in TRAINING_SEEDS:
            model = deep_mlp(10, 128, activation, generator=mg.Generator(seed))
            for module in model.modules():
                if isinstance(module, mg.nn.Linear):
                    init.normal_(module.weight, 0, rule(*module.weight.shape), mg.Generator(seed))
            runs.append(train(model, full_or_fast(120, fast=80), seed))
        xavier_losses[name, activation] = np.array([run[-1] for run in runs])
        print(f"  {activation}: loss at the start {np.mean([run[0] for run in runs]):.3g}, "
              f"after training {xavier_losses[name, activation].round(2)}")  # fmt: skip

# %% [markdown]
# **Verdict: it does not hold.** What is true: the *mean* of $n_{in}$ and $n_{out}$ stands in the
# denominator. With the rule as written four of five tanh units are saturated before the first
# step, and a ReLU network begins with an astronomical loss and overflows (NaN). One can see how a
# formula with both numbers under a root gets mixed up on its way from paper to article. A quick
# check helps with any initialization: put in a square layer, and $n\sigma^2$ must come out near 1
# (for ReLU near 2).
#
# ### "He: the standard deviation is the root of 2 over the inputs"
#
# (row 4.5.) **Verdict: it holds**, as published (He and others 2015, eq. 10). Section 4 has derived
# the 2 and measured it. It belongs to ReLU: without an activation the same start makes the signal
# grow by $\sqrt2$ a layer.

# %%
he_factor = {}
for name, phi in (("relu", relu), ("identity", lambda z: z), ("tanh", np.tanh)):
    runs = [signal(lambda o, i: np.sqrt(2 / i), 256, seed, phi, depth=20)[0] for seed in SEEDS]
    he_factor[name] = np.mean([(run[-1] / run[4]) ** (1 / 15) for run in runs])
    print(f"He's start, {name:<9} rms z per layer x {he_factor[name]:.3f}")

# %% [markdown]
# (tanh stands still at 1 for another reason: it saturates until the signal has settled. Its
# gradients do grow with He's start, by 5 percent a layer: see the tanh row of the sweep above at
# 0.125, which is He's number for width 128.)
#
# ### "Initialization or regularization?"
#
# (row 4.12, the part about initialization, and row 4.6.) Some advice puts the two in one list of
# cures for unstable gradients. Can an L2 penalty (a pull of every weight towards 0, proportional to
# the weight) replace the right start? 30 layers of ReLU, started too small, right, and too large
# by 20 percent, each without a penalty and with a strong one, 0.01.

# %%
SCALES = {"Xavier (He × 0.71)": 0.5**0.5, "He": 1.0, "He × 1.2": 1.2}
PENALTIES = (0.0, 0.01)
rescued = {}
print(f"{'loss after training':<22}" + "".join(f"L2 {p:<20}" for p in PENALTIES))
for name, scale in SCALES.items():
    for penalty in PENALTIES:
        rescued[name, penalty] = np.array([
            late(train(started(seed, init="he", gain=scale), LOG_STEPS, seed, lr=0.003,
                       weight_decay=penalty))
            for seed in TRAINING_SEEDS
        ])  # fmt: skip
    print(f"{name:<22}" + "".join(f"{rescued[name, p].round(2)!s:<23}" for p in PENALTIES))

# %% [markdown]
# **Verdict: they are not two cures for one illness.** The penalty rescues neither the small start,
# which it makes smaller still, nor the large one, which has overflowed (NaN) before a gentle pull
# towards zero could do anything. It pulls over thousands of steps; by then the start has long
# decided. Regularization has its own purpose, and lesson 15 measures it.

# %% [markdown]
# ## 9 · What we found

# %%
GLOROT, HE = "Glorot & Bengio 2010", "He et al. 2015"
signals_deep = deep["orthogonal"][:, 0, -1].mean()
lost_decades = np.log10(deep["Gaussian"][:, 0, -1]).mean()
failing = ("zeros", "constant 1/64", "random: N(0, 0.01²)", "size from the width: LeCun",
           "both directions: Xavier")  # fmt: skip
working = ("ReLU's half: He", "orthogonal × √2", "measured: LSUV")
gradient_ratio = first_gradient[30, "xavier"] / first_gradient[30, "he"]
repaired = max(log[n].max() for n in working) < min(log[n].min() for n in failing)
not_rescued = min(
    np.nan_to_num(rescued[name, p], nan=np.log(10)).min()
    for name in ("Xavier (He × 0.71)", "He × 1.2")
    for p in PENALTIES
)

record(
    [
        Claim("initializers by hand against minigrad, same seed: largest relative difference", 0,
              worst_difference, 1e-6, "both compute the same formulas"),
        Claim("LSUV by hand against minigrad: largest difference / rms", 0, lsuv_difference, 1e-9,
              "Mishkin & Matas 2016"),
        Claim("standard deviations against their formulas: largest relative error", 0, worst_moment,
              0.012, "60,000 draws scatter by 0.3 %"),
        Claim("orthogonal: largest entry of WᵀW − I", 0, orthogonality, 1e-10, "Saxe et al. 2014"),
        Claim("constant start: different units in a layer after training", 1,
              distinct["constant 0.1"], 0, "symmetry"),
        Claim("ReLU, N(0, 0.01²), width 128: rms of dL/dz per layer, σ√(n/2)", 0.08,
              results["normal:0.01"].factor_per_layer, 0.003, HE),
        Claim("ReLU, Xavier: rms of dL/dz per layer", 0.5**0.5, results["xavier"].factor_per_layer,
              0.02, HE),
        Claim("ReLU, He: rms of dL/dz per layer", 1, results["he"].factor_per_layer, 0.03, HE),
        Claim("ReLU, σ from 0.005 to 0.3: rms of dL/dz per layer / σ√(n/2), mean", 1,
              sweep_ratio.mean(), 0.03, "article row 4.3"),
        Claim("22 ReLU layers: 1 if Xavier and He learn in all seeds (loss < 2.2)", 1,
              int(max(curves[22, s][:, -1].max() for s in ("xavier", "he")) < 2.2), 0, HE),
        Claim("30 ReLU layers: 1 if He beats Xavier in all seeds", 1,
              int(curves[30, "he"][:, -1].max() < curves[30, "xavier"][:, -1].min()), 0, HE),
        Claim("30 ReLU layers: log10 of rms dL/dW of layer 1, Xavier / He, is 29 log10(√½)",
              29 * np.log10(0.5**0.5), np.log10(gradient_ratio), 0.6, HE),
        Claim("30 ReLU layers, Xavier: loss stays at ln 10", np.log(10),
              curves[30, "xavier"][:, -1].mean(), 0.1, HE),
        Claim("10,000 orthogonal tanh layers of width 32: rms of the last z is √((1 + 2/n)/20000)",
              np.sqrt((1 + 2 / NARROW) / 20_000), signals_deep, 0.0001,
              "Xiao et al. 2018; variance map of tanh"),
        Claim("10,000 Gaussian tanh layers of width 32: log10 of the rms of the last z",
              -DEEP / (2 * NARROW) * np.log10(np.e), lost_decades, 15,
              "product of random matrices"),
        Claim("Xavier as written, width 128, linear: rms of z per layer", 128**0.5,
              growth["as written", 128], 0.4, "against article row 4.4"),
        Claim("Xavier as published, width 128, linear: rms of z per layer", 1,
              growth["as published", 128], 0.03, GLOROT + ", eq. 12"),
        Claim("10 tanh layers: 1 if Xavier as published beats as written in all seeds", 1,
              int(xavier_losses["as published", "tanh"].max()
                  < xavier_losses["as written", "tanh"].min()), 0, "article row 4.4"),
        Claim("He without an activation: rms of z per layer", 2**0.5, he_factor["identity"], 0.03,
              HE + "; article row 4.5"),
        Claim("loss log: 1 if He, orthogonal, LSUV beat all other starts in all seeds", 1,
              int(repaired), 0, "He et al. 2015; Mishkin & Matas 2016"),
        Claim("30 layers, wrong start: 1 if L2 of 0.01 brings no loss below 2.2", 1,
              int(not_rescued > 2.2), 0, "article row 4.12"),
    ]
)  # fmt: skip

# %% [markdown]
# **In five sentences.** Random numbers make units different; their size decides whether signal and
# message survive the depth. A square ReLU layer multiplies both by $\sigma\sqrt{n/2}$, so
# $\sigma = \sqrt{2/n}$ keeps them, and the missing 2 of Xavier costs a network of 30 layers
# everything. Always put in a square layer to check a formula: $n\sigma^2$ must come out near 1, or
# near 2 for ReLU. Orthogonal weights keep every direction and reach 10,000 layers, where Gaussian
# ones of the same size lose some 65 powers of ten. And no penalty on the weights repairs a start
# that carries no signal.
#
# ## 10 · Exercises
#
# **Exercise 1: He for a leaky ReLU.** A leaky ReLU passes negative numbers on, multiplied by a
# small `leak`. Derive which $\sigma$ keeps the signal, and write `he_leaky(n_out, n_in, leak,
# generator)`: a NumPy array of normal numbers, shape `(n_out, n_in)`. It is checked by its moments,
# so you may draw as you like.


# %%
def he_leaky(n_out, n_in, leak, generator):
    return None  # your code


# %%
def looks_wrong(found, shape, name):
    """None for an array of floats of that shape, else what to say."""
    try:
        array = np.asarray(found, dtype=float)
    except (TypeError, ValueError):
        return f"{name}: not yet: expected an array, got {type(found).__name__}"
    if array.shape != shape:
        return f"{name}: not yet: expected shape {shape}, got {array.shape}"
    if not np.isfinite(array).all():
        return f"{name}: not yet: there are NaN or infinite numbers in it"
    return None


def check_he_leaky():
    for n_out, n_in, leak in ((150, 400, 0.3), (500, 120, 0.0), (200, 200, 0.8)):
        found = he_leaky(n_out, n_in, leak, mg.Generator(n_in))
        if found is None:
            return "exercise 1: not written yet"
        if said := looks_wrong(found, (n_out, n_in), "exercise 1"):
            return said
        wanted = np.sqrt(2 / ((1 + leak**2) * n_in))
        where = f"n_out={n_out}, n_in={n_in}, leak={leak}"
        if abs(np.mean(found)) > 0.02 * wanted:
            return f"exercise 1: not yet: {where}: mean {np.mean(found):.2g}, expected near 0"
        if abs(np.std(found) / wanted - 1) > 0.02:
            return (f"exercise 1: not yet: {where}: standard deviation {np.std(found):.4f}, "
                    f"expected {wanted:.4f}")  # fmt: skip
        kurtosis = np.mean((found / np.std(found)) ** 4)
        if abs(kurtosis - 3) > 0.2:
            return f"exercise 1: not yet: {where}: fourth moment {kurtosis:.2f}, a normal one has 3"
    return "exercise 1: correct, three shapes and leaks"


print(check_he_leaky())

# %% [markdown]
# **Exercise 2: orthogonal, with a gain.** Write `orthogonal_gain(n_out, n_in, gain, generator)`.
# All singular values are to be `gain`, exact to $10^{-10}$, for wide and for tall matrices, and
# another generator must give another matrix.


# %%
def orthogonal_gain(n_out, n_in, gain, generator):
    return None  # your code


# %%
def check_orthogonal_gain():
    for n_out, n_in, gain in ((40, 40, 1.0), (70, 20, 2**0.5), (15, 60, 0.5)):
        found, other = (orthogonal_gain(n_out, n_in, gain, mg.Generator(s)) for s in (5, 6))
        if found is None:
            return "exercise 2: not written yet"
        if said := looks_wrong(found, (n_out, n_in), "exercise 2"):
            return said
        where = f"n_out={n_out}, n_in={n_in}, gain={gain:.3g}"
        singular = np.linalg.svd(found, compute_uv=False)
        if (off := np.max(np.abs(singular - gain))) > 1e-10:
            return (f"exercise 2: not yet: {where}: singular values from {singular.min():.6g} to "
                    f"{singular.max():.6g}, expected {gain:.6g}; off by {off:.0e}")  # fmt: skip
        if np.allclose(found, other):
            return f"exercise 2: not yet: {where}: two generators give the same matrix"
    mean = np.mean([np.trace(orthogonal_gain(9, 9, 1.0, mg.Generator(s))) for s in range(200)])
    if abs(mean) > 0.4:
        return (f"exercise 2: not yet: the mean trace of 200 draws is {mean:.2f}, expected 0: "
                "the signs are not random")  # fmt: skip
    return "exercise 2: correct, square, tall and wide"


print(check_orthogonal_gain())

# %% [markdown]
# **Exercise 3: `lsuv_` for any layer.** Write `lsuv_in_place(model, x)`: scale the weights of all
# linear layers of a minigrad model, without biases, so that every $z$ has standard deviation 1 on
# the batch `x` (a Tensor). Do not draw new weights, and leave their directions as they are. What
# helps: `[m for m in model.modules() if isinstance(m, mg.nn.Linear)]` are the layers in order;
# `handle = layer.register_forward_hook(lambda module, args, out: ...)` calls you with the layer's
# output `out` in every forward; `handle.remove()` takes the hook off; `layer.weight.data *= 2`
# changes weights. One forward per layer is fine.


# %%
def lsuv_in_place(model, x):
    return None  # your code


# %%
def check_lsuv():
    for activation, depth in (("relu", 12), ("tanh", 7)):
        model = deep_mlp(depth, 40, activation, "lecun", bias=False, dtype=np.float64,
                         generator=mg.Generator(depth))  # fmt: skip
        before = [p.data.copy() for p in model.parameters()]
        lsuv_in_place(model, mg.tensor(x))
        after = [p.data for p in model.parameters()]
        if all(np.array_equal(b, a) for b, a in zip(before, after, strict=True)):
            return "exercise 3: not written yet"
        a = x
        for l, (b, w) in enumerate(zip(before, after, strict=True), start=1):
            where = f"{activation}, layer {l} of {depth}"
            cosine = np.sum(b * w) / np.sqrt(np.sum(b**2) * np.sum(w**2))
            if not cosine > 1 - 1e-9:
                return f"exercise 3: not yet: {where}: the weights were turned, not only scaled"
            z = a @ w.T
            if not abs(z.std() - 1) < 1e-6:
                return f"exercise 3: not yet: {where}: std of z is {z.std():.6f}, expected 1"
            a = FUNCTIONS[activation][0](z)
    return "exercise 3: correct, for ReLU and tanh"


print(check_lsuv())

# %% [markdown]
# **Exercise 4: train 30 layers within a budget.** Write `prepare(model, x, generator)`. It gets a
# ReLU network of 30 layers with useless weights and a batch `x` (a Tensor), and gives it a start of
# your choice, in place. You may use everything in `mg.nn.init`. The check trains it for 250 steps
# from three seeds; the loss has to come below 1.9 each time.


# %%
def prepare(model, x, generator):
    return None  # your code


# %%
def check_prepare():
    for seed in (101, 102, 103):
        model = deep_mlp(30, 64, "relu", "zeros", generator=mg.Generator(seed))
        prepare(model, mg.tensor(x_all[:256]), mg.Generator(seed))
        if all((p.data == 0).all() for p in model.parameters()):
            return "exercise 4: not written yet"
        loss = train(model, 250, seed, lr=0.003)[-1]
        if not loss < 1.9:
            return f"exercise 4: not yet: seed {seed}: loss {loss:.3f} in the end, wanted < 1.9"
    return "exercise 4: correct, three seeds within the budget"


print(check_prepare())

# %% [markdown]
# **Exercise 5: is symmetry always a prison?** A network of two layers, 64 → 32 → 10, tanh. All
# weights of the *first* layer are 0.1, those of the second are random (Xavier). After 20 steps: how
# many *different* units does the first layer have? Think of what a unit's gradient is made of.

# %%
different_units = None  # your number

# %%
if different_units is None:
    print("exercise 5: not written yet")
else:
    model = deep_mlp(2, 32, "tanh", "xavier", dtype=np.float64, generator=mg.Generator(7))
    first = next(iter(model.parameters()))
    first.data[...] = 0.1
    train(model, 20, seed=7)
    found = len(np.unique(first.data.round(9), axis=0))
    if different_units == found:
        print(f"exercise 5: correct, {found}: the messages from above differ, and so do the steps")
    else:
        print("exercise 5: not yet: is the message from above the same for every unit?")

# %% [markdown]
# **To think about** (no check):
#
# 1. Xavier takes the mean of $n_{in}$ and $n_{out}$ because signal and message have different
#    wishes. He's formula takes $n_{in}$ alone. Why does that do no harm in a network whose widths
#    go, say, 64, 128, 128, 10? (Multiply the factors of all layers, forward and backward.)
# 2. In section 6 a Gaussian layer loses $\frac{1}{2n}$ in the logarithm. How deep may a network of
#    width 1,000 be until that costs a factor of e? Is it worth a matrix decomposition then?
# 3. LSUV looks at the data. What happens if the batch is not like the data that come later?
#
# ## Further reading
#
# - Y. LeCun, L. Bottou, G. Orr, K.-R. Müller (1998): *Efficient BackProp*. The root of all this.
# - X. Glorot, Y. Bengio (2010): *Understanding the difficulty of training deep feedforward neural
#   networks*, AISTATS.
# - A. Saxe, J. McClelland, S. Ganguli (2014): *Exact solutions to the nonlinear dynamics of
#   learning in deep linear neural networks*, ICLR. Orthogonal starts.
# - K. He, X. Zhang, S. Ren, J. Sun (2015): *Delving deep into rectifiers*, ICCV. The 2, and the
#   networks of 22 and 30 layers.
# - D. Mishkin, J. Matas (2016): *All you need is a good init*, ICLR. LSUV.
# - L. Xiao, Y. Bahri, J. Sohl-Dickstein, S. Schoenholz, J. Pennington (2018): *Dynamical isometry
#   and a mean field theory of CNNs*, ICML. 10,000 layers.
# - F. Mezzadri (2007): *How to generate random matrices from the classical compact groups*, Notices
#   of the AMS 54(5).
