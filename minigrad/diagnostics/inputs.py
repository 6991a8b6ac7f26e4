"""What a measurement feeds its network: a shipped data set, random numbers, or a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from minigrad.data import Dataset, load_digits, load_iris
from minigrad.errors import ArgumentError
from minigrad.random import Generator

NAMES = ("digits", "iris", "random")


def load_inputs(name: str) -> Dataset:
    """The data set of that name.

    Arguments:
        name: "digits" or "iris", the shipped sets; "random", 2,048 examples of 64 normal numbers
            in 10 random classes; or the path of an .npz file with arrays x, of shape
            (n, features), and y, whole numbers from 0 of shape (n,).

    Raises:
        ArgumentError: no such name or file, or a file without usable x and y.

    >>> load_inputs("random").x.shape
    (2048, 64)
    """
    if name == "digits":
        return load_digits()
    if name == "iris":
        return load_iris()
    if name == "random":
        return _random()
    if isinstance(name, str) and name.endswith(".npz"):
        return _from_file(Path(name))
    raise ArgumentError(
        f"data: unknown {name!r}; use one of {', '.join(NAMES)}, or the path of an .npz file"
    )


def chosen_inputs(asked: str, name: str, data: Dataset | None) -> Dataset:
    """`data`, or where it is None the data set of that name.

    Raises:
        ArgumentError: data that are no `Dataset`; or as for `load_inputs`.
    """
    if data is None:
        return load_inputs(name)
    if not isinstance(data, Dataset):
        raise ArgumentError(
            f"{asked}: data must be a Dataset, such as mg.data.load_iris(), got "
            f"{type(data).__name__}; of arrays x and y, save an .npz file and give its path in the "
            "configuration"
        )
    return data


def _random() -> Dataset:
    generator = Generator(0)
    return Dataset(
        x=generator.normal((2048, 64)).astype(np.float32),
        y=generator.integers((2048,), 0, 10),
        classes=tuple("0123456789"),
        name="random",
        source="drawn by minigrad",
        licence="none",
    )


def _from_file(path: Path) -> Dataset:
    if not path.is_file():
        raise ArgumentError(f"data: there is no file {str(path)!r}; check the path")
    try:
        # allow_pickle=False: a data file must not be able to run code.
        with np.load(path, allow_pickle=False) as file:
            missing = [array for array in ("x", "y") if array not in file]
            if missing:
                raise ArgumentError(
                    f"data: {str(path)!r} has no array {' and no array '.join(missing)} (it has "
                    f"{', '.join(file) or 'none'}); write it with np.savez(path, x=..., y=...)"
                )
            x, y = file["x"], file["y"]
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(
            f"data: cannot read {str(path)!r} as .npz ({error}); write it with "
            "np.savez(path, x=..., y=...), numbers only"
        ) from error
    _check(path, x, y)
    return Dataset(
        x=_as_float32(path, x),
        y=y.astype(np.int64),
        classes=tuple(str(k) for k in range(int(y.max()) + 1)),
        name=path.name,
        source=str(path),
        licence="unknown",
    )


def _check(path: Path, x: np.ndarray, y: np.ndarray) -> None:
    if x.ndim != 2 or y.shape != x.shape[:1] or x.size == 0 or x.dtype.kind not in "fiub":
        raise ArgumentError(
            f"data: in {str(path)!r}, x is {x.dtype} of shape {x.shape} and y of shape {y.shape}; "
            "needed are numbers of shape (n, features), n at least 1, and (n,)"
        )
    if y.dtype.kind not in "iu" or y.min() < 0:
        raise ArgumentError(
            f"data: in {str(path)!r}, y is {y.dtype}"
            + (f" with {y.min()} as its smallest" if y.dtype.kind in "iu" else "")
            + "; needed are classes as whole numbers from 0"
        )
    if y.max() >= len(y):
        # Each class costs a unit of the network; a wrong column here would ask for millions.
        raise ArgumentError(
            f"data: in {str(path)!r}, y has a class {y.max()}, but there are only {len(y)} "
            "examples; number the classes 0, 1, 2, ... without gaps"
        )


def _as_float32(path: Path, x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    if not np.isfinite(x).all():
        raise ArgumentError(
            f"data: in {str(path)!r}, x holds NaN, infinity or a number too large for float32; "
            "drop such rows"
        )
    return x
