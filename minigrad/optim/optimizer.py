"""What all optimizers share: parameter groups, state, hooks around a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from minigrad.backend import Array
from minigrad.errors import ArgumentError, DtypeError
from minigrad.optim.flat import Bucket
from minigrad.tape import RemovableHandle, enable_grad
from minigrad.tensor import Tensor, wrap

Group = dict[str, Any]


class Optimizer:
    """Base of the optimizers; a subclass names its state and gives the rule of one update.

    Arguments:
        params: parameters, or groups: dicts with the key `params` and settings of their own.
        defaults: the settings of groups that do not say otherwise.

    Attributes:
        param_groups: list of dicts with `params` and the settings; change a setting, such as
            `group["lr"]`, at any time.

    Raises:
        ArgumentError: no parameters, one that occurs twice, or an unknown setting.
        DtypeError: something that is no Tensor.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self._buckets: list[list[Bucket]] = []
        self._waiting: dict[Tensor, tuple[int, dict[str, Array]]] = {}  # state not in a bucket
        self._before: dict[int, Any] = {}
        self._after: dict[int, Any] = {}
        if isinstance(params, Tensor):
            raise DtypeError(f"{self._name}: params must be a list of Tensors, got one Tensor")
        groups = list(params)
        if not groups:
            raise ArgumentError(f"{self._name}: no parameters; pass model.parameters()")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    @property
    def _name(self) -> str:
        return type(self).__name__

    # -- what a subclass says ------------------------------------------------------------------

    def state_names(self, group: Group) -> tuple[str, ...]:
        """The names of the arrays kept per parameter, each of the parameter's shape."""
        raise NotImplementedError

    def rule(
        self, values: Array, grad: Array, state: tuple[Array, ...], step: int, group: Group
    ) -> tuple[Array, tuple[Array, ...]]:
        """New values and state of one update; `step` is 1 at the first."""
        raise NotImplementedError

    # -- what users call -----------------------------------------------------------------------

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with settings of their own, also between steps."""
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise DtypeError(f"{self._name}: expected Tensors, got {type(p).__name__}")
            if not p.is_leaf:
                raise ArgumentError(
                    f"{self._name}: a parameter of shape {p.shape} was computed from others; "
                    "pass leaves, e.g. model.parameters()"
                )
            if id(p) in known:
                raise ArgumentError(f"{self._name}: a parameter of shape {p.shape} occurs twice")
            known.add(id(p))
        unknown = set(group) - set(self.defaults) - {"params"}
        if unknown:
            raise ArgumentError(
                f"{self._name}: unknown setting {sorted(unknown)}; valid: {sorted(self.defaults)}"
            )
        self.param_groups.append({**self.defaults, **group, "params": params})
        self._buckets.append([])

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
        """
        loss = None
        for hook in list(self._before.values()):
            hook(self, (closure,), {})
        if closure is not None:
            with enable_grad():
                loss = closure()
        for i, group in enumerate(self.param_groups):
            for bucket in self._arrange(i, group):
                bucket.update(partial(self.rule, step=bucket.step + 1, group=group))
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

    def _arrange(self, i: int, group: Group) -> list[Bucket]:
        """Buckets of exactly those parameters of group i that have a gradient now."""
        active = [p for p in group["params"] if p._grad is not None]
        held = [p for bucket in self._buckets[i] for p in bucket.params]
        if len(active) == len(held) and {id(p) for p in active} == {id(p) for p in held}:
            return self._buckets[i]
        self._dissolve(i)
        alike: dict[Any, list[Tensor]] = {}
        for p in active:
            step = self._waiting[p][0] if p in self._waiting else 0
            alike.setdefault((p.dtype, p.device, step), []).append(p)
        for (_, device, step), params in alike.items():
            states = [self._waiting.pop(p, (0, {}))[1] for p in params]
            state = {
                name: [
                    s.get(name, device.xp.zeros_like(p.data))
                    for p, s in zip(params, states, strict=True)
                ]
                for name in self.state_names(group)
            }
            self._buckets[i].append(Bucket(params, state, step))
        return self._buckets[i]

    def _dissolve(self, i: int) -> None:
        for bucket in self._buckets[i]:
            for k, p in enumerate(bucket.params):
                self._waiting[p] = bucket.step, bucket.state_of(k)
        self._buckets[i] = []

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """Per parameter that was updated a copy of its state: `step` and arrays of its shape."""
        found = {p: {"step": step, **arrays} for p, (step, arrays) in self._waiting.items()}
        for buckets in self._buckets:
            for bucket in buckets:
                for k, p in enumerate(bucket.params):
                    found[p] = {"step": bucket.step, **bucket.state_of(k)}
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
        waiting = {}
        for k, entry in state.items():
            p = params[int(k)]
            arrays = {
                n: p.device.xp.array(a, dtype=p.dtype) for n, a in entry.items() if n != "step"
            }
            for name, array in arrays.items():
                if array.shape != p.shape:
                    raise ArgumentError(
                        f"{self._name}: saved {name} of parameter {k} has shape {array.shape}, "
                        f"the parameter {p.shape}"
                    )
            waiting[p] = int(entry.get("step", 1)), arrays
        for mine, saved in zip(self.param_groups, groups, strict=True):
            mine.update({key: value for key, value in saved.items() if key != "params"})
        self._buckets = [[] for _ in self.param_groups]
        self._waiting = waiting

    def __repr__(self) -> str:
        lines = [f"{self._name} ("]
        for i, group in enumerate(self.param_groups):
            settings = {k: v for k, v in group.items() if k != "params"}
            lines.append(f"  group {i}: {len(group['params'])} parameters, {settings}")
        return "\n".join([*lines, ")"])


def check_not_negative(optimizer: str, **settings: float) -> None:
    """Raise an ArgumentError for a setting below 0."""
    for name, value in settings.items():
        if not value >= 0:
            raise ArgumentError(f"{optimizer}: {name} must not be negative, got {value}")


def checked_betas(optimizer: str, betas: Iterable[float]) -> tuple[float, float]:
    """Two decay rates in [0, 1)."""
    pair = tuple(betas)
    if len(pair) != 2 or not all(0 <= b < 1 for b in pair):
        raise ArgumentError(f"{optimizer}: betas must be two numbers in [0, 1), got {betas}")
    return pair
