"""PyTorch's own sample inputs: how it builds and calls every module to test itself.

`PYTHONPATH=tests python tests/parity/corpus.py` prints the table: cases, passed, not applicable.
"""

from __future__ import annotations

import sys
import types
import unittest
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from minigrad.errors import ArgumentError

CLOSE = {"rtol": 1e-9, "atol": 1e-12}

# Modules that minigrad does without, and why. Whatever is neither here nor in `mg.nn` is missing.
_IMAGES = "works on images; the course has no convolution, pooling or padding"
_ATTENTION = "attention, no part of the course"
_BEYOND = "not on minigrad's list of layers and losses"
NOT_APPLICABLE = {
    **dict.fromkeys(
        [
            "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
            "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d",
            "BatchNorm2d", "BatchNorm3d", "CircularPad1d", "CircularPad2d", "CircularPad3d",
            "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "Conv1d", "Conv2d", "Conv3d",
            "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "FractionalMaxPool2d",
            "FractionalMaxPool3d", "InstanceNorm2d", "InstanceNorm3d", "LPPool1d", "LPPool2d",
            "LPPool3d", "LazyConv1d", "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d",
            "LazyConvTranspose2d", "LazyConvTranspose3d", "LocalResponseNorm", "MaxPool1d",
            "MaxPool2d", "MaxPool3d", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d",
            "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "Softmax2d", "ZeroPad1d",
            "ZeroPad2d", "ZeroPad3d",
        ],
        _IMAGES,
    ),
    **dict.fromkeys(
        [
            "MultiheadAttention", "Transformer", "TransformerDecoderLayer", "TransformerEncoder",
            "TransformerEncoderLayer",
        ],
        _ATTENTION,
    ),
    **dict.fromkeys(
        [
            "Bilinear", "CTCLoss", "CosineEmbeddingLoss", "GaussianNLLLoss", "Hardshrink",
            "Hardswish", "LinearCrossEntropyLoss", "MarginRankingLoss", "MultiLabelMarginLoss",
            "MultiLabelSoftMarginLoss", "PoissonNLLLoss", "SoftMarginLoss", "Softmin",
            "Softshrink", "Threshold",
        ],
        _BEYOND,
    ),
}  # fmt: skip


class Case(NamedTuple):
    """One way to build a module, and to call it."""

    name: str  # the class
    number: int
    note: str
    build: tuple[tuple, dict[str, Any]]
    call: tuple[tuple, dict[str, Any]]
    training: bool

    def __str__(self) -> str:
        mode = "train" if self.training else "eval"
        return f"{self.name}-{self.number}-{mode}" + (f"-{self.note}" if self.note else "")

    @property
    def reason(self) -> str | None:
        """Why minigrad does without this case; None if it does not."""
        if self.name in NOT_APPLICABLE:
            return NOT_APPLICABLE[self.name]
        if self.build[1].get("proj_size"):
            return "an LSTM whose output is projected: not on minigrad's list"
        if self.name in ("Softmax", "LogSoftmax") and "scalar" in self.note:
            return "a number has no axis to take a softmax over"
        if self.name == "BatchNorm1d" and self.note == "zero_batch" and self.training:
            return "an empty batch has no variance to normalize with"
        return None


def import_internal(module: str) -> Any:
    """A module of `torch.testing._internal`."""
    import importlib

    # Its tests derive from a class of the package expecttest, of which the samples need nothing.
    stand_in = types.ModuleType("expecttest")
    stand_in.TestCase = unittest.TestCase  # type: ignore[attr-defined]
    sys.modules.setdefault("expecttest", stand_in)
    return importlib.import_module(f"torch.testing._internal.{module}")


def module_cases() -> Iterator[Case]:
    """All of PyTorch's samples, in float64, the same numbers every time."""
    import torch

    for info in import_internal("common_modules").module_db:
        for training in (True, False) if info.train_and_eval_differ else (True,):
            torch.manual_seed(0)
            samples = info.module_inputs_func(
                info, device="cpu", dtype=torch.float64, requires_grad=True, training=training
            )
            for number, sample in enumerate(samples):
                build, call = sample.constructor_input, sample.forward_input
                yield Case(
                    info.name.removeprefix("nn."), number, sample.desc,
                    (build.args, build.kwargs), (call.args, call.kwargs), training,
                )  # fmt: skip


# -- running a case in both libraries ------------------------------------------------------------


def check(case: Case) -> bool:
    """Output, gradients of inputs and parameters, and the state after, must agree.

    Returns:
        True; or False where PyTorch's output is NaN, and minigrad refuses the input instead.
    """
    import torch

    rng = np.random.default_rng(0)
    args, kwargs = case.build
    theirs = getattr(torch.nn, case.name)(*args, **kwargs).double().train(case.training)
    with torch.no_grad():
        for p in theirs.parameters():  # norms start with ones and zeros, which would hide errors
            p.copy_(torch.tensor(rng.normal(size=p.shape)))
    args, kwargs = _for_minigrad(case.build, [])
    kwargs.pop("proj_size", None)  # 0, or there would be a reason
    mine = getattr(mg.nn, case.name)(*args, **kwargs).double().train(case.training)
    mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})

    their_inputs: list[Any] = []
    args, kwargs = _fresh(case.call, their_inputs)
    wanted = theirs(*args, **kwargs)
    our_inputs: list[Any] = []
    args, kwargs = _for_minigrad(case.call, our_inputs)
    try:
        ours = mine(*args, **kwargs)
    except ArgumentError:
        if any(b.isnan().any() for b in _tensors(wanted)):
            return False
        raise

    pairs = list(zip(_tensors(ours), _tensors(wanted), strict=True))
    for a, b in pairs:
        assert a.shape == tuple(b.shape)
        np.testing.assert_allclose(a.data, b.detach().numpy(), **CLOSE)

    weights = [rng.normal(size=a.shape) for a, _ in pairs]
    if any(b.requires_grad for _, b in pairs):
        sum((a * mg.tensor(w)).sum() for (a, _), w in zip(pairs, weights, strict=True)).backward()
        sum(
            (b * torch.tensor(w)).sum() for (_, b), w in zip(pairs, weights, strict=True)
        ).backward()
    else:
        assert not any(a.requires_grad for a, _ in pairs)
    named = [(f"input {i}", *pair) for i, pair in enumerate(zip(our_inputs, their_inputs))]  # noqa: B905
    parameters = dict(theirs.named_parameters())
    assert list(parameters) == [name for name, _ in mine.named_parameters()]
    named += [(name, p, parameters[name]) for name, p in mine.named_parameters()]
    for name, a, b in named:
        assert a.requires_grad == b.requires_grad, name
        np.testing.assert_allclose(
            _gradient(a), _gradient(b), **CLOSE, err_msg=f"gradient of {name}"
        )
    state = theirs.state_dict()
    assert list(mine.state_dict()) == list(state)
    for name, value in mine.state_dict().items():
        np.testing.assert_allclose(value.data, state[name].numpy(), **CLOSE, err_msg=name)
    return True


def _for_minigrad(value: Any, inputs: list[Any]) -> Any:
    """The same with minigrad's tensors and dtypes; the tensors are noted in `inputs`."""
    import torch

    if isinstance(value, torch.Tensor):
        inputs.append(mg.tensor(value.detach().numpy(), requires_grad=value.requires_grad))
        return inputs[-1]
    if isinstance(value, torch.dtype):
        return getattr(mg, str(value).removeprefix("torch."))
    return _inside(_for_minigrad, value, inputs)


def _fresh(value: Any, inputs: list[Any]) -> Any:
    """The same with new leaves; the tensors are noted in `inputs`."""
    import torch

    if isinstance(value, torch.Tensor):
        inputs.append(value.detach().clone().requires_grad_(value.requires_grad))
        return inputs[-1]
    return _inside(_fresh, value, inputs)


def _inside(convert: Any, value: Any, inputs: list[Any]) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(convert(item, inputs) for item in value)
    if isinstance(value, dict):
        return {key: convert(item, inputs) for key, item in value.items()}
    return value


def _tensors(out: Any) -> list[Any]:
    """The tensors in an output that may be a nested tuple."""
    return [t for item in out for t in _tensors(item)] if isinstance(out, tuple) else [out]


def _gradient(t: Any) -> np.ndarray:
    # One library may say "does not depend on it" where the other says zero.
    return np.zeros(tuple(t.shape)) if t.grad is None else np.asarray(t.grad.detach())


# -- the table -----------------------------------------------------------------------------------


def print_table() -> None:
    """Per class the number of cases, of those that agree, and why others do not apply."""
    rows: dict[str, list[Any]] = {}
    for case in module_cases():
        row = rows.setdefault(case.name, [0, 0, 0, {}])
        row[0] += 1
        if case.reason:
            row[2] += 1
            row[3][case.reason] = True
            continue
        try:
            agrees = check(case)
            row[1 if agrees else 2] += 1
            if not agrees:
                row[3]["PyTorch gives NaN, minigrad an error"] = True
        except Exception as error:
            row[3][f"FAILED {case}: {type(error).__name__} {str(error).strip()[:200]}"] = True
    print(f"{'module':28}{'cases':>6}{'passed':>8}{'n/a':>6}  why")
    for name, (cases, passed, absent, why) in rows.items():
        print(f"{name:28}{cases:6}{passed:8}{absent:6}  {'; '.join(why)}")
    totals = [sum(row[i] for row in rows.values()) for i in range(3)]
    print(f"{'all':28}{totals[0]:6}{totals[1]:8}{totals[2]:6}")


if __name__ == "__main__":
    print_table()
