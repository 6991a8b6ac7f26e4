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
# # 6 · Activations, saturation, dead units
#
# **Question.** Between two layers stands one small function, and there are a dozen to choose from.
# People say: sigmoid is to blame for vanishing gradients, ReLU cured them, and ReLU units may die
# and never come back. What of this is true? And when you meet an activation you have never seen,
# how do you find out what it does to a deep network *before* you train it?
#
# In this lesson you write eight activations and their slopes by hand, break them in float32 and
# mend them. Then you measure three illnesses in deep networks (saturated, dead, running away), each
# beside a law that predicts it. At the end you have a tool that works for any activation: three
# averages over a Gaussian number.
#
# Time: about 90 minutes. You need: the chain rule, NumPy, and what dL/dz and dL/dW are (lesson 3).
# Lesson 4 derives the theory that is used here; its two formulas are repeated below, so that this
# lesson stands alone. It downloads nothing.
#
# | symbol | meaning | in the code |
# |---|---|---|
# | $\varphi$, $\varphi'$ | the activation and its slope | `phi`, `slope` |
# | $z_l$, $a_l = \varphi(z_l)$ | output of layer $l$ before and after $\varphi$ | `z`, `a` |
# | $n$ | width: number of units in a layer | `WIDTH` |
# | $\sigma_w$ | the *gain*: each weight has variance $\sigma_w^2/n$ | `sigma_w` |
# | $\sigma_b$ | standard deviation of the biases | `sigma_b` |
# | $q$ | mean square of $z$ in a layer | `q` |
# | $q^*$ | the $q$ at which a deep network settles | `settle(...)` |
# | $L$ | the loss, one number | `loss` |
# | $\chi$ | factor on the mean square of dL/dz, a layer towards the input | `chi(...)` |
# | $c$ | correlation of $z$ between two examples | `c` |
# | $\mu$, $\nu$ | mean and variance of $a$ in a layer | `mu`, `nu` |

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad.course import Claim, full_or_fast, record
from minigrad.data import load_digits, standardize
from minigrad.diagnostics import Probe, theory
from minigrad.models import deep_mlp

F = mg.nn.functional
DEPTH, WIDTH, BATCH = 30, 256, 128
SEEDS = range(full_or_fast(10, fast=3))
TRAINED = range(full_or_fast(5, fast=2))  # seeds of what is trained
BLUE, ORANGE, GREEN, RED, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"

plt.rcParams["figure.dpi"] = 90

# %% [markdown]
# ## 1 · Predict
#
# Commit yourself before you measure. Replace `None`, run the cell. Nobody grades it.
#
# 1. A 30-layer tanh network has weights so large that more than **half** of all its activations
#    are saturated (slope below a twentieth). Do its gradients vanish, stay or explode on their way
#    to the input?
# 2. In a ReLU network with He's weights, at its very first step, 128 different examples go through
#    50 layers. Which share of the units of layer 50 is silent for **all** 128?
# 3. You switch a ReLU unit off by hand, for every example, and train on with plain gradient
#    descent. Can it come back?

# %%
guess_saturated = None  # "vanish", "stay" or "explode"
guess_silent_share = None  # for example 0.01
guess_comes_back = None  # True or False

print(f"your guesses: {guess_saturated}, {guess_silent_share}, {guess_comes_back}")

# %% [markdown]
# ## 2 · Eight activations by hand
#
# On the way up, a layer sends $z$ through $\varphi$. On the way back, the chain rule multiplies the
# message by the slope, entry by entry:
#
# $$a = \varphi(z), \qquad
# \frac{\partial L}{\partial z} = \frac{\partial L}{\partial a} \cdot \varphi'(z)$$
#
# So of an activation you need two functions. SELU's two odd numbers are explained in section 6.

# %%
LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772
erf = np.vectorize(math.erf)


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)  # why so complicated? section 3


def normal_cdf(z):
    return (1 + erf(z / math.sqrt(2))) / 2  # the chance that a normal number lies below z


def normal_pdf(z):
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def below(z):
    return np.minimum(z, 0)  # keeps exp from overflowing where it is not used


PHI = {  # name: (phi, slope)
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "softplus": (lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), sigmoid),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "gelu": (lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * normal_pdf(z)),
    "selu": (
        lambda z: LAMBDA * np.where(z > 0, z, ALPHA * np.expm1(below(z))),
        lambda z: LAMBDA * np.where(z > 0, 1, ALPHA * np.exp(below(z))),
    ),
}

# %% [markdown]
# minigrad has the same eight in `mg.nn.functional`. It finds the slope by its own backward pass, so
# we can check both columns of our table against it.

# %%
points = np.linspace(-6, 6, 1000)
disagreement = 0.0
print(f"{'':<12}{'phi':>9}{'slope':>10}   (largest difference / largest value)")
for name, (phi, slope) in PHI.items():
    t = mg.tensor(points, requires_grad=True)
    out = getattr(F, name)(t)
    out.sum().backward()
    off = [
        np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs))
        for ours, theirs in ((phi(points), out.data), (slope(points), t.grad.data))
    ]
    disagreement = max(disagreement, *off)
    print(f"{name:<12}{off[0]:>9.0e}{off[1]:>10.0e}")

# %% [markdown]
# They agree to rounding. Now look at them. Shaded is where an activation is **saturated**. By
# convention (it is minigrad's, too) that means: its slope there is at most a twentieth of its
# largest slope.


# %%
def is_saturated(slope, z):
    largest = np.abs(slope(points)).max()
    return np.abs(slope(z)) <= 0.05 * largest


figure, axes = plt.subplots(2, 4, figsize=(10, 5), sharex=True, layout="constrained")
for ax, (name, (phi, slope)) in zip(axes.flat, PHI.items(), strict=True):
    ax.fill_between(points, -2, 3, where=is_saturated(slope, points), color="0.88", lw=0)
    ax.plot(points, phi(points), color=BLUE, lw=1.8, label="φ(z)")
    ax.plot(points, slope(points), "--", color=RED, lw=1.8, label="slope φ'(z)")
    ax.set_title(f"{name}, slope up to {slope(points).max():.2f}", fontsize=10)
    ax.set_ylim(-2, 3)
    ax.set_xticks([-5, 0, 5])
    ax.grid(alpha=0.25)
for ax in axes[1]:
    ax.set_xlabel("z")
handles, labels = axes[0, 0].get_legend_handles_labels()
handles.append(plt.Rectangle((0, 0), 1, 1, color="0.88"))
figure.legend(handles, [*labels, "saturated"], loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %% [markdown]
# Three families.
#
# - **sigmoid, tanh**: flat on both sides. Large $z$ of either sign pass on almost nothing.
# - **ReLU and LeakyReLU**: flat, or nearly, on one side, with a kink at 0. ReLU's slope there is
#   *exactly* 0, which no small step can change. (LeakyReLU counts as saturated there, too: 0.01 is
#   less than a twentieth. Remember that for section 5.)
# - **softplus, SiLU, GELU, SELU**: bent all along. Their slope gets small on the left, but nowhere
#   in this figure is it 0 over a whole stretch. (SiLU and GELU have a lowest point. There the slope
#   passes through 0, hence the narrow grey strip.)
#
# ## 3 · Formulas that survive ±1000
#
# On paper $\sigma(z) = 1/(1 + e^{-z})$ is the end of the matter. In float32, $e^{z}$ overflows
# beyond $z = 89$, and $1 + e^{z}$ forgets a small $e^{z}$ below $z = -17$. Three functions as they
# stand on paper, and the slope of the third:
#
# $$\sigma(z) = \frac{1}{1+e^{-z}}, \qquad
# \mathrm{softplus}(z) = \log(1 + e^z), \qquad
# \log\sigma(z) = \log\frac{1}{1+e^{-z}}, \qquad
# (\log\sigma)'(z) = \frac{\sigma'(z)}{\sigma(z)}$$
#
# and as one writes them for a computer. The trick is always the same: take the exponential of
# negative numbers only, so that it lies between 0 and 1.
#
# $$e = e^{-|z|}, \qquad
# \sigma(z) = \begin{cases} 1/(1+e) & z \ge 0\\ e/(1+e) & z < 0\end{cases}, \qquad
# \mathrm{softplus}(z) = \max(z, 0) + \log(1 + e),$$
#
# $$\log\sigma(z) = -\mathrm{softplus}(-z), \qquad (\log\sigma)'(z) = \sigma(-z)$$
#
# with `log1p(e)` for $\log(1+e)$, which keeps all digits of a tiny $e$.


# %%
def paper_sigmoid(z):
    return 1 / (1 + np.exp(-z))


softplus = PHI["softplus"][0]
FORMS = {  # name: (as on paper, stable)
    "sigmoid": (paper_sigmoid, sigmoid),
    "softplus": (lambda z: np.log(1 + np.exp(z)), softplus),
    "logsigmoid": (lambda z: np.log(paper_sigmoid(z)), lambda z: -softplus(-z)),
    "its slope": (
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2 / paper_sigmoid(z),
        lambda z: sigmoid(-z),
    ),
}
extreme = np.array([-1000, -20, 20, 1000], dtype=np.float32)
t = mg.tensor(extreme, requires_grad=True)
F.logsigmoid(t).sum().backward()
minigrads = {"its slope": t.grad.data}
z64 = extreme.astype(np.float64)
EXACT = {  # NumPy's log(e^0 + e^z), in float64
    "sigmoid": np.exp(-np.logaddexp(0, -z64)),
    "softplus": np.logaddexp(0, z64),
    "logsigmoid": -np.logaddexp(0, -z64),
    "its slope": np.exp(-np.logaddexp(0, z64)),
}

stable_error, broken = 0.0, 0
print(f"{'':<13}{'z':>6}{'as on paper':>15}{'stable':>14}{'minigrad':>14}{'float64':>14}")
with np.errstate(all="ignore"):  # the formulas on paper are meant to go wrong here
    for name, (on_paper, stable) in FORMS.items():
        theirs = minigrads[name] if name in minigrads else getattr(F, name)(t).data
        columns = [on_paper(extreme), stable(extreme), theirs, EXACT[name]]
        broken += np.count_nonzero(~np.isfinite(columns[0]))
        wanted = EXACT[name]
        off = np.abs(columns[1] - wanted) / np.where(wanted == 0, 1, np.abs(wanted))
        stable_error = max(stable_error, off.max())
        for z, *row in zip(extreme, *columns, strict=True):
            print(f"{name:<13}{z:>6.0f}{row[0]:>15.4g}" + "".join(f"{v:>14.5g}" for v in row[1:]))
print(f"\non paper: {broken} of 16 are inf or nan")
print(f"stable: largest relative error {stable_error:.0e}")

# %% [markdown]
# Read the column "as on paper". Two kinds of damage:
#
# - **Loud**: `inf` and `nan`. The slope of log-sigmoid at −1000 comes out as inf/inf; in truth it
#   is 1: this is the example that the network got most wrong, and it should give the *largest*
#   gradient. One such `nan` in a batch, and after the next step all weights are `nan`.
# - **Silent**: softplus at −20 is 0 on paper and 2·10⁻⁹ in truth. Nobody warns you.
#
# This is also why you hand *scores* to a loss such as `cross_entropy`, and not probabilities: only
# then can the library write it in the stable form.
#
# ## 4 · Saturation
#
# ### The tool: averages over a Gaussian number
#
# In a wide random network every $z$ is a sum of many independent terms, so it is close to a
# Gaussian number of mean 0 and some variance $q$ (Poole et al. 2016). With $t \sim N(0, 1)$, the
# next layer has
#
# $$q' = \sigma_w^2\,E\big[\varphi(\sqrt q\,t)^2\big] + \sigma_b^2, \qquad
# \chi = \sigma_w^2\,E\big[\varphi'(\sqrt q\,t)^2\big]$$
#
# ($E$ is the average over $t$.) The first says how the signal goes on. The second is the factor on
# the mean square of $\partial L/\partial z$ for one layer towards the input (Schoenholz et al.
# 2017); the rms is multiplied by $\sqrt\chi$. Below 1 gradients vanish, above 1 they explode.
#
# To average over $t$ we cut the line into small cells, take the middle of each, and weigh it with
# the bell curve. No middle lies on 0, where ReLU has its kink.

# %%
CELL = 0.002
T = np.arange(-10 + CELL / 2, 10, CELL)
WEIGHT = normal_pdf(T) * CELL


def average(f, q=1.0):
    """E[f(sqrt(q) t)]"""
    return np.sum(WEIGHT * f(np.sqrt(q) * T))


def next_q(phi, q, sigma_w2, sigma_b2=0.0):
    return sigma_w2 * average(lambda z: phi(z) ** 2, q) + sigma_b2


def chi(slope, q, sigma_w2):
    return sigma_w2 * average(lambda z: slope(z) ** 2, q)


def settle(phi, sigma_w2, sigma_b2=0.0, layers=300):
    """q* by going through many layers."""
    q = 1.0
    for _ in range(layers):
        q = next_q(phi, q, sigma_w2, sigma_b2)
    return q


tanh, tanh_slope = PHI["tanh"]
q_star = settle(tanh, sigma_w2=16)
quadrature_error = abs(q_star / theory.fixed_point(16, 0, "tanh") - 1)
print(f"tanh, sigma_w = 4: q* = {q_star:.6f}, chi = {chi(tanh_slope, q_star, 16):.6f}")
chi_error = abs(chi(tanh_slope, q_star, 16) / theory.chi_1(16) - 1)
print(f"relative difference to theory: q* {quadrature_error:.0e}, chi {chi_error:.0e}")

# %% [markdown]
# $\chi$ is above 1. So for $\sigma_w = 4$ the theory says *explode*. And how many are saturated?
# For tanh, saturated means $\tanh(z)^2 \ge 0.95$, that is $|z| \ge 2.18$. A Gaussian number lies so
# far out with probability
#
# $$s = \mathrm{erfc}\!\left(\frac{2.18}{\sqrt{2 q^*}}\right), \qquad
# \mathrm{erfc} = 1 - \mathrm{erf}.$$
#
# Now for comparison a second network with **the same $q^*$**, hence the same saturated share, but
# ordinary weights, $\sigma_w = 1$. Its size comes from large biases instead:
# $\sigma_b^2 = q^* - E[\tanh^2]$. We measure both. The message at the last layer is random
# (a loss that is a random weighted sum of the last $z$), so that no output layer disturbs.


# %%
def rms(v):
    return np.sqrt(np.mean(v**2))


def forward(activation, sigma_w, seed, sigma_b=0.0, depth=DEPTH, start=1.0):
    """A random network: lists of W, z and a, where a[0] is a random input of std `start`."""
    phi, _ = PHI[activation]
    generator = mg.Generator(seed)
    W, z, a = [], [], [generator.normal((BATCH, WIDTH), std=start)]
    for l in range(depth):
        W.append(generator.normal((WIDTH, WIDTH), std=sigma_w / np.sqrt(WIDTH)))
        z.append(a[l] @ W[l].T + sigma_b * generator.normal((WIDTH,)))
        a.append(phi(z[l]))
    return W, z, a


def backward(activation, W, z, a, seed):
    """The rms of dL/dz and of dL/dW, first layer first: an array (2, layers)."""
    _, slope = PHI[activation]
    dz, found = mg.Generator(seed + 1000).normal(z[-1].shape, std=1e-3), []
    for l in reversed(range(len(W))):
        found.append((rms(dz), rms(dz.T @ a[l])))
        if l > 0:
            dz = (dz @ W[l]) * slope(z[l - 1])
    return np.array(found[::-1]).T


FIRST = 8  # from here on q has settled


def factor(series):
    """What a layer towards the input multiplies by. series: (..., layers)."""
    steps = series.shape[-1] - FIRST
    return (series[..., FIRST - 1] / series[..., -1]) ** (1 / steps)


# %%
sigma_b = np.sqrt(q_star - average(lambda z: tanh(z) ** 2, q_star))
CASES = {
    "weights × 4, no biases": (4.0, 0.0, BLUE),
    f"weights × 1, biases {sigma_b:.1f}": (1.0, sigma_b, ORANGE),
}
share_law = math.erfc(np.arctanh(np.sqrt(0.95)) / np.sqrt(2 * q_star))
saturated, messages, weights = {}, {}, {}
print(f"tanh, {DEPTH} layers; law for the saturated share: {share_law:.3f}\n")
print(f"{'':<26}saturated share   dL/dz per layer   law √χ")
for case, (sigma_w, b, _) in CASES.items():
    runs = [forward("tanh", sigma_w, seed, b) for seed in SEEDS]
    saturated[case] = np.array(
        [[is_saturated(tanh_slope, v).mean() for v in z] for _, z, _ in runs]
    )
    gradients = [backward("tanh", *run, seed) for run, seed in zip(runs, SEEDS, strict=True)]
    messages[case], weights[case] = np.swapaxes(gradients, 0, 1)
    law = np.sqrt(chi(tanh_slope, q_star, sigma_w**2))
    print(f"{case:<26}{saturated[case][:, FIRST:].mean():>15.3f}"
          f"{factor(messages[case]).mean():>18.3f}{law:>9.3f}")  # fmt: skip
print(f"\nyour guess for the first: {guess_saturated}")

# %%
layers = np.arange(1, DEPTH + 1)


def draw(ax, x, series, style, colour, label):
    """Mean over the seeds with a band from the smallest to the largest. series: (seeds, x)."""
    ax.plot(x, series.mean(axis=0), style, color=colour, label=label)
    ax.fill_between(x, series.min(axis=0), series.max(axis=0), color=colour, alpha=0.2, lw=0)


figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for (case, (sigma_w, _, colour)), style in zip(CASES.items(), ("-", "-."), strict=True):
    draw(axes[0], layers, saturated[case], style, colour, case)
    draw(axes[1], layers, np.log10(messages[case]), "-", colour, f"dL/dz, weights × {sigma_w:g}")
    draw(axes[1], layers, np.log10(weights[case]), "--", colour, f"dL/dW, weights × {sigma_w:g}")
    law = np.sqrt(chi(tanh_slope, q_star, sigma_w**2)) ** (DEPTH - layers)
    axes[1].plot(layers, np.log10(messages[case][:, -1].mean() * law), ":", color="black")
axes[0].axhline(share_law, ls=":", color="black", label="law: erfc(2.18 / √(2q*))")
axes[0].set_ylim(0, 1)
axes[0].set_ylabel("saturated share of the layer")
axes[1].plot([], [], ":", color="black", label="law: × √χ a layer")
axes[1].set_ylabel("log10 of the rms gradient")
for ax in axes:
    ax.set_xlabel("layer (1 = nearest the input)")
    ax.set_xticks([1, 5, 10, 15, 20, 25, 30])
    ax.grid(alpha=0.25)
axes[0].legend(loc="lower right")
axes[1].legend(loc="lower right", fontsize=9)
plt.show()

# %% [markdown]
# The same share of all $z$ is saturated, more than half. In one network the message shrinks to 0.38
# a layer, in the other it *grows* by half with every layer, all the way down to layer 1.
#
# The reason stands in the formula. $\chi$ is a product: weight squared times mean squared slope.
# Weights that are four times as large do push most units into the flat parts. But the units that
# are not there, the others, pass everything on, multiplied by 16 in the square. **Saturation alone
# does not tell you which way the gradient goes. Slope and weight together do.**
#
# (A saturated unit by itself does pass on next to nothing: what explodes comes through the rest.)
#
# ## 5 · Dead units
#
# A ReLU unit is **dead** if $z \le 0$ for *every* example. Then its slope is 0 for every example,
# and its weights get no gradient at all.
#
# ### Counting, by hand and by `Probe`


# %%
def linears_of(model):
    return [m for m in model.modules() if isinstance(m, mg.nn.Linear)]


digits = load_digits()
x, y = standardize(digits.x).astype(np.float64), digits.y
model = deep_mlp(12, 32, "relu", "he", dtype=np.float64, generator=mg.Generator(3))
linears = linears_of(model)

a, dead_by_hand, saturated_by_hand = x[:BATCH], [], []
for layer in linears[:-1]:
    z = a @ layer.weight.data.T + layer.bias.data
    dead_by_hand.append(np.mean((z <= 0).all(axis=0)))  # silent for all examples
    saturated_by_hand.append(np.mean(z <= 0))
    a = np.maximum(z, 0)

with Probe(model) as probe:
    F.cross_entropy(model(mg.tensor(x[:BATCH])), mg.tensor(y[:BATCH])).backward()
probe_difference = max(
    np.max(np.abs(probe.series("dead")[0][:-1] - dead_by_hand)),
    np.max(np.abs(probe.series("saturated")[0][:-1] - saturated_by_hand)),
)
print("dead share, layers 1 to 11:     ", np.round(dead_by_hand, 2))
print("share of z <= 0, layers 1 to 11:", np.round(saturated_by_hand, 2))
print("largest difference to Probe:", probe_difference)

# %% [markdown]
# Note the difference between the two lines. That half of all $z$ are negative is normal. That a
# unit is silent for *all* examples is not. And the deeper, the more of them there are, in a network
# that has not made a single step. Why?
#
# ### All inputs become alike
#
# Take two examples. Let $c$ be the correlation of their $z$. A He-initialized ReLU layer changes it
# to
#
# $$c' = \frac{\sqrt{1-c^2} + c\,(\pi - \arccos c)}{\pi}$$
#
# (Cho & Saul 2009), which is always larger than $c$. So layer after layer all examples come to look
# the same. But to a unit that sees the same picture 128 times, "silent for one" and "silent for
# all" are nearly one event, of probability $\frac12$.
#
# We can compute it. Divide $z$ by its rms (the sign stays) and split it into
# $\sqrt c\,w + \sqrt{1-c}\,v$: a part $w$ that all $N$ examples share and a part $v$ that each has
# to itself, all from $N(0, 1)$. Given $w$, the examples are
# independent, and each is negative with probability $\Phi(-w\sqrt{c/(1-c)})$, where $\Phi$ is
# `normal_cdf`. So
#
# $$P(\text{silent for all } N)
# = E_w\!\left[\Phi\!\left(-w\sqrt{\tfrac{c}{1-c}}\right)^{N}\right].$$


# %%
def next_c(c):
    return (np.sqrt(1 - c**2) + c * (np.pi - np.arccos(c))) / np.pi


def silent_for_all(N, c):
    return average(lambda w: normal_cdf(-w * np.sqrt(c / (1 - c))) ** N)


SILENT_DEPTH, COUNTS = 50, (2, 8, BATCH)
silent_law, c = [], 0.0  # unrelated inputs
for _ in range(SILENT_DEPTH):
    silent_law.append([silent_for_all(N, c) for N in COUNTS])
    c = next_c(c)
silent_law = np.array(silent_law)

silent = []
for seed in SEEDS:
    _, z, _ = forward("relu", np.sqrt(2), seed, depth=SILENT_DEPTH)
    groups = [[v[i : i + N] for i in range(0, BATCH, N)] for v in z for N in COUNTS]
    shares = [np.mean([(part <= 0).all(axis=0).mean() for part in group]) for group in groups]
    silent.append(np.reshape(shares, (SILENT_DEPTH, len(COUNTS))))
silent = np.array(silent)

print("share of units silent for all N examples: measured (law)")
print("layer" + "".join(f"{f'N = {N}':>17}" for N in COUNTS))
for l in (1, 2, 5, 10, 20, 30, 50):
    row = zip(silent.mean(axis=0)[l - 1], silent_law[l - 1], strict=True)
    print(f"{l:>5}" + "".join(f"{m:>9.3f} ({p:.3f})" for m, p in row))
print(f"your guess for layer 50, N = {BATCH}: {guess_silent_share}")

# %% [markdown]
# At layer 50 almost 40 % of the units are silent for all 128 examples, and the share goes on to
# $\frac12$. With He's weights *dL/dz keeps its size* all the while. A healthy gradient is not
# everything: what arrives up there no longer tells the examples apart.
#
# ### Narrow and deep: born dead
#
# One step further: a whole layer that is silent. Then nothing passes at all, and training never
# starts. For one example the law takes a line. Each of the $n$ units is negative with probability
# $\frac12$, independently. So a layer is silent with probability $2^{-n}$, and one of $d$ layers is
# with
#
# $$P(\text{born dead}) = 1 - (1 - 2^{-n})^{d}.$$
#
# (For several examples, Lu et al. 2020 give bounds of this form.)

# %%
DRAWS, WIDTHS = full_or_fast(2000, fast=1000), (2, 3, 4, 6, 8)
generator = mg.Generator(0)
born_dead = {}
for n in WIDTHS:
    a = generator.normal((DRAWS, n, 1))  # one example in each of DRAWS networks
    alive = np.ones((DEPTH, DRAWS), dtype=bool)
    for l in range(DEPTH):
        W = generator.normal((DRAWS, n, n), std=np.sqrt(2 / n))
        a = np.maximum(W @ a, 0)
        alive[l] = (a > 0).any(axis=(1, 2))
    born_dead[n] = 1 - alive.mean(axis=1)
    law = 1 - (1 - 2.0**-n) ** DEPTH
    print(f"width {n}: dead at layer {DEPTH} {born_dead[n][-1]:.3f} (law {law:.3f})")

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
depths = np.arange(1, SILENT_DEPTH + 1)
for k, colour, style in ((0, BLUE, "-"), (2, GREEN, "-.")):
    shown = slice(None, None, 3)  # every third layer
    draw(axes[0], depths[shown], silent[:, shown, k], style, colour, f"for all of {COUNTS[k]}")
    axes[0].plot(depths, silent_law[:, k], ":", color="black", lw=1.5)
axes[0].plot([], [], ":", color="black", label="law")
axes[0].axhline(0.5, color="0.6", lw=0.8)
axes[0].set_ylim(0, 0.6)
axes[0].set_xlabel("layer (1 = nearest the input)")
axes[0].set_ylabel("share of units that are silent")
axes[0].set_xticks([1, 10, 20, 30, 40, 50])
axes[0].legend(loc="lower right")
colours = (BLUE, ORANGE, GREEN, PINK, RED)
for (n, found), colour, marker in zip(born_dead.items(), colours, "os^Dv", strict=True):
    axes[1].plot(layers[::3], found[::3], marker, color=colour, ms=4.5, label=f"width {n}")
    axes[1].plot(layers, 1 - (1 - 2.0**-n) ** layers, ":", color="black", lw=1.2)
axes[1].plot([], [], ":", color="black", label="law")
axes[1].set_xlabel("number of layers")
axes[1].set_ylabel("share of networks born dead")
axes[1].set_ylim(0, 1.05)
axes[1].legend(loc="center right", bbox_to_anchor=(1, 0.56), fontsize=8)
for ax in axes:
    ax.grid(alpha=0.25)
plt.show()

# %% [markdown]
# Left: the measured curves lie on the laws. Right: four units wide and thirty layers deep, six of
# seven networks are dead before the first step. At width 8 it is one in nine; at width 64 it
# practically never happens.
#
# ### Killed by the learning rate
#
# Units also die in training. One step that is too long throws a bias far down, and $z$ is negative
# for all examples. We train a network of 5 layers on 1024 digits with Adam, for 100 steps, at
# five learning rates, and count the dead at the end.

# %%
KNOWN = 1024  # examples to train on


def minibatches(seed, steps):
    generator = mg.Generator(seed)
    for _ in range(steps):
        yield generator.integers((64,), 0, KNOWN)


def train(model, optimizer, seed, steps):
    for chosen in minibatches(seed, steps):
        optimizer.zero_grad()
        F.cross_entropy(model(mg.tensor(x[chosen])), mg.tensor(y[chosen])).backward()
        optimizer.step()
    with mg.no_grad():
        return F.cross_entropy(model(mg.tensor(x[:KNOWN])), mg.tensor(y[:KNOWN])).item()


def hidden_z(model, activation):
    """z of all hidden layers, over all known examples."""
    a, z = mg.tensor(x[:KNOWN]), []
    with mg.no_grad():
        for layer in linears_of(model)[:-1]:
            z.append(layer(a))
            a = activation(z[-1])
    return [v.data for v in z]


RATES = (0.001, 0.003, 0.01, 0.03, 0.1)


def dead_share(model):
    return np.mean([(z <= 0).all(axis=0) for z in hidden_z(model, F.relu)])


born, killed = np.zeros(len(TRAINED)), np.zeros((len(TRAINED), len(RATES)))
for i, seed in enumerate(TRAINED):
    for k, rate in enumerate(RATES):
        model = deep_mlp(5, 64, "relu", "he", dtype=np.float64, generator=mg.Generator(seed))
        born[i] = dead_share(model)
        train(model, mg.optim.Adam(model.parameters(), lr=rate), seed, steps=100)
        killed[i, k] = dead_share(model)
print("learning rate     dead share of the hidden units: mean [smallest, largest]")
for rate, column in zip(("(untrained)", *RATES), (born, *killed.T), strict=True):
    print(f"{rate:>13}{column.mean():>12.3f} [{column.min():.3f}, {column.max():.3f}]")

# %% [markdown]
# Untrained, hardly any unit is dead, and up to 0.003 two in a hundred are. At 0.03 it is almost one
# in five, at 0.1 more than half.
#
# ### Do they come back?
#
# It is said that a dead ReLU unit stays dead, since its gradient is 0. We test it. In a fresh
# network we kill a quarter of the units of every layer by hand: their biases are lowered until the
# largest $z$ over all known examples is −0.1. Then we train 200 steps with plain gradient descent,
# and count how many of the 16 killed units in each layer are positive for some example again.
#
# For comparison, the same with activations that let something through on the left.

# %%
CURES = {
    "ReLU": mg.nn.ReLU(),
    "LeakyReLU(0.01)": mg.nn.LeakyReLU(0.01),
    "LeakyReLU(0.2)": mg.nn.LeakyReLU(0.2),
    "GELU": mg.nn.GELU(),
    "SiLU": mg.nn.SiLU(),
}


def kill_and_train(activation, seed):
    """How many of 16 killed units of each hidden layer come back."""
    model = deep_mlp(5, 64, "relu", "he", dtype=np.float64, generator=mg.Generator(seed))
    for i in range(1, 5):
        model[i - 1].act = activation  # in place of ReLU
    linears = linears_of(model)
    victims = [mg.Generator(seed + i).permutation(64)[:16] for i in range(4)]
    for i, chosen in enumerate(victims):
        z = hidden_z(model, activation)[i]  # after the layers below have lost theirs
        linears[i].bias.data[chosen] -= z[:, chosen].max(axis=0) + 0.1
    train(model, mg.optim.SGD(model.parameters(), lr=0.1), seed, steps=200)
    after = hidden_z(model, activation)
    return [int((z[:, v] > 0).any(axis=0).sum()) for z, v in zip(after, victims, strict=True)]


revived = {
    name: np.array([kill_and_train(activation, seed) for seed in TRAINED])
    for name, activation in CURES.items()
}
print("of 16 killed units, back after 200 steps: mean over the seeds [fewest, most]")
print(f"{'':<17}" + "".join(f"{f'layer {l}':>16}" for l in (1, 2, 3, 4)))
for name, counts in revived.items():
    cells = [f"{v.mean():.1f} [{v.min()}, {v.max()}]" for v in counts.T]
    print(f"{name:<17}" + "".join(f"{cell:>16}" for cell in cells))
print(f"your guess: {guess_comes_back}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
draw(axes[0], RATES, killed, "-o", BLUE, "ReLU, Adam, 100 steps")
axes[0].set_xscale("log")
axes[0].set_xlabel("learning rate")
axes[0].set_ylabel("dead share of the hidden units")
axes[0].set_ylim(0, 1)
axes[0].legend(loc="upper left")
hatches = ("", "//", "..", "xx", "\\\\")
for k, ((name, counts), colour) in enumerate(zip(revived.items(), colours, strict=True)):
    places = np.arange(4) + (k - 2) * 0.17
    spread = np.abs([counts.min(axis=0), counts.max(axis=0)] - counts.mean(axis=0))
    axes[1].bar(places, counts.mean(axis=0), 0.17, yerr=spread, color=colour, hatch=hatches[k],
                edgecolor="white", error_kw={"lw": 0.8}, label=name)  # fmt: skip
    for place in places[counts.max(axis=0) == 0]:
        axes[1].text(place, 0.3, "0", ha="center", fontsize=9)
axes[1].set_xticks(range(4), [f"layer {l}" for l in (1, 2, 3, 4)])
axes[1].set_ylabel("killed units that came back, of 16")
axes[1].set_ylim(0, 24)
axes[1].set_yticks([0, 4, 8, 12, 16])
axes[1].legend(loc="upper left", fontsize=8, ncols=2)
for ax in axes:
    ax.grid(alpha=0.25, axis="y")
plt.show()

# %% [markdown]
# **Layer 1: never.** Its weights get a gradient of exactly 0, and its input, the data, does not
# change. Nothing moves its $z$ again. (An optimizer with momentum goes on for a few steps with what
# it remembers; we used one without.)
#
# **Layers 2 to 4: many.** Their own weights stand still, too. But the layers *below* them go on
# learning, so what they see changes, and for some example $z$ gets above 0 again.
#
# LeakyReLU(0.01) is a weak cure: in layer 1 none is back either, because one percent of a gradient
# is very little in 200 steps. A slope of 0.2, GELU and SiLU bring units back in layer 1 as well.
#
# ## 6 · SELU: an activation that sets its own size
#
# Klambauer et al. (2017) asked: can an activation be built so that mean 0 and variance 1 come back
# by themselves, in any depth, without a normalization layer? Their SELU is
#
# $$\varphi(z) = \lambda \begin{cases} z & z > 0\\ \alpha(e^z - 1) & z \le 0 \end{cases}$$
#
# with two numbers that make (0, 1) a fixed point: if $z \sim N(0,1)$, then $a = \varphi(z)$ is to
# have mean 0 and variance 1. The mean gives $\alpha$ ($\lambda$ drops out), then the variance gives
# $\lambda$:
#
# $$\alpha = \frac{E[\max(z,0)]}{E[1 - e^{\min(z,0)}]}, \qquad
# \lambda = \frac{1}{\sqrt{E\big[(\varphi/\lambda)^2\big]}}.$$

# %%
alpha = average(lambda z: np.maximum(z, 0)) / average(lambda z: -np.expm1(below(z)))
lam = 1 / np.sqrt(average(lambda z: np.where(z > 0, z, alpha * np.expm1(below(z))) ** 2))
print(f"alpha  {alpha:.6f}, in the paper 1.6733\nlambda {lam:.6f}, in the paper 1.0507")

# %% [markdown]
# ### The map of mean and variance
#
# Let $\mu$ and $\nu$ be mean and variance of $a$ in one layer. What are they in the next, if
# $\sigma_w = 1$ (LeCun's weights, of variance $1/n$)? It depends on the weights' *row sums*:
#
# - **rows that sum to 0**: the mean below cancels, $z \sim N(0, \nu)$. The paper calls weights
#   normalized when their sum is 0 and the sum of their squares is 1.
# - **independent draws**: the row sums are random, and over the units $z \sim N(0, \nu + \mu^2)$.
#
# Either way the next $\mu$ and $\nu$ are averages of SELU and its square. We draw arrows (towards
# the next layer, shortened to a third), and on top of them the path of real networks.

# %%
selu, selu_slope = PHI["selu"]


def next_mean_variance(mu, nu, zero_sum):
    q = nu if zero_sum else nu + mu**2
    mean = average(selu, q)
    return mean, average(lambda z: selu(z) ** 2, q) - mean**2


def measured_path(mu, nu, zero_sum, seed=0, depth=20):
    generator = mg.Generator(seed)
    a = generator.normal((BATCH, WIDTH), mu, np.sqrt(nu))
    path = [(a.mean(), a.var())]
    for _ in range(depth):
        W = generator.normal((WIDTH, WIDTH), std=1 / np.sqrt(WIDTH))
        if zero_sum:
            W -= W.mean(axis=1, keepdims=True)
        a = selu(a @ W.T)
        path.append((a.mean(), a.var()))
    return np.array(path).T


figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True, layout="constrained")
for ax, zero_sum in zip(axes, (True, False), strict=True):
    for mu in np.linspace(-1, 1, 7):
        for nu in np.linspace(0.2, 3, 7):
            to_mu, to_nu = next_mean_variance(mu, nu, zero_sum)
            ax.annotate("", (mu + (to_mu - mu) / 3, nu + (to_nu - nu) / 3), (mu, nu),
                        arrowprops=dict(arrowstyle="->", color="0.6", lw=0.9))  # fmt: skip
    starts = ((-0.9, 2.8), (0.9, 2.6), (0.9, 0.3), (-0.7, 0.25))
    for start, colour, marker in zip(starts, colours, "os^D", strict=False):
        ax.plot(*measured_path(*start, zero_sum), "-", marker=marker, ms=3.5, lw=1, color=colour)
    ax.plot(0, 1, "*", color="black", ms=14)
    ax.set_title("rows that sum to 0" if zero_sum else "independent draws")
    ax.set_xlabel("mean μ of a")
    ax.set_xlim(-1.1, 1.1)
    ax.set_ylim(0, 3.1)
axes[0].set_ylabel("variance ν of a")
plt.show()

# %% [markdown]
# Each coloured path is one network, a marker per layer, from its input to layer 20. All of them
# run into the star, (0, 1). On the left the mean is forgotten in a single layer; on the right
# $\mu^2$ counts as variance for one layer, then it is gone. The paths end in a small cloud around
# the star, not on it: the network is 256 units wide, not infinitely wide.
#
# ### A fixed point for the signal. And the gradient?
#
# With independent draws $q = \nu + \mu^2$ is all one needs, and it goes by `next_q`. Near $q = 1$ a
# deviation is multiplied by the map's slope, which is below 1: the point attracts. But $\chi$ at
# that point is another average.

# %%
STEP = 1e-4
map_slope = (next_q(selu, 1 + STEP, 1) - next_q(selu, 1 - STEP, 1)) / (2 * STEP)
selu_chi = chi(selu_slope, 1.0, 1.0)
xi = theory.xi_q(1.0, 0.0, "selu")  # layers in which a deviation shrinks by the factor e
print(f"slope of the map of q at 1: {map_slope:.4f}, by theory.xi_q {math.exp(-1 / xi):.4f}")
print(f"chi at q = 1: {selu_chi:.4f}, by theory.chi_1 {theory.chi_1(1, 0, 'selu'):.4f}")
print(f"so dL/dz grows by {np.sqrt(selu_chi):.4f} a layer: "
      f"{np.sqrt(selu_chi) ** 99:.0f} times over 100 layers")  # fmt: skip

# %%
SELU_DEPTH = 100
STARTS = {9.0: (BLUE, "-"), 1.0: (GREEN, "--"), 0.1: (ORANGE, "-.")}
selu_q, gradients = {nu: [] for nu in STARTS}, []
for nu in STARTS:
    for seed in SEEDS:
        run = forward("selu", 1.0, seed, depth=SELU_DEPTH, start=np.sqrt(nu))
        selu_q[nu].append([np.mean(a**2) for a in run[2][1:]])
        if nu == 1:
            gradients.append(backward("selu", *run, seed))
selu_q = {nu: np.array(found) for nu, found in selu_q.items()}
selu_dz, selu_dw = np.swapaxes(gradients, 0, 1)
print("mean square of a, mean over the seeds (law)")
print("start" + "".join(f"{f'layer {l}':>16}" for l in (1, 3, 10, 100)))
for nu, found in selu_q.items():
    law = [nu]
    for _ in range(SELU_DEPTH):
        law.append(next_q(selu, law[-1], 1.0))
    cells = [f"{found[:, l - 1].mean():.3f} ({law[l]:.3f})" for l in (1, 3, 10, 100)]
    print(f"{nu:>5}" + "".join(f"{cell:>16}" for cell in cells))
selu_growth = factor(selu_dz)
print(f"\ndL/dz per layer: {selu_growth.mean():.4f} [{selu_growth.min():.4f}, "
      f"{selu_growth.max():.4f}]")  # fmt: skip

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
deep = np.arange(1, SELU_DEPTH + 1)
for nu, (colour, style) in STARTS.items():
    draw(axes[0], deep[:30], selu_q[nu][:, :30], style, colour, f"input of variance {nu}")
axes[0].axhline(1, ls=":", color="black", label="fixed point")
axes[0].set_xticks([1, 5, 10, 15, 20, 25, 30])
axes[0].set_ylabel("mean square of a")
draw(axes[1], deep[::9], np.log10(selu_dz)[:, ::9], "-", GREEN, "dL/dz")
draw(axes[1], deep[::9], np.log10(selu_dw)[:, ::9], "--", GREEN, "dL/dW")
law = np.log10(selu_dz[:, -1].mean()) + np.log10(selu_chi) / 2 * (SELU_DEPTH - deep)
axes[1].plot(deep, law, ":", color="black", label=f"law: × {np.sqrt(selu_chi):.3f} a layer")
axes[1].set_xticks([1, 20, 40, 60, 80, 100])
axes[1].set_ylabel("log10 of the rms gradient")
for ax in axes:
    ax.set_xlabel("layer (1 = nearest the input)")
    ax.grid(alpha=0.25)
    ax.legend()
plt.show()

# %% [markdown]
# The signal returns to 1 from both sides within some twenty layers, and stays. The gradient does
# **not** stay: $\chi = 1.0716$, so dL/dz grows by 3.5 % a layer, and at layer 1 it is some thirty
# times as large as at layer 100. (On average the seeds lie a little above the law: finite width
# again.) "Self-normalizing" is a statement about the signal.
#
# ## 7 · A gain solver for any activation
#
# At which $\sigma_w$ does an activation keep *both*, a signal that has settled and $\chi = 1$? Set
# $\chi = 1$, that is $\sigma_w^2 = 1/E[\varphi'^2]$, and put it into $q' = q$:
#
# $$h(q) = q - \frac{E[\varphi(\sqrt q\,t)^2]}{E[\varphi'(\sqrt q\,t)^2]} - \sigma_b^2 = 0 .$$
#
# One equation with one unknown. For tanh, $h$ starts at $-\sigma_b^2$ and grows, so bisection finds
# the root: keep an interval at whose ends $h$ has different signs, and halve it.


# %%
def critical(phi, slope, sigma_b2, low=1e-6, high=100.0):
    """The critical sigma_w^2 and the q at which the network settles."""

    def h(q):
        square, slope_square = (average(lambda z, f=f: f(z) ** 2, q) for f in (phi, slope))
        return q - square / slope_square - sigma_b2

    for _ in range(60):
        middle = (low + high) / 2
        if h(middle) < 0:
            low = middle
        else:
            high = middle
    return 1 / average(lambda z: slope(z) ** 2, low), low


solver_error = 0.0
print("              sigma_b²    sigma_w² by hand       theory        q")
for name in ("tanh", "selu"):
    for sigma_b2 in (0.01, 0.05, 0.10, 0.30):
        found, q = critical(*PHI[name], sigma_b2)
        wanted = theory.critical_sigma_w(np.sqrt(sigma_b2), name) ** 2
        solver_error = max(solver_error, abs(found / wanted - 1))
        print(f"{name:<14}{sigma_b2:>8.2f}{found:>20.6f}{wanted:>13.6f}{q:>9.4f}")

# %% [markdown]
# Now hold it against real networks. We also try two gains from a much-used table (PyTorch's
# `calculate_gain`, in minigrad as `nn.init.calculate_gain`): 5/3 for tanh and 3/4 for SELU.

# %%
tanh_gain, selu_gain = (
    np.sqrt(critical(*PHI[name], sigma_b2=0.05)[0]) for name in ("tanh", "selu")
)
TRIALS = [
    ("tanh", tanh_gain, np.sqrt(0.05), "solver"),
    ("selu", selu_gain, np.sqrt(0.05), "solver"),
    ("tanh", mg.nn.init.calculate_gain("tanh"), 0.0, "table"),
    ("selu", mg.nn.init.calculate_gain("selu"), 0.0, "table"),
]


def law_on_the_way(name, sigma_w, sigma_b=0.0):
    """The factor of dL/dz between layers DEPTH and FIRST, q as it is there, settled or not."""
    phi, slope = PHI[name]
    q, product = sigma_w**2 + sigma_b**2, 1.0
    for l in range(1, DEPTH):
        product *= chi(slope, q, sigma_w**2) if l >= FIRST else 1
        q = next_q(phi, q, sigma_w**2, sigma_b**2)
    return np.sqrt(product) ** (1 / (DEPTH - FIRST))


at_gain = {}
print("                          dL/dz per layer            law     signal q, layer 30")
for name, gain, b, origin in TRIALS:
    runs = [forward(name, gain, seed, b) for seed in SEEDS]
    gradients = [backward(name, *run, seed) for run, seed in zip(runs, SEEDS, strict=True)]
    found = at_gain[name, origin] = factor(np.array(gradients)[:, 0])
    signal, law = np.mean([np.mean(z[-1] ** 2) for _, z, _ in runs]), law_on_the_way(name, gain, b)
    print(f"{name:<5}{origin:>7} {gain:.4f}   {found.mean():.3f} [{found.min():.3f}, "
          f"{found.max():.3f}]{law:>13.3f}{signal:>15.3f}")  # fmt: skip

# %% [markdown]
# At the solver's gains dL/dz neither grows nor shrinks, within one percent a layer in every seed.
# The table's 5/3 for tanh makes dL/dz grow by 10 % a layer: over 30 layers a factor of 16. The
# table's 3/4 for SELU keeps gradients nearly level, but the signal sinks towards 0 (it has not
# settled after 30 layers, so the law follows it on its way), and SELU was built to keep it at 1.
#
# Not every activation has a critical gain. ReLU has one only without biases: there
# $E[\varphi^2]/E[\varphi'^2] = q$ for every $q$, so $h = -\sigma_b^2$. For GELU and SiLU, with no
# biases or small ones, the gain with $\chi = 1$ has a signal that runs away;
# `theory.critical_sigma_w` says so instead of giving a number.

# %% [markdown]
# ## 8 · Claim court
#
# ### "Sigmoid is the cause: its slope is at most ¼, so gradients vanish"
#
# One reads this in many courses. It sounds like a proof: thirty factors of at most ¼. But the
# message is multiplied by weights, too. And there is an identity,
#
# $$\tanh(z) = 2\,\sigma(2z) - 1 .$$
#
# So take a tanh network and write $2\sigma(2z) - 1$ wherever it says $\tanh(z)$. Then move the
# inner 2 into the weights of the layer before, and the outer 2 and the −1 into weights and biases
# of the layer behind: hidden weights become $4W$, biases $-2\sum_j W_{ij}$. That is a *sigmoid*
# network that computes exactly the same.
#
# So here are four sigmoid networks of 20 layers, each trained 200 steps with Adam at 0.001. The
# first is LeCun's start, weights of variance $1/n$. The second and third change the scale of the
# weights; the fourth changes the scale and removes the offset.


# %%
def times(gain):
    """Multiply all weights."""
    return lambda W, first, last: (gain * W, 0.0)


def tanh_in_disguise(W, first, last):
    to_next = 1 if last else 2  # the inner 2 of the sigmoid behind this layer
    of_below = 1 if first else 2  # the outer 2 of the sigmoid before it
    return to_next * of_below * W, 0.0 if first else -to_next * W.sum(axis=1)


SIGMOID_DEPTH, SIGMOID_SEEDS = 20, range(full_or_fast(3, fast=1))
sigmoid_gain = theory.critical_gain("sigmoid")
REPAIRS = {
    "as usual": times(1),
    "weights × 4": times(4),
    f"weights × {sigmoid_gain:.2f} (chi = 1)": times(sigmoid_gain),
    "tanh in disguise": tanh_in_disguise,
}


def sigmoid_network(repair, seed):
    model = deep_mlp(
        SIGMOID_DEPTH, 64, "sigmoid", "lecun", dtype=np.float64, generator=mg.Generator(seed)
    )
    for k, layer in enumerate(linears_of(model), start=1):
        weight, bias = repair(layer.weight.data, k == 1, k == SIGMOID_DEPTH)
        layer.weight.data[...], layer.bias.data[...] = weight, bias
    return model


original = deep_mlp(SIGMOID_DEPTH, 64, "tanh", "lecun", dtype=np.float64, generator=mg.Generator(0))
scores = [
    net(mg.tensor(x[:BATCH])).data for net in (original, sigmoid_network(tanh_in_disguise, 0))
]
disguise_error = np.max(np.abs(scores[0] - scores[1])) / np.max(np.abs(scores[0]))
print(f"tanh network and sigmoid network in disguise: scores differ by {disguise_error:.0e}")


# %%
def try_out(model, seed):
    """Factor of dL/dz, how much scores differ between images, change of W per layer, loss."""
    before = [layer.weight.data.copy() for layer in linears_of(model)]
    with Probe(model) as probe:
        out = model(mg.tensor(x[:BATCH]))
        F.cross_entropy(out, mg.tensor(y[:BATCH])).backward()
    dz = probe.series("dz_rms")[0]
    loss = train(model, mg.optim.Adam(model.parameters(), lr=0.001), seed, steps=200)
    changes = [
        rms(m.weight.data - W) / rms(W) for m, W in zip(linears_of(model), before, strict=True)
    ]
    differ = out.data.std(axis=0).mean() / rms(out.data)
    return (dz[4] / dz[18]) ** (1 / 14), differ, changes, loss  # from layer 19 to layer 5


print("20-layer sigmoid         dL/dz per layer   scores differ   loss [best, worst seed]")
losses, moved = {}, {}
for name, repair in REPAIRS.items():
    tried = [try_out(sigmoid_network(repair, seed), seed) for seed in SIGMOID_SEEDS]
    dz_factor, differ, moved[name], losses[name] = map(np.array, zip(*tried, strict=True))
    best, worst = losses[name].min(), losses[name].max()
    print(f"{name:<25}{dz_factor.mean():>15.3f}{differ.mean():>16.1e}"
          f"{losses[name].mean():>8.3f} [{best:.3f}, {worst:.3f}]")  # fmt: skip
print(f"\nguessing blindly: ln 10 = {math.log(10):.3f}")

# %% [markdown]
# This is the loss log: one row after each repair. "Scores differ" is how much the ten scores vary
# from image to image, relative to their size.
#
# **Verdict: half of it holds.** At the usual weights, yes: 0.23 a layer, and nothing is learned,
# not even with Adam. But the bound of ¼ proves nothing, since the weights can make up for it. At
# 10.15, which is `theory.critical_gain("sigmoid")`, the message loses only 5 % a layer (and nothing
# in an infinitely wide network). And the last row is a sigmoid network with the same slope of at
# most ¼ that learns best of all. Two things were wrong with the first row: the *scale* (slope times
# weight), which rows two and three mend, and the *offset* ($\sigma(0) = 0.5$, so that every layer
# receives mostly the same constant, and the images look alike), which row four mends as well.
#
# ### "ReLU solves the vanishing gradient problem"
#
# The same weights for everybody, $\sigma_w = 1$ (Xavier's and LeCun's choice for square layers),
# and ReLU with He's.

# %%
SIZES = (("sigmoid", 1.0), ("tanh", 1.0), ("relu", 1.0), ("relu", np.sqrt(2)))
relu_trial = {}
print("                     dL/dz per layer [range]   over 29 layers")
for name, sigma_w in SIZES:
    gradients = [backward(name, *forward(name, sigma_w, seed), seed) for seed in SEEDS]
    found = factor(np.array(gradients)[:, 0])
    relu_trial[name, round(sigma_w, 2)] = found
    print(f"{name:<9}σ_w = {sigma_w:.3f}{found.mean():>10.3f} [{found.min():.3f}, "
          f"{found.max():.3f}]{found.mean() ** 29:>15.1e}")  # fmt: skip

# %% [markdown]
# **Verdict: half of it holds.** ReLU throws away half of the message: $\chi = \sigma_w^2/2$. At
# $\sigma_w = 1$ it loses *more* than tanh, in every seed. What solves the problem is ReLU together
# with He's $\sigma_w^2 = 2$: since half is half at every $q$, one number fits all depths. And
# section 5 showed its price: inputs become alike, units fall silent.
#
# ### "A dead ReLU unit never comes back"
#
# **Verdict: it holds in the first layer, and not in the others.** Measured in section 5: none of
# the killed units of layer 1 in any seed; in layers 2 to 4 about half and more.
#
# ### "Vanishing gradients stop the network from learning"
#
# (row 5.7 of the table in `lessons/README.md`). What does "stop" mean, in numbers? For the sigmoid
# networks above we look at how far each weight matrix moved in 200 steps, relative to its own size.

# %%
figure, ax = plt.subplots(figsize=(10, 3.8), layout="constrained")
numbers = np.arange(1, SIGMOID_DEPTH + 1)
styles = zip(moved.items(), (BLUE, ORANGE, PINK, GREEN), ("-o", "--s", ":D", "-.^"), strict=True)
for (name, found), colour, style in styles:
    draw(ax, numbers, np.log10(found), style, colour, name)
ax.set_xticks([1, 5, 10, 15, 20])
ax.set_xlabel("layer (1 = nearest the input)")
ax.set_ylabel("log10 of the relative change of W")
ax.grid(alpha=0.25)
ax.legend(loc="lower right", ncols=2)
plt.show()
usual = moved["as usual"]
print(f"as usual: layer 1 moved by {usual[:, 0].mean():.0e} of its size in 200 steps, "
      f"layer 20 by {usual[:, -1].mean():.0e}")  # fmt: skip
print(f"steps to move layer 1 by one percent at this pace: {200 * 0.01 / usual[:, 0].mean():.0e}")

# %% [markdown]
# **Verdict: it holds, and one should add which part stops.** The upper layers *do* move, by about
# a tenth of their size. They learn nothing, because the layers below them, which stand still,
# deliver the same numbers for every image (column "scores differ"). Adam divides each gradient by
# its own recent size, and still it moves layer 1 by nothing: it adds $\varepsilon = 10^{-8}$ to
# that size, and the gradient there is far smaller (lesson 11).

# %% [markdown]
# ## 9 · What we found
#
# Laws at initialization have tight tolerances: a few times the spread over the seeds that you saw
# above. Outcomes of training depend on the machine's rounding, so they are put as yes (1) or no
# (0), over all seeds.

# %%
POOLE, MEAN_FIELD = "Poole et al. 2016", "Schoenholz et al. 2017"
big_weights, big_biases = CASES
back_in_upper_layers = revived["ReLU"][:, 1:].sum(axis=1)
usual_losses, disguised_losses = losses["as usual"], losses["tanh in disguise"]

record(
    [
        Claim("eight activations by hand against minigrad: largest difference", 0, disagreement,
              1e-12, "both compute the same formulas"),
        Claim("stable forms in float32 at ±20, ±1000: largest relative error", 0, stable_error,
              3e-7, "rounding of float32 is 6e-8"),
        Claim("tanh, σ_w = 4: saturated share", share_law, saturated[big_weights][:, FIRST:].mean(),
              0.006, POOLE),
        Claim("tanh, σ_w = 1, large biases: saturated share", share_law,
              saturated[big_biases][:, FIRST:].mean(), 0.015, POOLE),
        Claim("tanh, σ_w = 4, more than half saturated: dL/dz per layer to the input",
              np.sqrt(chi(tanh_slope, q_star, 16)), factor(messages[big_weights]).mean(), 0.015,
              MEAN_FIELD),
        Claim("tanh, σ_w = 1, as many saturated: dL/dz per layer to the input",
              np.sqrt(chi(tanh_slope, q_star, 1)), factor(messages[big_biases]).mean(), 0.015,
              MEAN_FIELD),
        Claim("dead and saturated shares, Probe against NumPy: largest difference", 0,
              probe_difference, 0, "both count the same"),
        Claim("He ReLU: share of units silent for both of 2 examples, layer 2", silent_law[1, 0],
              silent[:, 1, 0].mean(), 0.02, "Cho & Saul 2009"),
        Claim("He ReLU: share of units silent for all of 128 examples, layer 30",
              silent_law[29, 2], silent[:, 29, 2].mean(), 0.05, "Cho & Saul 2009"),
        Claim("He ReLU, width 4, 30 layers: share born dead for one example",
              1 - (1 - 2.0**-4) ** DEPTH, born_dead[4][-1], 0.04, "Lu et al. 2020"),
        Claim("Adam at 0.1 kills more ReLU units than at 0.01, in every seed (1 = yes)", 1,
              float((killed[:, 4] > killed[:, 2]).all()), 0, "outcome of training"),
        Claim("killed ReLU units of layer 1 that come back, most over seeds", 0,
              revived["ReLU"][:, 0].max(), 0, "zero gradient, fixed input"),
        Claim("killed ReLU units of layers 2 to 4 come back, in every seed (1 = yes)", 1,
              float((back_in_upper_layers > 0).all()), 0, "outcome of training"),
        Claim("LeakyReLU(0.2): killed units of layer 1 come back, in every seed (1 = yes)", 1,
              float((revived["LeakyReLU(0.2)"][:, 0] > 0).all()), 0, "outcome of training"),
        Claim("SELU: start variance 9, mean square of a at layer 100", 1,
              selu_q[9.0][:, -1].mean(), 0.06, "Klambauer et al. 2017"),
        Claim("SELU: slope of the variance map at its fixed point", math.exp(-1 / xi), map_slope,
              1e-4, "Klambauer et al. 2017"),
        Claim("SELU: dL/dz per layer to the input", np.sqrt(selu_chi), selu_growth.mean(), 0.006,
              f"{MEAN_FIELD}; against 'self-normalizing' gradients"),
        Claim("gain solver by hand against theory: largest relative difference", 0, solver_error,
              1e-5, MEAN_FIELD),
        Claim("tanh at the solver's gain, σ_b² = 0.05: dL/dz per layer to the input", 1,
              at_gain["tanh", "solver"].mean(), 0.01, MEAN_FIELD),
        Claim("tanh at gain 5/3: dL/dz per layer to the input", np.sqrt(theory.chi_1(25 / 9)),
              at_gain["tanh", "table"].mean(), 0.01, MEAN_FIELD),
        Claim("tanh network against sigmoid network in disguise: largest difference", 0,
              disguise_error, 1e-9, "tanh(z) = 2σ(2z) − 1"),
        Claim("sigmoid, σ_w = 1: dL/dz per layer to the input",
              np.sqrt(theory.chi_1(1, 0, "sigmoid")), relu_trial["sigmoid", 1.0].mean(), 0.003,
              MEAN_FIELD),
        Claim("ReLU, σ_w = 1: dL/dz per layer to the input", np.sqrt(0.5),
              relu_trial["relu", 1.0].mean(), 0.015, "He et al. 2015"),
        Claim("ReLU, σ_w = √2: dL/dz per layer to the input", 1,
              relu_trial["relu", 1.41].mean(), 0.02, "He et al. 2015"),
        Claim("at σ_w = 1 ReLU loses more a layer than tanh, in every seed (1 = yes)", 1,
              float(relu_trial["relu", 1.0].max() < relu_trial["tanh", 1.0].min()), 0,
              "against 'ReLU solves vanishing gradients'"),
        Claim("20-layer sigmoid: stuck as usual, learns as tanh in disguise, in every seed "
              "(1 = yes)", 1, float(usual_losses.min() > 2.2 and disguised_losses.max() < 1), 0,
              "outcome of training"),
    ]
)  # fmt: skip

# %% [markdown]
# **In five sentences.** What an activation does to a deep network is decided by three averages
# over a Gaussian number: of $\varphi$, of $\varphi^2$ and of $\varphi'^2$. Saturated units pass on
# little, but only weight and slope together say whether gradients vanish or explode. ReLU with
# He's weights keeps dL/dz, but makes examples alike, so that nearly half of the units of a deep
# layer are silent for all of them. A dead unit gets no gradient: in the first layer it stays dead,
# higher up the layers below may wake it. SELU brings the signal back to variance 1 from anywhere,
# and lets gradients grow by 3.5 % a layer all the same.
#
# ## 10 · Exercises
#
# Each has a cell to fill in and a cell that checks it. The checks say what they measured.
#
# **Exercise 1: an activation and its stable backward.** Mish (Misra 2020) is
# $\varphi(z) = z \tanh(\mathrm{softplus}(z))$. Write it and its slope, on NumPy arrays, so that
# both are right in float32 from −1000 to 1000. Product rule and chain rule give the slope; use
# `sigmoid` and `softplus` from above.


# %%
def mish(z):
    return None  # your code


def mish_slope(z):
    return None  # your code


# %%
def check_mish():
    z = np.array([-1000, -88, -30, -3, -0.7, 0, 0.4, 2, 19, 95, 1000], dtype=np.float32)
    with np.errstate(all="ignore"):
        found = {"mish": mish(z), "mish_slope": mish_slope(z)}
    if any(values is None for values in found.values()):
        return "exercise 1: not written yet"
    t = mg.tensor(z.astype(np.float64), requires_grad=True)
    out = F.mish(t)
    out.sum().backward()
    for (name, values), wanted in zip(found.items(), (out.data, t.grad.data), strict=True):
        if np.shape(values) != z.shape:
            return f"exercise 1: not yet: {name} has shape {np.shape(values)}, wanted {z.shape}"
        off = np.abs(values - wanted) - 1e-5 * np.abs(wanted) - 1e-20
        worst = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
        if not off[worst] <= 0:
            return (f"exercise 1: not yet: {name}({z[worst]:g}) is {values[worst]:.4g}, "
                    f"wanted {wanted[worst]:.4g}")  # fmt: skip
    return "exercise 1: correct, value and slope are right from -1000 to 1000"


print(check_mish())

# %% [markdown]
# **Exercise 2: a dead-unit counter.** Write `dead_shares(model, x)` for a ReLU network as
# `deep_mlp` makes it: for each *hidden* layer the share of its units that are silent for all
# examples of the array `x`. Section 5 has all you need. The last layer has no ReLU and does not
# count.


# %%
def dead_shares(model, x):
    return None  # your code


# %%
def check_dead_shares():
    model = deep_mlp(7, 24, "relu", "he", dtype=np.float64, generator=mg.Generator(11))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data[...] = mg.Generator(5).normal(parameter.shape, mean=-0.5)
    found = dead_shares(model, x[:60])
    if found is None:
        return "exercise 2: not written yet"
    with Probe(model) as probe:
        model(mg.tensor(x[:60])).sum().backward()
    wanted = probe.series("dead")[0][:-1]
    if np.shape(found) != wanted.shape:
        return f"exercise 2: not yet: wanted {len(wanted)} numbers, got shape {np.shape(found)}"
    shares = np.asarray(found, dtype=float)
    off = np.abs(shares - wanted)
    if not (off < 1e-6).all():
        l = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
        return f"exercise 2: not yet: layer {l + 1} has {wanted[l]:.3f}, you found {shares[l]:.3f}"
    return "exercise 2: correct, the same as Probe counts"


print(check_dead_shares())

# %% [markdown]
# **Exercise 3: another fixed point.** SELU's numbers make (mean 0, variance 1) a fixed point. Write
# `selu_constants(variance)`: the pair $(\lambda, \alpha)$ that makes (0, `variance`) one, for
# $z \sim N(0, \texttt{variance})$. `average(f, q)` is your tool.


# %%
def selu_constants(variance):
    return None  # your code


# %%
def as_pair(found):
    """An array of two numbers, or None where it is something else."""
    try:
        pair = np.asarray(found, dtype=float)
    except (TypeError, ValueError):
        return None
    return pair if pair.shape == (2,) else None


def check_selu_constants():
    for variance in (1.0, 0.3, 2.5):
        found = selu_constants(variance)
        if found is None:
            return "exercise 3: not written yet"
        if (pair := as_pair(found)) is None:
            return "exercise 3: not yet: wanted a pair of numbers, lambda and alpha"
        scale, a = pair

        def phi(z, scale=scale, a=a):
            return scale * np.where(z > 0, z, a * np.expm1(below(z)))

        mean = average(phi, variance)
        got = average(lambda z, phi=phi: phi(z) ** 2, variance) - mean**2
        if not (abs(mean) < 1e-4 and abs(got / variance - 1) < 1e-4):
            return (f"exercise 3: not yet: z of variance {variance} becomes mean {mean:.4f} and "
                    f"variance {got:.4f}")  # fmt: skip
    return "exercise 3: correct, mean 0 and the variance come back"


print(check_selu_constants())

# %% [markdown]
# **Exercise 4: two gains.** Which $\sigma_w$ keeps the *signal* at $q = 1$ (no biases)? And which
# $\sigma_w$ keeps the *gradient*, $\chi = 1$, at $q = 1$? Write `two_gains(phi, slope)`, which
# returns both. Then call it on `PHI["relu"]`, `PHI["gelu"]` and `PHI["tanh"]`. For which of them do
# the two agree?


# %%
def two_gains(phi, slope):
    return None  # your code


# %%
def check_two_gains():
    for name in ("silu", "tanh", "selu"):
        found = two_gains(*PHI[name])
        if found is None:
            return "exercise 4: not written yet"
        if (pair := as_pair(found)) is None:
            return "exercise 4: not yet: wanted a pair of numbers"
        for_signal = theory.variance_map(1.0, pair[0] ** 2, 0.0, name)
        for_gradient = theory.chi(1.0, pair[1] ** 2, name)
        if not abs(for_signal - 1) < 1e-4:
            return f"exercise 4: not yet: {name} takes q = 1 to {for_signal:.4f} at your first gain"
        if not abs(for_gradient - 1) < 1e-4:
            return f"exercise 4: not yet: {name} has chi = {for_gradient:.4f} at your second gain"
    return "exercise 4: correct, both gains keep what they should (only ReLU's two agree)"


print(check_two_gains())

# %% [markdown]
# **To think about** (no check). In section 5 dead units of the upper layers came back because the
# layers below moved. Would they come back with a learning rate of 0 for layer 1? And: softplus has
# no dead units at all. Why does hardly anybody use it in deep networks? (Its value at 0 is 0.69.
# Compare with what the offset did to sigmoid in section 8, and measure with `forward("softplus",
# ...)`.)
#
# ## Further reading
#
# - B. Poole, S. Lahiri, M. Raghu, J. Sohl-Dickstein, S. Ganguli (2016): *Exponential expressivity
#   in deep neural networks through transient chaos*, NeurIPS. The map of $q$.
# - G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter (2017): *Self-normalizing neural networks*,
#   NeurIPS. The map of mean and variance, and the proof that it contracts.
# - X. Glorot, Y. Bengio (2010): *Understanding the difficulty of training deep feedforward neural
#   networks*, AISTATS. Section 3 watches saturation in training.
# - K. He, X. Zhang, S. Ren, J. Sun (2015): *Delving deep into rectifiers*, ICCV. ReLU's one half,
#   and its cure.
# - L. Lu, Y. Shin, Y. Su, G. Karniadakis (2020): *Dying ReLU and initialization: theory and
#   numerical examples*, Communications in Computational Physics 28(5).
# - Y. Cho, L. Saul (2009): *Kernel methods for deep learning*, NeurIPS. The map of correlations.
# - D. Hendrycks, K. Gimpel (2016): *Gaussian error linear units (GELUs)*, arXiv.
# - D. Misra (2020): *Mish: a self regularized non-monotonic activation function*, BMVC.
# - S. Schoenholz, J. Gilmer, S. Ganguli, J. Sohl-Dickstein (2017): *Deep information propagation*,
#   ICLR. χ, and what it means for training.
