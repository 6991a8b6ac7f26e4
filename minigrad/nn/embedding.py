"""Embedding: a table with one learned row per word, class or symbol."""

from __future__ import annotations

from typing import Any, Self

from minigrad import ops
from minigrad.backend import Device
from minigrad.errors import ShapeError
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.arguments import check_count, placement
from minigrad.nn.lookup import row_number
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.ops import as_tensor
from minigrad.random import Generator
from minigrad.tape import no_grad
from minigrad.tensor import Tensor


class Embedding(Module):
    """One learned vector per row number; see `functional.embedding`.

    Arguments:
        num_embeddings: number of rows, so input goes from 0 to num_embeddings - 1.
        embedding_dim: size of a row.
        padding_idx: a row that stands for "nothing here": it starts as 0 and is not learned.
            Negative counts from the end.
        device, dtype: of the table; by default the CPU and float32.
        generator: where the initial values come from; by default the one that
            `mg.manual_seed` seeds.

    Attributes:
        weight: the table, (num_embeddings, embedding_dim), at first standard normal.

    Raises:
        ArgumentError: a size below 1, or a padding_idx that is no row.
        DtypeError, OutOfRangeError: when called, see `functional.embedding`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Embedding(10, 3)(mg.tensor([[1, 2, 4, 5], [4, 3, 2, 9]])).shape
    (2, 4, 3)
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        device: str | Device | None = None,
        dtype: Any = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = check_count("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = check_count("Embedding", "embedding_dim", embedding_dim)
        self.padding_idx = None if padding_idx is None else row_number(padding_idx, num_embeddings)
        table = ops.zeros(num_embeddings, embedding_dim, **placement(device, dtype))
        self.weight = Parameter(table)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw the table anew."""
        init.normal_(self.weight, generator=generator)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None
    ) -> Self:
        """An Embedding of a table that exists.

        Arguments:
            embeddings: (rows, features), floating point; its memory is shared.
            freeze: leave it as it is in training?
            padding_idx: as in the constructor, but the row keeps its values.

        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Embedding.from_pretrained(mg.eye(3))(mg.tensor(1))
        tensor([0., 1., 0.])
        """
        table = as_tensor(embeddings)
        if table.ndim != 2:
            raise ShapeError(
                f"Embedding.from_pretrained: the table has shape {table.shape}; it must be "
                "(rows, features)"
            )
        rows, features = table.shape
        layer = cls(rows, features, padding_idx)
        layer.weight = Parameter(table, requires_grad=not freeze)
        return layer

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
