"""Optimizers and PyTorch 2.13's, side by side in float64."""

import numpy as np
import pytest
from optim.cases import PYTORCH

import minigrad as mg

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

CASES = [(name, settings) for name, list_ in PYTORCH.items() for settings in list_]
SHAPES = [(3, 4), (150, 130), (5,), (), (0,)]  # the second is larger than a piece of the buffer
MATRICES = [(3, 4), (150, 130), (5, 2)]
TOLERANCE = 1e-12  # of the largest element


@pytest.fixture(autouse=True)
def muon_in_float64(monkeypatch):
    """PyTorch's Muon rounds to bfloat16 on the way; without that it can be compared."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)


@pytest.fixture(autouse=True)
def numbers_in_float64():
    """PyTorch keeps the numbers of its state (NAdam's mu_product) in its default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Pair:
    """The same parameters under our optimizer and theirs."""

    def __init__(self, name, settings, seed=0):
        self.rng = np.random.default_rng(seed)
        shapes = MATRICES if name == "Muon" else SHAPES
        start = [self.rng.normal(size=s) for s in shapes]
        self.ours = [mg.tensor(a.copy(), requires_grad=True) for a in start]
        self.theirs = [torch.tensor(a.copy(), requires_grad=True) for a in start]
        self.make_ours = lambda p: getattr(mg.optim, name)(p, **settings)
        their_settings = {
            k: torch.tensor(v.data) if isinstance(v, mg.Tensor) else v for k, v in settings.items()
        }
        self.make_theirs = lambda p: getattr(torch.optim, name)(p, **their_settings)
        self.opts = self.make_ours(self.ours), self.make_theirs(self.theirs)

    def step(self, absent=()):
        """Each takes its own gradient, of |p|^2 / 2 with noise, so that errors could grow."""
        for k, (p, q) in enumerate(zip(self.ours, self.theirs, strict=True)):
            noise = self.rng.normal(size=p.shape)
            p.grad = None if k in absent else mg.tensor(p.data + noise)
            q.grad = None if k in absent else q.detach() + torch.tensor(noise)
        for opt in self.opts:
            opt.step()

    def assert_equal(self):
        for p, q in zip(self.ours, self.theirs, strict=True):
            q = q.detach().numpy()
            scale = np.abs(q).max(initial=0)
            np.testing.assert_allclose(p.data, q, rtol=0, atol=TOLERANCE * scale)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_hundred_steps(name, settings):
    pair = Pair(name, settings)
    for _ in range(100):
        pair.step()
    pair.assert_equal()


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_parameters_that_are_frozen_assigned_and_added(name, settings):
    pair = Pair(name, settings)
    added = pair.rng.normal(size=(6, 3))
    pair.ours.append(mg.tensor(added.copy(), requires_grad=True))
    pair.theirs.append(torch.tensor(added.copy(), requires_grad=True))
    for step in range(100):
        if step == 30:
            pair.opts[0].add_param_group({"params": pair.ours[-1], "lr": 0.02})
            pair.opts[1].add_param_group({"params": pair.theirs[-1], "lr": 0.02})
        if step == 50:
            value = pair.rng.normal(size=pair.ours[1].shape)
            pair.ours[1].data = value.copy()
            pair.theirs[1].data = torch.tensor(value)
        if step == 70:
            for opt in pair.opts:
                opt.param_groups[0]["lr"] = 0.003
        frozen = [0] if step < 10 else [2] if step % 7 == 3 else []
        pair.step(absent=frozen)
    pair.assert_equal()


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_saved_state_crosses_over_in_both_directions(name, settings):
    pair = Pair(name, settings)
    for _ in range(5):
        pair.step()
    mine, yours = (opt.state_dict() for opt in pair.opts)
    for entry in mine["state"].values():
        for key, value in entry.items():
            entry[key] = torch.as_tensor(value, dtype=torch.float64)
    pair.opts = pair.make_ours(pair.ours), pair.make_theirs(pair.theirs)
    pair.opts[0].load_state_dict(yours)
    pair.opts[1].load_state_dict(mine)
    for _ in range(5):
        pair.step()
    pair.assert_equal()


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_the_state_dict_has_the_same_layout(name, settings):
    pair = Pair(name, settings)
    pair.step()
    mine, yours = (opt.state_dict() for opt in pair.opts)
    for ours, theirs in zip(mine["param_groups"], yours["param_groups"], strict=True):
        assert ours == {key: theirs[key] for key in ours}
    assert mine["state"].keys() >= yours["state"].keys()
    for k, entry in yours["state"].items():
        kept = {key for key, value in entry.items() if value is not None}
        assert mine["state"][k].keys() - kept <= {"step"}
        for key in kept:
            np.testing.assert_allclose(mine["state"][k][key], entry[key], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", PYTORCH)
def test_the_same_defaults(name):
    shape = (2, 2)
    ours = getattr(mg.optim, name)([mg.ones(shape, requires_grad=True)]).defaults
    theirs = getattr(torch.optim, name)([torch.ones(shape, requires_grad=True)]).defaults
    assert ours == {key: theirs[key] for key in ours}
    internal = {"foreach", "fused", "capturable", "differentiable"}
    assert theirs.keys() - ours.keys() <= internal


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "SGD"])
def test_float32_stays_close(name):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(20, 30)).astype(np.float32)
    p, q = mg.tensor(start.copy(), requires_grad=True), torch.tensor(start, requires_grad=True)
    mine, yours = getattr(mg.optim, name)([p]), getattr(torch.optim, name)([q])
    for _ in range(20):
        g = rng.normal(size=start.shape).astype(np.float32)
        p.grad, q.grad = mg.tensor(g), torch.tensor(g)
        mine.step()
        yours.step()
    assert p.dtype == np.float32
    scale = np.abs(start).max()
    np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=0, atol=1e-6 * scale)
