"""Real data, small enough to ship inside the package, and what a data set is.

Two sets: 1,797 handwritten digits and Fisher's 150 irises. Both load in milliseconds, need
no network, and come back as plain NumPy arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_FOLDER = Path(__file__).parent.parent / "_data"
_CC_BY = "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and labels, with where they come from.

    Attributes:
        x: inputs, float32 of shape (n, features).
        y: class of each input, int64 of shape (n,), from 0 to len(classes) - 1.
        classes: what each class is called; ``classes[y[i]]`` names input i.
        name: name of the data set.
        source: who made it, when, and where it is kept.
        licence: terms under which it may be used.

    Example:
        >>> from minigrad.data import load_iris
        >>> iris = load_iris()
        >>> iris.classes[iris.y[100]]
        'virginica'
    """

    x: NDArray[np.float32] = field(repr=False)
    y: NDArray[np.int64] = field(repr=False)
    classes: tuple[str, ...]
    name: str
    source: str
    licence: str


def load_digits() -> Dataset:
    """Load 1,797 handwritten digits, 8 by 8 pixels each.

    Every pixel counts the inked points of a 4 by 4 block of a scan, 0 to 16. Here it is
    divided by 16, so 0 is blank paper and 1 is full ink. The ten classes are of nearly
    equal size, 174 to 183 images each.

    Returns:
        Dataset with x of shape (1797, 64) in [0, 1]; ``x.reshape(-1, 8, 8)`` gives images.

    Source: Optical Recognition of Handwritten Digits, test part, Alpaydin & Kaynak (1998),
    UCI Machine Learning Repository, CC BY 4.0.

    Example:
        >>> from minigrad.data import load_digits
        >>> digits = load_digits()
        >>> digits.x.shape, digits.y[:5].tolist()
        ((1797, 64), [0, 1, 2, 3, 4])
    """
    with np.load(_FOLDER / "digits.npz") as file:
        images, labels = file["images"], file["labels"]
    return Dataset(
        x=images.reshape(-1, 64).astype(np.float32) / np.float32(16),
        y=labels.astype(np.int64),
        classes=tuple("0123456789"),
        name="digits",
        source="Optical Recognition of Handwritten Digits (test part), "
        "E. Alpaydin and C. Kaynak (1998), UCI, https://doi.org/10.24432/C50P49",
        licence=_CC_BY,
    )


def load_iris() -> Dataset:
    """Load Fisher's 150 irises: four measurements of fifty flowers of each of three species.

    The columns are sepal length, sepal width, petal length and petal width, in centimetres.

    Returns:
        Dataset with x of shape (150, 4), between 0.1 and 7.9 cm.

    Source: R. A. Fisher (1936), The use of multiple measurements in taxonomic problems,
    Annals of Eugenics 7(2), 179-188; UCI Machine Learning Repository, CC BY 4.0.

    Example:
        >>> from minigrad.data import load_iris
        >>> load_iris().x[0]
        array([5.1, 3.5, 1.4, 0.2], dtype=float32)
    """
    with np.load(_FOLDER / "iris.npz") as file:
        measurements, labels = file["measurements"], file["labels"]
    return Dataset(
        x=measurements,
        y=labels.astype(np.int64),
        classes=("setosa", "versicolor", "virginica"),
        name="iris",
        source="R. A. Fisher (1936), Annals of Eugenics 7(2), 179-188, "
        "UCI, https://doi.org/10.24432/C56C76",
        licence=_CC_BY,
    )
