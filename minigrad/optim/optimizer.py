"""What all optimizers share: parameter groups, state, hooks around a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any, ClassVar

from minigrad.errors import ArgumentError, DtypeError
from minigrad.optim.flat import Bucket
from minigrad.tape import RemovableHandle, enable_grad
from minigrad.tensor import Tensor, wrap

Group = dict[str, Any]

# What a setting of one of these names must satisfy, in every optimizer.
_NOT_NEGATIVE = {
    "eps", "initial_accumulator_value", "lr", "lr_decay", "momentum", "momentum_decay",
    "trust_coefficient", "weight_decay",
}  # fmt: skip
_FRACTIONS = {"alpha", "rho"}


class Optimizer:
    """Base of the optimizers; a subclass gives the rule of one update and names its state.

    Arguments:
        params: parameters, or groups: dicts with the key `params` and settings of their own.
        defaults: the settings of groups that do not say otherwise.

    Attributes:
        param_groups: list of dicts with `params` and the settings; change a setting, such as
            `group["lr"]`, at any time.
        steps_taken: how often `step` was called.
        rule: the update as a function on arrays, `rule(p, g, step, *state, **settings)`, that
            returns the new p and the new state; `step` is 1 at the first. It may write into p and
            the state and return these, which saves memory traffic; never into g. What can fail it
            does before it writes.
        numbers: which entries of the state are one number, the same for all elements.
        whole_parameters: True if the rule must see a parameter as a whole, in its shape (for its
            norm, say); False lets it work on stretches of many parameters at once.

    Raises:
        ArgumentError: no parameters, one that occurs twice, or a setting that is unknown or out
            of its range.
        DtypeError: something that is no Tensor.

    An optimizer of one's own is its rule, its settings and its state:

    >>> import minigrad as mg
    >>> def heavy_ball(p, g, step, velocity, *, lr, friction):
    ...     velocity = (1 - friction) * velocity - lr * g
    ...     return p + velocity, velocity
    >>> class HeavyBall(mg.optim.Optimizer):
    ...     rule = staticmethod(heavy_ball)
    ...     def __init__(self, params, lr=0.1, friction=0.5):
    ...         super().__init__(params, dict(lr=lr, friction=friction))
    ...     def initial_state(self, group):
    ...         return {"velocity": 0.0}
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> optimizer = HeavyBall([w])
    >>> w.grad = mg.ones(1)
    >>> optimizer.step()
    >>> optimizer.step()
    >>> w
    tensor([0.75], requires_grad=True)
    """

    rule: ClassVar[staticmethod[..., tuple[Any, ...]]]
    numbers: ClassVar[tuple[str, ...]] = ()
    whole_parameters: ClassVar[bool] = False

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = {name: _plain(value) for name, value in defaults.items()}
        self.param_groups: list[Group] = []
        self.steps_taken = 0
        self._arranged: list[_Arranged] = []
        self._waiting: dict[Tensor, dict[str, Any]] = {}  # state that is not in a bucket
        self._before: dict[int, Any] = {}
        self._after: dict[int, Any] = {}
        if isinstance(params, Tensor):
            raise DtypeError(f"{self._name}: params must be a list of Tensors, got one Tensor")
        try:
            groups = list(params)
        except TypeError:
            raise DtypeError(
                f"{self._name}: params must be a list of Tensors, got {type(params).__name__}; "
                "pass model.parameters()"
            ) from None
        if not groups:
            raise ArgumentError(
                f"{self._name}: no parameters; pass model.parameters(), which finds layers that "
                "are attributes of the model, or in an nn.ModuleList, but not in a plain list"
            )
        self.check(self.defaults)
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    @property
    def _name(self) -> str:
        return type(self).__name__

    # -- what a subclass says ------------------------------------------------------------------

    def initial_state(self, group: Group) -> dict[str, float | None]:
        """Per name in the state, in the rule's order, what it starts from; None: not kept."""
        return {}

    def settings(self, group: Group) -> dict[str, Any]:
        """What the rule is called with: the group without what others, say schedules, put in."""
        return {name: _plain(group[name]) for name in self.defaults}

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise an ArgumentError for a setting out of its range; a subclass may add to it."""
        self._check_numbers(settings)
        for name in _NOT_NEGATIVE & settings.keys():
            if not settings[name] >= 0:
                raise ArgumentError(
                    f"{self._name}: {name} must not be negative, got {settings[name]}"
                )
        for name in _FRACTIONS & settings.keys():
            if not 0 <= settings[name] <= 1:
                raise ArgumentError(
                    f"{self._name}: {name} must lie in [0, 1], got {settings[name]}"
                )
        if "betas" in settings:
            betas = settings["betas"]
            pair = isinstance(betas, tuple | list) and len(betas) == 2
            if not pair or not all(0 <= b < 1 for b in betas):
                raise ArgumentError(
                    f"{self._name}: betas must be two numbers in [0, 1), got {betas}"
                )

    def _check_numbers(self, settings: Mapping[str, Any]) -> None:
        """What must hold at each step. A schedule may well take a rate below 0."""
        for name in (_NOT_NEGATIVE | _FRACTIONS) & settings.keys():
            if not isinstance(_plain(settings[name]), int | float):
                raise ArgumentError(
                    f"{self._name}: {name} must be a number, got {settings[name]!r}"
                )

    # -- what users call -----------------------------------------------------------------------

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with settings of their own, also between steps."""
        if "params" not in group:
            raise ArgumentError(f"{self._name}: a group needs the key 'params', got {list(group)}")
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise DtypeError(
                    f"{self._name}: expected Tensors, got {type(p).__name__}; pass "
                    "model.parameters()"
                )
            if p.dtype.kind != "f":
                raise DtypeError(
                    f"{self._name}: a parameter of shape {p.shape} holds {p.dtype}, which has no "
                    "gradient; convert it, e.g. t.astype(mg.float32)"
                )
            if not p.is_leaf:
                raise ArgumentError(
                    f"{self._name}: a parameter of shape {p.shape} was computed from others; "
                    "pass leaves, e.g. model.parameters()"
                )
            if id(p) in known:
                raise ArgumentError(f"{self._name}: a parameter of shape {p.shape} occurs twice")
            known.add(id(p))
        unknown = set(group) - set(self.defaults) - {"params", "initial_lr"}
        if unknown:
            raise ArgumentError(
                f"{self._name}: unknown setting {sorted(unknown)}; valid: {sorted(self.defaults)}"
            )
        settings = {name: _plain(value) for name, value in group.items() if name != "params"}
        complete = {**self.defaults, **settings, "params": params}
        self.check(complete)
        self.param_groups.append(complete)
        self._arranged.append(_Arranged())

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters (or set them to zeros)."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                elif p._grad is not None:
                    p._grad = wrap(p.device.xp.zeros_like(p._data), p.device)

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter that has a gradient.

        Arguments:
            closure: computes the loss anew, with its backward, and returns it.

        Returns:
            What the closure returned, or None.

        Raises:
            ShapeError: a parameter's data changed its shape, dtype or device; nothing is
                updated then.
        """
        loss = None
        for hook in list(self._before.values()):
            hook(self, (closure,), {})
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:  # all of them, before any is updated
            self._check_numbers(group)
        for i in range(len(self.param_groups)):
            self._arrange(i)
        for group, arranged in zip(self.param_groups, self._arranged, strict=True):
            settings = self.settings(group)
            for bucket in arranged.buckets:
                bucket.update(self.rule, settings)
        self.steps_taken += 1
        for hook in list(self._after.values()):
            hook(self, (closure,), {})
        return loss

    def register_step_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; returns a removable handle."""
        return RemovableHandle(self._before, hook)

    def register_step_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step; returns a removable handle."""
        return RemovableHandle(self._after, hook)

    # -- state ---------------------------------------------------------------------------------

    def _arrange(self, i: int) -> None:
        """See that group i has buckets of exactly those parameters that have a gradient now."""
        group, arranged = self.param_groups[i], self._arranged[i]
        active = [p for p in group["params"] if p._grad is not None]
        initial = self.initial_state(group)
        kept = [name for name, start in initial.items() if start is not None]
        if (
            len(active) == len(arranged.active)
            and all(map(is_, active, arranged.active))
            and kept == arranged.kept
        ):
            for bucket in arranged.buckets:
                bucket.check()
            return
        self._dissolve(i)
        alike: dict[Any, list[Tensor]] = {}
        # Small parameters side by side: the biases of a deep network make one piece.
        for p in sorted(active, key=lambda p: p.size):
            saved = self._waiting.get(p, {})
            key = (p.dtype, p.device, *(saved.get(name) for name in ("step", *self.numbers)))
            alike.setdefault(key, []).append(p)
        buckets = []
        for params in alike.values():
            states = [self._waiting.get(p, {}) for p in params]
            buckets.append(Bucket(params, states, initial, self.numbers, self.whole_parameters))
        for p in active:
            self._waiting.pop(p, None)
        self._arranged[i] = _Arranged(active, kept, buckets)

    def _dissolve(self, i: int) -> None:
        for bucket in self._arranged[i].buckets:
            for k, p in enumerate(bucket.params):
                self._waiting[p] = bucket.state_of(k)
        self._arranged[i] = _Arranged()

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """Per parameter that was updated a copy of its state: `step` and arrays of its shape."""
        found = dict(self._waiting)
        for arranged in self._arranged:
            for bucket in arranged.buckets:
                for k, p in enumerate(bucket.params):
                    found[p] = bucket.state_of(k)
        return found

    def state_dict(self) -> dict[str, Any]:
        """State and settings as plain data, laid out as in PyTorch: parameters by number."""
        params = [p for group in self.param_groups for p in group["params"]]
        number = {id(p): i for i, p in enumerate(params)}
        groups = [
            {**group, "params": [number[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {number[id(p)]: entry for p, entry in self.state.items()}
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over state and settings that `state_dict()` of an equal optimizer returned.

        Raises:
            ArgumentError: other groups or shapes; nothing is changed then.
        """
        groups, state = state_dict["param_groups"], state_dict["state"]
        sizes = [len(g["params"]) for g in self.param_groups]
        if [len(g["params"]) for g in groups] != sizes:
            raise ArgumentError(
                f"{self._name}: the saved groups have {[len(g['params']) for g in groups]} "
                f"parameters, this optimizer's {sizes}"
            )
        params = [p for group in self.param_groups for p in group["params"]]
        merged = [
            mine | {key: _plain(value) for key, value in saved.items() if key != "params"}
            for mine, saved in zip(self.param_groups, groups, strict=True)
        ]
        for group in merged:
            self._check_numbers(group)
        known = {"step", *(name for group in merged for name in self.initial_state(group))}
        for k, entry in state.items():
            if foreign := set(entry) - known:
                raise ArgumentError(
                    f"{self._name}: the saved state of parameter {k} holds {sorted(foreign)}, "
                    f"which is not this optimizer's; it keeps {sorted(known)}"
                )
        waiting = {params[int(k)]: self._loaded(params[int(k)], k, state[k]) for k in state}
        for mine, saved in zip(self.param_groups, merged, strict=True):
            mine.update(saved)
        self._arranged = [_Arranged() for _ in self.param_groups]
        self._waiting = waiting

    def _loaded(self, p: Tensor, k: Any, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The saved state of parameter number k, in its dtype and on its device."""
        # PyTorch's SGD and Muon save no step; they have taken one if they saved anything.
        loaded: dict[str, Any] = {"step": int(entry.get("step", 1))}
        for name, value in entry.items():
            if name == "step" or value is None:
                continue
            if name in self.numbers:
                loaded[name] = float(value)
                continue
            loaded[name] = p.device.xp.asarray(value, dtype=p.dtype).copy()
            if loaded[name].shape != p.shape:
                raise ArgumentError(
                    f"{self._name}: saved {name} of parameter {k} has shape "
                    f"{loaded[name].shape}, the parameter {p.shape}"
                )
        return loaded

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: the state parameter by parameter, not in buckets."""
        arranged = [_Arranged() for _ in self.param_groups]
        return self.__dict__ | {"_waiting": self.state, "_arranged": arranged}

    def __repr__(self) -> str:
        lines = [f"{self._name} ("]
        for i, group in enumerate(self.param_groups):
            settings = {k: v for k, v in group.items() if k != "params"}
            lines.append(f"  group {i}: {len(group['params'])} parameters, {settings}")
        return "\n".join([*lines, ")"])


@dataclass(slots=True)
class _Arranged:
    """The buckets of one group, and what they were made for."""

    active: list[Tensor] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    buckets: list[Bucket] = field(default_factory=list)


def _plain(value: Any) -> Any:
    """A NumPy number or one-element Tensor as a Python number.

    A float64 of NumPy would promote float32 parameters, and make each update compute in float64.
    """
    if isinstance(value, tuple | list):
        return tuple(_plain(v) for v in value)
    return value.item() if hasattr(value, "item") else value
