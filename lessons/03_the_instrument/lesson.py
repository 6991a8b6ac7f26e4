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
# # 3 · The instrument: where does the gradient go?
#
# **Question.** You stack 30 layers, start training, and nothing happens: the loss stays where it
# was. People say "the gradient vanished". Vanished *where*? In which layer, by how much a layer,
# and which gradient do they mean?
#
# In this lesson you build an instrument that answers with numbers: four numbers per layer. First
# by hand, on plain NumPy arrays; then with minigrad's `Probe`, which must agree. Then you point it
# at three networks, and you test a law that Xavier Glorot and Yoshua Bengio published in 2010.
#
# Time: about 75 minutes. You need: the matrix product, the chain rule, NumPy. The lesson stands
# alone and downloads nothing.
#
# | symbol | meaning | in the code |
# |---|---|---|
# | $l$ | number of a layer, counted from the input: 1, 2, … | `l` |
# | `depth` | number of layers, here 30 | `DEPTH` |
# | $n$ | width: number of units in a layer, here 128 | `WIDTH` |
# | $W_l$ | weights of layer $l$, shape (units out, units in) | `W[l]` |
# | $z_l$ | what layer $l$ computes before the activation | `z[l]` |
# | $\varphi$, $\varphi'$ | the activation (sigmoid, tanh, ReLU) and its slope | `phi`, `slope` |
# | $a_l = \varphi(z_l)$ | what layer $l$ passes on; $a_0 = x$ is the input | `a[l]` |
# | $L$ | the loss, one number | `loss` |
# | $\partial L/\partial z_l$ | gradient at the output of layer $l$, shape of $z_l$ | `dz[l]` |
# | $\partial L/\partial W_l$ | gradient of the weights, shape of $W_l$ | `dW[l]` |

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad.course import Claim, full_or_fast, record
from minigrad.data import load_digits, standardize
from minigrad.diagnostics import DecayConfig, Probe, measure_decay, plots, theory
from minigrad.models import deep_mlp

DEPTH, WIDTH, BATCH = 30, 128, 256
SEEDS = range(full_or_fast(5, fast=3))

plt.rcParams["figure.dpi"] = 110

# %% [markdown]
# ## 1 · The network, in one line
#
# $$z_l = W_l a_{l-1}, \qquad a_l = \varphi(z_l), \qquad a_0 = x$$
#
# The last layer has 10 units, one per digit, and no activation; its $z$ are the scores that
# softmax turns into probabilities. The loss $L$ is the mean cross-entropy over the batch. There
# are no biases: Glorot and Bengio start them at zero, where they do nothing. (Section 8 puts them
# back, with a surprise.)
#
# Every weight is drawn from the uniform distribution
#
# $$W \sim U\left(-\tfrac{1}{\sqrt n}, \tfrac{1}{\sqrt n}\right),$$
#
# where $n$ is the number of units that *enter* the layer. For years this was the usual choice.
# It is still how PyTorch's `nn.Linear` starts.

# %% [markdown]
# ## 2 · Predict
#
# Before you measure anything, commit yourself. Think of the tanh network at its very first step.
#
# 1. Going **one** layer towards the input, by which factor does the typical size of
#    $\partial L/\partial z$ change? (1 means it stays, 0.9 means it loses ten percent.)
# 2. The same question for the gradient of the weights, $\partial L/\partial W$.
# 3. So by which factor have they changed over 24 layers? (Careful: factor to the power of 24.)
#
# Replace `None` by your guesses, then run the cell. Nobody grades them. A guess that turns out
# wrong is the part you will remember.

# %%
guess_dz_factor = None  # for example 0.9
guess_dw_factor = None

for name, guess in (("dL/dz", guess_dz_factor), ("dL/dW", guess_dw_factor)):
    if guess is None:
        print(f"{name}: no guess yet")
    else:
        print(f"{name}: {guess} per layer, so {guess**24:.1e} over 24 layers")

# %% [markdown]
# ## 3 · Build by hand
#
# The data: 256 real images of handwritten digits, 8 × 8 pixels, so 64 numbers each, every pixel
# shifted and scaled to mean 0 and variance 1. We compute in float64, so that rounding cannot
# disturb what we want to see.
#
# One image is one *row* of `x`. So for a whole batch, $z_l = W_l a_{l-1}$ becomes
# `a[l-1] @ W[l].T`.

# %%
digits = load_digits()
chosen = mg.Generator(0).permutation(len(digits.x))[:BATCH]
x = standardize(digits.x)[chosen].astype(np.float64)
y = digits.y[chosen]
print("x", x.shape, " y", y.shape, " classes", len(digits.classes))


# %%
def draw_weights(seed):
    """W[1] ... W[DEPTH], uniform in +-1/sqrt(n). W[0] is a dummy: there is no layer 0."""
    generator = mg.Generator(seed)
    sizes = [x.shape[1]] + [WIDTH] * (DEPTH - 1) + [len(digits.classes)]
    W = [None]
    for n_in, n_out in pairwise(sizes):
        bound = 1 / np.sqrt(n_in)
        W.append(generator.uniform((n_out, n_in), -bound, bound))
    return W


def forward(W, phi):
    """z[l] and a[l] of every layer; a[0] is the input."""
    z, a = [None], [x]
    for l in range(1, DEPTH + 1):
        z.append(a[l - 1] @ W[l].T)
        a.append(phi(z[l]))
    return z, a


W = draw_weights(seed=0)
z, a = forward(W, np.tanh)
print("scores of the first image:", z[DEPTH][0].round(9))

# %% [markdown]
# All ten scores are practically zero. Keep that in mind.
#
# Now backward. At the scores, softmax with cross-entropy has a simple gradient: probability − 1
# for the right digit, probability for the others, all divided by the batch size because $L$ is a
# mean. From there the chain rule walks towards the input, two products a layer:
#
# $$\frac{\partial L}{\partial W_l}
# = \sum_{\text{images}} \frac{\partial L}{\partial z_l}  a_{l-1}^\top
# \qquad\text{and}\qquad
# \frac{\partial L}{\partial z_{l-1}}
# = \left(W_l^\top \frac{\partial L}{\partial z_l}\right) \cdot \varphi'(z_{l-1})$$
#
# (the dot multiplies entry by entry).


# %%
def backward(W, z, a, slope):
    """dz[l] and dW[l] of every layer."""
    probabilities = np.exp(z[DEPTH]) / np.exp(z[DEPTH]).sum(axis=1, keepdims=True)
    right = np.eye(len(digits.classes))[y]
    dz, dW = [None] * (DEPTH + 1), [None] * (DEPTH + 1)
    dz[DEPTH] = (probabilities - right) / BATCH
    for l in range(DEPTH, 0, -1):
        dW[l] = dz[l].T @ a[l - 1]
        if l > 1:
            dz[l - 1] = (dz[l] @ W[l]) * slope(z[l - 1])
    return dz, dW


def tanh_slope(z):
    return 1 - np.tanh(z) ** 2


dz, dW = backward(W, z, a, tanh_slope)
print("dL/dW of layer 1:", dW[1].shape, " of layer 30:", dW[30].shape)

# %% [markdown]
# ### Four numbers per layer
#
# A layer has thousands of entries. To compare layers of different sizes we take the
# **root mean square**: square all entries, take the mean, take the root. It is the typical size
# of one entry.
#
# $$\mathrm{rms}(v) = \sqrt{\frac{1}{N}\sum_{i=1}^{N} v_i^2} \qquad (N \text{ entries})$$
#
# The instrument reads, in every layer $l$:
#
# 1. $\mathrm{rms}(z_l)$: how strong is the *signal*?
# 2. $\mathrm{rms}(\partial L/\partial z_l)$: how strong is the *message from the loss*?
# 3. $\mathrm{rms}(\partial L/\partial W_l)$: how strong is the gradient that the *weights* get?
# 4. the **update-to-weight ratio** $\mathrm{rms}(\Delta W_l)/\mathrm{rms}(W_l)$: one step of
#    gradient descent changes the weights by $\Delta W_l$. How much is that, compared to what is
#    there?


# %%
def rms(v):
    return np.sqrt(np.mean(v**2))


LEARNING_RATE = 0.1
layers = range(1, DEPTH + 1)

by_hand = {
    "z_rms": [rms(z[l]) for l in layers],
    "dz_rms": [rms(dz[l]) for l in layers],
    "dw_rms": [rms(dW[l]) for l in layers],
    "update_ratio": [rms((W[l] - LEARNING_RATE * dW[l]) - W[l]) / rms(W[l]) for l in layers],
}

print("layer     rms z   rms dL/dz   rms dL/dW   update/W")
for l in (1, 2, 3, 5, 10, 15, 20, 25, 29, 30):
    print(f"{l:>5}" + "".join(f"{series[l - 1]:>11.1e}" for series in by_hand.values()))

# %% [markdown]
# Read the columns one at a time, from top (input) to bottom (loss).
#
# - **The signal dies on its way up.** That is why all scores were zero.
# - **The message from the loss dies on its way down.** Layer 1 hears almost nothing.
# - And **dL/dW hardly changes** from layer 1 to layer 29.
#
# If you had looked at the weight gradients only, as many plots do, you would have said: no decay
# here, all layers get the same. Meanwhile the column to its left falls by a factor
# of several million. Both are true. Section 6 explains why.
#
# ## 4 · The same by `Probe`
#
# Nobody wants to write this again for every network. `Probe` hangs itself on every layer of a
# minigrad model that has weights (here, the linear layers) and records, among others, the same four
# numbers, in any training loop. We give the model our own weights. Then the two must agree, and we
# check that before we trust either of them.

# %%
model = deep_mlp(DEPTH, WIDTH, "tanh", bias=False, dtype=np.float64, generator=mg.Generator(0))
for parameter, ours in zip(model.parameters(), W[1:], strict=True):
    parameter.data[...] = ours
optimizer = mg.optim.SGD(model.parameters(), lr=LEARNING_RATE)

with Probe(model, optimizer) as probe:
    loss = mg.nn.functional.cross_entropy(model(mg.tensor(x)), mg.tensor(y))
    loss.backward()
    optimizer.step()

print(f"loss {loss.item():.4f}; guessing blindly among ten costs ln 10 = {np.log(10):.4f}\n")
disagreement = 0.0
for name, ours in by_hand.items():
    theirs = probe.series(name)[0]  # step 0; one number per layer
    difference = np.max(np.abs(theirs - ours) / np.abs(ours))
    disagreement = max(disagreement, difference)
    print(f"{name:<13} largest relative difference to ours: {difference:.0e}")

# %% [markdown]
# They agree to rounding. From here on the instrument may do the work.
#
# ## 5 · Measure: three activations, several seeds
#
# One network is one throw of the dice. So we draw several networks per activation, one per seed,
# and look at the mean and at the spread.


# %%
def measure(activation, seed, gain=1.0):
    """The first three series of one network at its first step: an array (3, DEPTH)."""
    model = deep_mlp(
        DEPTH, WIDTH, activation, init="default", bias=False,
        generator=mg.Generator(seed), dtype=np.float64,
    )  # fmt: skip
    for parameter in model.parameters():
        parameter.data *= gain
    with Probe(model) as probe:
        mg.nn.functional.cross_entropy(model(mg.tensor(x)), mg.tensor(y)).backward()
    return np.array([probe.series(name)[0] for name in ("z_rms", "dz_rms", "dw_rms")])


measured = {
    activation: np.array([measure(activation, seed) for seed in SEEDS])
    for activation in ("sigmoid", "tanh", "relu")
}
print("tanh:", measured["tanh"].shape, "= (seeds, series, layers)")

# %% [markdown]
# ### From a curve to one number
#
# If each layer multiplies by the same factor $f$, then 24 layers multiply by $f^{24}$. So we read
# the curve at layer 5 and at layer 29 and take the 24th root. Why not at 1 and 30?
#
# - **Layer 30** has 10 units instead of 128. It is another kind of layer.
# - **Layers 1 to 4** of the tanh network still get large signals, and there tanh bends: its slope
#   is clearly below 1. A few layers on, the signal is so small that $\tanh(z) \approx z$. The law
#   we are after is for this **linear regime**. See for yourself:

# %%
z_rms, dz_rms, dw_rms = measured["tanh"].mean(axis=0)
print("tanh, mean over the seeds")
for l in (1, 2, 3, 4, 5, 15, 28):
    ratio = dz_rms[l - 1] / dz_rms[l]
    print(f"  layer {l:>2}: rms z {z_rms[l - 1]:.1e}; dL/dz here / one layer up: {ratio:.3f}")

# %%
FIRST, LAST = 5, 29


def factor_towards_input(series):
    """What one layer towards the input multiplies by. series: (..., DEPTH)."""
    steps = LAST - FIRST
    return (series[..., FIRST - 1] / series[..., LAST - 1]) ** (1 / steps)


def factor_towards_output(series):
    return 1 / factor_towards_input(series)


print("factor per layer: mean over the seeds [smallest, largest]")
print(f"{'':<10}{'z, to the output':<26}{'dL/dz, to the input':<26}{'dL/dW, to the input':<26}")
factors = {}
for activation, series in measured.items():
    factors[activation] = [
        factor_towards_output(series[:, 0]),
        factor_towards_input(series[:, 1]),
        factor_towards_input(series[:, 2]),
    ]
    cells = [f"{f.mean():.3f} [{f.min():.3f}, {f.max():.3f}]" for f in factors[activation]]
    print(f"{activation:<10}" + "".join(f"{cell:<26}" for cell in cells))

tanh_dw_change = measured["tanh"][:, 2, FIRST - 1] / measured["tanh"][:, 2, LAST - 1]
print("\ntanh, dL/dW of layer 5 / dL/dW of layer 29, per seed:", tanh_dw_change.round(2))
print(f"your guesses for tanh: dL/dz {guess_dz_factor}, dL/dW {guess_dw_factor}")

# %% [markdown]
# ### The decay plot
#
# This figure comes back in every lesson, always in the same form: layers from left (input) to
# right (loss), upwards the power of ten. **Solid: dL/dz. Dashed: dL/dW.** The band reaches from
# the smallest to the largest seed. The dotted line is a prediction, and the next section says
# where it comes from. On such a plot a constant factor per layer is a straight line.

# %%
PREDICTED = {
    "sigmoid": np.sqrt(theory.chi(theory.fixed_point(1 / 3, 0, "sigmoid"), 1 / 3, "sigmoid")),
    "tanh": np.sqrt(1 / 3),
    "relu": np.sqrt(1 / 6),
}
COLOURS = {"sigmoid": "#0072B2", "tanh": "#E69F00", "relu": "#009E73"}


def draw_series(ax, series, style, colour, label):
    """One curve with its band. series: (seeds, layers)."""
    logs = np.log10(series)
    ax.plot(layers, logs.mean(axis=0), style, color=colour, label=label)
    ax.fill_between(layers, logs.min(axis=0), logs.max(axis=0), color=colour, alpha=0.2, lw=0)


figure, axes = plt.subplots(1, 3, figsize=(10, 4.2), sharey=True, layout="constrained")
for ax, (activation, series) in zip(axes, measured.items(), strict=True):
    colour = COLOURS[activation]
    draw_series(ax, series[:, 1], "-", colour, "dL/dz")
    draw_series(ax, series[:, 2], "--", colour, "dL/dW")
    hidden = np.arange(1, LAST + 1)
    law = series[:, 1, LAST - 1].mean() * PREDICTED[activation] ** (LAST - hidden)
    name = f"law: × {PREDICTED[activation]:.3f} a layer"
    ax.plot(hidden, np.log10(law), ":", color="black", lw=1.5, label=name)
    ax.set_title(activation)
    ax.set_xlabel("layer (1 = nearest the input)")
    ax.set_xticks([1, 5, 10, 15, 20, 25, 30])
    ax.grid(alpha=0.25)
    ax.legend(loc="lower right")
axes[0].set_ylabel("log10 of the rms gradient")
plt.show()

# %% [markdown]
# Three different illnesses:
#
# - **tanh**: dL/dz falls on a straight line, dL/dW is flat, at about $10^{-9}$.
# - **ReLU**: the same shape, and steeper.
# - **sigmoid**: much steeper, and here dL/dW falls, too.
#
# "Flat" is meant for the mean. A single network wanders: over 24 layers its dL/dW may change by a
# quarter (the numbers per seed are above the figure), ours of section 3 even by a half. Over the
# same 24 layers dL/dz falls by a factor of half a million.

# %% [markdown]
# ## 6 · Why: the law
#
# ### Why 0.577?
#
# One unit computes $z = \sum_j W_j a_j$, a sum of $n$ terms. The weights are independent of each
# other and have mean 0, so the squares simply add up:
#
# $$\overline{z^2} = n \cdot \mathrm{Var}(W) \cdot \overline{a^2}$$
#
# (a bar is a mean, $\mathrm{Var}$ the variance). A uniform number in $\pm b$ has variance $b^2/3$.
# Here $b = 1/\sqrt n$, so
#
# $$n \cdot \mathrm{Var}(W) = n \cdot \frac{1}{3n} = \frac13 .$$
#
# The width has dropped out. In the linear regime $a \approx z$, so each layer multiplies the mean
# square by 1/3 and the rms by $1/\sqrt3 = 0.577$.
#
# Backward it is the same sum, over the $n$ units that the message comes from:
# $\partial L/\partial a_j = \sum_i W_{ij} \partial L/\partial z_i$. Again $n$ terms, again 1/3.
# So $\partial L/\partial z$ shrinks by 0.577 a layer *in the other direction*. (Glorot & Bengio
# 2010, equations 13 and 15.)
#
# ### Why is dL/dW flat?
#
# Because $\partial L/\partial W_l$ is a product of the two:
# $\partial L/\partial z_l$ times $a_{l-1}$. Write $s = 0.577$.
#
# - The message has come down from layer `depth` to layer $l$: it is proportional to
#   $s^{\text{depth}-l}$.
# - The signal has come up from the input to layer $l-1$: it is proportional to $s^{l-1}$.
#
# $$\mathrm{rms}\left(\frac{\partial L}{\partial W_l}\right)
# \propto s^{\text{depth}-l} \cdot s^{l-1} = s^{\text{depth}-1}$$
#
# The $l$ has gone. What a layer loses in message it wins in signal. Every layer gets the same
# gradient, and it is the same *tiny* one. (Glorot & Bengio 2010, equation 14.)
#
# **Flat is not healthy.** Flat says that all layers are in the same boat. It does not say that the
# boat floats.
#
# ### Why are the other two different?
#
# - **ReLU** throws away half: for a symmetric $z$ only the positive half passes, so
#   $\overline{a^2} = \frac12\overline{z^2}$. Going back, the slope is 1 for one half of the units
#   and 0 for the other: again 1/2. Together $\sqrt{\frac13\cdot\frac12} = 0.408$, both ways. So
#   dL/dW is flat here, too.
# - **Sigmoid** has a slope of at most 1/4, so the message is multiplied by at most
#   $0.577/4 = 0.144$ a layer. But sigmoid(0) is not 0, it is 0.5: what a layer passes on does *not*
#   die, it stays near 0.5. Nothing makes up for the lost message, and so dL/dW falls just as dL/dz
#   does. `theory.chi`, which lesson 4 builds, averages the slope exactly and says 0.141.

# %% [markdown]
# ### Every single value
#
# An rms could deceive: perhaps a few units carry everything? Here is the whole distribution for
# the tanh network that we built by hand, as Glorot and Bengio show it in their figures 6 and 7,
# only on a scale of powers of ten.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
shown = (1, 8, 15, 22, 29)
shades = plt.get_cmap("viridis")(np.linspace(0.0, 0.8, len(shown)))
for ax, arrays, title in ((axes[0], z, "signal z"), (axes[1], dz, "message dL/dz")):
    for place, (l, shade) in enumerate(zip(shown, shades, strict=True)):
        values = np.log10(np.abs(arrays[l]).ravel())
        heights, edges = np.histogram(values, bins=60, range=(values.max() - 4, values.max()))
        middle = (edges[:-1] + edges[1:]) / 2
        base = np.full(middle.shape, float(len(shown) - 1 - place))
        top = base + 0.9 * heights / heights.max()
        ax.fill_between(middle, base, top, color=shade, alpha=0.6, lw=0)
        ax.plot(middle, top, color=shade, lw=1.2)
    ax.set_title(title)
    ax.set_xlabel("log10 of the absolute value")
    ax.grid(alpha=0.25, axis="x")
axes[0].set_yticks(range(len(shown)), [f"layer {l}" for l in reversed(shown)])
plt.show()

# %% [markdown]
# Each hill keeps its shape and moves as a whole, by 0.24 powers of ten a layer
# ($\log_{10} 0.577 = -0.24$): the signal to the left on its way from layer 1 to layer 29, the
# message to the left on its way from 29 to 1. All units suffer alike, and the rms tells the truth.

# %% [markdown]
# ## 7 · What it means for learning
#
# A rule of thumb for a healthy start: one step should change a weight by about a thousandth of its
# size, a ratio of about $10^{-3}$ (notes of the Stanford course CS231n). What does our tanh network
# get, with a learning rate of 0.1?

# %%
typical = np.exp(np.mean(np.log(by_hand["update_ratio"][FIRST - 1 : LAST])))
print(f"update-to-weight ratio, layers {FIRST} to {LAST}: {typical:.1e}")
print(f"steps to change a weight by one percent, at this pace: {0.01 / typical:,.0f}")
print(f"the rule of thumb is missed by a factor of {1e-3 / typical:,.0f}")

# %% [markdown]
# Millions of steps for one percent. So why not raise the learning rate by that factor? **Guess**
# what will happen, then run the cell.

# %%
model = deep_mlp(DEPTH, WIDTH, "tanh", bias=False, dtype=np.float64, generator=mg.Generator(0))
for parameter, ours in zip(model.parameters(), W[1:], strict=True):
    parameter.data[...] = ours
optimizer = mg.optim.SGD(model.parameters(), lr=LEARNING_RATE * 1e-3 / typical)
for step in range(21):
    optimizer.zero_grad()
    loss = mg.nn.functional.cross_entropy(model(mg.tensor(x)), mg.tensor(y))
    if step % 2 == 0:
        print(f"step {step:>2}: loss {loss.item():.5g}")
    loss.backward()
    optimizer.step()

# %% [markdown]
# First nothing, then a disaster. As soon as the weights have grown a little, the factor per layer
# grows, the gradient grows with its 29th power, and a step that was about right a moment ago is far
# too long. A learning rate cannot repair a bad start. Lesson 5 repairs the start itself.
#
# ## 8 · Change one thing: biases
#
# So far there were no biases. PyTorch's `nn.Linear` starts them at $U(\pm1/\sqrt n)$, like the
# weights, and minigrad's does, too. That looks harmless. **Guess first:** does dL/dW stay flat?
#
# `measure_decay` does all of sections 4 and 5 in one call, over the seeds, and `plots.decay_panels`
# draws the house figure. (The command `minigrad decay` in a terminal does the same.)

# %%
guess_flat_with_biases = None  # True or False

with_biases = [
    measure_decay(
        DecayConfig(
            DEPTH, WIDTH, activation, init="default",
            batch_size=BATCH, seeds=tuple(SEEDS), dtype="float64",
        )
    )
    for activation in ("sigmoid", "tanh", "relu")
]  # fmt: skip
figure = plots.decay_panels(with_biases)
plt.show()
print("your guess: dL/dW stays flat:", guess_flat_with_biases)

# %% [markdown]
# (Here each panel is an activation, and the colour stands for the initialization, which is the same
# in all three.) In the tanh and ReLU panels dL/dz falls as before, but dL/dW is flat only in the
# first layers and then *climbs*. Look at the signal to see why:

# %%
tanh_with_biases = with_biases[1]
z_with_biases = [layer.z_rms.mean for layer in tanh_with_biases.layers]
print("layer    rms z without    with biases")
for l in (1, 3, 5, 10, 15, 20, 29):
    print(f"{l:>5}{z_rms[l - 1]:>17.1e}{z_with_biases[l - 1]:>15.4f}")
floor = np.sqrt(theory.fixed_point(1 / 3, sigma_b2=1 / (3 * WIDTH)))
print(f"\npredicted floor {floor:.4f}, measured over layers 15 to 29 "
      f"{np.mean(z_with_biases[14:29]):.4f}")  # fmt: skip

# %% [markdown]
# Each bias adds its own variance, $\frac{1}{3n}$, in every layer. So the mean square of $z$ no
# longer falls to zero. It falls until what a layer takes away and what its biases add balance:
#
# $$\overline{z^2} = \tfrac13 \overline{z^2} + \tfrac{1}{3n} \quad\Rightarrow\quad
# \overline{z^2} = \tfrac{1}{2n}, \qquad \mathrm{rms}(z) = \tfrac{1}{\sqrt{2n}} = 0.0625$$
#
# (the exact slope of tanh makes it 0.0624). Once the signal stands still it cannot make up for the
# shrinking message, and dL/dW falls towards the input like dL/dz.
#
# So equation 14 is a law of networks whose biases start at zero, as theirs did. And the signal that
# is left is not good news: it comes from the biases, and it is the same for every image. What the
# network knew of its input has still shrunk by 0.577 a layer.

# %% [markdown]
# ## 9 · Claim court
#
# Articles about vanishing gradients say many things that were never measured. In each lesson we put
# some of them on trial. The point is not to be clever at an author's expense. It is to know what
# one may rely on.
#
# ### "Gradients explode in the deeper layers and vanish in the shallower ones"
#
# (row 4.1 of the table in `lessons/README.md`). For vanishing we have the tanh network. For
# exploding we take the ReLU network and make all weights 3.5 times larger. By section 6 the message
# should then be multiplied by $3.5 \cdot 0.408 = 1.43$ a layer, more than 1.

# %%
GAIN = 3.5
exploding = np.array([measure("relu", seed, GAIN) for seed in SEEDS])
cases = {
    "vanishing: tanh": (measured["tanh"], COLOURS["tanh"]),
    f"exploding: relu, weights × {GAIN}": (exploding, COLOURS["relu"]),
}

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for ax, (title, (series, colour)) in zip(axes, cases.items(), strict=True):
    draw_series(ax, series[:, 0], "-.", "0.35", "signal z")
    draw_series(ax, series[:, 1], "-", colour, "dL/dz")
    draw_series(ax, series[:, 2], "--", colour, "dL/dW")
    ax.set_title(title)
    ax.set_xlabel("layer (1 = nearest the input)")
    ax.set_xticks([1, 5, 10, 15, 20, 25, 30])
    ax.grid(alpha=0.25)
    ax.legend()
axes[0].set_ylabel("log10 of the rms")
plt.show()

smallest = measured["tanh"][:, 1].argmin(axis=1) + 1
largest = exploding[:, 1].argmax(axis=1) + 1
largest_signal = exploding[:, 0].argmax(axis=1) + 1
growth = factor_towards_input(exploding[:, 1])
print("layer with the smallest dL/dz in the vanishing network, per seed:", smallest)
print("layer with the largest dL/dz in the exploding network, per seed: ", largest)
print("layer with the largest signal in the exploding network, per seed:", largest_signal)
print(f"growth of dL/dz per layer towards the input: {growth.mean():.3f}")

# %% [markdown]
# **Verdict: half of it holds.** Vanishing is worst in the shallow layers, nearest the input: true
# in every seed. But *exploding* is worst there, too. Both have one cause: the message has come
# through the most layers when it reaches layer 1, whatever each of them multiplies by.
#
# How might one come to the claim? Perhaps through the dash-dotted line: the *signal* does explode
# towards the output. Nor does it help to read "deeper" as "farther from the loss": then the half
# about exploding is right, and the half about vanishing is not.
#
# ### "Norms help to explain and to see what happens"
#
# (rows 3.1 and 3.9). The two usual norms of a vector $v$ are $\lVert v\rVert_1 = \sum_i|v_i|$
# and $\lVert v\rVert_2 = \sqrt{\sum_i v_i^2}$. Do they show the decay? We
# take the tanh network of section 3.


# %%
def l1(v):
    return np.sum(np.abs(v))


def l2(v):
    return np.sqrt(np.sum(v**2))


print("norm            layer 5     layer 29    29 / 5    factor per layer, to the input")
norm_factors = {}
for name, arrays in (("dL/dz", dz), ("dL/dW", dW)):
    for norm in (l1, l2):
        values = np.array([norm(arrays[l]) for l in layers])
        norm_factors[name, norm.__name__] = factor_towards_input(values)
        print(f"{norm.__name__} of {name}   {values[FIRST - 1]:>9.1e}    {values[LAST - 1]:>9.1e}"
              f"{values[LAST - 1] / values[FIRST - 1]:>10.1e}"
              f"{norm_factors[name, norm.__name__]:>12.3f}")  # fmt: skip
print(f"\nl2 of dL/dW: layer 1 {l2(dW[1]):.1e} ({dW[1].size} weights), "
      f"layer 2 {l2(dW[2]):.1e} ({dW[2].size} weights)")  # fmt: skip
print(f"rms of dL/dW: layer 1 {rms(dW[1]):.1e}, layer 2 {rms(dW[2]):.1e}")

# %% [markdown]
# **Verdict: it holds, if one says of what.** Both norms of dL/dz show the decay, with the same
# factor per layer, so it does not matter which of the two one takes. But a norm of dL/dW alone
# shows nothing of it in this network. And a norm grows with the number of entries: where layers
# differ in size, as 1 and 2 do here, the rms compares them fairly.

# %% [markdown]
# ## 10 · What we found
#
# The laws, each with what was predicted and what this notebook measured (means over the seeds
# where there are several). Each tolerance is wider than the scatter from seed to seed. The same
# table is written to `claims.json` beside this notebook, and a test runs this lesson and checks it.

# %%
GLOROT = "Glorot & Bengio 2010"
MEAN_FIELD = "mean-field theory: Schoenholz et al. 2017"
tanh_z, tanh_dz, tanh_dw = (f.mean() for f in factors["tanh"])
_, relu_dz, relu_dw = (f.mean() for f in factors["relu"])
_, sigmoid_dz, sigmoid_dw = (f.mean() for f in factors["sigmoid"])

record(
    [
        Claim("Probe against NumPy by hand: largest relative difference", 0, disagreement, 1e-6,
              "both compute the same formulas"),
        Claim("tanh, U(±1/√n): rms of z, per layer to the output", 3**-0.5, tanh_z, 0.02,
              f"{GLOROT}, eq. 5 and 15"),
        Claim("tanh, U(±1/√n): rms of dL/dz, per layer to the input", 3**-0.5, tanh_dz, 0.02,
              f"{GLOROT}, eq. 13 and 15"),
        Claim("tanh, U(±1/√n): rms of dL/dW, per layer to the input", 1, tanh_dw, 0.06,
              f"{GLOROT}, eq. 14"),
        Claim("ReLU, U(±1/√n): rms of dL/dz, per layer to the input", 6**-0.5, relu_dz, 0.02,
              "the half that ReLU keeps: He et al. 2015"),
        Claim("ReLU, U(±1/√n): rms of dL/dW, per layer to the input", 1, relu_dw, 0.06,
              f"{GLOROT}, eq. 14, with the half that ReLU keeps"),
        Claim("sigmoid, U(±1/√n): rms of dL/dz, per layer to the input", PREDICTED["sigmoid"],
              sigmoid_dz, 0.005, MEAN_FIELD),
        Claim("sigmoid, U(±1/√n): rms of dL/dW, per layer to the input", PREDICTED["sigmoid"],
              sigmoid_dw, 0.005, MEAN_FIELD),
        Claim("tanh with biases U(±1/√n): rms of z settles at", floor,
              np.mean(z_with_biases[14:29]), 0.003, MEAN_FIELD),
        Claim("vanishing (tanh): layer of the smallest dL/dz, farthest over seeds", 1,
              smallest.max(), 0, "chain rule; article row 4.1"),
        Claim("exploding (ReLU × 3.5): layer of the largest dL/dz, farthest over seeds", 1,
              largest.max(), 0, "chain rule; against article row 4.1"),
        Claim("exploding (ReLU × 3.5): rms of dL/dz, per layer to the input", GAIN * 6**-0.5,
              growth.mean(), 0.05, "the half that ReLU keeps: He et al. 2015"),
        Claim("tanh, U(±1/√n): L1 norm of dL/dz, per layer to the input", 3**-0.5,
              norm_factors["dL/dz", "l1"], 0.02, "article rows 3.1, 3.9"),
        Claim("tanh, U(±1/√n): L2 norm of dL/dz, per layer to the input", 3**-0.5,
              norm_factors["dL/dz", "l2"], 0.02, "article rows 3.1, 3.9"),
    ]
)  # fmt: skip

# %% [markdown]
# **In five sentences.** At $U(\pm1/\sqrt n)$ every tanh layer multiplies the signal by 0.577 on the
# way up and the message from the loss by 0.577 on the way down. dL/dW is the product of the two and
# therefore flat, and tiny. So look at dL/dz and dL/dW apart: either one alone deceives. Vanishing
# and exploding are one effect, a factor below or above 1, and both are worst at layer 1. What looks
# like a detail (biases, the 0.5 in the sigmoid) decides which of the curves is flat.
#
# ## 11 · Exercises
#
# Each has a cell to fill in and a cell that checks it. The checks say what they measured.
#
# **Exercise 1: your own instrument.** Write `layer_stats(model, x, y, lr)`. It takes a minigrad
# model as `deep_mlp` makes it, runs one forward and one backward of the mean cross-entropy, and
# returns a dict with the four series as lists: `z_rms`, `dz_rms`, `dw_rms`, `update_ratio` (for one
# step of gradient descent with rate `lr`; compute $\Delta W$ without changing the model). `Probe`
# is not allowed. What helps:
#
# - `[m for m in model.modules() if isinstance(m, mg.nn.Linear)]` are the linear layers, in order;
# - `handle = layer.register_forward_hook(lambda module, args, out: ...)` calls you with the layer's
#   output `out`, a Tensor, in every forward; `handle.remove()` takes the hook off again;
# - `out.retain_grad()` keeps the gradient of a Tensor that is no parameter; after `backward()` it
#   is `out.grad`;
# - `t.data` is the NumPy array of a Tensor `t`, and our `rms` takes arrays: write `rms(out.data)`
#   and `rms(out.grad.data)`.


# %%
def layer_stats(model, x, y, lr):
    return None  # your code


# %%
def check_layer_stats():
    model = deep_mlp(8, 32, "relu", "he", dtype=np.float64, generator=mg.Generator(1))
    before = [p.data.copy() for p in model.parameters()]
    try:
        found = layer_stats(model, mg.tensor(x), mg.tensor(y), lr=0.05)
        if found is None:
            return "exercise 1: not written yet"
        found = {name: np.asarray(found.get(name, []), dtype=float) for name in by_hand}
    except Exception as problem:
        return f"exercise 1: not yet: {type(problem).__name__}: {str(problem)[:60]}"
    if any((p.data != b).any() for p, b in zip(model.parameters(), before, strict=True)):
        return "exercise 1: not yet: layer_stats changed the weights of the model"
    model.zero_grad()
    optimizer = mg.optim.SGD(model.parameters(), lr=0.05)
    with Probe(model, optimizer) as probe:
        mg.nn.functional.cross_entropy(model(mg.tensor(x)), mg.tensor(y)).backward()
        optimizer.step()
    for name in by_hand:
        wanted, got = probe.series(name)[0], found[name]
        if got.shape != wanted.shape:
            return f"exercise 1: not yet: {name} should hold {len(wanted)} numbers, has {got.size}"
        if not np.allclose(got, wanted, rtol=1e-6, atol=0):
            l = int(np.argmax(np.abs(got - wanted) / wanted)) + 1
            return (f"exercise 1: not yet: {name} of layer {l} is {got[l - 1]:.3e}, "
                    f"Probe says {wanted[l - 1]:.3e}")  # fmt: skip
    return "exercise 1: correct, all four series agree with Probe"


print(check_layer_stats())

# %% [markdown]
# **Exercise 2: stop the decay.** Multiply all weights of $U(\pm1/\sqrt n)$ by one number, the
# *gain*. For which gain does dL/dz of a network *without* activation (`"identity"`) neither shrink
# nor grow? Derive it from section 6; do not try numbers. Then ask yourself what tanh will do at
# this gain, and try `measure("tanh", 0, gain)`.

# %%
gain = None  # your number

# %%
if gain is None:
    print("exercise 2: not written yet")
else:
    found = factor_towards_input(measure("identity", 0, gain)[1])
    verdict = "correct" if abs(found - 1) < 0.02 else "not yet"
    print(f"exercise 2: {verdict}: dL/dz is multiplied by {found:.3f} a layer, asked for is 1")

# %% [markdown]
# **Exercise 3: when is nothing left?** float32, the usual number format, starts to lose digits
# below about $1.2\cdot10^{-38}$, and soon after there is only 0. In a sigmoid network dL/dz starts
# near $10^{-3}$ at the last layer and is multiplied by 0.141 a layer. Through how many layers can
# the message travel until it gets there? Compute it. The check measures it in a network of 60
# layers, and a difference of three layers is fine.

# %%
layers_until_underflow = None  # your number

# %%
if layers_until_underflow is None:
    print("exercise 3: not written yet")
else:
    deep = measure_decay(DecayConfig(60, WIDTH, "sigmoid", init="default", dtype="float32"))
    found = deep.config.depth - deep.underflow_layer
    if abs(found - layers_until_underflow) <= 3:
        print(f"exercise 3: correct: it gets lost {found} layers below the last")
    else:
        wrong = "few" if layers_until_underflow < found else "many"
        print(f"exercise 3: not yet: more than three layers too {wrong}; how many factors of "
              "0.141 lead from 1e-3 down to 1.2e-38?")  # fmt: skip

# %% [markdown]
# **To think about** (no check): With biases (section 8) the signal at layer 29 is the same for
# every image. How would you show that with the arrays of section 3, in three lines? And what does
# it mean for the best loss that the network can reach as long as its first layers stand still?
#
# ## Further reading
#
# - X. Glorot, Y. Bengio (2010): *Understanding the difficulty of training deep feedforward neural
#   networks*, AISTATS. Sections 4.2 and 4.3 and figures 6 to 8 are this lesson.
# - S. Hochreiter (1991): *Untersuchungen zu dynamischen neuronalen Netzen*, diploma thesis, TU
#   München. The first analysis of vanishing gradients.
# - Y. Bengio, P. Simard, P. Frasconi (1994): *Learning long-term dependencies with gradient descent
#   is difficult*, IEEE Transactions on Neural Networks 5(2).
# - K. He, X. Zhang, S. Ren, J. Sun (2015): *Delving deep into rectifiers*, ICCV. The factor 1/2 of
#   ReLU, and the cure (lesson 5).
# - S. Schoenholz, J. Gilmer, S. Ganguli, J. Sohl-Dickstein (2017): *Deep information propagation*,
#   ICLR. The theory behind the dotted lines (lesson 4).
