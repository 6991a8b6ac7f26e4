"""Figures in notebooks become smaller, and stay what they were."""

from __future__ import annotations

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from minigrad.course.pictures import fewer_colours


def pixels(png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), float)


def figure() -> str:
    fig, ax = plt.subplots(figsize=(5, 3))
    x = np.linspace(0, 6, 50)
    for phase in range(6):
        ax.plot(x, np.sin(x + phase), label=f"phase {phase}")
        ax.fill_between(x, np.sin(x + phase) - 0.2, np.sin(x + phase) + 0.2, alpha=0.2)
    ax.legend()
    file = io.BytesIO()
    fig.savefig(file)
    plt.close(fig)
    return base64.b64encode(file.getvalue()).decode("ascii")


def test_a_figure_becomes_smaller_and_looks_the_same():
    before = figure()
    after = fewer_colours(before)
    assert len(after) < 0.6 * len(before)
    difference = np.abs(pixels(before) - pixels(after))
    assert difference.mean() < 2  # of 255
    assert np.quantile(difference, 0.999) < 40


def test_what_cannot_become_smaller_is_left():
    small = fewer_colours(figure())
    assert fewer_colours(small) == small
