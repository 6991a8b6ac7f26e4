"""The mistakes that learners make, and the one line that each is answered with.

Every text names the operation, the shapes, the layer where there is one, and the cure.
"""

import re

import pytest

import minigrad as mg
from minigrad import cli, errors, nn
from minigrad.nn import functional as F


def network():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Sequential(nn.Linear(8, 2)))


def backward_twice():
    w = mg.ones(2, requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    loss.backward()


def backward_through_a_changed_value():
    w = mg.ones(2, requires_grad=True)
    hidden = mg.exp(w)
    loss = hidden.sum()
    hidden += 1
    loss.backward()


def write_to_a_leaf():
    w = mg.ones(2, requires_grad=True)
    w -= 0.1


MISTAKES = [
    (
        "shapes that do not fit in a product",
        lambda: mg.ones(3, 4) @ mg.ones(5, 6),
        errors.ShapeError,
        "matmul: shapes (3, 4) and (5, 6) do not fit: the last axis of the first (4) must equal "
        "the second-last axis of the second (5); transpose one of them?",
    ),
    (
        "shapes that do not broadcast",
        lambda: mg.ones(3, 4) + mg.ones(5),
        errors.ShapeError,
        "add: shapes (3, 4), (5,) do not broadcast: counted from the last axis, sizes must be "
        "equal, or one of them 1; add axes of size 1 with reshape or expand_dims",
    ),
    (
        "features that a layer does not take",
        lambda: network()(mg.ones(1, 5)),
        errors.ShapeError,
        "linear: the input has shape (1, 5), but a weight of shape (8, 4) takes 4 features on the "
        "input's last axis; reshape the input, or make in_features 5 "
        "[in layer '0' (Linear(in_features=4, out_features=8, bias=True))]",
    ),
    (
        "the same in a nested layer",
        lambda: nn.Sequential(nn.Tanh(), nn.Sequential(nn.Linear(8, 2)))(mg.ones(1, 5)),
        errors.ShapeError,
        "linear: the input has shape (1, 5), but a weight of shape (2, 8) takes 8 features on the "
        "input's last axis; reshape the input, or make in_features 5 "
        "[in layer '1.0' (Linear(in_features=8, out_features=2, bias=True))]",
    ),
    (
        "a target that is not made of class numbers",
        lambda: F.cross_entropy(mg.ones(2, 3), mg.ones(2)),
        errors.DtypeError,
        "cross_entropy: target holds float32, but it must hold class numbers, integers 0 to 2; "
        "convert it with target.astype(mg.int64)",
    ),
    (
        "a class that does not exist",
        lambda: F.cross_entropy(mg.ones(2, 3), mg.tensor([0, 3])),
        errors.OutOfRangeError,
        "cross_entropy: target has class 3, but the input has 3 classes, 0 to 2; count classes "
        "from 0, or give the last layer one output per class",
    ),
    (
        "a target of another length",
        lambda: F.cross_entropy(mg.ones(2, 3), mg.tensor([0, 1, 2])),
        errors.ShapeError,
        "cross_entropy: input of shape (2, 3) (3 classes on axis 1) takes a target of shape (2,), "
        "got (3,)",
    ),
    (
        "a column against a row, which would broadcast to a square",
        lambda: F.mse_loss(mg.ones(4, 1), mg.ones(4)),
        errors.ShapeError,
        "mse_loss: input has shape (4, 1), target (4,); they must be equal. Reshape one, e.g. "
        "target.reshape(4, 1)",
    ),
    (
        "integers with gradients",
        lambda: mg.tensor([1, 2], requires_grad=True),
        errors.DtypeError,
        "requires_grad: a tensor of dtype int64 has no gradient; convert it first, e.g. "
        "t.astype(mg.float32)",
    ),
    (
        "backward from many numbers",
        lambda: (mg.ones(3, requires_grad=True) * 2).backward(),
        errors.GraphError,
        "backward: the output has shape (3,), and only a single number has a gradient; reduce it "
        "first, e.g. t.sum().backward(), or pass a gradient of the same shape",
    ),
    (
        "backward from a constant",
        lambda: mg.ones(1).backward(),
        errors.GraphError,
        "backward: this tensor (shape (1,)) does not require a gradient; make it with "
        "requires_grad=True, or compute it from one that does, outside no_grad",
    ),
    (
        "backward twice",
        backward_twice,
        errors.GraphError,
        "backward: the graph through 'sum' was already freed by an earlier backward; call that "
        "one with retain_graph=True, or compute the result again",
    ),
    (
        "a value changed before backward",
        backward_through_a_changed_value,
        errors.GraphError,
        "backward: a value that 'exp' (output shape (2,)) needs for its derivative was changed in "
        "place: kept at version 0, now at version 1; use an out-of-place operation, or change a "
        "clone()",
    ),
    (
        "an update outside of no_grad",
        write_to_a_leaf,
        errors.GraphError,
        "sub (in place): this tensor is a leaf that requires a gradient (shape (2,)), and a write "
        "would lose where that gradient belongs; do it inside `with mg.no_grad():`, or on a "
        "clone()",
    ),
    (
        "NumPy on what is still differentiated",
        lambda: mg.ones(2, requires_grad=True).numpy(),
        errors.GraphError,
        "numpy: this tensor requires a gradient, which a NumPy array cannot carry; use "
        "t.detach().numpy() (or t.data) if that is what you want",
    ),
    (
        "an axis that is not there",
        lambda: mg.ones(3, 4).sum(axis=2),
        errors.ShapeError,
        "sum: a tensor with 2 axes has no axis 2; valid: -2 to 1",
    ),
    (
        "an index that is not there",
        lambda: mg.ones(3)[5],
        errors.OutOfRangeError,
        "getitem: index 5 is out of bounds for axis 0 with size 3; given shapes (3,)",
    ),
    (
        "the truth of many elements",
        lambda: bool(mg.ones(2) > 0),
        errors.ShapeError,
        "bool: a tensor of shape (2,) is neither true nor false; use t.any() or t.all()",
    ),
    (
        "an unknown activation",
        lambda: mg.models.deep_mlp(3, 4, activation="rleu"),
        errors.ArgumentError,
        "deep_mlp: unknown activation 'rleu'; use one of identity, relu, sigmoid, tanh, celu, elu, "
        "gelu, hardsigmoid, hardtanh, leaky_relu, logsigmoid, mish, prelu, relu6, selu, silu, "
        "softplus, softsign, tanhshrink",
    ),
    (
        "an optimizer without parameters",
        lambda: mg.optim.SGD([]),
        errors.ArgumentError,
        "SGD: no parameters; pass model.parameters(), which finds layers that are attributes of "
        "the model, or in an nn.ModuleList, but not in a plain list",
    ),
]


@pytest.mark.parametrize(
    ("mistake", "error", "text"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_mistake_gets_one_clear_message(mistake, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        mistake()


def test_a_missing_file_on_the_command_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no figure lies in the way
    assert cli.main(["decay", "--data", "missing.npz"]) == 2
    text = "minigrad decay: data: there is no file 'missing.npz'; check the path\n"
    assert capsys.readouterr().err == text


def test_an_unknown_activation_on_the_command_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["decay", "--activation", "tanh,rleu"])
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    for word in ("'rleu'", "identity", "relu", "sigmoid", "tanh"):
        assert word in text


def test_one_file_for_figure_and_numbers_on_the_command_line(capsys, tmp_path):
    path = str(tmp_path / "a.png")
    assert cli.main(["decay", "--save", path, "--json", path]) == 2
    assert "--save and --json name the same file" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()


def test_more_than_memory_holds_on_the_command_line(capsys, tmp_path):
    path = str(tmp_path / "a.png")
    assert cli.main(["decay", "--width", "1000000000", "--seeds", "1", "--save", path]) == 2
    assert capsys.readouterr().err.startswith("minigrad decay: not enough memory: ")
