"""fit against a loop written by hand, and what it does when things go well, badly, or nowhere."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.data import DataLoader, load_digits, train_test_split
from minigrad.errors import ArgumentError
from minigrad.nn import functional as F
from minigrad.train import Diverged, accuracy, evaluate, fit


def network(seed: int = 0, depth: int = 3, **options: Any) -> nn.Sequential:
    options = {"in_features": 4, "out_features": 3, "dtype": mg.float64} | options
    return mg.models.deep_mlp(depth, 8, generator=mg.Generator(seed), **options)


def examples(n: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)), rng.integers(0, 3, n)


def loader(n: int = 20, batch_size: int = 6, seed: int = 0) -> DataLoader:
    return DataLoader(examples(n), batch_size, shuffle=True, generator=mg.Generator(seed))


def weights(model: nn.Module) -> list[np.ndarray]:
    return [p.data for p in model.parameters()]


def assert_same(a: nn.Module, b: nn.Module) -> None:
    for p, q in zip(weights(a), weights(b), strict=True):
        np.testing.assert_array_equal(p, q)


def test_it_is_the_loop_that_one_writes_by_hand():
    model, by_hand = network(), network()
    history = fit(model, loader(), mg.optim.Adam(model.parameters()), F.cross_entropy, 3,
                  metrics={"accuracy": accuracy})  # fmt: skip

    optimizer, data, losses, hits = mg.optim.Adam(by_hand.parameters()), loader(), [], []
    for _ in range(3):
        total, right = 0.0, 0
        for x, y in data:
            optimizer.zero_grad()
            output = by_hand(x)
            loss = F.cross_entropy(output, y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
            right += (output.data.argmax(axis=1) == y.data).sum()
        losses.append(total / 20)
        hits.append(right / 20)
    assert_same(model, by_hand)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-12)
    np.testing.assert_allclose(history["accuracy"], hits, rtol=1e-12)
    assert history["epoch"] == [1, 2, 3] and history["lr"] == [0.001] * 3


def test_two_runs_are_bitwise_equal():
    def run() -> tuple[nn.Module, dict[str, list[float]]]:
        model = network(activation="relu", norm="batch")
        model.append(nn.Dropout(0.2, generator=mg.Generator(5)))
        optimizer = mg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        return model, fit(model, loader(), optimizer, F.cross_entropy, 4)

    (first, history), (second, again) = run(), run()
    assert_same(first, second)
    assert history == again


def test_validation_is_in_evaluation_mode_and_the_modes_come_back():
    model = network(norm="batch")
    model.layer2.eval()
    data = loader()
    history = fit(model, data, mg.optim.SGD(model.parameters(), lr=0.1), F.cross_entropy, 2,
                  validation=loader(50, 50), metrics={"accuracy": accuracy})  # fmt: skip
    assert model.training and model.layer1.norm.training and not model.layer2.norm.training
    x, y = map(mg.tensor, examples(50))
    model.eval()
    assert history["val_loss"][-1] == pytest.approx(F.cross_entropy(model(x), y).item(), rel=1e-12)
    assert history["val_accuracy"][-1] == pytest.approx(accuracy(model(x), y), rel=1e-12)
    assert list(history) == ["epoch", "lr", "loss", "accuracy", "val_loss", "val_accuracy"]


@pytest.mark.parametrize("batch_size", [1, 7, 20, 64])
def test_evaluate_does_not_depend_on_the_batches(batch_size):
    model = network(norm="layer")
    found = evaluate(model, loader(20, batch_size), F.cross_entropy, {"accuracy": accuracy})
    x, y = map(mg.tensor, examples())
    assert found["loss"] == pytest.approx(F.cross_entropy(model(x), y).item(), rel=1e-12)
    assert found["accuracy"] == accuracy(model(x), y)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(("batch_size", "accumulate"), [(5, 4), (6, 4), (1, 20), (3, 99)])
def test_accumulated_batches_are_the_big_batch(batch_size, accumulate):
    # 6, 6, 6 and 2 examples: the short batch must count for its two only.
    small, big = network(), network()
    x, y = examples()
    batches = DataLoader((x, y), batch_size)
    options = {"lr": 0.1, "momentum": 0.9}
    fit(small, batches, mg.optim.SGD(small.parameters(), **options), F.cross_entropy, 5,
        accumulate=accumulate)  # fmt: skip
    fit(big, DataLoader((x, y), 20), mg.optim.SGD(big.parameters(), **options), F.cross_entropy, 5)
    for p, q in zip(weights(small), weights(big), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-14)


def test_accumulation_ends_with_the_epoch():
    model, steps = network(), []
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    fit(model, loader(20, 4), optimizer, F.cross_entropy, 2, accumulate=2)
    assert len(steps) == 2 * 3  # five batches: 2, 2 and 1


def test_early_stopping_waits_and_brings_the_best_weights_back():
    # Trained on wrong answers, the network gets worse on the right ones.
    x, y = examples()
    model = network(norm="batch")
    kept: list[dict[str, np.ndarray]] = []

    def keep(model: nn.Module, history: Any) -> None:
        kept.append({k: v.data.copy() for k, v in model.state_dict().items()})

    right, wrong = DataLoader((x, y), 20), DataLoader((x, (y + 1) % 3), 20)
    fit(model, right, mg.optim.SGD(model.parameters(), lr=0.5), F.cross_entropy, 30)
    history = fit(model, wrong, mg.optim.SGD(model.parameters(), lr=0.1), F.cross_entropy, 50,
                  validation=right, patience=3, callbacks=[keep])  # fmt: skip
    best = int(np.argmin(history["val_loss"]))
    assert len(history["val_loss"]) == best + 1 + 3 < 50
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.data, kept[best][name])
    assert any((kept[best][k] != kept[-1][k]).any() for k in kept[best])


def test_the_best_weights_come_back_where_the_epochs_run_out_too():
    x, y = examples()
    model = network()
    right = DataLoader((x, y), 20)
    history = fit(model, DataLoader((x, (y + 1) % 3), 20), mg.optim.SGD(model.parameters(), lr=0.1),
                  F.cross_entropy, 3, validation=right, patience=9)  # fmt: skip
    assert evaluate(model, right, F.cross_entropy)["loss"] == min(history["val_loss"])


def test_callbacks_see_the_history_and_can_stop():
    model, seen = network(), []

    def stop_at_3(model: nn.Module, history: dict[str, list[float]]) -> bool:
        seen.append(history["loss"][-1])
        return len(seen) == 3

    history = fit(model, loader(), mg.optim.SGD(model.parameters(), lr=0.1), F.cross_entropy, 9,
                  callbacks=[stop_at_3, lambda model, history: None])  # fmt: skip
    assert seen == history["loss"] and len(seen) == 3


def test_schedules_are_stepped_per_epoch_or_by_a_hook_per_update():
    model = network()
    optimizer = mg.optim.SGD(model.parameters(), lr=1e-3)
    schedule = mg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    history = fit(model, loader(), optimizer, F.cross_entropy, 3, scheduler=schedule)
    assert history["lr"] == [1e-3, 5e-4, 2.5e-4]

    optimizer = mg.optim.SGD(model.parameters(), lr=1e-3)
    schedule = mg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    assert fit(model, loader(), optimizer, F.cross_entropy, 2)["lr"] == [1e-3, 1e-3 / 2**4]


@pytest.mark.parametrize("validated", [False, True])
def test_a_plateau_schedule_listens_to_the_loss(validated):
    model = network()
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    heard: list[float] = []
    schedule = mg.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    step = schedule.step
    schedule.step = lambda loss: (heard.append(loss), step(loss))
    history = fit(model, loader(), optimizer, F.cross_entropy, 3, scheduler=schedule,
                  validation=loader(40) if validated else None)  # fmt: skip
    assert heard == history["val_loss" if validated else "loss"]


def test_clipping_goes_in_by_a_hook():
    model = network()
    optimizer = mg.optim.SGD(model.parameters(), lr=1.0)
    before = [p.copy() for p in weights(model)]

    def clip(*_: Any) -> None:
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)

    optimizer.register_step_pre_hook(clip)
    fit(model, DataLoader(examples(), 20), optimizer, F.cross_entropy, 1)
    moved = math.sqrt(
        sum(((p - q) ** 2).sum() for p, q in zip(weights(model), before, strict=True))
    )
    assert moved == pytest.approx(1e-3, rel=1e-3)


def test_the_probe_records_a_step_per_update():
    model = network()
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    with mg.diagnostics.Probe(model, optimizer) as probe:
        fit(model, loader(), optimizer, F.cross_entropy, 2)
    assert len(probe) == 2 * 4
    assert np.isfinite(probe.series("update_ratio")).all()


def test_the_history_is_plain_data():
    model = network(dtype=mg.float32)
    x, y = examples()
    history = fit(model, DataLoader((x.astype(np.float32), y), 5),
                  mg.optim.SGD(model.parameters(), lr=0.1), F.cross_entropy, 2,
                  metrics={"rms": lambda out, y: (out**2).mean().sqrt()})  # fmt: skip
    assert json.loads(json.dumps(history)) == history


def test_digits_are_learned():
    g = mg.Generator(0)
    x, x_test, y, y_test = train_test_split(load_digits(), generator=g)
    model = mg.models.deep_mlp(4, 64, "relu", "he", generator=g)
    history = fit(model, DataLoader((x, y), 32, shuffle=True, generator=g),
                  mg.optim.Adam(model.parameters(), lr=2e-3), F.cross_entropy, 10,
                  validation=DataLoader((x_test, y_test), 450),
                  metrics={"accuracy": accuracy})  # fmt: skip
    assert history["val_accuracy"][-1] > 0.94 and history["loss"][-1] < 0.1 * history["loss"][0]


def test_an_lstm_learns_to_add_what_memory_is_needed_for():
    # Below 1/6 means that both marked numbers reached the end.
    g = mg.Generator(0)
    model = mg.models.deep_rnn(1, 24, "lstm", in_features=2, forget_bias=1.0, generator=g)
    data = mg.data.adding_problem(1000, 12, generator=g)
    history = fit(model, DataLoader(data, 50, shuffle=True, generator=g),
                  mg.optim.Adam(model.parameters(), lr=0.01), F.mse_loss, 25)  # fmt: skip
    assert history["loss"][0] > 0.1 and history["loss"][-1] < 0.02


# -- when it breaks ----------------------------------------------------------------------------


def broken(model: nn.Module, optimizer: Any = None, data: Any = None, loss: Any = F.cross_entropy,
           epochs: int = 100) -> Diverged:  # fmt: skip
    optimizer = optimizer or mg.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(Diverged) as caught:
        fit(model, data or loader(), optimizer, loss, epochs)
    return caught.value


def test_a_layer_that_overflows_is_named_with_the_step():
    # x0 = 1; each layer multiplies by 1e80, so the fourth passes 1e308, in the first step.
    model = nn.Sequential(*[nn.Linear(1, 1, bias=False, dtype=mg.float64) for _ in range(6)])
    for layer in model:
        layer.weight.data[:] = 1e80
    error = broken(model, data=[(mg.ones(2, 1, dtype=mg.float64), mg.ones(2, 1, dtype=mg.float64))],
                   loss=F.mse_loss)  # fmt: skip
    assert str(error).startswith(
        "fit: in step 1 the loss is inf: the first output that is not finite is that of '3' "
        "(Linear); try a smaller learning rate"
    )
    assert error.history == {} and isinstance(error, ArithmeticError)


def test_the_network_is_left_as_it_was_before_the_step():
    model = network(norm="batch")
    model.layer2.linear.weight.data[0, 0] = np.inf
    before = {k: v.data.copy() for k, v in model.state_dict().items() if "tracked" not in k}
    broken(model)
    for name in before:
        if "running" not in name:
            np.testing.assert_array_equal(model.state_dict()[name].data, before[name])
    assert not any(m._hooks for m in model.modules())


def test_looking_for_the_layer_does_not_count_as_training():
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
    model[1].bias.data[0] = 3e38
    error = broken(model, loss=lambda out, y: (out * out).sum(),
                   data=[(mg.ones(5, 4), np.zeros(5, int))])  # fmt: skip
    assert "the model's output is finite, so the loss function made inf of it" in str(error)
    assert model[0].num_batches_tracked.item() == 1


def test_a_learning_rate_too_large_ends_with_a_layer_and_the_history_so_far():
    model = network(depth=6, activation="relu", init="he")
    data = DataLoader(examples(), 20)
    error = broken(model, mg.optim.SGD(model.parameters(), lr=1e6), data,
                   lambda out, y: (out**2).mean())  # fmt: skip
    done = len(error.history["loss"])  # epochs, of one step each
    assert np.isfinite(error.history["loss"]).all()
    assert f"step {done + 1}" in str(error) and "'layer5.linear.bias'" in str(error)


def test_a_loss_that_overflows_names_the_layer_whose_output_is_largest():
    # After a step of 1e30 the weights are about 1e30, and so is what layer 2 makes of 1; the
    # square of that passes 3e38.
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Tanh(), nn.Linear(1, 1, bias=False))
    nn.init.ones_(model[0].weight)
    nn.init.ones_(model[2].weight)
    data = [(mg.ones(2, 1), mg.zeros(2, 1))]
    error = broken(model, mg.optim.SGD(model.parameters(), lr=1e30), data, F.mse_loss)
    largest = abs(model(mg.ones(2, 1)).data).max()
    assert largest > 1e29
    assert str(error) == (
        "fit: in step 2 the loss is inf: the model's output is finite, so the loss function made "
        f"inf of it; the largest output, {largest:.3g}, is that of '2' (Linear); try a smaller "
        "learning rate, clipped gradients, or another initialization"
    )


class SquareRoot(nn.Module):
    """Finite at 0, its slope is not."""

    def forward(self, input: mg.Tensor) -> mg.Tensor:
        return input.sqrt()


def test_a_gradient_that_is_not_finite_is_named_with_its_step():
    first, last = nn.Linear(2, 2, dtype=mg.float64), nn.Linear(2, 1, dtype=mg.float64)
    for p in first.parameters():
        nn.init.zeros_(p)
    nn.init.constant_(last.weight, -1.0)  # so that the step makes NaN under the root, not inf
    model = nn.Sequential(first, SquareRoot(), last)
    data = [(mg.ones(3, 2, dtype=mg.float64), mg.ones(3, 1, dtype=mg.float64))]
    with np.errstate(divide="ignore"):
        error = broken(model, data=data * 2, loss=F.mse_loss)
        assert str(error).startswith(
            "fit: in step 2 the loss is nan: the gradient of '0.bias' was not finite in step 1; "
        )
        for p in first.parameters():
            nn.init.zeros_(p)
        # In the last step of an epoch too, though no further loss would show it.
        error = broken(model, data=data, loss=F.mse_loss, epochs=1)
    assert str(error).startswith("fit: after step 1: the gradient of '0.bias' was not finite")


def test_an_update_too_large_for_the_dtype():
    model = nn.Sequential(nn.Linear(1, 1, bias=False))
    nn.init.constant_(model[0].weight, 1.0)
    optimizer = mg.optim.SGD(model.parameters(), lr=1e30)
    data = [(mg.full((1, 1), 1e10), mg.zeros(1, 1))]
    error = broken(model, optimizer, data, F.mse_loss)
    assert str(error).startswith(
        "fit: after step 1: the update of step 1 made '0.weight' too large for its dtype; "
    )


def test_bad_data_is_called_bad_data():
    x, y = examples()
    x[3, 1] = np.nan
    error = broken(network(), data=DataLoader((x, y), 20))
    assert str(error) == (
        "fit: in step 1 the loss is nan: row 3 of x in this batch holds NaN or infinity; clean "
        "the data"
    )


def test_a_broken_state_of_a_recurrent_layer_is_seen():
    model = mg.models.deep_rnn(1, 3, "relu", "identity", gain=1e30, in_features=2)
    data = mg.data.adding_problem(20, 30, generator=mg.Generator(0))
    error = broken(model, data=DataLoader(data, 20), loss=F.mse_loss)
    assert "the first output that is not finite is that of 'rnn' (RNN)" in str(error)


# -- what it refuses ---------------------------------------------------------------------------


def run(**options: Any) -> None:
    model = network()
    options = {"data": loader(), "loss": F.cross_entropy, "epochs": 2} | options
    fit(model, options.pop("data"), mg.optim.SGD(model.parameters()), options.pop("loss"),
        options.pop("epochs"), **options)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "fit: epochs must be a whole number of at least 1, got 0"),
        ({"accumulate": 0}, "fit: accumulate must be a whole number of at least 1, got 0"),
        ({"patience": 3}, "fit: patience watches the validation loss; pass validation=..."),
        (
            {"data": examples()},
            "fit: data must give batches (x, y), but it gave a ndarray; for arrays, use "
            "DataLoader((x, y), batch_size=...)",
        ),
        (
            {"validation": [examples()[0]]},
            "evaluate: data must give batches (x, y), but it gave a ndarray; for arrays, use "
            "DataLoader((x, y), batch_size=...)",
        ),
        (
            {"data": iter(list(loader()))},
            "fit: data gave no batch; a generator is used up after one epoch, so pass a "
            "DataLoader or a list",
        ),
        (
            {"loss": lambda out, y: F.cross_entropy(out, y, reduction="none")},
            "fit: the loss has shape (6,); it must be one number, the mean over the batch",
        ),
    ],
)
def test_message(options, message):
    with pytest.raises(ArgumentError) as caught:
        run(**options)
    assert str(caught.value) == message


def test_an_optimizer_of_another_model_is_refused_before_anything_is_done():
    model, other = network(), network()
    batches = iter(list(loader()))
    with pytest.raises(ArgumentError) as caught:
        fit(model, batches, mg.optim.SGD(other.parameters()), F.cross_entropy, 1)
    assert str(caught.value) == (
        "fit: the optimizer holds none of the model's parameters, so the model would not learn; "
        "make it with model.parameters() of this model"
    )
    assert len(list(batches)) == 4
    # Some of them are enough: the rest is frozen.
    fit(model, loader(), mg.optim.SGD(model.layer3.parameters()), F.cross_entropy, 1)


# -- the bar -----------------------------------------------------------------------------------


def test_no_bar_where_nobody_looks(capsys):
    run()
    assert capsys.readouterr().err == ""


def test_a_bar_counts_batches_and_shows_the_figures(capsys):
    pytest.importorskip("tqdm")
    run(progress=True)
    shown = capsys.readouterr().err
    assert "8/8" in shown and "epoch 2/2" in shown and "loss=" in shown


@pytest.mark.parametrize("wanted", [None, True])
def test_without_tqdm_there_is_no_bar_but_an_answer_to_who_asks(monkeypatch, capsys, wanted):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    if wanted is None:
        run(progress=None)
        assert capsys.readouterr().err == ""
        return
    with pytest.raises(ArgumentError, match=r"needs tqdm; install it with pip install 'minigrad\["):
        run(progress=True)


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run()
    assert "epoch 2/2" in capsys.readouterr().err


# -- a probe -----------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_probe_records_every_step_and_is_told_its_loss(accumulate):
    model = network()
    optimizer = mg.optim.Adam(model.parameters())
    probe = mg.diagnostics.Probe(model, optimizer)
    history = fit(model, loader(batch_size=5), optimizer, F.cross_entropy, 3, probe=probe,
                  accumulate=accumulate)  # fmt: skip
    updates = 4 // accumulate
    assert probe.steps == list(range(3 * updates))
    np.testing.assert_allclose(probe.loss.reshape(3, updates).mean(axis=1), history["loss"])
    assert np.isfinite(probe.series("update_ratio")).all()
    with probe:  # `fit` has left it
        pass


def test_a_probe_is_left_also_when_training_fails():
    model = network()
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    probe = mg.diagnostics.Probe(model, optimizer)
    x, y = examples()
    x[7] = np.nan
    with pytest.raises(Diverged):
        fit(model, DataLoader((x, y), 5), optimizer, F.cross_entropy, 1, probe=probe)
    assert len(probe.steps) >= 1
    with probe:
        pass
