"""Saving and loading: safetensors files, which PyTorch and others read and write as well.

A `state_dict` becomes a plain file of named arrays, and goes to PyTorch and back: there
`safetensors.torch.load_file(path)` gives what `load_state_dict` takes. Anything nested, such as
a model's state beside an optimizer's, is taken apart: its arrays become entries of the file, and
what they were part of is noted in its header as JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError
from minigrad.nn import Module
from minigrad.ops import as_tensor
from minigrad.tensor import Tensor

_HEADER = "minigrad"  # where the structure of a nested state lies in the file's metadata


def save(state: Module | Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a state to a file, whole or not at all: an earlier file stays until it is complete.

    Arguments:
        state: a Module, a `state_dict()`, or dicts, lists and tuples of them with Tensors,
            arrays, numbers, strings, bools and None in between.
        path: the file, by custom with the ending `.safetensors`.

    Raises:
        DtypeError: something else in the state; it says where.
        ArgumentError: safetensors is not installed.

    >>> import minigrad as mg, tempfile, os
    >>> net = mg.nn.Linear(2, 1)
    >>> opt = mg.optim.Adam(net.parameters())
    >>> path = os.path.join(tempfile.mkdtemp(), "run.safetensors")
    >>> save({"model": net.state_dict(), "optimizer": opt.state_dict(), "epoch": 3}, path)
    >>> saved = load(path)
    >>> net.load_state_dict(saved["model"])
    Misfits(missing_keys=[], unexpected_keys=[])
    >>> saved["epoch"]
    3
    """
    if isinstance(state, Module):
        state = state.state_dict()
    if not isinstance(state, Mapping):
        raise DtypeError(f"save: takes a Module or a dict, got {type(state).__name__}")
    arrays: dict[str, np.ndarray] = {}
    structure = _take_apart(state, "", arrays)
    flat = all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())
    metadata = None if flat else {_HEADER: json.dumps(structure)}
    _replace(Path(path), _library().numpy.save(arrays, metadata))


def load(path: str | os.PathLike[str]) -> dict[Any, Any]:
    """Read what `save` wrote, or any other safetensors file.

    Arguments:
        path: the file.

    Returns:
        What was saved, the same dicts, lists, tuples, Tensors, arrays and values; of a plain
        file (a `state_dict`, or one that PyTorch wrote) a dict of Tensors. They lie on the CPU
        and require no gradient.

    Raises:
        FileNotFoundError: there is no such file.
        ArgumentError: it is damaged or no safetensors file, or safetensors is not installed.
        DtypeError: it holds a dtype that NumPy lacks, such as bfloat16.
    """
    content = Path(path).read_bytes()
    arrays, metadata = _parsed(content, path)
    if _HEADER not in metadata:
        return {name: as_tensor(array) for name, array in arrays.items()}
    return _put_together(json.loads(metadata[_HEADER]), arrays)  # type: ignore[no-any-return]


# -- the file --------------------------------------------------------------------------------


def _library() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise ArgumentError(
            "checkpoint: files are written and read by safetensors, which is not installed; "
            "install it with pip install 'minigrad[checkpoint]'"
        ) from None
    return safetensors


def _parsed(content: bytes, path: Any) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata in a file's content."""
    library = _library()
    try:
        arrays = library.numpy.load(content)
    except KeyError as dtype:
        raise DtypeError(
            f"load: {path} holds numbers of the dtype {dtype}, which NumPy lacks; where the file "
            "was made, convert them to float32 first (PyTorch: model.float())"
        ) from None
    except library.SafetensorError as error:
        raise ArgumentError(
            f"load: {path} is damaged, or no safetensors file ({error}); save it again"
        ) from None
    length = int.from_bytes(content[:8], "little")  # the header: its length, then JSON
    return arrays, json.loads(content[8 : 8 + length]).get("__metadata__", {})


def _replace(path: Path, content: bytes) -> None:
    """Write a file beside the wanted one, and put it in its place when it is complete."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


# -- nested states: {"tensor": name}, {"list": [...]}, ..., or {"value": x} ------------------------


def _take_apart(value: Any, path: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The structure of a value as JSON; its arrays go into `arrays`, named by their path."""

    def inside(key: Any, item: Any) -> dict[str, Any]:
        return _take_apart(item, f"{path}.{key}" if path else str(key), arrays)

    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str | int):
                raise DtypeError(f"save: the key {key!r} in '{path}' is neither str nor int")
        return {"dict": [[key, inside(key, item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [inside(i, item) for i, item in enumerate(value)]}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    if path in arrays:
        raise ArgumentError(f"save: two arrays come under the name '{path}'; rename a key")
    if isinstance(value, Tensor):
        arrays[path] = np.asarray(value.detach().numpy(), order="C")
        return {"tensor": path}
    if hasattr(value, "__array__") and hasattr(value, "dtype"):
        arrays[path] = np.asarray(as_tensor(value).numpy(), order="C")
        return {"array": path}
    raise DtypeError(
        f"save: '{path}' is a {type(value).__name__}, which a checkpoint cannot hold; save "
        "Tensors, arrays, numbers, strings, bools, None, and dicts, lists and tuples of them"
    )


def _put_together(structure: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    ((kind, content),) = structure.items()
    if kind == "dict":
        return {key: _put_together(item, arrays) for key, item in content}
    if kind in ("list", "tuple"):
        items = [_put_together(item, arrays) for item in content]
        return items if kind == "list" else tuple(items)
    if kind == "tensor":
        return as_tensor(arrays[content])
    return arrays[content] if kind == "array" else content
