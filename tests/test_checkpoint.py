"""Checkpoints: everything comes back, PyTorch reads and writes the same files, nothing is lost."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import checkpoint, nn
from minigrad.errors import ArgumentError, DtypeError

pytest.importorskip("safetensors")


def network(lib: object) -> object:
    n = lib.nn
    return n.Sequential(
        n.Linear(5, 4), n.BatchNorm1d(4), n.Tanh(), n.Linear(4, 4), n.LayerNorm(4), n.ReLU(),
        n.Linear(4, 3),
    )  # fmt: skip


def same(a: object, b: object) -> bool:
    """Equal in type, keys, dtypes and every bit, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, mg.Tensor):
        return same(a.data, b.data)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return a == b or (a != a and b != b)


def train(net: object, opt: object, steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        opt.zero_grad()
        x = mg.tensor(rng.normal(size=(8, 5)).astype(np.float32))
        nn.functional.mse_loss(net(x), mg.zeros(8, 3)).backward()
        opt.step()


@pytest.mark.torch
def test_outputs_are_the_same_in_pytorch(tmp_path: Path, rng: np.random.Generator):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    mine, theirs, again = network(mg), network(torch), network(mg)
    train(mine, mg.optim.SGD(mine.parameters(), lr=0.1), 3, seed=1)
    x = rng.normal(size=(7, 5)).astype(np.float32)
    expected = mine.eval()(mg.tensor(x)).data

    checkpoint.save(mine, tmp_path / "there.safetensors")
    theirs.load_state_dict(load_file(tmp_path / "there.safetensors"))
    out = theirs.eval()(torch.tensor(x))
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-6, atol=1e-6)

    save_file(theirs.state_dict(), tmp_path / "back.safetensors")
    again.load_state_dict(checkpoint.load(tmp_path / "back.safetensors"))
    np.testing.assert_array_equal(again.eval()(mg.tensor(x)).data, expected)


def test_training_goes_on_as_if_it_had_not_stopped(tmp_path: Path):
    path = tmp_path / "run.safetensors"
    net = network(mg)
    opt = mg.optim.Adam(net.parameters(), lr=0.01, betas=(0.8, 0.9))
    train(net, opt, 3, seed=1)
    saved = {"model": net.state_dict(), "optimizer": opt.state_dict(), "epoch": 3}
    checkpoint.save(saved, path)
    train(net, opt, 3, seed=2)

    other = network(mg)
    again = mg.optim.Adam(other.parameters())
    loaded = checkpoint.load(path)
    other.load_state_dict(loaded["model"])
    again.load_state_dict(loaded["optimizer"])
    train(other, again, 3, seed=2)
    assert same(other.state_dict(), net.state_dict())


def test_nested_states_come_back_as_they_were(tmp_path: Path):
    state = {
        "tensors": {"f": mg.tensor([1.0, np.nan, -np.inf]), 7: mg.tensor(3, dtype=mg.int64)},
        "arrays": [np.zeros((0, 3), np.float16), np.array([True, False]), np.array(2.5)],
        "transposed": mg.tensor(np.arange(6.0).reshape(2, 3)).T,
        "values": (1, 0.1, "a", None, True, float("inf"), float("nan")),
        "empty": {"dict": {}, "list": [], "tuple": ()},
    }
    checkpoint.save(state, tmp_path / "x.safetensors")
    assert same(checkpoint.load(tmp_path / "x.safetensors"), state)
    checkpoint.save({"best": np.float32(0.5)}, tmp_path / "x.safetensors")
    assert same(checkpoint.load(tmp_path / "x.safetensors"), {"best": 0.5})


def test_a_state_dict_is_a_plain_file(tmp_path: Path):
    from safetensors import safe_open

    layer = nn.Linear(2, 1)
    checkpoint.save(layer.state_dict(), tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", "np") as file:
        assert sorted(file.keys()) == ["bias", "weight"] and not file.metadata()
    loaded = checkpoint.load(tmp_path / "x.safetensors")
    assert not loaded["weight"].requires_grad
    loaded["weight"].zero_()
    assert layer.weight.data.any()


def test_a_tied_weight_is_saved_under_both_names(tmp_path: Path):
    layer = nn.Linear(3, 3)
    checkpoint.save(nn.Sequential(layer, nn.Tanh(), layer), tmp_path / "x.safetensors")
    loaded = checkpoint.load(tmp_path / "x.safetensors")
    assert sorted(loaded) == ["0.bias", "0.weight", "2.bias", "2.weight"]


def test_a_failed_write_leaves_the_file_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "x.safetensors"
    checkpoint.save({"a": mg.ones(2)}, path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save({"a": mg.zeros(1000)}, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["x.safetensors"]
    with pytest.raises(DtypeError):
        checkpoint.save({"a": object()}, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_a_damaged_file_says_so(keep: int, tmp_path: Path):
    path = tmp_path / "x.safetensors"
    checkpoint.save({"a": mg.ones(20)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArgumentError, match=r"x\.safetensors is damaged, or no safetensors file"):
        checkpoint.load(path)


def test_a_missing_file_is_the_usual_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        checkpoint.load(tmp_path / "nowhere.safetensors")


@pytest.mark.torch
def test_bfloat16_is_named(tmp_path: Path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "x.safetensors")
    with pytest.raises(DtypeError, match=r"dtype 'BF16', which NumPy lacks; .* float32 first"):
        checkpoint.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize(("state", "error", "message"), [
    ([1], DtypeError, "save: takes a Module or a dict, got list"),
    ({"opt": {"lr": [0.1, max]}}, DtypeError,
     r"save: 'opt\.lr\.1' is a builtin_function_or_method, which a checkpoint cannot hold"),
    ({"a": {(1, 2): 3}}, DtypeError, r"the key \(1, 2\) in 'a' is neither str nor int"),
    ({"a.b": mg.ones(1), "a": {"b": mg.ones(1)}}, ArgumentError,
     r"two arrays come under the name 'a\.b'; rename a key"),
])  # fmt: skip
def test_messages(state: object, error: type, message: str, tmp_path: Path):
    with pytest.raises(error, match=message):
        checkpoint.save(state, tmp_path / "x.safetensors")
    assert os.listdir(tmp_path) == []


def test_without_safetensors_the_message_names_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ArgumentError, match=r"pip install 'minigrad\[checkpoint\]'"):
        checkpoint.save(nn.Linear(1, 1), tmp_path / "x.safetensors")
