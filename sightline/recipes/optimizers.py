"""The optimizer of a recipe: found by name, its arguments checked, its parameters grouped by their weight decay."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import nn

from sightline.recipes.normalized_gd import NormalizedGD
from sightline.recipes.recipe import DECAYS, Recipe


class Vanilla(torch.optim.Optimizer):
    """The loop by hand: ``params -= lr * grad`` in ``no_grad``."""

    def __init__(self, params: Any, lr: float = 1e-3, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step against the gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            lr, decay = group["lr"], group["weight_decay"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = parameter.grad.add(parameter, alpha=decay) if decay else parameter.grad
                parameter -= lr * gradient
        return loss


_found: dict[str, type[torch.optim.Optimizer]] = {}


def optimizer_class(name: str | type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """The class meant by a name in any case, or the class itself.

    Raises
    ------
    ValueError : ``torch.optim`` has none of that name (the nearest are said), or it is not a class of optimizers.
    """
    if isinstance(name, type):
        if issubclass(name, torch.optim.Optimizer):
            return name
        raise ValueError(f"optimizer={name.__name__} is not a subclass of torch.optim.Optimizer.")
    wanted = str(name).lower()
    if wanted in _found:
        return _found[wanted]
    known: dict[str, type[torch.optim.Optimizer]] = {"vanilla": Vanilla, "normalized-gd": NormalizedGD}
    for attribute, value in vars(torch.optim).items():
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and value is not torch.optim.Optimizer:
            known[attribute.lower()] = value
    if wanted in known:
        return _found.setdefault(wanted, known[wanted])
    near = difflib.get_close_matches(wanted, known, n=3)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else f"; choose one of {', '.join(sorted(known))}."
    raise ValueError(f"optimizer={name!r} is not an optimizer of torch.optim{hint}")


@cache
def _signature(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a function; kept, since reading them takes as long as a step."""
    return inspect.signature(function).parameters


def needs_closure(kind: type[torch.optim.Optimizer]) -> bool:
    """Whether ``step`` cannot be called without a closure, by its signature."""
    closure = _signature(kind.step).get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def parameter_groups(module: nn.Module, recipe: Recipe) -> list[dict[str, Any]] | list[nn.Parameter]:
    """The parameters as the optimizer is given them: a plain list where all decay alike."""
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    decay = recipe.weight_decay
    if isinstance(decay, Mapping):
        strengths = {name: _decay_of(name, decay) for name in trained}
        unknown = [key for key in decay if not any(_is(name, key) for name in trained)]
        if unknown:
            raise ValueError(
                f"weight_decay names {unknown[0]!r}, but no parameter is called so: {', '.join(trained)}."
            )
    elif recipe.decay == "weights":
        whole = 0.0 if decay is None else float(decay)
        strengths = {name: whole if p.ndim >= 2 and not _is(name, "bias") else 0.0 for name, p in trained.items()}
    elif recipe.decay == "all":
        return list(trained.values())
    else:
        raise ValueError(f"decay={recipe.decay!r}; choose one of {', '.join(map(repr, DECAYS))}.")
    groups: list[dict[str, Any]] = []
    for strength in dict.fromkeys(strengths.values()):
        members = [p for name, p in trained.items() if strengths[name] == strength]
        groups.append({"params": members, "weight_decay": strength})
    return groups


def _is(name: str, key: str) -> bool:
    return name == key or name.endswith("." + key)


def _decay_of(name: str, decay: Mapping[str, float]) -> float:
    keys = [key for key in decay if _is(name, key)]
    return float(decay[max(keys, key=len)]) if keys else 0.0


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over the module's parameters.

    Raises
    ------
    ValueError : the optimizer takes no such argument, or not such a value, or is one over other parameters.
    """
    if not isinstance(recipe.optimizer, str | type):
        return _given(module, recipe)
    kind = optimizer_class(recipe.optimizer)
    arguments = dict(recipe.arguments)
    if isinstance(recipe.lr, float) and not math.isfinite(recipe.lr):
        raise ValueError(f"lr={recipe.lr}; a learning rate is a finite number, or None for the optimizer's own.")
    if recipe.lr is not None:
        arguments["lr"] = recipe.lr
    # The optimizer's own zero need not be said, so that those that know no weight decay can be used.
    whole = recipe.decay == "all" and not isinstance(recipe.weight_decay, Mapping)
    if whole and recipe.weight_decay is not None and (recipe.weight_decay or "weight_decay" in accepted(kind)):
        arguments["weight_decay"] = recipe.weight_decay
    groups = parameter_groups(module, recipe)
    try:
        return kind(groups, **arguments)
    except (TypeError, ValueError) as error:
        _check_names(kind, arguments)
        given = ", ".join(f"{k}={v!r}" for k, v in arguments.items())
        raise ValueError(f"{kind.__name__}({given}) cannot be made: {error}") from error


def _check_names(kind: type[torch.optim.Optimizer], arguments: Mapping[str, Any]) -> None:
    """Raise ValueError, with the nearest name, for an argument that the optimizer does not take."""
    known = accepted(kind)
    for name in arguments:
        if known and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{kind.__name__} takes no argument {name!r}; it takes {', '.join(known)}.{hint}")


def _given(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer that was made already, or that a function makes; it must be over the module's own parameters."""
    said = [k for k, v in (("lr", recipe.lr), ("weight_decay", recipe.weight_decay)) if v is not None]
    said += list(recipe.arguments)
    if said or recipe.decay != "all":
        raise ValueError(
            f"optimizer= holds an optimizer, or makes one, with settings of its own: leave {(said or ['decay'])[0]} out"
            " of the recipe, or give the optimizer's class."
        )
    made: Any = recipe.optimizer
    if not isinstance(made, torch.optim.Optimizer):
        if not callable(made):
            raise ValueError(f"optimizer={made!r} is neither a name nor an optimizer.")
        made = made([p for p in module.parameters() if p.requires_grad])
        if not isinstance(made, torch.optim.Optimizer):
            raise ValueError(f"optimizer= made a {type(made).__name__}, not a torch.optim.Optimizer.")
    own = {id(p) for p in module.parameters()}
    held = [p for group in made.param_groups for p in group["params"]]
    strange = [p for p in held if id(p) not in own]
    if strange:
        kind, name = type(made).__name__, type(module).__name__
        raise ValueError(
            f"{kind} holds {len(strange)} of {len(held)} tensors that are not parameters of this {name}, the first of"
            f" shape {tuple(strange[0].shape)}: its steps would not train the module. Give the class:"
            f" optimizer=torch.optim.{kind}, or make it over this module's parameters()."
        )
    return made


def accepted(kind: type[torch.optim.Optimizer]) -> list[str]:
    """Names of the arguments besides the parameters; empty where any is taken."""
    parameters = list(_signature(kind.__init__).values())[2:]
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return []
    return [p.name for p in parameters if p.kind is not inspect.Parameter.VAR_POSITIONAL]
