"""Einstein's summation convention: `einsum`.

The subscripts are brought to a normal form with operations that have rules of their own, in
which every letter stands once in a term, and in the output or in another term. In that form the
derivative of a contraction is again such a contraction: with respect to one operand, the output's
gradient takes that operand's place.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.products import diagonal
from minigrad.ops.table import op, use
from minigrad.tensor import Tensor


def _contract_rule(
    g: Any, needs: Sequence[bool], xp: Any, operands: Any, terms: Any, output: str
) -> list[Any]:
    gradients = []
    for k, needed in enumerate(needs):
        others, other_terms = list(operands), list(terms)
        others[k], other_terms[k] = g, output
        gradients.append(
            use(xp, _contract, *others, terms=other_terms, output=terms[k]) if needed else None
        )
    return gradients


# optimize: NumPy then multiplies pairs of operands as matrices where it can, not by a plain loop.
_contract = op(
    "einsum",
    lambda xp, *operands, terms, output: xp.einsum(
        f"{','.join(terms)}->{output}", *operands, optimize=True
    ),
    _contract_rule,
)


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Products of tensors, summed over the letters that the output does not name.

    One letter per axis: `"ij,jk->ik"` is sum_j A[i,j] B[j,k]. A letter that occurs twice in one
    term means the diagonal. `...` stands for any further axes, which broadcast. Without `->` the
    output has the letters that occur once, in alphabetical order.

    Arguments:
        subscripts: one term per operand, separated by commas; spaces are ignored.
        operands: one tensor or more, with one axis per letter of their term. An axis of size 1
            stretches to the size that its letter has elsewhere.

    Returns:
        One axis per letter of the output, of the operands' common dtype.

    Raises:
        ArgumentError: subscripts that make no sense, or not one term per operand.
        ShapeError: a term that does not fit its operand, or a letter with two sizes.

    >>> import minigrad as mg
    >>> a = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> mg.einsum("ij,j->i", a, mg.tensor([1.0, 10.0]))
    tensor([21., 43.])
    >>> mg.einsum("ii", a)
    tensor(5.)
    """
    if not isinstance(subscripts, str) or not operands:
        raise ArgumentError(
            'einsum: give a string and at least one tensor, e.g. mg.einsum("ij,jk->ik", a, b)'
        )
    xs = [as_tensor(x) for x in operands]
    call = _Call(subscripts, [x.shape for x in xs])
    dtype = np.result_type(*(x.dtype for x in xs))
    xs = [x if x.dtype == dtype else x.astype(dtype) for x in xs]

    pairs = [_diagonals(call, x, term) for x, term in zip(xs, call.terms, strict=True)]
    sizes = _sizes(call, pairs)
    pairs = [_unstretched(x, term, sizes) for x, term in pairs]
    xs, terms = map(list, zip(*pairs, strict=True))
    for k, term in enumerate(terms):
        elsewhere = set(call.output).union(*terms[:k], *terms[k + 1 :])
        xs[k], terms[k] = _summed(xs[k], term, elsewhere)
    if len(xs) > 1:
        return _contract(*xs, terms=terms, output=call.output)
    return xs[0].transpose([terms[0].index(letter) for letter in call.output])


class _Call:
    """The subscripts of one call, taken apart, every `...` replaced by letters.

    Attributes:
        terms: per operand, one letter per axis.
        output: one letter per axis of the output.
    """

    def __init__(self, subscripts: str, shapes: list[tuple[int, ...]]) -> None:
        self.subscripts, self.shapes = subscripts, shapes
        inputs, arrow, output = subscripts.replace(" ", "").partition("->")
        terms = inputs.split(",")
        if len(terms) != len(shapes):
            raise self.senseless(f"{len(terms)} terms for {len(shapes)} operands")
        for term in [*terms, output]:
            rest = term.replace("...", "", 1)
            if not set(rest) <= set(string.ascii_letters):
                wrong = next(c for c in rest if c not in string.ascii_letters)
                raise self.senseless(f"{wrong!r} cannot stand in the term '{term}'")
        free = [c for c in reversed(string.ascii_letters) if c not in subscripts]
        # The letters behind `...`, as long as the longest; shorter ones take the last few.
        dots = [self._axes_behind_dots(t, s) for t, s in zip(terms, shapes, strict=True)]
        longest = max(dots)
        if longest > len(free):
            raise self.senseless("more than 52 different axes")
        letters = "".join(free[:longest])
        self.terms = [
            term.replace("...", letters[longest - n :]) for term, n in zip(terms, dots, strict=True)
        ]
        if not arrow:
            once = sorted(c for c in set(inputs) - set(".,") if inputs.count(c) == 1)
            output = "..." + "".join(once)
        self.output = self._checked_output(output, letters)

    def _axes_behind_dots(self, term: str, shape: tuple[int, ...]) -> int:
        named = len(term.replace("...", ""))
        if named > len(shape) or (named < len(shape) and "..." not in term):
            hint = "; put ... for the others" if named < len(shape) else ""
            raise self.misfit(f"the term '{term}' names {named} axes of shape {shape}{hint}")
        return len(shape) - named

    def _checked_output(self, output: str, letters: str) -> str:
        if letters and "..." not in output:
            raise self.senseless("the axes behind ... are missing from the output; put ... there")
        output = output.replace("...", letters)
        for letter in output:
            if output.count(letter) > 1:
                raise self.senseless(f"the output names '{letter}' twice")
            if not any(letter in term for term in self.terms):
                raise self.senseless(f"the output names '{letter}', which no operand has")
        return output

    def senseless(self, why: str) -> ArgumentError:
        return ArgumentError(f"einsum '{self.subscripts}': {why}")

    def misfit(self, why: str) -> ShapeError:
        shapes = ", ".join(map(str, self.shapes))
        return ShapeError(f"einsum '{self.subscripts}': {why}; given shapes {shapes}")


Pair = tuple[Tensor, str]  # an operand with its term


def _diagonals(call: _Call, x: Tensor, term: str) -> Pair:
    """A letter that occurs twice in a term: its axes become one, their diagonal."""
    for letter in sorted(set(term)):
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            n, m = x.shape[first], x.shape[second]
            if n != m:
                raise call.misfit(f"'{letter}' stands for sizes {n} and {m} of one operand")
            x = diagonal(x, 0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + letter
    return x, term


def _sizes(call: _Call, pairs: list[Pair]) -> dict[str, int]:
    """The size of every letter; 1 gives way to another size."""
    sizes: dict[str, int] = {}
    for x, term in pairs:
        for letter, n in zip(term, x.shape, strict=True):
            known = sizes.get(letter, 1)
            if n != 1 and known not in (1, n):
                name = f"'{letter}' stands" if letter in call.subscripts else "... stands"
                raise call.misfit(f"{name} for sizes {known} and {n}")
            sizes[letter] = known if n == 1 else n
    return sizes


def _unstretched(x: Tensor, term: str, sizes: dict[str, int]) -> Pair:
    """Without the axes of size 1 that another operand would stretch."""
    gone = [i for i, letter in enumerate(term) if x.shape[i] == 1 != sizes[letter]]
    if not gone:
        return x, term
    return x.squeeze(gone), "".join(c for i, c in enumerate(term) if i not in gone)


def _summed(x: Tensor, term: str, elsewhere: set[str]) -> Pair:
    """Summed over the letters that occur nowhere else."""
    alone = [i for i, letter in enumerate(term) if letter not in elsewhere]
    if not alone:
        return x, term
    # `sum` widens integers; einsum keeps the dtype.
    total = x.sum(axis=alone)
    total = total if total.dtype == x.dtype else total.astype(x.dtype)
    return total, "".join(letter for letter in term if letter in elsewhere)
