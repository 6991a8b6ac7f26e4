"""What one adds to a loss to keep weights small."""

from __future__ import annotations

from collections.abc import Iterable

from minigrad import ops
from minigrad.nn.utils.norms import listed
from minigrad.tensor import Tensor


def l1_penalty(params: Iterable[Tensor] | Tensor) -> Tensor:
    """The sum of |p| over all elements of all parameters. Its derivative is sign(p).

    Added to a loss it drives small weights to exactly 0, or as near as the steps allow.

    Arguments:
        params: tensors, as `net.parameters()` gives them, or one.

    Returns:
        One number, to be multiplied by a strength and added to the loss.

    Raises:
        ArgumentError: no parameters.
        DtypeError: something that is no Tensor.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.l1_penalty([mg.tensor([1.0, -2.0]), mg.tensor(3.0)])
    tensor(6.)
    """
    return _total([ops.abs(p).sum() for p in listed("l1_penalty", params)])


def l2_penalty(params: Iterable[Tensor] | Tensor) -> Tensor:
    """The sum of p^2 over all elements of all parameters, without a factor 1/2.

    Its derivative is 2 p. So `loss + strength / 2 * l2_penalty(params)` has the gradients that
    `weight_decay=strength` gives in SGD and Adam.

    Arguments, result and errors as for `l1_penalty`.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.l2_penalty([mg.tensor([1.0, -2.0]), mg.tensor(3.0)])
    tensor(14.)
    """
    return _total([ops.square(p).sum() for p in listed("l2_penalty", params)])


def _total(terms: list[Tensor]) -> Tensor:
    return ops.stack(terms).sum()
