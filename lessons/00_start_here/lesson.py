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
# # Start here
#
# A deep network is a long chain of multiplications. Multiply fifty numbers a little below 1, and
# almost nothing is left; a little above 1, and the result is huge. That one sentence is behind most
# networks that do not train. This course teaches you to **measure** it layer by layer, to
# **predict** it with a formula before you run anything, and to **repair** it by hand.
#
# Everything runs on your laptop, on one core, without a download. You need Python, NumPy, the
# matrix product and the chain rule.

# %% [markdown]
# ## How to work with these notebooks
#
# - Run a cell with **Shift + Enter**, from top to bottom: a cell uses what those above it made.
#   If something looks odd: *Kernel → Restart Kernel and Run All Cells…*
# - Before most figures a lesson asks for a **guess**. Write it down. A guess that turns out wrong
#   is the part you will remember.
# - Each lesson builds its subject **by hand** on plain NumPy arrays first, then shows minigrad's
#   own beside it and checks that the two agree. So nothing in here is magic.
# - Near the end comes a **law check** (what a published paper predicts, and what you just measured)
#   and a **claim court** (what is often said, put to the test). "Row 4.1" there is a line in the
#   table of all such claims and verdicts, `README.md` in the folder `lessons` of the project; you
#   do not need it to follow a lesson.
# - Last come **exercises**. Their checks say what they measured and what they expected.
# - A lesson computes for less than a minute in all. If it takes much longer, run `minigrad doctor`
#   in a terminal; most often NumPy uses more threads than do it good.
#
# These copies are yours. Change what you like: `minigrad lessons` never overwrites a notebook that
# you edited.
#
# ## The lessons
#
# | # | lesson | after it you can say |
# |---|---|---|
# | 1 | [Build the engine][l1] | what a backward pass is, line by line |
# | 2 | [Can you trust your gradient?][l2] | whether a derivative is right, to how many digits |
# | 3 | [The instrument][l3] ★ | in which layer a gradient dies |
# | 4 | [The law of decay][l4] ★ | by which factor, before you run anything |
# | 5 | [Initialization][l5] ★ | how to start 30 layers, or 10,000 |
# | 6 | [Activations, saturation, dead units][l6] | what an activation does to signal and gradient |
# | 7 | [Batch normalization by hand][l7] ★ | what it computes, where it helps, what it costs |
# | 8 | [Which normalization, and where?][l8] | which one to choose, and where to put it |
# | 9 | [Residual connections][l9] | why a hundred blocks can train |
#
# ★ The short course on gradient flow. Each lesson stands alone and takes at most 90 minutes.
#
# [l1]: ../01_build_the_engine/lesson.ipynb
# [l2]: ../02_trust_your_gradient/lesson.ipynb
# [l3]: ../03_the_instrument/lesson.ipynb
# [l4]: ../04_the_law_of_decay/lesson.ipynb
# [l5]: ../05_initialization/lesson.ipynb
# [l6]: ../06_activations/lesson.ipynb
# [l7]: ../07_batch_normalization/lesson.ipynb
# [l8]: ../08_which_normalization/lesson.ipynb
# [l9]: ../09_residual_connections/lesson.ipynb

# %% [markdown]
# ## Does it work here?
#
# First the engine. minigrad computes derivatives exactly, by the chain rule. A derivative can also
# be estimated: move $x$ a little both ways and look at how much the result changes,
#
# $$f'(x) \approx \frac{f(x + h) - f(x - h)}{2h} .$$
#
# Both must give the same number.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad.course import Claim, full_or_fast, record
from minigrad.diagnostics import DecayConfig, measure_decay, plots, theory

print("minigrad", mg.__version__, "· NumPy", np.__version__)

x = mg.tensor(np.linspace(-2, 2, 9), requires_grad=True)
mg.tanh(x).sum().backward()

h = 1e-5
estimated = (np.tanh(x.data + h) - np.tanh(x.data - h)) / (2 * h)
difference = np.max(np.abs(x.grad.data - estimated))
print(f"tanh'(x): largest difference between the two: {difference:.0e}")

# %% [markdown]
# If this prints a very small number, all is well. (If not, run `minigrad doctor` in a terminal.)
#
# ## What this is about, in one figure
#
# Fifty layers, sigmoid as activation, the usual start. The network sees a batch of handwritten
# digits once. How large is the gradient that arrives at each layer? **Guess:** compared to layer
# 49, how much of it reaches layer 1? A tenth? A thousandth?

# %%
guess_share = None  # for example 1e-3

decay = measure_decay(
    DecayConfig(50, 64, "sigmoid", "default", seeds=range(full_or_fast(5, fast=3)), dtype="float64")
)
dz = [layer.dz_rms.mean for layer in decay.layers]

plots.decay(decay)
plt.gcf().set_size_inches(7, 4)
plt.show()
print(f"layer 1 gets {dz[0] / dz[48]:.0e} of what layer 49 gets; you guessed {guess_share}")

# %% [markdown]
# A straight line on this scale (each unit upwards is a factor of ten) says: every layer multiplies
# by the same number. The dotted line, which lies right on the solid one, was not fitted to it. It
# was computed from the formula of sigmoid and the variances of weights and biases alone. By lesson
# 4 you will have built both yourself. (Solid, dL/dz, is the gradient at the output of a layer;
# dashed, dL/dW, is that of its weights. Lesson 3 shows why the two have to be kept apart.)

# %%
factor = (dz[4] / dz[48]) ** (1 / 44)
predicted = np.sqrt(theory.chi(theory.fixed_point(1 / 3, 0, "sigmoid"), 1 / 3, "sigmoid"))
record(
    [
        Claim("tanh': the engine against a central difference", 0, difference, 1e-8,
              "definition of the derivative"),
        Claim("50 sigmoid layers: dL/dz, per layer to the input", predicted, factor, 0.005,
              "mean-field theory: Schoenholz et al. 2017"),
    ]
)  # fmt: skip

# %% [markdown]
# Each lesson ends with such a table: what a law says, what came out, whether it holds.
#
# ## How far you are
#
# A lesson that you ran to its end leaves its claims beside it. This cell reads them.

# %%
import json
from pathlib import Path

found = sorted(Path("..").glob("[0-9][0-9]_*/claims.json"))
for path in found:
    claims = json.loads(path.read_text(encoding="utf-8"))
    print(
        f"{path.parent.name:<28}{sum(c['holds'] for c in claims):>3} of {len(claims)} claims hold"
    )
if not found:
    print("none yet")

# %% [markdown]
# Continue with [lesson 1](../01_build_the_engine/lesson.ipynb) if you want to know how the engine
# works, or with [lesson 3](../03_the_instrument/lesson.ipynb) if you want to see gradients die.
