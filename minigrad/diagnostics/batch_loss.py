"""The batches and the loss that a measurement takes where nobody says which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.data import ArrayDataset, Dataset
from minigrad.errors import ArgumentError
from minigrad.ops.creation import as_tensor
from minigrad.tensor import Tensor

Batch = tuple[Tensor, Any]
LossFunction = Callable[[Any, Any], Tensor]  # of the model's output and the targets


def batches(asked: str, data: Any) -> Iterator[Batch]:
    """The batches (x, y) of some data, over and over.

    Arguments:
        asked: what to name in errors.
        data: one batch (x, y) of Tensors or arrays; a data set, which is one batch; or a
            `DataLoader`, or a list of batches.

    Raises:
        ArgumentError: something else, no batch, or NaN or infinity in x.

    >>> import minigrad as mg
    >>> x, y = next(batches("test", mg.data.load_iris()))
    >>> x.shape, y.shape
    ((150, 4), (150,))
    """
    data = _listed(asked, data)
    while True:
        empty = True
        for batch in data:
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                raise ArgumentError(
                    f"{asked}: data must give batches (x, y), but it gave a "
                    f"{type(batch).__name__}; for arrays, pass (x, y)"
                )
            empty = False
            yield _checked(asked, as_tensor(batch[0])), as_tensor(batch[1])
        if empty:
            raise ArgumentError(
                f"{asked}: data gave no batch; a generator is used up after one pass, so pass "
                "(x, y), a DataLoader, or a list of batches"
            )


def _listed(asked: str, data: Any) -> Any:
    if isinstance(data, Dataset):
        return [(data.x, data.y)]
    if isinstance(data, ArrayDataset):
        return [data.arrays]
    if isinstance(data, tuple | list) and len(data) == 2 and all(hasattr(d, "shape") for d in data):
        return [data]
    if hasattr(data, "shape") or not hasattr(data, "__iter__"):
        raise ArgumentError(
            f"{asked}: data must be a batch (x, y) or give such batches, got "
            f"{type(data).__name__}; the targets y are needed for the loss"
        )
    return data


def _checked(asked: str, x: Tensor) -> Tensor:
    if not x.ndim or not len(x):
        raise ArgumentError(
            f"{asked}: x of shape {x.shape} holds no examples; its first axis counts them"
        )
    if x.dtype.kind == "f" and not (finite := np.isfinite(x.device.to_host(x.data))).all():
        row = int(np.argwhere(~finite)[0][0])
        raise ArgumentError(
            f"{asked}: row {row} of x holds NaN or infinity, so every number after it would; "
            "clean the data"
        )
    return x


def check_targets(asked: str, x: Tensor, y: Tensor) -> None:
    """Raise an ArgumentError where there is not one target for each example.

    A sequence may have its time on the first axis, and its examples on the second.
    """
    if y.ndim and len(y) not in x.shape[: max(1, x.ndim - 1)]:
        raise ArgumentError(
            f"{asked}: x has {len(x)} examples, y has {len(y)}; pass one target for each example"
        )


def default_loss(asked: str, y: Any) -> LossFunction:
    """The mean cross-entropy for whole numbers as targets, the mean squared error for others.

    Raises:
        ArgumentError: targets that are neither.
    """
    kind = as_tensor(y).dtype.kind
    if kind not in "fiu":
        raise ArgumentError(
            f"{asked}: targets of dtype {as_tensor(y).dtype} have no usual loss; pass "
            "loss_fn=lambda output, y: ..."
        )
    if kind != "f":
        return nn.functional.cross_entropy

    def squared_error(output: Any, y: Any) -> Tensor:
        if isinstance(output, Tensor) and output.shape != y.shape:
            raise ArgumentError(
                f"{asked}: the model returns shape {output.shape}, and y, of {y.dtype}, has shape "
                f"{y.shape}; classes must be whole numbers, y.astype('int64'), and other targets "
                "have the shape of the output"
            )
        return nn.functional.mse_loss(output, y)

    return squared_error


def loss_of(asked: str, model: nn.Module, x: Tensor, y: Any, loss_fn: LossFunction) -> Tensor:
    """The loss of a batch.

    Raises:
        ArgumentError: no function, or one whose loss is not one number that has a gradient.
    """
    if isinstance(loss_fn, type) or not callable(loss_fn):
        got = f"the class {loss_fn.__name__}" if isinstance(loss_fn, type) else repr(loss_fn)
        raise ArgumentError(
            f"{asked}: loss_fn must be a function of the model's output and the targets, such as "
            f"nn.functional.mse_loss or nn.MSELoss(), got {got}"
        )
    loss = loss_fn(model(x), y)
    if not isinstance(loss, Tensor) or loss.size != 1:
        got = f"shape {loss.shape}" if isinstance(loss, Tensor) else type(loss).__name__
        raise ArgumentError(
            f"{asked}: the loss must be a Tensor of one number, the mean over the batch, got {got}"
        )
    if not loss.requires_grad:
        raise ArgumentError(
            f"{asked}: the loss depends on nothing that requires a gradient; unfreeze the model "
            "with model.requires_grad_(), and compute the loss with minigrad's operations"
        )
    return loss.reshape(())
